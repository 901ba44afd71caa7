"""Views that refer to the bodies of the whole view answer as if each had its own copy: after any nights, edits and
frozen views, for every page, record, list, past page, event and difference. On both databases.

The model is the simplest copy: a dictionary of texts for each view and run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import pytest

from rollbook.contract.clever.event_rows import rank
from rollbook.contract.clever.query import LAST, Query
from rollbook.domain.access import Access
from rollbook.domain.kinds import ROLE
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import NotFound
from rollbook.store.district import districts, views
from rollbook.store.district.districts import timestamp
from rollbook.store.district.views import Spec, View
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database
from rollbook.store.engine.migrations import migrate
from rollbook.store.engine.text_spans import refer, text_of
from rollbook.store.records import catchup, commits, event_feed, past_pages, record_pages, shared_bodies
from rollbook.store.records.commits import THIS_RUN, Outcome
from rollbook.store.records.reading import Moment, Reading
from rollbook.store.records.retention import Keep
from tests.store.commits import Feed, feed, id_, whole
from tests.store.old_database import begun_before, opened_before
from tests.store.stored import texts, texts_then

Json = dict[str, Any]
# By (kind, id): the text and, of a person, the mask of roles.
State = dict[tuple[str, str], tuple[str, int | None]]
NUMBERS = range(40)
NAMES = ("Zoë", "Ann", "李雷", "O'Hara", 'A "B"')
NIGHTS = 6


@pytest.mark.parametrize("seed", range(2))
def test_shared_bodies_answer_like_copies(database: Database, tmp_path: Any, seed: int) -> None:
    world = World(feed(database, tmp_path), Random(seed))
    for _ in range(NIGHTS):
        world.night()
        world.check()
    assert world.referring() > 20


def test_a_view_that_withholds_a_field_takes_a_tenth_of_a_copy(database: Database, tmp_path: Any) -> None:
    world = World(feed(database, tmp_path), Random(1))
    world.night()
    with database.read() as transaction:
        sizes: dict[int, int] = dict(
            transaction.rows(
                "SELECT view, sum(length(body) + length(spans)) FROM records WHERE kind = 'users' GROUP BY view"
            )
        )
        copied = transaction.row("SELECT sum(length(body)) FROM records WHERE kind = 'users' AND view = 1")
    assert copied is not None
    assert all(10 * size < copied[0] for view, size in sizes.items() if view != 1 and size is not None)


def test_a_base_that_does_not_fit_is_an_error_and_no_answer(database: Database, tmp_path: Any) -> None:
    """If a body were changed behind the spans, they could show what the view withholds."""
    world = World(feed(database, tmp_path), Random(2))
    world.night()
    with database.write() as transaction:
        transaction.run("UPDATE records SET body = body || ' ' WHERE view = 1 AND kind = 'users'")
    with database.read() as transaction, pytest.raises(Exception, match="requires a buffer"):
        record_pages.page(Reading(transaction, world.seen[1].access), "users", Query())


def test_an_upgrade_lets_views_refer_and_keeps_every_text(bare_address: str) -> None:
    person = '{"id":"%s","roles":{"student":{"dob":"%s","grade":"4"}},"last_modified":"2026"}'
    whole_text = {number: person % (id_(number), "1/2/2010") for number in (1, 2)}
    cut_text = {number: text.replace('"dob":"1/2/2010",', "") for number, text in whole_text.items()}
    bodies = [(1, 1, whole_text[1]), (1, 2, whole_text[2]), (2, 1, whole_text[1]), (2, 2, cut_text[2])]
    with opened_before(bare_address, migrations.shared_bodies) as old:
        district = begun_before(old, "Ash")
        with old.write() as transaction:
            transaction.run("UPDATE views SET is_whole = 1")
            transaction.run("INSERT INTO views (district, spec) SELECT district, spec || ' ' FROM views")
            rows = [(view, "users", id_(number), 1, 1, body) for view, number, body in bodies]
            transaction.insert("records", "view, kind, id, since, roles, body", rows)
            transaction.insert(
                "records", "view, kind, id, since, body", [(2, "districts", district.id, 0, "{}")]
            )
            ended = [(view, "users", id_(number + 2), 1, 2, 1, body) for view, number, body in bodies]
            transaction.insert("versions", "view, kind, id, since, until, roles, body", ended)
        for _ in range(2):
            migrate(old)
        with old.read() as transaction:
            for view in (1, 2):
                expected = [("users", id_(number), text) for of, number, text in bodies if of == view]
                before = [("users", id_(number + 2), text) for of, number, text in bodies if of == view]
                found = [row[:3] for row in texts_then(transaction, view, 1) if row[0] == "users"]
                assert sorted(found) == sorted([*expected, *before])
            sizes = transaction.rows(
                "SELECT max(length(body)), count(spans) FROM records WHERE view = 2 AND kind = 'users'"
                " UNION ALL SELECT max(length(body)), count(spans) FROM versions WHERE view = 2"
            )
            assert sizes == [(0, 2), (0, 2)]
            assert transaction.row("SELECT count(spans) FROM records WHERE view = 1") == (0,)
            own = transaction.row("SELECT body, spans FROM records WHERE view = 2 AND kind = 'districts'")
            assert own == ("{}", None)


def test_spans_and_what_is_added_give_any_text() -> None:
    random = Random(3)
    for _ in range(2_000):
        base = "".join(random.choice('abé€"') for _ in range(random.randrange(60)))
        text = list(base)
        for _ in range(random.randrange(4)):
            begin = random.randrange(len(text) + 1)
            text[begin : begin + random.randrange(9)] = random.choice(("", "", "x", "é€"))
        if referred := refer(base, "".join(text)):
            assert text_of(base, *referred) == "".join(text)
    assert refer("abc" * 9, "abc" * 9) == ("", "27s")


# A world of views, and its model -----------------------------------------------------------------------


@dataclass
class Seen:
    """A view, the access that reads it, and every state that it had, by run."""

    view: View
    access: Access
    hides: tuple[str, ...]
    shares: int
    frozen: bool = False
    state: State = field(default_factory=dict)
    past: dict[int, State] = field(default_factory=dict)
    # When each record was changed last, as this view shows it.
    modified: dict[tuple[str, str], int] = field(default_factory=dict)
    events: int = 0


class World:
    """A district with the whole view and four others, and people who change each night."""

    def __init__(self, store: Feed, random: Random) -> None:
        self.store, self.random, self.run = store, random, 0
        self.people: dict[int, Json] = {}
        self.lists: dict[int, list[int]] = {}
        self.seen: list[Seen] = []
        with store.database.read() as transaction:
            first = views.whole(transaction, store.district.number)
        self._add(first, (), 1)
        for number, (hides, shares) in enumerate(
            ((("dob",), 1), (("dob", "race", "city"), 1), ((), 2), (("race",), 3))
        ):
            spec = Spec(withheld=tuple(f"student.{name}" for name in hides), unasked=(f"student.x{number}",))
            with store.database.write() as transaction:
                view, _ = views.ensure(transaction, store.district.number, spec)
                districts.insert_record(transaction, store.district, view, 0)
            self._add(view, hides, shares)

    def _add(self, view: View, hides: tuple[str, ...], shares: int) -> None:
        _, access, _ = self.store.application(view=view)
        assert access.base == view.base
        self.seen.append(Seen(view, access, hides, shares))

    def night(self) -> None:
        """Change some people, edit a share or freeze a view, and commit what differs."""
        random, self.run = self.random, commits.present(self.store.database, self.store.district).head + 1
        for number in NUMBERS:
            if not self.people or random.random() < 0.2:
                self._change(number)
        derived = random.choice(self.seen[1:])
        if self.run > 2 and random.random() < 0.4:
            derived.frozen = not derived.frozen
        elif self.run > 2 and random.random() < 0.5:
            derived.shares = random.choice((1, 2, 3))
        rows = [row for seen in self.seen for row in self._rows(seen)]
        before = commits.present(self.store.database, self.store.district)
        now = districts.moment_after(self.store.database, before.created, time.time())
        outcome = Outcome(
            "files",
            now,
            {},
            {"snapshot": THIS_RUN, "state": "running", "error": "", "last_sync": timestamp(now)},
        )
        keep = Keep(timestamp(now - 8_640_000), "0" * 24)
        number = commits.commit(
            self.store.database, self.store.district, before, outcome, changes=rows, keep=keep
        )
        assert number == self.run
        for seen in self.seen:
            seen.past[self.run] = dict(seen.state)

    def _change(self, number: int) -> None:
        random = self.random
        if number in self.people and random.random() < 0.2:
            del self.people[number]
            return
        person = self.people.setdefault(number, {"name": "", "dob": "", "race": "", "city": ""})
        person[random.choice(tuple(person))] = random.choice(NAMES) * random.randrange(1, 4)
        self.lists[number] = sorted(random.sample(NUMBERS, random.randrange(1, 20)))

    def _rows(self, seen: Seen) -> Iterable[tuple[Any, ...]]:
        after = seen.state if seen.frozen else {}
        for number, person in () if seen.frozen else self.people.items():
            if number % seen.shares:
                continue
            shown = [other for other in self.lists[number] if other % seen.shares == 0]
            mask = ROLE["student" if number % 4 else "teacher"].bit
            after[("users", id_(number))] = (self._text(seen, number, person), mask)
            if shown:
                after[("students.sections", id_(number))] = ("".join(map(id_, shown)), None)
        was, seen.state = seen.state, dict(after)
        for kind, of in sorted({*was, *after}):
            if was.get((kind, of)) != after.get((kind, of)):
                text, roles = after.get((kind, of)) or (None, was[kind, of][1])
                verb = "deleted" if text is None else "updated" if (kind, of) in was else "created"
                place = -1 if "." in kind else rank(kind, roles or 0, verb)
                yield seen.view.number, 0, place, kind, of, roles, text

    def _text(self, seen: Seen, number: int, person: Json) -> str:
        role = "student" if number % 4 else "teacher"
        fields = {name: value for name, value in person.items() if name not in seen.hides and name != "name"}
        core = {"id": id_(number), "email": "", "name": {"first": person["name"]}, "roles": {role: fields}}
        key, text = ("users", id_(number)), orjson.dumps(core).decode()[:-1]
        old = seen.state.get(key)
        if old is None or not old[0].startswith(f"{text},"):
            seen.modified[key] = self.run
        stamp = timestamp(2_000_000_000 + 86_400 * seen.modified[key])
        return f'{text},"filler":"{"." * 300}","created":"{timestamp(2_000_000_000)}","last_modified":"{stamp}"}}'

    # What is asked -----------------------------------------------------------------------------------

    def check(self) -> None:
        with self.store.database.read() as transaction:
            for seen in self.seen:
                found = {
                    (kind, of): (text, roles)
                    for kind, of, text, roles in texts(transaction, seen.view.number)
                }
                assert {key: found[key] for key in found if key[0] != "districts"} == seen.state
                for run, state in seen.past.items():
                    then = texts_then(transaction, seen.view.number, run)
                    assert {
                        (kind, of): (text, roles) for kind, of, text, roles in then if kind != "districts"
                    } == state
                    self._check_reads(
                        Reading(transaction, seen.access, moment=Moment.after(run, self.run)), state
                    )
                self._check_differences(Reading(transaction, seen.access), seen)
        for seen in self.seen:
            self._check_events(seen)

    def _check_reads(self, reading: Reading, state: State) -> None:
        users = {of: text for (kind, of), (text, _) in sorted(state.items()) if kind == "users"}
        ids = sorted(users)
        for query in (
            Query(),
            Query(limit=3),
            Query(limit=5, after=id_(12)),
            Query(limit=4, before=id_(21)),
            Query(limit=7, before=LAST),
        ):
            page = record_pages.page(reading, "users", query)
            if query.before:
                wanted = [of for of in ids if query.before == LAST or of < query.before]
                expected, rest = wanted[-query.limit :], wanted[: -query.limit]
            else:
                wanted = [of for of in ids if of > (query.after or "")]
                expected, rest = wanted[: query.limit], wanted[query.limit :]
            assert page.elements.decode() == ",".join(
                f'{{"data":{users[of]},"uri":"/v3.0/users/{of}"}}' for of in expected
            )
            assert page.has_more == bool(rest)
            assert (page.first, page.last) == ((expected[0], expected[-1]) if expected else (None, None))
        students = [of for of in ids if state["users", of][1] == ROLE["student"].bit]
        page = record_pages.page(reading, "users", Query(limit=6, role="student"))
        assert [element["data"]["id"] for element in orjson.loads(b"[%b]" % page.elements)] == students[:6]
        for number in NUMBERS:
            key = ("students.sections", id_(number))
            listed = state[key][0] if key in state else None
            if reading.is_past:
                assert past_pages.body(reading, *key) == listed
            else:
                now = shared_bodies.current(reading.transaction, reading.access, 0, *key)
                assert (now.body if now else None) == listed
                try:
                    shown = record_pages.get(reading, "users", id_(number)).body
                except NotFound:
                    shown = None
                assert shown == users.get(id_(number))

    def _check_differences(self, reading: Reading, seen: Seen) -> None:
        for run, state in seen.past.items():
            page = catchup.Differences().page(reading, Query(limit=1000), SnapshotName(run, ""))
            found = [element["data"] for element in orjson.loads(b"[%b]" % page.elements)]
            assert _told(found) == _expected(state, seen.state)

    def _check_events(self, seen: Seen) -> None:
        events = whole(self.store, seen.access)
        new, seen.events = events[seen.events :], len(events)
        was = seen.past.get(self.run - 1, {})
        assert _told(new) == _expected(was, seen.state)

    def referring(self) -> int:
        with self.store.database.read() as transaction:
            found = transaction.row("SELECT count(*) FROM records WHERE spans IS NOT NULL")
        return found[0] if found else 0


def _told(events: Iterable[Json]) -> dict[str, Json]:
    """What events tell of users, by id: the verb, the record and the previous attributes."""
    return {
        event["data"]["object"]["id"]: {
            "verb": event["type"].partition(".")[2],
            "object": event["data"]["object"],
            "was": event["data"].get("previous_attributes"),
        }
        for event in events
        if event["type"].startswith("users.")
    }


def _expected(was: State, now: State) -> dict[str, Json]:
    made = {}
    for kind, of in sorted({*was, *now}):
        before, after = was.get((kind, of)), now.get((kind, of))
        if kind == "users" and before != after:
            made_ = event_feed.event("0" * 24, kind, before and before[0], after and after[0], ())
            if made_:
                made[of] = orjson.loads(made_.body)
    return _told(made.values())
