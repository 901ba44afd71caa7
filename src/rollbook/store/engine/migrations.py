"""The schema, as ordered steps: each runs once, in one transaction, and is never edited after a release.

Most steps change what is there. A program that does not know such a step cannot use the database. The steps in
`ADDING` only add something: programs of the version before go on beside them, and can be installed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from rollbook.errors import BadSetting, Busy
from rollbook.store.engine import (
    delivery_tables,
    first_steps,
    job_tables,
    operator_tables,
    record_columns,
    scrubbing,
    search_tables,
    server_values,
    shared_texts,
    texts_to_columns,
)
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.schema_words import REQUEST_BATCHES, run, shared_counts

# The value of the whole server that says how many steps a program must know.
NEEDED: Final = "schema_needed"
# How long a step waits for tables that other transactions use, and how often it tries. While it waits for a table of
# PostgreSQL, all later readers of the table wait behind it.
LOCK_SECONDS, LOCK_TRIES = 1, 20


class Schema(NamedTuple):
    """The last step that a database has, the last one that this program knows, and the last one that a program must
    know to use the database."""

    last: int
    known: int
    needed: int


def schema(transaction: Transaction) -> Schema:
    """How far the schema of a database is."""
    found = transaction.row("SELECT max(step) FROM migrations")
    last = int(found[0] or 0) if found else 0
    return Schema(last, len(STEPS), int(server_values.read(transaction, NEEDED) or last) if last else 0)


def migrate(database: Database) -> None:
    """Bring the schema up to date, also if several programs start at once.

    Errors: BadSetting for a database of a later version, unless its later steps only added something.
    """
    done = _steps_done(database)
    if done and max(done) > len(STEPS):
        with database.read() as transaction:
            needed = schema(transaction).needed
        if needed > len(STEPS):
            raise BadSetting(
                f"database: it was written by a later version of Rollbook (schema {max(done)}; "
                f"this one knows {len(STEPS)})"
            )
    for step, function in enumerate(STEPS, start=1):
        if step not in done:
            _take(database, step, function)


def is_begun(database: Database) -> bool:
    """Whether the database has tables of Rollbook."""
    return bool(_steps_noted(database))


def _steps_noted(database: Database) -> set[int] | None:
    """The steps that were taken; None for a new database."""
    try:
        with database.read() as transaction:
            return {step for (step,) in transaction.rows("SELECT step FROM migrations")}
    except BadSetting:
        return None


def _steps_done(database: Database) -> set[int]:
    if (noted := _steps_noted(database)) is not None:
        return noted
    try:
        with database.write() as transaction:
            run(
                transaction,
                "CREATE TABLE IF NOT EXISTS migrations (step {number} PRIMARY KEY, name {text} NOT NULL)",
            )
    except Busy:  # another program has just made it
        pass
    return set()


def _take(database: Database, step: int, function: Callable[[Transaction], None]) -> None:
    tries = 1 if database.is_local else LOCK_TRIES
    while True:
        try:
            return _try(database, step, function)
        except Busy:
            tries -= 1
            if not tries:
                raise
        time.sleep(LOCK_SECONDS)


def _try(database: Database, step: int, function: Callable[[Transaction], None]) -> None:
    """Take a step, unless another program has. Errors: Busy if another transaction uses its tables."""
    with database.write() as transaction:
        if transaction.engine == "postgresql":
            # Lock first, so that the reads below see what the program before us wrote. SQLite has one writer
            # anyway.
            transaction.run("LOCK TABLE migrations IN EXCLUSIVE MODE")
            transaction.run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        if transaction.row("SELECT 1 FROM migrations WHERE step = ?", (step,)) is None:
            function(transaction)
            transaction.run("INSERT INTO migrations (step, name) VALUES (?, ?)", (step, function.__name__))
            if function not in ADDING:
                server_values.write(transaction, NEEDED, str(step))
            elif (
                server_values.read(transaction, NEEDED) is None
            ):  # a version without this value took the last step
                server_values.write(transaction, NEEDED, str(step - 1))


def sharing_columns(transaction: Transaction) -> None:
    """When a view's share was last edited, and what keeps the view from changing too much at once."""
    for sql in (
        # The run that last changed what is shared.
        "ALTER TABLE views ADD COLUMN edited {number} NOT NULL DEFAULT 0",
        # Whether the view freezes if a run would change too much of it, and why it is frozen now, as a JSON
        # list of reasons.
        "ALTER TABLE views ADD COLUMN freezes {number} NOT NULL DEFAULT 0",
        "ALTER TABLE views ADD COLUMN frozen {text} NOT NULL DEFAULT '[]'",
    ):
        run(transaction, sql)


