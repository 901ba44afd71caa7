"""A killed sync leaves the whole old roster or the whole new one; on both databases.

Real processes are killed by SIGKILL: at times spread over the whole run, and at steps spread over all writes,
also in the middle of a statement's rows. `test_broken_sync` breaks the commit alone, at every step.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rollbook.synthetic import writer
from tests.journeys import program
from tests.journeys.canonical import Lists, canonical
from tests.journeys.hub import Client, Hub

# The program, which kills itself at the nth step of its writes; a step is a statement, or a hundred rows of
# one.
DYING = """
import os, signal, sys
from itertools import count
from rollbook.store.engine.postgresql import PostgreSQLTransaction
from rollbook.store.engine.sqlite import SQLiteTransaction

steps, last = count(1), int(os.environ["LAST_STEP"])

def step():
    if next(steps) == last:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(rows):
    for number, row in enumerate(rows):
        if number % 100 == 99:
            step()
        yield row

for kind in (SQLiteTransaction, PostgreSQLTransaction):
    def run(self, sql, values=(), plain=kind.run):
        step()
        plain(self, sql, values)

    def insert(self, table, columns, rows, plain=kind.insert):
        step()
        plain(self, table, columns, counted(rows))

    kind.run, kind.insert = run, insert

from rollbook.cli import main
try:
    main()
finally:
    print("steps", next(steps) - 1)
"""


class Story:
    """A district that alternates between two rosters, read through the API after each attempt."""

    def __init__(self, hub: Hub, address: str) -> None:
        self.hub, self.address = hub, address
        self.files = {name: hub.folder / name for name in ("old", "new")}
        for day, folder in zip((0, 365), self.files.values(), strict=True):
            writer.write(folder, students=120, seed=5, day=day)
        hub.sync(self.files["old"])
        self.reader: Client = hub.client(hub.connect())
        self.last = self._read()
        self.wholes = {"old": self._told(self.last)}
        self.state = "old"

    def _read(self) -> Lists:
        return self.reader.everything(one_user_in=15)

    def sizes(self) -> dict[str, int]:
        """How many rows each table has that a sync writes."""
        tables = ("records", "versions", "syncs", "snapshots", "events", "views", "districts")
        with self.hub.database.read() as transaction:
            found = {table: transaction.row(f"SELECT count(*) FROM {table}") for table in tables}
        return {table: row[0] for table, row in found.items() if row}

    def _told(self, lists: Lists) -> dict[str, list[str]]:
        return {path: records for path, records in canonical(lists).items() if path != "/v3.0/districts"}

    @property
    def target(self) -> str:
        return "new" if self.state == "old" else "old"

    def command(self) -> list[str]:
        return [
            "sync",
            self.hub.district.name,
            str(self.files[self.target]),
            "--approve",
            "--database",
            self.address,
        ]

    def finish(self) -> tuple[float, int]:
        """Sync to the end; returns how long it took, and its steps."""
        began = time.monotonic()
        outcome = self._start(self.command(), last_step=0)
        printed, _ = outcome.communicate(timeout=program.TIMEOUT_SECONDS)
        assert outcome.returncode == 0, printed
        self.state, self.last = self.target, self._read()
        told = self._told(self.last)
        assert self.wholes.setdefault(self.state, told) == told
        return time.monotonic() - began, int(printed.split()[-1])

    def _start(self, arguments: list[str], last_step: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", DYING, *arguments],
            cwd=self.hub.folder,
            env={**program.environment(key_file=self.hub.settings.key_file), "LAST_STEP": str(last_step)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def attempt(self, *, seconds: float | None = None, last_step: int = 0) -> bool:
        """Sync until killed after some seconds, or at a step; returns whether the new roster is there, which
        must be whole then."""
        process = self._start(self.command(), last_step)
        try:
            process.communicate(timeout=seconds or program.TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        after = self._read()
        if after == self.last:
            return False
        assert self._told(after) == self.wholes[self.target]
        self.state, self.last = self.target, after
        return True


@pytest.fixture
def story(hub: Hub, database_address: str) -> Story:
    return Story(hub, database_address)


def test_a_killed_sync_leaves_the_old_roster_or_the_new_one(story: Story) -> None:
    story.finish()
    seconds, steps = story.finish()
    sizes = story.sizes()
    for step in (1, steps // 2, steps):
        # No step is after the commit: a sync killed at any of them has changed nothing, and left nothing
        # behind.
        assert not story.attempt(last_step=step)
        assert story.sizes() == sizes
    for part in (0.5, 0.75, 0.9):
        story.attempt(seconds=seconds * part)
    # The next sync works, whatever was left behind.
    story.finish()
