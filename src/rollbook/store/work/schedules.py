"""Schedules of districts, and the uploads that came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rollbook.domain.school_days import Schedule
from rollbook.store.engine.database import Transaction
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import NewJob

_COLUMNS = "zone, folder, rule, marker, quiet_minutes, at, late_after, days, keep_days"
# How many folders one query asks for.
_PLACES_MAX = 500


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A district with a schedule; `fired` is the last day on which the rule `at` took its files."""

    district: int
    name: str
    schedule: Schedule
    fired: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """An upload that was complete. Moments are Unix milliseconds; `deleted` is when its files were deleted."""

    number: int
    district: int
    place: str
    files: int
    bytes: int
    came: int
    job: int | None
    deleted: int | None


def write(transaction: Transaction, district: int, schedule: Schedule) -> None:
    """Keep the schedule of a district (by the store's own number)."""
    transaction.run("DELETE FROM days_off WHERE district = ?", (district,))
    transaction.run("DELETE FROM schedules WHERE district = ?", (district,))
    values = (
        *(
            schedule.zone,
            schedule.folder,
            schedule.rule,
            schedule.marker,
            schedule.quiet_minutes,
            schedule.at,
        ),
        *(schedule.late_after, " ".join(schedule.days), schedule.keep_days),
    )
    transaction.run(
        f"INSERT INTO schedules (district, {_COLUMNS}, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (district, *values, job_queue.now(transaction)),
    )
    transaction.insert(
        "days_off",
        "district, first, last",
        [(district, first.isoformat(), last.isoformat()) for first, last in schedule.off],
    )


def remove(transaction: Transaction, district: int) -> None:
    """Remove the schedule of a district. The list of its uploads stays."""
    transaction.run("DELETE FROM days_off WHERE district = ?", (district,))
    transaction.run("DELETE FROM schedules WHERE district = ?", (district,))


def find(transaction: Transaction, district: int) -> Scheduled | None:
    """The schedule of a district."""
    return next((each for each in every(transaction) if each.district == district), None)


def every(transaction: Transaction) -> list[Scheduled]:
    """All schedules."""
    off: dict[int, list[tuple[date, date]]] = {}
    for district, first, last in transaction.rows(
        "SELECT district, first, last FROM days_off ORDER BY district, first"
    ):
        off.setdefault(district, []).append((date.fromisoformat(first), date.fromisoformat(last)))
    found = transaction.rows(
        f"SELECT s.district, d.name, s.fired, {_COLUMNS} FROM schedules s JOIN districts d ON d.number = s.district"
        " ORDER BY s.district"
    )
    return [
        Scheduled(
            district,
            name,
            Schedule(*[*own, tuple(days.split()), keep_days, tuple(off.get(district, ()))]),
            fired,
        )
        for district, name, fired, *own, days, keep_days in found
    ]


# Uploads ---------------------------------------------------------------------------------------------------


def arrive(transaction: Transaction, job: NewJob, *, files: int, size: int, day: str) -> int:
    """Note an upload whose files are in the job's folder, and queue its sync.

    If the upload was noted before, this function changes nothing.

    `day` is the day on which the rule `at` took it; blank for other rules. Returns the number of the job.
    """
    known = transaction.row("SELECT job FROM arrivals WHERE place = ?", (job.subject,))
    if known:
        return int(known[0])
    number = job_queue.add(transaction, job)
    transaction.run(
        "INSERT INTO arrivals (district, place, files, bytes, came, job) VALUES (?, ?, ?, ?, ?, ?)",
        (job.district, job.subject, files, size, job_queue.now(transaction), number),
    )
    if day:
        transaction.run("UPDATE schedules SET fired = ? WHERE district = ?", (day, job.district))
    return number


def known(transaction: Transaction, places: Sequence[str]) -> set[str]:
    """Those of the folders whose uploads were noted, for any district."""
    found: set[str] = set()
    for begin in range(0, len(places), _PLACES_MAX):
        some = places[begin : begin + _PLACES_MAX]
        marks = ", ".join("?" * len(some))
        found.update(
            place
            for (place,) in transaction.rows(f"SELECT place FROM arrivals WHERE place IN ({marks})", some)
        )
    return found


def came(transaction: Transaction, district: int, since: float) -> list[Arrival]:
    """The uploads of a district since a moment in Unix seconds, oldest first."""
    found = transaction.rows(
        f"{_ARRIVALS} WHERE district = ? AND came >= ? ORDER BY came", (district, int(since * 1000))
    )
    return [Arrival(*row) for row in found]


def last_came(transaction: Transaction, district: int, latest: float) -> float | None:
    """When the last upload of a district came, up to the moment `latest`; both in Unix seconds."""
    found = transaction.row(
        "SELECT max(came) FROM arrivals WHERE district = ? AND came <= ?", (district, int(latest * 1000))
    )
    return found[0] / 1000 if found and found[0] is not None else None


def old(transaction: Transaction, district: int, days: int) -> list[Arrival]:
    """Uploads whose files are kept no longer, and whose job has ended."""
    found = transaction.rows(
        f"{_ARRIVALS} a WHERE district = ? AND deleted IS NULL AND came < ?"
        " AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.number = a.job AND j.state IN ('waiting', 'running'))",
        (district, job_queue.now(transaction) - days * 86_400_000),
    )
    return [Arrival(*row) for row in found]


def note_deleted(transaction: Transaction, numbers: Iterable[int]) -> None:
    """Note that the files of uploads were deleted now."""
    for number in numbers:
        transaction.run(
            "UPDATE arrivals SET deleted = ? WHERE number = ?", (job_queue.now(transaction), number)
        )


_ARRIVALS = "SELECT number, district, place, files, bytes, came, job, deleted FROM arrivals"
