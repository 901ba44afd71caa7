"""The faults of a demo whose database is a server, for all machines together.

They are one text. A change replaces the text that it has read; if another machine was faster, it begins again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from rollbook.errors import Busy
from rollbook.store.engine.database import Database

NAME = "demo_faults"
NONE = "[]"
TRIES = 100

Rows = list[dict[str, Any]]


class FaultRows:
    """The faults in a database. It asks the primary server, so a replica's delay hides none."""

    # Only the database knows, and it is asked with each request.
    has_faults = True

    def __init__(self, database: Database) -> None:
        self._database = database

    def faults(self) -> Rows:
        rows: Rows = orjson.loads(self._text())
        return rows

    def change_faults(self, change: Callable[[Rows], Rows]) -> Rows:
        """Replace the faults by the result of `change`, which may be called again. Errors: Busy."""
        for _ in range(TRIES):
            before = self._text()
            rows = change(orjson.loads(before))
            after = orjson.dumps(rows).decode()
            if after == before or self._replaced(before, after):
                return rows
        raise Busy("too many requests change the faults at once; try again")

    def _text(self) -> str:
        found = self._database.alone("SELECT value FROM facts WHERE name = ?", (NAME,))
        return str(found[0][0]) if found else NONE

    def _replaced(self, before: str, after: str) -> bool:
        changed = self._database.alone(
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name)"
            " DO UPDATE SET value = excluded.value WHERE facts.value = ? RETURNING 1",
            (NAME, after, before),
        )
        return bool(changed)
