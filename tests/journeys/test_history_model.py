"""A district over many days against an oracle: after any files, repeats, holds, undos and crashes, state and
events agree.

Each test lives through a list of days; a day is a list of edits and an act of the office. After each step, the
records of two views are compared with the oracle's, the new events with the difference of the records, and
every earlier state with its versions.
"""

from __future__ import annotations

import copy
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.contract.clever.event_rows import DATES, previous_attributes, shown
from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.domain.access import SECURE_SYNC
from rollbook.domain.guard import GUARDED, Threshold
from rollbook.domain.kinds import KIND, ROLE
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts, thresholds
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, Row, Transaction, Values, open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import event_feed
from rollbook.sync import How
from tests.journeys.sis import EDITS, Json, Name, Sis, beginning, export, keep_somebody, predicted
from tests.store.stored import texts, texts_then
from tests.templates import Template

DAY = 86_400
# Far from the machine's clock, so that nothing depends on it.
START = 2_500_000_000.0
NAME = "Ash District"
ELL = (*SECURE_SYNC, "read:ell_status")
Id = tuple[str, str]
State = dict[Id, str]

_HEX = re.compile(r"[0-9a-f]{24}")
_NO_REFERENCES = ("id", "legacy_id", "district")


# A database that breaks ------------------------------------------------------------------------------------


class Broken(Exception):
    """A crash, as the code sees it."""


class Fragile:
    """A database whose writing fails at the n-th statement, or at the n-th row of one."""

    def __init__(self, database: Database, statements: int) -> None:
        self.is_local = database.is_local
        self._database = database
        self.left = statements

    def read(self) -> AbstractContextManager[Transaction]:
        return self._database.read()

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[Transaction]:
        with self._database.write(is_durable=is_durable) as transaction:
            yield FragileTransaction(transaction, self)
            self.step()

    def read_from(self, address: str) -> None:
        self._database.read_from(address)

    def alone(self, sql: str, values: Values = ()) -> list[Row]:
        return self._database.alone(sql, values)

    def without_waiting(self) -> AbstractContextManager[None]:
        return self._database.without_waiting()

    def settle(self) -> None:
        self._database.settle()

    def figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        """The database itself stays open."""

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Broken


class FragileTransaction:
    def __init__(self, transaction: Transaction, owner: Fragile) -> None:
        self.engine = transaction.engine
        self._connection, self._owner = transaction, owner

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self._connection.rows(sql, values)

    def row(self, sql: str, values: Values = ()) -> Row | None:
        return self._connection.row(sql, values)

    def remembered_row(self, sql: str, values: Values) -> Row | None:
        return self._connection.remembered_row(sql, values)

    def gives(self, sql: str, values: Values, row: Row) -> bool:
        return self._connection.gives(sql, values, row)

    def texts(self, sql: str, values: Values = ()) -> list[bytes]:
        return self._connection.texts(sql, values)

    def run(self, sql: str, values: Values = ()) -> None:
        self._owner.step()
        self._connection.run(sql, values)

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        def counted() -> Iterator[Row]:
            for at, row in enumerate(rows):
                if at % 8 == 4:
                    self._owner.step()
                yield row

        self._owner.step()
        self._connection.insert(table, columns, counted())

    def version(self) -> int | None:
        return self._connection.version()


# The machine -----------------------------------------------------------------------------------------------


class View:
    """One view with events: its records, its published events, and its known past."""

    def __init__(self, number: int, *, with_ell: bool) -> None:
        self.number, self.with_ell = number, with_ell
        self.state: State = {}
        self.seen = 0
        self.before_last: State = {}
        self.past: dict[int, State] = {}
        self.last_event = ""


