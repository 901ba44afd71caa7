"""Reads of PostgreSQL in an event loop: one round trip, one moment, and nothing that an earlier read supposed wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from rollbook.errors import BadSetting, MachineTrouble
from rollbook.store.engine import in_loop, loop_sessions
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.loop_sessions import Session, Statement

ONLY_POSTGRESQL = pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)


@pytest.fixture
def numbers(database_address: str) -> Iterator[Database]:
    """A database with a table of numbers and their names."""
    with closing(open_database(database_address)) as opened:
        with opened.write() as transaction:
            transaction.run("CREATE TABLE numbers (number BIGINT PRIMARY KEY, name TEXT NOT NULL)")
            transaction.insert("numbers", "number, name", [(1, "one"), (2, "zwei \u00e9")])
        yield opened


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """The first words of the statements of each round trip."""
    trips: list[list[bytes]] = []
    send = Session.send

    def noted(session: Session, statements: list[Statement]) -> Any:
        trips.append([sql.split()[0] for sql, _ in statements])
        return send(session, statements)

    monkeypatch.setattr(Session, "send", noted)
    return trips


def read(database: Database, work: Callable[[Transaction], Any], times: int = 1) -> list[Any]:
    """What the work gives, each time, in one loop."""

    def once() -> Any:
        with database.read() as transaction:
            return work(transaction)

    async def all_times() -> list[Any]:
        return [await in_loop.run(once) for _ in range(times)]

    return asyncio.run(all_times())


@ONLY_POSTGRESQL
def test_a_read_gives_what_it_gives_in_a_thread(numbers: Database) -> None:
    def work(transaction: Transaction) -> list[Any]:
        return [
            transaction.rows("SELECT number, name FROM numbers WHERE number > ? ORDER BY number", (0,)),
            transaction.row("SELECT name FROM numbers WHERE name = ?", ("zwei \u00e9",)),
            transaction.row("SELECT 1 FROM numbers WHERE name = ?", ("nobody\0",)),
            transaction.texts("SELECT name FROM numbers ORDER BY number"),
            transaction.rows("SELECT name FROM numbers WHERE name = ANY(?)", (["one", 'a"\\'],)),
            transaction.row(
                "SELECT sum(number), count(*), NULL, number > 1 FROM numbers GROUP BY number LIMIT 1"
            ),
            transaction.row("SELECT CAST(? AS BYTEA)", (b"\0\xff",)),
            transaction.version(),
        ]

    with numbers.read() as transaction:
        expected = work(transaction)
    assert [expected] * 3 == read(numbers, work, 3)


@ONLY_POSTGRESQL
def test_a_read_with_one_statement_takes_one_round_trip_with_what_it_supposes(
    numbers: Database, sent: list[list[bytes]]
) -> None:
    def work(transaction: Transaction) -> Any:
        name = transaction.remembered_row("SELECT name FROM numbers WHERE number = ?", (1,))
        return name, transaction.rows("SELECT number FROM numbers")

    expected = (("one",), [(1,), (2,)])
    assert [expected] * 3 == read(numbers, work, 3)
    assert sent[-2:] == [[b"BEGIN", b"SELECT", b"SELECT", b"COMMIT"]] * 2


@ONLY_POSTGRESQL
def test_what_is_supposed_wrongly_is_read_again(numbers: Database, sent: list[list[bytes]]) -> None:
    def work(transaction: Transaction) -> Any:
        found = transaction.remembered_row("SELECT name FROM numbers WHERE number = ?", (1,))
        return found and transaction.row("SELECT number FROM numbers WHERE name = ?", found)

    def change(sql: str) -> None:
        with numbers.write() as transaction:
            transaction.run(sql)

    async def reads() -> list[Any]:
        found = []
        for sql in ("", "UPDATE numbers SET name = 'uno' WHERE number = 1", "DELETE FROM numbers"):
            if sql:
                await asyncio.to_thread(change, sql)
            found += [await in_loop.run(once), await in_loop.run(once)]
        return found

    def once() -> Any:
        with numbers.read() as transaction:
            return work(transaction)

    assert asyncio.run(reads()) == [(1,), (1,), (1,), (1,), None, None]


@ONLY_POSTGRESQL
def test_what_a_read_supposes_is_checked_even_if_it_needs_no_more(numbers: Database) -> None:
    def work(transaction: Transaction) -> Any:
        return transaction.remembered_row("SELECT name FROM numbers WHERE number = ?", (1,))

    def refuse(transaction: Transaction) -> Any:
        if work(transaction) == ("one",):
            raise LookupError("it is one")
        return "changed"

    async def reads() -> list[Any]:
        def once(asked: Callable[[Transaction], Any]) -> Any:
            with numbers.read() as transaction:
                return asked(transaction)

        first = [await in_loop.run(once, work) for _ in range(2)]
        with pytest.raises(LookupError):
            await in_loop.run(once, refuse)
        await asyncio.to_thread(change)
        return [*first, await in_loop.run(once, refuse), await in_loop.run(once, work)]

    def change() -> None:
        with numbers.write() as transaction:
            transaction.run("UPDATE numbers SET name = 'uno' WHERE number = 1")

    assert asyncio.run(reads()) == [("one",), ("one",), "changed", ("uno",)]


@ONLY_POSTGRESQL
def test_several_statements_see_one_moment(numbers: Database) -> None:
    """Another connection commits between the two statements of each read."""

    def work(transaction: Transaction) -> Any:
        before = transaction.row("SELECT count(*) FROM numbers")
        with numbers.write() as writing:
            writing.run("INSERT INTO numbers (number, name) SELECT max(number) + 1, 'more' FROM numbers")
        return before == transaction.row("SELECT count(*) FROM numbers")

    assert read(numbers, work, 3) == [True] * 3


@ONLY_POSTGRESQL
def test_many_reads_share_few_sessions_and_the_loop(numbers: Database) -> None:
    def once() -> Any:
        with numbers.read() as transaction:
            return transaction.row("SELECT number, pg_sleep(0.02) FROM numbers WHERE number = 1")

    async def reads() -> list[Any]:
        return await asyncio.gather(*(in_loop.run(once) for _ in range(40)))

    assert [found[0] for found in asyncio.run(reads())] == [1] * 40
    assert numbers.figures()["pool_size"] <= loop_sessions.SESSIONS_MAX + 16


@ONLY_POSTGRESQL
def test_a_read_that_is_broken_off_leaves_no_transaction(numbers: Database) -> None:
    def slow() -> Any:
        with numbers.read() as transaction:
            transaction.rows("SELECT 1 FROM numbers")
            return transaction.row("SELECT pg_sleep(1)")

    def once() -> Any:
        with numbers.read() as transaction:
            return transaction.row("SELECT count(*) FROM numbers")

    async def reads() -> Any:
        running = asyncio.ensure_future(in_loop.run(slow))
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return await in_loop.run(once)

    assert asyncio.run(reads()) == (2,)


@ONLY_POSTGRESQL
def test_a_wrong_statement_is_told_and_the_session_goes_on(numbers: Database) -> None:
    def wrong() -> Any:
        with numbers.read() as transaction:
            transaction.rows("SELECT nothing FROM numbers")

    def once() -> Any:
        with numbers.read() as transaction:
            return transaction.row("SELECT count(*) FROM numbers")

    async def reads() -> Any:
        for _ in range(3):
            with pytest.raises(BadSetting, match=r'column "nothing" does not exist'):
                await in_loop.run(wrong)
        return await in_loop.run(once)

    assert asyncio.run(reads()) == (2,)


@ONLY_POSTGRESQL
def test_a_read_writes_nothing(numbers: Database) -> None:
    def work(transaction: Transaction) -> None:
        transaction.run("DELETE FROM numbers")

    with pytest.raises(BadSetting, match="read-only transaction"):
        read(numbers, work)
    assert read(numbers, lambda transaction: transaction.row("SELECT count(*) FROM numbers")) == [(2,)]


@ONLY_POSTGRESQL
def test_sessions_that_the_server_ended_fail_no_read(numbers: Database) -> None:
    def once() -> Any:
        with numbers.read() as transaction:
            return transaction.row("SELECT pg_backend_pid()")

    def end(process: int) -> None:
        with numbers.read() as transaction:
            transaction.row("SELECT pg_terminate_backend(?)", (process,))

    async def reads() -> int:
        seen = set()
        for _ in range(3):
            (process,) = await in_loop.run(once)
            seen.add(process)
            end(process)  # it blocks the loop, which has not heard of the end when the next read begins
        return len(seen)

    assert asyncio.run(reads()) == 3


def test_a_server_that_is_away_is_told(postgresql_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_sessions, "WAIT_SECONDS", 0.1)
    with closing(open_database(postgresql_address)) as database:
        monkeypatch.setattr(database, "_address", "postgresql://nobody@/x?host=/nowhere")
        with pytest.raises(MachineTrouble, match=r"^database: the PostgreSQL server cannot be reached"):
            read(database, lambda transaction: transaction.row("SELECT 1"))
