"""When a sync looks wrong: shares of a kind that no ordinary night changes or deletes.

The documented limits: at least 75 % updated, or more than 10 % deleted, of what is stored; each can be set
for a district and kind. The first load has none. Sections count their enrollments; courses follow sections
and have no limit of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UPDATED_PERCENT = 75
DELETED_PERCENT = 10
# Above this share of deletions an approval must repeat the district's name.
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
    """What a sync does to one kind: how many records there were, and how many appear, change, vanish or are
    left out."""

    existing: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits of one kind in percent: held from `updated` on, and above `deleted`. An `updated` of 0 switches
    that limit off."""

    updated: int = UPDATED_PERCENT
    deleted: int = DELETED_PERCENT


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a sync is held: one kind and what would happen to it. `needs_name`: an approval must repeat the
    district's name."""

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
    """Why this sync should wait for an approval; empty when it should not."""
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
