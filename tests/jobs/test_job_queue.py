"""The queue of jobs, on both databases: one job per lane at a time, leases that expire, and a fence that
stops an old worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from rollbook.errors import LeaseLost, Refused, Unknown
from rollbook.operations import job_control
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import ATTEMPTS_MAX, LEASE_SECONDS, Job, NewJob

PLAIN = dict(job_queue.NOW)


def add(database: Database, *lanes: str, subject: str = "") -> list[int]:
    with database.write() as transaction:
        return [
            job_queue.add(transaction, NewJob("sync", lane, subject or str(n)))
            for n, lane in enumerate(lanes)
        ]


def leased(database: Database, worker: str = "w") -> Job:
    job = job_queue.lease(database, worker)
    assert job
    return job


def state(database: Database, number: int) -> str:
    with database.read() as transaction:
        return job_queue.get(transaction, number).state


def end(database: Database, job: Job, name: str = "done") -> None:
    with database.write() as transaction:
        job_queue.finish(transaction, job, name)


def write_and_end(database: Database, job: Job) -> None:
    with database.write() as transaction:
        transaction.run("INSERT INTO facts (name, value) VALUES ('written', 'by the old worker')")
        job_queue.finish(transaction, job, "done")


def shift(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Set the database's clock forward or back."""
    for dialect, plain in PLAIN.items():
        monkeypatch.setitem(job_queue.NOW, dialect, f"{plain} + {seconds * 1000}")


def test_jobs_of_a_lane_run_one_at_a_time_and_lanes_beside_each_other(database: Database) -> None:
    first, second, other = add(database, "a", "a", "b")
    running = leased(database)
    assert (running.number, leased(database).number) == (first, other)
    assert job_queue.lease(database, "w") is None
    end(database, running)
    assert leased(database).number == second


