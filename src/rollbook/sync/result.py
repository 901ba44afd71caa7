"""How a run works, and what it did: counts of each kind, reasons, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from rollbook.domain.guard import Counts, Reason
from rollbook.errors import SourceRejected
from rollbook.roster import findings
from rollbook.roster.findings import STOPS_MAX, Group, problems_as_json
from rollbook.roster.problems import Problem
from rollbook.roster.views.id_pairs import Pair
from rollbook.store.district.districts import District, timestamp
from rollbook.store.engine.database import Transaction
from rollbook.store.records.commits import Snapshot


@dataclass(frozen=True, slots=True)
class Sync:
    """What one run did or, as a plan, would do.

    `state` is planned, committed, held or failed. `reasons` say why the run is, or would be, held; `message`
    says why it failed. `views` has the counts of each view by its number. `frozen` has the reasons why an
    application's view was left unchanged, by the application's name. `groups` counts all problems; `problems`
    has the first ones. Both are in the order in which to fix them. `about` has facts that only some runs
    have, such as the sync that an undo takes back.
    """

    district: District
    number: int | None
    state: str
    created: str
    view: int
    views: dict[int, dict[str, Counts]]
    frozen: dict[str, list[Reason]] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    groups: tuple[Group, ...] = ()
    problems: tuple[Problem, ...] = ()
    message: str = ""
    about: Mapping[str, object] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, Counts]:
        """The counts of the view that the run is about; empty if the run failed."""
        return self.views.get(self.view, {})

    @property
    def problem_counts(self) -> dict[str, int]:
        """How many problems there are of each code."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            counts[group.problem.code] += group.count
        return dict(sorted(counts.items()))

    def as_json(self) -> dict[str, object]:
        return {
            "district": self.district.id,
            "sync": self.number,
            "state": self.state,
            "created": self.created,
            "message": self.message,
            "held_because": [str(reason) for reason in self.reasons],
            "frozen": {name: [str(reason) for reason in reasons] for name, reasons in self.frozen.items()},
            "kinds": {kind: asdict(counts) for kind, counts in self.kinds.items()},
            "samples": self.samples,
            "problem_counts": self.problem_counts,
            **problems_as_json(self.groups, self.problems),
            **self.about,
        }


def failed(district: District, error: SourceRejected) -> Sync:
    """A failed run, for files that cannot be used; `error` knows which run noted it, if one did."""
    number, created = error.noted or (None, timestamp())
    stops = [problem for problem in error.problems if isinstance(problem, Problem)]
    first = findings.in_order(stops)[:STOPS_MAX]
    return Sync(
        district,
        number,
        "failed",
        created,
        0,
        {},
        groups=findings.grouped(stops),
        problems=first,
        message=str(error),
    )


@dataclass(frozen=True, slots=True)
class How:
    """How a sync runs: only planned, approved beforehand, or at another moment than now (Unix seconds).

    If a sync deletes nearly everything of a kind, an approval beforehand counts only if `name` repeats the
    district's name. `note` writes the caller's own note about the run in the same transaction. It gets the
    numbers of the district and the run. `is_again`: all work is done even if nothing changed. `pairs`: records
    that keep their ids under another SIS id.
    """

    is_plan: bool = False
    is_approved: bool = False
    name: str | None = None
    moment: float | None = None
    note: Callable[[Transaction, int, int], None] | None = None
    is_again: bool = False
    pairs: tuple[Pair, ...] = ()

    def noted(self, district: District, before: Snapshot) -> Callable[[Transaction], None]:
        """The caller's note for the run after the snapshot, to be written in its transaction."""

        def note(transaction: Transaction) -> None:
            if self.note:
                self.note(transaction, district.number, before.head + 1)

        return note
