"""Drop folders: by each rule, and after a kill at each step, an upload is taken once and whole."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook import settings as setting_rows
from rollbook.errors import BadSetting, Busy, MachineTrouble, Unknown
from rollbook.jobs.workers import Worker
from rollbook.operations import drop_folders, job_control, scheduling
from rollbook.operations.drop_folders import taken_folder, watch
from rollbook.store.district import districts
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue, schedules
from rollbook.store.work.job_queue import Job
from tests import world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def store(small_database: Database) -> Database:
    districts.create(small_database, "Springfield")
    return small_database


def schedule(database: Database, folder: Path, **more: Any) -> None:
    scheduling.change(database, "Springfield", lambda now: replace(now, folder=str(folder), **more))


def upload(folder: Path, *, marker: bool = False) -> None:
    world.write(folder)
    if marker:
        (folder / "complete").touch()


def go_on(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the worker's clock be so far ahead of the one that dates files."""
    monkeypatch.setattr(drop_folders, "_now", lambda: time.time() + seconds)


def jobs(database: Database) -> list[Job]:
    with database.read() as transaction:
        return job_queue.latest(transaction, 10)


def taken(job: Job) -> set[str]:
    return {path.name for path in Path(job.subject).iterdir()} - {drop_folders.WHOLE}


def end_jobs(database: Database) -> None:
    while job := job_queue.lease(database, "w"):
        with database.write() as transaction:
            job_queue.finish(transaction, job, "done")


def test_an_upload_with_a_marker_is_taken_once(database: Database, folder: Path) -> None:
    districts.create(database, "Springfield")
    schedule(database, folder)
    upload(folder)
    assert watch(database) == []
    (folder / "complete").touch()
    assert watch(database) == [1]
    assert (watch(database), [*folder.iterdir()]) == ([], [])
    (job,) = jobs(database)
    assert taken(job) == set(world.FILES)
    with database.read() as transaction:
        (arrival,) = schedules.came(transaction, 1, 0)
    assert (arrival.files, arrival.bytes, arrival.job) == (
        len(world.FILES),
        sum(len(text.encode()) for text in world.FILES.values()),
        1,
    )


def test_without_a_marker_the_required_files_must_be_there_and_quiet(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder, rule="quiet", quiet_minutes=20)
    upload(folder)
    go_on(monkeypatch, 19 * 60)
    assert watch(store) == []
    go_on(monkeypatch, 21 * 60)
    (folder / "sections.csv").rename(folder / "kept")
    assert watch(store) == []
    (folder / "kept").rename(folder / "Sections.CSV")
    assert watch(store) == [1]


