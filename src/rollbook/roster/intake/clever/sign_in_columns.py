"""Columns for signing in: usernames, emails and keyed digests of passwords. No table holds a password.

The digest has two steps, each with its own key (NMAC). The first is made when a cell is read. The second
binds it to the person's role, username and email, so that equal passwords of two people look different.
`rollbook.auth.passwords` digests a typed password in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from rollbook.roster.sql_text import text
from rollbook.roster.words_for_nothing import is_nothing

TABLE: Final = "roster_credentials"
# Replaces a password that is a word for nothing: it is not a digest, and opens nothing.
NO_PASSWORD: Final = "nothing"  # noqa: S105 - says that there is no password
_BATCH: Final = 10_000
# Role, kept rows, the columns of username, email and password, the ids by key, and whether a person may have
# several rows: then the first value counts.
_SOURCES: Final = (
    ("student", "kept_students", "username", "student_email", "password", "students", False),
    ("teacher", "kept_teachers", "username", "teacher_email", "password", "teachers", False),
    ("staff", "kept_staff", "district_username", "email", "password", "staff", True),
    (
        "district_admin",
        "kept_administrators",
        "NULL::VARCHAR",
        "admin_email",
        "NULL::VARCHAR",
        "district_admins",
        True,
    ),
)


def digest(cell: str, key: str) -> str:
    """SQL for the first step of a password's digest; blank for a blank cell, or without a key."""
    if not key:
        return f"left({cell}, 0)"
    return f"""CASE WHEN {cell} = '' THEN '' WHEN {is_nothing(cell)} THEN '{NO_PASSWORD}'
        ELSE sha256('{key}' || nfc_normalize({cell})) END"""


def build(connection: duckdb.DuckDBPyConnection, key: str) -> None:
    """Create `roster_credentials` (role, key, username, email, verifier) from the kept rows: one row per
    person and role.

    A word for nothing is nobody's username, email or password.
    """
    parts = (
        f"""SELECT '{role}' AS role, key,
                lower(said_name(coalesce({username}, ''), {email}, '')) AS username,
                lower(said(coalesce({email}, ''))) AS email,
                replace(coalesce({password}, ''), '{NO_PASSWORD}', '') AS first_digest
            FROM {table} {"GROUP BY key" if repeats else ""}"""
        for role, table, *columns, _, repeats in _SOURCES
        for username, email, password in [
            [f'arg_min({column}, "row")' if repeats else column for column in columns]
        ]
    )
    bound = f"sha256('{key}' || role || chr(10) || username || chr(10) || email || chr(10) || first_digest)"
    connection.execute(
        f"""CREATE TABLE {TABLE} AS
            SELECT role, key, username, email, CASE WHEN first_digest = '' THEN '' ELSE {bound} END AS verifier
            FROM ({" UNION ALL ".join(parts)}) WHERE username <> '' OR email <> ''"""
    )


def count(connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows there are; 0 in a cloned district, which has no such table."""
    ((found,),) = connection.execute(
        f"SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE table_name = '{TABLE}'"
    ).fetchall()
    return int(found)


def compare(connection: duckdb.DuckDBPyConnection, credentials: Path, identity: Path) -> int:
    """Create `changed_sign_ins` (person, role): whose rows differ from those in two files of the last snapshot.
    Returns how many rows there were.

    The join carries 128 bits for each row, as in `roster_changes`.
    """
    told = ("username", "email", "verifier")
    said = ", ".join(f"hash({', '.join(order)})" for order in (told, told[::-1]))
    kept, ids = (f"read_parquet({text(str(file))})" for file in (credentials, identity))
    now, was = (
        f"(SELECT person, role, ({said}) AS said FROM ({_by_person(*tables)}))"
        for tables in ((TABLE, "identity"), (kept, ids))
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE changed_sign_ins AS
        SELECT person, role
        FROM {now} now FULL JOIN {was} was USING (person, role) WHERE now.said IS DISTINCT FROM was.said
        """
    )
    ((count,),) = connection.execute(f"SELECT count(*) FROM {kept}").fetchall()
    return int(count)


def changed(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(person, role) of the rows that `compare` found, whether they appear, change or vanish."""
    return connection.execute("SELECT person, role FROM changed_sign_ins ORDER BY ALL").fetchall()


def rows(
    connection: duckdb.DuckDBPyConnection, *, only_changed: bool = False
) -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of (person, role, username, email, verifier), after ids were given; in the order of the table's key.

    `only_changed`: those that `compare` found.
    """
    which = "SEMI JOIN changed_sign_ins USING (person, role)" if only_changed else ""
    found = connection.execute(
        f"SELECT * FROM ({_by_person(TABLE, 'identity')}) {which} ORDER BY person, role"
    )
    while batch := found.fetchmany(_BATCH):
        yield from batch


def _by_person(table: str, identity: str) -> str:
    return " UNION ALL ".join(
        (
            f"SELECT coalesce(user, id) AS person, role, username, email, verifier FROM {table} JOIN {identity} "
            f"USING (key) WHERE role = '{role}' AND source = '{source}' AND gone IS NULL"
        )
        for role, *_, source, _ in _SOURCES
    )
