"""The schema, as ordered steps; each runs once, in one transaction with its own record, and is never edited once released.

Words that differ: `{number}` and `{bytes}` are the column types, `{text}` a text compared byte by byte, and `{clustered}`
keeps a SQLite table in the order of its primary key.
"""

from __future__ import annotations

from collections.abc import Callable

from rollbook.errors import BadSetting
from rollbook.store.database import Connection, Database

WORDS = {
    "sqlite": {"number": "INTEGER", "bytes": "BLOB", "text": "TEXT", "clustered": " WITHOUT ROWID", "serial": "INTEGER"},
    "postgresql": {"number": "BIGINT", "bytes": "BYTEA", "text": 'TEXT COLLATE "C"', "clustered": "", "serial": "BIGSERIAL"},
}


def migrate(database: Database) -> None:
    """Bring the schema up to date. Errors: BadSetting for a database written by a later version."""
    with database.write() as connection:
        _run(connection, "CREATE TABLE IF NOT EXISTS migrations (step {number} PRIMARY KEY, name {text} NOT NULL)")
        done = {step for (step,) in connection.rows("SELECT step FROM migrations")}
    if done and max(done) > len(STEPS):
        raise BadSetting(
            f"database: it was written by a later version of Rollbook (schema {max(done)}; this one knows {len(STEPS)})"
        )
    for step, function in enumerate(STEPS, start=1):
        if step not in done:
            with database.write() as connection:
                function(connection)
                connection.run("INSERT INTO migrations (step, name) VALUES (?, ?)", (step, function.__name__))


def _run(connection: Connection, sql: str) -> None:
    connection.run(sql.format(**WORDS[connection.dialect]))


def first_tables(connection: Connection) -> None:
    """Districts, their views, records and versions, their syncs, and the applications that read them."""
    for sql in (
        # Single values of the whole server.
        "CREATE TABLE facts (name {text} PRIMARY KEY, value {text} NOT NULL)",
        # head: the last committed sync, 0 before the first. id is the id on the wire.
        """CREATE TABLE districts (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             created {text} NOT NULL, head {number} NOT NULL DEFAULT 0)""",
        # One run that changed the district, or was held back. state: committed. report is the JSON that the run printed.
        """CREATE TABLE syncs (
             district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL,
             state {text} NOT NULL, created {text} NOT NULL, report {text} NOT NULL, PRIMARY KEY (district, sync))""",
        # What a set of connections sees of a district: equal specs (JSON) share one view. The first one holds everything.
        """CREATE TABLE views (
             number {serial} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number), spec {text} NOT NULL,
             UNIQUE (district, spec))""",
        # The current records of each view, and the lists that related paths read (kind is then the list's name, id its owner's).
        # since: the sync that wrote this version. roles: mask of a user's roles, NULL for all other kinds.
        # body: the record as the API shows it in this view; a field that the view does not show is not in it.
        """CREATE TABLE records (
             view {number} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL, since {number} NOT NULL,
             roles {number}, body {text} NOT NULL, PRIMARY KEY (view, kind, id)){clustered}""",
        "CREATE INDEX records_by_role ON records (view, roles, id) WHERE roles IS NOT NULL",
        # Superseded versions: in force from sync `since` until before sync `until`.
        """CREATE TABLE versions (
             view {number} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL, since {number} NOT NULL,
             until {number} NOT NULL, roles {number}, body {text} NOT NULL, PRIMARY KEY (view, kind, id, until)){clustered}""",
        "CREATE INDEX versions_by_end ON versions (view, until)",
        # The roster of a sync as columns, one Parquet file for each table: what the next sync compares with, and from which
        # any view can be made anew.
        """CREATE TABLE snapshots (
             district {number} NOT NULL, sync {number} NOT NULL, name {text} NOT NULL, data {bytes} NOT NULL,
             PRIMARY KEY (district, sync, name))""",
        # is_demo: holds published test credentials, which only a demo server accepts.
        """CREATE TABLE applications (
             number {serial} PRIMARY KEY, client_id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             secret_hash {text} NOT NULL, redirect_uris {text} NOT NULL, scopes {text} NOT NULL,
             created {text} NOT NULL, is_demo {number} NOT NULL DEFAULT 0)""",
        # One application in one district. The token stands twice: hashed for look-up, sealed under the server's key to be listed.
        """CREATE TABLE connections (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE,
             application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), view {number} NOT NULL REFERENCES views (number),
             token_hash {text} NOT NULL UNIQUE, token_sealed {text} NOT NULL, created {text} NOT NULL,
             is_demo {number} NOT NULL DEFAULT 0, UNIQUE (application, district))""",
    ):
        _run(connection, sql)


STEPS: tuple[Callable[[Connection], None], ...] = (first_tables,)
