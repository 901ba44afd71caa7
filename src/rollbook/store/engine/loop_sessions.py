"""Sessions with PostgreSQL for reads in an event loop, over libpq; and the pool of each loop.

A session sends several statements at once and waits once (pipeline mode of libpq). On this path psycopg's own
asynchronous connection costs twice the CPU.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rollbook.errors import Busy
from rollbook.store.engine.database import Row, Values

CONNECT_SECONDS = 10
SESSIONS_MAX = 8
# How long a read waits while the server is away, and how many reads wait; others fail at once.
WAIT_SECONDS = 3.0
WAITING_MAX = 24
# How long a read waits for reads before it, while the server is there.
BUSY_SECONDS = 60.0
RECONNECT_SECONDS = 1.0
# How long a replica that was behind or away gets no reads.
REST_SECONDS = 0.1
# How many statements a session keeps prepared; others, whose text varies, are parsed each time.
PREPARED_MAX = 256
REMEMBERED_MAX = 10_000
# A server that falls silent is given up after so many milliseconds (libpq's tcp_user_timeout).
SILENT_MILLISECONDS = 30_000

_FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)
_SYNC = pq.ExecStatus.PIPELINE_SYNC
_TEXT, _BINARY = pq.Format.TEXT, pq.Format.BINARY

Statement = tuple[bytes, Values]


class Lost(psycopg.OperationalError):
    """The session has ended."""


class Session:
    """One connection of a loop. It sends statements, and gives their results when all have come."""

    def __init__(self, opened: psycopg.AsyncConnection[Row], *, prepares: bool) -> None:
        self._opened, self._raw, self._prepares = opened, opened.pgconn, prepares
        self._loop = asyncio.get_running_loop()
        # Statements that came before; with a name if they are prepared.
        self._names: dict[bytes, bytes | None] = {}
        self._prepared = 0
        self._results: list[pq.abc.PGresult] = []
        self._answer: asyncio.Future[list[pq.abc.PGresult]] | None = None
        self._raw.nonblocking = 1
        self._raw.enter_pipeline_mode()
        self._socket = self._raw.socket
        self._loop.add_reader(self._socket, self._read)

    @property
    def is_usable(self) -> bool:
        """Whether it is open, between two transactions, and waits for nothing."""
        return (
            self._raw.status == pq.ConnStatus.OK
            and self._answer is None
            and self._raw.transaction_status == pq.TransactionStatus.IDLE
        )

    @property
    def is_within(self) -> bool:
        """Whether it is in a transaction, and waits for nothing."""
        return (
            self._raw.status == pq.ConnStatus.OK
            and self._answer is None
            and self._raw.transaction_status != pq.TransactionStatus.IDLE
        )

    def send(self, statements: Sequence[Statement]) -> asyncio.Future[list[pq.abc.PGresult]]:
        """Send statements together; the future has a result for each. Errors: Lost."""
        answer = self._answer = self._loop.create_future()
        self._results = []
        try:
            for sql, values in statements:
                self._send(sql, values)
            self._raw.pipeline_sync()
            if self._raw.flush():
                self._loop.add_writer(self._socket, self._write)
        except psycopg.OperationalError as error:
            self._end(error)
        return answer

    def _send(self, sql: bytes, values: Sequence[Any]) -> None:
        bound, formats = _bound(values)
        name = self._names.get(sql)
        if name is None and self._prepares and sql in self._names and len(self._names) <= PREPARED_MAX:
            self._prepared += 1
            name = self._names[sql] = b"r%d" % self._prepared
            self._raw.send_prepare(name, sql)
        elif name is None and len(self._names) < PREPARED_MAX:
            self._names[sql] = None  # prepared when it comes again
        if name is None:
            self._raw.send_query_params(sql, bound, None, formats, _BINARY)
        else:
            self._raw.send_query_prepared(name, bound, formats, _BINARY)

    def _write(self) -> None:
        """Send the rest of long statements, as soon as the system takes it."""
        try:
            if not self._raw.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._end(error)

    def _read(self) -> None:
        raw = self._raw
        try:
            raw.consume_input()
            while self._answer is not None and not raw.is_busy():
                result = raw.get_result()
                if raw.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError(raw.get_error_message())
                if result is None:
                    continue
                if result.status == _SYNC:
                    answer, self._answer = self._answer, None
                    if not answer.done():
                        answer.set_result(self._results)
                elif result.status != pq.ExecStatus.COMMAND_OK or result.command_status:
                    self._results.append(result)  # the answer to `send_prepare` names no command
        except psycopg.Error as error:
            self._end(error)

    def _end(self, error: psycopg.Error) -> None:
        """Close it, and tell the read that waits for it."""
        answer, self._answer = self._answer, None
        self.close()
        if answer is not None and not answer.done():
            answer.set_exception(Lost(str(error)))

    def close(self) -> None:
        if self._socket >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._socket = -1
        self._raw.finish()


def checked(results: Sequence[pq.abc.PGresult]) -> Sequence[pq.abc.PGresult]:
    """The results, if none is an error. Errors: psycopg.Error."""
    for result in results:
        if result.status in _FAILED:
            raise errors.error_from_result(result)
    return results


async def connect(address: str) -> Session:
    """A new session. Its statements stay prepared only if it is one connection to one server process.

    A pooler such as PgBouncer gives each transaction another connection to the server, which knows nothing of
    statements that were prepared before. It tells clients a process number of its own. Errors: psycopg.Error.
    """
    opened = await psycopg.AsyncConnection.connect(_settings(address), autocommit=True)
    try:
        [(process,)] = await (await opened.execute("SELECT pg_backend_pid()")).fetchall()
        return Session(opened, prepares=process == opened.info.backend_pid)
    except BaseException:
        opened.pgconn.finish()
        raise


def _settings(address: str) -> str:
    given = conninfo_to_dict(address)
    ours = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": SILENT_MILLISECONDS}
    more = {name: value for name, value in ours.items() if name not in given}
    return make_conninfo(address, client_encoding="UTF8", **more)


# Values and rows ---------------------------------------------------------------------------------


def rows(result: pq.abc.PGresult) -> list[tuple[Any, ...]]:
    """The rows of a result, as psycopg gives them."""
    get = result.get_value
    columns = [(column, _loader(result.ftype(column))) for column in range(result.nfields)]
    return [
        tuple([None if (value := get(row, column)) is None else load(value) for column, load in columns])
        for row in range(result.ntuples)
    ]


def texts(result: pq.abc.PGresult) -> list[bytes]:
    """The first column of a result, which is text, as UTF-8."""
    get = result.get_value
    return [get(row, 0) or b"" for row in range(result.ntuples)]


def _whole(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


_LOADERS: dict[int, Any] = {
    16: lambda value: value == b"\1",
    17: bytes,
    20: _whole,
    21: _whole,
    23: _whole,
    25: bytes.decode,
    1043: bytes.decode,
}


@lru_cache(maxsize=64)
def _loader(oid: int) -> Any:
    """How to read the binary form of a PostgreSQL type."""
    return _LOADERS.get(oid) or Transformer().get_loader(oid, _BINARY).load


def _bound(values: Sequence[Any]) -> tuple[list[bytes | None], list[int] | None]:
    """The values as libpq sends them, and their formats."""
    bound: list[bytes | None] = []
    formats: list[int] | None = None
    for place, value in enumerate(values):
        if isinstance(value, str):
            # PostgreSQL text has no NUL, and the mark equals no stored text.
            bound.append((value.replace("\0", "\ufffd") if "\0" in value else value).encode())
        elif value is None:
            bound.append(None)
        elif isinstance(value, int):
            bound.append(b"%d" % value)
        elif isinstance(value, bytes):
            bound.append(value)
            formats = formats or [int(_TEXT)] * len(values)
            formats[place] = int(_BINARY)
        else:
            bound.append(_array(value))
    return bound, formats


def _array(values: Sequence[str]) -> bytes:
    """Many texts, as one value of an array type."""
    quoted = (value.replace("\0", "\ufffd").replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return ("{" + ",".join(f'"{value}"' for value in quoted) + "}").encode()


# The pool ----------------------------------------------------------------------------------------


class Pool:
    """The sessions of one loop.

    One attempt to connect is under way at a time, as long as reads wait for a session.
    """

    def __init__(
        self, address: str, loop: asyncio.AbstractEventLoop, sessions_max: int = SESSIONS_MAX
    ) -> None:
        self._address, self._loop, self._sessions_max = address, loop, sessions_max
        self._idle: list[Session] = []
        self._all: set[Session] = set()
        self._waiting: deque[asyncio.Future[Session]] = deque()
        self._connecting: asyncio.Task[None] | None = None
        # Rows that reads found, by their statements; reads suppose that they are still the same.
        self.memory: dict[tuple[str, Values], Row] = {}
        # First statements of reads that had more than one statement.
        self.continued: set[str] = set()
        self._rests_until = 0.0
        # Why the last attempt failed, if the server is away.
        self._trouble: psycopg.Error | None = None

    @property
    def size(self) -> int:
        return len(self._all)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        return self._loop.is_closed()

    def remember(self, statement: tuple[str, Values], row: Row) -> None:
        if len(self.memory) >= REMEMBERED_MAX:
            self.memory.clear()
        self.memory[statement] = row

    def take(self) -> Session | None:
        """An idle session; None if a read has to wait for one."""
        while self._idle:
            if (session := self._idle.pop()).is_usable:
                return session
            self._drop(session)
        return None

    def spare(self) -> Session | None:
        """An idle session, or None. If there is none, one is opened for later reads."""
        if time.monotonic() < self._rests_until:
            return None
        found = self.take()
        if found is None and self._connecting is None and len(self._all) < self._sessions_max:
            self._connecting = self._loop.create_task(self._open_one())
        return found

    def rest(self, seconds: float = REST_SECONDS) -> None:
        """Give out no spare session for a moment."""
        self._rests_until = time.monotonic() + seconds

    async def _open_one(self) -> None:
        try:
            session = await connect(self._address)
            self._all.add(session)
            self.put(session)
        except psycopg.Error:
            self.rest(RECONNECT_SECONDS)
        finally:
            self._connecting = None

    async def wait(self) -> Session:
        """A session, as soon as one is free. Errors: psycopg.Error if the server is away, Busy."""
        if self._trouble and len(self._waiting) >= WAITING_MAX:
            raise self._trouble
        until = time.monotonic() + BUSY_SECONDS
        free: asyncio.Future[Session] = self._loop.create_future()
        self._waiting.append(free)
        self._grow()
        try:
            while not (await asyncio.wait([free], timeout=WAIT_SECONDS))[0]:
                if self._trouble:
                    raise self._trouble
                if time.monotonic() >= until:
                    raise Busy("all sessions with the database are in use")
        except BaseException:
            if free.done():
                self.put(free.result())
            else:
                self._waiting.remove(free)
            raise
        return free.result()

    def put(self, session: Session) -> None:
        """Give a session back, at the end of a transaction or broken."""
        if not session.is_usable:
            self._drop(session)
            self._grow()
        elif self._waiting:
            self._waiting.popleft().set_result(session)
        else:
            self._idle.append(session)

    def _drop(self, session: Session) -> None:
        session.close()
        self._all.discard(session)

    def _grow(self) -> None:
        if self._connecting is None and self._waiting and len(self._all) < self._sessions_max:
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            while self._waiting and len(self._all) < self._sessions_max:
                try:
                    session = await connect(self._address)
                except psycopg.Error as error:
                    self._trouble = error
                    await asyncio.sleep(RECONNECT_SECONDS)
                    continue
                self._trouble = None
                self._all.add(session)
                self.put(session)
        finally:
            self._connecting = None

    def close(self) -> None:
        for session in [*self._all]:
            self._drop(session)
        self._idle.clear()
