"""Pauses: for some days a district takes in no files, and applications go on reading it."""

from __future__ import annotations

from datetime import date

from rollbook.errors import BadSetting, Refused
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records.own_record import change_record, is_paused
from rollbook.sync.result import How


def pause(database: Database, district: District, start: date, end: date | None) -> None:
    """Pause a district's syncs from `start` to `end`, or without an end if `end` is None.

    Errors: BadSetting if the pause ends before it begins.
    """
    if end and end < start:
        raise BadSetting(f"until: expected a day on or after {start.isoformat()}, got {end.isoformat()}")
    begun = start <= date.today()
    dates: dict[str, object] = {
        "pause_start": start.isoformat(),
        "pause_end": end.isoformat() if end else None,
    }
    change_record(database, district, "pause", {**dates, "state": "paused"} if begun else dates, dates)


def resume(database: Database, district: District) -> None:
    """End a pause, also one that has not begun yet. Files that needed fixing before the pause still need it.

    Errors: Refused if there is no pause.
    """
    now = reread(database, district)
    if not now.pause_start:
        raise Refused(f"{district.name!r} is not paused")
    state = "pending" if now.error else "running"
    change_record(database, district, "resume", {"pause_start": None, "pause_end": None, "state": state})


def refuse_while_paused(database: Database, district: District, how: How) -> None:
    if not is_paused(district, how.moment):
        return
    if district.state != "paused" and not how.is_plan:
        dates = {"pause_start": district.pause_start, "pause_end": district.pause_end}
        change_record(database, district, "pause", {"state": "paused"}, dates)
    start, end = district.pause_start, district.pause_end
    until = f"until {end}" if end else "with no end set"
    raise Refused(
        f"{district.name!r} is paused since {start}, {until}: it takes in no files; end "
        "the pause with `rollbook resume`"
    )


def reread(database: Database, district: District) -> District:
    with database.read() as transaction:
        return districts.reread(transaction, district)
