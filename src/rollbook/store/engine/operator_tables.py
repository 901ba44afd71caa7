"""The tables of the console, as steps of `migrations`; never edited once released.

Moments are Unix seconds. A column named `hash` holds the SHA-256 of a random secret.
"""

from __future__ import annotations

from typing import Final

from rollbook.store.engine.database import Transaction
from rollbook.store.engine.schema_words import run

_OPERATORS: Final = (
    # A person of the console. district: the only one that they see; NULL for all. password: Argon2id of a keyed
    # digest, blank until their link is used. codes_sealed: the secret of their one-time codes, sealed under the
    # server's key. last_code: the greatest step of time whose code was used, so that no code works twice.
    """CREATE TABLE operators (
         number {serial} PRIMARY KEY, name {text} NOT NULL UNIQUE, role {text} NOT NULL,
         district {number} REFERENCES districts (number), password {text} NOT NULL, codes_sealed {text} NOT NULL,
         last_code {number} NOT NULL DEFAULT 0, created {number} NOT NULL)""",
    # A link, good once, with which a person sets their password: the first operator, an invitation, or a reset.
    """CREATE TABLE operator_links (
         hash {text} PRIMARY KEY, name {text} NOT NULL, role {text} NOT NULL,
         district {number} REFERENCES districts (number), created {number} NOT NULL, expires {number} NOT NULL){clustered}""",
    # A browser in which a person is signed in to the console. seen: the last use, to the minute.
    """CREATE TABLE operator_sessions (
         hash {text} PRIMARY KEY, operator {number} NOT NULL REFERENCES operators (number), created {number} NOT NULL,
         seen {number} NOT NULL, expires {number} NOT NULL){clustered}""",
    "CREATE INDEX operator_sessions_by_operator ON operator_sessions (operator)",
)

_CHANGED: Final = (
    # What a run changed, or would change if it is approved, in the view of the whole district. kind: students,
    # teachers and so on for people. school: an id on the wire. The rows go with the versions of that time.
    """CREATE TABLE changed_records (
         district {number} NOT NULL REFERENCES districts (number), sync {number} NOT NULL, verb {text} NOT NULL,
         kind {text} NOT NULL, id {text} NOT NULL, sis_id {text} NOT NULL, name {text} NOT NULL,
         school {text} NOT NULL, grade {text} NOT NULL, PRIMARY KEY (district, sync, verb, kind, id)){clustered}""",
)

_PROBLEMS: Final = (
    # The problems of a run's files, one by one, in the order in which to fix them. line: the row's number
    # in a spreadsheet, 0 for none.
    # cells: the row as far as a report may quote it, as JSON by header; {} for none. The rows go with the versions of
    # that time.
    """CREATE TABLE problem_rows (
         district {number} NOT NULL REFERENCES districts (number) ON DELETE CASCADE, sync {number} NOT NULL,
         place {number} NOT NULL, code {text} NOT NULL, file {text} NOT NULL, line {number} NOT NULL,
         header {text} NOT NULL, value {text} NOT NULL, expected {text} NOT NULL, cells {text} NOT NULL,
         PRIMARY KEY (district, sync, place)){clustered}""",
)

_PASSKEYS: Final = (
    # A passkey. id, public_key: base64url, as the browser gave them. uses: the counter of its last answer, 0 if it
    # counts nothing. used: the last sign-in, 0 before the first.
    """CREATE TABLE operator_passkeys (
         id {text} PRIMARY KEY, operator {number} NOT NULL REFERENCES operators (number), name {text} NOT NULL,
         public_key {text} NOT NULL, uses {number} NOT NULL, created {number} NOT NULL, used {number} NOT NULL,
         UNIQUE (operator, name)){clustered}""",
    # The challenges that browsers answered, until they are too old anyway: each is good once.
    "CREATE TABLE spent_challenges (hash {text} PRIMARY KEY, expires {number} NOT NULL){clustered}",
    "CREATE INDEX spent_challenges_by_end ON spent_challenges (expires)",
)

_OWNERS: Final = (
    # The owners of an application: developers see and change only their own applications.
    """CREATE TABLE application_owners (
         application {number} NOT NULL REFERENCES applications (number),
         operator {number} NOT NULL REFERENCES operators (number), PRIMARY KEY (application, operator)){clustered}""",
    "CREATE INDEX application_owners_by_operator ON application_owners (operator)",
    # What an application needs each scope and field for, in its developer's words, as JSON.
    "ALTER TABLE applications ADD COLUMN why {text} NOT NULL DEFAULT '{{}}'",
)


def operators(transaction: Transaction) -> None:
    """The people of the console."""
    for sql in _OPERATORS:
        run(transaction, sql)


def changed_records(transaction: Transaction) -> None:
    """What each run changed, record by record; until now a report had a few examples."""
    for sql in _CHANGED:
        run(transaction, sql)


def problem_rows(transaction: Transaction) -> None:
    """The problems of each run one by one; until now a report had a few examples of each."""
    for sql in _PROBLEMS:
        run(transaction, sql)


def passkeys(transaction: Transaction) -> None:
    """Passkeys of the console's people; until now they had only a password and one-time codes."""
    for sql in _PASSKEYS:
        run(transaction, sql)


def application_owners(transaction: Transaction) -> None:
    """The owners of each application, and why it asks; until now developers shared all applications."""
    for sql in _OWNERS:
        run(transaction, sql)
