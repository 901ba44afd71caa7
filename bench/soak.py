"""A soak: nights of many districts by a clock of its own, with uploads, restarts and kills.

`python -m bench.soak --districts 30 --nights 10` runs `rollbook serve` under libfaketime, so that every process
and the database see the same invented night. Half of the districts upload by SFTP (`bench.soak_uploads`). Each
morning it checks each district: its roster by the files, its events by a copy that follows them, and what `rollbook
night` says. It ends with exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import tables
from bench.processes import ROLLBOOK, family, free_port, proportional_bytes, wait_for
from bench.soak_clock import CLOCK_SECONDS, Clock, library
from bench.soak_uploads import Uploads
from rollbook import settings as setting_rows
from rollbook.client import Client, MemoryCopy, School, Section, User
from rollbook.operations import connecting, district_setup, registering, scheduling
from rollbook.settings import Settings
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import settle
from rollbook.store.engine.opening import opened
from rollbook.store.work import job_queue
from rollbook.synthetic import writer

STUDENTS, KEEP_DAYS = 60, 3
KINDS = (School, Section, User)
WAIT_SECONDS = 900
WORDS_MAX = 400
# What a district does in a night.
NEW, SAME, NONE, HALF, BROKEN = "new", "same", "none", "half", "broken"
DEEDS = (NEW, NEW, SAME, NEW, BROKEN, NEW, NONE, NEW, HALF, NEW)
KILL_JOB, RESTART, KILL_ALL = "a job is killed", "the server restarts", "the server is killed"
MB = 1_000_000


@dataclass
class District:
    """A district, what its roster should be, and the copy of an application that follows its events."""

    name: str
    seed: int
    drop: Path
    # By SFTP, under this account; blank: the files are copied into the drop folder.
    account: str = ""
    rule: str = "marker"
    token: str = ""
    day: int | None = None
    uploads: int = 0
    copy: MemoryCopy = field(default_factory=MemoryCopy)
    deed: str = NONE


@dataclass
class Soak:
    """One run: its place, its server, and what was wrong so far."""

    folder: Path
    clock: Clock
    settings: Settings
    districts: list[District]
    chance: random.Random
    port: int
    uploads: Uploads
    server: subprocess.Popen[bytes] | None = None
    wrong: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        own = {f"ROLLBOOK_{name.upper()}": str(getattr(self.settings, name)) for name in setting_rows.names()}
        return {**os.environ, **own, **self.clock.environment}

    def start(self) -> None:
        command = (ROLLBOOK, "serve", "--port", str(self.port))
        self.server = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)
        wait_for(self.port, self.server.pid)
        self.uploads.start(self.environment)

    def end(self, number: signal.Signals) -> None:
        """End the servers by a signal; with SIGKILL also the jobs."""
        self.uploads.end(number)
        if self.server is None:
            return
        for pid in family(self.server.pid) if number == signal.SIGKILL else [self.server.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        self.server.wait(WAIT_SECONDS)

    def prints(self, *arguments: str) -> str:
        """What a command prints by the clock of the soak."""
        done = subprocess.run(
            (ROLLBOOK, *arguments), env=self.environment, check=False, text=True, stdout=subprocess.PIPE
        )
        return done.stdout

    def check(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.wrong.append(f"{what}: expected {expected}, got {found}"[:WORDS_MAX])
            print(self.wrong[-1], flush=True)


def set_up(folder: Path, count: int) -> Soak:
    """Districts with drop folders, and an application that reads them all."""
    (folder / "tmp").mkdir()
    own = {"database": f"{folder}/rollbook.db", "key_file": f"{folder}/key", "temporary": f"{folder}/tmp"}
    settings = setting_rows.read(
        {}, **own, job_processes=2, history_days=KEEP_DAYS, event_days=KEEP_DAYS, rate_limit=0
    )
    districts, uploads = [_district(folder, number) for number in range(count)], Uploads.made(folder / "sftp")
    with opened(settings, may_begin=True) as database:
        settle(database, settings)
        registering.register(database, NewApplication("Reader"))
        registering.change(database, settings, "Reader", has_events=True)
        for each in districts:
            each.drop.mkdir()
            district_setup.create(database, each.name)
            given = {
                "folder": str(each.drop),
                "rule": each.rule,
                "late_after": "05:00",
                "keep_days": KEEP_DAYS,
            }
            scheduling.change(database, each.name, lambda now, given=given: replace(now, **given))  # type: ignore[misc]
            if each.account:
                uploads.open_account(database, each.name, each.account)
            each.token = connecting.connect(database, settings, "Reader", each.name).token
    return Soak(folder, Clock(folder), settings, districts, random.Random(1), free_port(), uploads)


def _district(folder: Path, number: int) -> District:
    """Every second district uploads by SFTP, and every fourth one has no marker: its session ends its upload."""
    account, rule = f"d{number}" if number % 2 else "", "closed" if number % 4 == 1 else "marker"
    return District(f"District {number}", number, folder / f"drop-{number}", account, rule)


# A night --------------------------------------------------------------------------------------------------


def night(soak: Soak, number: int, midnight: datetime, accident: str) -> None:
    """Uploads at two o'clock, an accident while they are synced, and the checks of the morning."""
    soak.clock.go_to(midnight + timedelta(hours=2))
    time.sleep(CLOCK_SECONDS)
    for each in soak.districts:
        each.deed = NEW if number == 0 else DEEDS[(each.seed + 3 * number) % len(DEEDS)]
    senders = [each for each in soak.districts if each.account and each.deed == NEW]
    cut = senders[:1] if accident in (RESTART, KILL_ALL) else []
    for each in soak.districts:
        _upload(soak, each, number, is_cut=each in cut)
    with _database(soak) as database:
        _until(lambda: _running(database) > 0)
        _accident(soak, accident)
        _until(lambda: _is_over(soak, database))
    soak.clock.go_to(midnight + timedelta(hours=6))
    time.sleep(CLOCK_SECONDS)
    told = {each["district"]: each for each in json.loads(soak.prints("night", "--json"))["districts"]}
    for each in soak.districts:
        _check_words(soak, each, number, told[each.name], is_school_day=midnight.weekday() < 5)
        _check_roster(soak, each, number)


