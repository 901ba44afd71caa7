"""Count values whose form differs from the specification. They are shown unchanged (recorded for emails)."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from rollbook.contract.clever.column_values import VALUE
from rollbook.contract.clever.columns import COLUMNS, Column
from rollbook.roster.findings import record
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import OtherForm

# The required form of a value, as SQL for the column `{0}`. `uniqueness` reports words for nothing.
FORMS: Final = {
    "email": "is_nothing({0}) OR is_email({0})",
    "state": "regexp_full_match({0}, '[A-Za-z]{{2}}')",
    "zip": "regexp_full_match({0}, '[A-Za-z0-9]{{5}}([A-Za-z0-9]{{4}})?')",
}
_KEPT: Final = ("schools.csv", "students.csv", "teachers.csv")


def report(tables: Tables) -> None:
    """One finding for each column: its first value of another form, and how many there are."""
    sent = [column for column in COLUMNS if column.values in FORMS and tables.has(column.file, column.name)]
    for rows, columns in groupby(sent, _rows):
        _report(tables, rows, list(columns))


def _rows(column: Column) -> str:
    if column.name.startswith("contact_"):
        return "kept_contacts"
    table = column.file.removesuffix(".csv")
    return f"kept_{table}" if column.file in _KEPT else f"usable_{table}"


def _report(tables: Tables, rows: str, columns: list[Column]) -> None:
    """One pass over the rows for all of their columns."""
    others = ", ".join(
        f"""if({column.name} <> '' AND NOT ({FORMS[column.values].format(column.name)}), "row", NULL) AS other{number}"""
        for number, column in enumerate(columns)
    )
    counted = ", ".join(f"count(other{number}), min(other{number})" for number in range(len(columns)))
    found = tables.one(f"SELECT {counted} FROM (SELECT {others} FROM {rows})")
    for number, column in enumerate(columns):
        count, row = found[2 * number : 2 * number + 2]
        if count:
            expected = VALUE[column.values].expected
            record(tables.connection, [OtherForm(column.file, row, column.header, str(count), expected)])
