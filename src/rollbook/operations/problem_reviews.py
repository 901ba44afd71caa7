"""The problems of a run's files: their groups, and each one with its row, what was expected, and what to do."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook.roster import problems_csv
from rollbook.roster.problems import PROBLEM, PROBLEMS
from rollbook.roster.problems_csv import plain
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import commits, problem_rows
from rollbook.store.records.commits import Run
from rollbook.store.records.problem_rows import ProblemRow, Wanted

# The columns of `rollbook check --problems`, and two that only a kept run has.
HEADS = (*problems_csv.COLUMNS, "title", "the row")
# The place with which most messages begin.
_PLACE = re.compile(r"[\w.]+( row [0-9]+)?: ")


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem as a person reads it. `row` is the row's number in a spreadsheet, 0 for a problem of a whole file;
    `message` says what is wrong there; `cells` is the row by header, as far as a report may quote it."""

    severity: str
    file: str
    row: int
    column: str
    code: str
    title: str
    value: str
    expected: str
    what_to_do: str
    message: str
    cells: Mapping[str, str]

    def as_row(self) -> Sequence[object]:
        """The problem as a row below `HEADS`."""
        told = "; ".join(f"{header}: {cell}" for header, cell in self.cells.items())
        return (
            *(self.file, self.row or None, self.column, self.code, self.severity, self.message),
            *(self.value, self.expected, self.what_to_do, self.title, told),
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of a run's problems; `found` counts all selected ones that the server keeps row by row."""

    rows: list[Finding]
    found: int


def groups(run: Run) -> list[dict[str, Any]]:
    """The problems of a run's files by code and file, each with what to do."""
    mends = {each.code: each.mend for each in PROBLEMS}
    return [
        {**group, "what_to_do": mends.get(str(group.get("code")), "")}
        for group in run.report.get("problem_groups") or ()
    ]


def page(
    transaction: Transaction, district: District, run: Run, wanted: Wanted, *, first: int, most: int
) -> Listed:
    """Some of a run's problems one by one. A run of an earlier version has only a few examples of each."""
    number = district.number
    if not problem_rows.groups(transaction, number, run.number):
        examples = [each for each in _examples(run) if _takes(each, wanted)]
        return Listed(examples[first : first + most], len(examples))
    rows = problem_rows.page(transaction, number, run.number, wanted, first=first, most=most)
    found = problem_rows.count(transaction, number, run.number, wanted)
    return Listed([_finding(row) for row in rows], found)


def each(transaction: Transaction, district: District, run: Run, wanted: Wanted) -> Iterator[Finding]:
    """All selected problems of a run that were kept."""
    if not problem_rows.groups(transaction, district.number, run.number):
        yield from (each for each in _examples(run) if _takes(each, wanted))
        return
    for row in problem_rows.each(transaction, district.number, run.number, wanted):
        yield _finding(row)


def write_csv(database: Database, district: str, number: int, path: Path) -> int:
    """Write the problems of a run of a district (name or id) into a CSV file; returns how many.

    Errors: Unknown, BadSetting if the file cannot be written.
    """
    owner = districts.find(database, district)
    run = commits.run(database, owner, number)
    count = 0
    with problems_csv.private_file(path) as file, database.read() as transaction:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(HEADS)
        for finding in each(transaction, owner, run, Wanted()):
            rows.writerow([plain(cell) if isinstance(cell, str) else cell for cell in finding.as_row()])
            count += 1
    return count


def _finding(row: ProblemRow) -> Finding:
    kind = PROBLEM.get(row.code)
    if kind is None:  # written by another version
        said = ("", row.code, "", "")
    else:
        problem = kind(
            row.file, row.line or None, row.header or None, row.value or None, row.expected or None
        )
        said = (kind.severity, kind.title, kind.mend, _without_place(str(problem)))
    severity, title, mend, message = said
    return Finding(
        *(severity, row.file, row.line, row.header, row.code, title),
        *(row.value, row.expected, mend, message, row.cells),
    )


def _examples(run: Run) -> Iterator[Finding]:
    """The problems that a report has one by one: the stops of a failed run, or the examples of its groups."""
    told = groups(run)
    about = {group["code"]: group for group in told}
    stops = run.report.get("problems") if run.state == "failed" else None
    for example in stops or [one for group in told for one in group["examples"]]:
        group = about[example["code"]]
        yield Finding(
            *(str(group["severity"]), example["file"], example["row"] or 0, example["column"] or ""),
            *(str(group["code"]), str(group["title"]), example["value"] or "", example["expected"] or ""),
            *(group["what_to_do"], _without_place(example["message"]), {}),
        )


def _without_place(message: str) -> str:
    """A message whose place stands beside it: `students.csv row 2: ` is gone."""
    said = message[found.end() :] if (found := _PLACE.match(message)) else message
    return said[:1].upper() + said[1:]


def _takes(finding: Finding, wanted: Wanted) -> bool:
    text = wanted.text.casefold()
    return (
        wanted.code in ("", finding.code)
        and wanted.file in ("", finding.file)
        and (not text or text == str(finding.row) or text in finding.value.casefold())
    )
