"""A pull never tears: the pages of a list that a client reads one after another show one state.

Each page notes its snapshot under the cursors that lead on from it, for an hour. A page that is requested
with such a cursor shows that snapshot; a first page shows the present. Clients see nothing of this. All workers
share the notes, which survive a restart. On PostgreSQL all machines share them, and a page is answered only after
its notes are written. If two pulls of one token are at the same id of the same list, they cannot be
distinguished: the later one counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rollbook.contract.clever.query import Cursor, Query
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.store.engine import shared_counts
from rollbook.store.engine.shared_counters import SharedTable
from rollbook.store.engine.shared_counts import SharedCounts
from rollbook.store.records.reading import Reading

PIN_SECONDS = 3600
# A note that stays valid for this long is not written again: many clients request the same pages.
FRESH_SECONDS = 3000
# A page takes two slots, for an hour.
SLOTS = 1 << 18
_MARK_BITS = 32


class Pins:
    """The snapshot of each pull."""

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, counts: SharedCounts | None = None
    ) -> None:
        self._table = SharedTable(path, SLOTS)
        self._clock = clock
        self._counts = counts

    def note(
        self, access: Access, path: str, query: Query, cursors: Iterable[Cursor], snapshot: SnapshotName
    ) -> None:
        """Note that the pages of a list at these cursors continue with a snapshot."""
        now, number, pages = self._clock(), _number(snapshot), _pages(access, path, query)
        # A page of an earlier snapshot always counts as the later one, wherever another pull has passed meanwhile.
        is_always_due = bool(self._counts) and snapshot != access.head
        due = []
        for cursor in cursors:
            key = _key(pages, cursor)
            until, noted = self._table.read(key)
            if is_always_due or noted != number or until < now + FRESH_SECONDS:
                due.append(key)
        if due and self._counts:
            self._counts.note(dict.fromkeys(due, number), int(now) + PIN_SECONDS)
        if due:
            self._table.put(due, (now + PIN_SECONDS, number))

    def snapshot(self, reading: Reading, path: str, query: Query) -> SnapshotName | None:
        """The snapshot with which a page continues.

        None for a first page, and for a cursor that is unknown or too old. A pull that began before its share
        was edited, or before its connection, is torn: unshared records are never shown.
        """
        if (cursor := query.cursor) is None:
            return None
        access, now = reading.access, self._clock()
        key = _key(_pages(access, path, query), cursor)
        until, number = self._table.read(key)
        if self._counts:
            # Another machine may have noted a later page of the same list, and its note counts.
            head, moment = _number(access.head), int(now)
            is_pinned_here = until > now and number != head
            if not is_pinned_here and shared_counts.is_noted_at_most(reading.transaction, key, moment, head):
                return None
            if (noted := shared_counts.noted(reading.transaction, key, moment)) is not None:
                until, number = now + 1, noted
        if until <= now:
            return None
        mark = number & (1 << _MARK_BITS) - 1
        found = SnapshotName(number >> _MARK_BITS, f"{mark:08x}" if mark else "")
        since = max(access.shown_since, access.connected_since)
        return found if found.run >= since else None

    def close(self) -> None:
        self._table.close()


def _number(snapshot: SnapshotName) -> int:
    return snapshot.run << _MARK_BITS | int(snapshot.mark or "0", 16)


def _pages(access: Access, path: str, query: Query) -> str:
    """The key of a token's list.

    It has only the query parameters that an endpoint knows; otherwise anyone could fill the table.
    """
    return f"{access.bucket} {path.lower()} {query.role} {query.primary}"


def _key(pages: str, cursor: Cursor) -> str:
    return f"{pages} {cursor[0]} {cursor[1]}"
