"""The database: SQLite by default, PostgreSQL behind the same functions.

SQL is written once with `?` for each value. What differs between the two stands here: how a connection is opened, how a
transaction begins, how many rows go in at once, and two words of the schema. The rest of `store/` does not know which it is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import apsw
import psycopg
from psycopg_pool import ConnectionPool

from rollbook.errors import BadSetting, Busy

Row = tuple[Any, ...]
Values = Sequence[Any]

BUSY_SECONDS = 30
PAGE_BYTES = 16 * 1024  # a record of 750 bytes fits many times into a page, so that no row spills
MAPPED_BYTES = 1 << 30


class Connection(Protocol):
    """One open transaction."""

    dialect: str

    def rows(self, sql: str, values: Values = ()) -> list[Row]: ...

    def row(self, sql: str, values: Values = ()) -> Row | None: ...

    def run(self, sql: str, values: Values = ()) -> None: ...

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert many rows as fast as the database takes them."""

    def version(self) -> int | None:
        """A number that changes with every commit of another connection; None: ask the tables themselves."""


class Database(Protocol):
    """A place to read from and write to. `is_local`: a read costs microseconds and needs no thread of its own."""

    is_local: bool

    def read(self) -> Any:
        """Context manager: a Connection that sees one moment of the database throughout."""

    def write(self) -> Any:
        """Context manager: a Connection whose changes appear all at once when it ends, or not at all."""

    def close(self) -> None: ...


def open_database(address: str) -> Database:
    """Open a database by file path or postgresql:// URL. Errors: BadSetting when it cannot be opened."""
    if address.startswith(("postgresql://", "postgres://")):
        return PostgreSQL(address)
    if "://" in address:
        raise BadSetting(f"database: expected a file path or a postgresql:// URL, got {address.partition('://')[0]}://...")
    return SQLite(Path(address))


class SQLiteConnection:
    """A Connection over apsw."""

    dialect = "sqlite"

    def __init__(self, raw: apsw.Connection) -> None:
        self.raw = raw

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self.raw.execute(sql, tuple(values)).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row | None:
        return self.raw.execute(sql, tuple(values)).fetchone()

    def run(self, sql: str, values: Values = ()) -> None:
        self.raw.execute(sql, tuple(values))

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" for _ in columns.split(","))
        self.raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def version(self) -> int | None:
        return int(self.raw.pragma("data_version"))


class SQLite:
    """One file in WAL mode: one writer, many readers, each thread with a reader of its own."""

    is_local = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers = threading.local()
        self._all: list[apsw.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            if self._writer.pragma("journal_mode") != "wal":
                self._writer.pragma("page_size", PAGE_BYTES)
                self._writer.pragma("journal_mode", "wal")
        except (apsw.Error, OSError) as error:
            raise BadSetting(f"database: {path} cannot be opened as a SQLite database: {error}") from None
        self._writing = threading.RLock()

    def _connect(self) -> apsw.Connection:
        # Connections are closed by close(), which may run in another thread than the one that opened them; apsw allows it.
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)
        connection.pragma("mmap_size", MAPPED_BYTES)
        connection.pragma("cache_size", -16 * 1024)
        self._all.append(connection)
        return connection

    @contextmanager
    def read(self) -> Iterator[SQLiteConnection]:
        connection: SQLiteConnection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = SQLiteConnection(self._connect())
        connection.raw.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.raw.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[SQLiteConnection]:
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                raise Busy(f"the database is busy: another process has been writing for {BUSY_SECONDS} seconds") from None
            try:
                yield SQLiteConnection(self._writer)
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def close(self) -> None:
        for connection in self._all:
            connection.close()


class PostgreSQLConnection:
    """A Connection over psycopg."""

    dialect = "postgresql"

    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self.raw = raw

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self.raw.execute(_marks(sql), values).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row | None:
        return self.raw.execute(_marks(sql), values).fetchone()

    def run(self, sql: str, values: Values = ()) -> None:
        self.raw.execute(_marks(sql), values)

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        with self.raw.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for values in rows:
                copy.write_row(values)

    def version(self) -> int | None:
        return None


class PostgreSQL:
    """A PostgreSQL database, through a pool; each transaction sees one moment."""

    is_local = False

    def __init__(self, address: str) -> None:
        self._pool = ConnectionPool(address, min_size=1, max_size=16, open=False, configure=_configure)
        try:
            self._pool.open(wait=True, timeout=15)
        except psycopg.Error as error:
            self._pool.close()
            raise BadSetting(f"database: the PostgreSQL server cannot be reached: {error}") from None

    @contextmanager
    def read(self) -> Iterator[PostgreSQLConnection]:
        with self._pool.connection() as raw:
            yield PostgreSQLConnection(raw)

    @contextmanager
    def write(self) -> Iterator[PostgreSQLConnection]:
        with self._pool.connection() as raw:
            yield PostgreSQLConnection(raw)

    def close(self) -> None:
        self._pool.close()


def _configure(raw: psycopg.Connection[Row]) -> None:
    raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ


@lru_cache(maxsize=512)
def _marks(sql: str) -> bytes:
    """The statement in psycopg's form: `%s` for `?`."""
    return re.sub(r"\?", "%s", sql.replace("%", "%%")).encode()
