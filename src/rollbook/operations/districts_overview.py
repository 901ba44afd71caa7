"""All districts at a glance, for the console's first page: what needs a person, and the last nights in numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollbook.domain.actors import Actor
from rollbook.operations import lateness
from rollbook.store.accounts import connections
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import runs_overview
from rollbook.store.records.commits import Run
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.schedules import Scheduled
from rollbook.sync import standing
from rollbook.sync.standing import Standing

# The states, the most urgent first; the last three need nobody.
STATES = ("held", "failed", "late", "frozen", "empty", "paused", "running")
ASKING = STATES[:4]
NIGHTS = 30
VERBS = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Line:
    """One district: its state in one word, why it has that state, and its numbers.

    `reasons` are those of a held run. `nights` are the students after each of the last runs, oldest first.
    `changes` is None if the last run changed nothing because it failed.
    """

    number: int
    id: str
    name: str
    slug: str
    state: str
    why: str
    last_files: str | None
    changes: int | None
    problems: int
    students: int | None
    applications: int
    run: int | None
    reasons: tuple[str, ...] = ()
    nights: list[int] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        """Whether a person must do something."""
        return self.state in ASKING


def lines(database: Database, actor: Actor) -> list[Line]:
    """The districts that a person sees, those that need somebody first."""
    if actor.district is None:
        found = standing.of_all(database)
    else:
        with database.read() as transaction:
            only = districts.by_number(transaction, actor.district)
        found = [standing.of(database, only)]
    with database.read() as transaction:
        late = _late(
            transaction,
            found,
            {each.district: each for each in schedules.every(transaction)},
            job_queue.now(transaction),
        )
        readers = connections.counts(transaction)
    told = [_line(each, each.district.number in late, readers.get(each.district.number, 0)) for each in found]
    return sorted(told, key=lambda line: (STATES.index(line.state), line.name.casefold()))


def line(database: Database, district: District) -> Line:
    """One district."""
    each = standing.of(database, district)
    with database.read() as transaction:
        scheduled = schedules.find(transaction, district.number)
        known = {district.number: scheduled} if scheduled else {}
        readers = connections.counts(transaction).get(district.number, 0)
        late = _late(transaction, [each], known, job_queue.now(transaction))
    return _line(each, bool(late), readers)


def with_nights(database: Database, shown: Sequence[Line]) -> list[list[int]]:
    """The students of each district after its last runs, oldest first."""
    with database.read() as transaction:
        return [runs_overview.students(transaction, line.number, NIGHTS) for line in shown]


def _late(
    transaction: Transaction, found: Sequence[Standing], known: Mapping[int, Scheduled], now_ms: int
) -> set[int]:
    """The districts whose files are overdue."""
    return {
        each.district.number
        for each in found
        if (own := known.get(each.district.number))
        and lateness.is_late(transaction, each, own.schedule, now_ms / 1000)
    }


def _line(each: Standing, is_late: bool, readers: int) -> Line:
    district, glance = each.district, each.glance
    run = glance.held or glance.last
    state = each.state
    if state == "running":
        state = "late" if is_late else "frozen" if glance.frozen else state
    return Line(
        district.number,
        district.id,
        district.name,
        districts.slug(district),
        state,
        _why(each, state),
        glance.last.created if glance.last else None,
        _changes(run),
        sum((run.report.get("problems_by_severity") or {}).values()) if run else 0,
        _students(run),
        readers,
        run.number if run else None,
        tuple(glance.held.report.get("held_because", ())) if glance.held else (),
    )


def _why(each: Standing, state: str) -> str:
    """One sentence for people: why the district has this state."""
    glance = each.glance
    if state == "held" and glance.held:
        return "; ".join(glance.held.report.get("held_because", ())) or "The sync looks wrong."
    if state == "failed":
        return each.error
    if state == "late":
        return "No files came last night."
    if state == "frozen":
        return f"The view of {', '.join(glance.frozen)} is frozen, because a run would have changed too much of it."
    if state == "empty":
        return "Nothing was uploaded yet."
    if state == "paused":
        return f"Paused until {each.district.pause_end or 'it is resumed'}."
    return ""


def counts(report: Mapping[str, Any]) -> dict[str, int]:
    """How many records of all kinds a run created, updated and deleted."""
    kinds = (report.get("kinds") or {}).values()
    return {verb: sum(each.get(verb, 0) for each in kinds) for verb in VERBS}


def _changes(run: Run | None) -> int | None:
    return sum(counts(run.report).values()) if run and run.state != "failed" else None


def _students(run: Run | None) -> int | None:
    told = ((run.report.get("kinds") or {}) if run else {}).get("students")
    if run is None or told is None:
        return None
    now = told.get("existing", 0)
    return int(now if run.state == "held" else now + told.get("created", 0) - told.get("deleted", 0))


def now(database: Database, *, in_demo: bool) -> float:
    """Now in Unix seconds; in a demo, the moment of its last night."""
    with database.read() as transaction:
        return districts.now(transaction) if in_demo else time.time()
