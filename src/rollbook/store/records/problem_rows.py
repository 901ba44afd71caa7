"""The problems of each run's files, one by one, with their rows as far as a report may quote them.

The rows of a run are written in its transaction, and dropped with the versions of that time: they name people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollbook.store.engine import text_parts
from rollbook.store.engine.database import Transaction

COLUMNS = "district, sync, place, code, file, line, header, value, expected, cells"
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One problem: its code and place, the value found, what was expected, and the cells of its row by header.

    `line` is the row's number in a spreadsheet, 0 for a problem of a whole file.
    """

    place: int
    code: str
    file: str
    line: int
    header: str
    value: str
    expected: str
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which problems to list; a blank value selects all. `text` is part of a cell or value, or the row's number."""

    code: str = ""
    file: str = ""
    text: str = ""

    def where(self) -> tuple[str, tuple[str | int, ...]]:
        """The condition, and its values."""
        given = {"code": self.code, "file": self.file}
        parts = [f"AND {column} = ?" for column, value in given.items() if value]
        values: list[str | int] = [value for value in given.values() if value]
        if self.text:
            parts.append(
                f"AND (line = ? OR {text_parts.contains('value')} OR {text_parts.contains('cells')})"
            )
            is_number = self.text.isascii() and self.text.isdigit() and len(self.text) < 10
            values += [int(self.text) if is_number else -1]
            values += [text_parts.pattern(self.text), text_parts.in_json(self.text)]
        return " ".join(parts), tuple(values)


def write(
    transaction: Transaction,
    district: int,
    sync: int,
    rows: Iterable[tuple[int, str, str, int, str, str, str, str]],
) -> None:
    """Keep a run's problems: rows as `COLUMNS` has them after the run's number."""
    transaction.insert("problem_rows", COLUMNS, [(district, sync, *row) for row in rows])


def groups(transaction: Transaction, district: int, sync: int) -> list[tuple[str, str, int]]:
    """How many kept problems a run has of each code in each file, in the order in which to fix them."""
    rows = transaction.rows(
        "SELECT code, file, count(*), min(place) AS first FROM problem_rows WHERE district = ? AND sync = ?"
        " GROUP BY code, file ORDER BY first",
        (district, sync),
    )
    return [(code, file, int(count)) for code, file, count, _ in rows]


def count(transaction: Transaction, district: int, sync: int, wanted: Wanted) -> int:
    """How many kept problems are selected."""
    where, values = wanted.where()
    found = transaction.row(
        f"SELECT count(*) FROM problem_rows WHERE district = ? AND sync = ? {where}",
        (district, sync, *values),
    )
    return int(found[0]) if found else 0


def page(
    transaction: Transaction, district: int, sync: int, wanted: Wanted, *, first: int, most: int
) -> list[ProblemRow]:
    """Some of the selected problems, in the order in which to fix them."""
    where, values = wanted.where()
    rows = transaction.rows(
        "SELECT place, code, file, line, header, value, expected, cells FROM problem_rows"
        f" WHERE district = ? AND sync = ? {where} ORDER BY place LIMIT ? OFFSET ?",
        (district, sync, *values, most, first),
    )
    return [
        ProblemRow(place, code, file, line, header, value, expected, json.loads(cells))
        for place, code, file, line, header, value, expected, cells in rows
    ]


def each(transaction: Transaction, district: int, sync: int, wanted: Wanted) -> Iterator[ProblemRow]:
    """All selected problems."""
    first = 0
    while found := page(transaction, district, sync, wanted, first=first, most=_BATCH):
        yield from found
        first += len(found)


def forget(transaction: Transaction, district: int, oldest: int) -> None:
    """Drop the problems of runs up to a number."""
    transaction.run("DELETE FROM problem_rows WHERE district = ? AND sync <= ?", (district, oldest))
