"""Catching up over HTTP: the full difference since a snapshot, page by page, beside requests that never wait
for it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.settings import Settings
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import catchup
from rollbook.web.app import App
from tests.store.commits import Feed, Json, feed, id_, school

SNAPSHOT = "x-rollbook-snapshot"


class Reader:
    """A client of a feed's server, and the server, which can be restarted over the same files."""

    def __init__(self, store: Feed) -> None:
        self.store = store
        _, _, self.token = store.application()
        self.start(store.database)

    def start(self, database: Database) -> None:
        self.app = App(database, Settings(rate_limit=0), limits=self.store.folder / "limits")
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://rollbook.test",
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def get(self, uri: str) -> httpx.Response:
        return asyncio.run(self.client.get(uri))

    def snapshot(self) -> str:
        return self.get("/v3.0/schools").headers[SNAPSHOT]

    def pull(self, uri: str) -> list[Json]:
        """The events of a list by following `next`."""
        found: list[Json] = []
        following: str | None = uri
        while following:
            page: dict[str, Any] = self.get(following).raise_for_status().json()
            found += [element["data"] for element in page["data"]]
            following = next((link["uri"] for link in page["links"] if link["rel"] == "next"), None)
        return found


@pytest.fixture
def reader(database: Database, tmp_path: Path) -> Iterator[Reader]:
    made = Reader(feed(database, tmp_path))
    yield made
    made.app.close()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many differences were computed."""
    made: list[int] = []
    plain: Callable[..., catchup.Difference] = catchup._difference

    def counting(*given: Any) -> catchup.Difference:
        made.append(1)
        return plain(*given)

    monkeypatch.setattr(catchup, "_difference", counting)
    return made


def begin(store: Feed, size: int) -> None:
    store.commit(*(("created", "schools", school(number)) for number in range(size)))


def move(store: Feed, size: int) -> None:
    """Change half of the schools, delete the other half, and add half as many new ones."""
    store.commit(
        *(("updated", "schools", school(number, "Birch")) for number in range(size // 2)),
        *(("deleted", "schools", school(number)) for number in range(size // 2, size)),
        *(("created", "schools", school(number)) for number in range(size, size + size // 2)),
    )


@pytest.mark.parametrize("limit", [1, 3, 10_000])
def test_pages_of_any_size_make_up_the_difference(reader: Reader, limit: int) -> None:
    begin(reader.store, 10)
    since = reader.snapshot()
    move(reader.store, 10)
    found = reader.pull(f"/v3.0/events?since_snapshot={since}&limit={limit}")
    of = [
        (event["type"], event["data"]["object"]["id"])
        for event in found
        if event["type"].startswith("schools")
    ]
    assert of == [
        *(("schools.created", id_(number)) for number in range(10, 15)),
        *(("schools.updated", id_(number)) for number in range(5)),
        *(("schools.deleted", id_(number)) for number in range(5, 10)),
    ]
    ids = [event["id"] for event in found]
    assert ids == sorted(set(ids))


def test_a_difference_is_worked_out_once_for_all_of_its_pages(reader: Reader, counted: list[int]) -> None:
    begin(reader.store, 20)
    since = reader.snapshot()
    move(reader.store, 20)
    reader.pull(f"/v3.0/events?since_snapshot={since}&limit=2")
    reader.pull(f"/v3.0/events?since_snapshot={since}&limit=3")
    assert sum(counted) == 1
    reader.store.commit(("deleted", "schools", school(25)))
    assert reader.pull(f"/v3.0/events?since_snapshot={since}&limit=7")
    assert sum(counted) == 2


def test_a_difference_that_was_forgotten_is_worked_out_anew(
    reader: Reader, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "REMEMBERED_RECORDS_MAX", 1)
    begin(reader.store, 4)
    first = reader.snapshot()
    move(reader.store, 4)
    second = reader.snapshot()
    reader.store.commit(("deleted", "schools", school(5)))
    before = reader.pull(f"/v3.0/events?since_snapshot={first}")
    reader.pull(f"/v3.0/events?since_snapshot={second}")
    assert reader.pull(f"/v3.0/events?since_snapshot={first}") == before
    assert sum(counted) == 3


def test_a_page_is_read_where_no_other_request_waits_for_it(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(reader.store, 4)
    since = reader.snapshot()
    move(reader.store, 4)
    in_loop: list[bool] = []
    plain = catchup.page

    def looking(*given: Any) -> Any:
        try:
            asyncio.get_running_loop()
            in_loop.append(True)
        except RuntimeError:
            in_loop.append(False)
        return plain(*given)

    monkeypatch.setattr(catchup, "page", looking)
    reader.pull(f"/v3.0/events?since_snapshot={since}&limit=2")
    assert len(in_loop) > 1
    assert not any(in_loop)


@pytest.mark.parametrize(
    "name", ["since_snapshot", "since%5Fsnapshot", "since_snapshot[]", "%73ince_snapshot"]
)
def test_a_difference_is_known_however_its_parameter_is_written(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begin(reader.store, 2)
    since = reader.snapshot()
    threads: list[threading.Thread] = []
    plain = catchup.page

    def looking(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return plain(*given)

    monkeypatch.setattr(catchup, "page", looking)
    assert reader.get(f"/v3.0/events?{name}={since}").status_code == 200
    assert threads[0] is not threading.main_thread()


def test_a_page_looks_at_no_more_records_than_its_bound(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "LOOKED_MAX", 3)
    begin(reader.store, 2)
    since = reader.snapshot()
    made = [
        ("created", "sections", {"id": id_(70 + number), "school": id_(number == 9)}) for number in range(10)
    ]
    reader.store.commit(*made)
    uri = f"/v3.0/events?since_snapshot={since}&school={id_(1)}"
    assert reader.get(uri).json()["data"] == []
    assert [event["data"]["object"]["id"] for event in reader.pull(uri)] == [id_(79)]


def test_filters_hold_for_a_difference_too(reader: Reader) -> None:
    begin(reader.store, 2)
    since = reader.snapshot()
    reader.store.commit(
        ("updated", "schools", school(0, "Birch")),
        ("created", "sections", {"id": id_(70), "school": id_(0)}),
        ("created", "sections", {"id": id_(71), "school": id_(1)}),
    )
    uri = f"/v3.0/events?since_snapshot={since}"
    assert [event["data"]["object"]["id"] for event in reader.pull(f"{uri}&record_type=sections")] == [
        id_(70),
        id_(71),
    ]
    assert {event["data"]["object"]["id"] for event in reader.pull(f"{uri}&school={id_(1)}")} == {id_(71)}
    refused = reader.get(f"{uri}&ending_before=last")
    assert (refused.status_code, refused.json()["message"].partition(":")[0]) == (400, "ending_before")


def test_a_snapshot_that_has_another_form_is_refused(reader: Reader) -> None:
    for text in ("x", "1-", "1-xyz", "-1", "1" * 10, "1-0badcafe0"):
        refused = reader.get(f"/v3.0/events?since_snapshot={text}")
        assert refused.status_code == 400, text
        assert refused.json()["message"].startswith("since_snapshot: expected")


# --- a database that was restored from a backup -----------------------------------------------------------------------------


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[tuple[Reader, str, str]]:
    """A reader whose server lost a run and made another one with its number; with the lost snapshot and
    ETag."""
    path, saved = tmp_path / "rollbook.db", tmp_path / "saved.db"
    with closing(open_database(str(path))) as database:
        migrate(database)
        reader = Reader(feed(database, tmp_path))
        begin(reader.store, 4)
        database.settle()
        shutil.copy(path, saved)
        reader.store.commit(("updated", "schools", school(0, "Lost")))
        answer = reader.get("/v3.0/schools")
        lost, tag = answer.headers[SNAPSHOT], answer.headers["etag"]
    for name in ("rollbook.db", "rollbook.db-wal", "rollbook.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(saved, path)
    with closing(open_database(str(path))) as database:
        reader.store.database = database
        reader.store.commit(("updated", "schools", school(0, "Found")))
        reader.start(database)
        yield reader, lost, tag


def test_an_answer_of_a_lost_run_is_not_taken_for_one_of_today(restored: tuple[Reader, str, str]) -> None:
    reader, _, tag = restored
    answer = asyncio.run(reader.client.get("/v3.0/schools", headers={"If-None-Match": tag}))
    assert answer.status_code == 200
    assert "Found" in answer.text


def test_a_snapshot_of_a_lost_run_is_refused_in_words(restored: tuple[Reader, str, str]) -> None:
    reader, lost, _ = restored
    assert lost.partition("-")[0] == reader.snapshot().partition("-")[0]
    assert lost != reader.snapshot()
    refused = reader.get(f"/v3.0/events?since_snapshot={lost}")
    assert refused.status_code == 404
    assert "another history" in refused.json()["message"]
