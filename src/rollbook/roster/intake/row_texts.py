"""The problems of a run one by one, each with the text of its row, as far as a report may quote it.

Of a file that may hold passwords, only cells with a word of a closed list are quoted (see `quotable_cells`): a
shifted row can put a password into any other cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from rollbook.contract.clever.column_values import VALUE
from rollbook.contract.clever.columns import FILES, PASSWORD, Column, columns_of
from rollbook.roster.findings import Problems
from rollbook.roster.intake import quotable_cells
from rollbook.roster.intake.csv.raw_tables import Tables

# How many problems of one code in one file are kept, and how many of all. The report counts every one.
OF_EACH, MOST = 10_000, 50_000
CHARACTERS_MAX: Final = 200

# A problem: place, code, file, row (0 for none), column, value, expected, and the row's cells as JSON by header.
Told = tuple[int, str, str, int, str, str, str, str]


def read(tables: Tables, problems: Problems) -> list[Told]:
    """The first problems, in the order in which to fix them. Reads the files' tables, so they must still be there."""
    if not len(problems):
        return []
    problems.lay_out(OF_EACH, MOST)
    cells = dict(_cells(tables))
    found = tables.connection.execute(
        """SELECT place, code, file, coalesce("row", 0), coalesce(column_name, ''), coalesce(value, ''),
           coalesce(expected, '') FROM told ORDER BY place"""
    ).fetchall()
    return [(*row, cells.get(row[0], "{}")) for row in found]


def _cells(tables: Tables) -> Iterator[tuple[int, str]]:
    """The cells of each problem's row, as JSON, by the problem's place."""
    for file in FILES:
        shown = [column for column in columns_of(file.name) if _is_shown(tables, column)]
        if not shown:
            continue
        listed = ", ".join(column.name for column in shown)
        is_closed = quotable_cells.may_hold_passwords(tables, file.name)
        rows = tables.connection.execute(
            f"""SELECT place, {listed} FROM told JOIN (SELECT "row", {listed} FROM {file.table}) USING ("row")
                WHERE told.file = '{file.name}'"""
        ).fetchall()
        for place, *values in rows:
            given = {
                column.header: value[:CHARACTERS_MAX]
                for column, value in zip(shown, values, strict=True)
                if value and (not is_closed or value in _words(column))
            }
            yield place, json.dumps(given, ensure_ascii=False)


def _is_shown(tables: Tables, column: Column) -> bool:
    """Whether the file has the column, and the server reads it. The digest of a password is never shown."""
    return tables.has(column.file, column.name) and column.read and column.name != PASSWORD


def _words(column: Column) -> Mapping[str, str]:
    """The words of a closed list; none for a column of free text."""
    return VALUE[column.values].words if column.values else {}
