"""Schedules of districts, and the events of a night."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from rollbook.domain.school_days import Schedule
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import drop_folders, lateness
from rollbook.operations.drop_folders import Upload
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import commits
from rollbook.store.records.commits import Run
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.job_queue import Job
from rollbook.store.work.schedules import Arrival, Scheduled
from rollbook.sync import standing
from rollbook.sync.standing import Standing

RUNS_MAX = 50
# How many files a sentence names.
NAMES_MAX = 3
# Runs that changed, or were meant to change, a roster; the others change a district's own record.
MAKING = ("files", "clone", "approval", "undo")
UNFINISHED_SECONDS = 3600


def read(database: Database, district: str) -> Schedule | None:
    """The schedule of a district (name or id); None if it has none. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        found = schedules.find(transaction, owner.number)
    return found.schedule if found else None


def change(database: Database, district: str, edit: Callable[[Schedule], Schedule]) -> Schedule:
    """Change the schedule of a district (name or id), or begin one. Errors: Unknown, BadSetting."""
    owner = districts.find(database, district)
    with database.write() as transaction:
        found = schedules.find(transaction, owner.number)
        wanted = edit(found.schedule if found else Schedule()).checked()
        if wanted.folder and not os.path.isdir(wanted.folder):  # False also for a name that no system takes
            raise BadSetting(
                f"folder: {wanted.folder[:200]} is not there; expected the folder that the files are uploaded to"
            )
        taken = [each.name for each in schedules.every(transaction) if each.schedule.folder == wanted.folder]
        if wanted.folder and [name for name in taken if name != owner.name]:
            raise BadSetting(
                f"folder: {wanted.folder} is the folder of {taken[0]!r}; each district needs its own"
            )
        schedules.write(transaction, owner.number, wanted)
    return wanted