class History:
    """A district under test: the real one in a database, the SIS that it must agree with, and all laws."""

    def __init__(self, database: Database, folder: Path) -> None:
        migrate(database)
        self.database, self.folder = database, folder
        made = setting_rows.read({}, database="unused", key_file=str(folder / "key"))
        self.settings = replace(made, event_days=100_000, history_days=100_000)
        self.first: District = districts.create(database, NAME)
        self.views = [self._connect("plain", SECURE_SYNC), self._connect("with ell", ELL)]
        # Each kind is held at once, unless the sync is approved beforehand.
        for kind in GUARDED:
            thresholds.write(database, self.first, kind, Threshold(updated=1, deleted=0))
        self.moment = START
        self.sis, self.sent, self.in_force, self.in_force_before = beginning(), Sis(), Sis(), Sis()
        self.ids: dict[Name, str] = {}
        self.forgotten: dict[Name, set[str]] = {}
        self.look(lambda: None)

    def _connect(self, name: str, scopes: tuple[str, ...]) -> View:
        view = sync.view_of(
            self.database, self.first, Spec(scopes, sensitive=tuple(SENSITIVE_FIELDS)), self.settings
        )
        application, _ = applications.create(self.database, NewApplication(name))
        connections.connect(self.database, Sealer(key_path(self.settings)), application, self.first, view)
        event_feed.switch(self.database, application.number, on=True)
        return View(view.number, with_ell=scopes == ELL)

    @property
    def district(self) -> District:
        return districts.find(self.database, self.first.id)

    # What the office does

    def edit(self, edits: list[tuple[int, int, int, int]]) -> None:
        for which, *numbers in edits:
            EDITS[which % len(EDITS)](self.sis, (numbers[0], numbers[1], numbers[2]))
        keep_somebody(self.sis)

    def run(self, database: Database | None = None, **how: Any) -> str:
        files = export(self.sent, self.folder / "files")
        return sync.run(
            database or self.database, self.first, files, self.settings, how=How(moment=self.moment, **how)
        ).state

    def sync(self, number: int) -> None:
        self.moment += DAY
        self.sent = copy.deepcopy(self.sis)
        self.look(self.commit)

    def repeat(self, number: int) -> None:
        """The same files again, perhaps with rows in another order."""
        self.moment += 60
        if self.district.snapshot and self.sent == self.in_force:
            for list_ in (self.sent.schools, self.sent.students, self.sent.sections):
                items = list(list_.items())
                list_.clear()
                list_.update(items[number % len(items) :] + items[: number % len(items)])
            before = [view.state for view in self.views]
            self.look(self.commit)
            assert [_without_district(state) for state in before] == [
                _without_district(view.state) for view in self.views
            ]

    def commit(self) -> None:
        snapshot = self.district.snapshot
        assert self.run(is_approved=True, name=NAME) == "committed"
        # A sync that found the same files did no work: an undo takes back the one before.
        if self.district.snapshot != snapshot:
            self.now_in_force(self.sent)

    def now_in_force(self, sis: Sis) -> None:
        self.in_force_before, self.in_force = self.in_force, copy.deepcopy(sis)
        for view in self.views:
            view.before_last = view.state

    def clock_back(self, number: int) -> None:
        self.moment -= 3 * DAY
        self.sync(number)

    def long_break(self, number: int) -> None:
        """All deleted keys are forgotten."""
        self.moment += 340 * DAY
        self.sent = copy.deepcopy(self.sis)
        there = set(self.names())
        for name in set(self.ids) - there:
            self.forgotten.setdefault(name, set()).add(self.ids.pop(name))
        self.look(self.commit)

    def undo(self, number: int) -> None:
        if not self.district.snapshot:
            return
        wanted = [view.before_last for view in self.views]
        self.in_force, self.in_force_before = self.in_force_before, self.in_force
        for view in self.views:
            view.before_last = view.state
        approved = How(is_approved=True, name=NAME)
        self.look(lambda: sync.undo(self.database, self.first, self.settings, approved))
        for view, old in zip(self.views, wanted, strict=True):
            assert _comparable(_without_district(old)) == _comparable(_without_district(view.state))

    def undo_twice(self, number: int) -> None:
        before = [_comparable(_without_district(view.state)) for view in self.views]
        self.undo(number)
        self.undo(number)
        assert before == [_comparable(_without_district(view.state)) for view in self.views]

    def hold(self, number: int) -> None:
        """Send files; if they are held, approve them days later, discard them, or send other files."""
        self.moment += DAY
        self.sent = copy.deepcopy(self.sis)
        before = [_without_district(view.state) for view in self.views]
        found: list[str] = []

        def run() -> None:
            found.append(self.run())
            if found == ["committed"]:
                self.now_in_force(self.sent)

        self.look(run)
        if found == ["held"]:
            assert before == [_without_district(view.state) for view in self.views]
            (self.approve, self.discard, self.repeat)[number % 3](number)

    def approve(self, number: int) -> None:
        def run() -> None:
            sync.approve(
                self.database, self.first, self.settings, name=NAME, how=How(moment=self.moment + 5 * DAY)
            )
            self.now_in_force(self.sent)

        self.moment += DAY
        self.look(run)

    def discard(self, number: int) -> None:
        self.look(lambda: sync.discard(self.database, self.first))
        self.sent = copy.deepcopy(self.in_force)

    def plan(self, number: int) -> None:
        self.sent = copy.deepcopy(self.sis)
        before = self.everything()
        self.run(is_plan=True)
        assert before == self.everything()
        self.sent = copy.deepcopy(self.in_force)

    def crash(self, number: int) -> None:
        """Fail anywhere: everything is as before, except ids that no record gets.

        Then the same files go in.
        """
        self.moment += DAY
        self.sent = copy.deepcopy(self.sis)
        before = self.everything()

        def run() -> None:
            try:
                self.run(Fragile(self.database, number % 60), is_approved=True, name=NAME)
            except Broken:
                assert before == self.everything()
                self.commit()
            else:
                self.now_in_force(self.sent)

        self.look(run)

    # What must hold

    def everything(self) -> list[list[Row]]:
        tables = ("districts", "syncs", "views", "records", "versions", "events", "snapshots", "credentials")
        with self.database.read() as transaction:
            return [sorted(transaction.rows(f"SELECT * FROM {table}"), key=repr) for table in tables]

    def names(self) -> dict[Name, str]:
        """The id of every record except users with several roles, whose id may change."""
        state = self.views[0].state
        named = {id_: name for name, id_ in _names(state).items()}
        return {name: id_ for id_, name in named.items() if name[0] != "users" or len(name[1]) == 1}

    def look(self, step: Callable[[], object]) -> None:
        """Take a step, and compare all visible state before and after it."""
        for view in self.views:
            view.state = self.read(view)
        befores = [dict(view.state) for view in self.views]
        step()
        with self.database.read() as transaction:
            head = districts.reread(transaction, self.first).head
        for view, before in zip(self.views, befores, strict=True):
            view.state = self.read(view)
            check_events(before, view.state, self.new_events(view))
            check_state(view.state)
            assert predicted(self.in_force, with_ell=view.with_ell) == _named(view.state)
            self.check_lists(view)
            view.past[head] = view.state
            for number, state in view.past.items():
                assert state == self.read_past(view, number), number
        self.check_ids()

    def check_ids(self) -> None:
        """A key keeps its id while it is used, and gets it back within 300 days.

        A term or course gets a new one.
        """
        there = self.names()
        for name, id_ in there.items():
            if not any(role in ("teacher", "staff", "district_admin") for role, _ in _roles(name)):
                assert self.ids.get(name, id_) == id_, name
                assert id_ not in self.forgotten.get(name, ()), name
        gone = {name for name in self.ids if name not in there and name[0] in ("terms", "courses")}
        self.ids = {name: id_ for name, id_ in {**self.ids, **there}.items() if name not in gone}

    def read(self, view: View) -> State:
        with self.database.read() as transaction:
            found = texts(transaction, view.number)
        for kind, _, body, roles in found:
            if kind == "users":
                assert roles == sum(ROLE[role].bit for role in orjson.loads(body)["roles"])
        return {(kind, id_): body for kind, id_, body, _ in found if kind in KIND}

    def read_past(self, view: View, number: int) -> State:
        with self.database.read() as transaction:
            found = texts_then(transaction, view.number, number)
        past = [((kind, id_), body) for kind, id_, body, _ in found if kind in KIND]
        assert len(past) == len(dict(past))
        return dict(past)

    def check_lists(self, view: View) -> None:
        """The stored lists of related ids agree with the records."""
        expected: dict[Id, set[str]] = {}
        for (kind, id_), body in view.state.items():
            record = orjson.loads(body)
            if kind == "sections":
                for list_, owners in (("students", record["students"]), ("teachers", record["teachers"])):
                    for owner in owners:
                        expected.setdefault((f"{list_}.sections", owner), set()).add(id_)
                for list_, field_ in (("schools", "school"), ("terms", "term_id"), ("courses", "course")):
                    if field_ in record:
                        expected.setdefault((f"{list_}.sections", record[field_]), set()).add(id_)
            for relationship in record.get("roles", {}).get("contact", {}).get("student_relationships", ()):
                expected.setdefault(("students.contacts", relationship["student"]), set()).add(id_)
            for role, source in (("student", "students"), ("teacher", "teachers"), ("staff", "staff")):
                for school in record.get("roles", {}).get(role, {}).get("schools", ()):
                    expected.setdefault((f"schools.{source}", school), set()).add(id_)
        with self.database.read() as transaction:
            rows = texts(transaction, view.number)
        kinds = {kind for kind, _ in expected}
        found = {(kind, id_): body for kind, id_, body, _ in rows if kind in kinds}
        assert {place: "".join(sorted(ids)) for place, ids in expected.items()} == found

    def new_events(self, view: View) -> list[Json]:
        with self.database.read() as transaction:
            rows = transaction.rows(
                "SELECT id, body FROM events WHERE view = ? AND id > ? ORDER BY id",
                (view.number, view.last_event),
            )
            total = transaction.row(
                "SELECT count(*) FROM events WHERE view = ? AND id <= ?", (view.number, view.last_event)
            )
        assert total == (view.seen,)
        view.seen += len(rows)
        view.last_event = rows[-1][0] if rows else view.last_event
        return [orjson.loads(body) for _, body in rows]


