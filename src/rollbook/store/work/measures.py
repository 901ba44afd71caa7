"""Figures of the whole server, each by a query that stays short however long its history is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollbook.store.engine.database import Transaction
from rollbook.store.work import job_queue

_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True, slots=True)
class DistrictFigures:
    """A district: its state as applications read it, the state of its last run, and the age of its last sync."""

    id: str
    name: str
    state: str
    run_state: str
    sync_seconds_ago: float | None


@dataclass(frozen=True, slots=True)
class JobFigures:
    """How many jobs of a kind ended in a state of late, and how long they took in all."""

    kind: str
    state: str
    ended: int
    seconds: float


def waiting(transaction: Transaction) -> tuple[int, float]:
    """How many jobs are due and wait, and for how many seconds the oldest one has been due."""
    now = job_queue.now(transaction)
    found = transaction.row(
        "SELECT count(*), min(due) FROM jobs WHERE state = 'waiting' AND due <= ?", (now,)
    )
    count, oldest = found or (0, None)
    return int(count), 0.0 if oldest is None else max(now - int(oldest), 0) / 1000


def bytes_of_database(transaction: Transaction) -> int:
    """The size of the database."""
    found = transaction.row(_SIZE[transaction.engine])
    return int(found[0]) if found else 0


def districts(transaction: Transaction) -> list[DistrictFigures]:
    """Every district."""
    now = job_queue.now(transaction) / 1000
    found = transaction.rows(
        "SELECT d.id, d.name, d.state, (SELECT s.state FROM syncs s WHERE s.district = d.number"
        " ORDER BY s.sync DESC LIMIT 1), d.last_sync FROM districts d ORDER BY d.number"
    )
    return [
        DistrictFigures(id_, name, state, run_state or "", now - _unix(last) if last else None)
        for id_, name, state, run_state, last in found
    ]


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def jobs(transaction: Transaction) -> list[JobFigures]:
    """Jobs that ended, as far as they are kept; a sync in the state that it ended in."""
    found = transaction.rows(
        "SELECT j.kind, coalesce(s.state, j.state) AS state, count(*), sum(j.ended - j.begun) FROM jobs j"
        " LEFT JOIN syncs s ON s.district = j.district AND s.sync = j.sync"
        " WHERE j.ended IS NOT NULL AND j.begun IS NOT NULL GROUP BY j.kind, coalesce(s.state, j.state)"
    )
    return [JobFigures(kind, state, int(count), int(spent) / 1000) for kind, state, count, spent in found]
