"""The runs that a person must look at: held ones, and files that could not be used."""

from __future__ import annotations

from rollbook.store.engine.database import Transaction
from rollbook.store.records.commits import RUN, Run, as_run

# The words of the index `syncs_to_tell`.
_TO_TELL = "state IN ('held', 'failed')"


def newest(transaction: Transaction) -> str:
    """When the newest of them was, blank if there is none: it changes with each one."""
    found = transaction.row(f"SELECT max(created), count(*) FROM syncs WHERE {_TO_TELL}")
    return f"{found[0]} {found[1]}" if found and found[0] else ""


def since(transaction: Transaction, created: str) -> list[tuple[int, Run]]:
    """Those since a moment, each with the store's number of its district, oldest first."""
    rows = transaction.rows(
        f"SELECT district, {RUN} FROM syncs WHERE {_TO_TELL} AND created >= ? ORDER BY created", (created,)
    )
    return [(row[0], as_run(row[1:])) for row in rows]
