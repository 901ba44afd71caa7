"""A pull that cannot tear: the pages of a list that a client reads one after the other show one state.

Each page notes its snapshot under the cursors that lead on from it, for an hour. A page asked for by such a
cursor is read as of that snapshot; a first page shows the present. Nothing of this shows on the wire. All
workers share the notes, and they outlive the server. Two pulls of one token that stand at the same id of the
same list cannot be told apart: the later one is followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rollbook.contract.clever.query import Cursor, Query
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.store.engine.shared_counters import SharedTable

PIN_SECONDS = 3600
# A note that holds for so long is not written again: many clients ask for the same pages.
FRESH_SECONDS = 3000
# A page takes two, for an hour.
SLOTS = 1 << 18
_MARK_BITS = 32


class Pins:
    """Which snapshot each pull shows."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._table = SharedTable(path, SLOTS)
        self._clock = clock

    def note(
        self, access: Access, path: str, query: Query, cursors: Iterable[Cursor], snapshot: SnapshotName
    ) -> None:
        """Note that pages of a list that begin at these cursors go on with a snapshot."""
        now, number, pages = self._clock(), _number(snapshot), _pages(access, path, query)
        for cursor in cursors:
            key = _key(pages, cursor)
            until, noted = self._table.read(key)
            if noted != number or until < now + FRESH_SECONDS:
                self._table.change(key, lambda _until, _noted: (now + PIN_SECONDS, number))

    def snapshot(self, access: Access, path: str, query: Query) -> SnapshotName | None:
        """The snapshot that a page goes on with; None for a first page, and when its cursor was handed out
        too long ago or never.

        A pull that began before its share was edited, or before its connection, is torn: what is not shared
        is not shown.
        """
        if query.cursor is None:
            return None
        until, number = self._table.read(_key(_pages(access, path, query), query.cursor))
        mark = number & (1 << _MARK_BITS) - 1
        found = SnapshotName(number >> _MARK_BITS, f"{mark:08x}" if mark else "")
        since = max(access.shown_since, access.connected_since)
        return found if until > self._clock() and found.run >= since else None

    def close(self) -> None:
        self._table.close()


def _number(snapshot: SnapshotName) -> int:
    return snapshot.run << _MARK_BITS | int(snapshot.mark or "0", 16)


def _pages(access: Access, path: str, query: Query) -> str:
    """A token's list: of the query only what an endpoint knows, or anybody could fill the table."""
    return f"{access.bucket} {path.lower()} {query.role} {query.primary}"


def _key(pages: str, cursor: Cursor) -> str:
    return f"{pages} {cursor[0]} {cursor[1]}"
