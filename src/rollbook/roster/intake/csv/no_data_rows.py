"""Rows without data (blank ones, a repeated header, dashes, totals): they are removed before other code reads
the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rollbook.contract.clever.columns import PASSWORD, File, columns_of, header_key
from rollbook.roster import findings
from rollbook.roster.intake.csv.csv_text import RULES, TOTAL, TOTAL_OR_NUMBER
from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.intake.csv.header import Header
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import DescribingRow, RepeatedHeader, SecondHeader, SeparatorRow, TotalRow
from rollbook.roster.sql_text import text

_BLANK: Final = "blank"
_RULES: Final = text(f"[{re.escape(RULES.decode())}]*")


def leave_out(opened: Tables, file: File, matched: Header, row: str, describing: tuple[int, ...] = ()) -> str:
    """The SQL condition that removes all rows of `read_FILE` without data; findings name them, except blank
    ones.

    The condition is blank if no row is left. `row` is the SQL of the row number, `describing` are the rows
    that describe columns. Errors: Unusable for another header among the rows.
    """
    left = _left_out(opened, file, matched, row)
    if not describing or not left:
        return left
    findings.record(opened.connection, [DescribingRow(file.name, row=number) for number in describing])
    left += f" AND {row} NOT IN ({', '.join(map(str, describing))})"
    return left if opened.one(f"SELECT count(*) FROM read_{file.table} {left}")[0] else ""


def _left_out(opened: Tables, file: File, matched: Header, row: str) -> str:
    """The SQL condition that removes all rows of `read_FILE` without data; findings name them, except blank
    ones.

    The condition is blank if no row is left. `row` is the SQL of the row number. Errors: Unusable for
    another header among the rows.
    """
    seldom, query = _queries(file, matched, row)
    if not opened.one(f"SELECT count(*) FROM read_{file.table} WHERE {seldom}")[0]:
        return "WHERE true"
    found = f"no_data_{file.table}"
    # No grouping, which needs memory of its own.
    count, second = opened.one(
        f"""SELECT count(*), min("row") FILTER (what = '{SecondHeader.code}') FROM ({query})"""
    )
    if second is not None:
        raise Unusable(SecondHeader(file.name, row=second))
    if not count:
        return "WHERE true"
    if count == opened.one(f"SELECT count(*) FROM read_{file.table}")[0]:
        return ""
    opened.connection.execute(f"CREATE TABLE {found} AS {query}")
    opened.connection.execute(
        f"""
        INSERT INTO problems SELECT what, '{file.name}', "row", NULL, NULL, NULL FROM {found} WHERE what <> '{_BLANK}'
        """
    )
    return f"""WHERE {row} NOT IN (SELECT "row" FROM {found})"""


def _queries(file: File, matched: Header, row: str) -> tuple[str, str]:
    """A condition on one cell that few rows of data meet, and a query for the rows without data, each with
    its kind.

    The query takes longer to plan than to run, so it is only made for files with cells of this kind.
    """
    places = {**matched.columns, **{f"ext.{name}": place for name, place in matched.extensions.items()}}
    cells = {_name(name): matched.keys[place] for name, place in places.items()}
    # Passwords are digests by now, and say nothing.
    seen = {name: key for name, key in cells.items() if name != _name(PASSWORD)}
    known = {*matched.keys, *(header_key(column.header) for column in columns_of(file.name))} - {""}
    # A required column, if there is one: it is seldom blank.
    first = next(
        (_name(c.name) for c in columns_of(file.name) if c.required and c.name in places), next(iter(seen))
    )
    # Most ids begin with a digit, and no header does, so few cells are compared with all headers.
    seldom = (
        f"(regexp_full_match({first}, {_RULES}) OR (ascii({first}) > {ord('9')} AND "
        f"{_is_header(first, known, TOTAL)}))"
    )
    # Regular expressions are compiled once; a list of texts takes memory for each compared cell.
    return (
        seldom,
        f"""
        SELECT "row", what FROM (
            SELECT {row} AS "row", CASE
                WHEN {_all(f"{name} = ''" for name in cells)} THEN '{_BLANK}'
                WHEN {_all(f"regexp_full_match({name}, {_RULES})" for name in seen)} THEN '{SeparatorRow.code}'
                WHEN {_all(_is_header(name, (key,)) for name, key in seen.items())} THEN '{RepeatedHeader.code}'
                WHEN {_all(_is_header(name, known) for name in seen)} THEN '{SecondHeader.code}'
                WHEN {_all(_is(name, TOTAL_OR_NUMBER) for name in seen)} AND ({_any(_is(name, TOTAL) for name in seen)})
                    THEN '{TotalRow.code}'
                END AS what
            FROM read_{file.table}
            WHERE {seldom}
        ) WHERE what IS NOT NULL
    """,
    )


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(conditions)


def _is_header(name: str, keys: Iterable[str], *patterns: str) -> str:
    """SQL for whether a cell is blank, or equals one of these headers or patterns."""
    spelled = "|".join((*(re.escape(key).replace("_", "[ _-]") for key in sorted(keys)), *patterns))
    return _is(name, f"({spelled})?")


def _is(name: str, pattern: str) -> str:
    return f"regexp_full_match({name}, {text(pattern)}, 'i')"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
