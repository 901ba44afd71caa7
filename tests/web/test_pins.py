"""A pull never tears: all pages of one pull show one state, whatever is committed meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.contract.clever.query import Query
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from rollbook.store.records.reading import Reading, snapshot_of
from rollbook.sync import How
from rollbook.synthetic import writer
from rollbook.web.app import App
from rollbook.web.data.data_request import Request
from rollbook.web.data.pinned_pulls import PIN_SECONDS, Pins

STUDENTS = 60
LISTS = (
    "/v3.0/users",
    "/v3.0/users?role=student",
    "/v3.0/users?role=teacher",
    "/v3.0/users?role=staff",
    "/v3.0/sections",
    "/v3.0/schools",
)


class World:
    """A district that can be moved on by days, with its API."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.settings = setting_rows.read({}, rate_limit=0)
        self.district: District = districts.create(database, "Pinned")
        self.day(0)
        application, _ = applications.create(database, NewApplication("Reader"))
        view = sync.view_of(database, self.district, Spec(), self.settings)
        self.token = connections.connect(database, Sealer(folder / "key"), application, self.district, view)
        self.app = App(database, self.settings, limits=folder / "shared")

    def day(self, number: int) -> None:
        files = self.folder / f"day-{number}"
        if not files.exists():
            writer.write(files, students=STUDENTS, seed=3, day=number)
        district = districts.find(self.database, self.district.id)
        sync.run(self.database, district, files, self.settings, how=How(is_approved=True))

    def get(self, uri: str) -> dict[str, Any]:
        answer = self.answer(uri)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def answer(self, uri: str, tag: str = "") -> httpx.Response:
        api = self.app.data
        path, _, query = uri.partition("?")
        made = api.answer(Request("GET", path, query, f"Bearer {self.token}", tag, takes_gzip=False))
        return httpx.Response(made.status, headers=list(made.headers), content=made.body)

    def note(self, path: str, cursor: str, run: int) -> None:
        """Note that a pull continues at a cursor with the state after a run."""
        access = _access(self)
        with self.database.read() as transaction:
            name = snapshot_of(Reading(transaction, access), run)
        assert name
        self.app.data._pins.note(access, path, Query(), [("starting_after", cursor)], name)

    def restart(self) -> None:
        """Another server over the same files."""
        self.close()
        self.app = App(self.database, self.settings, limits=self.folder / "shared")

    def close(self) -> None:
        """Let go of the server's files."""
        self.app.close()

    def pull(
        self, uri: str, limit: int, between: Callable[[int], None] = lambda page: None
    ) -> list[dict[str, Any]]:
        """The whole list by following `next`; `between` is called after each page."""
        return self.follow(self.get(f"{uri}{'&' if '?' in uri else '?'}limit={limit}"), between)

    def follow(
        self, page: dict[str, Any], between: Callable[[int], None] = lambda page: None
    ) -> list[dict[str, Any]]:
        """A page and all pages that follow it."""
        found: list[dict[str, Any]] = page["data"]
        pages = 1
        between(pages)
        while uri := next((link["uri"] for link in page["links"] if link["rel"] == "next"), None):
            page = self.get(uri)
            found = found + page["data"]
            pages += 1
            between(pages)
        return found


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with closing(World(database, tmp_path)) as made:
        yield made


def test_pulls_show_the_state_they_began_with_although_syncs_commit(world: World) -> None:
    school = world.get("/v3.0/schools")["data"][0]["data"]["id"]
    lists = (*LISTS, f"/v3.0/schools/{school}/users", f"/v3.0/schools/{school}/sections")
    before = {uri: world.pull(uri, 10_000) for uri in lists}
    begun = {uri: world.get(f"{uri}{'&' if '?' in uri else '?'}limit=3") for uri in lists}
    for day in (400, 30):
        world.day(day)
    assert {uri: world.follow(page) for uri, page in begun.items()} == before
    assert world.pull("/v3.0/users", 3) != before["/v3.0/users"]


def test_a_pull_may_begin_between_two_syncs_and_go_on_after_more(world: World) -> None:
    world.day(400)
    before = world.pull("/v3.0/users", 10_000)
    days = iter((30, 401))
    assert (
        world.pull("/v3.0/users", 40, between=lambda page: world.day(next(days)) if page < 3 else None)
        == before
    )


def test_a_fresh_first_page_shows_the_new_state(world: World) -> None:
    first = world.get("/v3.0/users?limit=5")
    world.day(400)
    fresh = world.get("/v3.0/users?limit=5")
    whole = world.pull("/v3.0/users", 10_000)
    assert first["data"] != fresh["data"]
    assert whole[:5] == fresh["data"]


