"""Columns that say of records, events and views what names, texts and order told before, as statements of steps of
`migrations`; never edited once released.
"""

from __future__ import annotations

from typing import Final

from rollbook.store.engine.database import Transaction
from rollbook.store.engine.schema_words import run

_KEY: Final = (
    "view {number} NOT NULL, form {number} NOT NULL DEFAULT 0, kind {text} NOT NULL, id {text} NOT NULL"
)
_FORM_OF_NAME: Final = (
    "CASE kind WHEN 'users@3.1' THEN 1 ELSE 0 END, CASE kind WHEN 'users@3.1' THEN 'users' ELSE kind END"
)

FORMS: Final = (
    # form: 0 for the record that all versions of the API share; another one where a later version's differs. Its roles
    # are NULL, so that an index by role holds each person once.
    "ALTER TABLE records RENAME TO old_records",
    f"""CREATE TABLE records (
         {_KEY}, since {{number}} NOT NULL, roles {{number}}, body {{text}} NOT NULL,
         PRIMARY KEY (view, form, kind, id)){{clustered}}""",
    f"""INSERT INTO records (view, form, kind, id, since, roles, body)
         SELECT view, {_FORM_OF_NAME}, id, since, roles, body FROM old_records""",
    "DROP TABLE old_records",
    "CREATE INDEX records_by_role ON records (view, roles, id) WHERE roles IS NOT NULL",
    "ALTER TABLE versions RENAME TO old_versions",
    f"""CREATE TABLE versions (
         {_KEY}, since {{number}} NOT NULL, until {{number}} NOT NULL, roles {{number}}, body {{text}} NOT NULL,
         PRIMARY KEY (view, form, kind, until, id)){{clustered}}""",
    f"""INSERT INTO versions (view, form, kind, id, since, until, roles, body)
         SELECT view, {_FORM_OF_NAME}, id, since, until, roles, body FROM old_versions""",
    "DROP TABLE old_versions",
    "CREATE INDEX versions_by_role ON versions (view, roles, until, id) WHERE roles IS NOT NULL",
    "CREATE INDEX versions_by_end ON versions (view, until)",
)

EVENTS: Final = (
    # What happened to the record: created, updated or deleted. With `kind` it is the type of the event.
    "ALTER TABLE events ADD COLUMN verb {text} NOT NULL DEFAULT ''",
    # A body begins with its id and its type: {{"id":"<24>","type":"users.updated", and each verb has seven letters.
    """UPDATE events SET verb = substr(CASE body WHEN '' THEN later_body ELSE body END, 43 + length(kind), 7)""",
)

SPANS: Final = (
    # How a record's text is cut from the body of the same record in the whole view, followed by its own body. NULL:
    # its own body is its text.
    "ALTER TABLE records ADD COLUMN spans {text}",
    "ALTER TABLE versions ADD COLUMN spans {text}",
)

VIEWS: Final = (
    # The one view of its district that shows everything except sensitive fields.
    "ALTER TABLE views ADD COLUMN is_whole {number} NOT NULL DEFAULT 0",
    "UPDATE views SET is_whole = 1 WHERE number IN (SELECT min(number) FROM views GROUP BY district)",
    "CREATE UNIQUE INDEX views_whole ON views (district) WHERE is_whole = 1",
)


def record_forms(transaction: Transaction) -> None:
    """The form of a record in its key; until now the name of the kind told of it."""
    for sql in FORMS:
        run(transaction, sql)


def event_verbs(transaction: Transaction) -> None:
    """What an event tells of its record; until now only the event's JSON told it."""
    for sql in EVENTS:
        run(transaction, sql)


def whole_views(transaction: Transaction) -> None:
    """Which view is the whole district; until now it was the one with the lowest number."""
    for sql in VIEWS:
        run(transaction, sql)


def no_index_by_end(transaction: Transaction) -> None:
    """The key of `versions` finds those that ended by a run, kind by kind. The index repeated the key of each row, which
    is nearly a whole row where a view refers to the body of another one."""
    run(transaction, "DROP INDEX versions_by_end")