def test_files_that_keep_their_old_times_are_not_quiet_when_they_come(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `rsync -t` and `cp -p` write them."""
    schedule(store, folder, rule="quiet")
    upload(folder)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    assert watch(store) == []
    go_on(monkeypatch, 31 * 60)
    assert watch(store) == [1]


def test_files_of_a_clock_that_was_ahead_do_not_wait_until_then(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder, rule="quiet")
    upload(folder)
    os.utime(folder / "schools.csv", (0, 0))
    before = {path.name: path.stat().st_ctime_ns for path in folder.iterdir()}
    go_on(monkeypatch, -2 * 86_400)
    assert watch(store) == []
    after = {path.name: path.stat().st_ctime_ns for path in folder.iterdir()}
    assert [name for name in before if after[name] <= before[name]] == []
    assert (folder / "schools.csv").stat().st_mtime == 0
    go_on(monkeypatch, 31 * 60)
    assert watch(store) == [1]


def test_files_are_taken_at_a_time_of_a_school_day_once(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder, rule="at", at="02:30", zone="America/Chicago", quiet_minutes=5)

    def at(text: str) -> list[int]:
        moment = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
        monkeypatch.setitem(job_queue.NOW, "sqlite", str(moment))
        return watch(store)

    go_on(monkeypatch, 600)
    upload(folder)
    assert [at(text) for text in ("2026-03-07T12:00", "2026-03-08T08:29", "2026-03-09T07:29")] == [[], [], []]
    assert at("2026-03-09T07:30") == [1]
    upload(folder)
    assert at("2026-03-09T07:31") == []
    assert at("2026-03-10T06:00") == []
    # The first job still waits: the second upload has one of its own.
    assert at("2026-03-10T07:30") == [2]


def test_links_and_folders_are_no_upload(store: Database, folder: Path, tmp_path: Path) -> None:
    schedule(store, folder)
    (tmp_path / "secret.csv").write_text("another district's")
    (folder / "students.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "more").mkdir()
    upload_marker = folder / "complete"
    upload_marker.touch()
    watch(store)
    assert taken(jobs(store)[0]) == set()
    assert {path.name for path in folder.iterdir()} == {"students.csv", "more"}


@pytest.mark.parametrize("step", range(10))
def test_a_program_that_is_killed_while_it_takes_an_upload_loses_and_doubles_nothing(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    plain, left = os.rename, [step]

    class Killed(BaseException):
        pass

    def rename(*names: Any) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        plain(*names)

    def note(*_: Any, **__: Any) -> int:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(os, "rename", rename)
        dying.setattr(schedules, "arrive", note)
        with pytest.raises(Killed):
            watch(store)
    assert watch(store) == [1]
    assert watch(store) == []
    assert taken(jobs(store)[0]) == set(world.FILES)


def test_a_new_upload_after_a_killed_program_is_waited_for(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder, rule="quiet")
    upload(folder)
    go_on(monkeypatch, 3600)
    plain, left = os.rename, [2]

    def rename(*names: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        plain(*names)

    with monkeypatch.context() as dying:
        dying.setattr(os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            watch(store)
    go_on(monkeypatch, 0)
    (folder / "students.csv").write_text("half of the new file")
    assert watch(store) == []
    upload(folder)
    go_on(monkeypatch, 3600)
    assert watch(store) == [1]
    assert taken(jobs(store)[0]) == set(world.FILES)
    assert (Path(jobs(store)[0].subject) / "students.csv").read_text() == world.FILES["students.csv"]


@pytest.mark.parametrize("opened", ["before its file is moved", "after its file was moved"])
def test_a_file_that_a_client_opens_again_after_the_marker_is_waited_for(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, opened: str
) -> None:
    """The client opens the file between the look at the folder and the move, as `jobs/sftp_files` does."""
    schedule(store, folder)
    upload(folder, marker=True)
    plain = os.rename
    handles: list[Any] = []

    def rename(old: Path, new: Path) -> None:
        is_meant = old.name == "students.csv" and not handles
        if is_meant and opened.startswith("after"):
            plain(old, new)
        if is_meant:
            (folder / drop_folders.open_mark("students.csv")).touch()
            handles.append((folder / "students.csv").open("w"))
            handles[0].write("half of ")
        if not (is_meant and opened.startswith("after")):
            plain(old, new)

    monkeypatch.setattr(os, "rename", rename)
    for _ in range(2):
        assert watch(store) == []
    handles[0].write("the new file")
    handles[0].close()
    (folder / drop_folders.open_mark("students.csv")).unlink()
    assert watch(store) == [1]
    assert taken(jobs(store)[0]) == set(world.FILES)
    assert (Path(jobs(store)[0].subject) / "students.csv").read_text() == "half of the new file"


def test_a_worker_that_comes_second_takes_nothing(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    plain = drop_folders._locked

    def locked(taken: Path) -> Any:
        monkeypatch.setattr(drop_folders, "_locked", plain)
        assert watch(store) == [1]
        return plain(taken)

    monkeypatch.setattr(drop_folders, "_locked", locked)
    assert watch(store) == []
    assert len(jobs(store)) == 1


def test_nothing_is_taken_while_another_program_takes_uploads(store: Database, folder: Path) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    with drop_folders._locked(_made(taken_folder(folder))) as is_free:
        assert is_free
        assert watch(store) == []
    assert watch(store) == [1]


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_a_district_with_a_schedule_and_no_folder_has_none_to_watch(store: Database) -> None:
    scheduling.change(store, "Springfield", lambda now: replace(now, late_after="06:00"))
    assert watch(store) == []
    scheduling.remove(store, "Springfield")
    with pytest.raises(Unknown, match="'Springfield' has no schedule"):
        scheduling.remove(store, "Springfield")


def test_old_files_are_deleted_and_that_is_noted(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(store, folder, keep_days=3)
    upload(folder, marker=True)
    watch(store)
    monkeypatch.setitem(job_queue.NOW, "sqlite", f"{job_queue.NOW['sqlite']} + {4 * 86_400_000}")
    watch(store)
    place = Path(jobs(store)[0].subject)
    assert place.is_dir(), "its job has not run yet"
    end_jobs(store)
    watch(store)
    assert not place.exists()
    with store.read() as transaction:
        assert [each.deleted is not None for each in schedules.came(transaction, 1, 0)] == [True]
    assert taken_folder(folder).is_dir()


def test_a_folder_that_is_gone_stops_no_other_district(store: Database, folder: Path, tmp_path: Path) -> None:
    schedule(store, folder)
    folder.rmdir()
    districts.create(store, "Shelbyville")
    (tmp_path / "other").mkdir()
    scheduling.change(store, "Shelbyville", lambda now: replace(now, folder=str(tmp_path / "other")))
    upload(tmp_path / "other", marker=True)
    with pytest.raises(MachineTrouble, match=r"drop folders: Springfield: .*cannot be read"):
        watch(store)
    assert [job.district for job in jobs(store)] == ["Shelbyville"]


def test_two_districts_share_no_folder(store: Database, folder: Path, tmp_path: Path) -> None:
    schedule(store, folder)
    districts.create(store, "Shelbyville")
    with pytest.raises(BadSetting, match="is the folder of 'Springfield'"):
        scheduling.change(store, "Shelbyville", lambda now: replace(now, folder=str(folder)))
    with pytest.raises(BadSetting, match="is not there"):
        schedule(store, tmp_path / "nowhere")


def test_an_upload_that_comes_while_the_queue_is_full_goes_in_when_there_is_room(
    store: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    districts.create(store, "Shelbyville")
    scheduling.change(store, "Shelbyville", lambda now: replace(now, folder=str(other)))
    schedule(store, folder)
    upload(folder, marker=True)
    upload(other, marker=True)
    with monkeypatch.context() as full:
        full.setattr(job_queue, "WAITING_MAX", 0)
        for _ in range(2):
            with pytest.raises(MachineTrouble) as told:
                watch(store)
            assert str(told.value).count("the queue is full") == 2
    assert len(watch(store)) == 2
    assert watch(store) == []
    assert {each.district for each in jobs(store)} == {"Springfield", "Shelbyville"}
    assert all(taken(job) == set(world.FILES) for job in jobs(store))


def test_a_worker_with_a_full_queue_looks_at_everything_and_does_jobs(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    job_control.queue_pruning(store)
    monkeypatch.setattr(job_queue, "WAITING_MAX", 1)
    worker = Worker(store, setting_rows.read({}), 0)
    for _ in range(2):
        worker._watches_at = 0.0
        assert worker.look()
    assert caplog.text.count("the queue is full") == 1


def test_a_worker_leaves_a_database_alone_that_a_later_version_changed(
    store: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:1])
    worker = Worker(store, setting_rows.read({}), 1)
    assert [worker.look(), worker.look()] == [False, False]
    assert caplog.text.count("restart the worker with that version") == 1
    assert jobs(store) == []


def test_a_busy_database_ends_the_look_and_the_next_one_takes_the_upload(
    store: Database, folder: Path
) -> None:
    schedule(store, folder)
    upload(folder, marker=True)
    with store.without_waiting(), pytest.raises(Busy):
        watch(store)
    assert watch(store) == [1]
    assert taken(jobs(store)[0]) == set(world.FILES)