def _upload(soak: Soak, each: District, number: int, *, is_cut: bool) -> None:
    """What the district does in a night. `is_cut`: the SFTP server is killed during its first attempt."""
    if each.deed == NONE:
        return
    files = soak.folder / "files"
    shutil.rmtree(files, ignore_errors=True)
    day = each.day if each.deed == SAME and each.day is not None else number
    writer.write(files, students=STUDENTS, seed=each.seed, day=day)
    if each.deed == BROKEN:
        (files / "students.csv").write_text("not,the,header\n")
    if each.deed != HALF:
        (files / "complete").touch()
        each.uploads += 1
    (_put if each.account else _copied)(soak, each, files, is_cut)
    if each.deed in (NEW, SAME):
        each.day = day


def _copied(soak: Soak, each: District, files: Path, _: bool) -> None:
    for path in files.glob("*.csv"):
        shutil.copyfile(path, each.drop / path.name)
        os.utime(each.drop / path.name, (soak.clock.now(),) * 2)
    if each.deed != HALF:
        (each.drop / "complete").touch()


def _put(soak: Soak, each: District, files: Path, is_cut: bool) -> None:
    if is_cut and each.deed == NEW:
        soak.uploads.cut(each.account, files, each.drop, by_server=True)
        soak.uploads.start(soak.environment)
    if each.rule == "closed" and each.deed == HALF:
        soak.uploads.cut(each.account, files, each.drop, by_server=False)
    else:
        is_marked = each.rule == "marker" and each.deed != HALF
        soak.uploads.put(each.account, files, *["complete"] * is_marked)


def _accident(soak: Soak, accident: str) -> None:
    if accident == KILL_JOB and soak.server:
        jobs = family(soak.server.pid)[1:]
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(soak.chance.choice(jobs), signal.SIGKILL)
    elif accident == RESTART:
        soak.end(signal.SIGTERM)
        soak.start()
    elif accident == KILL_ALL:
        soak.end(signal.SIGKILL)
        # Nobody gave the jobs back, so their leases must end.
        soak.clock.go_to(datetime.fromtimestamp(soak.clock.now(), UTC) + timedelta(minutes=2))
        soak.start()


def _database(soak: Soak) -> contextlib.AbstractContextManager[Database]:
    return opened(soak.settings)


def _running(database: Database) -> int:
    with database.read() as transaction:
        return sum(
            number for (_, state), number in job_queue.counts(transaction).items() if state == "running"
        )


def _is_over(soak: Soak, database: Database) -> bool:
    """Whether every complete upload was taken, and every job has ended."""
    if any((each.drop / "complete").exists() for each in soak.districts):
        return False
    with database.read() as transaction:
        states = {state for (_, state), number in job_queue.counts(transaction).items() if number}
        came = transaction.row("SELECT count(*) FROM arrivals")
    return not states & {"waiting", "running"} and bool(
        came and came[0] == sum(each.uploads for each in soak.districts)
    )


def _until(found: Callable[[], bool]) -> None:
    """Errors: TimeoutError."""
    end = time.monotonic() + WAIT_SECONDS
    while not found():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing came in {WAIT_SECONDS} seconds; `rollbook jobs` shows the queue")
        time.sleep(0.05)


# The morning ----------------------------------------------------------------------------------------------


def _check_words(
    soak: Soak, each: District, number: int, told: dict[str, object], *, is_school_day: bool
) -> None:
    """What `rollbook night` says of a district, by what it did."""
    at, came, runs = f"night {number}, {each.name}", told["came"], told["runs"]
    states = [run["state"] for run in runs] if isinstance(runs, list) else []
    wanted = {NONE: [], HALF: [], BROKEN: ["failed"]}.get(each.deed, ["committed"])
    soak.check(f"{at}, uploads", len(wanted), len(came) if isinstance(came, list) else None)
    soak.check(f"{at}, runs", wanted, states)
    soak.check(f"{at}, late", each.deed in (NONE, HALF) and is_school_day, told["is_late"])
    soak.check(f"{at}, half an upload", each.deed == HALF, bool(told["unfinished_files"]))
    soak.check(f"{at}, a next step", _needs_step(each, is_school_day=is_school_day), bool(told["next_step"]))
    soak.check(f"{at}, open jobs", [], told["open_jobs"])


