"""Run the rules of `levels` on a district's tables, level by level.

`readings` finds what a kept value means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from duckdb import DuckDBPyConnection

from rollbook.contract.clever.columns import FILES
from rollbook.domain.reading_rules import Rules
from rollbook.roster import words_for_nothing
from rollbook.roster.findings import Problems
from rollbook.roster.intake import quotable_cells
from rollbook.roster.intake.clever import readings, repeated_rows
from rollbook.roster.intake.clever.checking import Check, table_of
from rollbook.roster.intake.clever.levels import levels
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import PROBLEMS, VALUE_CHARACTERS_MAX


def check(tables: Tables, rules: Rules) -> Problems:
    """Find every problem of the rows, and keep the rows without an error.

    The problems go into the connection's table `problems`, which already has those from reading the files.
    """
    words_for_nothing.find(tables)
    for statement in _BEFORE:
        tables.connection.execute(statement)
    every = levels(tables, rules)
    repeated = _repeated(tables, [rule for level in every for rule in level.checks])
    for level in every:
        able = [rule for rule in level.checks if not rule.repeats or (rule.file, rule.repeats) in repeated]
        for rule in _promising(tables, able):
            _run(tables.connection, rule)
        for statement in level.keep:
            tables.connection.execute(statement)
    readings.build(tables, rules)
    quotable_cells.hide(tables)
    return Problems(tables.connection, rules.problems_max)


def _repeated(tables: Tables, rules: Sequence[Check]) -> set[tuple[str | None, str]]:
    """The files and columns of which rules need rows that share a value, and of which there are such rows."""
    asked = {(rule.file, rule.repeats) for rule in rules if rule.repeats and rule.applies_to(tables)}
    # An export repeats a student for each contact, so that it would be counted for nothing.
    places = sorted((file, column) for file, column in asked if file and file != _REPEATING)
    counts = ", ".join(
        f"(SELECT count(*) > count(DISTINCT {column}) FROM {table_of(file)})" for file, column in places
    )
    found = tables.one(f"SELECT {counts}") if places else ()
    return {
        *(place for place in asked if place[0] == _REPEATING),
        *(place for place, is_repeated in zip(places, found, strict=True) if is_repeated),
    }


def _promising(tables: Tables, rules: Sequence[Check]) -> Iterator[Check]:
    """The rules that may find something. One pass over each file checks all of its signs."""
    sent = sorted(
        (rule for rule in rules if rule.applies_to(tables)), key=lambda rule: (not rule.sign, rule.file or "")
    )
    for (has_sign, _), together in groupby(sent, lambda rule: (bool(rule.sign), rule.file)):
        of_file = list(together)
        if has_sign and (table := of_file[0].file):
            found = tables.one(
                f"SELECT {', '.join(f'bool_or({rule.sign})' for rule in of_file)} FROM {table_of(table)}"
            )
            of_file = [rule for rule, is_there in zip(of_file, found, strict=True) if is_there]
        yield from (rule for rule in of_file if not rule.suspects or _finds(tables, rule.suspects))


def _finds(tables: Tables, suspects: str) -> bool:
    """Make the table of a rule's suspects; whether there are any."""
    return bool(tables.one(f"CREATE OR REPLACE TEMP TABLE suspects AS {suspects}")[0])


def _run(connection: DuckDBPyConnection, rule: Check) -> None:
    file = "file" if rule.file is None else f"'{rule.file}'"
    header = "column_name" if rule.header is None else f"'{rule.header}'"
    connection.execute(
        f"""
        INSERT INTO problems
        SELECT '{rule.problem.code}', {file}, "row", {header},
            left(value, {VALUE_CHARACTERS_MAX}), left(expected, {VALUE_CHARACTERS_MAX})
        FROM ({rule.query})
        """
    )


_REPEATING: Final = "students.csv"
_ERRORS: Final = ", ".join(f"'{problem.code}'" for problem in PROBLEMS if problem.left_out == "row")
_BEFORE: Final = (
    # One part of a key, with its length in front.
    "CREATE MACRO part(piece) AS length(coalesce(piece, '')) || ':' || coalesce(piece, '') || ' '",
    *words_for_nothing.MACROS,
    *repeated_rows.MACROS,
    # The roles of a resource, with any usual separator between them; `students` is `student`.
    """
    CREATE MACRO role_words(roles) AS list_transform(
        string_split_regex(replace(lower(coalesce(roles, '')), ' ', ''), '[,;/|]'), lambda word: rtrim(word, 's')
    )
    """,
    # What two ids share although a spreadsheet or number format changed one: leading zeros, a trailing `.0`
    # or dot, thousands commas, blanks and invisible marks, letter case.
    r"CREATE MACRO alike(id) AS ltrim(regexp_replace(lower(id), '[.]0*$|[\s,\p{Z}\p{Cf}]', '', 'g'), '0')",
    # The rows of each file without an error so far.
    *(
        f"""
        CREATE VIEW usable_{file.table} AS SELECT * FROM {file.table}
        ANTI JOIN (SELECT "row" FROM problems WHERE file = '{file.name}' AND code IN ({_ERRORS})) AS left_out USING ("row")
        """
        for file in FILES
    ),
)
