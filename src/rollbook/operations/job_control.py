"""Jobs: queue and cancel them, and drop what old work leaves behind."""

from __future__ import annotations

import time
from pathlib import Path

from rollbook.errors import BadSetting
from rollbook.settings import Settings
from rollbook.store.accounts import logins
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.operators import deliveries
from rollbook.store.records import request_log, retention
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import Job, NewJob

# How many days `rollbook jobs` lists a job after its end.
JOB_DAYS = 30
DAY_MS = 86_400_000
SYNC, PRUNE = "sync", "prune"


def district_lane(number: int) -> str:
    """The lane for the jobs of a district (by the store's own number): they run one at a time."""
    return f"district {number}"


def queue_sync(database: Database, district: str, source: Path) -> int:
    """Let a worker sync a district (name or id) with its files; returns the number of the job.

    Errors: Unknown, BadSetting if the folder does not exist, Refused if the queue is full.
    """
    owner = districts.find(database, district)
    if not source.exists():
        raise BadSetting(f"folder: {source} is not there; expected a folder or a zip file with the files")
    with database.write() as transaction:
        return job_queue.add(transaction, sync_job(owner.number, source))


def sync_job(district: int, source: Path) -> NewJob:
    """A sync job for a district, by the store's own number."""
    return NewJob(SYNC, district_lane(district), str(source.absolute()), district)


def queue_pruning(database: Database) -> int:
    """Let a worker drop expired data; returns the number of the job. Errors: Refused if the queue is full."""
    with database.write() as transaction:
        return job_queue.add(transaction, NewJob(PRUNE, PRUNE))


def queue_daily_pruning(database: Database) -> int | None:
    """Let a worker prune once a day, whichever worker asks; returns the number of the job, None if it is not yet due."""
    with database.read() as transaction:
        last = job_queue.last_created(transaction, PRUNE)
        if last is None or 0 <= job_queue.now(transaction) - last < DAY_MS:
            return None
    return queue_pruning(database)


def cancel(database: Database, number: int) -> Job:
    """Take a job out of the queue, or tell its worker to stop; returns it.

    Errors: Unknown, Refused if it has ended.
    """
    return job_queue.cancel(database, number)


def prune(database: Database, settings: Settings) -> dict[str, int]:
    """Drop expired versions, events, logged requests, sessions and jobs; returns how many of each.

    A sync does this for its own district; a district without syncs needs this function.
    """
    now = time.time()
    gone = {"versions": 0, "events": 0, "jobs": 0}
    for district in districts.list_all(database):
        with database.write() as transaction:
            dropped = retention.prune_now(
                transaction,
                district,
                retention.keep_since(now, history_days=settings.history_days, event_days=settings.event_days),
            )
        gone["versions"] += dropped[0]
        gone["events"] += dropped[1]
    request_log.prune(database, settings)
    with database.write(is_durable=False) as transaction:
        logins.sweep(transaction)
        gone["jobs"] = _forget_jobs(transaction)
    return gone


def _forget_jobs(transaction: Transaction) -> int:
    deliveries.forget(transaction, JOB_DAYS)
    return job_queue.forget(transaction, JOB_DAYS)
