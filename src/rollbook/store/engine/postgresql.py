"""PostgreSQL: through psycopg and a pool of connections, and through sessions of a loop for reads in it."""

from __future__ import annotations

import asyncio
import logging
import re
import select
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from rollbook.errors import BadSetting, Busy, MachineTrouble
from rollbook.store.engine import in_loop, loop_reads
from rollbook.store.engine.database import Row, Values
from rollbook.store.engine.loop_reads import LoopRead
from rollbook.store.engine.loop_sessions import Pool

CONNECT_SECONDS = 10
# How long a request waits while the server is away, and how many requests wait; others fail at once.
WAIT_SECONDS = 3.0
WAITING_MAX = 24
# How many single statements run at once.
ALONE_MAX = 2
# How long a request waits for requests before it, while the server is there.
BUSY_SECONDS = 60.0
# The pool retries as soon as a request comes, not minutes after the server is back.
RECONNECT_SECONDS = 1.0
# Each writer has looked first, so a conflicting row was written at the same moment.
_CONFLICTS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.DuplicateObject,
    errors.DuplicateTable,
    errors.LockNotAvailable,
)


def open_postgresql(address: str, *, may_make: bool = True) -> PostgreSQL:  # noqa: ARG001 - a server is never made
    return PostgreSQL(address)


class PostgreSQLTransaction:
    """A Transaction over psycopg."""

    engine = "postgresql"

    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self.raw = raw

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self.raw.execute(_marks(sql), _without_nul(values)).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row | None:
        return self.raw.execute(_marks(sql), _without_nul(values)).fetchone()

    def gives(self, sql: str, values: Values, row: Row) -> bool:
        return self.row(sql, values) == row

    def remembered_row(self, sql: str, values: Values) -> Row | None:
        return self.row(sql, values)

    def texts(self, sql: str, values: Values = ()) -> list[bytes]:
        return [row[0].encode() for row in self.rows(sql, values)]

    def run(self, sql: str, values: Values = ()) -> None:
        self.raw.execute(_marks(sql), _without_nul(values))

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        with self.raw.cursor() as cursor:
            # In binary a row costs us a third, and the server half; values must then have the columns' types.
            cursor.execute(f"SELECT {columns} FROM {table} LIMIT 0".encode())
            types = [column.type_code for column in cursor.description or ()]
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(types)
                for values in rows:
                    copy.write_row(values)

    def version(self) -> int | None:
        return None


