"""Where a demo stands in its story: kept as a note in each of its runs, so that a day and its roster are one
transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rollbook.domain.access import Access
from rollbook.errors import Refused
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Connection, Row

DAY_SECONDS = 86_400
# The fact that names the districts that a demo makes, and how a report begins its note in the run of one.
OWN_DISTRICTS = "demo_districts"
NOTED = '%"note": {"demo": true,%'


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a scenario is about: the SIS id, the name, and the id on the wire, blank while it is not known."""

    sis_id: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class State:
    """A demo after its last night.

    `first` is the moment of day 0 in Unix seconds, `day` the present one, `date` its date in the school's
    calendar. `in_force` are the scenarios that go on. Of a story that is not told to its end, `unfinished` is
    the name and `nights` how many have passed. `story` and `person` are the last night's.
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
        """The present day's moment, in Unix seconds."""
        return self.first + self.day * DAY_SECONDS

    def as_note(self) -> dict[str, object]:
        return {"demo": True, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Move:
    """One run on a demo's district, with the state it left and the events it published, counted by type."""

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


def own(connection: Connection, districts: tuple[str, ...]) -> None:
    """Keep the names of the districts that a demo is about to make."""
    server_values.write(connection, OWN_DISTRICTS, json.dumps(districts))


def is_demo(connection: Connection) -> bool:
    """Whether the database was made by a demo: only its ids follow from a seed."""
    return server_values.read(connection, "id_seed") is not None


def foreign(connection: Connection) -> Iterator[str]:
    """What a demo did not make, in words: districts, applications, and syncs of other files. Errors:
    BadSetting."""
    if not connection.row("SELECT 1 FROM sqlite_master"):
        return  # a file that was just begun
    districts = json.loads(server_values.read(connection, OWN_DISTRICTS) or "[]")
    for number, name in connection.rows("SELECT number, name FROM districts ORDER BY number"):
        if name not in districts:
            yield f"the district {name!r}"
        for (run,) in connection.rows(
            "SELECT sync FROM syncs WHERE district = ? AND cause IN ('files', 'clone') AND report NOT LIKE ?",
            (number, NOTED),
        ):
            yield f"sync {run} of {name!r}"
    for (name,) in connection.rows("SELECT name FROM applications WHERE is_demo = 0 ORDER BY number"):
        yield f"the application {name!r}"


def state(connection: Connection, district: int) -> State:
    """Where the demo stands. Errors: Refused when it was made before demos had days."""
    found = connection.row(
        "SELECT report FROM syncs WHERE district = ? AND report LIKE ? ORDER BY sync DESC LIMIT 1",
        (district, NOTED),
    )
    noted = _state(json.loads(found[0])) if found else None
    if noted is None:
        raise Refused(
            "this demo was made by an earlier version, without days; start over with `rollbook demo --fresh`"
        )
    return noted


def moves(connection: Connection, access: Access, most: int) -> list[Move]:
    """The last runs on a demo's district, newest first, with the events that the caller's feed still has of
    them."""
    found = connection.rows(
        "SELECT sync, cause, state, created, report, last_event,"
        " (SELECT max(last_event) FROM syncs s WHERE s.district = syncs.district AND s.sync < syncs.sync)"
        " FROM syncs WHERE district = ? ORDER BY sync DESC LIMIT ?",
        (access.district, most),
    )
    return [_move(connection, access, row) for row in found]


def _move(connection: Connection, access: Access, row: Row) -> Move:
    number, cause, became, created, text, last_event, before = row
    report: dict[str, Any] = json.loads(text)
    return Move(
        number,
        cause,
        became,
        created,
        report.get("message", ""),
        tuple(report.get("held_because", ())),
        report.get("kinds", {}),
        _count_events(connection, access, before or "", last_event),
        _state(report),
    )


def _count_events(connection: Connection, access: Access, after: str, last: str) -> dict[str, int]:
    """How many events of each type a run published."""
    found = connection.rows(
        # An event begins with its id and its type: {"id":"<24>","type":"users.updated","created":"...
        "SELECT substr(body, 42, 24), count(*) FROM events WHERE view = ? AND id > ? AND id <= ? GROUP BY 1",
        (access.view, after, last),
    )
    counts: Counter[str] = Counter()
    for text, count in found:
        counts[text.partition('"')[0]] += count
    return dict(sorted(counts.items()))


def _state(report: dict[str, Any]) -> State | None:
    note = report.get("note")
    if not note or not note.get("demo"):
        return None
    kept = {name: value for name, value in note.items() if name != "demo"}
    person = Person(**kept.pop("person")) if kept.get("person") else None
    return replace(State(**{**kept, "in_force": tuple(kept["in_force"]), "person": None}), person=person)
