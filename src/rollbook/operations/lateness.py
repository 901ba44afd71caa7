"""Whether a district's files are late: one answer for `rollbook night`, `rollbook status`, mails and the console."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rollbook.domain.school_days import Schedule
from rollbook.operations import drop_folders
from rollbook.store.engine.database import Transaction
from rollbook.store.work import schedules
from rollbook.sync.standing import Standing

# A moment so far ahead was noted while a clock was wrong. Otherwise the district would not be late until then.
AHEAD_SECONDS = 86_400


def is_late(transaction: Transaction, each: Standing, schedule: Schedule | None, now: float) -> bool:
    """Whether no files came since yesterday evening, although they are due. A paused district is never late."""
    if schedule is None or each.state == "paused" or not schedule.is_late(now, None):
        return False
    return all(schedule.is_late(now, came) for came in _came(transaction, each, schedule, now))


def _came(transaction: Transaction, each: Standing, schedule: Schedule, now: float) -> Iterator[float | None]:
    """When files came last: by the uploads that were taken, by the last sync, and by what lies in the drop folder."""
    latest = now + AHEAD_SECONDS
    yield schedules.last_came(transaction, each.district.number, latest)
    synced = each.district.last_sync
    moment = datetime.fromisoformat(synced).timestamp() if synced else None
    yield moment if moment is not None and moment <= latest else None
    lies = drop_folders.lying(schedule) if schedule.folder else None
    # A worker may take it later: once it is quiet, at its time, or when a worker runs again.
    yield now - lies.quiet_seconds if lies and lies.is_whole(schedule) else None
