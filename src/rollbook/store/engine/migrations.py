"""The schema, as ordered steps; each runs once, in one transaction with its own record, and is never edited
once released.

Words that differ: `{number}` and `{bytes}` are the column types, `{text}` a text compared byte by byte, and
`{clustered}` keeps a SQLite table in the order of its primary key.
"""

from __future__ import annotations

from collections.abc import Callable

from rollbook.errors import BadSetting, Busy
from rollbook.store.engine import job_tables, scrubbing, texts_to_columns
from rollbook.store.engine.database import Connection, Database

WORDS = {
    "sqlite": {
        "number": "INTEGER",
        "bytes": "BLOB",
        "text": "TEXT",
        "clustered": " WITHOUT ROWID",
        "serial": "INTEGER",
        "unlogged": "",
    },
    "postgresql": {
        "number": "BIGINT",
        "bytes": "BYTEA",
        "text": 'TEXT COLLATE "C"',
        "clustered": "",
        "serial": "BIGSERIAL",
        "unlogged": "UNLOGGED ",
    },
}

# The log of requests. In SQLite it stands in a file of its own, which `store.records.request_log` opens.
REQUEST_BATCHES = """CREATE {unlogged}TABLE IF NOT EXISTS request_batches (
    number {serial} PRIMARY KEY, at {number} NOT NULL, entries {number} NOT NULL, size {number} NOT NULL,
    dropped {number} NOT NULL, body {bytes} NOT NULL)"""


def migrate(database: Database) -> None:
    """Bring the schema up to date, also when several programs begin at once.

    Errors: BadSetting for a database written by a later version.
    """
    done = _steps_done(database)
    if done and max(done) > len(STEPS):
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
    """The steps taken; None for a new database."""
    try:
        with database.read() as connection:
            return {step for (step,) in connection.rows("SELECT step FROM migrations")}
    except BadSetting:
        return None


def _steps_done(database: Database) -> set[int]:
    if (noted := _steps_noted(database)) is not None:
        return noted
    try:
        with database.write() as connection:
            _run(
                connection,
                "CREATE TABLE IF NOT EXISTS migrations (step {number} PRIMARY KEY, name {text} NOT NULL)",
            )
    except Busy:  # another program has just made it
        pass
    return set()


def _take(database: Database, step: int, function: Callable[[Connection], None]) -> None:
    with database.write() as connection:
        if connection.engine == "postgresql":
            # Before anything is read, so that it is read as the one that went before left it; SQLite has one
            # writer anyhow.
            connection.run("LOCK TABLE migrations IN EXCLUSIVE MODE")
        if connection.row("SELECT 1 FROM migrations WHERE step = ?", (step,)) is None:
            function(connection)
            connection.run("INSERT INTO migrations (step, name) VALUES (?, ?)", (step, function.__name__))


def _run(connection: Connection, sql: str) -> None:
    connection.run(sql.format(**WORDS[connection.engine]))


