"""How a run works, and what it did: counts of every kind, reasons, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from rollbook.domain.guard import Counts, Reason
from rollbook.errors import SourceRejected
from rollbook.roster import findings
from rollbook.roster.findings import SEVERITIES, Group
from rollbook.roster.problems import Problem
from rollbook.store.district.districts import District, timestamp
from rollbook.store.engine.database import Connection
from rollbook.store.records.commits import Snapshot

# How many stops a report lists one by one; a header can be wrong in each of its columns.
STOPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Sync:
    """What one run did, or, as a plan, would do.

    `state` is planned, committed, held or failed; `reasons` say why it is held, or would be, `message` why it
    failed. `views` has the counts of every view by its number, `frozen` why an application's view is left as
    it is, by the application's name. `groups` counts all problems, `problems` holds the first ones, both in
    the order in which to mend them. `about` is what only some runs tell: which sync they take back.
    """

    district: District
    number: int | None
    state: str
    created: str
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
        """The counts of the view that everything is in; none of a run that failed."""
        return self.views[min(self.views)] if self.views else {}

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


def problems_as_json(groups: Sequence[Group], problems: Iterable[Problem]) -> dict[str, object]:
    """Problems as every report shows them: counted by severity and by code, in groups with examples, and the
    first ones."""
    severities = {
        each: sum(group.count for group in groups if group.problem.severity == each) for each in SEVERITIES
    }
    return {
        "problems_by_severity": severities,
        "problem_groups": [group.as_json() for group in groups],
        "problems": [problem.as_json() for problem in problems],
    }


def failed(district: District, error: SourceRejected) -> Sync:
    """The run of files that cannot be used, in the shape of all others; `error` knows which run noted it, if
    one did."""
    number, created = error.noted or (None, timestamp())
    stops = [problem for problem in error.problems if isinstance(problem, Problem)]
    first = findings.in_order(stops)[:STOPS_MAX]
    return Sync(
        district,
        number,
        "failed",
        created,
        {},
        groups=findings.grouped(stops),
        problems=first,
        message=str(error),
    )


@dataclass(frozen=True, slots=True)
class How:
    """How a sync runs: only planned, approved beforehand, at another moment than now (Unix seconds).

    One that deletes nearly everything of a kind is only approved beforehand when `name` repeats the
    district's name. `note` writes what the caller keeps of the run, in the same transaction; it gets the
    district's number and the run's.
    """

    is_plan: bool = False
    is_approved: bool = False
    name: str | None = None
    moment: float | None = None
    note: Callable[[Connection, int, int], None] | None = None

    def noted(self, district: District, before: Snapshot) -> Callable[[Connection], None]:
        """The note of the run that follows the snapshot, for its transaction."""

        def note(connection: Connection) -> None:
            if self.note:
                self.note(connection, district.number, before.head + 1)

        return note
