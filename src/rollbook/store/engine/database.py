"""The database: SQLite by default, PostgreSQL behind the same functions.

SQL is written once, with `?` for each value. What differs between the two stands in `sqlite` and
`postgresql`: how a connection is opened, how a transaction begins, how many rows go in at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

from rollbook.errors import BadSetting

Row = tuple[Any, ...]
Values = Sequence[Any]


class Connection(Protocol):
    """One open transaction."""

    engine: str

    def rows(self, sql: str, values: Values = ()) -> list[Row]: ...

    def row(self, sql: str, values: Values = ()) -> Row | None: ...

    def run(self, sql: str, values: Values = ()) -> None: ...

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert many rows as fast as the database takes them."""

    def version(self) -> int | None:
        """A number that changes with every commit of another connection; None: ask the tables themselves."""


class Database(Protocol):
    """A place to read from and write to. `is_local`: it is this machine's alone, and has one writer at a
    time."""

    is_local: bool

    def read(self) -> AbstractContextManager[Connection]:
        """Context manager: a Connection that sees one moment of the database throughout."""

    def write(self, *, is_durable: bool = True) -> AbstractContextManager[Connection]:
        """Context manager: a Connection whose changes appear all at once when it ends, or not at all.

        `is_durable=False`: the last moments may be lost in a power cut, never torn; for what can be had again
        by signing in.
        """

    def without_waiting(self) -> AbstractContextManager[None]:
        """Context manager: in this thread a write that would wait for another one, or for the disk, raises
        Busy at once.

        A database that is always waited for raises Busy right away.
        """

    def settle(self) -> None:
        """Move to its place what writes that did not wait have left to do; from time to time."""

    def close(self) -> None: ...


def is_held(connection: Connection, select: str, values: Values) -> bool:
    """Whether a row is there, in a transaction that writes what stands on it.

    PostgreSQL holds the row until the end, and raises Busy if it was deleted since the transaction began;
    SQLite has one writer.
    """
    return (
        connection.row(select + (" FOR KEY SHARE" if connection.engine == "postgresql" else ""), values)
        is not None
    )


def not_begun(where: str, what: str) -> BadSetting:
    """A database that has to be there, and is not."""
    return BadSetting(
        f"database: {where} {what}. Name the right one with --database or ROLLBOOK_DATABASE, or put it back from a backup;"
        " to begin a new one: `rollbook district create NAME`"
    )


def open_database(address: str, *, may_make: bool = True) -> Database:
    """Open a database by file path or postgresql:// URL; `may_make`: make a file that is not there.

    Errors: BadSetting when it cannot be opened.

    A driver is loaded only when its database is used: PostgreSQL's takes 20 MB that a laptop's sandbox need
    not spend.
    """
    scheme, colon, _ = address.partition("://")
    if colon and scheme not in ("postgresql", "postgres"):
        raise BadSetting(f"database: expected a file path or a postgresql:// URL, got {scheme}://...")
    driver = "postgresql" if colon else "sqlite"
    opener: Callable[..., Database] = getattr(
        import_module(f"rollbook.store.engine.{driver}"), f"open_{driver}"
    )
    return opener(address, may_make=may_make)