def first_tables(connection: Connection) -> None:
    """Districts, their views, records and versions, their syncs, and the applications that read them."""
    for sql in (
        # Single values of the whole server.
        "CREATE TABLE facts (name {text} PRIMARY KEY, value {text} NOT NULL)",
        # id is the id on the wire. head: the last run that changed anything, by which answers are known;
        # snapshot: the last committed one, with which the next sync compares; 0 before the first. The rest is
        # the district's own record.
        """CREATE TABLE districts (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             created {text} NOT NULL, head {number} NOT NULL DEFAULT 0, snapshot {number} NOT NULL DEFAULT 0,
             state {text} NOT NULL, error {text} NOT NULL, last_sync {text},
             pause_start {text}, pause_end {text}, given {text})""",
        # One run on a district, in order. cause: files, undo, approval, share, pause, clone. state:
        # committed, held, failed, and for what was held: approved, discarded, replaced. report is the JSON
        # that the run printed. last_event: the greatest event id that existed when it ended.
        """CREATE TABLE syncs (
             district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL, cause {text} NOT NULL,
             state {text} NOT NULL, created {text} NOT NULL, report {text} NOT NULL, last_event {text} NOT NULL,
             PRIMARY KEY (district, sync))""",
        # When a sync is held: shares of a kind, in percent; kinds without a row have the defaults.
        """CREATE TABLE thresholds (
             district {number} NOT NULL REFERENCES districts (number), kind {text} NOT NULL,
             updated_percent {number} NOT NULL, deleted_percent {number} NOT NULL, PRIMARY KEY (district, kind))""",
        # What connections see of a district. owner: the connection whose own view it is; 0 for one that all
        # connections of an equal spec (JSON) share. The first one holds everything.
        """CREATE TABLE views (
             number {serial} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number),
             owner {number} NOT NULL DEFAULT 0, spec {text} NOT NULL, UNIQUE (district, owner, spec))""",
        # The current records of each view, and the lists that related paths read (kind is then the list's
        # name, id its owner's). since: the sync that wrote this version. roles: mask of a user's roles, NULL
        # for all other kinds. body: the record as the API shows it in this view; a field that the view does
        # not show is not in it.
        """CREATE TABLE records (
             view {number} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL, since {number} NOT NULL,
             roles {number}, body {text} NOT NULL, PRIMARY KEY (view, kind, id)){clustered}""",
        "CREATE INDEX records_by_role ON records (view, roles, id) WHERE roles IS NOT NULL",
        # Superseded versions: in force from sync `since` until before sync `until`.
        """CREATE TABLE versions (
             view {number} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL, since {number} NOT NULL,
             until {number} NOT NULL, roles {number}, body {text} NOT NULL, PRIMARY KEY (view, kind, until, id)){clustered}""",
        "CREATE INDEX versions_by_role ON versions (view, roles, until, id) WHERE roles IS NOT NULL",
        "CREATE INDEX versions_by_end ON versions (view, until)",
        # What each view publishes. kind is the record's; schools are the ids by which it is found, between
        # blanks.
        """CREATE TABLE events (
             view {number} NOT NULL, id {text} NOT NULL, kind {text} NOT NULL, schools {text} NOT NULL, body {text} NOT NULL,
             PRIMARY KEY (view, id)){clustered}""",
        # The roster of a sync as columns, one Parquet file for each table: what the next sync compares with,
        # and from which any view can be made anew.
        """CREATE TABLE snapshots (
             district {number} NOT NULL, sync {number} NOT NULL, name {text} NOT NULL, data {bytes} NOT NULL,
             PRIMARY KEY (district, sync, name))""",
        # is_demo: holds published test credentials, which only a demo server accepts.
        """CREATE TABLE applications (
             number {serial} PRIMARY KEY, client_id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             secret_hash {text} NOT NULL, redirect_uris {text} NOT NULL, scopes {text} NOT NULL,
             created {text} NOT NULL, is_demo {number} NOT NULL DEFAULT 0)""",
        # One application in one district. The token stands twice: hashed for look-up, sealed under the
        # server's key to be listed. events_after: the connection's events are those with a greater id; NULL
        # while they are off.
        """CREATE TABLE connections (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE,
             application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), view {number} NOT NULL REFERENCES views (number),
             token_hash {text} NOT NULL UNIQUE, token_sealed {text} NOT NULL, created {text} NOT NULL, events_after {text},
             is_demo {number} NOT NULL DEFAULT 0, UNIQUE (application, district))""",
    ):
        _run(connection, sql)


