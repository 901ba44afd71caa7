"""Counts that all machines on one PostgreSQL share: the requests of each token, and the snapshot of each pull.

Each change is one statement, and all machines see it when it ends. If the database server crashes, the table may
be lost. Then windows begin again, and each machine continues pulls by its own notes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from rollbook.store.engine import in_loop
from rollbook.store.engine.database import Database, Transaction

_NOW = "CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT)"
_LEFT = "greatest(? - c.number, 0)"
_IS_OPEN = f"(c.expires > {_NOW} AND c.expires <= excluded.expires)"
# A block is at most this part of the rest, so all machines take the last requests of a window one by one.
PART = 16
_TAKE = (
    f"INSERT INTO shared_counts AS c (key, expires, number, before) VALUES (?, {_NOW} + ?, 1, 0)"
    " ON CONFLICT (key) DO UPDATE SET"
    f" number = CASE WHEN {_IS_OPEN} THEN c.number + least(?, {_LEFT}, greatest({_LEFT} / {PART}, 1)) ELSE 1 END,"
    f" before = CASE WHEN {_IS_OPEN} THEN c.number ELSE 0 END,"
    f" expires = CASE WHEN {_IS_OPEN} THEN c.expires ELSE excluded.expires END"
    " RETURNING expires, number, number - before"
)
_NOTE = (
    "INSERT INTO shared_counts (key, expires, number, before)"
    " SELECT unnest(CAST(? AS TEXT[])), ?, unnest(CAST(? AS BIGINT[])), 0 ORDER BY 1"
    " ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, number = excluded.number"
)
_OTHER = "SELECT count(*) FROM shared_counts WHERE key = ? AND expires > ? AND number <> ?"
_NOTED = "SELECT number FROM shared_counts WHERE key = ? AND expires > ?"


class Block(NamedTuple):
    """Requests that one machine may admit: how many, the total given to all machines in this window so far, and the
    Unix second at which the window ends."""

    end: int
    given: int
    size: int


class SharedCounts:
    """The counts of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batches: dict[asyncio.AbstractEventLoop, _Batch] = {}

    def take(self, key: str, size: int, limit: int, window_seconds: int) -> Block:
        """Take requests of a window: `size`, or fewer near the limit, or none beyond it."""
        values = (_hash(f"limit {key}"), window_seconds, size, limit, limit)
        [(end, given, taken)] = self._database.alone(_TAKE, values)
        return Block(end, given, taken)

    def note(self, notes: Mapping[str, int], expires: int) -> None:
        """Set the numbers of keys; all machines see them when this ends.

        In a loop, the notes of all requests that wait at the same time are written together.
        """
        hashed = {_hash(f"pull {key}"): number for key, number in notes.items()}
        if work := in_loop.current():
            batch = self._batches.get(work.loop)
            if batch is None:
                self._batches = {loop: one for loop, one in self._batches.items() if not loop.is_closed()}
                batch = self._batches[work.loop] = _Batch(self._database)
            in_loop.wait(batch.add(hashed, expires))
        else:
            _write(self._database, hashed, expires)

    def sweep(self) -> None:
        """Drop what has expired."""
        self._database.alone(f"DELETE FROM shared_counts WHERE expires < {_NOW}")


def is_noted_at_most(transaction: Transaction, key: str, now: int, number: int) -> bool:
    """Whether only this number is noted for a key, as is most likely."""
    return transaction.gives(_OTHER, (_hash(f"pull {key}"), now, number), (0,))


def noted(transaction: Transaction, key: str, now: int) -> int | None:
    """The number that is noted for a key; None if there is none."""
    found = transaction.row(_NOTED, (_hash(f"pull {key}"), now))
    return int(found[0]) if found else None


class _Batch:
    """Notes that wait to be written together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, int] = {}
        self._expires = 0
        self._written: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def add(self, notes: Mapping[str, int], expires: int) -> None:
        """Add notes, and wait until they are written."""
        self._waiting.update(notes)
        self._expires = max(self._expires, expires)
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())
        await asyncio.shield(written)

    async def _write(self) -> None:
        while (written := self._written) is not None:
            notes, self._waiting, self._written = self._waiting, {}, None
            try:
                await in_loop.run(_write, self._database, notes, self._expires)
            except Exception as error:  # those who wait for it report it
                written.set_exception(error)
                written.exception()
            else:
                written.set_result(None)


def _write(database: Database, notes: Mapping[str, int], expires: int) -> None:
    keys = sorted(notes)  # in one order on all machines, so that none waits for another in a circle
    numbers = "{" + ",".join(str(notes[key]) for key in keys) + "}"
    database.alone(_NOTE, (keys, expires, numbers))


def _hash(key: str) -> str:
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=15).hexdigest()
