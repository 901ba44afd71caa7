"""Local copies: made by a full pull, kept up to date by events, and read again if the events do not reach
back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from rollbook.client import (
    KINDS,
    BadArgument,
    Client,
    Forbidden,
    LocalCopy,
    MemoryCopy,
    School,
    Section,
    SqliteCopy,
    Unauthorized,
    User,
)
from rollbook.client.local_copies import State
from rollbook.demo import published
from tests.client.asking import BOTH, Asking
from tests.clone import stub
from tests.clone.stub import Reply, Stub
from tests.journeys import program
from tests.journeys.program import Server

TOKEN = published.DISTRICT_TOKEN
FORMS = ("memory", "sqlite")


@dataclass(frozen=True)
class Copies:
    """Copies made by one of the clients before a night: of all kinds, of users alone, and one whose last
    event has expired."""

    ask: Asking
    whole: LocalCopy
    users: LocalCopy
    lost: LocalCopy


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with program.serving("demo", "--students", "60", folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


@pytest.fixture(scope="module")
def copies_before(demo: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Copies]]:
    """Copies by both clients, in memory and in files, made before a night."""
    folder, made = tmp_path_factory.mktemp("copies"), {}
    with ExitStack() as stack:
        for (name, ask), form in product(BOTH.items(), FORMS):
            files = (folder / f"{name}-{number}.db" for number in range(3))
            new = [
                MemoryCopy() if form == "memory" else stack.enter_context(SqliteCopy(file)) for file in files
            ]
            made[f"{name}-{form}"] = Copies(ask, *new)
            for copy, kinds in zip(new, (KINDS, (User,), KINDS), strict=True):
                assert ask(demo.base, TOKEN, "update", copy, kinds).how == "pull"
            assert ask(demo.base, TOKEN, "update", new[0]).how == "events"
            assert whole(new[0]) == pulled(demo)
            moved(new[2], last_event="5f" * 12)
        advance(demo, scenario="student-changes-school")
        yield made


@pytest.fixture(params=[f"{name}-{form}" for name, form in product(BOTH, FORMS)])
def copies(request: pytest.FixtureRequest, copies_before: dict[str, Copies]) -> Copies:
    return copies_before[request.param]


@pytest.fixture(params=BOTH)
def ask(request: pytest.FixtureRequest) -> Asking:
    return BOTH[request.param]


@pytest.fixture(params=FORMS)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalCopy]:
    if request.param == "memory":
        yield MemoryCopy()
        return
    with SqliteCopy(tmp_path / "copy.db") as opened:
        yield opened


def advance(demo: Server, **target: Any) -> None:
    answer = httpx.post(
        f"{demo.base}/demo/advance", json=target, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60
    )
    assert answer.status_code == 200, answer.text


def whole(copy: LocalCopy) -> dict[str, list[Any]]:
    return {kind.KIND: [*copy.all(kind)] for kind in KINDS}


def pulled(demo: Server) -> dict[str, list[Any]]:
    with Client(demo.base, TOKEN) as client:
        return {kind.KIND: [*client.records(kind)] for kind in KINDS}


def moved(copy: LocalCopy, **changed: Any) -> None:
    """Let the copy stand elsewhere."""
    assert copy.state
    copy.state = msgspec.structs.replace(copy.state, **changed)


def test_a_copy_follows_a_night_by_events_and_is_what_a_full_pull_reads(demo: Server, copies: Copies) -> None:
    update = copies.ask(demo.base, TOKEN, "update", copies.whole)
    assert update.how == "events"
    assert update.count > 0
    assert whole(copies.whole) == pulled(demo)
    someone = next(copies.whole.all(User))
    assert copies.whole.get(User, someone.id) == someone
    assert copies.whole.get(User, "5f" * 12) is None
    assert copies.whole.count(User) == len(whole(copies.whole)["users"])


def test_events_that_are_lost_are_made_good_by_the_difference_to_the_snapshot(
    demo: Server, copies: Copies
) -> None:
    assert copies.ask(demo.base, TOKEN, "update", copies.lost).how == "difference"
    assert whole(copies.lost) == pulled(demo)
    assert copies.ask(demo.base, TOKEN, "update", copies.lost).how == "events"


def test_a_copy_holds_the_kinds_that_were_asked_for(demo: Server, copies: Copies) -> None:
    assert copies.users.count(School) == 0
    update = copies.ask(demo.base, TOKEN, "update", copies.users)
    events = copies.ask(demo.base, TOKEN, "events")
    assert update.how == "events"
    assert 0 < update.count == sum(event.kind == "users" for event in events) < len(events)
    assert [*copies.users.all(User)] == pulled(demo)["users"]
    assert copies.ask(demo.base, TOKEN, "update", copies.users, [User, School]).how == "pull"
    assert copies.users.count(School) > 0


@pytest.mark.usefixtures("copies_before")
def test_records_and_events_are_typed_and_lead_to_one_another(demo: Server, ask: Asking) -> None:
    event = ask(demo.base, TOKEN, "events", record_type=("users",))[-1]
    assert event.type == f"{event.kind}.{event.verb}" == "users.updated"
    assert event.previous
    student = event.record
    assert isinstance(student, User)
    assert ask(demo.base, TOKEN, "newest_event") >= event.id
    assert ask(demo.base, TOKEN, "events", event.id, record_type=("users",)) == []
    assert student.roles
    assert student.roles.student
    assert student.roles.student.school
    assert (
        ask(demo.base, TOKEN, "record", User, student.id).roles.student.school == student.roles.student.school
    )
    sections = ask(demo.base, TOKEN, "related", student, "sections", Section)
    assert {student.roles.student.school} >= {section.school for section in sections}
    assert ask(demo.base, TOKEN, "related_one", sections[0], "school", School).id == sections[0].school
    teachers = ask(demo.base, TOKEN, "records", User, role="teacher")
    assert all(user.roles.teacher for user in teachers)
    assert ask(demo.base, TOKEN, "count", User, role="teacher") == len(teachers)


def test_a_copy_whose_events_and_snapshot_are_lost_is_read_anew(demo: Server, ask: Asking) -> None:
    for lost in (
        {"last_event": "5f" * 12, "snapshot": "1-00000000"},
        {"last_event": "", "snapshot": "", "asked": 0.0},
    ):
        copy = MemoryCopy()
        ask(demo.base, TOKEN, "update", copy)
        moved(copy, **lost)
        assert ask(demo.base, TOKEN, "update", copy).how == "pull"
        assert whole(copy) == pulled(demo)


@pytest.mark.usefixtures("copies_before")
def test_a_feed_with_events_of_other_kinds_alone_is_in_use(demo: Server, ask: Asking) -> None:
    copy = MemoryCopy()
    ask(demo.base, TOKEN, "update", copy, [School])
    moved(copy, last_event="", snapshot="1-00000000")
    update = ask(demo.base, TOKEN, "update", copy)
    assert (update.how, update.count) == ("events", 0)
    assert copy.state
    assert copy.state.last_event == ask(demo.base, TOKEN, "newest_event")


def test_a_copy_of_another_district_is_refused(demo: Server, ask: Asking, copy: LocalCopy) -> None:
    ask(demo.base, TOKEN, "update", copy)
    before = whole(copy)
    with pytest.raises(
        BadArgument, match=r"the copy is of the district .* give each district a copy of its own"
    ):
        ask(demo.base, published.SECOND_TOKEN, "update", copy)
    assert whole(copy) == before


# --- servers that have no events, or fail


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub.serving(stub.springfield()) as opened:
        yield opened


def test_a_server_whose_feed_stays_empty_is_read_anew_after_each_sync(server: Stub, copy: LocalCopy) -> None:
    with Client(server.address, stub.TOKEN) as client:
        assert (client.update(copy).how, client.update(copy).how) == ("pull", "events")
        server.put("districts", {"id": stub.DISTRICT, "last_sync": "2026-11-02T06:00:00.000Z"})
        server.put("users", {"id": stub.id_of(20)})
        assert client.update(copy).how == "pull"
    assert copy.get(User, stub.id_of(20))


@pytest.mark.parametrize("trouble", [Reply(403), Reply(401)])
def test_a_pull_that_fails_leaves_the_copy_before(
    server: Stub, ask: Asking, copy: LocalCopy, trouble: Reply
) -> None:
    ask(server.address, stub.TOKEN, "update", copy)
    before, state = whole(copy), copy.state
    server.answer = lambda _, path: trouble if path.startswith("/v3.0/sections") else None
    with pytest.raises((Forbidden, Unauthorized)):
        ask(server.address, stub.TOKEN, "pull", copy)
    assert (whole(copy), copy.state) == (before, state)
    server.answer = lambda *_: None
    assert ask(server.address, stub.TOKEN, "pull", copy).count == 15


# --- files


def test_a_file_keeps_its_copy_and_others_read_it(server: Stub, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with SqliteCopy(file) as copy, Client(server.address, stub.TOKEN) as client:
        client.update(copy)
        # No other user of the machine reads it.
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    with SqliteCopy(file) as again:
        assert isinstance(again.state, State)
        assert again.count(User) == 8
    found = sqlite3.connect(file).execute(
        "SELECT count(*), min(body ->> '$.id') FROM records WHERE kind = 'users'"
    )
    assert found.fetchone() == (8, stub.id_of(10))


def test_a_file_of_another_kind_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("no database at all, but long enough to be looked at " * 20)
    made = sqlite3.connect(other)
    made.execute("CREATE TABLE accounts (name TEXT)")
    made.close()
    before = (text.read_bytes(), other.read_bytes())
    for file, said in (
        (text, "cannot be used as a copy"),
        (other, "another program"),
        (tmp_path, "cannot be used"),
    ):
        with pytest.raises(BadArgument, match=said):
            SqliteCopy(file)
    assert (text.read_bytes(), other.read_bytes()) == before
