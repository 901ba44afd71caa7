"""Drop folders: move complete uploads away and queue their syncs; delete old files.

The files of an upload are renamed, one after another, into their own folder beside the drop folder; a file
`.whole` comes last. If a program is killed in between, the next one continues. The upload is noted once, in
one transaction with its job.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rollbook.contract.clever.columns import FILES
from rollbook.domain.school_days import Schedule
from rollbook.errors import Busy, MachineTrouble, Refused
from rollbook.operations.job_control import sync_job
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.schedules import Scheduled

WHOLE = ".whole"
# The most files that a drop folder takes by SFTP.
FILES_MAX = 1_000
# A worker looks every few seconds. After this time, a complete upload waits in vain.
WAIT_SECONDS = 900
# Files that a clock dated ahead by more than this are dated anew; else they would not be quiet until then.
AHEAD_SECONDS = 3_600
_LOCK = ".lock"
_REQUIRED = frozenset(file.name for file in FILES if file.required)


@dataclass(frozen=True, slots=True)
class Upload:
    """The content of a drop folder: the names of its files, their size, and the seconds since the last
    change, negative if a clock was ahead. `open_names` are files that the SFTP server has not received to their end.
    """

    names: tuple[str, ...]
    bytes: int
    quiet_seconds: float
    open_names: tuple[str, ...] = ()

    def is_whole(self, schedule: Schedule) -> bool:
        """Whether all files are there, as far as the district's rule tells. An open file is never part of a whole
        upload."""
        if self.open_names:
            return False
        if schedule.rule in ("marker", "closed"):
            return schedule.marker in self.names
        if schedule.rule == "quiet":
            names = {name.lower() for name in self.names}  # a sync reads them in any letter case, too
            return names >= _REQUIRED or any(name.endswith(".zip") for name in names)
        return bool(self.names)

    def is_complete(self, schedule: Schedule, now: float, fired: str) -> bool:
        """Whether a worker may take the upload: it is whole, and by some rules also quiet, or due."""
        if schedule.rule in ("marker", "closed") or not self.is_whole(schedule):
            return self.is_whole(schedule)
        is_quiet = self.quiet_seconds >= schedule.quiet_minutes * 60
        if schedule.rule == "quiet":
            return is_quiet
        today = schedule.today(now)
        is_due = schedule.is_school_day(today) and now >= schedule.moment(today, schedule.at)
        return is_due and is_quiet and fired < today.isoformat()

    def waits(self, schedule: Schedule, now: float, fired: str) -> bool:
        """Whether a worker should have taken the upload some time ago."""
        then = replace(self, quiet_seconds=self.quiet_seconds - WAIT_SECONDS)
        return then.quiet_seconds > 0 and then.is_complete(schedule, now - WAIT_SECONDS, fired)


def watch(database: Database) -> list[int]:
    """Check all drop folders; returns the queued jobs.

    Errors: MachineTrouble, after all others were checked.
    """
    with database.read() as transaction:
        found, now = schedules.every(transaction), job_queue.now(transaction) / 1000
    queued, troubles = [], []
    for each in found:
        if not each.schedule.folder:
            continue
        try:
            if number := _look(database, each, now):
                queued.append(number)
            _delete_old(database, each)
        except OSError as error:
            troubles.append(f"{each.name}: {error.filename or each.schedule.folder}: {error.strerror}")
        except Busy:
            raise
        except Refused as full:  # the upload is noted when there is room
            troubles.append(f"{each.name}: {full}")
    if troubles:
        raise MachineTrouble(f"drop folders: {'; '.join(troubles)}")
    return queued


def lying(schedule: Schedule) -> Upload | None:
    """The content of a schedule's drop folder; None if the folder cannot be read."""
    try:
        with os.scandir(schedule.folder) as entries:
            # Links are not followed, and subfolders are not read: only uploaded files count.
            every = [each for each in entries if each.is_file(follow_symlinks=False)]
            files = [each for each in every if not each.name.startswith(".")]
            stats = [each.stat(follow_symlinks=False) for each in files]
    except OSError:
        return None
    # Programs that copy files may keep the old times of their content (st_mtime), so these do not tell when they came.
    changed = max((each.st_ctime for each in stats), default=0.0)
    hidden = {each.name for each in every}
    names = sorted(each.name for each in files)
    return Upload(
        tuple(names),
        sum(each.st_size for each in stats),
        _now() - changed,
        tuple(name for name in names if open_mark(name) in hidden),
    )


def open_mark(name: str) -> str:
    """The hidden file beside a file that is being uploaded. It stays if the upload is cut off."""
    return f".{name}.open"


def taken_folder(folder: Path) -> Path:
    """Where complete uploads of a drop folder are kept: beside it, out of reach of the uploading account."""
    return folder.with_name(f".{folder.name}.taken")


