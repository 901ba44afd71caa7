"""A pull that cannot tear: a list that a client began to read goes on showing the state in which it began.

A first page notes the district's last run under (connection, list); pages with a cursor are read as of that run, for an hour. A
fresh first page begins anew. Nothing of this shows on the wire; the notes are shared by all workers and gone with the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rollbook.contract.access import Access
from rollbook.contract.query import Query
from rollbook.web.shared import SharedTable

PIN_SECONDS = 3600


class Pins:
    """Which run each pull began with."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._table = SharedTable(path, "pins")
        self._clock = clock

    def begin(self, access: Access, path: str, query: Query, run: int) -> None:
        """Note that a pull of a list begins with the state after a run."""
        end = self._clock() + PIN_SECONDS
        self._table.change(_key(access, path, query), lambda _until, _run: (end, run))

    def run(self, access: Access, path: str, query: Query, head: int) -> int:
        """The run that a pull goes on with: the one it began with, or the last one when it began too long ago, or never.

        A pull that began before its share was edited, or before its connection, is torn: what is not shared is not shown.
        """
        end, run = self._table.read(_key(access, path, query))
        since = max(access.shown_since, access.connected_since)
        return run if end > self._clock() and since <= run <= head else head

    def close(self) -> None:
        self._table.close()


def _key(access: Access, path: str, query: Query) -> str:
    """What the pages of a pull have in common: of the query only what an endpoint knows, or anybody could fill the table."""
    return f"{access.bucket} {path.lower()} {query.role} {query.primary}"