def check_events(before: State, after: State, published: list[Json]) -> None:
    """The events are the difference, each once.

    None names a missing record; replayed, they give the new state.
    """
    old, new = _shown(before), _shown(after)
    expected: dict[tuple[str, str], Json] = {}
    for place in {**old, **new}:
        kind, id_ = place
        if place not in old:
            expected[f"{kind}.created", id_] = {"object": new[place]}
        elif place not in new:
            expected[f"{kind}.deleted", id_] = {"object": old[place]}
        elif before[place] != after[place]:
            changes = previous_attributes(old[place], new[place])
            assert changes, place
            expected[f"{kind}.updated", id_] = {"object": new[place], "previous_attributes": changes}
    found = [(event["type"], event["data"]["object"]["id"]) for event in published]
    assert len(found) == len(set(found))
    assert expected == {(event["type"], event["data"]["object"]["id"]): event["data"] for event in published}
    there = {id_ for _, id_ in old}
    replayed = dict(old)
    for event in published:
        object_ = event["data"]["object"]
        kind, _, verb = event["type"].partition(".")
        assert set(references(object_)) <= there, event
        if verb == "created":
            there.add(object_["id"])
        if verb == "deleted":
            there.remove(object_["id"])
            del replayed[kind, object_["id"]]
        else:
            replayed[kind, object_["id"]] = object_
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(int(event["id"][:8], 16)))
        assert moment == event["created"]
    assert new == replayed


