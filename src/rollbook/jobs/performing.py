"""Do one job: call its kind's function under a lease that a thread renews.

The function ends the job in the same transaction as its own writes. After a passing error the job waits for
another attempt; all other errors end it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rollbook.errors import Busy, LeaseLost, MachineTrouble, RollbookError, SourceRejected
from rollbook.jobs.stopping import is_by_worker
from rollbook.operations import (
    daily_backups,
    delivering,
    drop_folders,
    happenings,
    job_control,
    run_decisions,
)
from rollbook.settings import Settings
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import LEASE_SECONDS, Job
from rollbook.sync import How

# How often to check whether a job must end, and how often to renew its lease.
LOOK_SECONDS, RENEW_SECONDS = 1.0, LEASE_SECONDS / 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A leased job and what it needs; `tell` notes its stage."""

    database: Database
    settings: Settings
    job: Job
    tell: Callable[[str], None]


def perform(database: Database, settings: Settings, job: Job) -> None:
    """Do one leased job to its end. A signal gives the job back to the queue."""
    with _Lease(database, job) as lease:
        try:
            KINDS[job.kind](Task(database, settings, job, lease.tell))
        except LeaseLost as error:
            _log.warning("%s", error)
        except (Busy, MachineTrouble) as trouble:
            _settle(partial(job_queue.try_again, database, job, str(trouble)))
        except RollbookError as error:
            _settle(partial(_end, database, job, "failed", str(error)))
        except MemoryError:
            _settle(partial(job_queue.try_again, database, job, "memory was not sufficient"))
        except (SystemExit, KeyboardInterrupt) as end:
            _settle(partial(job_queue.give_back, database, job, died=not is_by_worker(end)))
            raise
        except Exception as error:
            # The error's text may contain a cell of the files, so the log has only the place in the code.
            _log.error(
                "job %d (%s) ended by an error of the program: %s", job.number, job.kind, _place(error)
            )
            _settle(
                partial(_end, database, job, "failed", f"an error of the program: {type(error).__name__}")
            )


def _settle(act: Callable[[], None]) -> None:
    """Note how a job ended. If that fails, its lease expires by itself, and the job starts again."""
    try:
        act()
    except RollbookError as error:
        _log.warning("the end of a job could not be noted: %s", error)


def _end(database: Database, job: Job, state: str, message: str = "") -> None:
    with database.write() as transaction:
        job_queue.finish(transaction, job, state, message=message)


def _place(error: BaseException) -> str:
    """Where in the code an error was raised, without its text."""
    trace: TracebackType | None = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    where = f"{Path(code.co_filename).name}:{trace.tb_lineno}" if code and trace else "?"
    return f"{type(error).__name__} at {where}"


class _Lease:
    """Keeps a job's lease with a thread, and ends this process if the job must end."""

    def __init__(self, database: Database, job: Job) -> None:
        self._database, self._job, self._stage = database, job, "beginning"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of job {job.number}", daemon=True)

    def tell(self, stage: str) -> None:
        """Note the stage. The thread writes it, so the job never waits for that."""
        self._stage = stage

    def _keep(self) -> None:
        told, age = "", 0.0
        while not self._over.wait(LOOK_SECONDS):
            age += LOOK_SECONDS
            try:
                if not self._is_running():
                    return
                if self._stage != told or age >= RENEW_SECONDS:
                    told, age = self._stage, 0.0
                    job_queue.renew(self._database, self._job, told)
            except (
                RollbookError
            ):  # another writer is active, or the database is away: the next check tries again
                told = ""

    def _is_running(self) -> bool:
        """Whether the job still runs; False if it has just ended.

        If another worker has taken the job over, this process ends.
        """
        with self._database.read() as transaction:
            now = job_queue.get(transaction, self._job.number)
        is_own = now.fence == self._job.fence
        if is_own and now.state == "running" and not now.wants_end:
            return True
        if not is_own or (now.wants_end and now.state == "running"):
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


# Kinds -----------------------------------------------------------------------------------------------------


def _sync(task: Task) -> None:
    """Sync a district's files, in one transaction with the end of the job."""

    def note(transaction: Transaction, _: int, run: int) -> None:
        job_queue.finish(transaction, task.job, "done", run=run)

    try:
        done = run_decisions.sync_files(
            task.database,
            task.settings,
            task.job.district_id,
            drop_folders.source_of(Path(task.job.subject)),
            How(note=note),
            progress=task.tell,
        )
    except SourceRejected as error:
        if error.noted is None:
            raise
        _log.info("job %d: the files of %s cannot be used", task.job.number, task.job.district)
    else:
        _log.info("job %d: sync %s of %s is %s", task.job.number, done.number, task.job.district, done.state)


def _prune(task: Task) -> None:
    task.tell("dropping what is kept no longer")
    gone = job_control.prune(task.database, task.settings)
    _end(task.database, task.job, "done", ", ".join(f"{number:,} {what}" for what, number in gone.items()))


def _backup(task: Task) -> None:
    task.tell("writing the backup")
    kept, count = daily_backups.make(task.database, task.job.created)
    told = f"{kept.path}: {kept.manifest.rows:,} rows, {kept.bytes / 1e6:,.1f} MB; {count} backups are kept"
    _end(task.database, task.job, "done", told)


def _deliver(task: Task) -> None:
    task.tell("sending mail and calling webhooks")
    happenings.collect(task.database)
    count = delivering.deliver(task.database, task.settings)
    _end(task.database, task.job, "done", ", ".join(f"{number:,} {state}" for state, number in count.items()))


KINDS: Final[Mapping[str, Callable[[Task], None]]] = {
    job_control.SYNC: _sync,
    job_control.PRUNE: _prune,
    daily_backups.BACKUP: _backup,
    happenings.DELIVER: _deliver,
}
