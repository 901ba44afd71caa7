"""Single values of the whole server, by name."""

from __future__ import annotations

from rollbook.store.engine.database import Transaction


def read(transaction: Transaction, name: str) -> str | None:
    found = transaction.row("SELECT value FROM facts WHERE name = ?", (name,))
    return str(found[0]) if found else None


def write(transaction: Transaction, name: str, value: str) -> None:
    transaction.run(
        (
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
            "value = excluded.value"
        ),
        (name, value),
    )
