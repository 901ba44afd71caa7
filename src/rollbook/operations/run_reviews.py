"""What a person needs to judge a run: what it changes by kind, and what may be the cause of a hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollbook.domain.guard import Threshold
from rollbook.roster.problems import PROBLEMS
from rollbook.store.district import thresholds
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup, run_changes
from rollbook.store.records.commits import Run
from rollbook.store.records.run_changes import Filter

PEOPLE = ("students", "teachers", "staff", "contacts")
# A guess is shown from this percentage of the deletions on; for a file that is cut off, of all records.
MUCH, MOST = 30, 60


@dataclass(frozen=True, slots=True)
class KindLine:
    """What a run does to one kind; `limit` is the percentage of deletions above which it is held."""

    kind: str
    existing: int
    created: int
    updated: int
    deleted: int
    errors: int
    limit: int

    @property
    def percent(self) -> float:
        return 100 * self.deleted / self.existing if self.existing else 0.0


def kinds(database: Database, district: District, run: Run) -> list[KindLine]:
    """What a run does to each kind, the greatest deletions first."""
    limits = thresholds.read(database, district)
    found = [
        KindLine(
            kind,
            existing=told.get("existing", 0),
            created=told.get("created", 0),
            updated=told.get("updated", 0),
            deleted=told.get("deleted", 0),
            errors=told.get("errors", 0),
            limit=limits.get(kind, Threshold()).deleted,
        )
        for kind, told in (run.report.get("kinds") or {}).items()
    ]
    return sorted(found, key=lambda line: (-line.deleted, -line.existing))


def needs_name(run: Run) -> bool:
    """Whether an approval must repeat the district's name."""
    return bool(run.report.get("needs_name"))


def school_names(transaction: Transaction, district: District, run: int) -> dict[str, str]:
    """The names of the schools by id, with those that the run deletes or makes."""
    own = dict(people_lookup.schools(transaction, people_lookup.whole(transaction, district.number)))
    changed = run_changes.each(transaction, district.number, run, Filter(kind="schools"))
    return {each.id: each.name for each in changed} | own


def guesses(transaction: Transaction, district: District, run: Run) -> list[str]:
    """What may be the cause of a hold, as sentences; the most telling first."""
    told = run.report.get("kinds") or {}
    return [
        sentence
        for kind in ("students", "teachers")
        if (counts := told.get(kind)) and counts.get("deleted")
        for sentence in _guesses(transaction, district, run.number, kind, counts)
    ]


def _guesses(
    transaction: Transaction, district: District, run: int, kind: str, counts: dict[str, Any]
) -> Iterator[str]:
    deleted, existing = int(counts["deleted"]), int(counts.get("existing") or 0)
    returning = run_changes.returning(transaction, district.number, run, kind)
    if 100 * returning >= MUCH * deleted:
        yield (
            f"Their ids may have changed: {returning:,} of the {deleted:,} {kind} who would be deleted come back"
            " under another id with the same name."
        )
        return
    wanted = Filter(verb="deleted", kind=kind)
    schools = run_changes.by(transaction, district.number, run, "school", wanted)
    names = school_names(transaction, district, run)
    first, count = schools[0] if schools else ("", 0)
    if first and 100 * count >= MOST * deleted and len(names) > 1:
        yield (
            f"One school may be missing: {count:,} of the {deleted:,} {kind} who would be deleted are at"
            f" {names.get(first, first)}."
        )
    elif not counts.get("created") and existing and 100 * deleted >= MUCH * existing:
        yield (
            f"{kind}.csv may be cut off: it has {existing - deleted:,} of the {existing:,} {kind} of the run before,"
            " and nobody new."
        )


def problem_groups(run: Run) -> list[dict[str, Any]]:
    """The problems of a run's files by code and file, each with what to do."""
    mends = {each.code: each.mend for each in PROBLEMS}
    return [
        {**group, "what_to_do": mends.get(str(group.get("code")), "")}
        for group in run.report.get("problem_groups") or ()
    ]
