"""The files of a district that came: when, from where, until when they are kept, and which run took them in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollbook.domain.school_days import Schedule
from rollbook.errors import Unknown
from rollbook.operations import drop_folders, uploads
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import commits
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.job_queue import Job

DAY_SECONDS = 86_400
# How many jobs are searched for the run that took an upload in.
JOBS_MAX = 500
GONE = "The server no longer keeps this file."
DROPPED, CONSOLE = "drop folder", "console"


@dataclass(frozen=True, slots=True)
class Came:
    """One upload of a district. Moments are Unix seconds.

    `name` is unique in one district. `source` is `DROPPED` or `CONSOLE`. `files` has each file that is
    still on this machine: its size in bytes, by its `printed` name. `deleted` is when the files were deleted,
    `kept_until` when they will be. `run` is the number of the run that took them in, `state` its state or that
    of the job.
    """

    name: str
    source: str
    at: float
    count: int
    bytes: int
    files: Mapping[str, int]
    kept_until: float
    deleted: float | None
    run: int | None
    state: str
    place: str


def came(database: Database, settings: Settings, district: str, most: int = 100) -> list[Came]:
    """The last uploads of a district (name or id), newest first. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        jobs = job_queue.latest(transaction, JOBS_MAX, district=owner.number)
    found = [*_dropped(database, owner, jobs), *_uploaded(database, settings, owner, jobs)]
    return sorted(found, key=lambda each: -each.at)[:most]


def open_file(database: Database, settings: Settings, district: str, name: str, file: str) -> Path:
    """The path of a file of an upload, by its `printed` name. Errors: Unknown if it is not kept here."""
    for each in came(database, settings, district, JOBS_MAX):
        if each.name == name and file in each.files:
            with suppress(OSError):
                return next(Path(each.place, one) for one in os.listdir(each.place) if printed(one) == file)
    raise Unknown(GONE)


def printed(name: str) -> str:
    """The name of a file in characters that a page and a form can hold; others are escaped.

    A file's name may have any bytes. A form would change line breaks and bytes that are not UTF-8.
    """
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _dropped(database: Database, owner: District, jobs: Sequence[Job]) -> Iterator[Came]:
    """The uploads in the drop folder, where SFTP writes, too."""
    with database.read() as transaction:
        arrivals = schedules.came(transaction, owner.number, 0)
        scheduled = schedules.find(transaction, owner.number)
    keep_days = (scheduled.schedule if scheduled else Schedule()).keep_days
    made = {job.number: job for job in jobs}
    for each in arrivals:
        run, state = _taken(made.get(each.job or 0))
        yield Came(
            Path(each.place).name,
            DROPPED,
            each.came / 1000,
            each.files,
            each.bytes,
            _files(each.place),
            each.came / 1000 + keep_days * DAY_SECONDS,
            each.deleted / 1000 if each.deleted else None,
            run,
            state,
            each.place,
        )


def _uploaded(database: Database, settings: Settings, owner: District, jobs: Sequence[Job]) -> Iterator[Came]:
    """The uploads in the console, synced or not. The district's next upload deletes old ones."""
    folder = uploads.folder(settings) / owner.id
    for place in folder.iterdir() if folder.is_dir() else ():
        files = _files(str(place))
        if not uploads.NAME.fullmatch(place.name) or not files:
            continue
        at = place.stat().st_mtime
        run, state = _taken(next((job for job in jobs if place.name in Path(job.subject).parts), None))
        number = uploads.run_of(settings, owner, place.name)
        if number and not run:
            with suppress(Unknown):  # of a demo that began anew
                run, state = number, commits.run(database, owner, number).state
        size, until = sum(files.values()), at + uploads.KEEP_DAYS * DAY_SECONDS
        yield Came(place.name, CONSOLE, at, len(files), size, files, until, None, run, state, str(place))


def _taken(job: Job | None) -> tuple[int | None, str]:
    """The run that a job made and its state, or the state of the job; blank if no job has the files."""
    return (job.run, job.run_state or job.state) if job else (None, "")


def _files(place: str) -> dict[str, int]:
    """The files of an upload that are on this machine. Links are not followed."""
    try:
        with os.scandir(place) as entries:
            return {
                printed(each.name): each.stat(follow_symlinks=False).st_size
                for each in sorted(entries, key=lambda each: each.name)
                if each.is_file(follow_symlinks=False) and each.name != drop_folders.WHOLE
            }
    except OSError:
        return {}
