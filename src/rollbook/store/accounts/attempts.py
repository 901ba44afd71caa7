"""Counts of failed sign-ins, the turns of a slowed address, and which account has signed in from which
address.

A bucket says what is counted; it is stored as a hash. Each row expires, and each table has a maximum size.
The upkeep drops expired rows. A sign-in writes only its own rows, so parallel sign-ins do not conflict. A row
that expires later than a new one would is older than a change of the clock, and no longer counts.
"""

from __future__ import annotations

from rollbook.store.accounts.logins import now
from rollbook.store.engine.database import Transaction
from rollbook.store.engine.keys import digest

FAILURES_MAX = 100_000
FAMILIAR_MAX = 1_000_000
# One in so many new rows, chosen by hash, makes us count the table's rows.
_LOOKS = 16


def failures(transaction: Transaction, bucket: str, *, window_seconds: int) -> int:
    """How many attempts of a bucket failed in its window."""
    moment = now()
    found = transaction.row(
        "SELECT attempts FROM failures WHERE bucket = ? AND expires > ? AND expires <= ?",
        (digest(bucket), moment, moment + window_seconds),
    )
    return int(found[0]) if found else 0


def add_failure(transaction: Transaction, bucket: str, *, window_seconds: int) -> None:
    moment, hashed = now(), digest(bucket)
    counts = "failures.expires > ? AND failures.expires <= excluded.expires"
    transaction.run(
        "INSERT INTO failures (bucket, attempts, expires) VALUES (?, 1, ?) ON CONFLICT (bucket) DO UPDATE SET"
        f" attempts = CASE WHEN {counts} THEN failures.attempts + 1 ELSE 1 END,"
        f" expires = CASE WHEN {counts} THEN failures.expires ELSE excluded.expires END",
        (hashed, moment + window_seconds, moment, moment),
    )
    _make_room(transaction, "failures", hashed, FAILURES_MAX)


def forget_failures(transaction: Transaction, bucket: str) -> None:
    transaction.run("DELETE FROM failures WHERE bucket = ?", (digest(bucket),))


def take_turn(transaction: Transaction, bucket: str, *, gap_seconds: int) -> bool:
    """Take the bucket's next turn. False if the last turn was less than `gap_seconds` ago."""
    moment = now()
    taken = transaction.row(
        "INSERT INTO failures (bucket, attempts, expires) VALUES (?, 1, ?) ON CONFLICT (bucket)"
        " DO UPDATE SET expires = excluded.expires WHERE failures.expires <= ? OR failures.expires > excluded.expires"
        " RETURNING bucket",
        (digest(bucket), moment + gap_seconds, moment),
    )
    return taken is not None


def remember(transaction: Transaction, bucket: str, *, seconds: int) -> None:
    """Remember a success for so many seconds."""
    hashed, end = digest(bucket), now() + seconds
    transaction.run(
        (
            "INSERT INTO familiar (bucket, expires) VALUES (?, ?) ON CONFLICT (bucket) DO "
            "UPDATE SET expires = excluded.expires"
        ),
        (hashed, end),
    )
    _make_room(transaction, "familiar", hashed, FAMILIAR_MAX)


def is_remembered(transaction: Transaction, bucket: str) -> bool:
    return (
        transaction.row("SELECT 1 FROM familiar WHERE bucket = ? AND expires > ?", (digest(bucket), now()))
        is not None
    )


def _make_room(transaction: Transaction, table: str, hashed: str, most: int) -> None:
    """Drop the rows that expire first, if there are too many."""
    if int(hashed[:8], 16) % _LOOKS:
        return
    found = transaction.row(f"SELECT count(*) FROM {table}")
    if found and found[0] > most:
        drop = found[0] - most + most // 10
        transaction.run(
            f"DELETE FROM {table} WHERE bucket IN (SELECT bucket FROM {table} ORDER BY expires LIMIT ?)",
            (drop,),
        )
