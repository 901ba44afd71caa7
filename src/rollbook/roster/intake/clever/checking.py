"""Checks and levels, and the rules that several files share. `levels` has the rules of each file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollbook.contract.clever.columns import columns_of
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import ConflictingRepeat, DuplicateId, MissingValue, Problem, RewrittenId


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: a query for the rows of a file that break it, which selects `row, value, expected`.

    `header` is the wrong column; if the file lacks it, the rule is skipped. It is None if the query itself
    selects it, as `column_name`. `file` is None for a rule over several files, whose query selects `file`,
    too.

    Most rules find nothing in most districts, and preparing a long query costs more than running a short one.
    So the query only runs if all of its cheap conditions hold: `sign` is true for a row of the file, rows
    share the column `repeats`, such rows differ in one of the columns `compares`, and the short query
    `suspects` finds rows. One pass checks all signs of a file, and one more all that rules compare. The query
    reads the found rows as the table `suspects`.
    """

    problem: type[Problem]
    file: str | None
    header: str | None
    query: str
    suspects: str = ""
    sign: str = ""
    repeats: str = ""
    compares: tuple[str, ...] = ()

    def applies_to(self, tables: Tables) -> bool:
        """Whether the district sent the file and the column of the rule."""
        if self.file is None:
            return True
        return (
            self.file in tables.columns if self.header is None else tables.has(self.file, self.header.lower())
        )


@dataclass(frozen=True, slots=True)
class Level:
    """Rules that do not depend on each other, in any order, then the statements that keep the remaining
    rows. `build` does what needs more than statements."""

    checks: tuple[Check, ...]
    keep: tuple[str, ...] = ()
    build: Callable[[Tables], None] | None = None


def table_of(file: str) -> str:
    """The view of a file's rows; the one with `usable_` in front leaves out rows with an error so far."""
    return file.removesuffix(".csv")


def missing_values(file: str, *headers: str) -> tuple[Check, ...]:
    """A required value is blank.

    `headers` are the columns; by default, all that the contract requires.
    """
    required = headers or tuple(column.header for column in columns_of(file) if column.required)
    return tuple(
        Check(
            MissingValue,
            file,
            header,
            f"""SELECT "row", '' AS value, NULL AS expected FROM {table_of(file)} WHERE {header.lower()} = ''""",
            sign=f"{header.lower()} = ''",
        )
        for header in required
    )


def rewritten_ids(file: str) -> tuple[Check, ...]:
    """An id such as 1.23457E+11 has lost its digits.

    It identifies nobody, and rows with the same one are different records.
    """
    return tuple(
        Check(
            RewrittenId,
            file,
            column.header,
            f"""SELECT "row", {column.name} AS value, NULL AS expected FROM {table_of(file)} WHERE is_rewritten({column.name})""",
            sign=f"contains({column.name}, '+')",
        )
        for column in columns_of(file)
        if column.required and column.name.endswith("_id")
    )


def unknown_reference(problem: type[Problem], file: str, header: str, keys: str) -> Check:
    """A value is not among the keys (a query for `key`) that earlier levels kept."""
    column = header.lower()
    unknown = f"""
        SELECT "row", {column} AS value
        FROM {table_of(file)} ANTI JOIN ({keys}) AS known ON known.key = {column}
        WHERE {column} <> '' AND NOT is_rewritten({column})
    """
    return Check(problem, file, header, with_nearest(keys), suspects=unknown)


def with_nearest(keys: str, *also: str) -> str:
    """The suspects (`row`, `value` and the columns `also`), unknown values, each with a key that is `alike`, if
    there is one."""
    return f"""
        WITH sought AS (SELECT DISTINCT alike(value) AS form FROM suspects),
        nearest AS (
            SELECT alike(key) AS form, min(key) AS expected FROM ({keys}) SEMI JOIN sought ON form = alike(key) GROUP BY ALL
        )
        SELECT {", ".join(('"row"', "value", "expected", *also))} FROM suspects LEFT JOIN nearest ON form = alike(value)
    """


def duplicates(file: str, header: str, *also: str, when: str = "true") -> Check:
    """A key (with the columns `also`) occurs in an earlier kept row."""
    table, column = f"usable_{table_of(file)}", header.lower()
    key = ", ".join((column, *also))
    twice = f"""SELECT {key}, min("row") AS first_row FROM {table} GROUP BY ALL HAVING count(*) > 1"""
    return Check(
        DuplicateId,
        file,
        header,
        f"""
        SELECT "row", {column} AS value, NULL AS expected
        FROM {table}
        JOIN suspects USING ({key})
        WHERE "row" > first_row AND {when}
        """,
        suspects=twice,
        repeats=column,
    )


def conflicts(tables: Tables, file: str, key: str, *apart: str) -> Check:
    """A further row of one person differs from the first one in a column; the columns `apart` may differ."""
    headers = {
        c.name: c.header for c in columns_of(file) if tables.has(file, c.name) and c.name not in (key, *apart)
    }
    if tables.extensions.get(file):
        headers["ext"] = "ext"
    differing = " UNION ALL ".join(
        f"""
        SELECT "row", '{header}' AS column_name, {column} AS value, first_{column} AS expected
        FROM rows WHERE {column} IS DISTINCT FROM first_{column}
        """
        for column, header in headers.items()
    )
    firsts = ", ".join(f'arg_min({column}, "row") AS first_{column}' for column in headers)
    said = ", ".join(headers)
    disagreeing = f"""
        SELECT {key} FROM (SELECT {key}, hash({said}) AS said FROM usable_{table_of(file)})
        GROUP BY {key} HAVING min(said) <> max(said)
    """
    return Check(
        ConflictingRepeat,
        file,
        None,
        f"""
        WITH theirs AS MATERIALIZED (SELECT "row", {key}, {said} FROM usable_{table_of(file)} SEMI JOIN suspects USING ({key})),
        rows AS MATERIALIZED (SELECT * FROM theirs JOIN (SELECT {key}, {firsts} FROM theirs GROUP BY {key}) USING ({key}))
        {differing or "SELECT NULL"}
        """,
        suspects=disagreeing,
        repeats=key,
        compares=tuple(headers),
    )
