"""The queue of jobs: who may run which job, and for how long.

A worker leases a job for `LEASE_SECONDS` and renews the lease while it works. If a worker dies, its lease
expires, and another worker starts the job again. Each lease has a *fence*, a number that rises. A job writes
everything in one transaction with `finish`, which refuses an older fence. So two workers that both believe
they hold the lease cannot both write. Times come from the database's clock, which all workers share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rollbook.errors import Busy, LeaseLost, Refused, Unknown
from rollbook.store.engine.database import Database, Row, Transaction

LEASE_SECONDS: Final = 60
ATTEMPTS_MAX: Final = 5
# The wait before the second attempt; each later wait is twice as long.
RETRY_SECONDS, RETRY_SECONDS_MAX = 30, 3600
WAITING_MAX: Final = 10_000
STATES: Final = ("waiting", "running", "done", "failed", "cancelled")
NOW: Final = {
    "sqlite": "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
_LEASE_TRIES = 20
# The lane of jobs that wait for other servers. They run in a process of their own, so that they delay no sync.
OUTGOING: Final = "outgoing"
_COLUMNS = (
    "j.number, j.kind, j.lane, j.subject, j.state, j.stage, j.message, j.attempts, j.fence, j.worker, j.created, j.due,"
    " j.begun, j.ended, j.wants_end, j.sync, d.id, d.name, s.state, s.report"
)
_JOINED = (
    "FROM jobs j LEFT JOIN districts d ON d.number = j.district"
    " LEFT JOIN syncs s ON s.district = j.district AND s.sync = j.sync"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `district_id` and `district` (its name) are blank for a job of the whole server.

    `run` is the number of the district's run that the job made, `run_state` its state, `counts` its changes.
    Times are Unix milliseconds.
    """

    number: int
    kind: str
    lane: str
    subject: str
    state: str
    stage: str
    message: str
    attempts: int
    fence: int
    worker: str
    created: int
    due: int
    begun: int | None
    ended: int | None
    wants_end: bool
    run: int | None
    district_id: str
    district: str
    run_state: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to put into the queue. `district` is the store's own number of a district."""

    kind: str
    lane: str
    subject: str = ""
    district: int | None = None


def now(transaction: Transaction) -> int:
    """Now, in Unix milliseconds, by the database's clock."""
    found = transaction.row(f"SELECT {NOW[transaction.engine]}")
    return int(found[0]) if found else 0


def add(transaction: Transaction, job: NewJob) -> int:
    """Put a job into the queue and return its number. A job that already waits is not added again.

    Errors: Refused if the queue is full.
    """
    same = transaction.row(
        "SELECT number FROM jobs WHERE state = 'waiting' AND kind = ? AND lane = ? AND subject = ?",
        (job.kind, job.lane, job.subject),
    )
    if same:
        return int(same[0])
    waiting = transaction.row("SELECT count(*) FROM jobs WHERE state = 'waiting'")
    if waiting and waiting[0] >= WAITING_MAX:
        raise Refused(
            f"the queue is full: {WAITING_MAX:,} jobs wait. Start a worker with `rollbook work`, or look at `rollbook jobs`"
        )
    moment = now(transaction)
    made = transaction.row(
        "INSERT INTO jobs (kind, lane, district, subject, state, created, due)"
        " VALUES (?, ?, ?, ?, 'waiting', ?, ?) RETURNING number",
        (job.kind, job.lane, job.district, job.subject, moment, moment),
    )
    return int(made[0]) if made else 0


# Leases ----------------------------------------------------------------------------------------------------


def is_due(transaction: Transaction, *, outgoing: bool | None = None) -> bool:
    """Whether a worker would find a due job now. `outgoing`: only in that lane, or only in the others."""
    return _next(transaction, now(transaction), outgoing, locks=False) is not None


def lease(database: Database, worker: str, *, outgoing: bool | None = None) -> Job | None:
    """Lease the next due job; None if no job is due. `outgoing`: only in that lane, or only in the others."""
    for _ in range(_LEASE_TRIES):
        try:
            with database.write() as transaction:
                moment = now(transaction)
                found = _next(transaction, moment, outgoing, locks=True)
                if found is None:
                    return None
                number, attempts = found
                if attempts >= ATTEMPTS_MAX:
                    _give_up(transaction, number, moment)
                    continue
                transaction.run(
                    "UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = ?,"
                    " begun = ?, ended = NULL, lease_until = ?, stage = '', message = '' WHERE number = ?",
                    (worker, moment, moment + LEASE_SECONDS * 1000, number),
                )
                return get(transaction, number)
        except Busy:  # another worker was faster
            continue
    return None


