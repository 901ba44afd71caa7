"""The database: SQLite by default, PostgreSQL behind the same functions.

SQL is written once, with `?` for each value. `sqlite` and `postgresql` hold the differences: how to open a
connection, how to begin a transaction, how many rows to insert at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

from rollbook.errors import BadSetting

Row = tuple[Any, ...]
Values = Sequence[Any]


class Transaction(Protocol):
    """One open transaction."""

    engine: str

    def rows(self, sql: str, values: Values = ()) -> list[Row]: ...

    def row(self, sql: str, values: Values = ()) -> Row | None: ...

    def remembered_row(self, sql: str, values: Values) -> Row | None:
        """As `row`, for a row that seldom changes and decides what is read next.

        A read in a loop may go on with the row that an earlier read found; if the row has changed, it begins again.
        """

    def gives(self, sql: str, values: Values, row: Row) -> bool:
        """Whether a statement gives this one row, as it most likely does: a read in a loop supposes it."""

    def texts(self, sql: str, values: Values = ()) -> list[bytes]:
        """The first column of all rows, which is text, as UTF-8."""

    def run(self, sql: str, values: Values = ()) -> None: ...

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert many rows as fast as the database takes them."""

    def version(self) -> int | None:
        """A number that changes with each commit of another connection.

        None: the database has no such number, so read the tables.
        """


class Database(Protocol):
    """A place to read from and write to.

    `is_local`: only this machine uses it, and it has one writer at a time.
    """

    is_local: bool

    def read(self) -> AbstractContextManager[Transaction]:
        """Context manager: a Transaction that sees one moment of the database throughout."""

    def write(self, *, is_durable: bool = True) -> AbstractContextManager[Transaction]:
        """Context manager: a Transaction whose changes appear all at once when it ends, or not at all.

        `is_durable=False`: a power cut may lose the last moments, but never half a transaction. For data that
        a new sign-in restores.
        """

    def read_from(self, address: str) -> None:
        """Let reads of requests go to a replica of the database. Errors: BadSetting if it can have none."""

    def alone(self, sql: str, values: Values = ()) -> list[Row]:
        """The rows of one statement that is a transaction by itself; it may write, and sees all that was committed.

        A power cut may lose what it wrote. Only a database that several machines use has it.
        """

    def without_waiting(self) -> AbstractContextManager[None]:
        """Context manager: a write in this thread raises Busy at once if it would wait for another write or
        for the disk.

        A database that always has to be waited for raises Busy right away.
        """

    def settle(self) -> None:
        """Finish the work that writes without waiting have left to do. Called from time to time."""

    def figures(self) -> dict[str, float]:
        """What this process holds of the database now, by name; for a monitor."""

    def close(self) -> None: ...


def is_held(transaction: Transaction, select: str, values: Values) -> bool:
    """Whether a row exists, in a transaction whose writes depend on it.

    PostgreSQL locks the row until the end, and raises Busy if it was deleted since the transaction began.
    SQLite has one writer.
    """
    return (
        transaction.row(select + (" FOR KEY SHARE" if transaction.engine == "postgresql" else ""), values)
        is not None
    )


def not_begun(where: str, what: str) -> BadSetting:
    """The error for a database that must exist and does not."""
    return BadSetting(
        f"database: {where} {what}. Name the right one with --database or ROLLBOOK_DATABASE, or put it back from a backup;"
        " to begin a new one: `rollbook district create NAME`"
    )


def open_database(address: str, *, may_make: bool = True) -> Database:
    """Open a database by file path or postgresql:// URL. `may_make`: make a missing file.

    Errors: BadSetting if it cannot be opened.

    A driver is loaded only when its database is used: PostgreSQL's takes 20 MB, which a sandbox on a laptop
    can save.
    """
    scheme, colon, _ = address.partition("://")
    if colon and scheme not in ("postgresql", "postgres"):
        raise BadSetting(f"database: expected a file path or a postgresql:// URL, got {scheme}://...")
    driver = "postgresql" if colon else "sqlite"
    opener: Callable[..., Database] = getattr(
        import_module(f"rollbook.store.engine.{driver}"), f"open_{driver}"
    )
    return opener(address, may_make=may_make)
