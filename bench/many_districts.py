"""A night of many districts: complete uploads lie in the drop folders, and a worker with two processes takes them.

The first night makes every roster, the second one brings 1 % of changed students, and the third one the same
files again. One district's files cannot be used in any night. All districts upload copies of the same files;
they share no record.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import material, tables
from bench.processes import ROLLBOOK, family, proportional_bytes
from bench.syncs import MB, change
from bench.tables import Target, number
from rollbook import settings as setting_rows
from rollbook.domain.school_days import Schedule
from rollbook.operations import district_setup, scheduling
from rollbook.store.engine.database import Database
from rollbook.store.engine.opening import opened
from rollbook.store.work import job_queue

STUDENTS, DISTRICTS = 2_000, 300
PROCESSES = 2
# The targets are for 300 districts of 2,000 students.
SECONDS_MAX, MEGABYTES_MAX = 15 * 60, 1_000
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """A night: what it cost, and in which states its syncs ended. `seconds` are of the wall."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    states: Counter[str]


def measure(students: int, districts: int) -> None:
    """Print the table of this part."""
    files = material.generated(students)
    changed = material.variant(files, "changed", change)
    nights = (
        ("every roster is new", files),
        ("1 % of the students changed", changed),
        ("the same files", changed),
    )
    with material.place() as name:
        database = f"{name}/rollbook.db"
        _set_up(database, Path(name), districts)
        rows = [(title, _night(database, Path(name), folder, districts)) for title, folder in nights]
    print(f"\n{districts} districts of {students:,} students, {PROCESSES} processes; SQLite.")
    _show(rows, districts)


def _set_up(database: str, place: Path, districts: int) -> None:
    """Make empty districts, each with a schedule and a drop folder."""
    with opened(setting_rows.read(os.environ, database=database), may_begin=True) as store:
        for number_ in range(districts):
            folder = place / f"drop-{number_}"
            folder.mkdir()
            district_setup.create(store, f"District {number_}")
            scheduling.change(store, f"District {number_}", partial(_scheduled, folder=folder))


def _scheduled(schedule: Schedule, folder: Path) -> Schedule:
    return replace(schedule, folder=str(folder), late_after="06:00", zone="America/Chicago")


def _night(database: str, place: Path, files: Path, districts: int) -> Told:
    """Upload the files of all districts, and let a worker do what is due."""
    for number_ in range(districts):
        drop = place / f"drop-{number_}"
        for path in files.glob("*.csv"):
            shutil.copy(path, drop)
        if number_ == 0:
            (drop / "students.csv").write_text("not,the,header\n")
        (drop / "complete").touch()
    start, before = time.perf_counter(), os.times()
    peak = _worked(database)
    seconds, after = time.perf_counter() - start, os.times()
    cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
    with opened(setting_rows.read(os.environ, database=database)) as store:
        return Told(seconds, cpu_seconds, peak, _states(store, districts))


def _worked(database: str) -> int:
    """Run a worker until nothing is due; returns its greatest memory, with that of its processes."""
    command = (ROLLBOOK, "work", "--once", "--processes", str(PROCESSES), "--database", database)
    peak = 0
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                peak = max(peak, proportional_bytes(family(process.pid)))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def _states(store: Database, districts: int) -> Counter[str]:
    with store.read() as transaction:
        found = job_queue.latest(transaction, districts)
    for job in found:
        if job.message:  # the database goes with the benchmark
            print(f"job {job.number} of {job.district}: {job.state}, attempt {job.attempts}: {job.message}")
    return Counter(job.run_state or job.state for job in found if job.kind == "sync")


def _show(rows: list[tuple[str, Told]], districts: int) -> None:
    is_full = districts >= DISTRICTS
    seconds_max = Target("at most", SECONDS_MAX, " s") if is_full else None
    bytes_max = Target("at most", MEGABYTES_MAX, " MB") if is_full else None
    tables.show(
        "A night of many districts",
        ("night", "seconds", "CPU seconds", "CPU s a district", "peak MB", "syncs", *("target", "is") * 2),
        [
            (
                title,
                number(told.seconds),
                number(told.cpu_seconds),
                f"{told.cpu_seconds / districts:.2f}",
                number(told.peak_bytes / MB),
                ", ".join(f"{count} {state}" for state, count in sorted(told.states.items())),
                *tables.verdict(told.seconds, seconds_max),
                *tables.verdict(told.peak_bytes / MB, bytes_max),
            )
            for title, told in rows
        ],
    )