def test_pages_backwards_are_pinned(world: World) -> None:
    whole = world.pull("/v3.0/users", 10_000)
    page = world.get("/v3.0/users?limit=20&ending_before=last")
    world.day(400)
    found = page["data"]
    while previous := next((link["uri"] for link in page["links"] if link["rel"] == "prev"), None):
        page = world.get(previous)
        found = page["data"] + found
    assert whole == found


def test_nothing_on_the_wire_tells_a_pinned_page_from_a_plain_one(world: World) -> None:
    world.get("/v3.0/users?limit=5")
    cursor = world.get("/v3.0/users?limit=5")["data"][-1]["data"]["id"]
    uri = f"/v3.0/users?limit=5&starting_after={cursor}"
    plain = world.answer(uri)
    world.day(400)
    pinned = world.answer(uri)
    assert plain.content == pinned.content
    assert plain.headers == pinned.headers


def test_a_pin_ends_after_an_hour(tmp_path: Path, world: World) -> None:
    now = [1000.0]
    pins = Pins(tmp_path / "pins", clock=lambda: now[0])
    access = world.app.data._tokens.resolve
    with world.database.read() as transaction:
        reader = access(transaction, f"Bearer {world.token}")
    third = SnapshotName(3, "0badcafe")
    pins.note(reader, "/v3.0/users", Query(limit=5), [("starting_after", "x")], third)
    assert pins.snapshot(_reading(reader), "/v3.0/users", Query(limit=9, after="x")) == third
    others = (
        Query(after="y"),
        Query(before="x"),
        Query(),
        Query(after="x", role="student"),
        Query(after="x", primary=True),
    )
    assert not [query for query in others if pins.snapshot(_reading(reader), "/v3.0/users", query)]
    assert pins.snapshot(_reading(reader), "/v3.0/sections", Query(after="x")) is None
    now[0] += PIN_SECONDS
    assert pins.snapshot(_reading(reader), "/v3.0/users", Query(after="x")) is None


