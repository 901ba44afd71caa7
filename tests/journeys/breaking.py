"""A program that breaks the commit of a sync at each of its steps, and prints what each fault left behind.

`capture` runs a real sync up to its commit, and keeps the commit's arguments. The program makes that commit
again and again, each time in a forked process and with one fault at one step. A step is a statement that
writes, the middle of the rows of one, a COMMIT, or a single write or read of SQLite's files. The first commit
has no fault, and counts the steps.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import apsw
import psycopg

from rollbook.errors import RollbookError
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Row, Transaction, Values, open_database
from rollbook.store.engine.postgresql import PostgreSQLTransaction
from rollbook.store.engine.sqlite import SQLiteTransaction
from rollbook.store.records import commits
from rollbook.store.records.commits import Outcome, Snapshot

ROOT = Path(__file__).parents[2]
WRITING = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP")
PATIENCE_SECONDS = 600
KILLED = -signal.SIGKILL
STEPS_MAX = 1_000
# What differs between two commits of the same changes: ids, which no other commit has, and random marks.
ONE_TIME = ("syncs", "events")
ONCE = re.compile(r'^[0-9a-f]{8,24}$|^\{"id":"\w{24}"|"created":"[^"]+"')
# Reserved ids are gone, whether their commit succeeds or not; the index keeps its words as it likes.
LEFT_OUT = re.compile("facts|search_index.*|sqlite_.*")


@dataclass(frozen=True)
class Night:
    """The arguments of a commit, and what its `also` writes, as calls of a connection."""

    district: District
    before: Snapshot
    outcome: Outcome
    more: dict[str, Any]
    also: list[tuple[str, tuple[Any, ...]]]

    def commit(self, address: str) -> None:
        with closing(open_database(address)) as database:
            self.commit_in(database)

    def commit_in(self, database: Any) -> None:
        commits.commit(database, self.district, self.before, self.outcome, also=self._note, **self.more)

    def _note(self, transaction: Transaction) -> None:
        for name, values in self.also:
            getattr(transaction, name)(*values)


@dataclass(frozen=True)
class Attempt:
    """One commit with one fault: the error that it raised, and the roster that it left."""

    fault: str
    step: int
    at: str
    error: str
    said: str
    left: str


def attempts(night: Night, folder: Path, *addresses: str) -> list[Attempt]:
    """Break the commit in every way. `addresses`: of two databases as they were before it."""
    path = folder / "night"
    path.write_bytes(pickle.dumps(night))
    told = subprocess.run(
        [sys.executable, "-c", "from tests.journeys import breaking; breaking.main()", str(path), *addresses],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, ""), told
    return [Attempt(**json.loads(line)) for line in told.stdout.splitlines()]


# Inside the program ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Steps:
    """The steps of one sort that this process has taken, and what happens at one of them."""

    taken: list[str] = field(default_factory=list)
    at: int = 0
    act: Callable[[Any], None] = lambda _: None
    stays: bool = False

    def take(self, name: str, on: Any = None) -> None:
        self.taken.append(name)
        if len(self.taken) == self.at or (self.stays and 0 < self.at < len(self.taken)):
            self.act(on)


SORTS = STATEMENTS, WRITES, READS = Steps(), Steps(), Steps()


def _kill(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _disk_is_full(_: Any) -> None:
    raise apsw.FullError("database or disk is full")


def _cannot_be_read(_: Any) -> None:
    raise apsw.IOError("disk I/O error")


def _end(how: int) -> Callable[[Any], None]:
    """Cut the line to the server, in both directions or only for its answers."""

    def end(raw: psycopg.Connection[Row]) -> None:
        with socket.socket(fileno=os.dup(raw.pgconn.socket)) as line:
            line.shutdown(how)

    return end


def _refuse(code: str, text: str) -> Callable[[Any], None]:
    """Let the server fail; while it takes rows, at the next step."""

    def refuse(raw: psycopg.Connection[Row]) -> None:
        if raw.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            STATEMENTS.at += 1
        else:
            raw.execute(f"DO $$BEGIN RAISE EXCEPTION '{text}' USING ERRCODE = '{code}'; END$$".encode())

    return refuse


Faults = tuple[tuple[str, Steps, Callable[[Any], None]], ...]
# What a process survives: it tries again, with the same open database. The last two take turns.
SURVIVED: Mapping[str, Faults] = {
    "sqlite": (("disk full", WRITES, _disk_is_full), ("read error", READS, _cannot_be_read)),
    "postgresql": (
        ("connection lost", STATEMENTS, _end(socket.SHUT_RDWR)),
        ("disk full", STATEMENTS, _refuse("53100", "could not extend file: No space left on device")),
        ("read error", STATEMENTS, _refuse("58030", "could not read block: Input/output error")),
    ),
}
# Every second write of a file is the head of the next one.
KILLS = (("killed at a statement", STATEMENTS, 1), ("killed at a write", WRITES, 2))


def _count_statements() -> None:
    """Let each statement that writes take a step, and each COMMIT to a server."""
    for kind in (SQLiteTransaction, PostgreSQLTransaction):
        for method in ("run", "row", "rows", "insert"):
            setattr(kind, method, _counted(getattr(kind, method)))
    name = "commit"
    setattr(psycopg.Connection, name, _counted(psycopg.Connection.commit))


def _counted(plain: Callable[..., Any]) -> Callable[..., Any]:
    def ask(self: Any, sql: str, values: Values = ()) -> Any:
        if sql.lstrip().startswith(WRITING):
            STATEMENTS.take(" ".join(sql.split())[:60], self.raw)
        return plain(self, sql, values)

    def insert(self: Any, table: str, columns: str, rows: Iterable[Row]) -> None:
        STATEMENTS.take(f"rows of {table}", self.raw)
        plain(self, table, columns, _halfway(rows, table, self.raw))

    def commit(self: Any) -> None:
        STATEMENTS.take("COMMIT", self)
        plain(self)

    made: dict[str, Callable[..., Any]] = {"insert": insert, "commit": commit}
    return made.get(plain.__name__, ask)


def _halfway(rows: Iterable[Row], table: str, raw: Any) -> Iterator[Row]:
    for number, row in enumerate(rows):
        yield row
        if number == 0:
            STATEMENTS.take(f"after the first row of {table}", raw)


class _Files(apsw.VFS):
    """The system's files, whose writes and reads take steps."""

    def __init__(self) -> None:
        self._below = apsw.vfs_names()[0]
        super().__init__("stepping", self._below)

    def xOpen(self, name: Any, flags: Any) -> apsw.VFSFile:
        return _File(self._below, name, flags)


