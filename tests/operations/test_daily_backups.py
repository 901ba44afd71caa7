"""Backups that a worker makes each day: when they are due, which are kept, and what is said if one fails."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook.errors import BadSetting, MachineTrouble, Unknown
from rollbook.jobs.performing import perform
from rollbook.operations import backing_up, daily_backups, readiness
from rollbook.operations.daily_backups import Daily
from rollbook.settings import Settings
from rollbook.store.engine.backup_files import PART
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import Job
from tests import world
from tests.journeys.hub import Hub


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Clock:
    """The clock of the queue in a test."""

    def __init__(self, moment: str) -> None:
        self.seconds = at(moment)

    def __call__(self, _: object) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock("2026-11-30 12:00")
    monkeypatch.setattr(job_queue, "now", made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-30 11:59", "2026-11-29 12:00"),
        ("2026-11-30 12:00", "2026-11-30 12:00"),
        # Summer time begins at two o'clock on 8 March, and ends on 1 November.
        ("2026-03-08 11:30", "2026-03-08 11:00"),
        ("2026-11-01 12:30", "2026-11-01 12:00"),
    ],
)
def test_a_backup_is_due_at_its_time_in_its_zone(now: str, due: str) -> None:
    assert Daily("f", at="06:00", zone="America/Chicago").due(at(now)) == at(due)


def test_one_backup_is_queued_each_day(hub: Hub, folder: Path, clock: Clock) -> None:
    def queued(moment: str) -> int | None:
        clock.seconds = at(moment)
        number = daily_backups.queue_due(hub.database)
        if number:
            job_queue.cancel(hub.database, number)
        return number

    assert queued("2026-11-30 12:00") is None
    daily_backups.change(hub.database, folder=str(folder), at="06:00")
    assert queued("2026-11-30 13:00") is None
    assert queued("2026-12-01 05:59") is None
    assert queued("2026-12-01 06:00") == 1
    assert queued("2026-12-01 23:00") is None
    # No worker ran for some days.
    assert queued("2026-12-05 05:00") == 2
    assert queued("2026-12-05 05:01") is None


def done(hub: Hub) -> Job:
    """Do the job that waits."""
    job = job_queue.lease(hub.database, "w")
    assert job
    perform(hub.database, hub.settings, job)
    with hub.database.read() as transaction:
        return job_queue.get(transaction, job.number)


def test_a_worker_makes_backups_and_keeps_the_newest(hub: Hub, folder: Path, clock: Clock) -> None:
    hub.sync(world.FILES)
    (folder / "by hand.db").write_text("mine")
    (folder / f"rollbook-2026-11-30-110000.db{PART}").write_text("half of one")
    daily_backups.change(hub.database, folder=str(folder), keep=2)
    for hour in (13, 14, 15):
        clock.seconds = at(f"2026-11-30 {hour}:00")
        daily_backups.queue(hub.database)
        job = done(hub)
    newest = folder / "rollbook-2026-11-30-150000.db"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["by hand.db", "rollbook-2026-11-30-140000.db", newest.name]
    assert (job.state, job.message.partition(":")[0]) == ("done", str(newest))
    assert job.message.endswith("2 backups are kept")
    restored = restored_settings(hub, folder)
    assert backing_up.restore(newest, restored).rows > 0


def restored_settings(hub: Hub, folder: Path) -> Settings:
    return Settings(database=str(folder.parent / "new.db"), key_file=hub.settings.key_file)


def test_another_attempt_writes_the_same_file(hub: Hub, folder: Path, clock: Clock) -> None:
    daily_backups.change(hub.database, folder=str(folder))
    daily_backups.queue(hub.database)
    job = job_queue.lease(hub.database, "w")
    assert job
    daily_backups.make(hub.database, job.created)
    clock.seconds += 3600
    job_queue.give_back_all(hub.database, "w")
    assert done(hub).state == "done"
    assert [path.name for path in folder.iterdir()] == ["rollbook-2026-11-30-120000.db"]


def test_a_folder_that_is_away_is_told_and_tried_again(hub: Hub, folder: Path, clock: Clock) -> None:
    daily_backups.change(hub.database, folder=str(folder))
    shutil.rmtree(folder)
    daily_backups.queue(hub.database)
    job = done(hub)
    assert job.state == "waiting"
    assert job.message == f"the folder for backups, {folder}, is not there; is its disk mounted?"
    for _ in range(job_queue.ATTEMPTS_MAX - 1):
        clock.seconds += 7200
        job = done(hub)
    assert job.state == "failed"
    (trouble,) = readiness.look(hub.database).troubles
    assert trouble.startswith("the last backup failed: the folder for backups, ")
    folder.mkdir()
    daily_backups.queue(hub.database)
    done(hub)
    assert readiness.look(hub.database).troubles == []


def test_an_old_backup_that_cannot_be_deleted_is_told_and_the_new_one_stays(
    small_hub: Hub, folder: Path, clock: Clock
) -> None:
    stuck = folder / "rollbook-2026-11-01-060000.db"
    (stuck / "of another program").mkdir(parents=True)
    daily_backups.change(small_hub.database, folder=str(folder), keep=1)
    with pytest.raises(MachineTrouble, match=f"{stuck} cannot be deleted"):
        daily_backups.make(small_hub.database, int(clock.seconds * 1000))
    assert (folder / "rollbook-2026-11-30-120000.db").is_file()


def test_daily_backups_end_and_leave_what_was_made(small_hub: Hub, folder: Path, clock: Clock) -> None:
    daily_backups.change(small_hub.database, folder=str(folder))
    daily_backups.queue(small_hub.database)
    assert done(small_hub).state == "done"
    daily_backups.queue(small_hub.database)
    daily_backups.remove(small_hub.database)
    late = done(small_hub)
    assert (late.state, late.message.partition(";")[0]) == ("failed", "no daily backups are set")
    assert len(list(folder.iterdir())) == 1
    assert daily_backups.queue_due(small_hub.database) is None


def test_a_backup_that_was_not_made_is_told(hub: Hub, folder: Path, clock: Clock) -> None:
    daily_backups.change(hub.database, folder=str(folder))
    for moment, troubles in (
        ("2026-12-01 11:59", []),
        ("2026-12-01 12:00", ["the backup of 06:00 was not made; look at `rollbook jobs`"]),
    ):
        clock.seconds = at(moment)
        assert readiness.look(hub.database).troubles == troubles


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "folder: expected the folder for the backups"),
        ({"folder": "/nowhere"}, "folder: /nowhere is not there"),
        ({"at": "25:00"}, "at: expected a time such as 02:30"),
        ({"zone": "Mars"}, "zone: expected a time zone"),
    ],
)
def test_what_cannot_be_used_is_refused(small_hub: Hub, folder: Path, given: Any, says: str) -> None:
    wanted = {"folder": str(folder), **given} if given else {}
    with pytest.raises(BadSetting, match=says):
        daily_backups.change(small_hub.database, **wanted)
    with pytest.raises(Unknown, match="no daily backups are set"):
        daily_backups.queue(small_hub.database)
    with pytest.raises(Unknown, match="no daily backups are set"):
        daily_backups.remove(small_hub.database)