def issuer_column(transaction: Transaction) -> None:
    """Whether logins to an application return with the issuer."""
    run(transaction, "ALTER TABLE applications ADD COLUMN names_issuer {number} NOT NULL DEFAULT 1")


def contact_column(transaction: Transaction) -> None:
    """The contact of a district for applications: a person's id on the wire."""
    run(transaction, "ALTER TABLE districts ADD COLUMN contact {text}")


def connections_since(transaction: Transaction) -> None:
    """The last run before a connection began: the connection never hears of records that had gone by then."""
    run(transaction, "ALTER TABLE connections ADD COLUMN since {number} NOT NULL DEFAULT 0")


def provider_columns(transaction: Transaction) -> None:
    """Which emails of its sign-in service a district accepts: unverified ones, those of one domain."""
    run(transaction, "ALTER TABLE providers ADD COLUMN trusts_email {number} NOT NULL DEFAULT 0")
    run(transaction, "ALTER TABLE providers ADD COLUMN domain {text} NOT NULL DEFAULT ''")


def district_rules(transaction: Transaction) -> None:
    """A district's own reading rules: a JSON object of names, each true or false."""
    run(transaction, "ALTER TABLE districts ADD COLUMN rules {text} NOT NULL DEFAULT '{{}}'")


def session_proof(transaction: Transaction) -> None:
    """What opened a session, which ends with it: the badge's hash or the password's verifier; or NULL."""
    run(transaction, "ALTER TABLE sessions ADD COLUMN proof {text}")


def sign_in_attempts(transaction: Transaction) -> None:
    """Accounts that have signed in from an address before; the end of failures, to drop them."""
    for sql in (
        "CREATE TABLE familiar (bucket {text} PRIMARY KEY, expires {number} NOT NULL){clustered}",
        "CREATE INDEX familiar_by_end ON familiar (expires)",
        "CREATE INDEX failures_by_end ON failures (expires)",
    ):
        run(transaction, sql)


def history_marks(transaction: Transaction) -> None:
    """Random marks of runs and views, because a restored database gives numbers again; blank: no mark."""
    run(transaction, "ALTER TABLE syncs ADD COLUMN mark {text} NOT NULL DEFAULT ''")
    run(transaction, "ALTER TABLE views ADD COLUMN mark {text} NOT NULL DEFAULT ''")


def scrubbed_texts(transaction: Transaction) -> None:
    """Remove cells of files and counts of people from what applications read, passwords from reports."""
    if transaction.engine == "sqlite":
        # Overwrite the replaced text in the file, too.
        transaction.run("PRAGMA secure_delete = ON")
    scrubbing.errors(transaction)
    scrubbing.reports(transaction)


def share_history(transaction: Transaction) -> None:
    """The shares of each connection, edit by edit. Before this step only the audit trail had them."""
    for sql in (
        # share: JSON, NULL for everything. The four lists are words between blanks. is_held: a freeze held
        # the edit back.
        """CREATE TABLE share_history (
             number {serial} PRIMARY KEY, connection {number} NOT NULL REFERENCES connections (number),
             created {text} NOT NULL, is_held {number} NOT NULL, share {text}, scopes {text} NOT NULL,
             withheld {text} NOT NULL, sensitive {text} NOT NULL, unasked {text} NOT NULL, keeps_ids {number} NOT NULL)""",
        "CREATE INDEX share_history_by_connection ON share_history (connection, number)",
    ):
        run(transaction, sql)
    texts_to_columns.shares(transaction)


