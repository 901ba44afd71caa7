"""Uploads in the console: checked and planned, synced as a job that the page follows, and bad ones refused."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rollbook.operations import uploads
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.web.http import uploaded_files
from rollbook.web.http.body_bounds import body_bytes_max
from tests import world
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import at, signed_in
from tests.world import FILES

BOUNDARY = "x-rollbook-x"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with closing(open_database(str(tmp_path / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(tmp_path / "rollbook.db"), tmp_path)) as made:
            yield made


@pytest.fixture
def client(hub: Hub) -> Iterator[httpx.Client]:
    with signed_in(hub, "district", hub.district.number) as made:
        yield made


def send(client: httpx.Client, hub: Hub, files: Mapping[str, bytes | str], **fields: str) -> httpx.Response:
    path = at(hub, "upload")
    parts = [
        ("files", (name, data if isinstance(data, bytes) else data.encode())) for name, data in files.items()
    ]
    return client.post(path, data={"form": form_of(client.get(path).text), **fields}, files=parts)


def lying(hub: Hub) -> list[Path]:
    return sorted(uploads.folder(hub.settings).rglob("*.*"))


def test_files_are_checked_planned_and_synced_by_a_job(client: httpx.Client, hub: Hub) -> None:
    sent = send(client, hub, FILES)
    assert sent.status_code == 303, sent.text
    place = sent.headers["location"]
    page = client.get(place).text
    assert "The files are here" in page
    planned = client.post(place, data={"form": form_of(page), "act": "plan"})
    assert planned.status_code == 200
    assert "The files are ready" in planned.text
    assert districts.find(hub.database, hub.district.id).snapshot == 0
    queued = client.post(place, data={"form": form_of(page), "act": "sync"})
    told = client.get(f"{queued.headers['location']}.json").json()["job"]
    assert (told["kind"], told["state"]) == ("sync", "waiting")
    # The page may be closed and found again; no page tells a path of the server's machine.
    listed = client.get(at(hub, "upload.json"))
    assert [job["number"] for job in listed.json()["jobs"]] == [told["number"]]
    assert str(hub.folder) not in listed.text
    assert client.get(queued.headers["location"]).status_code == 200


def test_a_zip_is_taken_and_bad_rows_are_shown(client: httpx.Client, hub: Hub) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {
            **FILES,
            "students.csv": FILES["students.csv"].replace("N,alan", "X,alan"),
        }.items():
            archive.writestr(name, text)
    place = send(client, hub, {"roster.zip": packed.getvalue()}).headers["location"]
    planned = client.post(place, data={"form": form_of(client.get(place).text), "act": "plan"})
    assert "students.csv row 3" in planned.text


def test_files_of_another_district_would_be_held_and_the_page_says_so(client: httpx.Client, hub: Hub) -> None:
    hub.sync(FILES)
    other = dict(FILES)
    for name in ("emmy", "alan", "katherine"):
        other = {file: text.replace(name, f"other-{name}") for file, text in other.items()}
    other["students.csv"] = (
        other["students.csv"].replace("Emmy", "Ida").replace("Alan", "Ken").replace("Katherine", "Joe")
    )
    place = send(client, hub, other).headers["location"]
    planned = client.post(place, data={"form": form_of(client.get(place).text), "act": "plan"})
    assert "A sync would be held" in planned.text
    assert "these may be the files of another district" in planned.text


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"students.xlsx": b"PK"}, "students.xlsx is a spreadsheet; save each sheet as a CSV file"),
        ({"students.exe": b"MZ"}, "expected CSV files such as students.csv, or one zip file"),
        ({".hidden.csv": b"x"}, "expected CSV files"),
        ({"": b"x"}, "choose the files of the district"),
    ],
)
def test_a_file_of_the_wrong_type_is_named(
    client: httpx.Client, hub: Hub, files: dict[str, bytes], said: str
) -> None:
    refused = send(client, hub, files)
    assert refused.status_code == 400
    assert said in refused.text
    assert lying(hub) == []


def test_a_file_cannot_leave_its_folder(client: httpx.Client, hub: Hub) -> None:
    sent = send(client, hub, {"../../../escaped.csv": b"a,b\n", "..\\..\\other.csv": b"a\n"})
    assert sent.status_code == 303
    found = lying(hub)
    assert [path.name for path in found] == ["escaped.csv", "other.csv"]
    assert len({path.parent for path in found}) == 1
    assert not list(hub.folder.glob("escaped.csv"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in found)
    for name in ("%2e%2e", "0" * 16):
        assert client.get(f"{at(hub, 'upload')}/{name}").status_code == 404


def test_an_upload_that_was_cut_off_leaves_nothing(client: httpx.Client, hub: Hub) -> None:
    path = at(hub, "upload")
    form = form_of(client.get(path).text)
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="form"\r\n\r\n{form}\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="files"; filename="students.csv"\r\n\r\nSchool_id,Student'
    )
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    refused = client.post(path, content=body.encode(), headers=kind)
    assert refused.status_code == 400
    assert "The upload was cut off before its end" in refused.text
    assert client.post(path, content=b"nonsense", headers=kind).status_code == 400
    assert client.post(path, data={"form": form}).status_code == 400
    assert lying(hub) == []


def test_a_form_of_too_many_fields_leaves_nothing(client: httpx.Client, hub: Hub) -> None:
    refused = send(client, hub, FILES, **{f"field {number}": "x" for number in range(60)})
    assert refused.status_code == 400
    assert "expected at most 40" in refused.text
    assert lying(hub) == []


def test_an_upload_leaves_some_of_the_disk_free(
    client: httpx.Client, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploaded_files, "FREE_BYTES_MIN", 2**62)
    refused = send(client, hub, FILES)
    assert refused.status_code == 503
    assert "The disk of the server is nearly full" in refused.text
    assert lying(hub) == []


def test_an_upload_without_our_form_or_by_a_stranger_leaves_nothing(client: httpx.Client, hub: Hub) -> None:
    path = at(hub, "upload")
    client.get(path)
    files = [("files", ("students.csv", b"a\n"))]
    assert client.post(path, data={"form": "guessed"}, files=files).status_code == 403
    other = hub.beside("Other Unified")
    assert client.post(at(other, "upload"), data={"form": "x"}, files=files).status_code == 404
    with signed_in(hub, "help desk") as desk:
        assert desk.post(path, data={"form": "x"}, files=files).status_code == 403
    client.cookies.clear()
    assert client.post(path, data={"form": "x"}, files=files).status_code == 303
    assert lying(hub) == []


def test_old_uploads_are_deleted_and_then_said_to_be_gone(client: httpx.Client, hub: Hub) -> None:
    place = send(client, hub, FILES).headers["location"]
    folder = lying(hub)[0].parent

    os.utime(folder, (0, 0))
    send(client, hub, FILES)
    assert not folder.exists()
    gone = client.get(place)
    assert gone.status_code == 404
    assert "upload them again" in gone.text


def test_uploads_lie_in_the_folder_of_the_setting_and_a_useless_one_is_told(hub: Hub, tmp_path: Path) -> None:
    settings = replace(hub.settings, upload_folder=str(tmp_path / "elsewhere"))
    place = uploads.new(settings, hub.district)
    assert place.is_relative_to(tmp_path / "elsewhere")
    world.write(place, {**FILES, "schools.csv": ""})
    assert uploads.lying(settings, hub.district, place.name).files.keys() == FILES.keys()
    done = uploads.plan(hub.database, settings, hub.district.id, place.name)
    assert (done.state, done.number, [each.file for each in done.problems]) == (
        "failed",
        None,
        ["schools.csv"],
    )


def test_only_the_upload_page_may_take_more_than_a_usual_body() -> None:
    settings = Settings()
    assert body_bytes_max(settings, b"/console/d/oak-1/upload") == settings.upload_bytes_max
    for url in (
        b"/console/d/oak-1/upload/x",
        b"/console/d/a/b/upload",
        b"/v3.0/upload",
        b"/console/d/a?x/upload",
    ):
        assert body_bytes_max(settings, url) == settings.body_bytes_max
