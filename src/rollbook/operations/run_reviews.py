"""What a person needs to judge a run: what it changes by kind, and what may be the cause of a hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rollbook.domain.guard import Threshold
from rollbook.store.district import thresholds
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup, run_changes
from rollbook.store.records.commits import Run
from rollbook.store.records.run_changes import Filter

PEOPLE = ("students", "teachers", "staff", "contacts")
# A guess is shown from this percentage of the deletions on; for a file that is cut off, of all records.
MUCH, MOST = 30, 60
# From this percentage on, a kind is replaced whole.
ALL = 95
# Fewer records of one grade say nothing; grades that leave school each summer.
GRADE_MIN = 10
LAST_GRADES = ("12", "13", "PostGraduate")


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
    found = [
        guess
        for kind in ("students", "teachers", "sections")
        if (counts := told.get(kind)) and counts.get("deleted")
        for guess in _guesses(transaction, district, run, Losing(kind, **_counts(counts)))
    ]
    # One other district is one cause, whichever kinds show it.
    others = [sentence for cause, sentence in found if cause is _other_district]
    return [sentence for _, sentence in found if sentence not in others[1:]]


@dataclass(frozen=True, slots=True)
class Losing:
    """A kind of which a run deletes some records."""

    kind: str
    deleted: int
    existing: int
    created: int

    @property
    def told(self) -> str:
        who = "that" if self.kind == "sections" else "who"
        return f"{self.deleted:,} {self.kind} {who} would be deleted"


Cause = Callable[[Transaction, District, Run, Losing], str]


def _counts(given: dict[str, Any]) -> dict[str, int]:
    return {name: int(given.get(name) or 0) for name in ("deleted", "existing", "created")}


def _guesses(
    transaction: Transaction, district: District, run: Run, of: Losing
) -> Iterator[tuple[Cause, str]]:
    """The most telling cause for a kind, if any."""
    causes = (_changed_ids, _other_district, _rejected, _one_school, _one_grade, _cut_off)
    told = ((cause, cause(transaction, district, run, of)) for cause in causes)
    yield from islice(((cause, sentence) for cause, sentence in told if sentence), 1)


def _rejected(_: Transaction, __: District, run: Run, of: Losing) -> str:
    """Rows with an error are left out, so their records are deleted."""
    file = f"{of.kind}.csv"
    groups = [
        group
        for group in run.report.get("problem_groups") or ()
        if group.get("severity") == "error" and group.get("file") == file
    ]
    count = sum(int(group["count"]) for group in groups)
    if 100 * count < MUCH * of.deleted:
        return ""
    most = max(groups, key=lambda group: int(group["count"]))
    return (
        f"They may be in the files: {count:,} rows of {file} were rejected, most of them for “{most['title']}”"
        f" ({most['count']:,})."
    )


def _changed_ids(transaction: Transaction, district: District, run: Run, of: Losing) -> str:
    returning = run_changes.returning(transaction, district.number, run.number, of.kind)
    if of.kind == "sections" or 100 * returning < MUCH * of.deleted:
        return ""
    return f"Their ids may have changed: {returning:,} of the {of.told} come back under another id with the same name."


def _other_district(_: Transaction, __: District, ___: Run, of: Losing) -> str:
    if 100 * of.deleted < ALL * of.existing or 2 * of.created < of.deleted:
        return ""
    return (
        f"The files may be those of another district: {of.deleted:,} of {of.existing:,} {of.kind} would go, and"
        f" {of.created:,} with other names would come."
    )


def _one_school(transaction: Transaction, district: District, run: Run, of: Losing) -> str:
    first, count = _most(transaction, district, run, of, "school")
    names = school_names(transaction, district, run.number)
    if not first or 100 * count < MOST * of.deleted or len(names) < 2:
        return ""
    return f"One school may be missing: {count:,} of the {of.told} are at {names.get(first, first)}."


def _one_grade(transaction: Transaction, district: District, run: Run, of: Losing) -> str:
    first, count = _most(transaction, district, run, of, "grade")
    if not first or 100 * count < MOST * of.deleted or count < GRADE_MIN:
        return ""
    why = ". At the end of a school year that is right" if first in LAST_GRADES else ""
    return f"One grade may be missing: {count:,} of the {of.told} are in grade {first}{why}."


def _cut_off(_: Transaction, __: District, ___: Run, of: Losing) -> str:
    if of.created or 100 * of.deleted < MUCH * of.existing:
        return ""
    return (
        f"{of.kind}.csv may be cut off: it has {of.existing - of.deleted:,} of the {of.existing:,} {of.kind} of the"
        f" run before, and {'nothing' if of.kind == 'sections' else 'nobody'} new."
    )


def _most(transaction: Transaction, district: District, run: Run, of: Losing, column: str) -> tuple[str, int]:
    """The value of a column that most of the deleted records have."""
    found = run_changes.by(
        transaction, district.number, run.number, column, Filter(verb="deleted", kind=of.kind)
    )
    return found[0] if found else ("", 0)
