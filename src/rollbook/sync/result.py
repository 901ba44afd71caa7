"""How a run is to be done, and what it did: counts of every kind, reasons, problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from rollbook.roster.guard import Counts, Reason
from rollbook.roster.problems import Problem
from rollbook.store.districts import District


@dataclass(frozen=True, slots=True)
class Sync:
    """What one run did, or, as a plan, would do.

    `state` is planned, committed or held; `reasons` say why it is held, or would be. `views` has the counts of every view by its
    number, `frozen` why an application's view is left as it is, by the application's name. `problems` holds the first ones, one
    by one; `problem_counts` counts all of them by code.
    """

    district: District
    number: int | None
    state: str
    created: str
    views: dict[int, dict[str, Counts]]
    frozen: dict[str, list[Reason]] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    problem_counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def kinds(self) -> dict[str, Counts]:
        """The counts of the view that everything is in."""
        return self.views[min(self.views)]

    def as_json(self) -> dict[str, object]:
        return {
            "district": self.district.id,
            "sync": self.number,
            "state": self.state,
            "created": self.created,
            "held_because": [str(reason) for reason in self.reasons],
            "frozen": {name: [str(reason) for reason in reasons] for name, reasons in self.frozen.items()},
            "kinds": {kind: asdict(counts) for kind, counts in self.kinds.items()},
            "samples": self.samples,
            "problem_counts": self.problem_counts,
            "problems": [
                {"code": problem.code, "severity": problem.severity, **asdict(problem), "message": str(problem)}
                for problem in self.problems
            ],
        }


@dataclass(frozen=True, slots=True)
class How:
    """How a sync is to be done: only planned, approved beforehand, at another moment than now (Unix seconds).

    One that deletes nearly everything of a kind is only approved beforehand when `name` repeats the district's name. `note` is
    kept with the run, in the same transaction: what its caller wants to find again.
    """

    is_plan: bool = False
    is_approved: bool = False
    name: str | None = None
    moment: float | None = None
    note: Mapping[str, object] | None = None