def identity_tables(connection: Connection) -> None:
    """What applications ask for, who signs in and how, what they are given, and a trail of it.

    Moments are Unix seconds; a column named `hash` holds the SHA-256 of a random secret. Codes, tokens and
    the trail are written at each login, so they have no index that a login does not need.
    """
    for sql in (
        "ALTER TABLE applications ADD COLUMN tier {text} NOT NULL DEFAULT 'secure_sync'",
        (
            "ALTER TABLE applications ADD COLUMN user_types {text} NOT NULL DEFAULT 'student "
            "teacher staff district_admin'"
        ),
        "ALTER TABLE applications ADD COLUMN has_oidc {number} NOT NULL DEFAULT 1",
        "ALTER TABLE applications ADD COLUMN has_events {number} NOT NULL DEFAULT 0",
        "ALTER TABLE applications ADD COLUMN is_live {number} NOT NULL DEFAULT 0",
        # JSON: {{"required": [...], "optional": [...]}}, the fields of people that the application asks a
        # district for.
        "ALTER TABLE applications ADD COLUMN fields {text} NOT NULL DEFAULT '{{}}'",
        # More than one while a secret is rotated; the old one then has an end.
        """CREATE TABLE application_secrets (
             application {number} NOT NULL REFERENCES applications (number), hash {text} NOT NULL,
             created {text} NOT NULL, expires {number}, PRIMARY KEY (application, hash))""",
        """INSERT INTO application_secrets (application, hash, created)
             SELECT number, secret_hash, created FROM applications""",
        "ALTER TABLE applications DROP COLUMN secret_hash",
        # user_id: the person's id on the wire. token_hash: what the code was exchanged for, once it was.
        """CREATE TABLE codes (
             hash {text} PRIMARY KEY, application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL, role {text} NOT NULL,
             authorized_by {text} NOT NULL, redirect_uri {text} NOT NULL, nonce {text}, challenge {text}, challenge_method {text},
             signed_in {number} NOT NULL, wants_auth_time {number} NOT NULL, expires {number} NOT NULL,
             token_hash {text}){clustered}""",
        """CREATE TABLE user_tokens (
             hash {text} PRIMARY KEY, application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL, role {text} NOT NULL,
             authorized_by {text} NOT NULL, created {number} NOT NULL, expires {number} NOT NULL,
             is_demo {number} NOT NULL DEFAULT 0){clustered}""",
        # A browser in which somebody is signed in. seen: the last use, to the minute.
        """CREATE TABLE sessions (
             hash {text} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL,
             role {text} NOT NULL, method {text} NOT NULL, created {number} NOT NULL, seen {number} NOT NULL,
             expires {number} NOT NULL)""",
        "CREATE INDEX sessions_by_end ON sessions (expires)",
        # Failed attempts to sign in, counted by who tried what; bucket is a hash.
        """CREATE TABLE failures (
             bucket {text} PRIMARY KEY, attempts {number} NOT NULL, expires {number} NOT NULL)""",
        # What a sync brings for signing in. username: in lower case. verifier: keyed digest of the password,
        # by which a change is noticed; password: its Argon2id hash, made when it is first used.
        """CREATE TABLE credentials (
             district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL, role {text} NOT NULL,
             username {text} NOT NULL, email {text} NOT NULL, verifier {text} NOT NULL, password {text},
             PRIMARY KEY (district, user_id, role)){clustered}""",
        "CREATE INDEX credentials_by_username ON credentials (district, username)",
        "CREATE INDEX credentials_by_email ON credentials (district, email)",
        """CREATE TABLE badges (
             hash {text} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL,
             created {text} NOT NULL, UNIQUE (district, user_id))""",
        # A district's own sign-in service, which speaks OpenID Connect.
        """CREATE TABLE providers (
             district {number} PRIMARY KEY REFERENCES districts (number), name {text} NOT NULL, issuer {text} NOT NULL,
             client_id {text} NOT NULL, secret_sealed {text} NOT NULL, created {text} NOT NULL)""",
        # Teachers who let a Library application see their classes.
        """CREATE TABLE grants (
             application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL, created {text} NOT NULL,
             PRIMARY KEY (application, district, user_id)){clustered}""",
        # Keys that sign id tokens: the newest signs, those not yet retired are published. public: a JWK.
        """CREATE TABLE signing_keys (
             id {text} PRIMARY KEY, private_sealed {text} NOT NULL, public {text} NOT NULL, created {text} NOT NULL,
             retires {number})""",
        """CREATE TABLE audit (
             number {serial} PRIMARY KEY, created {text} NOT NULL, action {text} NOT NULL, district {number},
             application {number}, user_id {text} NOT NULL, address {text} NOT NULL, detail {text} NOT NULL)""",
    ):
        _run(connection, sql)


def sharing_columns(connection: Connection) -> None:
    """When what a view shares was last edited, and what keeps it from changing too much at once."""
    for sql in (
        # The run that last changed what is shared.
        "ALTER TABLE views ADD COLUMN edited {number} NOT NULL DEFAULT 0",
        # Whether the view stays as it is when a run would change too much of it; and why it does so now, a
        # JSON list of reasons.
        "ALTER TABLE views ADD COLUMN freezes {number} NOT NULL DEFAULT 0",
        "ALTER TABLE views ADD COLUMN frozen {text} NOT NULL DEFAULT '[]'",
    ):
        _run(connection, sql)


def issuer_column(connection: Connection) -> None:
    """Whether logins to an application return with the issuer."""
    _run(connection, "ALTER TABLE applications ADD COLUMN names_issuer {number} NOT NULL DEFAULT 1")


def contact_column(connection: Connection) -> None:
    """Whom applications may turn to in a district: a person's id on the wire."""
    _run(connection, "ALTER TABLE districts ADD COLUMN contact {text}")


def connections_since(connection: Connection) -> None:
    """The run after which a connection began: it is told of nothing that was gone before."""
    _run(connection, "ALTER TABLE connections ADD COLUMN since {number} NOT NULL DEFAULT 0")


def provider_columns(connection: Connection) -> None:
    """Which emails a district believes of its sign-in service: also unverified ones, and only those of a
    domain."""
    _run(connection, "ALTER TABLE providers ADD COLUMN trusts_email {number} NOT NULL DEFAULT 0")
    _run(connection, "ALTER TABLE providers ADD COLUMN domain {text} NOT NULL DEFAULT ''")


