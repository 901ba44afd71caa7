"""A district's runs: sync its files, approve or discard a held sync, undo the last one, pause."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rollbook import sync
from rollbook.roster.problems_csv import Listing
from rollbook.settings import Settings
from rollbook.store.district import choices, districts
from rollbook.store.engine.database import Database
from rollbook.sync import How, Progress, Sync


def sync_files(
    database: Database,
    settings: Settings,
    district: str,
    source: Path,
    how: How,
    *,
    is_lenient: bool = False,
    progress: Progress | None = None,
    listed: Listing | None = None,
) -> Sync:
    """Bring a district (name or id) up to date with its files, by its own rules.

    `is_lenient`: unknown headers are only warnings in this sync. `listed` receives every problem. Errors:
    those of `sync.run`, such as SourceRejected for files that cannot be used.
    """
    owner = districts.find(database, district)
    rules = choices.read(database, owner)
    if is_lenient:
        rules = rules.switched({"lenient_headers": True})
    return sync.run(database, owner, source, settings, rules=rules, how=how, progress=progress, listed=listed)


def approve(
    database: Database,
    settings: Settings,
    district: str,
    *,
    name: str | None = None,
    how: How | None = None,
    run: int | None = None,
) -> Sync:
    """Apply the held sync of a district (name or id); with `run`, only the sync of that number.

    Errors: Unknown if none is held, BadSetting if `name` must repeat the district's name, Conflict if another
    sync is held by now.
    """
    owner = districts.find(database, district)
    return sync.approve(database, owner, settings, name=name, how=how, number=run)


def discard(database: Database, district: str, run: int | None = None) -> int:
    """Discard the held sync of a district (name or id); with `run`, only the sync of that number. Returns its
    number.

    Errors: Unknown if none is held, Conflict if another sync is held by now.
    """
    return sync.discard(database, districts.find(database, district), run)


def undo(database: Database, settings: Settings, district: str, how: How, *, run: int | None = None) -> Sync:
    """Undo the last committed sync of a district (name or id), as a new snapshot; with `run`, only the sync of
    that number.

    Errors: Refused if there is none, Busy if another run was faster, Conflict if `run` is not the last one.
    """
    return sync.undo(database, districts.find(database, district), settings, how, run)


def pause(database: Database, district: str, first: date, last: date | None) -> None:
    """Pause a district (name or id) from the first day to the last; None leaves the end open.

    Errors: BadSetting if the pause ends before it begins.
    """
    sync.pause(database, districts.find(database, district), first, last)


def resume(database: Database, district: str) -> None:
    """End the pause of a district (name or id). Errors: Refused if there is no pause."""
    sync.resume(database, districts.find(database, district))
