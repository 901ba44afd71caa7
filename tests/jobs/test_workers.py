"""Real workers: processes that do jobs, are killed, and are stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from rollbook.jobs.workers import Worker
from rollbook.operations import job_control
from rollbook.store.records import commits
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import Job
from tests import world
from tests.journeys import program
from tests.journeys.hub import Hub


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + program.TIMEOUT_SECONDS
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def job(hub: Hub, number: int) -> Job:
    with hub.database.read() as transaction:
        return job_queue.get(transaction, number)


def test_the_job_of_a_killed_process_begins_anew_and_is_done_once(hub: Hub) -> None:
    number = job_control.queue_sync(hub.database, "Springfield", world.write(hub.folder / "files"))
    worker = Worker(hub.database, hub.settings, 1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: job(hub, number).state != "waiting")
    os.kill(worker._started[0].process.pid, signal.SIGKILL)
    until(lambda: job(hub, number).state == "done")
    worker.end()
    thread.join()
    assert job(hub, number).attempts == 2
    assert [run.state for run in commits.runs(hub.database, hub.district)] == ["committed"]


def test_a_stopped_worker_gives_its_job_back_without_an_attempt(
    small_hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    source = world.write(small_hub.folder / "files")
    number = job_control.queue_sync(small_hub.database, "Springfield", source)
    worker = Worker(small_hub.database, small_hub.settings, 1)
    worker.look()
    until(lambda: job(small_hub, number).state != "waiting")
    worker.end()
    assert (job(small_hub, number).state, job(small_hub, number).attempts) == ("waiting", 0)
    assert "Traceback" not in capfd.readouterr().err
