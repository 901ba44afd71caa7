"""When to hold a sync: it updates or deletes more of a kind than an ordinary night does.

The documented limits are at least 75 % updated, or more than 10 % deleted, of the stored records. A district
can set each limit for each kind. The first sync has no limits. Sections count their enrollments. Courses
follow sections and have no limits of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UPDATED_PERCENT = 75
DELETED_PERCENT = 10
# Above this percentage of deletions, an approval must repeat the district's name.
NAMED_PERCENT = 95
GUARDED: tuple[str, ...] = (
    "schools",
    "terms",
    "students",
    "contacts",
    "teachers",
    "staff",
    "district_admins",
    "sections",
)
NAMED: tuple[str, ...] = ("schools", "students", "teachers", "staff")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a sync does to one kind: records before the sync, then records created, updated, deleted and
    rejected."""

    existing: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits of one kind, in percent.

    A sync is held if it updates at least `updated` percent, or deletes more than `deleted` percent. 0
    switches the limit on updates off.
    """

    updated: int = UPDATED_PERCENT
    deleted: int = DELETED_PERCENT


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why a sync is held: a kind, a verb, and how many records.

    If `needs_name` is true, an approval must repeat the district's name.
    """

    kind: str
    verb: str
    count: int
    existing: int
    limit: int

    @property
    def percent(self) -> float:
        return 100 * self.count / self.existing

    @property
    def needs_name(self) -> bool:
        return self.verb == "deleted" and self.kind in NAMED and self.percent > NAMED_PERCENT

    def __str__(self) -> str:
        words, limit = self.kind.replace("_", " "), f"the limit is {self.limit} %"
        return (
            f"{self.count:,} of {self.existing:,} {words} ({self.percent:.0f} %) would be "
            f"{self.verb}; {limit}"
        )


def reasons(kinds: Mapping[str, Counts], thresholds: Mapping[str, Threshold]) -> list[Reason]:
    """Why this sync must wait for an approval; empty if it need not wait."""
    found = []
    for kind in GUARDED:
        counts, limits = kinds.get(kind, Counts()), thresholds.get(kind, Threshold())
        if not counts.existing:
            continue
        if limits.updated and 100 * counts.updated >= limits.updated * counts.existing:
            found.append(Reason(kind, "updated", counts.updated, counts.existing, limits.updated))
        if 100 * counts.deleted > limits.deleted * counts.existing:
            found.append(Reason(kind, "deleted", counts.deleted, counts.existing, limits.deleted))
    return found
