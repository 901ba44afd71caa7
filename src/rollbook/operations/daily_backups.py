"""Backups that a worker makes each day: when, into which folder, and how many are kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rollbook.domain.school_days import Schedule
from rollbook.errors import BadSetting, MachineTrouble, Unknown
from rollbook.operations import backing_up
from rollbook.operations.backing_up import Kept
from rollbook.store.engine import server_values
from rollbook.store.engine.backup_files import PART
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import NewJob

BACKUP: Final = "backup"
# A backup that is this many seconds late needs attention.
LATE_SECONDS: Final = 6 * 3600
_FACT = "daily backups"
# The names of backups that a worker made; only these are deleted.
_NAMES: Final = "rollbook-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9].db"
_NOT_SET = "no daily backups are set; set them with `rollbook backups --folder FOLDER`"


@dataclass(frozen=True, slots=True)
class Daily:
    """When backups are made, where, and how many are kept; `since` is when it was set, in Unix milliseconds."""

    folder: str
    at: str = "06:00"
    zone: str = "UTC"
    keep: int = 7
    since: int = 0

    def due(self, now: float) -> float:
        """The last moment at which a backup was due, in Unix seconds."""
        clock = Schedule(zone=self.zone)
        today = clock.today(now)
        moment = clock.moment(today, self.at)
        return moment if moment <= now else clock.moment(today - timedelta(days=1), self.at)


def read(transaction: Transaction) -> Daily | None:
    """What is set; None if nothing is."""
    text = server_values.read(transaction, _FACT)
    return Daily(**json.loads(text)) if text else None


def change(database: Database, **given: object) -> Daily:
    """Set when and where backups are made; values that are not given stay. Errors: BadSetting."""
    with database.write() as transaction:
        daily = replace(read(transaction) or Daily(""), **given, since=job_queue.now(transaction))  # type: ignore[arg-type]
        if not daily.folder:
            raise BadSetting("folder: expected the folder for the backups, such as --folder /mnt/backup")
        if not Path(daily.folder).is_dir():
            raise BadSetting(
                f"folder: {daily.folder} is not there; expected a folder that the workers can write"
            )
        Schedule(zone=daily.zone, at=daily.at).checked()
        server_values.write(transaction, _FACT, json.dumps(asdict(daily)))
    return daily


def remove(database: Database) -> None:
    """End the daily backups; those that exist stay. Errors: Unknown if none are set."""
    with database.write() as transaction:
        if read(transaction) is None:
            raise Unknown(_NOT_SET)
        server_values.write(transaction, _FACT, "")


def queue(database: Database) -> int:
    """Let a worker make a backup now; returns the number of the job. Errors: Unknown, Refused if the queue is full."""
    with database.write() as transaction:
        return _add(transaction, read(transaction))


def queue_due(database: Database) -> int | None:
    """Let a worker make the backup that is due; returns the number of the job, None if none is due."""
    with database.read() as transaction:
        if not _is_due(transaction):
            return None
    with database.write() as transaction:
        # Another worker may have been faster.
        return _add(transaction, read(transaction)) if _is_due(transaction) else None


def _is_due(transaction: Transaction) -> bool:
    daily = read(transaction)
    if daily is None:
        return False
    last = max(job_queue.newest(transaction, BACKUP) or 0, daily.since)
    return last < daily.due(job_queue.now(transaction) / 1000) * 1000


def _add(transaction: Transaction, daily: Daily | None) -> int:
    if daily is None:
        raise Unknown(_NOT_SET)
    return job_queue.add(transaction, NewJob(BACKUP, BACKUP, daily.folder))


def make(database: Database, created: int) -> tuple[Kept, int]:
    """Make the backup of a job that was created then (Unix milliseconds), and delete backups beyond the number to
    keep. Returns the backup, and how many there are.

    Another attempt of the same job writes the same file. Errors: Unknown, and MachineTrouble if the folder or the
    disk refuses.
    """
    with database.read() as transaction:
        daily = read(transaction)
    if daily is None:
        raise Unknown(_NOT_SET)
    folder = Path(daily.folder)
    if not folder.is_dir():
        raise MachineTrouble(f"the folder for backups, {folder}, is not there; is its disk mounted?")
    moment = datetime.fromtimestamp(created / 1000, UTC)
    kept = backing_up.backup(database, folder / f"rollbook-{moment:%Y-%m-%d-%H%M%S}.db")
    try:
        for left in folder.glob(_NAMES + PART):  # of workers that were killed
            left.unlink(missing_ok=True)
        every = existing(daily)
        for old in every[: -daily.keep]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise MachineTrouble(f"{error.filename} cannot be deleted: {error.strerror}") from None
    return kept, min(len(every), daily.keep)


def trouble(transaction: Transaction) -> str:
    """What is wrong with the daily backups, as a sentence; blank if nothing is."""
    daily = read(transaction)
    if daily is None:
        return ""
    last = job_queue.last_ended(transaction, BACKUP, "done", "failed")
    if last and last.state == "failed":
        return f"the last backup failed: {last.message}; queue another one with `rollbook backups --now`"
    now = job_queue.now(transaction) / 1000
    due = daily.due(now - LATE_SECONDS)
    made = max(last.created if last else 0, daily.since) / 1000
    return f"the backup of {daily.at} was not made; look at `rollbook jobs`" if made < due else ""


def existing(daily: Daily) -> list[Path]:
    """The backups that workers made, oldest first."""
    return sorted(Path(daily.folder).glob(_NAMES))