def request_log(transaction: Transaction) -> None:
    """The request log, and ended tokens (`store.accounts.ended_tokens`), by which it explains failures."""
    run(
        transaction,
        """CREATE TABLE ended_tokens (
             hash {text} PRIMARY KEY, application {number} NOT NULL, district {number} NOT NULL, why {text} NOT NULL,
             ended {number} NOT NULL){clustered}""",
    )
    run(transaction, "CREATE INDEX ended_tokens_by_end ON ended_tokens (ended)")
    if transaction.engine == "postgresql":
        run(transaction, REQUEST_BATCHES)


def run_columns(transaction: Transaction) -> None:
    """Whether a run's report has lost its examples, and where a demo stands after a run.

    Before this step, texts held both.
    """
    for sql in (
        "ALTER TABLE syncs ADD COLUMN is_short {number} NOT NULL DEFAULT 0",
        # first: Unix seconds of day 0. in_force: names between blanks. The person is NULL if there is none.
        """CREATE TABLE demo_nights (
             district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL, students {number} NOT NULL,
             seed {number} NOT NULL, first {number} NOT NULL, day {number} NOT NULL, date {text} NOT NULL,
             in_force {text} NOT NULL, story {text} NOT NULL, unfinished {text} NOT NULL, nights {number} NOT NULL,
             person_sis_id {text}, person_name {text}, person_id {text}, PRIMARY KEY (district, sync)){clustered}""",
    ):
        run(transaction, sql)
    texts_to_columns.runs(transaction)


def events_of_versions(transaction: Transaction) -> None:
    """Events in the form of a later API version, where that differs; blank: it has no such event."""
    run(transaction, "ALTER TABLE events ADD COLUMN later_body {text}")


def nights(transaction: Transaction) -> None:
    """What runs by itself: jobs and who has leased them, schedules, and files that came."""
    for sql in (*job_tables.QUEUE, *job_tables.NIGHTS):
        run(transaction, sql)


def shared_bodies(transaction: Transaction) -> None:
    """Records of views that refer to the bodies of the whole view; until now each view had a copy."""
    for sql in record_columns.SPANS:
        run(transaction, sql)
    shared_texts.share(transaction)


STEPS: tuple[Callable[[Transaction], None], ...] = (
    first_steps.first_tables,
    first_steps.identity_tables,
    sharing_columns,
    issuer_column,
    contact_column,
    connections_since,
    provider_columns,
    district_rules,
    session_proof,
    sign_in_attempts,
    history_marks,
    scrubbed_texts,
    share_history,
    request_log,
    run_columns,
    events_of_versions,
    nights,
    record_columns.record_forms,
    record_columns.event_verbs,
    record_columns.whole_views,
    operator_tables.operators,
    search_tables.search_index,
    operator_tables.changed_records,
    shared_bodies,
    shared_counts,
    search_tables.sis_aliases,
    operator_tables.passkeys,
    delivery_tables.deliveries,
    operator_tables.application_owners,
    operator_tables.problem_rows,
    record_columns.no_index_by_end,
)
# A program that does not know such a step reads and writes as before, and what it writes leaves nothing wrong. So the
# step makes tables, indexes and columns with a default, or drops an index. A row of a new table that refers to a row
# of an old one goes with it (ON DELETE CASCADE), since the old program deletes rows.
ADDING: frozenset[Callable[[Transaction], None]] = frozenset(
    (
        search_tables.sis_aliases,
        delivery_tables.deliveries,
        operator_tables.problem_rows,
        record_columns.no_index_by_end,
    )
)