def source_of(place: Path) -> Path:
    """What a sync reads of a folder: the zip file, if it is an upload that is nothing else."""
    if not (place / WHOLE).exists():
        return place
    names = [name for name in os.listdir(place) if name != WHOLE]
    return place / names[0] if len(names) == 1 and names[0].lower().endswith(".zip") else place


def _look(database: Database, each: Scheduled, now: float) -> int | None:
    folder = Path(each.schedule.folder)
    taken = taken_folder(folder)
    if not _is_ready(database, each, taken, now):
        return None
    taken.mkdir(mode=0o700, exist_ok=True)
    with _locked(taken) as is_ours:
        if not is_ours or not _is_ready(
            database, each, taken, now
        ):  # another worker takes it, or has taken it
            return None
        place = _begun(database, taken) or _new(taken)
        if not (place / WHOLE).exists() and not _move(folder, place, each.schedule.marker):
            return None
        return _note(
            database, each, place, each.schedule.today(now).isoformat() if each.schedule.rule == "at" else ""
        )


def _is_ready(database: Database, each: Scheduled, taken: Path, now: float) -> bool:
    """Whether an upload is complete, or was taken and is not noted yet.

    What a killed program has moved counts with what lies in the folder: since then, the district may have
    begun to upload again.
    """
    upload = lying(each.schedule)
    if upload is None:
        raise FileNotFoundError(2, "the drop folder cannot be read", each.schedule.folder)
    begun = _begun(database, taken)
    if begun is not None:
        if (begun / WHOLE).exists():
            return True
        upload = replace(upload, names=(*upload.names, *(path.name for path in begun.iterdir())))
    if upload.quiet_seconds < -AHEAD_SECONDS:
        _date_anew(Path(each.schedule.folder), upload.names)
    return upload.is_complete(each.schedule, now, each.fired)


def _begun(database: Database, taken: Path) -> Path | None:
    """The folder of an upload that a program began to take and did not note."""
    if not taken.is_dir():
        return None
    found = [str(place.absolute()) for place in sorted(taken.iterdir()) if place.is_dir()]
    with database.read() as transaction:
        known = schedules.known(transaction, found)
    return next((Path(place) for place in found if place not in known), None)


def _new(taken: Path) -> Path:
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())
    number = 0
    while True:
        place = taken / f"{stamp}-{number:03}"
        try:
            place.mkdir(mode=0o700)
            return place
        except FileExistsError:
            number += 1


def _now() -> float:
    return time.time()


def _date_anew(folder: Path, names: Iterable[str]) -> None:
    """Let files count as changed now; the times of their content stay."""
    for name in names:
        with suppress(OSError):  # it is gone, or another user's
            found = os.stat(folder / name, follow_symlinks=False)
            os.utime(folder / name, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _move(folder: Path, place: Path, marker: str) -> bool:
    """Move the files of an upload, its marker last. False if a client writes one of them again: then the upload waits
    until this file is whole."""
    with os.scandir(folder) as entries:
        names = [
            each.name
            for each in entries
            if each.is_file(follow_symlinks=False) and not each.name.startswith(".")
        ]
    for name in names:
        if name != marker:
            os.rename(folder / name, place / name)
    # A client marks a file before it opens it. So a mark that is not there now belongs to no file that was moved.
    if again := [path for path in place.iterdir() if (folder / open_mark(path.name)).exists()]:
        for path in again:
            _put_back(path, folder)
        return False
    if marker in names:
        os.rename(folder / marker, place / WHOLE)
    else:
        (place / WHOLE).touch()
    return True


def _put_back(path: Path, folder: Path) -> None:
    """Let a client write on in the drop folder. If it has begun a new file of that name there, this one stays."""
    with suppress(FileExistsError):
        os.link(path, folder / path.name)
        path.unlink()


def _note(database: Database, each: Scheduled, place: Path, day: str) -> int:
    sizes = [path.stat().st_size for path in place.iterdir() if path.name != WHOLE]
    with database.write() as transaction:
        job = sync_job(each.district, place)
        return schedules.arrive(transaction, job, files=len(sizes), size=sum(sizes), day=day)


def _delete_old(database: Database, each: Scheduled) -> None:
    with database.read() as transaction:
        old = schedules.old(transaction, each.district, each.schedule.keep_days)
    for arrival in old:
        shutil.rmtree(arrival.place, ignore_errors=True)
    gone = [arrival.number for arrival in old if not Path(arrival.place).exists()]
    if gone:
        with database.write() as transaction:
            schedules.note_deleted(transaction, gone)


@contextmanager
def _locked(taken: Path) -> Iterator[bool]:
    """Whether only this program takes uploads from the folder; the system ends the lock of a dead process."""
    handle = os.open(taken / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
