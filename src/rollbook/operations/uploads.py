"""Uploads of the console: where their files lie, what a sync would make of them, and the sync itself as a job."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import SourceRejected, Unknown
from rollbook.operations import job_control, run_decisions
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.sync import How, Sync, failed

# A district's next upload deletes its uploads that are older than this.
KEEP_DAYS = 14
NAME = re.compile(r"[0-9a-f]{16}")
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Lying:
    """The files of an upload: their names and their sizes in bytes."""

    name: str
    files: dict[str, int]


def folder(settings: Settings) -> Path:
    """The folder of all uploads."""
    if settings.upload_folder:
        return Path(settings.upload_folder)
    return Path("rollbook.uploads" if "://" in settings.database else f"{settings.database}.uploads")


def new(settings: Settings, owner: District) -> Path:
    """The path for the next upload of a district, not made yet. Deletes the district's old uploads."""
    own = folder(settings) / owner.id
    oldest = time.time() - KEEP_DAYS * DAY_SECONDS
    for each in own.iterdir() if own.is_dir() else ():
        with suppress(OSError):
            if NAME.fullmatch(each.name) and each.stat().st_mtime < oldest:
                shutil.rmtree(each)
                _note(settings, owner, each.name).unlink(missing_ok=True)
    return own / secrets.token_hex(8)


def lying(settings: Settings, owner: District, name: str) -> Lying:
    """The files of an upload. Errors: Unknown if they were deleted."""
    place = _place(settings, owner, name)
    return Lying(name, {each.name: each.stat().st_size for each in sorted(place.iterdir())})


def plan(database: Database, settings: Settings, district: str, name: str) -> Sync:
    """What a sync of an upload would do; nothing is written. Errors: Unknown."""
    owner = districts.find(database, district)
    try:
        return run_decisions.sync_files(
            database, settings, owner.id, _source(settings, owner, name), How(is_plan=True)
        )
    except SourceRejected as error:
        return failed(owner, error)


def queue(database: Database, settings: Settings, district: str, name: str) -> int:
    """Let a worker sync an upload; returns the number of the job. Errors: Unknown."""
    owner = districts.find(database, district)
    return job_control.queue_sync(database, owner.id, _source(settings, owner, name))


def sync(database: Database, settings: Settings, district: str, name: str) -> Sync:
    """Sync an upload at once, where no worker runs. Errors: Unknown, SourceRejected."""
    owner = districts.find(database, district)
    done = run_decisions.sync_files(database, settings, owner.id, _source(settings, owner, name), How())
    if done.number:
        # No job says which run took the files in.
        _note(settings, owner, name).write_text(str(done.number))
    return done


def run_of(settings: Settings, owner: District, name: str) -> int | None:
    """The run of an upload that was synced at once; None if a job syncs it, or nobody did."""
    try:
        return int(_note(settings, owner, name).read_text())
    except (OSError, ValueError):
        return None


def _note(settings: Settings, owner: District, name: str) -> Path:
    return folder(settings) / owner.id / f"{name}.run"


def _place(settings: Settings, owner: District, name: str) -> Path:
    place = folder(settings) / owner.id / name
    if not NAME.fullmatch(name) or not place.is_dir():
        raise Unknown("these files are not here any more; upload them again")
    return place


def _source(settings: Settings, owner: District, name: str) -> Path:
    """What a sync reads: the zip file, if there is nothing else."""
    place = _place(settings, owner, name)
    files = list(place.iterdir())
    return files[0] if len(files) == 1 and files[0].suffix.lower() == ".zip" else place
