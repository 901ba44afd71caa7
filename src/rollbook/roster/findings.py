"""The findings of one sync, in the order in which to fix them: errors before warnings, and files that others
refer to first.

`problems` defines each finding. The checks add theirs to the table in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final, get_args

import duckdb

from rollbook.contract.clever.columns import FILES
from rollbook.roster.problems import PROBLEM, PROBLEMS, LeftOut, Problem, Severity

# How many findings of one code in one file are shown as examples.
EXAMPLES: Final = 3
# How many stops a report lists one by one; each column of a file can have a wrong header.
STOPS_MAX: Final = 1000
BATCH_ROWS: Final = 10_000
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
# Rows refer to rows of earlier files: schools come first, then people, then sections with their enrollments.
FILE_ORDER: Final = (
    "schools.csv",
    *("students.csv", "teachers.csv", "staff.csv", "admins.csv", "administrators.csv"),
    *("sections.csv", "enrollments.csv", "resources.csv"),
)

_TABLE: Final = """
CREATE TABLE problems (
    code VARCHAR NOT NULL, file VARCHAR NOT NULL, "row" BIGINT, column_name VARCHAR, value VARCHAR, expected VARCHAR
)
"""


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one code in one file: how many, and the first few.

    `file` is blank for files that we do not read.
    """

    problem: type[Problem]
    file: str
    count: int
    examples: tuple[Problem, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "severity": self.problem.severity,
            "file": self.file,
            "code": self.problem.code,
            "title": self.problem.title,
            "count": self.count,
            "examples": [example.as_json() for example in self.examples],
        }


def create_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table that `record`, the checks and `Problems` share."""
    connection.execute(_TABLE)


def record(connection: duckdb.DuckDBPyConnection, problems: Iterable[Problem]) -> None:
    """Add single findings to the table; checks add theirs in bulk, with SQL."""
    rows = [(problem.code, *astuple(problem)) for problem in problems]
    if rows:
        connection.executemany("INSERT INTO problems VALUES (?, ?, ?, ?, ?, ?)", rows)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Findings outside a table, in the order in which to fix them."""
    return tuple(sorted(problems, key=_place))


def grouped(problems: Iterable[Problem]) -> tuple[Group, ...]:
    """Groups of findings outside a table, such as those that stopped a sync."""
    found: dict[tuple[int, int, int], list[Problem]] = {}
    for problem in in_order(problems):
        found.setdefault(_rank(problem), []).append(problem)
    return tuple(
        Group(type(each[0]), _known(each[0].file), len(each), tuple(each[:EXAMPLES]))
        for _, each in sorted(found.items())
    )


def problems_as_json(groups: Sequence[Group], problems: Iterable[Problem]) -> dict[str, object]:
    """Problems as each report shows them: counted by severity and by code, grouped with examples, and the
    first ones."""
    severities = {
        each: sum(group.count for group in groups if group.problem.severity == each) for each in SEVERITIES
    }
    return {
        "problems_by_severity": severities,
        "problem_groups": [group.as_json() for group in groups],
        "problems": [problem.as_json() for problem in problems],
    }


def _rank(problem: Problem) -> tuple[int, int, int]:
    file = FILE_ORDER.index(problem.file) if problem.file in FILE_ORDER else len(FILE_ORDER)
    return SEVERITIES.index(problem.severity), file, PROBLEMS.index(type(problem))


def _place(problem: Problem) -> tuple[object, ...]:
    severity, file, code = _rank(problem)
    return severity, file, problem.file, problem.row or 0, code, problem.column or "", problem.value or ""


def _known(file: str) -> str:
    return file if file in FILE_ORDER else ""


