"""A worker and a job: the sync and the end of its job are one transaction."""

from __future__ import annotations

import signal
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.errors import Busy
from rollbook.jobs import performing
from rollbook.jobs.performing import Task, perform
from rollbook.jobs.stopping import STOP
from rollbook.operations import drop_folders, job_control, scheduling
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import ATTEMPTS_MAX, Job
from tests import world
from tests.journeys.hub import Hub


def queued(hub: Hub, files: dict[str, str] | None = None) -> Job:
    folder = world.write(hub.folder / "small world", files or world.FILES)
    job_control.queue_sync(hub.database, "Springfield", folder)
    return leased(hub)


def leased(hub: Hub) -> Job:
    job = job_queue.lease(hub.database, "w")
    assert job
    return job


def done(hub: Hub, job: Job) -> Job:
    perform(hub.database, hub.settings, job)
    with hub.database.read() as transaction:
        return job_queue.get(transaction, job.number)


def test_a_sync_ends_its_job_with_its_number_and_counts(hub: Hub) -> None:
    job = done(hub, queued(hub))
    assert (job.state, job.run, job.run_state, job.district) == ("done", 1, "committed", "Springfield")
    assert job.counts == {"created": 15, "updated": 0, "deleted": 0}


def test_an_upload_may_be_one_zip_file(hub: Hub, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    with zipfile.ZipFile(drop / "Night.ZIP", "w") as packed:
        for name, text in world.FILES.items():
            packed.writestr(name, text)
    (drop / "complete").touch()
    scheduling.change(hub.database, "Springfield", lambda now: replace(now, folder=str(drop)))
    assert drop_folders.watch(hub.database) == [1]
    assert done(hub, leased(hub)).counts == {"created": 15, "updated": 0, "deleted": 0}


def test_a_worker_that_lost_its_lease_changes_no_roster(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    # The old worker learns of it only when it writes.
    monkeypatch.setattr(performing, "LOOK_SECONDS", 1000.0)
    lost = queued(hub)
    job_queue.give_back_all(hub.database, "w")
    again = leased(hub)
    token = hub.connect()
    perform(hub.database, hub.settings, lost)
    assert hub.client(token).records("/v3.0/users") == []
    assert done(hub, again).run == 1
    assert len(hub.client(token).records("/v3.0/users")) == 6


def test_files_that_cannot_be_used_end_the_job_and_stand_in_the_history(hub: Hub) -> None:
    job = done(hub, queued(hub, {**world.FILES, "students.csv": ""}))
    assert (job.state, job.run_state, job.message) == ("done", "failed", "")


def test_a_paused_district_ends_the_job_with_one_sentence(small_hub: Hub) -> None:
    job = queued(small_hub)
    sync.pause(small_hub.database, small_hub.district, date(2020, 1, 1), None)
    ended = done(small_hub, job)
    assert ended.state == "failed"
    assert ended.message.startswith("'Springfield' is paused since 2020-01-01")


def put(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    monkeypatch.setattr(performing, "KINDS", {job_control.SYNC: act})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Busy("another run was faster"), "another run was faster"),
        (MemoryError(), "memory was not sufficient"),
    ],
)
def test_trouble_that_passes_lets_the_job_wait(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def act(_: Task) -> None:
        raise error

    put(monkeypatch, act)
    job = done(small_hub, queued(small_hub))
    assert (job.state, job.message, job.due > job.created) == ("waiting", message, True)


def test_an_error_of_the_program_tells_no_text_of_a_file(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def act(_: Task) -> None:
        raise ValueError("Emmy Noether")

    put(monkeypatch, act)
    job = done(small_hub, queued(small_hub))
    assert (job.state, job.message) == ("failed", "an error of the program: ValueError")
    assert "ValueError at test_performing.py" in caplog.text
    assert "Emmy" not in caplog.text


@pytest.fixture
def _signals() -> Iterator[None]:
    """Signals that end this process raise SystemExit, as in a run."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, STOP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize(("is_cancelled", "state"), [(True, "cancelled"), (False, "waiting")])
def test_a_running_job_is_stopped(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool, state: str
) -> None:
    def act(task: Task) -> None:
        if is_cancelled:
            job_queue.cancel(task.database, task.job.number)
        else:
            signal.raise_signal(signal.SIGTERM)
        time.sleep(30)

    put(monkeypatch, act)
    monkeypatch.setattr(performing, "LOOK_SECONDS", 0.01)
    job = queued(small_hub)
    with pytest.raises(SystemExit):
        perform(small_hub.database, small_hub.settings, job)
    with small_hub.database.read() as transaction:
        assert job_queue.get(transaction, job.number).state == state


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize(("number", "is_worker"), [(signal.SIGTERM, False), (STOP, True)])
def test_a_job_that_another_program_stops_each_time_fails_with_a_sentence(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, is_worker: bool
) -> None:
    put(monkeypatch, lambda _: signal.raise_signal(number))
    job = queued(small_hub)
    for _ in range(ATTEMPTS_MAX - 1):
        with pytest.raises(SystemExit):
            perform(small_hub.database, small_hub.settings, job)
        job = leased(small_hub)
    with pytest.raises(SystemExit):
        perform(small_hub.database, small_hub.settings, job)
    again = job_queue.lease(small_hub.database, "w")
    with small_hub.database.read() as transaction:
        job = job_queue.get(transaction, job.number)
    if is_worker:
        assert (again, job.state, job.attempts) == (job, "running", 1)
    else:
        assert (again, job.state) == (None, "failed")
        assert job.message.startswith("its worker ended 5 times before the job did; look at memory and disk")


def test_pruning_drops_expired_data(hub: Hub, tmp_path: Path) -> None:
    hub.sync(world.FILES, days_on=-400)
    hub.connect(name="Reader")
    hub.sync(world.changed(("students.csv", "Emmy", "Emilia")), days_on=-300)
    gone = job_control.prune(hub.database, hub.settings)
    assert gone["versions"] > 0
    assert job_control.prune(hub.database, hub.settings) == {"versions": 0, "events": 0, "jobs": 0}
