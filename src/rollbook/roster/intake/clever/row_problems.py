"""The problems of people's rows, kept beside the snapshot: `explain` says why a row was rejected.

A shifted row can put a password into the column of ids. So the table keeps a keyed digest of each id, and
never the cell.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.roster import findings
from rollbook.roster.problems import Problem
from rollbook.roster.sql_text import text

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

TABLE: Final = "row_problems"
ROWS_MAX: Final = 100_000
# By table of a file: the column with the SIS id of a person.
_IDS: Final = {
    "students": "student_id",
    "teachers": "teacher_id",
    "staff": "staff_id",
    "admins": "staff_id",
    "administrators": "admin_id",
}


def write(connection: duckdb.DuckDBPyConnection, key: str, folder: Path) -> dict[str, Path]:
    """Write the problems of rows of people into a file, with a digest of each row's SIS id under `key`.

    Returns the file by its name in a snapshot.
    """
    rows = " UNION ALL ".join(
        f"""SELECT '{table}.csv' AS file, "row", sha256({text(key)} || {column}) AS person
            FROM {table} SEMI JOIN (SELECT "row" FROM problems WHERE file = '{table}.csv') USING ("row")
            WHERE {column} <> ''"""
        for table, column in _IDS.items()
    )
    path = folder / f"{TABLE}.parquet"
    connection.execute(
        f"""
        COPY (SELECT problems.*, person FROM problems JOIN ({rows}) USING (file, "row") ORDER BY file, "row" LIMIT {ROWS_MAX})
        TO {text(str(path))} (FORMAT parquet, COMPRESSION zstd)
        """
    )
    return {TABLE: path}


def of(connection: duckdb.DuckDBPyConnection, file: Path, key: str, sis_id: str) -> list[Problem]:
    """The problems of a person's rows, in the order in which to fix them."""
    person = hashlib.sha256(f"{key}{sis_id}".encode()).hexdigest()
    found = connection.execute(
        'SELECT code, file, "row", column_name, value, expected FROM read_parquet(?) WHERE person = ?',
        [str(file), person],
    ).fetchall()
    return list(findings.in_order(findings.as_problem(row) for row in found))
