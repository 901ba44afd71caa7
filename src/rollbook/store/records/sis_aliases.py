"""Former SIS ids of records that kept their ids under a new one: the search and `explain` still know them."""

from __future__ import annotations

from collections.abc import Iterable

from rollbook.store.engine.database import Transaction


def note(transaction: Transaction, district: int, kept: Iterable[tuple[str, str, str, str]]) -> None:
    """Keep the former SIS ids of a district (by number), from rows of (source, old, new, id)."""
    for source, old, _, id_ in kept:
        transaction.run(
            "INSERT INTO sis_aliases (district, source, sis_id, id) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (district, source, sis_id) DO UPDATE SET id = excluded.id",
            (district, source, old, id_),
        )


def find(transaction: Transaction, district: int, sis_id: str) -> list[str]:
    """The ids of the records that had a SIS id before."""
    found = transaction.rows(
        "SELECT DISTINCT id FROM sis_aliases WHERE district = ? AND sis_id = ? ORDER BY id",
        (district, sis_id),
    )
    return [id_ for (id_,) in found]