def _next(
    transaction: Transaction, moment: int, outgoing: bool | None, *, locks: bool
) -> tuple[int, int] | None:
    """The number and attempts of the next due job: one whose worker is gone, or the oldest waiting one of a
    lane without a running job.

    A job that waits for another attempt holds the newer ones of its lane back: after them, it would bring
    older files back.
    """
    lane = "" if outgoing is None else f"j.lane {'=' if outgoing else '<>'} '{OUTGOING}' AND "
    # A lease or a wait that ends impossibly late was written before the clock was set back.
    found = transaction.row(
        f"SELECT j.number, j.attempts FROM jobs j WHERE {lane}((j.state = 'running' AND (j.lease_until < ? OR j.lease_until > ?))"
        " OR (j.state = 'waiting' AND (j.due <= ? OR j.due > ?)"
        " AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.lane = j.lane AND r.state = 'running')"
        " AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.lane = j.lane AND o.state = 'waiting' AND o.number < j.number)))"
        " ORDER BY j.due, j.number LIMIT 1"
        + (" FOR UPDATE OF j SKIP LOCKED" if locks and transaction.engine == "postgresql" else ""),
        (moment, moment + LEASE_SECONDS * 1000, moment, moment + RETRY_SECONDS_MAX * 1000),
    )
    return (int(found[0]), int(found[1])) if found else None


def _give_up(transaction: Transaction, number: int, moment: int) -> None:
    text = f"its worker ended {ATTEMPTS_MAX} times before the job did; look at memory and disk, then add it again"
    transaction.run(
        "UPDATE jobs SET state = 'failed', message = ?, ended = ?, stage = '' WHERE number = ?",
        (text, moment, number),
    )


def renew(database: Database, job: Job, stage: str) -> bool:
    """Renew the lease and note the stage; returns whether the job must end.

    Errors: LeaseLost.
    """
    with database.write(is_durable=False) as transaction:
        until = now(transaction) + LEASE_SECONDS * 1000
        _change(transaction, job, "lease_until = ?, stage = ?", (until, stage))
        found = transaction.row("SELECT wants_end FROM jobs WHERE number = ?", (job.number,))
        return bool(found and found[0])


def finish(
    transaction: Transaction, job: Job, state: str, *, message: str = "", run: int | None = None
) -> None:
    """End the job in the transaction with its writes. Errors: LeaseLost, so nothing is written."""
    values = (state, message, run, now(transaction))
    _change(transaction, job, "state = ?, message = ?, sync = ?, ended = ?, stage = ''", values)


def try_again(database: Database, job: Job, message: str) -> None:
    """Let the job wait for another attempt, or fail after the last one. Errors: LeaseLost."""
    with database.write() as transaction:
        if job.attempts >= ATTEMPTS_MAX:
            finish(transaction, job, "failed", message=f"{message} ({job.attempts} attempts)")
            return
        wait = min(RETRY_SECONDS * 2 ** (job.attempts - 1), RETRY_SECONDS_MAX)
        values = (message, now(transaction) + wait * 1000)
        _change(transaction, job, "state = 'waiting', message = ?, due = ?, stage = ''", values)


def give_back(database: Database, job: Job, *, died: bool = False) -> None:
    """End the lease of a stopped job: it waits again, or is cancelled if a person asked for that.

    `died`: the worker did not stop it, so that the job may be the reason. Errors: LeaseLost.
    """
    with database.write() as transaction:
        _return(
            transaction, "number = ? AND fence = ? AND state = 'running'", (job.number, job.fence), died=died
        )


def give_back_all(database: Database, worker: str, *, died: bool = True) -> None:
    """End the leases of a worker that has died, or was stopped."""
    with database.write() as transaction:
        _return(transaction, "worker = ? AND state = 'running'", (worker,), died=died)


def _return(transaction: Transaction, which: str, values: Sequence[Any], *, died: bool) -> None:
    moment = now(transaction)
    transaction.run(
        f"UPDATE jobs SET state = 'cancelled', ended = ?, stage = '' WHERE wants_end = 1 AND {which}",
        (moment, *values),
    )
    # A job that a person stopped has not failed. A job that killed its worker may do so again.
    attempts = "attempts" if died else "attempts - 1"
    transaction.run(
        f"UPDATE jobs SET state = 'waiting', due = ?, stage = '', attempts = {attempts} WHERE {which}",
        (moment, *values),
    )


