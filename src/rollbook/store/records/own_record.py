"""A district's own record: whether it is paused, where its people sign in, and how.

Days pass and settings change without a sync. `keep_true` updates every record; the server calls it each
minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from rollbook.errors import Busy
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District, timestamp
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database
from rollbook.store.records import commits
from rollbook.store.records.commits import Outcome


def is_paused(district: District, moment: float | None = None) -> bool:
    today = timestamp(moment)[:10]
    start, end = district.pause_start, district.pause_end
    return bool(start) and str(start) <= today <= (end or today)


def healthy(district: District, moment: float | None = None) -> str:
    """The state of a district that has nothing to fix."""
    return "paused" if is_paused(district, moment) else "running"


def change_record(
    database: Database,
    district: District,
    cause: str,
    columns: Mapping[str, object],
    report: Mapping[str, object] | None = None,
    held_becomes: str | None = None,
) -> None:
    """Change only the district's own record, as a run of its own. `report` is its entry in the history.

    Errors: Busy if another run was faster.
    """
    before = commits.present(database, district)
    outcome = Outcome(
        cause,
        districts.moment_after(database, before.created),
        report or {},
        columns,
        held_becomes=held_becomes,
    )
    commits.commit(database, district, before, outcome)


def keep_true(database: Database, base: str | None = None) -> int:
    """Update the record of every district; returns how many were outdated.

    `base` is the address under which people reach the server; None keeps the last one. A district in the
    middle of a sync is left for the next call. A cloned district keeps its source's record.
    """
    if base is not None:
        _note_address(database, base)
    due = [(district, _due(database, district)) for district in districts.list_all(database)]
    stale = [(district, columns) for district, columns in due if columns is not None]
    for district, columns in stale:
        with suppress(Busy):
            change_record(database, district, "upkeep", columns)
    return len(stale)


def _note_address(database: Database, base: str) -> None:
    with database.read() as transaction:
        if districts.base_address(transaction) == base:
            return
    with database.write() as transaction:
        server_values.write(transaction, districts.BASE_ADDRESS, base)


def _due(database: Database, district: District) -> dict[str, object] | None:
    """The columns to change; None if the record is up to date."""
    columns: dict[str, object] = {}
    if not district.given and (district.state == "paused") != is_paused(district):
        columns["state"] = "paused" if is_paused(district) else "pending" if district.error else "running"
    with database.read() as transaction:
        wanted = replace(districts.reread(transaction, district), **columns)  # type: ignore[arg-type]
        body = districts.body(transaction, wanted)
        seen = views.list_all(transaction, district.number)
        is_true = all(
            commits.present_body(transaction, view, "districts", district.id) == body for view in seen
        )
    return None if is_true else columns
