"""PostgreSQL, through psycopg and a pool of connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg
from psycopg_pool import ConnectionPool

from rollbook.errors import BadSetting, Busy
from rollbook.store.database import Row, Values


def open_postgresql(address: str) -> PostgreSQL:
    return PostgreSQL(address)


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
    def write(self, *, is_durable: bool = True) -> Iterator[PostgreSQLConnection]:
        try:
            with self._pool.connection() as raw:
                if not is_durable:
                    raw.execute("SET LOCAL synchronous_commit = off")
                yield PostgreSQLConnection(raw)
        except psycopg.errors.SerializationFailure:
            raise Busy("another transaction changed the same rows; nothing was written, try again") from None

    def close(self) -> None:
        self._pool.close()


def _configure(raw: psycopg.Connection[Row]) -> None:
    raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ


@lru_cache(maxsize=512)
def _marks(sql: str) -> bytes:
    """The statement in psycopg's form: `%s` for `?`."""
    return re.sub(r"\?", "%s", sql.replace("%", "%%")).encode()
