"""The tables of the console's people, as statements of a step of `migrations`; never edited once released.

Moments are Unix seconds. A column named `hash` holds the SHA-256 of a random secret.
"""

from __future__ import annotations

from typing import Final

OPERATORS: Final = (
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
