"""The schema's steps, on both databases: each once, in its own transaction, even if several programs start at
once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from rollbook.errors import BadSetting
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.migrations import ADDING, STEPS, migrate


@pytest.fixture
def empty(bare_address: str) -> Iterator[Database]:
    with closing(open_database(bare_address)) as opened:
        yield opened


def steps(database: Database) -> list[tuple[int, str]]:
    with database.read() as transaction:
        return [
            (number, name)
            for number, name in transaction.rows("SELECT step, name FROM migrations ORDER BY step")
        ]


def expected() -> list[tuple[int, str]]:
    return [(number, function.__name__) for number, function in enumerate(STEPS, start=1)]


def test_every_step_is_taken_once(empty: Database) -> None:
    for _ in range(3):
        migrate(empty)
        assert steps(empty) == expected()


def test_a_step_that_fails_leaves_nothing_behind_and_can_be_taken_again(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(transaction: Transaction) -> None:
        transaction.run("CREATE TABLE half (x TEXT)")
        raise ValueError

    monkeypatch.setattr(migrations, "STEPS", (*STEPS, broken))
    with pytest.raises(ValueError, match=r"^$"):
        migrate(empty)
    assert steps(empty) == expected()
    with pytest.raises(BadSetting, match="half"), empty.read() as transaction:
        transaction.rows("SELECT * FROM half")

    def mended(transaction: Transaction) -> None:
        transaction.run("CREATE TABLE half (x TEXT)")

    monkeypatch.setattr(migrations, "STEPS", (*STEPS, mended))
    migrate(empty)
    assert steps(empty) == [*expected(), (len(STEPS) + 1, "mended")]


def later(transaction: Transaction) -> None:
    transaction.run("CREATE TABLE later (x TEXT)")


def test_a_database_that_a_later_version_changed_is_refused(empty: Database) -> None:
    with pytest.MonkeyPatch.context() as tomorrow:
        tomorrow.setattr(migrations, "STEPS", (*STEPS, later))
        migrate(empty)
    with pytest.raises(
        BadSetting,
        match=rf"later version of Rollbook \(schema {len(STEPS) + 1}; this one knows {len(STEPS)}\)",
    ):
        migrate(empty)


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "by a version without marks"])
def test_a_database_to_which_a_later_version_only_added_is_used(empty: Database, is_marked: bool) -> None:
    migrate(empty)
    if not is_marked:
        with empty.write() as transaction:
            transaction.run("DELETE FROM facts")
    for _ in range(2):
        with pytest.MonkeyPatch.context() as tomorrow:
            tomorrow.setattr(migrations, "STEPS", (*STEPS, later))
            tomorrow.setattr(migrations, "ADDING", ADDING | {later})
            migrate(empty)
        migrate(empty)
    with empty.read() as transaction:
        found = migrations.schema(transaction)
    assert (found.last, found.known) == (len(STEPS) + 1, len(STEPS))
    assert found.needed <= len(STEPS)


def test_programs_that_begin_at_once_wait_for_one_another(bare_address: str) -> None:
    failures: list[BaseException] = []
    begun = threading.Barrier(4)

    def begin() -> None:
        with closing(open_database(bare_address)) as own:
            begun.wait(timeout=60)
            try:
                migrate(own)
                assert steps(own) == expected()
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_program_that_begins_does_not_wait_for_one_that_writes(empty: Database, bare_address: str) -> None:
    migrate(empty)
    with closing(open_database(bare_address)) as other, empty.write() as transaction:
        transaction.run("INSERT INTO facts (name, value) VALUES ('test', '1')")
        migrate(other)
