"""What a person decides of a sync: approve or discard the one that is held, take back the last one."""

from __future__ import annotations

from dataclasses import replace

from rollbook.errors import BadSetting, Refused
from rollbook.settings import Settings
from rollbook.store import history
from rollbook.store.database import Database
from rollbook.store.districts import District
from rollbook.store.standing import change_record, healthy
from rollbook.sync.pauses import reread
from rollbook.sync.result import How, Sync
from rollbook.sync.stages import COMPARED, HELD, Work, compare, conclude, restore
from rollbook.sync.workplace import engine_in, workplace


def approve(
    database: Database, district: District, settings: Settings, *, name: str | None = None, how: How | None = None
) -> Sync:
    """Apply the sync that is held. Errors: Unknown when none is, BadSetting when the district's name must be repeated."""
    held = history.held(database, district)
    if held.report.get("needs_name") and name != district.name:
        raise BadSetting(
            f"this sync deletes nearly everything of a kind; to approve it, repeat the district's name: {district.name!r}"
        )
    return _again(database, district, settings, held.number, "approval", how)


def discard(database: Database, district: District) -> int:
    """Drop the sync that is held; returns its number. Errors: Unknown when none is."""
    number = history.held(database, district).number
    district = reread(database, district)
    # What failed since then is still to be mended.
    columns: dict[str, object] = {"state": healthy(district), "error": ""} if district.error.startswith(HELD) else {}
    change_record(database, district, "discard", columns, held_becomes="discarded")
    return number


def undo(database: Database, district: District, settings: Settings) -> Sync:
    """Take back the last committed sync, as a new snapshot. Errors: Refused when there is none to take back."""
    with database.read() as connection:
        kept = history.kept_snapshots(connection, district)
    if not kept:
        raise Refused(f"{district.name!r} has no committed sync to take back")
    return _again(database, district, settings, kept[1] if len(kept) > 1 else 0, "undo")


def _again(database: Database, district: District, settings: Settings, number: int, cause: str, how: How | None = None) -> Sync:
    """Make a kept snapshot the present one: compared with today's, and committed like any other."""
    district = reread(database, district)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        before = history.snapshot(database, district, folder, COMPARED)
        wanted = history.snapshot(database, district, folder, sync=number)
        if wanted.files:
            restore(engine, wanted.files)
        else:
            restore(engine, history.snapshot(database, district, folder).files, rows=0)
        # What is taken back comes home with the ids and dates it had.
        home = wanted.files if cause == "undo" else {}
        how = replace(how or How(), is_approved=True)
        moment = compare(engine, database, district, before, settings, how, home)
        return conclude(Work(database, district, settings, folder, engine, before, moment), cause, how, None)