class Problems:
    """The findings of one sync: all are counted, and the first `most` are read one by one, in the order in
    which to fix them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, most: int) -> None:
        self._connection = connection
        self._most = most

    def __iter__(self) -> Iterator[Problem]:
        return self.first(self._most)

    def __len__(self) -> int:
        """How many there are, listed or not."""
        return sum(self.by_code().values())

    def first(self, most: int) -> Iterator[Problem]:
        """The first `most` findings, read in batches."""
        found = self._connection.cursor().execute(_IN_ORDER, [most])
        while rows := found.fetchmany(BATCH_ROWS):
            yield from (as_problem(row) for row in rows)

    def groups(self) -> tuple[Group, ...]:
        """All findings by severity, file and code, each with a few examples, in the order in which to fix
        them."""
        rows = self._connection.execute(_GROUPS, [EXAMPLES]).fetchall() if len(self) else ()
        return tuple(
            Group(
                PROBLEM[code],
                file,
                count,
                tuple(as_problem((code, *example.values())) for example in examples),
            )
            for code, file, count, examples in rows
        )

    def lay_out(self, of_each: int, most: int) -> None:
        """Make the table `told`: the first findings of each code in each file, `most` at most of all, with their
        `place` in the order in which to fix them."""
        self._connection.execute(_TOLD, [of_each, most])

    def by_code(self) -> dict[str, int]:
        """How many findings of each code."""
        return dict(
            self._connection.execute(
                "SELECT code, count(*) FROM problems GROUP BY code ORDER BY code"
            ).fetchall()
        )

    def errors_by_file(self) -> dict[str, int]:
        """How many rows of each file were rejected."""
        return self._left_out("row")

    def errors_by_kind(self) -> dict[str, int]:
        """How many rows were rejected of each roster table that files fill; also how many contacts of
        accepted rows."""
        rows, contacts = self._left_out("row"), self._left_out("contact")
        counts = {file.feeds: 0 for file in FILES} | {"contacts": sum(contacts.values())}
        for file in FILES:
            counts[file.feeds] += rows.get(file.name, 0)
        return counts

    def _left_out(self, what: LeftOut) -> dict[str, int]:
        codes = [problem.code for problem in PROBLEMS if problem.left_out == what]
        query = (
            'SELECT file, count(DISTINCT "row") FROM problems WHERE list_contains(?, code) '
            "GROUP BY file ORDER BY file"
        )
        return dict(self._connection.execute(query, [codes]).fetchall())


def as_problem(row: tuple[Any, ...]) -> Problem:
    code, *rest = row
    return PROBLEM[code](*rest)


def _position(column: str, words: Iterable[str]) -> str:
    """SQL for the position of a column's word in a list; unknown words come last."""
    words = tuple(words)
    listed = ", ".join(f"'{word}'" for word in words)
    return f"coalesce(list_position([{listed}], {column}), {len(words) + 1})"


_SEVERITY: Final = " ".join(
    f"WHEN '{problem.code}' THEN {SEVERITIES.index(problem.severity)}" for problem in PROBLEMS
)
_SEVERITY_RANK: Final = f"CASE code {_SEVERITY} END"
_FILE_RANK: Final = _position("file", FILE_ORDER)
_ORDER: Final = f"""
    {_SEVERITY_RANK}, {_FILE_RANK}, file, "row" NULLS FIRST, {_position("code", PROBLEM)}, column_name, value
"""
_IN_ORDER: Final = f"SELECT * FROM problems ORDER BY {_ORDER} LIMIT ?"
_TOLD: Final = f"""
    CREATE OR REPLACE TEMP TABLE told AS
    SELECT row_number() OVER (ORDER BY {_ORDER}) AS place, * FROM (
        SELECT * FROM problems
        QUALIFY row_number() OVER (PARTITION BY code, file ORDER BY "row" NULLS FIRST, column_name, value) <= ?
    ) ORDER BY place LIMIT ?
"""
# The first few by arg_min: one pass that keeps a few rows of each group, for any number of rows.
_GROUPS: Final = f"""
    SELECT code, if(file_rank > {len(FILE_ORDER)}, '', any_value(file)), count(*), arg_min(
        {{'file': file, 'row': "row", 'column': column_name, 'value': value, 'expected': expected}},
        (file, coalesce("row", 0), coalesce(column_name, ''), coalesce(value, '')), ?)
    FROM (SELECT *, {_FILE_RANK} AS file_rank FROM problems)
    GROUP BY code, file_rank ORDER BY {_SEVERITY_RANK}, file_rank, {_position("code", PROBLEM)}
"""