def check_state(state: State) -> None:
    there = {id_ for _, id_ in state}
    for (kind, id_), body in state.items():
        assert "null" not in body
        missing = set(references(orjson.loads(body))) - there
        assert not missing, (kind, id_, missing)


def references(value: Any, name: str = "") -> Iterator[str]:
    """Every id of another record in a record."""
    if isinstance(value, dict):
        for inner_name, inner in value.items():
            yield from references(inner, inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner, name)
    elif isinstance(value, str) and name not in _NO_REFERENCES and _HEX.fullmatch(value):
        yield value


def _shown(state: State) -> dict[Id, Json]:
    return {(kind, id_): shown(kind, orjson.loads(body)) for (kind, id_), body in state.items()}


def _without_district(state: State) -> State:
    return {place: body for place, body in state.items() if place[0] != "districts"}


def _comparable(state: State) -> dict[Id, Json]:
    """A state with the times at which its records were last modified cut off."""
    return {
        place: {
            name: value
            for name, value in orjson.loads(body).items()
            if name not in ("last_modified", "updated")
        }
        for place, body in state.items()
    }


def _roles(name: Name) -> Iterable[tuple[str, str]]:
    return name[1] if name[0] == "users" else ()


def _name(kind: str, record: Json) -> Name:
    if kind == "terms":
        return kind, (record["name"], record["start_date"], record["end_date"])
    if kind == "courses":
        return kind, (record["name"], record["number"])
    if kind != "users":
        return kind, record["sis_id"]
    keys = {"student": "sis_id", "teacher": "sis_id", "staff": "staff_id", "district_admin": "title"}
    if "contact" in record["roles"]:
        key = record["roles"]["contact"]["sis_id"] or f"{record['name']['last']} {record['email']}"
        return kind, frozenset({("contact", key)})
    return kind, frozenset((role, values[keys[role]]) for role, values in record["roles"].items())


