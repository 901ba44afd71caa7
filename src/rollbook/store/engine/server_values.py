"""Single values of the whole server, by name."""

from __future__ import annotations

from rollbook.store.engine.database import Connection


def read(connection: Connection, name: str) -> str | None:
    found = connection.row("SELECT value FROM facts WHERE name = ?", (name,))
    return str(found[0]) if found else None


def write(connection: Connection, name: str, value: str) -> None:
    connection.run(
        (
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
            "value = excluded.value"
        ),
        (name, value),
    )
