"""Both databases behind the same functions: what a transaction guarantees, and the errors of a database in
trouble."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from rollbook.errors import BadSetting, Busy, MachineTrouble
from rollbook.store.engine import postgresql, sqlite
from rollbook.store.engine.database import Database, Transaction, open_database


def facts(database: Database) -> dict[str, str]:
    with database.read() as transaction:
        return dict(transaction.rows("SELECT name, value FROM facts WHERE name LIKE 'test%'"))


def put(transaction: Transaction, name: str, value: str) -> None:
    transaction.run("INSERT INTO facts (name, value) VALUES (?, ?)", (f"test {name}", value))


def test_what_is_written_appears_when_the_transaction_ends(database: Database) -> None:
    with database.write() as transaction:
        put(transaction, "a", "1")
        assert transaction.row("SELECT value FROM facts WHERE name = ?", ("test a",)) == ("1",)
    assert facts(database) == {"test a": "1"}


def test_nothing_is_written_when_anything_fails(database: Database) -> None:
    def fail(error: type[BaseException]) -> None:
        with database.write() as transaction:
            put(transaction, "a", "1")
            raise error

    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            fail(error)
    assert facts(database) == {}
    with database.write() as transaction:
        put(transaction, "b", "2")
    assert facts(database) == {"test b": "2"}


def test_a_read_sees_one_moment(database: Database) -> None:
    with database.write() as transaction:
        put(transaction, "a", "1")

    def change() -> None:
        with database.write() as transaction:
            transaction.run("UPDATE facts SET value = '2' WHERE name = 'test a'")

    with database.read() as transaction:
        before = transaction.row("SELECT value FROM facts WHERE name = 'test a'")
        other = threading.Thread(target=change)
        other.start()
        other.join()
        assert transaction.row("SELECT value FROM facts WHERE name = 'test a'") == before == ("1",)
    assert facts(database) == {"test a": "2"}


def test_a_read_of_a_file_begins_with_its_version_and_costs_no_other_statement(tmp_path: Path) -> None:
    with closing(sqlite.open_sqlite(str(tmp_path / "a.db"))) as database:
        with database.write() as transaction:
            transaction.run("CREATE TABLE facts (name, value)")
        asked: list[str] = []

        def note(_: object, sql: str, __: object) -> bool:
            asked.append(sql)
            return True

        database.reader().raw.exec_trace = note
        with database.read() as transaction:
            before = transaction.version()
            with database.write() as other:
                put(other, "a", "1")
            assert (transaction.version(), transaction.rows("SELECT 1 FROM facts")) == (before, [])
        with database.read() as transaction:
            assert transaction.version() != before
        assert asked == ["PRAGMA data_version", "SELECT 1 FROM facts", "PRAGMA data_version"]


def test_another_handle_sees_what_was_committed(database: Database, database_address: str) -> None:
    with closing(open_database(database_address)) as other:
        with database.write() as transaction:
            put(transaction, "a", "1")
            assert facts(other) == {}
        assert facts(other) == {"test a": "1"}


@pytest.mark.parametrize("value", ["", "'", "%s ?", "?", "日本語 🎒", "\\x00", "a\nb", "x" * 1_000_000])
def test_any_text_comes_back_as_it_was(database: Database, value: str) -> None:
    with database.write() as transaction:
        put(transaction, "a", value)
        transaction.insert("facts", "name, value", [("test b", value)])
    assert facts(database) == {"test a": value, "test b": value}


def test_many_rows_go_in_at_once_in_their_order(database: Database) -> None:
    with database.write() as transaction:
        transaction.insert(
            "facts", "name, value", ((f"test {number:05}", str(number)) for number in range(5_000))
        )
    found = facts(database)
    assert [found[f"test {number:05}"] for number in range(5_000)] == [str(number) for number in range(5_000)]


def test_many_rows_have_a_larger_cache_until_their_transaction_ends(small_database: Database) -> None:
    def cache_bytes(transaction: Transaction) -> int:
        found = transaction.row("PRAGMA cache_size")
        return -1024 * int(found[0]) if found else 0

    for is_broken in (False, True):
        with contextlib.suppress(ZeroDivisionError), small_database.write() as transaction:
            transaction.insert("facts", "name, value", [(f"test {is_broken}", "")])
            assert cache_bytes(transaction) == sqlite.CACHE_BYTES
            rows = ((f"test {is_broken} {number}", "") for number in range(sqlite.MANY_ROWS + 2))
            transaction.insert("facts", "name, value", rows)
            assert cache_bytes(transaction) == sqlite.LARGE_CACHE_BYTES
            if is_broken:
                raise ZeroDivisionError
        with small_database.write() as transaction:
            assert cache_bytes(transaction) == sqlite.CACHE_BYTES
    assert len(facts(small_database)) == sqlite.MANY_ROWS + 3


def test_texts_are_ordered_byte_by_byte(database: Database) -> None:
    names = ["test a", "test B", "test é", "test Z", "test _", "test 1"]
    with database.write() as transaction:
        transaction.insert("facts", "name, value", ((name, "") for name in names))
    with database.read() as transaction:
        found = [
            name
            for (name,) in transaction.rows("SELECT name FROM facts WHERE name LIKE 'test%' ORDER BY name")
        ]
    assert found == sorted(names, key=str.encode)


def test_two_that_write_the_same_at_once_cannot_both_win(database: Database, database_address: str) -> None:
    with database.write() as transaction:
        put(transaction, "a", "0")
    outcomes: list[str] = []
    begun = threading.Barrier(2)

    def add(own: Database) -> None:
        begun.wait(timeout=60)
        try:
            with own.write() as transaction:
                found = transaction.row("SELECT value FROM facts WHERE name = 'test a'")
                assert found
                transaction.run("UPDATE facts SET value = ? WHERE name = 'test a'", (str(int(found[0]) + 1),))
            outcomes.append("written")
        except Busy:
            outcomes.append("refused")

    with closing(open_database(database_address)) as other:
        threads = [threading.Thread(target=add, args=(own,)) for own in (database, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert facts(database) == {"test a": str(outcomes.count("written"))}
    assert outcomes.count("written") >= 1


def test_two_that_make_the_same_at_once_are_no_traceback(database: Database, database_address: str) -> None:
    failures: list[BaseException] = []

    def also(own: Database) -> None:
        try:
            with own.write() as transaction:
                put(transaction, "a", "2")
        except BaseException as error:
            failures.append(error)

    with closing(open_database(database_address)) as other:
        thread = threading.Thread(target=also, args=(other,))
        with database.write() as transaction:
            put(transaction, "a", "1")
            thread.start()
        thread.join()
    (failure,) = failures
    assert isinstance(failure, Busy | BadSetting)
    assert facts(database) == {"test a": "1"}


# --- trouble --------------------------------------------------------------------------------------------------------------


def test_a_statement_that_is_refused_is_told_on_one_line(database: Database) -> None:
    for take in (database.read, database.write):
        with pytest.raises(BadSetting, match=r"^database: [^\n]*nowhere[^\n]*$"), take() as connection:
            connection.rows("SELECT * FROM nowhere")
    assert facts(database) == {}


def test_a_full_disk_is_told_and_leaves_all_as_it_was(small_database: Database) -> None:
    with small_database.write() as transaction:
        put(transaction, "a", "1")
    raw: Any = small_database
    pages = raw._writer.pragma("page_count")
    raw._writer.pragma("max_page_count", pages + 2)
    with (
        pytest.raises(MachineTrouble, match="full; nothing was written"),
        small_database.write() as transaction,
    ):
        transaction.insert(
            "facts", "name, value", ((f"test b {number}", "x" * 100_000) for number in range(100))
        )
    assert facts(small_database) == {"test a": "1"}
    raw._writer.pragma("max_page_count", 1_000_000)
    with small_database.write() as transaction:
        put(transaction, "c", "3")
    assert facts(small_database) == {"test a": "1", "test c": "3"}


def test_a_database_that_another_program_holds_is_told(
    small_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    holder = apsw.Connection(str(tmp_path / "rollbook.db"))
    holder.execute("BEGIN IMMEDIATE")
    with closing(open_database(str(tmp_path / "rollbook.db"))) as other:
        with pytest.raises(Busy, match="another process has been writing"), other.write():
            pass
        assert facts(other) == {}
        holder.execute("COMMIT")
        with other.write() as transaction:
            put(transaction, "a", "1")
    holder.close()


def test_a_write_that_must_not_wait_fails_at_once(database: Database, database_address: str) -> None:
    """A write that did wait would succeed in the end: the blocking one ends after a fixed time."""

    def try_without_waiting(*, is_durable: bool) -> None:
        with database.without_waiting(), database.write(is_durable=is_durable) as transaction:
            put(transaction, "b", "2")

    @contextmanager
    def held(holder: Database) -> Iterator[None]:
        """Another thread writes until released, at most two seconds."""
        begun, done = threading.Event(), threading.Event()

        def hold() -> None:
            with holder.write() as transaction:
                put(transaction, "a", "1")
                begun.set()
                done.wait(2)
                transaction.run("DELETE FROM facts WHERE name = 'test a'")

        thread = threading.Thread(target=hold)
        thread.start()
        begun.wait()
        yield
        done.set()
        thread.join()

    with closing(open_database(database_address)) as other:
        for holder in (database, other):
            with held(holder), pytest.raises(Busy):
                try_without_waiting(is_durable=False)
    with pytest.raises(Busy):
        try_without_waiting(is_durable=True)
    assert facts(database) == {}
    if database.is_local:
        try_without_waiting(is_durable=False)
        assert facts(database) == {"test b": "2"}
    with database.write() as transaction:  # afterwards writes wait again
        put(transaction, "c", "3")


def test_a_write_that_must_not_wait_leaves_a_long_log_to_others(
    small_database: Database, tmp_path: Path
) -> None:
    """After a large commit during a read, the next writer would move all of the log to its place."""
    value = "x" * 8_000

    def is_in_the_file() -> bool:
        """Whether the data is in the database's own file, not in the log."""
        return value[:1_000].encode() in (tmp_path / "rollbook.db").read_bytes()

    with closing(open_database(str(tmp_path / "rollbook.db"))) as other, other.read() as transaction:
        transaction.row("SELECT count(*) FROM facts")
        with small_database.write() as writing:
            writing.insert(
                "facts", "name, value", ((f"test {number}", value) for number in range(2 * sqlite.LOG_PAGES))
            )
    assert not is_in_the_file()
    with small_database.without_waiting(), small_database.write(is_durable=False) as writing:
        put(writing, "a", "1")
    assert not is_in_the_file()
    small_database.settle()
    assert is_in_the_file()


