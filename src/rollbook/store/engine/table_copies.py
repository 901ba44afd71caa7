"""All tables of a database, read in key order, with a digest of each; and copied into another database.

Equal rows give the same digest on SQLite and PostgreSQL. The request log is not copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import orjson

from rollbook.store.engine.database import Row, Transaction, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.engine.search_tables import INDEX

ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the schema: its columns, and its key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def select(self) -> str:
        return f"SELECT {_list(self.columns)} FROM {self.name} ORDER BY {_list(self.key)}"


@dataclass(frozen=True, slots=True)
class Contents:
    """How many rows a table has, and the digest of all of them in the order of their keys."""

    rows: int
    digest: str


def tables() -> list[Table]:
    """The tables of this version's schema, each after the tables that it refers to."""
    with (
        TemporaryDirectory(prefix="rollbook-schema-") as folder,
        closing(open_database(str(Path(folder) / "empty.db"))) as empty,
    ):
        migrate(empty)
        with empty.read() as transaction:
            names = transaction.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE ? ORDER BY rowid",
                (f"{INDEX}%",),
            )
            return [_table(transaction, name) for (name,) in names]


def _table(transaction: Transaction, name: str) -> Table:
    columns = transaction.rows("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (name,))
    key = [column for column, place in sorted(columns, key=lambda each: int(each[1])) if place]
    return Table(name, tuple(column for column, _ in columns), tuple(key))


def contents(transaction: Transaction, every: Iterable[Table]) -> dict[str, Contents]:
    """The row count and digest of each table."""
    found = {}
    for table in every:
        told = _Digest(_rows(transaction, table.select))
        for _ in told:
            pass
        found[table.name] = told.contents
    return found


def copy(source: Transaction, target: Transaction, every: Iterable[Table]) -> dict[str, Contents]:
    """Replace all rows of the target by those of the source; returns the source's contents."""
    copied, ordered = {}, [*every]
    for table in reversed(ordered):
        target.run(f"DELETE FROM {table.name}")
    for table in ordered:
        told = _Digest(_rows(source, table.select))
        target.insert(table.name, _list(table.columns), told)
        copied[table.name] = told.contents
    if target.engine == "postgresql":
        _count_on(target, ordered)
    return copied


def is_empty(transaction: Transaction) -> bool:
    """Whether the database holds nothing that an operator made."""
    return not any(transaction.row(f"SELECT 1 FROM {name} LIMIT 1") for name in ("districts", "applications"))


def differences(wanted: Mapping[str, Contents], found: Mapping[str, Contents]) -> list[str]:
    """The tables with wrong contents, each in a sentence."""
    return [
        f"{name} has {found[name].rows:,} rows, and should have {each.rows:,}"
        if found[name].rows != each.rows
        else f"{name} has other rows than it should have"
        for name, each in wanted.items()
        if found[name] != each
    ]


class _Digest:
    """Counts and hashes rows as they pass."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows, self._hash, self._count = rows, hashlib.blake2b(digest_size=32), 0

    def __iter__(self) -> Iterator[Row]:
        while some := tuple(islice(self._rows, ROWS_AT_ONCE)):
            self._hash.update(orjson.dumps(some, default=_hashed))
            self._count += len(some)
            yield from some

    @property
    def contents(self) -> Contents:
        return Contents(self._count, self._hash.hexdigest())


def _hashed(value: Any) -> str:
    """A value of bytes, as it enters a digest."""
    return hashlib.blake2b(value, digest_size=32).hexdigest()


def _rows(transaction: Transaction, select: str) -> Iterator[Row]:
    """The rows of a query, a few at a time."""
    raw = cast(Any, transaction).raw
    if transaction.engine == "sqlite":
        yield from raw.execute(select)
        return
    with raw.cursor(name="rollbook_copy") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(select.encode())
        yield from cursor


def _count_on(target: Transaction, every: Iterable[Table]) -> None:
    """Let PostgreSQL continue its counters after the copied numbers."""
    for table in every:
        found = target.row(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?"
            " AND column_name = 'number' AND column_default LIKE 'nextval(%'",
            (table.name,),
        )
        if found and found[0]:
            target.row(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'),"
                f" coalesce((SELECT max(number) FROM {table.name}), 0) + 1, false)"
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
