"""Figures of a district for charts: changes of each night, durations of runs, students of schools and grades, sign-ins,
and requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rollbook.contract.clever.fields import GRADES
from rollbook.operations import night_words
from rollbook.operations.scheduling import MAKING
from rollbook.settings import Settings
from rollbook.store.accounts import applications, audit, connections
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import commits, request_log, school_lists
from rollbook.store.records.commits import Run
from rollbook.store.records.request_log import RequestLog
from rollbook.store.work import job_queue

NIGHTS, JOBS, HOURS = 30, 30, 24
HOUR_MS = 3_600_000
# The ways to sign in. A demo's list of people counts as a service.
SERVICE = "service"
WAYS = ("password", "badge", SERVICE)


@dataclass(frozen=True, slots=True)
class Reads:
    """What one application asked of a district in the last day: requests and errors by hour, and the last read (Unix
    milliseconds)."""

    application: str
    requests: tuple[int, ...]
    errors: tuple[int, ...]
    last: int | None


def nights(database: Database, district: District) -> list[tuple[str, dict[str, int]]]:
    """The last runs that changed the roster, oldest first: when, and how many records. The first run is left out: it
    created all."""
    found = commits.runs(database, district, ("committed",), NIGHTS * 2)
    told = [run for run in found if run.cause in MAKING and not _is_first(run)][:NIGHTS]
    return [(run.created, night_words.counts(run)) for run in reversed(told)]


def _is_first(run: Run) -> bool:
    return not any(int(each.get("existing", 0)) for each in run.report.get("kinds", {}).values())


def durations(database: Database, district: District) -> list[tuple[int, float]]:
    """The last syncs by workers, oldest first: when (Unix milliseconds), and how many seconds they took."""
    with database.read() as transaction:
        found = job_queue.latest(transaction, JOBS, state="done", district=district.number)
    return [
        (job.begun, (job.ended - job.begun) / 1000)
        for job in reversed(found)
        if job.begun and job.ended and job.run
    ]


def students_by_school(database: Database, district: District) -> list[tuple[str, str, int]]:
    """Schools by their number of students, most first: name, grades, students."""
    with database.read() as transaction:
        view = views.whole(transaction, district.number).number
        counts = school_lists.counts(transaction, view)
        found = school_lists.every_school(transaction, view)
    told = [
        (str(one.get("name", "")), grades(one), counts.get(one["id"], {}).get("students", 0)) for one in found
    ]
    return sorted(told, key=lambda each: (-each[2], each[0]))


def students_by_grade(database: Database, district: District) -> dict[str, int]:
    """The students of each grade after the last run that counted them, in the order of the grades."""
    found = commits.runs(database, district, ("committed",), NIGHTS)
    told: dict[str, int] = next((run.report["grades"] for run in found if run.report.get("grades")), {})
    ranks = {grade: rank for rank, grade in enumerate(GRADES)}
    return dict(sorted(told.items(), key=lambda each: (ranks.get(each[0], len(ranks)), each[0])))


def sign_ins(database: Database, district: District, now: float) -> dict[str, list[int]]:
    """The sign-ins of the last day by way (password, badge, service), each by hour, the oldest hour first."""
    first = int(now // 3600) - HOURS + 1
    told: dict[str, list[int]] = {way: [0] * HOURS for way in WAYS}
    with database.read() as transaction:
        found = audit.by_hour(transaction, "signed in", district.number, districts.timestamp(first * 3600))
    for hour, detail, count in found:
        place = int(datetime.fromisoformat(f"{hour}:00:00+00:00").timestamp() // 3600) - first
        way = str(detail.get("method"))
        if place < HOURS:
            told[way if way in WAYS else SERVICE][place] += count
    return told


def grades(school: Mapping[str, object]) -> str:
    """The grades of a school, such as `9 to 12`; blank if they are unknown."""
    low, high = school.get("low_grade"), school.get("high_grade")
    return f"{low} to {high}" if low and high and low != high else str(low or high or "")


def reads(database: Database, settings: Settings, district: District) -> list[Reads]:
    """The connected applications by name, with their requests of the last day; from the request log."""
    names = {one.client_id: one.name for one, _ in applications.list_all(database)}
    wanted = set(connections.views_of(database, district))
    now = request_log.now_ms()
    asked: Counter[tuple[str, int]] = Counter()
    failed: Counter[tuple[str, int]] = Counter()
    last: dict[str, int] = {}
    if request_log.is_there(settings):
        log = RequestLog(database, settings)
        try:
            for batch in log.read(since_ms=now - HOURS * HOUR_MS):
                for entry in batch.entries:
                    name, hour = names.get(entry.client_id, ""), int((now - entry.at) // HOUR_MS)
                    if entry.district_id == district.id and name in wanted and hour < HOURS:
                        asked[name, hour] += 1
                        failed[name, hour] += entry.status >= 400
                        last[name] = max(last.get(name, 0), entry.at)
        finally:
            log.close()
    hours = range(HOURS - 1, -1, -1)
    return [
        Reads(
            name,
            tuple(asked[name, hour] for hour in hours),
            tuple(failed[name, hour] for hour in hours),
            last.get(name),
        )
        for name in sorted(wanted)
    ]
