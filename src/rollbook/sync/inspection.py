"""Check files as a sync would, without a district or a database; nothing is written."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rollbook.domain.reading_rules import Rules
from rollbook.errors import SourceRejected
from rollbook.roster import findings, problems_csv
from rollbook.roster.findings import STOPS_MAX, Group, problems_as_json
from rollbook.roster.intake.clever import checks
from rollbook.roster.intake.csv import files
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import Problem
from rollbook.roster.problems_csv import Listing
from rollbook.settings import Settings
from rollbook.sync.ending import interrupted_by_signals
from rollbook.sync.workplace import workplace


@dataclass(frozen=True, slots=True)
class Inspection:
    """What files hold: the rows of each file, the rows that a sync would reject, and all problems as in a
    sync's report.

    If the files cannot be used at all, `message` says why, and there are no rows.
    """

    rows: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    problems: tuple[Problem, ...] = ()
    message: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether a sync would reject nothing."""
        return all(group.problem.severity == "warning" for group in self.groups)

    def as_json(self) -> dict[str, object]:
        return {
            "state": "failed" if self.message else "usable",
            "message": self.message,
            "files": {
                name: {"rows": rows, "left_out": self.left_out.get(name, 0)}
                for name, rows in self.rows.items()
            },
            **problems_as_json(self.groups, self.problems),
        }


def inspect(source: Path, settings: Settings, rules: Rules, listed: Listing | None = None) -> Inspection:
    """Verify and check a folder or a zip file; `listed` receives every problem. Errors: MachineTrouble."""
    with workplace(settings) as folder:
        try:
            opened = files.open_all(
                source,
                memory_limit=settings.sync_memory,
                temporary=folder,
                lenient=rules.lenient_headers,
                # Nothing is kept, so any key will do: it only has to find equal passwords.
                password_key=secrets.token_hex(32),
            )
        except SourceRejected as error:
            return _stopped(error, listed)
        with closing(opened) as tables, interrupted_by_signals(tables.connection.interrupt):
            problems = checks.check(tables, rules)
            if listed:
                listed.take(problems.first(problems_csv.ROWS_MAX))
            return Inspection(_rows(tables), problems.errors_by_file(), problems.groups(), tuple(problems))


def _stopped(error: SourceRejected, listed: Listing | None) -> Inspection:
    stops = findings.in_order(problem for problem in error.problems if isinstance(problem, Problem))
    if listed:
        listed.take(stops)
    return Inspection(groups=findings.grouped(stops), problems=stops[:STOPS_MAX], message=str(error))


def _rows(tables: Tables) -> dict[str, int]:
    return tables.counts(sorted(tables.columns, key=findings.FILE_ORDER.index))
