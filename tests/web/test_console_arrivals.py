"""The files of a district that came: by upload and drop folder, with their run, and as downloads for who may."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner
from markupsafe import escape

from rollbook.commands.arrivals import arrivals
from rollbook.operations import drop_folders, file_arrivals, scheduling, uploads
from rollbook.operations.file_arrivals import Came
from rollbook.store.accounts import audit
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.work import job_queue, schedules
from tests import world
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import at, signed_in

NAME = "0123456789abcdef"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A district with a synced upload of the console, one that waits, and one by its drop folder."""
    folder = tmp_path_factory.mktemp("arrivals")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as hub:
            own = uploads.folder(hub.settings) / hub.district.id
            world.write(own / NAME)
            (own / NAME / "link.csv").symlink_to("/etc/passwd")
            world.write(own / "not an upload")
            uploads.queue(database, hub.settings, hub.district.id, NAME)
            _end(hub, run=hub.sync(world.FILES).number)
            os.utime(own / NAME, (1_700_000_000, 1_700_000_000))
            world.write(own / ("f" * 16))
            (folder / "drop").mkdir()
            scheduling.change(
                database,
                hub.district.id,
                lambda now: replace(now, folder=str(folder / "drop"), rule="marker", marker="complete"),
            )
            world.write(folder / "drop")
            (folder / "drop" / "complete").touch()
            assert len(drop_folders.watch(database)) == 1
            yield hub


def _end(hub: Hub, run: int | None) -> None:
    """The job of the first upload has made a run."""
    with hub.database.write() as transaction:
        transaction.run("UPDATE jobs SET state = 'done', sync = ?, ended = created", (run,))


def told(client: httpx.Client, hub: Hub, query: str = "") -> list[tuple[str, int | None, str]]:
    found = client.get(at(hub, f"files.json{query}")).json()["uploads"]
    assert all("place" not in each for each in found)
    return [(each["source"], each["run"], each["state"]) for each in found]


def test_each_upload_is_listed_with_its_run(hub: Hub) -> None:
    with signed_in(hub, "district", hub.district.number) as client:
        every = told(client, hub)
        assert sorted(every[:2]) == [("console", None, ""), ("drop folder", None, "waiting")]
        assert every[2:] == [("console", 1, "committed")]
        assert told(client, hub, "?run=1") == every[2:]
        page = client.get(at(hub, "files")).text
        assert str(hub.folder) not in page
        assert "link.csv" not in page
        assert page.count("students.csv") >= 3
        # An upload of the console is kept for fourteen days: a date, not a span of time.
        assert 'data-label="Kept until"><time datetime="2023-11-28">28 Nov 2023</time>' in page
        assert "This page knows no upload of run 9" in client.get(at(hub, "files?run=9")).text
        rows = list(csv.DictReader(io.StringIO(client.get(at(hub, "files.csv")).text)))
        assert [row["run"] for row in rows] == ["", "", "1"]
        assert f'href="{at(hub, "files")}?run=1"' in client.get(at(hub, "runs/1")).text


def test_a_file_comes_as_it_is_and_the_trail_names_who_took_it(hub: Hub) -> None:
    with signed_in(hub, "district", hub.district.number) as client:
        form = form_of(client.get(at(hub, "files")).text)
        given = {"form": form, "upload": NAME, "file": "students.csv"}
        sent = client.post(at(hub, "files"), data=given)
        assert (sent.status_code, sent.text) == (200, world.FILES["students.csv"])
        assert sent.headers["content-disposition"] == "attachment; filename*=UTF-8''students.csv"
        assert sent.headers["content-type"] == "application/octet-stream"
        assert sent.headers["cache-control"] == "no-store"
        for wrong in (
            {"file": "link.csv"},
            {"file": "../../rollbook.db"},
            {"upload": "not an upload"},
            {"form": "x"},
        ):
            assert client.post(at(hub, "files"), data={**given, **wrong}).status_code in (403, 404)
    with hub.database.read() as transaction:
        [row] = audit.latest(transaction, 5, action="file downloaded")
    assert (row.detail["name"], row.detail["file"]) == (NAME, "students.csv")
    assert row.detail["by"] == f"district of {hub.district.number}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.csv", "caf\\xe9.csv"),
        (b"two\nlines.csv", "two\\nlines.csv"),
        ("\u202evsc.txt".encode(), "\\u202evsc.txt"),
        ("Schüler.csv".encode(), "Schüler.csv"),
        (b" blank.csv", " blank.csv"),
        (b"<b>&\"'.csv", "<b>&\"'.csv"),
    ],
    ids=ascii,
)
def test_a_file_of_any_name_is_listed_and_comes(hub: Hub, name: bytes, shown: str) -> None:
    file = uploads.folder(hub.settings) / hub.district.id / NAME / os.fsdecode(name)
    file.write_text("any")
    with signed_in(hub, "district", hub.district.number) as client:
        assert escape(shown) in client.get(at(hub, "files")).text
        assert client.get(at(hub, "files.csv")).status_code == 200
        [found] = [each for each in client.get(at(hub, "files.json")).json()["uploads"] if each["run"] == 1]
        assert shown in found["files"]
        form = form_of(client.get("/console/account").text)
        sent = client.post(at(hub, "files"), data={"form": form, "upload": NAME, "file": shown})
        assert (sent.status_code, sent.text) == (200, "any")
        assert sent.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(shown, safe='')}"
        file.unlink()
        gone = client.post(at(hub, "files"), data={"form": form, "upload": NAME, "file": shown})
        assert (gone.status_code, "no longer keeps this file" in gone.text) == (404, True)
    os.utime(file.parent, (1_700_000_000, 1_700_000_000))


