"""The database of one act: the transaction that carries the act out also writes its row of the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from rollbook.store.engine.database import Database, Row, Transaction, Values


class Trail(Protocol):
    """The act's row. Both functions run inside a transaction of the act, and may read what it sees."""

    def begin(self, inside: Database) -> None:
        """Before the act's first change."""

    def note(self, transaction: Transaction, inside: Database) -> None:
        """After the changes of a transaction of the act; more than once if the act has several."""


class NotedDatabase:
    """A database whose first durable transaction writes the act's row, so that both are stored, or neither.

    Work that only prepares an act, such as an empty view, is written with `is_durable=False`: it has no row. An act of
    several transactions has its row from the first one on. `inside` is an open transaction that reads go to.
    """

    def __init__(
        self, database: Database, trail: Trail | None = None, inside: Transaction | None = None
    ) -> None:
        self._database, self._trail, self._inside = database, trail, inside
        self.is_local = database.is_local
        self.has_row = False

    def read(self) -> AbstractContextManager[Transaction]:
        return nullcontext(self._inside) if self._inside else self._database.read()

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[Transaction]:
        trail = self._trail if is_durable else None
        with self._database.write(is_durable=is_durable) as transaction:
            inside = NotedDatabase(self._database, inside=transaction)
            if trail and not self.has_row:
                trail.begin(inside)
            yield transaction
            if trail:
                trail.note(transaction, inside)
        self.has_row = self.has_row or trail is not None

    # What follows is the database's own.

    def read_from(self, address: str) -> None:
        self._database.read_from(address)

    def alone(self, sql: str, values: Values = ()) -> list[Row]:
        return self._database.alone(sql, values)

    def without_waiting(self) -> AbstractContextManager[None]:
        return self._database.without_waiting()

    def settle(self) -> None:
        self._database.settle()

    def figures(self) -> dict[str, float]:
        return self._database.figures()

    def close(self) -> None:
        self._database.close()