def _change(transaction: Transaction, job: Job, columns: str, values: Sequence[Any]) -> None:
    held = transaction.row(
        f"UPDATE jobs SET {columns} WHERE number = ? AND fence = ? AND state = 'running' RETURNING number",
        (*values, job.number, job.fence),
    )
    if held is None:
        raise LeaseLost(f"job {job.number} was ended, or taken over by another worker; nothing was written")


# For people ------------------------------------------------------------------------------------------------


def cancel(database: Database, number: int) -> Job:
    """Take a job out of the queue, or tell its worker to stop. Errors: Unknown, Refused if it has ended."""
    with database.write() as transaction:
        job = get(transaction, number)
        if job.state == "waiting":
            transaction.run(
                "UPDATE jobs SET state = 'cancelled', ended = ? WHERE number = ?", (now(transaction), number)
            )
        elif job.state == "running":
            transaction.run("UPDATE jobs SET wants_end = 1 WHERE number = ?", (number,))
        else:
            raise Refused(f"job {number} has ended already: it is {job.state}")
        return get(transaction, number)


def get(transaction: Transaction, number: int) -> Job:
    """One job. Errors: Unknown."""
    found = transaction.row(f"SELECT {_COLUMNS} {_JOINED} WHERE j.number = ?", (number,))
    if found is None:
        raise Unknown(f"there is no job {number}; `rollbook jobs` lists them")
    return _job(found)


def latest(
    transaction: Transaction, most: int, *, state: str | None = None, district: int | None = None
) -> list[Job]:
    """The newest jobs, newest first; only those in a state, or of a district (by the store's own number)."""
    where, values = [], []
    for column, value in (("j.state", state), ("j.district", district)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    among = f"WHERE {' AND '.join(where)}" if where else ""
    found = transaction.rows(
        f"SELECT {_COLUMNS} {_JOINED} {among} ORDER BY j.number DESC LIMIT ?", (*values, most)
    )
    return [_job(row) for row in found]


def newest(transaction: Transaction, kind: str) -> int | None:
    """When the newest job of a kind was added, in Unix milliseconds; None if there is none."""
    found = transaction.row("SELECT max(created) FROM jobs WHERE kind = ?", (kind,))
    return int(found[0]) if found and found[0] is not None else None


def last_created(transaction: Transaction, kind: str) -> int | None:
    """When the newest job of a kind was added, in Unix milliseconds; before the first one, when the first district was
    created. None on a server without districts."""
    created = newest(transaction, kind)
    if created is not None:
        return created
    first = transaction.row("SELECT min(created) FROM districts")
    return int(datetime.fromisoformat(first[0]).timestamp() * 1000) if first and first[0] else None


def last_ended(transaction: Transaction, kind: str, *states: str) -> Job | None:
    """The newest job of a kind that ended in one of these states; None if there is none."""
    marks = ", ".join("?" * len(states))
    found = transaction.row(
        f"SELECT {_COLUMNS} {_JOINED} WHERE j.kind = ? AND j.state IN ({marks}) ORDER BY j.number DESC LIMIT 1",
        (kind, *states),
    )
    return _job(found) if found else None


def counts(transaction: Transaction) -> dict[tuple[str, str], int]:
    """How many jobs there are of each kind and state."""
    return {
        (kind, state): number
        for kind, state, number in transaction.rows(
            "SELECT kind, state, count(*) FROM jobs GROUP BY kind, state"
        )
    }


def forget(transaction: Transaction, days: int) -> int:
    """Drop jobs that ended more than `days` days ago; returns how many."""
    oldest = now(transaction) - days * 86_400_000
    gone = transaction.rows("DELETE FROM jobs WHERE ended < ? RETURNING number", (oldest,))
    return len(gone)


def _job(row: Row) -> Job:
    report = json.loads(row[-1]) if row[-1] else None
    kinds = report.get("kinds", {}) if report else {}
    changed = {
        name: sum(int(each.get(name, 0)) for each in kinds.values())
        for name in ("created", "updated", "deleted")
    }
    texts = (text or "" for text in row[16:19])
    return Job(*[*row[:14], bool(row[14]), row[15], *texts, changed if report else {}])