def test_a_thread_that_ends_leaves_no_file_open(small_database: Database) -> None:
    """Servers start and end threads all day; each has its own connection for reads."""

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    def read_in_a_thread() -> None:
        thread = threading.Thread(target=facts, args=(small_database,))
        thread.start()
        thread.join()

    read_in_a_thread()
    before = open_files()
    for _ in range(20):
        read_in_a_thread()
    assert open_files() <= before


def test_a_file_that_is_broken_is_told(small_database: Database, tmp_path: Path) -> None:
    with small_database.write() as transaction:
        transaction.insert(
            "facts", "name, value", ((f"test {number}", "x" * 1_000) for number in range(1_000))
        )
    small_database.close()
    path = tmp_path / "rollbook.db"
    whole = path.read_bytes()
    broken_bytes = 900_000  # of the values at the end; the schema before them stays, so that the file opens
    path.write_bytes(whole[:-broken_bytes] + b"\xff" * broken_bytes)
    with (
        closing(open_database(str(path))) as broken,
        pytest.raises(BadSetting, match=r"^database: .*rollbook\.db cannot be used"),
    ):
        facts(broken)


@pytest.mark.parametrize(
    "content",
    [b"School_id,School_name\n" * 100, b"SQLite format 3\x00" + b"\xff" * 5_000, b"PK\x03\x04" * 500],
)
def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "schools.csv"
    path.write_bytes(content)
    with pytest.raises(BadSetting, match=r"schools\.csv cannot be opened as a SQLite database"):
        open_database(str(path))
    assert path.read_bytes() == content


