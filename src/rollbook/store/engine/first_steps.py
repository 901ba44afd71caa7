"""The tables of the first release, as steps of `migrations`; never edited once released."""

from __future__ import annotations

from rollbook.store.engine.database import Transaction
from rollbook.store.engine.schema_words import run


def first_tables(transaction: Transaction) -> None:
    """Districts, their views, records and versions, their syncs, and the applications that read them."""
    for sql in (
        # Single values of the whole server.
        "CREATE TABLE facts (name {text} PRIMARY KEY, value {text} NOT NULL)",
        # id: the id on the wire. head: the last run that changed anything. snapshot: the last committed run,
        # with which the next sync compares; 0 before the first. The rest is the district's own record.
        """CREATE TABLE districts (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             created {text} NOT NULL, head {number} NOT NULL DEFAULT 0, snapshot {number} NOT NULL DEFAULT 0,
             state {text} NOT NULL, error {text} NOT NULL, last_sync {text},
             pause_start {text}, pause_end {text}, given {text})""",
        # One run. cause: files, undo, approval, share, pause, clone. state: committed, failed or held, later
        # approved, discarded or replaced. report: its JSON. last_event: the greatest event id at its end.
        """CREATE TABLE syncs (
             district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL, cause {text} NOT NULL,
             state {text} NOT NULL, created {text} NOT NULL, report {text} NOT NULL, last_event {text} NOT NULL,
             PRIMARY KEY (district, sync))""",
        # When to hold a sync: limits for each kind, in percent. A kind without a row has the defaults.
        """CREATE TABLE thresholds (
             district {number} NOT NULL REFERENCES districts (number), kind {text} NOT NULL,
             updated_percent {number} NOT NULL, deleted_percent {number} NOT NULL, PRIMARY KEY (district, kind))""",
        # What connections see of a district. owner: the only connection that uses the view; 0: all with an
        # equal spec (JSON) share it. The first view holds everything.
        """CREATE TABLE views (
             number {serial} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number),
             owner {number} NOT NULL DEFAULT 0, spec {text} NOT NULL, UNIQUE (district, owner, spec))""",
        # The current records of each view, and the lists of related paths (kind is then the list's name, id
        # its owner's id). since: the sync that wrote this version. roles: mask of a user's roles, NULL for
        # other kinds. body: the record as the API shows it in this view, without hidden fields.
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
        # The events that each view publishes. kind: the record's kind. schools: the ids by which the event is
        # found, between blanks.
        """CREATE TABLE events (
             view {number} NOT NULL, id {text} NOT NULL, kind {text} NOT NULL, schools {text} NOT NULL, body {text} NOT NULL,
             PRIMARY KEY (view, id)){clustered}""",
        # The roster of a sync as columns, one Parquet file for each table. The next sync compares with it,
        # and any view can be made from it.
        """CREATE TABLE snapshots (
             district {number} NOT NULL, sync {number} NOT NULL, name {text} NOT NULL, data {bytes} NOT NULL,
             PRIMARY KEY (district, sync, name))""",
        # is_demo: the application has published test credentials, which only a demo server accepts.
        """CREATE TABLE applications (
             number {serial} PRIMARY KEY, client_id {text} NOT NULL UNIQUE, name {text} NOT NULL UNIQUE,
             secret_hash {text} NOT NULL, redirect_uris {text} NOT NULL, scopes {text} NOT NULL,
             created {text} NOT NULL, is_demo {number} NOT NULL DEFAULT 0)""",
        # One application in one district. The token stands twice: hashed for look-up, and sealed under the
        # server's key for listing. events_after: the connection's events are those with a greater id; NULL
        # while its events are off.
        """CREATE TABLE connections (
             number {serial} PRIMARY KEY, id {text} NOT NULL UNIQUE,
             application {number} NOT NULL REFERENCES applications (number),
             district {number} NOT NULL REFERENCES districts (number), view {number} NOT NULL REFERENCES views (number),
             token_hash {text} NOT NULL UNIQUE, token_sealed {text} NOT NULL, created {text} NOT NULL, events_after {text},
             is_demo {number} NOT NULL DEFAULT 0, UNIQUE (application, district))""",
    ):
        run(transaction, sql)


def identity_tables(transaction: Transaction) -> None:
    """What applications ask for, how people sign in, the secrets that they get, and an audit trail.

    Times are Unix seconds. A column named `hash` holds the SHA-256 of a random secret. Codes, tokens and the
    trail are written at each login, so they have only the indexes that a login needs.
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
        # There is more than one during a rotation; the old secret then has an end.
        """CREATE TABLE application_secrets (
             application {number} NOT NULL REFERENCES applications (number), hash {text} NOT NULL,
             created {text} NOT NULL, expires {number}, PRIMARY KEY (application, hash))""",
        """INSERT INTO application_secrets (application, hash, created)
             SELECT number, secret_hash, created FROM applications""",
        "ALTER TABLE applications DROP COLUMN secret_hash",
        # user_id: the person's id on the wire. token_hash: the token for which the code was exchanged.
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
        # A browser in which a person is signed in. seen: the last use, to the minute.
        """CREATE TABLE sessions (
             hash {text} PRIMARY KEY, district {number} NOT NULL REFERENCES districts (number), user_id {text} NOT NULL,
             role {text} NOT NULL, method {text} NOT NULL, created {number} NOT NULL, seen {number} NOT NULL,
             expires {number} NOT NULL)""",
        "CREATE INDEX sessions_by_end ON sessions (expires)",
        # Failed attempts to sign in, counted by a bucket: a hash of who tried what.
        """CREATE TABLE failures (
             bucket {text} PRIMARY KEY, attempts {number} NOT NULL, expires {number} NOT NULL)""",
        # What a sync brings for signing in. username: in lower case. verifier: keyed digest of the password,
        # which shows that a password changed. password: its Argon2id hash, made at its first use.
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
        # Keys that sign id tokens; the newest signs, all that are not retired are published. public: a JWK.
        """CREATE TABLE signing_keys (
             id {text} PRIMARY KEY, private_sealed {text} NOT NULL, public {text} NOT NULL, created {text} NOT NULL,
             retires {number})""",
        """CREATE TABLE audit (
             number {serial} PRIMARY KEY, created {text} NOT NULL, action {text} NOT NULL, district {number},
             application {number}, user_id {text} NOT NULL, address {text} NOT NULL, detail {text} NOT NULL)""",
    ):
        run(transaction, sql)
