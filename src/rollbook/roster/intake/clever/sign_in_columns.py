"""Columns for signing in: usernames, emails and keyed digests of passwords. No table holds a password.

The digest has two steps, each with its own key (NMAC). The first is made when a cell is read. The second
binds it to the person's role, username and email, so that equal passwords of two people look different.
`rollbook.auth.passwords` digests a typed password in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb

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


def rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of (person, role, username, email, verifier), after ids were given; in the order of the table's key."""
    parts = " UNION ALL ".join(
        (
            f"SELECT coalesce(user, id) AS person, role, username, email, verifier FROM {TABLE} JOIN identity "
            f"USING (key) WHERE role = '{role}' AND source = '{source}' AND gone IS NULL"
        )
        for role, *_, source, _ in _SOURCES
    )
    found = connection.execute(f"SELECT * FROM ({parts}) ORDER BY person, role")
    while batch := found.fetchmany(_BATCH):
        yield from batch