def test_a_place_where_no_file_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "rollbook.db"):
        with pytest.raises(BadSetting, match=r"^database: .* cannot be opened as a SQLite database"):
            open_database(str(path))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:hunter2@127.0.0.1:1/rollbook",
        "postgresql://user:hunter2@[bad/rollbook",
        "postgresql://user:hunter2@127.0.0.1:port/rollbook",
        "postgresql://user:hunter2@/rollbook?host=/nowhere",
        "postgresql://user:hunter2@host/rollbook?nonsense=1",
        "mysql://user:hunter2@127.0.0.1/rollbook",
    ],
)
def test_a_server_that_is_not_there_is_told_without_its_password(address: str) -> None:
    with pytest.raises(BadSetting, match=r"^database: [^\n]*$") as raised:
        open_database(address)
    assert "hunter2" not in str(raised.value)


def test_a_postgresql_server_that_goes_away_is_told(postgresql_address: str) -> None:
    with closing(open_database(postgresql_address)) as opened:
        told = pytest.raises(
            MachineTrouble, match=r"^database: the PostgreSQL server cannot be reached or used: "
        )
        with told, opened.write() as transaction:
            transaction.run("SELECT pg_terminate_backend(pg_backend_pid())")
        with opened.read() as transaction:
            assert transaction.row("SELECT 1") == (1,)


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_reads_wait_for_a_connection_and_none_fails(
    database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool begins with one connection, and has fewer than there are reads, which take longer than one
    wait in it."""
    monkeypatch.setattr(postgresql, "WAIT_SECONDS", 0.5)
    together = threading.Barrier(60)

    def read(database: Database) -> bool:
        together.wait()
        with database.read() as transaction:
            return transaction.row("SELECT pg_sleep(0.6)") is not None

    with closing(open_database(database_address)) as database, ThreadPoolExecutor(60) as threads:
        assert [*threads.map(read, [database] * 60)] == [True] * 60
