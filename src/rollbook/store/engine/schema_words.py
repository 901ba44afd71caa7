"""The words of the schema that differ between the two databases.

`{number}` and `{bytes}` are the column types. `{text}` is a text compared byte by byte. `{clustered}` keeps a SQLite
table in the order of its primary key. `{serial}` counts up, and a table that is `{unlogged}` may be lost in a crash.
"""

from __future__ import annotations

from rollbook.store.engine.database import Transaction

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

# The request log. With SQLite it has a file of its own, which `store.records.request_log` opens.
REQUEST_BATCHES = """CREATE {unlogged}TABLE IF NOT EXISTS request_batches (
    number {serial} PRIMARY KEY, at {number} NOT NULL, entries {number} NOT NULL, size {number} NOT NULL,
    dropped {number} NOT NULL, body {bytes} NOT NULL)"""


def run(transaction: Transaction, sql: str) -> None:
    """Run a statement of the schema in the words of the connection's database."""
    transaction.run(sql.format(**WORDS[transaction.engine]))


def shared_counts(transaction: Transaction) -> None:
    """A step of the schema: what several machines count together; on one machine, a file counts.

    `key` is the hash of what is counted, `number` the count, `expires` a Unix second. `before` is the count before
    the last change, so that a change can tell how much it added.
    """
    if transaction.engine == "postgresql":
        run(
            transaction,
            """CREATE {unlogged}TABLE shared_counts (
                 key {text} PRIMARY KEY, expires {number} NOT NULL, number {number} NOT NULL,
                 before {number} NOT NULL)""",
        )