def _needs_step(each: District, *, is_school_day: bool) -> bool:
    return each.deed in (HALF, BROKEN) or (each.deed == NONE and is_school_day)


def _check_roster(soak: Soak, each: District, number: int) -> None:
    """The roster by the files of the last upload that went in, and the copy by events beside a new one."""
    at, files = f"night {number}, {each.name}", soak.folder / "expected"
    shutil.rmtree(files, ignore_errors=True)
    writer.write(files, students=STUDENTS, seed=each.seed, day=each.day or 0)
    with Client(f"http://127.0.0.1:{soak.port}", each.token) as client:
        fresh = MemoryCopy()
        client.pull(fresh, KINDS)
        updated = client.update(each.copy, KINDS)
    soak.check(
        f"{at}, records in which the copy by {updated.how} differs", set(), _differing(fresh, each.copy)
    )
    soak.check(f"{at}, how the copy follows", "pull" if number == 0 else "events", updated.how)
    students = {user.roles.student.sis_id for user in fresh.all(User) if user.roles and user.roles.student}
    soak.check(f"{at}, students", _ids(files / "students.csv", "Student_id"), students)
    soak.check(
        f"{at}, sections", _ids(files / "sections.csv", "Section_id"), {s.sis_id for s in fresh.all(Section)}
    )


def _differing(fresh: MemoryCopy, followed: MemoryCopy) -> set[str]:
    """Ids of records that two copies show in different ways. Lists show a student's email twice, events once."""
    left, right = (
        {record.id: record for kind in KINDS for record in copy.all(kind)} for copy in (fresh, followed)
    )
    return {id_ for id_ in {*left, *right} if left.get(id_) != right.get(id_)}


def _ids(path: Path, column: str) -> set[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row[column] for row in csv.DictReader(file)}


# The figures ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server holds after a night: memory of all its processes, database, and kept uploads."""

    memory_bytes: int
    database_bytes: int
    folders: int
    leftovers: int


def _figures(soak: Soak) -> Figures:
    kept = sum(len([*place.glob("20*")]) for place in soak.folder.glob(".drop-*.taken"))
    leftovers = len([*(soak.folder / "tmp").iterdir()])
    size = sum(path.stat().st_size for path in soak.folder.glob("rollbook.db*"))
    memory = proportional_bytes(family(soak.server.pid)) if soak.server else 0
    return Figures(memory, size, kept, leftovers)


def _check_growth(soak: Soak, rows: list[Figures]) -> None:
    """Nothing grows once old things are dropped as fast as new ones come: the last night beside the sixth one."""
    soak.check("folders of killed jobs", 0, rows[-1].leftovers)
    most = (KEEP_DAYS + 1) * len(soak.districts)
    soak.check(f"at most {most} kept uploads", True, max(row.folders for row in rows) <= most)
    if len(rows) >= 10:
        before, now = rows[5], rows[-1]
        soak.check("memory grows by at most a tenth", True, now.memory_bytes <= 1.1 * before.memory_bytes)
        soak.check(
            "the database grows by at most a tenth", True, now.database_bytes <= 1.1 * before.database_bytes
        )


def accidents(nights: int) -> Iterator[str]:
    """Every accident in turn; from the fifth night on the server stays, so that its growth shows."""
    every = (KILL_JOB, KILL_ALL, RESTART)
    for number in range(nights):
        yield every[number % len(every)] if number < 5 else KILL_JOB


def run(districts: int, nights: int) -> list[str]:
    """Run the soak, and print a row for each night; returns what was wrong."""
    with tempfile.TemporaryDirectory(prefix="rollbook-soak-") as name:
        soak, rows, shown = set_up(Path(name), districts), [], []
        monday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
        soak.clock.go_to(monday)
        soak.start()
        try:
            for number, accident in enumerate(accidents(nights)):
                night(soak, number, monday + timedelta(days=number), accident)
                rows.append(found := _figures(soak))
                figures = (f"{found.memory_bytes / MB:.0f}", f"{found.database_bytes / MB:.1f}")
                shown.append((f"{number} ({accident})", *figures, str(found.folders), str(len(soak.wrong))))
                print(*shown[-1], flush=True)
            _check_growth(soak, rows)
        finally:
            soak.end(signal.SIGTERM)
    heads = ("night", "server's MB", "database's MB", "kept uploads", "wrong so far")
    tables.show(f"{nights} nights of {districts} districts", heads, shown)
    return soak.wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--districts", type=int, default=30)
    parser.add_argument("--nights", type=int, default=10)
    options = parser.parse_args(arguments)
    if library() is None:
        sys.exit("The soak gives all programs another clock: apt install faketime.")
    wrong = run(options.districts, options.nights)
    print("nothing was wrong" if not wrong else f"{len(wrong)} things were wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
