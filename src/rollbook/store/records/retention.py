"""How long a district's past is kept: snapshots' files, superseded versions, events, examples in reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from rollbook.contract.clever import versions
from rollbook.contract.clever.endpoints import LISTS
from rollbook.domain import upload_notices
from rollbook.domain.kinds import KIND
from rollbook.store.district import views
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import View
from rollbook.store.engine.database import Transaction
from rollbook.store.records import event_feed, problem_rows, run_changes

KEPT_SNAPSHOTS = 2
DAY_SECONDS = 86_400
# Every form and kind of stored records and lists. With them, the key of `versions` finds the runs that ended versions.
_FORMS = (0, *sorted({form for _, form in versions.FORMS.values()}))
_KINDS = (*KIND, *LISTS)
_EXPIRED = f"view = ? AND form IN ({', '.join(map(str, _FORMS))}) AND kind IN ({', '.join(map(repr, _KINDS))}) AND until <= ?"


@dataclass(frozen=True, slots=True)
class Keep:
    """The limits: versions that were in force at or after `versions_since`, and events above the id
    `events_after`, are kept."""

    versions_since: str
    events_after: str


def keep_since(moment: float, *, history_days: int, event_days: int) -> Keep:
    """The limits at a time, in Unix seconds."""
    return Keep(
        timestamp(moment - history_days * DAY_SECONDS),
        event_feed.floor_at(moment - event_days * DAY_SECONDS),
    )


def kept_snapshots(transaction: Transaction, district: District, state: str = "committed") -> list[int]:
    """Numbers of the runs in a state whose files are kept, newest first."""
    found = transaction.rows(
        "SELECT DISTINCT s.sync FROM snapshots f JOIN syncs s ON s.district = f.district AND s.sync = f.sync"
        " WHERE f.district = ? AND s.state = ? ORDER BY s.sync DESC",
        (district.number, state),
    )
    return [number for (number,) in found]


def drop_snapshots(transaction: Transaction, district: District) -> None:
    """Drop the files of all snapshots except the held one and the last committed ones."""
    kept = {
        *kept_snapshots(transaction, district)[:KEPT_SNAPSHOTS],
        *kept_snapshots(transaction, district, "held"),
    }
    for (number,) in transaction.rows(
        "SELECT DISTINCT sync FROM snapshots WHERE district = ?", (district.number,)
    ):
        if number not in kept:
            transaction.run(
                "DELETE FROM snapshots WHERE district = ? AND sync = ?", (district.number, number)
            )


def prune_now(transaction: Transaction, district: District, keep: Keep) -> tuple[int, int]:
    """Drop a district's expired versions and events; returns how many of each."""
    seen = views.list_all(transaction, district.number)
    oldest = _oldest(transaction, district, keep)
    found = [
        transaction.row(
            f"SELECT (SELECT count(*) FROM versions WHERE {_EXPIRED}), (SELECT count(*) FROM events WHERE view = ? AND id <= ?)",
            (view.number, oldest, view.number, keep.events_after),
        )
        or (0, 0)
        for view in seen
    ]
    prune(transaction, district, seen, keep)
    return sum(ended for ended, _ in found), sum(events for _, events in found)


def first_end(transaction: Transaction, district: District) -> int | None:
    """The first run that ended a kept version of any of a district's views; None if there are no versions."""
    groups = ", ".join(f"({form}, '{kind}')" for form in _FORMS for kind in _KINDS)
    found = transaction.row(
        "SELECT min(ended) FROM (SELECT (SELECT min(v.until) FROM versions v WHERE v.view = views.number"
        f" AND v.form = stored.column1 AND v.kind = stored.column2) AS ended FROM views CROSS JOIN (VALUES {groups})"
        " AS stored WHERE views.district = ?) AS ends",
        (district.number,),
    )
    return found[0] if found else None


def _oldest(transaction: Transaction, district: District, keep: Keep) -> int:
    """The last run before the kept ones."""
    found = transaction.row(
        "SELECT max(sync) FROM syncs WHERE district = ? AND created < ?",
        (district.number, keep.versions_since),
    )
    return found[0] if found and found[0] is not None else 0


def prune(transaction: Transaction, district: District, seen: Iterable[View], keep: Keep) -> None:
    """Drop what has expired.

    A version is needed as long as a kept run was in force before the version ended.
    """
    oldest = _oldest(transaction, district, keep)
    _forget_examples(transaction, district, oldest)
    run_changes.forget(transaction, district.number, oldest)
    problem_rows.forget(transaction, district.number, oldest)
    for view in seen:
        transaction.run(f"DELETE FROM versions WHERE {_EXPIRED}", (view.number, oldest))
        transaction.run("DELETE FROM events WHERE view = ? AND id <= ?", (view.number, keep.events_after))


def _forget_examples(transaction: Transaction, district: District, oldest: int) -> None:
    """Remove the examples, which name people, from reports older than the kept versions; their counts
    stay."""
    found = transaction.rows(
        "SELECT sync, report FROM syncs WHERE district = ? AND sync <= ? AND is_short = 0",
        (district.number, oldest),
    )
    for number, text in found:
        report = json.loads(text)
        groups = [{**group, "examples": []} for group in report.get("problem_groups", [])]
        message = upload_notices.UNUSABLE if report.get("message") else ""
        gone = {"samples": [], "problems": [], "problem_groups": groups, "message": message}
        transaction.run(
            "UPDATE syncs SET report = ?, is_short = 1 WHERE district = ? AND sync = ?",
            (json.dumps({**report, **gone}), district.number, number),
        )
