"""SQLite, through apsw: one file in WAL mode, one writer, many readers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from weakref import WeakSet

import apsw

from rollbook.errors import BadSetting, Busy, MachineTrouble
from rollbook.store.engine.database import Row, Values, not_begun

BUSY_SECONDS = 30
PAGE_BYTES = 16 * 1024  # a page holds many records of 750 bytes, so no row spills
MAPPED_BYTES = 1 << 30
LOG_PAGES = 1000
CACHE_BYTES = 16 * 1024**2
# The cache of a transaction that inserts many rows: the rows of a large district come in no order of its indexes, so
# a small cache would write and read each page of them many times.
MANY_ROWS, LARGE_CACHE_BYTES = 20_000, 160 * 1024**2


def open_sqlite(address: str, *, may_make: bool = True) -> SQLite:
    return SQLite(Path(address), may_make=may_make)


class SQLiteTransaction:
    """A Transaction over apsw."""

    engine = "sqlite"

    def __init__(self, raw: apsw.Connection) -> None:
        self.raw = raw
        self.has_large_cache = False
        self._version: int | None = None

    def begin(self) -> apsw.Cursor:
        """Begin a read: it sees one moment of the file for as long as its first statement is open.

        This statement gives the version, too, so a read costs two statements less than with BEGIN and COMMIT.
        """
        first = self.raw.execute("PRAGMA data_version")
        self._version = int(first.fetchone()[0])  # type: ignore[index]
        return first

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self.raw.execute(sql, tuple(values)).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row | None:
        return self.raw.execute(sql, tuple(values)).fetchone()

    def remembered_row(self, sql: str, values: Values) -> Row | None:
        return self.row(sql, values)

    def gives(self, sql: str, values: Values, row: Row) -> bool:
        return self.row(sql, values) == row

    def texts(self, sql: str, values: Values = ()) -> list[bytes]:
        return [row[0].encode() for row in self.raw.execute(sql, tuple(values))]

    def run(self, sql: str, values: Values = ()) -> None:
        self.raw.execute(sql, tuple(values))

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" for _ in columns.split(","))
        statement, left = f"INSERT INTO {table} ({columns}) VALUES ({marks})", iter(rows)
        self.raw.executemany(statement, islice(left, MANY_ROWS))
        if (more := next(left, None)) is not None:
            self._enlarge_cache()
            self.raw.executemany(statement, chain((more,), left))

    def _enlarge_cache(self) -> None:
        self.raw.pragma("cache_size", -LARGE_CACHE_BYTES // 1024)
        self.has_large_cache = True

    def version(self) -> int | None:
        return self._version


@contextmanager
def inspected(path: Path) -> Iterator[SQLiteTransaction]:
    """A Transaction that only reads a file, of any kind, and does not change it. Errors: BadSetting."""
    log = path.with_name(f"{path.name}-wal")
    # Without a log nothing can change during the read, and SQLite makes no files beside the database.
    mode = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    address = f"{path.absolute().as_uri()}?{mode}"
    try:
        with closing(apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)) as raw:
            yield SQLiteTransaction(raw)
    except apsw.Error as error:
        raise BadSetting(f"database: {path} cannot be read as a SQLite database: {error}") from None


def copy_out(path: Path, target: Path) -> None:
    """Copy a file as it is at one moment into a new one, while others read and write it. Errors: BadSetting."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as source:
            source.set_busy_timeout(BUSY_SECONDS * 1000)
            with closing(apsw.Connection(str(target))) as copy:
                copy.pragma("journal_mode", "off")
                copy.pragma("synchronous", "off")
                _copy(source, copy)
    except apsw.Error as error:
        raise BadSetting(f"database: {path} cannot be copied: {error}") from None


def put_back(path: Path, copied: Path) -> None:
    """Make a file that others read and write what it was when it was copied, in one transaction of it.

    A transaction that others read in sees the file from before to its end, as with any commit. A power cut may
    lose the whole step. Errors: BadSetting.
    """
    try:
        with (
            closing(apsw.Connection(f"{copied.absolute().as_uri()}?immutable=1", flags=_ONLY_READ)) as source,
            closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as live,
        ):
            live.set_busy_timeout(BUSY_SECONDS * 1000)
            live.pragma("synchronous", "off")
            live.wal_autocheckpoint(0)
            _copy(source, live)
            live.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.Error as error:
        raise BadSetting(f"database: {path} cannot be put back from {copied}: {error}") from None


_ONLY_READ = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def _copy(source: apsw.Connection, target: apsw.Connection) -> None:
    """All pages, in one step: a source that is read in several may change between them."""
    end = time.monotonic() + BUSY_SECONDS
    with target.backup("main", source, "main") as copying:
        while not copying.done:
            try:
                copying.step(-1)
            except (apsw.BusyError, apsw.LockedError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)


class _Own(threading.local):
    """The state of one thread."""

    reader: SQLiteTransaction | None = None
    may_wait = True