def _names(state: State) -> dict[Name, str]:
    found = [(_name(kind, orjson.loads(body)), id_) for (kind, id_), body in _without_district(state).items()]
    assert len(found) == len(dict(found))
    return dict(found)


def _named(state: State) -> dict[Name, Json]:
    """The state as the oracle writes it: names for ids, no dates, lists in id order sorted by name."""
    by_id = {id_: name for name, id_ in _names(state).items()}

    def named(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {
                inner: named(one, inner)
                for inner, one in value.items()
                if inner not in (*DATES, *_NO_REFERENCES)
            }
        if isinstance(value, list):
            values = [named(one, name) for one in value]
            return sorted(values) if name in ("schools", "students") else values
        if isinstance(value, str) and _HEX.fullmatch(value):
            found = by_id[value]
            role = "student" if name in ("student", "students") else "teacher"
            return next(one for one in found[1] if one[0] == role) if found[0] == "users" else found
        return value

    shown_: dict[Name, Json] = {}
    for (kind, _), body in _without_district(state).items():
        record = orjson.loads(body)
        contact = record.get("roles", {}).get("contact")
        if contact:
            contact["student_relationships"].sort(key=lambda one: sorted(by_id[one["student"]][1]))
        shown_[_name(kind, record)] = named(record, "")
    return shown_


# The journeys ----------------------------------------------------------------------------------------------

Action = Callable[[History, int], None]
Days = list[tuple[Action, int, list[tuple[int, int, int, int]]]]

FORWARD_AND_BACK: tuple[Action, ...] = (
    History.sync,
    History.sync,
    History.repeat,
    History.undo,
    History.undo_twice,
    History.clock_back,
    History.long_break,
)
LOOKED_AT_AND_CUT_OFF: tuple[Action, ...] = (
    History.crash,
    History.crash,
    History.hold,
    History.hold,
    History.plan,
    History.undo,
)


def days(actions: tuple[Action, ...], size: int, seed: int) -> Days:
    """So many days, which follow from the seed alone."""
    chance = random.Random(f"{size} {seed}")

    def edit() -> tuple[int, int, int, int]:
        return chance.randrange(len(EDITS)), *(chance.randrange(1000) for _ in range(3))  # type: ignore[return-value]

    return [
        (chance.choice(actions), chance.randrange(1000), [edit() for _ in range(chance.randint(2, 8))])
        for _ in range(size)
    ]


def live(database: Database, folder: Path, lived: Days) -> None:
    history = History(database, folder)
    history.sync(0)
    for action, number, edits in lived:
        history.edit(edits)
        action(history, number)
    history.sync(0)


def live_on_sqlite(lived: Days) -> None:
    with tempfile.TemporaryDirectory() as name:
        database = open_database(f"{name}/rollbook.db")
        try:
            live(database, Path(name), lived)
        finally:
            database.close()


@pytest.mark.parametrize("seed", range(4))
def test_state_and_events_agree_with_the_oracle_forward_and_back(seed: int) -> None:
    live_on_sqlite(days(FORWARD_AND_BACK, 8, seed))


@pytest.mark.parametrize("seed", range(4))
def test_state_and_events_agree_with_the_oracle_when_held_planned_or_cut_off(seed: int) -> None:
    live_on_sqlite(days(LOOKED_AT_AND_CUT_OFF, 7, seed))


@pytest.mark.parametrize("seed", range(2))
def test_state_and_events_agree_with_the_oracle_on_postgresql(
    empty_databases: Callable[[str], Template], tmp_path: Path, seed: int
) -> None:
    with (
        empty_databases("postgresql").copy(tmp_path) as address,
        closing(open_database(address)) as database,
    ):
        live(database, tmp_path, days((*FORWARD_AND_BACK[1:5], History.crash, History.hold), 5, seed))