@given(limits=st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_pages_of_any_size_make_up_the_pinned_state(
    tmp_path_factory: pytest.TempPathFactory, limits: list[int]
) -> None:
    world, whole = _changed_world(tmp_path_factory)
    world.note("/v3.0/users", "0" * 24, run=1)
    found: list[dict[str, Any]] = []
    for turn in range(len(whole) + 1):
        after = found[-1]["data"]["id"] if found else "0" * 24
        page = world.get(f"/v3.0/users?limit={limits[turn % len(limits)]}&starting_after={after}")["data"]
        if not page:
            break
        found += page
    assert found == whole


_WORLDS: dict[str, tuple[World, list[dict[str, Any]]]] = {}


def _changed_world(factory: pytest.TempPathFactory) -> tuple[World, list[dict[str, Any]]]:
    """One district for all examples: its first state as pulled, and three more syncs after it."""
    if "made" not in _WORLDS:
        from_ = factory.mktemp("pinned")
        world = World(_sqlite(from_), from_)
        whole = world.pull("/v3.0/users", 10_000)
        for day in (30, 400, 401):
            world.day(day)
        _WORLDS["made"] = (world, whole)
    return _WORLDS["made"]


def _sqlite(folder: Path) -> Database:
    database = open_database(str(folder / "rollbook.db"))
    migrate(database)
    return database


def _next(page: dict[str, Any]) -> str:
    return str(next(link["uri"] for link in page["links"] if link["rel"] == "next"))


def _access(world: World) -> Any:
    with world.database.read() as transaction:
        return world.app.data._tokens.resolve(transaction, f"Bearer {world.token}")


@pytest.mark.parametrize("name", ["Reader", "Other"])
def test_a_connection_goes_on_with_no_pull_from_before_it_began(world: World, name: str) -> None:
    cursor = world.get("/v3.0/users?limit=5")["data"][-1]["data"]["id"]
    # On SQLite the number of an ended connection is given again.
    reader = applications.find(world.database, "Reader")
    connections.disconnect(world.database, reader, world.district)
    world.day(400)
    follower = reader if name == "Reader" else applications.create(world.database, NewApplication(name))[0]
    view = sync.view_of(world.database, world.district, Spec(), world.settings)
    world.token = connections.connect(
        world.database, Sealer(world.folder / "key"), follower, world.district, view
    )
    page = world.get(f"/v3.0/users?limit=5&starting_after={cursor}")
    assert (
        page["data"]
        == [each for each in world.pull("/v3.0/users", 10_000) if each["data"]["id"] > cursor][:5]
    )


def test_no_pull_goes_on_with_a_run_from_before_its_connection(tmp_path: Path, world: World) -> None:
    pins, reader = Pins(tmp_path / "pins"), _access(world)
    third = SnapshotName(3, "0badcafe")
    pins.note(reader, "/v3.0/users", Query(), [("starting_after", "x")], third)
    assert pins.snapshot(_reading(reader), "/v3.0/users", Query(after="x")) == third
    assert (
        pins.snapshot(_reading(replace(reader, connected_since=5)), "/v3.0/users", Query(after="x")) is None
    )


def test_each_token_and_connection_has_a_bucket_of_its_own(world: World) -> None:
    reader = _access(world)
    others = (
        replace(reader, client_id="another"),
        replace(reader, district_id="another"),
        replace(reader, holder="user", bucket_key=" of a token"),
    )
    assert len({access.bucket for access in (reader, *others)}) == 4
    # A number is given again.
    assert replace(reader, connection=reader.connection + 1).bucket == reader.bucket


def test_parameters_that_an_endpoint_does_not_know_make_no_pull_of_their_own(world: World) -> None:
    whole = world.pull("/v3.0/users?x=1", 10_000)
    cursor = world.get("/v3.0/users?limit=5&x=1")["data"][-1]["data"]["id"]
    world.day(400)
    pinned = world.get(f"/v3.0/users?limit=5&x=3&starting_after={cursor}")
    now = [each for each in world.pull("/v3.0/users?x=2", 10_000) if each["data"]["id"] > cursor]
    assert pinned["data"] == whole[5:10] != now[:5]


def test_a_list_that_is_not_there_is_not_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(world.app.data._pins, "note", lambda _access, path, *_: noted.append(path))
    school = world.get("/v3.0/schools")["data"][0]["data"]["id"]
    for id_ in (school, "f" * 24):
        world.answer(f"/v3.0/schools/{id_}/users")
    assert noted == ["/v3.0/schools", f"/v3.0/schools/{school}/users"]


def test_a_pull_goes_on_while_the_same_token_begins_the_list_again(world: World) -> None:
    before = world.pull("/v3.0/users", 10_000)
    first = world.get("/v3.0/users?limit=7")
    second = world.get(_next(first))
    world.day(400)
    after = world.pull("/v3.0/users", 10_000)
    again = world.get("/v3.0/users?limit=11")
    assert first["data"] + world.follow(second) == before
    assert world.follow(again) == after != before


def test_a_pull_survives_a_restart_of_the_server(world: World) -> None:
    before = world.pull("/v3.0/users", 10_000)
    page = world.get("/v3.0/users?limit=7")
    world.restart()
    world.day(400)
    world.restart()
    assert world.follow(page) == before


def test_a_page_that_a_client_has_already_goes_on_with_its_state(world: World) -> None:
    before = world.pull("/v3.0/users", 10_000)
    page = world.get("/v3.0/users?limit=7")
    tag = world.answer("/v3.0/users?limit=7").headers["etag"]
    (world.folder / "shared.pulls").unlink()
    world.restart()
    assert world.answer("/v3.0/users?limit=7", tag).status_code == 304
    world.day(400)
    assert world.follow(page) == before


def test_links_carry_nothing_of_our_own(world: World) -> None:
    page = world.get(_next(world.get("/v3.0/users?limit=7")))
    assert {
        part.partition("=")[0] for link in page["links"] for part in link["uri"].partition("?")[2].split("&")
    } == {
        "limit",
        "starting_after",
        "ending_before",
    }


def test_a_pull_that_began_before_runs_had_marks_goes_on(world: World) -> None:
    before = world.pull("/v3.0/users", 10_000)
    with world.database.write() as transaction:
        transaction.run("UPDATE syncs SET mark = ''")
    page = world.get("/v3.0/users?limit=7")
    world.day(400)
    assert world.follow(page) == before


def test_a_run_of_another_history_takes_no_pull_over(tmp_path: Path) -> None:
    world = World(_sqlite(tmp_path), tmp_path)
    saved = tmp_path / "saved.db"
    world.database.settle()
    shutil.copy(tmp_path / "rollbook.db", saved)
    world.day(400)
    page = world.get("/v3.0/users?limit=7")
    world.database.close()
    for name in ("rollbook.db", "rollbook.db-wal", "rollbook.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(saved, tmp_path / "rollbook.db")
    world.database = _sqlite(tmp_path)
    world.restart()
    world.day(30)
    world.day(401)
    now = [
        each
        for each in world.pull("/v3.0/users", 10_000)
        if each["data"]["id"] > page["data"][-1]["data"]["id"]
    ]
    assert world.follow(world.get(_next(page))) == now
    world.close()


def _reading(access: Access) -> Reading:
    """A reading of pins in a file, which ask no database."""
    return Reading(cast(Transaction, None), access)