class SQLite:
    """One file in WAL mode: one writer, many readers, each thread with a reader of its own."""

    is_local = True

    def __init__(self, path: Path, *, may_make: bool = True) -> None:
        self._path = path
        self._own = _Own()
        # A thread's reader is closed when the thread ends.
        self._all: WeakSet[apsw.Connection] = WeakSet()
        try:
            if not path.exists():
                if not may_make:
                    raise not_begun(str(path.absolute()), "is not there")
                path.parent.mkdir(parents=True, exist_ok=True)
                # Student data: only the owner can read a new file, and SQLite gives the files beside it the
                # same mode.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # A commit touches a whole district: mapped pages would count as its memory.
            self._writer = self._connect(mapped_bytes=0)
            if not (
                may_make
                or self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone()
            ):
                raise not_begun(str(path.absolute()), "holds nothing of Rollbook")
            _use_wal(self._writer)
        except (apsw.Error, OSError) as error:
            raise BadSetting(f"database: {path} cannot be opened as a SQLite database: {error}") from None
        self._writing = threading.RLock()
        self._waits_for_disk = True

    def _connect(self, mapped_bytes: int = MAPPED_BYTES) -> apsw.Connection:
        # close() may run in another thread than the one that opened a connection; apsw allows this. A file
        # that has vanished meanwhile is not made again.
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)
        connection.pragma("mmap_size", mapped_bytes)
        connection.pragma("cache_size", -CACHE_BYTES // 1024)
        # Plans must not depend on bound values: otherwise SQLite parses and plans a statement again each time
        # a value is bound.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._all.add(connection)
        return connection

    def read(self) -> _Reading:
        return _Reading(self)

    def reader(self) -> SQLiteTransaction:
        """The reader of this thread."""
        if self._own.reader is None:
            self._own.reader = SQLiteTransaction(self._connect())
        return self._own.reader

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[SQLiteTransaction]:
        with self._turn(is_durable), self._telling():
            if is_durable != self._waits_for_disk:
                # In WAL mode, `normal` does not wait for the disk at each commit. The file stays intact
                # either way.
                self._writer.pragma("synchronous", "full" if is_durable else "normal")
                self._waits_for_disk = is_durable
            self._writer.set_busy_timeout(1000 * (BUSY_SECONDS if self._own.may_wait else 0))
            # A commit with a long log checkpoints all of it, which can take a second. Not while this thread
            # must not wait.
            self._writer.wal_autocheckpoint(LOG_PAGES if self._own.may_wait else 0)
            self._writer.execute("BEGIN IMMEDIATE")
            transaction = SQLiteTransaction(self._writer)
            try:
                yield transaction
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has rolled it back already.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                if transaction.has_large_cache:
                    self._writer.pragma("cache_size", -CACHE_BYTES // 1024)

    def read_from(self, address: str) -> None:
        del address
        raise BadSetting(
            "read_database: only PostgreSQL has replicas; expected ROLLBOOK_DATABASE to be a postgresql:// URL, or no"
            " ROLLBOOK_READ_DATABASE"
        )

    def alone(self, sql: str, values: Values = ()) -> list[Row]:
        raise TypeError(f"only one machine uses this database: {sql}, {len(values)}")

    def without_waiting(self) -> _Unwaiting:
        return _Unwaiting(self._own)

    @contextmanager
    def _turn(self, is_durable: bool) -> Iterator[None]:
        """Wait until no other thread writes, if this thread may wait."""
        if not self._own.may_wait and is_durable:
            raise Busy("this would wait for the disk")
        if not self._writing.acquire(blocking=self._own.may_wait):
            raise Busy("another thread is writing")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn errors of the file into messages that a person can act on."""
        try:
            yield
        except apsw.Error as error:
            raise self.told(error) from error

    def told(self, error: apsw.Error) -> Exception:
        """The error, with a message that a person can act on."""
        if isinstance(error, apsw.BusyError):
            return Busy(f"the database is busy: another process has been writing for {BUSY_SECONDS} seconds")
        if isinstance(error, (apsw.FullError, apsw.IOError, apsw.NoMemError)):
            return MachineTrouble(
                f"database: {self._path} cannot be read or written: {error}; nothing was written"
            )
        return BadSetting(f"database: {self._path} cannot be used: {error}")

    def settle(self) -> None:
        with self._writing, self._telling():
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        for connection in list(self._all):
            connection.close()


class _Reading:
    """One transaction of a thread's reader.

    A class, because each request has one and a generator would cost more.
    """

    __slots__ = ("_database", "_first")

    def __init__(self, database: SQLite) -> None:
        self._database = database

    def __enter__(self) -> SQLiteTransaction:
        try:
            connection = self._database.reader()
            self._first = connection.begin()
        except apsw.Error as error:
            raise self._database.told(error) from error
        return connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            self._first.close()
        except apsw.Error as at_end:
            raise self._database.told(at_end) from at_end
        if isinstance(error, apsw.Error):
            raise self._database.told(error) from error


class _Unwaiting:
    """A part of a thread's work in which it must not wait."""

    __slots__ = ("_before", "_own")

    def __init__(self, own: _Own) -> None:
        self._own = own

    def __enter__(self) -> None:
        self._before, self._own.may_wait = self._own.may_wait, False

    def __exit__(self, *_: object) -> None:
        self._own.may_wait = self._before


def _use_wal(connection: apsw.Connection) -> None:
    """Put a new file into WAL mode.

    SQLite does not wait for other processes that do this at the same time, so we do.
    """
    end = time.monotonic() + BUSY_SECONDS
    while connection.pragma("journal_mode") != "wal":
        try:
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
