"""Run the rules of `levels` on a district's tables, level by level.

`readings` finds what a kept value means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
    able = _promising(tables, [rule for level in every for rule in level.checks])
    for level in every:
        has_left_out = False
        for rule in level.checks:
            if rule in able and _finds(tables, rule.suspects):
                _run(tables, rule)
                has_left_out = has_left_out or rule.problem.left_out == "row"
        if has_left_out:
            _leave_out(tables)
        for statement in level.keep:
            tables.connection.execute(statement)
        if level.build:
            level.build(tables)
    readings.build(tables, rules)
    quotable_cells.hide(tables)
    return Problems(tables.connection, rules.problems_max)


def _promising(tables: Tables, rules: Sequence[Check]) -> set[Check]:
    """The rules that may find something. One pass over each file checks all of its signs."""
    sent = [rule for rule in rules if rule.applies_to(tables)]
    signs: dict[str, dict[str, bool]] = {}
    for rule in sent:
        if rule.file and (sign := _sign(rule)):
            signs.setdefault(rule.file, {})[sign] = False
    for file, of_file in signs.items():
        found = tables.one(f"SELECT {', '.join(of_file)} FROM {table_of(file)}")
        of_file.update(zip(of_file, found, strict=True))
    able = [rule for rule in sent if rule.file is None or signs.get(rule.file, {}).get(_sign(rule), True)]
    comparing: dict[tuple[str, str], list[Check]] = {}
    for rule in able:
        if rule.file and rule.compares:
            comparing.setdefault((rule.file, rule.repeats), []).append(rule)
    for (file, key), together in comparing.items():
        if not _differ(tables, file, key, sorted({column for rule in together for column in rule.compares})):
            able = [rule for rule in able if rule not in together]
    return set(able)


def _sign(rule: Check) -> str:
    """SQL for whether a file may have rows that break a rule; blank if no cheap sign says so."""
    if rule.sign:
        return f"bool_or({rule.sign})"
    # An export repeats a student for each contact, so that it would be counted for nothing.
    is_counted = rule.repeats and rule.file != _REPEATING
    return f"count(*) > count(DISTINCT {rule.repeats})" if is_counted else ""


def _differ(tables: Tables, file: str, key: str, columns: Sequence[str]) -> bool:
    """Whether any rows of a file with the same key differ in one of the columns."""
    return bool(
        tables.one(
            f"""
            SELECT count(*) FROM (
                SELECT {key} FROM (SELECT {key}, hash({", ".join(columns)}) AS said FROM {table_of(file)})
                GROUP BY {key} HAVING min(said) <> max(said)
            )
            """
        )[0]
    )


def _finds(tables: Tables, suspects: str) -> bool:
    """Make the table of a rule's suspects, if it has any condition for them; whether there are any."""
    return not suspects or bool(tables.one(f"CREATE OR REPLACE TEMP TABLE suspects AS {suspects}")[0])


def _run(tables: Tables, rule: Check) -> None:
    file = "file" if rule.file is None else f"'{rule.file}'"
    header = "column_name" if rule.header is None else f"'{rule.header}'"
    tables.connection.execute(
        f"""
        INSERT INTO problems
        SELECT '{rule.problem.code}', {file}, "row", {header},
            left(value, {VALUE_CHARACTERS_MAX}), left(expected, {VALUE_CHARACTERS_MAX})
        FROM ({rule.query})
        """
    )


def _leave_out(tables: Tables) -> None:
    """Take the rows with an error so far from the views `usable_FILE`. Most files have none, and need no
    join."""
    found = tables.connection.execute(
        f"SELECT DISTINCT file FROM problems WHERE code IN ({_ERRORS})"
    ).fetchall()
    for (file,) in found:
        tables.connection.execute(
            f"""
            CREATE OR REPLACE VIEW usable_{table_of(file)} AS SELECT * FROM {table_of(file)} ANTI JOIN
            (SELECT "row" FROM problems WHERE file = '{file}' AND code IN ({_ERRORS})) AS left_out USING ("row")
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
    # The rows of each file without an error so far: all of them, until `_leave_out`.
    *(f"CREATE VIEW usable_{file.table} AS FROM {file.table}" for file in FILES),
)
