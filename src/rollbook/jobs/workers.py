"""Workers: they look for due jobs, and start processes that do them."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from rollbook import settings as setting_rows
from rollbook.errors import MachineTrouble, Refused, RollbookError
from rollbook.jobs.stopping import STOP
from rollbook.operations import daily_backups, drop_folders, happenings, job_control
from rollbook.settings import PREFIX, Settings
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database, open_database
from rollbook.store.work import job_queue

LOOK_SECONDS, WATCH_SECONDS = 0.5, 5.0
# How long a process may take to end after a signal before it is killed.
END_SECONDS = 8.0

# What a worker looks at from time to time. Each may find the queue full, and none waits for another.
WATCHED: Final[tuple[Callable[[Database], object], ...]] = (
    job_control.queue_daily_pruning,
    daily_backups.queue_due,
    drop_folders.watch,
    happenings.queue_due,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Started:
    """A process that does jobs, and the name under which it leases them."""

    name: str
    process: subprocess.Popen[bytes]
    is_outgoing: bool


class Worker:
    """Starts processes while jobs are due, up to a maximum, and gives back the jobs of processes that
    died.

    One more process does the jobs that wait for other servers: a mail server that hangs delays no sync.
    """

    def __init__(self, database: Database, settings: Settings, processes: int) -> None:
        self._database, self._processes = database, processes
        self._environment = {
            **os.environ,
            **{PREFIX + name.upper(): str(getattr(settings, name)) for name in setting_rows.names()},
        }
        self._started: list[_Started] = []
        self._ended = threading.Event()
        self._watches_at, self._told = 0.0, ""

    def run(self, *, until_idle: bool = False) -> None:
        """Work until stopped. `until_idle`: until no job is due and none of its own runs."""
        while not self._ended.wait(0 if until_idle and not self._started else LOOK_SECONDS):
            is_due = self.look()
            if until_idle and not is_due and not self._started:
                return

    def look(self) -> bool:
        """Start a process if a job is due; returns whether one is due."""
        try:
            self._reap()
            with self._database.read() as transaction:
                schema = migrations.schema(transaction)
            if schema.needed > schema.known:
                self._say(
                    f"a later version of Rollbook changed the database (schema {schema.last}; this one knows"
                    f" {schema.known}): restart the worker with that version"
                )
                return False
            self._watch()
            with self._database.read() as transaction:
                due = {kind: job_queue.is_due(transaction, outgoing=kind) for kind in (False, True)}
        except RollbookError as error:
            _log.warning("the worker cannot look for jobs: %s", error)
            time.sleep(LOOK_SECONDS)
            return False
        for kind, most in ((False, self._processes), (True, 1)):
            if due[kind] and sum(each.is_outgoing is kind for each in self._started) < most:
                self._start(is_outgoing=kind)
        return any(due.values())

    def _watch(self) -> None:
        """Look at the drop folders from time to time, and queue what is due each day. Trouble stops nothing else."""
        if time.monotonic() < self._watches_at:
            return
        self._watches_at = time.monotonic() + WATCH_SECONDS
        troubles = []
        for act in WATCHED:
            try:
                act(self._database)
            except (MachineTrouble, Refused) as trouble:
                troubles.append(str(trouble))
        self._say("; ".join(troubles))

    def _say(self, trouble: str) -> None:
        """Log a trouble once, until there is another one or none."""
        if trouble and trouble != self._told:
            _log.warning("%s", trouble)
        self._told = trouble

    def _start(self, *, is_outgoing: bool) -> None:
        name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
        command = [sys.executable, "-m", "rollbook.jobs.job_process", name]
        command += [job_queue.OUTGOING] if is_outgoing else []
        # In its own session, Ctrl+C at the terminal reaches only this process, which then ends the other one.
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=self._environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._started.append(_Started(name, process, is_outgoing))

    def _reap(self, *, died: bool = True) -> None:
        for started in [each for each in self._started if each.process.poll() is not None]:
            if started.process.returncode:
                # Its jobs need not wait until the leases expire.
                job_queue.give_back_all(self._database, started.name, died=died)
            self._started.remove(started)

    def end(self) -> None:
        """End all processes; their jobs wait for the next worker."""
        self._ended.set()
        for started in self._started:
            started.process.send_signal(STOP)
        until = time.monotonic() + END_SECONDS
        for started in self._started:
            try:
                started.process.wait(max(until - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()
        try:
            self._reap(died=False)
        except RollbookError as error:
            _log.warning("the leases of ended jobs stay until they run out: %s", error)


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """A worker in a thread beside a server, until the end of the block."""
    database = open_database(settings.database, may_make=False)
    worker = Worker(database, settings, settings.job_processes)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.end()
        thread.join(END_SECONDS)
        database.close()