@pytest.mark.parametrize("returns", [partial(job_queue.try_again, message="busy"), job_queue.give_back])
def test_a_job_that_comes_back_is_done_before_newer_ones_of_its_lane(
    database: Database, returns: Callable[[Database, Job], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the files of an older upload would replace those of a newer one."""
    first, second, other = add(database, "a", "a", "b")
    returns(database, leased(database))
    done = []
    for seconds in (1, job_queue.RETRY_SECONDS + 1):
        shift(monkeypatch, seconds)
        while job := job_queue.lease(database, "w"):
            done.append(job.number)
            end(database, job)
    assert sorted(done) == [first, second, other]
    assert done.index(first) < done.index(second)


def test_a_job_that_waits_already_is_not_added_again(database: Database) -> None:
    (first,) = add(database, "a")
    assert add(database, "a") == [first]
    leased(database)
    assert add(database, "a") != [first]


def test_a_lease_that_ran_out_is_given_anew_and_the_old_worker_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (number,) = add(database, "a")
    old = leased(database, "old")
    assert job_queue.lease(database, "new") is None
    shift(monkeypatch, LEASE_SECONDS + 1)
    new = leased(database, "new")
    assert (new.number, new.attempts) == (number, 2)
    with pytest.raises(LeaseLost):
        write_and_end(database, old)
    with pytest.raises(LeaseLost):
        job_queue.renew(database, old, "stage")
    with database.read() as transaction:
        assert transaction.row("SELECT 1 FROM facts WHERE name = 'written'") is None
    assert job_queue.renew(database, new, "stage") is False
    end(database, new)
    assert state(database, number) == "done"


@pytest.mark.parametrize("seconds", [-86_400, 86_400])
def test_a_clock_that_jumps_keeps_no_job_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    first, second = add(database, "a", "b")
    job_queue.try_again(database, leased(database), "busy")
    leased(database)
    shift(monkeypatch, seconds)
    assert {leased(database).number, leased(database).number} == {first, second}


def test_a_job_is_tried_again_later_and_fails_after_the_last_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (number,) = add(database, "a")
    for attempt in range(ATTEMPTS_MAX):
        shift(monkeypatch, attempt * 1000)
        job_queue.try_again(database, leased(database), "the disk is full")
        assert job_queue.lease(database, "w") is None
    with database.read() as transaction:
        job = job_queue.get(transaction, number)
    assert (job.state, job.message) == ("failed", f"the disk is full ({ATTEMPTS_MAX} attempts)")


def test_a_job_that_ends_its_worker_each_time_fails(database: Database) -> None:
    (number,) = add(database, "a")
    for _ in range(ATTEMPTS_MAX):
        leased(database, "w")
        job_queue.give_back_all(database, "w")
    assert job_queue.lease(database, "w") is None
    assert state(database, number) == "failed"


def test_a_job_that_is_stopped_with_its_worker_loses_no_attempt(database: Database) -> None:
    (number,) = add(database, "a")
    for _ in range(ATTEMPTS_MAX + 2):
        job = leased(database)
        job_queue.give_back(database, job)
    assert (state(database, number), job.attempts) == ("waiting", 1)


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(database: Database) -> None:
    waiting, running = add(database, "a", "b")
    assert job_queue.cancel(database, waiting).state == "cancelled"
    job = leased(database)
    job_queue.cancel(database, running)
    assert job_queue.renew(database, job, "stage") is True
    job_queue.give_back(database, job)
    assert state(database, running) == "cancelled"
    with pytest.raises(Refused, match="has ended already: it is cancelled"):
        job_queue.cancel(database, running)
    with pytest.raises(Unknown, match="no job 99"):
        job_queue.cancel(database, 99)


def test_a_full_queue_refuses_in_one_sentence(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "WAITING_MAX", 2)
    add(database, "a", "b")
    with pytest.raises(Refused, match="the queue is full: 2 jobs wait"):
        add(database, "c")


def test_many_workers_do_each_job_once_and_never_two_of_a_lane(database: Database) -> None:
    numbers = add(database, *(f"lane {number % 3}" for number in range(12)))
    running: dict[str, int] = {}
    done: list[int] = []
    wrong: list[str] = []
    left, tries = threading.Event(), 400

    def work(name: str) -> None:
        for _ in range(tries):
            if left.is_set():
                return
            job = job_queue.lease(database, name)
            if job is None:
                left.wait(0.005)
                continue
            if running.setdefault(job.lane, job.number) != job.number:
                wrong.append(job.lane)
            done.append(job.number)
            del running[job.lane]
            end(database, job)
            if len(done) == len(numbers):
                left.set()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(done), wrong) == (numbers, [])


def test_old_jobs_are_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add(database, "a", "b")
    end(database, leased(database))
    shift(monkeypatch, 3 * 86_400)
    with database.write() as transaction:
        assert (job_queue.forget(transaction, 4), job_queue.forget(transaction, 2)) == (0, 1)
        assert job_queue.counts(transaction) == {("sync", "waiting"): 1}


def test_pruning_is_queued_once_a_day(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job_control.queue_daily_pruning(database) is None
    districts.create(database, "Springfield")
    assert job_control.queue_daily_pruning(database) is None, "the district is new"
    shift(monkeypatch, 86_500)
    assert job_control.queue_daily_pruning(database) == 1
    end(database, leased(database))
    assert job_control.queue_daily_pruning(database) is None
    shift(monkeypatch, 2 * 86_500)
    assert job_control.queue_daily_pruning(database) == 2


def test_a_job_that_waits_for_another_server_holds_no_sync_back(database: Database) -> None:
    with database.write() as transaction:
        mail = job_queue.add(transaction, NewJob("deliver", job_queue.OUTGOING))
        sync = job_queue.add(transaction, NewJob("sync", "district 1"))
    sending = job_queue.lease(database, "w", outgoing=True)
    assert sending
    assert sending.number == mail
    with database.read() as transaction:
        assert not job_queue.is_due(transaction, outgoing=True)
        assert job_queue.is_due(transaction, outgoing=False)
    done = job_queue.lease(database, "w", outgoing=False)
    assert done
    assert done.number == sync
    assert job_queue.lease(database, "w", outgoing=False) is None
