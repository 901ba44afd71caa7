"""An option for PostgreSQL: the large tables as partitions by a hash of the view, their key's first column.

Each statement names its view, so that the server looks into one partition; all else stays as it is.
"""

from __future__ import annotations

from rollbook.errors import BadSetting
from rollbook.store.engine.database import Database, Transaction

TABLES = ("records", "versions", "events")
_PARTITIONS = (
    "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(?) AND EXISTS"
    " (SELECT 1 FROM pg_partitioned_table WHERE partrelid = to_regclass(?))"
)


def settle(database: Database, wanted: int) -> None:
    """Partition the tables that are not, in one transaction; 0 leaves all as they are.

    Errors: BadSetting for SQLite, and for tables that have another number of partitions.
    """
    if not wanted:
        return
    if database.is_local:
        raise BadSetting("partitions: only PostgreSQL has partitions; expected 0 with a SQLite file")
    with database.read() as transaction:
        is_done = all(count(transaction, table) == wanted for table in TABLES)
    if not is_done:
        with database.write() as transaction:
            # Lock first: of two programs that start at once, the second one then finds it done.
            transaction.run("LOCK TABLE migrations IN EXCLUSIVE MODE")
            for table in TABLES:
                _partition(transaction, table, wanted)


def count(transaction: Transaction, table: str) -> int:
    """How many partitions a table has; 0 if it has none."""
    [(number,)] = transaction.rows(_PARTITIONS, (table, table))
    return int(number)


def _partition(transaction: Transaction, table: str, wanted: int) -> None:
    """Move a table's rows into partitions, with the same columns, key and indexes."""
    have = count(transaction, table)
    if have == wanted:
        return
    if have:
        raise BadSetting(
            f"partitions: the tables have {have} already, and keep them; expected {have} or 0, got {wanted}"
        )
    key, indexes = _key(transaction, table), _indexes(transaction, table)
    transaction.run(f"ALTER TABLE {table} RENAME TO whole_{table}")
    transaction.run(f"CREATE TABLE {table} (LIKE whole_{table} INCLUDING DEFAULTS) PARTITION BY HASH (view)")
    for number in range(wanted):
        transaction.run(
            f"CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES WITH (MODULUS {wanted}, REMAINDER {number})"
        )
    transaction.run(f"INSERT INTO {table} SELECT * FROM whole_{table}")
    transaction.run(f"DROP TABLE whole_{table}")
    for statement in (f"ALTER TABLE {table} ADD CONSTRAINT {key}", *indexes):
        transaction.run(statement)


def _key(transaction: Transaction, table: str) -> str:
    """The name and columns of the primary key."""
    [(name, text)] = transaction.rows(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(?) AND contype = 'p'",
        (table,),
    )
    return f"{name} {text}"


def _indexes(transaction: Transaction, table: str) -> list[str]:
    """The statements that make the other indexes."""
    found = transaction.rows(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass(?) AND NOT indisprimary"
        " ORDER BY indexrelid",
        (table,),
    )
    return [text for (text,) in found]