def remove(database: Database, district: str) -> None:
    """Drop the schedule of a district (name or id). Errors: Unknown if it has none."""
    owner = districts.find(database, district)
    with database.write() as transaction:
        if schedules.find(transaction, owner.number) is None:
            raise Unknown(f"{owner.name!r} has no schedule")
        schedules.remove(transaction, owner.number)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: for the command line, and for a mail, whose link leads to `page` of the district in the
    console. Both texts may name the district, the number of unfinished files, and those that were cut off."""

    command: str
    mail: str
    page: str = ""


STEPS: Final[Mapping[str, Step]] = {
    "held": Step(
        'Are the files right? `rollbook history "{name}"` shows the sync; then approve or discard it.',
        "Are the files right? Look at the sync; then approve or discard it.",
        "/runs",
    ),
    "failed": Step(
        'Tell the district what is wrong with its files: `rollbook history "{name}"` shows it.',
        "The files could not be used. Look at what is wrong with them, and upload them again.",
        "/runs",
    ),
    "job": Step(
        'A job failed: `rollbook jobs --district "{name}" --state failed` says why.',
        "A job failed. Look at the last jobs.",
        "/upload",
    ),
    "cut": Step(
        "An upload was cut off: {cut} did not come to its end. Ask the district to upload again.",
        "An upload was cut off: {cut} did not come to its end. Upload all files again.",
    ),
    "unfinished": Step(
        "An upload was not finished: {unfinished} files lie in the drop folder. Ask the district to upload again.",
        "An upload was not finished: {unfinished} files lie in the drop folder. Upload all files again.",
    ),
    "waiting": Step(
        "A complete upload waits in the drop folder: start a worker with `rollbook work`.",
        "A complete upload waits, because no worker takes it. Start a worker.",
    ),
    "late": Step("Ask the district why no files came.", "No files came. Find out why, and upload them."),
    "empty": Step(
        'Nothing was synced yet: `rollbook sync "{name}" FOLDER`.',
        "Nothing was synced yet. Upload the first files.",
        "/upload",
    ),
    "frozen": Step(
        'An application\'s view is frozen: `rollbook shares "{name}"` shows it.',
        "An application sees a frozen view. Look at what changed, then thaw it.",
        "/applications",
    ),
}


@dataclass(frozen=True, slots=True)
class Night:
    """What happened to a district since yesterday evening, and the next step; blank if nothing is to do.

    `number` is the store's number of the district, `zone` its time zone. `since` is in Unix seconds.
    `unfinished` are files in the drop folder that are not a whole upload yet; of those, `open_names`
    did not come to their end. `is_waiting`: a complete upload lies there, and no worker takes it.
    """

    name: str
    state: str
    since: float
    came: list[Arrival] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    unfinished: int = 0
    open_names: tuple[str, ...] = ()
    is_late: bool = False
    troubles: list[str] = field(default_factory=list)
    step: Step | None = None
    zone: str = "UTC"
    number: int = 0
    is_waiting: bool = False

    @property
    def next_step(self) -> str:
        """The next step, for the command line; blank if nothing is to do."""
        return self.told(self.step.command) if self.step else ""

    @property
    def mailed_step(self) -> str:
        """The next step, for a mail."""
        return self.told(self.step.mail) if self.step else ""

    def told(self, text: str) -> str:
        """A text of a step for this district."""
        # A file's name is what the district's program sent, and may be no text.
        names = (os.fsencode(name).decode("utf-8", "replace") for name in self.open_names[:NAMES_MAX])
        found = text.replace("{unfinished}", str(self.unfinished)).replace("{name}", self.name)
        return found.replace("{cut}", ", ".join(names))


def nights(database: Database, now: float | None = None) -> list[Night]:
    """The night of each district, by name; those that need attention come first."""
    found = standing.of_all(database)
    with database.read() as transaction:
        moment = job_queue.now(transaction) / 1000 if now is None else now
        known = {each.district: each for each in schedules.every(transaction)}
    told = [_night(database, each, known.get(each.district.number), moment) for each in found]
    return sorted(told, key=lambda night: (not night.step, night.name))


def without_files(database: Database) -> dict[str, str]:
    """Districts with overdue files, or with an upload that no worker takes, by name, each with a sentence."""
    found = {}
    for night in nights(database):
        if night.is_late:
            step = night.next_step
            found[night.name] = f"no files came since yesterday evening; {step[0].lower()}{step[1:]}"
        elif night.is_waiting:
            found[night.name] = STEPS["waiting"].command
    return found


def _night(database: Database, each: Standing, scheduled: Scheduled | None, now: float) -> Night:
    own = scheduled.schedule if scheduled else Schedule()
    since = own.evening_before(now)
    number = each.district.number
    with database.read() as transaction:
        came = schedules.came(transaction, number, since)
        jobs = _jobs(transaction, number, since)
        is_late = lateness.is_late(transaction, each, scheduled.schedule if scheduled else None, now)
    runs = [
        run
        for run in commits.runs(database, each.district, (), RUNS_MAX)
        if run.cause in MAKING and _seconds(run) >= since
    ]
    lies = drop_folders.lying(own) if own.folder else None
    is_left = lies and not lies.is_whole(own) and lies.quiet_seconds > UNFINISHED_SECONDS
    left = lies if lies and is_left else Upload((), 0, 0.0)
    is_waiting = bool(lies and scheduled and lies.waits(own, now, scheduled.fired))
    night = Night(
        each.district.name,
        each.state,
        since,
        came,
        runs,
        jobs,
        len(left.names),
        left.open_names,
        is_late,
        standing.troubles(each),
        zone=own.zone,
        number=number,
        is_waiting=is_waiting,
    )
    return replace(night, step=next(_steps(night), None))


def _seconds(run: Run) -> float:
    return datetime.fromisoformat(run.created).timestamp()


def _jobs(transaction: Transaction, district: int, since: float) -> list[Job]:
    """Jobs of the night that did not end well."""
    found = job_queue.latest(transaction, RUNS_MAX, district=district)
    return [
        job for job in found if job.created >= since * 1000 and job.state in ("waiting", "running", "failed")
    ]


def _steps(night: Night) -> Iterator[Step]:
    """The next steps of an operator, most urgent first."""
    if night.state in ("held", "failed"):
        yield STEPS[night.state]
    if any(job.state == "failed" for job in night.jobs):
        yield STEPS["job"]
    if night.is_waiting:
        yield STEPS["waiting"]
    if night.open_names:
        yield STEPS["cut"]
    if night.unfinished:
        yield STEPS["unfinished"]
    if night.is_late:
        yield STEPS["late"]
    if night.state == "empty":
        yield STEPS["empty"]
    if any("frozen" in trouble for trouble in night.troubles):
        yield STEPS["frozen"]
