"""A pull that cannot tear: a list that a client began to read goes on showing the state in which it began.

A first page notes the district's last run under (connection, list); pages with a cursor are read as of that run, for an hour. A
fresh first page begins anew. Nothing of this shows on the wire; the notes are shared by all workers and gone with the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rollbook.contract.access import Access
from rollbook.contract.query import CURSORS
from rollbook.web.shared import SharedTable

PIN_SECONDS = 3600
# What differs between the pages of one pull.
_OF_A_PAGE = (*CURSORS, "limit")


class Pins:
    """Which run each pull began with."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._table = SharedTable(path, "pins")
        self._clock = clock

    def begin(self, access: Access, path: str, raw: str, run: int) -> None:
        """Note that a pull of a list begins with the state after a run."""
        end = self._clock() + PIN_SECONDS
        self._table.change(_key(access, path, raw), lambda _until, _run: (end, run))

    def run(self, access: Access, path: str, raw: str, head: int) -> int:
        """The run that a pull goes on with: the one it began with, or the last one when it began too long ago, or never.

        A pull that began before its share was edited, or before its connection, is torn: what is not shared is not shown.
        """
        end, run = self._table.read(_key(access, path, raw))
        since = max(access.shown_since, access.connected_since)
        return run if end > self._clock() and since <= run <= head else head

    def close(self) -> None:
        self._table.close()


def _key(access: Access, path: str, raw: str) -> str:
    filters = sorted(part for part in raw.split("&") if part.partition("=")[0] not in _OF_A_PAGE)
    return f"{access.bucket} {path.lower()} {'&'.join(filters)}"
