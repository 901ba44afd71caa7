"""The tables of mail and webhooks, as a step of `migrations`; never edited once released. Moments are Unix
milliseconds."""

from __future__ import annotations

from typing import Final

from rollbook.store.engine.database import Transaction
from rollbook.store.engine.schema_words import run

_DELIVERIES: Final = (
    # Who is told what. operator: a person of the console, who gets mail; NULL for a webhook. address: of the
    # mailbox, or the webhook's URL. topics: names between blanks. at, zone: when the summary of a night is sent.
    # district: the only one that a webhook tells of; NULL for all, and for people, whose account decides.
    # secret_sealed: the key of a webhook's signatures. told: when the last summary was due.
    """CREATE TABLE subscriptions (
         number {serial} PRIMARY KEY, operator {number} UNIQUE REFERENCES operators (number) ON DELETE CASCADE,
         address {text} NOT NULL, topics {text} NOT NULL, at {text} NOT NULL, zone {text} NOT NULL,
         district {number} REFERENCES districts (number), secret_sealed {text} NOT NULL, since {number} NOT NULL,
         told {number} NOT NULL DEFAULT 0)""",
    # The outbox: one happening for one subscription. id: the same in all attempts. content: JSON without a name or
    # field of a pupil. state: waiting, sending, sent, failed, unsure or dropped.
    """CREATE TABLE deliveries (
         number {serial} PRIMARY KEY, id {text} NOT NULL,
         subscription {number} NOT NULL REFERENCES subscriptions (number) ON DELETE CASCADE,
         happening {text} NOT NULL, topic {text} NOT NULL, district {number} REFERENCES districts (number),
         content {text} NOT NULL, state {text} NOT NULL, attempts {number} NOT NULL DEFAULT 0, due {number} NOT NULL,
         created {number} NOT NULL, ended {number}, message {text} NOT NULL DEFAULT '',
         UNIQUE (subscription, happening))""",
    "CREATE INDEX deliveries_by_state ON deliveries (state, due)",
    # The runs that a person must look at: a worker asks for the newest one every few seconds.
    "CREATE INDEX syncs_to_tell ON syncs (created) WHERE state IN ('held', 'failed')",
)


def deliveries(transaction: Transaction) -> None:
    """Mail and webhooks: who is told what, and the outbox."""
    for sql in _DELIVERIES:
        run(transaction, sql)