def district_rules(connection: Connection) -> None:
    """How a district's files are read, where that differs from the defaults: a JSON object of names, each
    true or false."""
    _run(connection, "ALTER TABLE districts ADD COLUMN rules {text} NOT NULL DEFAULT '{{}}'")


def session_proof(connection: Connection) -> None:
    """What a session was opened with: the badge's hash or the password's verifier. It ends with that; NULL:
    with nothing."""
    _run(connection, "ALTER TABLE sessions ADD COLUMN proof {text}")


def sign_in_attempts(connection: Connection) -> None:
    """Accounts that have signed in from an address before; and the end of failures, by which many of them are
    dropped."""
    for sql in (
        "CREATE TABLE familiar (bucket {text} PRIMARY KEY, expires {number} NOT NULL){clustered}",
        "CREATE INDEX familiar_by_end ON familiar (expires)",
        "CREATE INDEX failures_by_end ON failures (expires)",
    ):
        _run(connection, sql)


def history_marks(connection: Connection) -> None:
    """Random marks of runs and views: after a restore their numbers are given again. Blank: from before there
    were marks."""
    _run(connection, "ALTER TABLE syncs ADD COLUMN mark {text} NOT NULL DEFAULT ''")
    _run(connection, "ALTER TABLE views ADD COLUMN mark {text} NOT NULL DEFAULT ''")


def scrubbed_texts(connection: Connection) -> None:
    """No cell of a district's files, and no count of its people, in what applications read; no password in
    reports."""
    if connection.engine == "sqlite":
        # What is replaced is overwritten in the file, too.
        connection.run("PRAGMA secure_delete = ON")
    scrubbing.errors(connection)
    scrubbing.reports(connection)


def share_history(connection: Connection) -> None:
    """What each connection was shared, edit by edit; until now only the audit trail told of it."""
    for sql in (
        # share: JSON, NULL for everything. The four lists stand as words between blanks. is_held: an edit that
        # a freeze held back.
        """CREATE TABLE share_history (
             number {serial} PRIMARY KEY, connection {number} NOT NULL REFERENCES connections (number),
             created {text} NOT NULL, is_held {number} NOT NULL, share {text}, scopes {text} NOT NULL,
             withheld {text} NOT NULL, sensitive {text} NOT NULL, unasked {text} NOT NULL, keeps_ids {number} NOT NULL)""",
        "CREATE INDEX share_history_by_connection ON share_history (connection, number)",
    ):
        _run(connection, sql)
    texts_to_columns.shares(connection)


def request_log(connection: Connection) -> None:
    """Tokens that were taken away, by which the request log says why a request failed; and the log itself.

    `why` is a key of `store.accounts.ended_tokens.REASONS`, `ended` Unix seconds.
    """
    _run(
        connection,
        """CREATE TABLE ended_tokens (
             hash {text} PRIMARY KEY, application {number} NOT NULL, district {number} NOT NULL, why {text} NOT NULL,
             ended {number} NOT NULL){clustered}""",
    )
    _run(connection, "CREATE INDEX ended_tokens_by_end ON ended_tokens (ended)")
    if connection.engine == "postgresql":
        _run(connection, REQUEST_BATCHES)


def run_columns(connection: Connection) -> None:
    """Whether a run's report has lost its examples, and where a demo stands after a run; until now texts told of
    both."""
    for sql in (
        "ALTER TABLE syncs ADD COLUMN is_short {number} NOT NULL DEFAULT 0",
        # first: Unix seconds of day 0. in_force: names between blanks. The person is NULL in a night about nobody.
        """CREATE TABLE demo_nights (
             district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL, students {number} NOT NULL,
             seed {number} NOT NULL, first {number} NOT NULL, day {number} NOT NULL, date {text} NOT NULL,
             in_force {text} NOT NULL, story {text} NOT NULL, unfinished {text} NOT NULL, nights {number} NOT NULL,
             person_sis_id {text}, person_name {text}, person_id {text}, PRIMARY KEY (district, sync)){clustered}""",
    ):
        _run(connection, sql)
    texts_to_columns.runs(connection)


def events_of_versions(connection: Connection) -> None:
    """An event as a later version of the API shows it, where that differs from the first one's; a blank body:
    that version has no such event."""
    _run(connection, "ALTER TABLE events ADD COLUMN later_body {text}")


def nights(connection: Connection) -> None:
    """What runs by itself: jobs and who has leased them, schedules, and files that came."""
    for sql in (*job_tables.QUEUE, *job_tables.NIGHTS):
        _run(connection, sql)


STEPS: tuple[Callable[[Connection], None], ...] = (
    first_tables,
    identity_tables,
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
)
