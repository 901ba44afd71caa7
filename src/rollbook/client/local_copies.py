"""Copies of a district for an application: in memory, or in an SQLite file.

A copy holds each record byte for byte. It changes in one step: a killed program leaves the previous copy
intact.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from rollbook.client.client_errors import BadArgument
from rollbook.client.record_types import R, Record

# A record's kind, id and bytes; None in place of the bytes if the record was deleted.
Change = tuple[str, str, bytes | None]
TABLES = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copy_state (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB);
"""
PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
# The mark of the file's format, in SQLite's own header.
APPLICATION_ID = 0x526F6C6C


class State(msgspec.Struct, frozen=True):
    """Where a copy stands: its last event and snapshot, the time of the request (seconds since 1970), its
    kinds, and its districts with their last sync."""

    last_event: str
    snapshot: str
    asked: float
    kinds: tuple[str, ...]
    districts: dict[str, str]


class LocalCopy(ABC):
    """A copy that `Client.update` keeps up to date. `state` is None before the first pull."""

    state: State | None = None

    def get(self, kind: type[R], id_: str) -> R | None:
        """The record of an id; None if the copy does not have it."""
        body = self.body(kind, id_)
        return None if body is None else msgspec.json.decode(body, type=kind)

    def all(self, kind: type[R]) -> Iterator[R]:
        """Every record of a kind, by id."""
        decode = msgspec.json.Decoder(kind).decode
        return (decode(body) for body in self.bodies(kind))

    @abstractmethod
    def count(self, kind: type[Record]) -> int:
        """How many records of a kind there are."""

    @abstractmethod
    def body(self, kind: type[Record], id_: str) -> bytes | None:
        """The record's JSON, byte for byte."""

    @abstractmethod
    def bodies(self, kind: type[Record]) -> Iterator[bytes]:
        """The JSON of every record of a kind, by id."""

    @abstractmethod
    def draft(self) -> Draft:
        """Begin a new copy, which replaces this one when it is finished."""

    @abstractmethod
    def apply(self, changes: Iterable[Change], state: State) -> None:
        """Change some records, all or none."""


class Draft(ABC):
    """A new copy in the making. An unfinished one is dropped at the end of the block."""

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    @abstractmethod
    def put(self, kind: str, records: Iterable[tuple[str, bytes]]) -> None:
        """Add records."""

    @abstractmethod
    def finish(self, state: State) -> None:
        """Replace the previous copy."""

    @abstractmethod
    def drop(self) -> None:
        """Drop an unfinished copy."""


class MemoryCopy(LocalCopy):
    """A copy in dicts, which lasts as long as the program."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, bytes]] = {}

    def count(self, kind: type[Record]) -> int:
        return len(self.records.get(kind.KIND, ()))

    def body(self, kind: type[Record], id_: str) -> bytes | None:
        return self.records.get(kind.KIND, {}).get(id_)

    def bodies(self, kind: type[Record]) -> Iterator[bytes]:
        return (body for _, body in sorted(self.records.get(kind.KIND, {}).items()))

    def draft(self) -> Draft:
        return _MemoryDraft(self)

    def apply(self, changes: Iterable[Change], state: State) -> None:
        for kind, id_, body in changes:
            if body is None:
                self.records[kind].pop(id_, None)
            else:
                self.records[kind][id_] = body
        self.state = state


class _MemoryDraft(Draft):
    def __init__(self, copy: MemoryCopy) -> None:
        self._copy = copy
        self._records: dict[str, dict[str, bytes]] = {}

    def put(self, kind: str, records: Iterable[tuple[str, bytes]]) -> None:
        self._records.setdefault(kind, {}).update(records)

    def finish(self, state: State) -> None:
        self._copy.records = {kind: self._records.get(kind, {}) for kind in state.kinds}
        self._copy.state = state

    def drop(self) -> None:
        self._records = {}


class SqliteCopy(LocalCopy):
    """A copy in an SQLite file: the table `records` has `kind`, `id` and `body`, which is JSON.

    Other programs may read the file at any time. Errors: BadArgument for a file of another kind.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            if str(path) != ":memory:":
                # SQLite would let every user of the machine read a new file, and gives its own mode to the log beside it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # The async client writes in threads, one after another.
            self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise BadArgument(
                "", f"{self.path} cannot be used as a copy: {error}; choose another file"
            ) from None

    def _prepare(self) -> None:
        (mark,) = self._database.execute("PRAGMA application_id").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != APPLICATION_ID and tables:
            self._database.close()
            raise BadArgument("", f"{self.path} holds another program's database; choose another file")
        self._database.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA application_id = {APPLICATION_ID};"
            + TABLES
        )
        found = self._database.execute("SELECT state FROM copy_state").fetchone()
        self.state = msgspec.json.decode(found[0], type=State) if found else None

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> SqliteCopy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self, kind: type[Record]) -> int:
        return int(self._row("SELECT count(*) FROM records WHERE kind = ?", kind.KIND)[0])

    def body(self, kind: type[Record], id_: str) -> bytes | None:
        found = self._row("SELECT body FROM records WHERE kind = ? AND id = ?", kind.KIND, id_)
        return found[0] if found else None

    def bodies(self, kind: type[Record]) -> Iterator[bytes]:
        rows = self._database.execute("SELECT body FROM records WHERE kind = ? ORDER BY id", (kind.KIND,))
        return (body for (body,) in rows)

    def draft(self) -> Draft:
        return _SqliteDraft(self, self._database)

    def apply(self, changes: Iterable[Change], state: State) -> None:
        # Of several changes of one record the last one counts.
        last = {(kind, id_): body for kind, id_, body in changes}
        with _SqliteDraft(self, self._database, is_empty=False) as draft:
            self._database.executemany(
                "DELETE FROM records WHERE kind = ? AND id = ?",
                [key for key, body in last.items() if body is None],
            )
            self._database.executemany(
                PUT, [(kind, id_, body) for (kind, id_), body in last.items() if body is not None]
            )
            draft.finish(state)

    def _row(self, statement: str, *values: str) -> Any:
        return self._database.execute(statement, values).fetchone()


class _SqliteDraft(Draft):
    """One transaction."""

    def __init__(self, copy: SqliteCopy, database: sqlite3.Connection, *, is_empty: bool = True) -> None:
        self._copy, self._database = copy, database
        database.execute("BEGIN IMMEDIATE")
        if is_empty:
            database.execute("DELETE FROM records")

    def put(self, kind: str, records: Iterable[tuple[str, bytes]]) -> None:
        self._database.executemany(PUT, ((kind, id_, body) for id_, body in records))

    def finish(self, state: State) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO copy_state VALUES (1, ?)", (msgspec.json.encode(state),)
        )
        self._database.execute("COMMIT")
        self._copy.state = state

    def drop(self) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
