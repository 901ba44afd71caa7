"""What happened that people and webhooks want to know: found in the database, and put into the outbox, once each.

Nothing here waits for another server. A worker asks `queue_due` every few seconds; a job then collects and sends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rollbook.domain import topics
from rollbook.domain.topics import DAY_SECONDS, FAILED, HELD, LATE, NIGHT
from rollbook.operations import night_words, scheduling
from rollbook.operations.scheduling import Night
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.operators import deliveries, subscriptions
from rollbook.store.operators.deliveries import Happening
from rollbook.store.operators.subscriptions import Subscription
from rollbook.store.records import runs_to_tell
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.job_queue import NewJob

DELIVER: Final = "deliver"
# Older runs are not told any more, such as after a week without a worker.
OLD_SECONDS: Final = 2 * DAY_SECONDS
# How many districts a summary lists; it counts the others.
LISTED_MAX: Final = 50
_FACT: Final = "happenings looked for"


def queue_due(database: Database) -> int | None:
    """Let a worker collect and send what is due; returns the number of the job, None if nothing is due."""
    with database.read() as transaction:
        if not subscriptions.are_there(transaction) or not _is_due(transaction):
            return None
    with database.write() as transaction:
        return job_queue.add(transaction, NewJob(DELIVER, job_queue.OUTGOING))


def _is_due(transaction: Transaction) -> bool:
    return deliveries.is_due(transaction) or _looks(transaction) != _looked(transaction)


def _looks(transaction: Transaction) -> dict[str, Any]:
    """What would be new: the last run to look at, the last failed job, the last time at which files were late, and the
    last summary due for each subscription."""
    now = job_queue.now(transaction) / 1000
    job = job_queue.last_ended(transaction, "sync", "failed")
    wanted = [each for each in subscriptions.every(transaction) if each.may]
    return {
        "run": runs_to_tell.newest(transaction),
        "job": job.number if job else 0,
        "late": _last_late(transaction, now) if any(LATE in each.topics for each in wanted) else 0,
        "nights": {
            str(each.number): topics.due(each.at, each.zone, now) for each in wanted if NIGHT in each.topics
        },
    }


def _last_late(transaction: Transaction, now: float) -> float:
    """The last moment, in Unix seconds, at which files of a district were due; 0 if no schedule says when."""
    known = (each.schedule for each in schedules.every(transaction) if each.schedule.late_after)
    return max((topics.due(each.late_after, each.zone, now) for each in known), default=0)


def _looked(transaction: Transaction) -> dict[str, Any]:
    text = server_values.read(transaction, _FACT)
    return dict(json.loads(text)) if text else {}


def collect(database: Database) -> int:
    """Put what happened into the outbox; returns how many deliveries are new."""
    with database.read() as transaction:
        looks, wanted = _looks(transaction), [each for each in subscriptions.every(transaction) if each.may]
        known = {each.number: each for each in districts.all_in(transaction)}
        now = job_queue.now(transaction)
        found = [*_runs(transaction, wanted, known, now), *_jobs(transaction, wanted, known, now)]
    due = _nights_due(wanted, now)
    if due or looks["late"]:
        nights = scheduling.nights(database, now / 1000)
        found += [*_late(wanted, known, nights), *_summaries(due, known, nights)]
    with database.write() as transaction:
        added = [deliveries.add(transaction, to, happening) for to, happening in found]
        for to, moment in due:
            subscriptions.note_told(transaction, to, moment)
        server_values.write(transaction, _FACT, json.dumps(looks))
    return sum(number is not None for number in added)


def _runs(
    transaction: Transaction, wanted: Sequence[Subscription], known: dict[int, District], now: int
) -> Iterator[tuple[Subscription, Happening]]:
    """Runs that are held, and files that could not be used."""
    for district, run in runs_to_tell.since(transaction, districts.timestamp(now / 1000 - OLD_SECONDS)):
        moment = datetime.fromisoformat(run.created).timestamp() * 1000
        topic = HELD if run.state == "held" else FAILED
        content = {
            **_district(known[district]),
            "run": run.number,
            "at": run.created,
            "counts": night_words.counts(run),
            "reasons": list(run.report.get("held_because") or ()) if topic == HELD else [],
            "page": f"/runs/{run.number}",
        }
        happening = Happening(f"{topic} {district} {run.number}", topic, content, district)
        yield from ((to, happening) for to in _of(wanted, topic, district) if moment >= to.since)


def _jobs(
    transaction: Transaction, wanted: Sequence[Subscription], known: dict[int, District], now: int
) -> Iterator[tuple[Subscription, Happening]]:
    """Syncs that failed without a run: their job could not end. Its message may name a path, so it is not told."""
    for job in job_queue.latest(transaction, 200, state="failed"):
        owner = next((each for each in known.values() if each.id == job.district_id), None)
        if owner is None or (job.ended or 0) < now - OLD_SECONDS * 1000:
            continue
        content = {**_district(owner), "job": job.number, "page": "/upload"}
        content["at"] = districts.timestamp((job.ended or 0) / 1000)
        happening = Happening(f"job {job.number}", FAILED, content, owner.number)
        yield from (
            (to, happening) for to in _of(wanted, FAILED, owner.number) if (job.ended or 0) >= to.since
        )


def _late(
    wanted: Sequence[Subscription], known: dict[int, District], nights: Sequence[Night]
) -> Iterator[tuple[Subscription, Happening]]:
    """Districts without files since yesterday evening, once for each night."""
    for night in nights:
        if night.is_late:
            content = {
                **_district(known[night.number]),
                "since": districts.timestamp(night.since),
                "page": "",
            }
            happening = Happening(f"late {night.number} {night.since:.0f}", LATE, content, night.number)
            yield from ((to, happening) for to in _of(wanted, LATE, night.number))


def _nights_due(wanted: Sequence[Subscription], now: int) -> list[tuple[Subscription, int]]:
    """The subscriptions whose summary is due, each with the moment."""
    moments = [
        (to, int(topics.due(to.at, to.zone, now / 1000) * 1000)) for to in wanted if NIGHT in to.topics
    ]
    return [(to, moment) for to, moment in moments if moment > max(to.told, to.since)]


def _summaries(
    due: Sequence[tuple[Subscription, int]], known: dict[int, District], nights: Sequence[Night]
) -> Iterator[tuple[Subscription, Happening]]:
    for to, moment in due:
        seen = [night for night in nights if to.tells_of(night.number)]
        content = {
            "at": districts.timestamp(moment / 1000),
            "count": len(seen),
            "to_look_at": sum(1 for night in seen if night.step),
            "districts": [_night(known[night.number], night) for night in seen[:LISTED_MAX]],
        }
        yield to, Happening(f"night {moment}", NIGHT, content, to.district)


def _night(owner: District, night: Night) -> dict[str, Any]:
    return {
        **_district(owner),
        "state": night_words.head(night),
        "zone": night.zone,
        "happened": list(night_words.happened(night, night.zone)),
        "next_step": night.mailed_step,
        "page": night.step.page if night.step else "",
    }


def _district(owner: District) -> dict[str, Any]:
    return {"district": owner.name, "district_id": owner.id, "slug": districts.slug(owner)}


def _of(wanted: Sequence[Subscription], topic: str, district: int) -> Iterator[Subscription]:
    return (each for each in wanted if topic in each.topics and each.tells_of(district))


def of_test(transaction: Transaction, to: Subscription) -> Happening:
    """A test that a person asks for, at most one a minute."""
    now = job_queue.now(transaction)
    name = districts.by_number(transaction, to.district).name if to.district else ""
    content = {"at": districts.timestamp(now / 1000), "district": name, "page": ""}
    return Happening(f"test {now // 60_000}", topics.TEST, content, to.district)