class PostgreSQL:
    """A PostgreSQL database, through a pool; each transaction sees one moment."""

    is_local = False

    def __init__(self, address: str) -> None:
        try:
            # Connect once outside the pool: the pool would keep trying, and only report that it has no
            # connection.
            psycopg.connect(address, connect_timeout=CONNECT_SECONDS).close()
        except psycopg.Error as error:
            raise BadSetting(
                f"database: the PostgreSQL server cannot be reached: {_line(error, address)}; start the server, or "
                "correct the address in `ROLLBOOK_DATABASE` or `--database`"
            ) from None
        # The pool warns of each attempt; the requests that need a connection report what matters.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._pool = ConnectionPool(
            address,
            min_size=1,
            max_size=16,
            open=False,
            configure=self._configure,
            timeout=WAIT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
        )
        # How many connection attempts had failed at the last success.
        self._failed_before = 0
        self._pool.open()
        self._address = address
        # For reads, for single statements (a read that waits for one holds a session already), and for a replica.
        self._loop_pools: dict[asyncio.AbstractEventLoop, tuple[Pool, ...]] = {}
        self._replica = ""
        self._alone = ConnectionPool(
            address,
            kwargs={"autocommit": True, "prepare_threshold": None},
            min_size=0,
            max_size=ALONE_MAX,
            open=False,
            timeout=WAIT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
        )
        self._alone.open()

    def _configure(self, raw: psycopg.Connection[Row]) -> None:
        with raw.transaction():
            [(process,)] = raw.execute("SELECT pg_backend_pid()").fetchall()
        if process != raw.info.backend_pid:
            # A pooler gives each transaction another connection, which knows no prepared statements of ours.
            raw.prepare_threshold = None
        raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._failed_before = self._failed()

    def _failed(self) -> int:
        return self._pool.get_stats().get("connections_errors", 0)

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Row]]:
        raw = self._free()
        while not _is_alive(raw):
            raw.close()
            self._pool.putconn(raw)  # which drops it
            raw = self._free()
        try:
            with raw:
                yield raw
            self._failed_before = self._failed()
        finally:
            self._pool.putconn(raw)

    def _free(self) -> psycopg.Connection[Row]:
        """Wait for a connection of the pool.

        All may be in use; only an unreachable server is reported early.
        """
        until = time.monotonic() + BUSY_SECONDS
        if self._is_away() and self._pool.get_stats().get("requests_waiting", 0) >= WAITING_MAX:
            raise TooManyRequests(f"{WAITING_MAX} requests wait for it")
        while True:
            try:
                return self._pool.getconn()
            except PoolTimeout:
                if self._is_away() or time.monotonic() >= until:
                    raise

    def _is_away(self) -> bool:
        """Whether the last attempt to connect failed, and no transaction has succeeded since."""
        return self._failed() > self._failed_before

    @contextmanager
    def read(self) -> Iterator[PostgreSQLTransaction | LoopRead]:
        with _telling():
            if work := in_loop.current():
                with self._loop_read(work) as reading:
                    yield reading
            else:
                with self._transaction() as raw:
                    yield PostgreSQLTransaction(raw)

    def read_from(self, address: str) -> None:
        """Let reads in a loop go to a streaming replica, as long as it is not behind."""
        self._replica = address

    def _loop_read(self, work: in_loop.Work) -> LoopRead:
        reads, _, *replicas = self._pools_of(work.loop)
        return LoopRead(reads, work, replicas[0] if replicas else None)

    def _pools_of(self, loop: asyncio.AbstractEventLoop) -> tuple[Pool, ...]:
        """The pools of an event loop. A server has one loop; tests have several, one after another."""
        found = self._loop_pools.get(loop)
        if found is None:
            for other in [other for other in self._loop_pools if other.is_closed()]:
                for pool in self._loop_pools.pop(other):
                    pool.close()
            found = Pool(self._address, loop), Pool(self._address, loop, ALONE_MAX)
            if self._replica:
                found = (*found, Pool(self._replica, loop))
            self._loop_pools[loop] = found
        return found

    def alone(self, sql: str, values: Values = ()) -> list[Row]:
        with _telling():
            if work := in_loop.current():
                return loop_reads.alone(self._pools_of(work.loop)[1], sql, values)
            with self._alone.connection() as raw:
                found = raw.execute(_marks(sql), _without_nul(values))
                return found.fetchall() if found.description else []

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[PostgreSQLTransaction]:
        with _telling(), self._transaction() as raw:
            if not is_durable:
                raw.execute("SET LOCAL synchronous_commit = off")
            yield PostgreSQLTransaction(raw)

    def without_waiting(self) -> AbstractContextManager[None]:
        raise Busy("a server's answer has to be waited for")

    def settle(self) -> None:
        """Nothing to do: the server does this by itself."""

    def figures(self) -> dict[str, float]:
        found = self._pool.get_stats()
        pools = [pool for pools in self._loop_pools.values() for pool in pools]
        return {
            "pool_size": found.get("pool_size", 0) + sum(pool.size for pool in pools),
            "pool_waiting": found.get("requests_waiting", 0) + sum(pool.waiting for pool in pools),
        }

    def close(self) -> None:
        self._pool.close()
        self._alone.close()
        for loop, pools in self._loop_pools.items():
            for pool in pools:
                if loop.is_running():
                    loop.call_soon_threadsafe(pool.close)
                else:
                    pool.close()
        self._loop_pools.clear()


@contextmanager
def _telling() -> Iterator[None]:
    """Turn errors into messages that a person can act on."""
    try:
        yield
    except _CONFLICTS as error:
        raise Busy("another transaction changed the same rows; nothing was written, try again") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise MachineTrouble(
            f"database: the PostgreSQL server cannot be reached or used: {_line(error)}; try again when it runs"
        ) from error
    except psycopg.Error as error:
        raise BadSetting(f"database: PostgreSQL refuses: {_line(error)}") from error


def _line(error: psycopg.Error, address: str = "") -> str:
    """An error on one line, without the address, which may contain a password."""
    text = " ".join(str(error).split())
    return text.replace(address, "postgresql://...") if address else text


def _is_alive(raw: psycopg.Connection[Row]) -> bool:
    """Whether the server still holds an idle connection.

    It is asked only if it has sent something, mostly a goodbye.
    """
    looked = select.poll()
    try:
        looked.register(raw.fileno(), select.POLLIN)
        if looked.poll(0):
            raw.execute("SELECT 1")
            raw.rollback()
    except psycopg.Error:
        return False
    return True


def _without_nul(values: Values) -> Values:
    """The values with a mark in place of each NUL.

    PostgreSQL text has no NUL, and the mark equals no stored text.
    """
    if any(isinstance(value, str) and "\0" in value for value in values):
        return [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values]
    return values


@lru_cache(maxsize=512)
def _marks(sql: str) -> bytes:
    """The statement in psycopg's form: `%s` for `?`."""
    return re.sub(r"\?", "%s", sql.replace("%", "%%")).encode()
