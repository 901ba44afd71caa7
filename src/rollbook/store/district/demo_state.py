"""Where a demo stands in its story.

It is stored beside each run, so a day and its roster are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rollbook.domain.access import Access
from rollbook.errors import Busy, Refused
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Row, Transaction

DAY_SECONDS = 86_400
# The fact that names the districts of a demo.
OWN_DISTRICTS = "demo_districts"
# How a report marked a demo's run before the table of nights.
NOTED = '%"note": {"demo": true,%'
_NIGHT = "students, seed, first, day, date, in_force, story, unfinished, nights, person_sis_id, person_name, person_id"


@dataclass(frozen=True, slots=True)
class Person:
    """The person in a scenario: SIS id, name, and id on the wire, blank while unknown."""

    sis_id: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class State:
    """A demo after its last night.

    `first` is the time of day 0 in Unix seconds, `day` the current day, `date` its date in the school's
    calendar. `in_force` has the scenarios that continue. If a story is not finished, `unfinished` is its name
    and `nights` counts the nights that have passed. `story` and `person` are those of the last night.
    """

    students: int
    seed: int
    first: float
    day: int
    date: str
    in_force: tuple[str, ...] = ()
    story: str = ""
    unfinished: str = ""
    nights: int = 0
    person: Person | None = None

    @property
    def moment(self) -> float:
        """The time of the current day, in Unix seconds."""
        return self.first + self.day * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Move:
    """One run on a demo's district, with the state after it, and the number of its events of each type."""

    sync: int
    cause: str
    state: str
    created: str
    message: str
    held_because: tuple[str, ...]
    kinds: dict[str, dict[str, int]]
    events: dict[str, int] = field(default_factory=dict)
    after: State | None = None

    def as_json(self) -> dict[str, object]:
        after = self.after
        return {
            "sync": self.sync,
            "cause": self.cause,
            "state": self.state,
            "moment": self.created,
            "day": after.day if after else None,
            "date": after.date if after else None,
            "story": after.story if after else None,
            "person": asdict(after.person) if after and after.person else None,
            "message": self.message,
            "held_because": list(self.held_because),
            "kinds": self.kinds,
            "events": self.events,
        }


def own(transaction: Transaction, districts: tuple[str, ...]) -> None:
    """Store the names of the districts that a demo is about to make."""
    server_values.write(transaction, OWN_DISTRICTS, json.dumps(districts))


def keep(
    after: State, transaction: Transaction, district: int, run: int, *, from_day: int | None = None
) -> None:
    """Store where the demo stands after a run on a district (both by number).

    `from_day` is its day when the run began. Errors: Busy if another machine moved it on meanwhile.
    """
    if from_day is not None and state(transaction, district).day != from_day:
        raise Busy("the demo was moved by another machine meanwhile; nothing was written, move it again")
    person = after.person
    values = (
        *(after.students, after.seed, int(after.first), after.day, after.date, " ".join(after.in_force)),
        *(after.story, after.unfinished, after.nights),
        *((person.sis_id, person.name, person.id) if person else (None, None, None)),
    )
    transaction.insert("demo_nights", f"district, sync, {_NIGHT}", [(district, run, *values)])


def is_demo(transaction: Transaction) -> bool:
    """Whether a demo made the database: only then its ids follow from a seed."""
    return server_values.read(transaction, "id_seed") is not None


def foreign(transaction: Transaction) -> Iterator[str]:
    """What the demo did not make, in words: districts, applications, and syncs of other files.

    Errors: BadSetting.
    """
    if not transaction.row("SELECT 1 FROM sqlite_master"):
        return  # a new, empty file
    districts = json.loads(server_values.read(transaction, OWN_DISTRICTS) or "[]")
    # An earlier version may have made the file.
    has_nights = transaction.row("SELECT 1 FROM sqlite_master WHERE name = 'demo_nights'")
    is_own = "sync IN (SELECT n.sync FROM demo_nights n WHERE n.district = syncs.district)"
    foreign_runs = f"NOT {is_own}" if has_nights else f"report NOT LIKE '{NOTED}'"
    for number, name in transaction.rows("SELECT number, name FROM districts ORDER BY number"):
        if name not in districts:
            yield f"the district {name!r}"
        for (run,) in transaction.rows(
            f"SELECT sync FROM syncs WHERE district = ? AND cause IN ('files', 'clone') AND {foreign_runs}",
            (number,),
        ):
            yield f"sync {run} of {name!r}"
    for (name,) in transaction.rows("SELECT name FROM applications WHERE is_demo = 0 ORDER BY number"):
        yield f"the application {name!r}"


def state(transaction: Transaction, district: int) -> State:
    """Where the demo stands. Errors: Refused if an earlier version made it, without days."""
    found = transaction.row(
        f"SELECT {_NIGHT} FROM demo_nights WHERE district = ? ORDER BY sync DESC LIMIT 1", (district,)
    )
    noted = _state(found) if found else None
    if noted is None:
        raise Refused(
            "this demo was made by an earlier version, without days; start over with `rollbook demo --fresh`"
        )
    return noted


def last_state(transaction: Transaction) -> State:
    """Where the first of a demo's districts stands. Errors: Refused when it was made before demos had days."""
    found = transaction.row("SELECT min(district) FROM demo_nights")
    return state(transaction, int(found[0] or 0) if found else 0)


def moves(transaction: Transaction, access: Access, most: int) -> list[Move]:
    """The last runs on a demo's district, newest first, with the events that are still in the caller's
    feed."""
    found = transaction.rows(
        "SELECT s.sync, cause, state, created, report, last_event,"
        " (SELECT max(e.last_event) FROM syncs e WHERE e.district = s.district AND e.sync < s.sync),"
        f" {_NIGHT} FROM syncs s LEFT JOIN demo_nights n ON n.district = s.district AND n.sync = s.sync"
        " WHERE s.district = ? ORDER BY s.sync DESC LIMIT ?",
        (access.district, most),
    )
    return [_move(transaction, access, row) for row in found]


def _move(transaction: Transaction, access: Access, row: Row) -> Move:
    number, cause, became, created, text, last_event, before, *night = row
    report: dict[str, Any] = json.loads(text)
    return Move(
        number,
        cause,
        became,
        created,
        report.get("message", ""),
        tuple(report.get("held_because", ())),
        report.get("kinds", {}),
        _count_events(transaction, access, before or "", last_event),
        _state(night),
    )


def _count_events(transaction: Transaction, access: Access, after: str, last: str) -> dict[str, int]:
    """How many events of each type a run published."""
    found = transaction.rows(
        "SELECT kind || '.' || verb, count(*) FROM events WHERE view = ? AND id > ? AND id <= ? GROUP BY 1 ORDER BY 1",
        (access.view, after, last),
    )
    return dict(found)


def _state(night: Sequence[Any]) -> State | None:
    """A state from the columns `_NIGHT`; None for a run without a night."""
    students, seed, first, day, date, in_force, story, unfinished, nights, sis_id, name, id_ = night
    if students is None:
        return None
    person = Person(sis_id, name, id_) if sis_id is not None else None
    return State(
        students, seed, float(first), day, date, tuple(in_force.split()), story, unfinished, nights, person
    )