def test_a_file_that_goes_between_the_check_and_the_sending_is_gone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_arrivals, "came", _came_and_gone(hub))
    with signed_in(hub, "district", hub.district.number) as client:
        form = form_of(client.get("/console/account").text)
        gone = client.post(at(hub, "files"), data={"form": form, "upload": "f" * 16, "file": "late.csv"})
        assert (gone.status_code, file_arrivals.GONE in gone.text) == (404, True)


def _came_and_gone(hub: Hub) -> Callable[..., list[Came]]:
    """A list of uploads with a file that is a dead link, as if a clean-up had just deleted it."""
    plain = file_arrivals.came
    place = hub.folder / "cleaned"
    place.mkdir()
    (place / "late.csv").symlink_to(place / "nothing")

    def came(*given: Any) -> list[Came]:
        first = plain(*given)[0]
        return [replace(first, name="f" * 16, place=str(place), files={"late.csv": 1})]

    return came


def test_others_get_no_file(hub: Hub) -> None:
    other = hub.beside("Other Unified")
    for role, district in (
        ("help desk", hub.district.number),
        ("developer", None),
        ("district", other.district.number),
    ):
        with signed_in(hub, role, district) as client:
            form = form_of(client.get("/console/account").text)
            given = {"form": form, "upload": NAME, "file": "students.csv"}
            assert client.get(at(hub, "files")).status_code in (403, 404)
            assert client.post(at(hub, "files"), data=given).status_code in (403, 404)
            assert client.post(at(other, "files"), data=given).status_code in (403, 404)


def test_the_command_lists_the_same_with_folders(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_DATABASE", hub.settings.database)
    monkeypatch.setenv("ROLLBOOK_KEY_FILE", hub.settings.key_file)
    run = CliRunner().invoke
    lines = run(arrivals, [hub.district.name], catch_exceptions=False).output.splitlines()
    assert len(lines) == 3
    assert "run 1 (committed)" in lines[-1]
    assert str(uploads.folder(hub.settings) / hub.district.id / NAME) in lines[-1]
    assert "not synced" in "".join(lines[:2])
    assert '"source": "drop folder"' in run(arrivals, [hub.district.name, "--json"]).output


def test_files_of_another_machine_or_deleted_ones_are_said(hub: Hub) -> None:
    [dropped] = [
        each
        for each in file_arrivals.came(hub.database, hub.settings, hub.district.id)
        if not each.name.isalnum()
    ]
    shutil.move(dropped.place, hub.folder / "elsewhere")
    with signed_in(hub, "district", hub.district.number) as client:
        assert "not on this machine" in client.get(at(hub, "files")).text
        with hub.database.write() as transaction:
            [arrival] = schedules.came(transaction, hub.district.number, 0)
            schedules.note_deleted(transaction, [arrival.number])
            assert job_queue.latest(transaction, 1)
        scheduling.remove(hub.database, hub.district.id)
        assert "deleted <time" in client.get(at(hub, "files")).text


def test_a_district_without_files_says_the_next_step(hub: Hub) -> None:
    empty = districts.create(hub.database, "Empty Unified")
    with signed_in(hub, "operator") as client:
        page = client.get(f"/console/d/{districts.slug(empty)}/files").text
        assert "Upload the first files" in page


def test_an_upload_that_was_synced_at_once_names_its_run(hub: Hub) -> None:
    own, name = hub.beside("At Once Unified").district, "a" * 16
    place = world.write(uploads.folder(hub.settings) / own.id / name)
    done = uploads.sync(hub.database, hub.settings, own.id, name)
    [only] = file_arrivals.came(hub.database, hub.settings, own.id)
    assert (only.run, only.state, only.place) == (done.number, "committed", str(place))
    # The next upload deletes an old one, and the note of its run.
    os.utime(place, (1_700_000_000, 1_700_000_000))
    uploads.new(hub.settings, own)
    assert list((uploads.folder(hub.settings) / own.id).iterdir()) == []