class _File(apsw.VFSFile):
    def xWrite(self, data: Any, offset: int) -> None:
        WRITES.take("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        # Without a power cut, waiting for the disk only costs time.
        WRITES.take("sync")

    def xTruncate(self, size: int) -> None:
        WRITES.take("truncate")
        super().xTruncate(size)

    def xRead(self, amount: int, offset: int) -> bytes:
        READS.take("read")
        return super().xRead(amount, offset)


def _forked(work: Callable[[], object]) -> tuple[int, Any]:
    """Run work in a forked process; its exit status, and what it returned."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with open(reading, "rb") as answer:
            told = answer.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, json.loads(told) if told else None
    signal.alarm(PATIENCE_SECONDS)
    for steps in SORTS:
        steps.taken.clear()
    try:
        told = json.dumps(work()).encode()
        os.write(writing, told)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def state(address: str) -> dict[str, list[str]]:
    """All rows of all tables, without what differs between two commits of the same changes."""
    if "://" not in address:
        with closing(apsw.Connection(address)) as raw:
            return _state(raw.execute, "SELECT name FROM sqlite_master WHERE type = 'table'")
    with psycopg.connect(address, autocommit=True) as server:
        # A session whose client is gone may still be at its COMMIT.
        alone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        while server.execute(alone.encode()).fetchall() != [(1,)]:
            pass
        return _state(
            lambda sql: server.execute(sql.encode()),
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        )


def _state(ask: Callable[[str], Any], tables: str) -> dict[str, list[str]]:
    found = {}
    for (table,) in ask(tables).fetchall():
        if not LEFT_OUT.fullmatch(table):
            rows = ask(f"SELECT * FROM {table}")
            lasting = _lasting if table in ONE_TIME else _short
            begin = 1 if table == "search_texts" else 0  # its numbers count failed commits, too
            found[table] = sorted(repr([lasting(value) for value in row[begin:]]) for row in rows)
    return found


def _lasting(value: Any) -> Any:
    """A value without ids of events, times of events and random marks."""
    return re.sub(ONCE, "", value) if isinstance(value, str) else value


def _short(value: Any) -> Any:
    return crc32(value) if isinstance(value, bytes) else value


class Breaking:
    """The attempts on one database. `reference` is another one, for the commit without a fault."""

    def __init__(self, night: Night, address: str, reference: str) -> None:
        self.night, self.address = night, address
        self.is_file = "://" not in address
        if self.is_file:
            shutil.copy(address, f"{address}.before")
        self.old = state(address)
        status, self.names = _forked(lambda: self._counted(reference))
        assert status == 0
        self.new = state(reference)
        assert self.new != self.old

    def _counted(self, address: str) -> list[list[str]]:
        self.night.commit(address)
        return [steps.taken for steps in SORTS]

    def all(self) -> Iterator[Attempt]:
        for fault, steps, stride in KILLS:
            for step in range(1, len(self.names[SORTS.index(steps)]) + 1, stride):
                yield self._killed(fault, steps, step)
        if self.is_file:
            for each in SURVIVED["sqlite"]:
                yield from self._survived((each,))
        else:
            yield from self._survived(SURVIVED["postgresql"])

    def _killed(self, fault: str, steps: Steps, step: int) -> Attempt:
        """Kill a process at a step. The next one finds what this one left."""

        def broken() -> None:
            steps.at, steps.act = step, _kill
            self.night.commit(self.address)

        status, _ = _forked(broken)
        # What a killed one left behind may save its successor the last writes.
        assert status in (KILLED, 0), (fault, step)
        left = self._left()
        if left == "new":
            self._bring_back()
        at = self.names[SORTS.index(steps)][step - 1]
        return Attempt(fault, step, at, "killed" if status else "", "", left)

    def _survived(self, faults: Faults) -> Iterator[Attempt]:
        """Let one process try again and again, each time with a later fault, until its commit is complete."""
        status, told = _forked(lambda: [attempt.__dict__ for attempt in self._trials(faults)])
        assert status == 0
        self._bring_back()
        return (Attempt(**each) for each in told)

    def _trials(self, faults: Faults) -> Iterator[Attempt]:
        with closing(open_database(self.address)) as database:
            for step in range(1, STEPS_MAX):
                for fault in faults[:1] + faults[1 + step % 2 :: 2] + self._last_words(step):
                    yield (attempt := self._trial(database, *fault, step))
                    if attempt.left != "old":
                        yield self._trial(database, "again", STATEMENTS, _kill, 0)
                        return

    def _last_words(self, step: int) -> Faults:
        """At a COMMIT to a server: it is carried out, and its answer does not come."""
        names = self.names[SORTS.index(STATEMENTS)]
        is_commit = names[step - 1 : step] == ["COMMIT"]
        return (("answer lost", STATEMENTS, _end(socket.SHUT_RD)),) if is_commit else ()

    def _trial(
        self, database: Any, fault: str, steps: Steps, act: Callable[[Any], None], step: int
    ) -> Attempt:
        if self.is_file:
            database._writer.pragma("shrink_memory")  # else it reads no page twice
        steps.taken.clear()
        steps.at, steps.act, steps.stays = step, act, self.is_file
        error = said = ""
        try:
            self.night.commit_in(database)
        except RollbookError as raised:
            error, said = type(raised).__name__, str(raised)
        steps.at = 0
        at = steps.taken[min(step, len(steps.taken)) - 1] if step else ""
        return Attempt(fault, step, at, error, said, self._left())

    def _bring_back(self) -> None:
        """Make a file what it was before. A database of a server ends with its first complete commit."""
        if self.is_file:
            for path in Path(self.address).parent.glob("rollbook.db-*"):
                path.unlink()
            shutil.copy(f"{self.address}.before", self.address)

    def _left(self) -> str:
        found = state(self.address)
        if found in (self.old, self.new):
            return "old" if found == self.old else "new"
        return f"between: {[name for name in found if found[name] not in (self.old[name], self.new[name])]}"


def main() -> None:
    path, *addresses = sys.argv[1:]
    night = pickle.loads(Path(path).read_bytes())
    _count_statements()
    if "://" not in addresses[0]:
        _FILES.append(_Files())
        apsw.set_default_vfs("stepping")
    for attempt in Breaking(night, *addresses).all():
        print(json.dumps(attempt.__dict__))


# SQLite uses it as long as the process lives.
_FILES: list[_Files] = []
