"""A sync that is broken at any of its steps leaves the whole old roster or the whole new one, and can go on.

Killed, with a full disk, with a read error, without its connection: on both databases, at every step that a real
run takes.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.domain.access import SECURE_SYNC
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Row, Transaction, Values
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.postgresql import PostgreSQLTransaction
from rollbook.store.engine.sqlite import SQLiteTransaction
from rollbook.store.records import commits, event_feed
from rollbook.store.records.commits import THIS_RUN, Outcome, Snapshot
from tests import world
from tests.journeys import breaking, program
from tests.journeys.breaking import Attempt, Night
from tests.journeys.hub import Hub
from tests.journeys.prepared import PreparedHubs

# A person comes, one goes, two change, and so does a school. Emmy is in the view that withholds birthdays, too.
CHANGED = world.changed(
    ("students.csv", "S,katherine,Johnson,Katherine,,5", "S,dorothy,Vaughan,Dorothy,,4"),
    ("students.csv", "Noether,Emmy,,11", "Noether,Emma,,12"),
    ("teachers.csv", "Ada,Lovelace", "Ada,King"),
    ("schools.csv", "North High", "North High School"),
    ("enrollments.csv", "N,homeroom,alan\n", ""),
)

FAULTS = {
    "sqlite": {"killed at a statement", "killed at a write", "disk full", "read error"},
    "postgresql": {"killed at a statement", "connection lost", "disk full", "read error", "answer lost"},
}
# A commit whose answer is lost is complete, which the next attempt finds out.
ENDS = {
    "sqlite": [("disk full", ""), ("again", "Busy"), ("read error", ""), ("again", "Busy")],
    "postgresql": [("answer lost", "MachineTrouble"), ("again", "Busy")],
}


class _Captured(BaseException):
    """Ends a sync whose commit was captured."""


def capture(hub: Hub, files: Mapping[str, str]) -> Night:
    """The commit with which a sync of these files would end."""
    taken: list[Night] = []

    def take(database: Any, district: District, before: Snapshot, outcome: Outcome, **more: Any) -> int:
        columns = {
            name: before.head + 1 if value is THIS_RUN else value for name, value in outcome.columns.items()
        }
        kept = hub.folder / "captured"
        kept.mkdir()
        more["changes"] = list(more["changes"])
        more["files"] = {name: Path(shutil.copy(path, kept)) for name, path in more["files"].items()}
        also = _recorded(database, more.pop("also"))
        taken.append(Night(district, before, replace(outcome, columns=columns), more, also))
        raise _Captured

    with pytest.MonkeyPatch.context() as patch, suppress(_Captured):
        patch.setattr(commits, "commit", take)
        hub.sync(files)
    return taken[0]


def _recorded(database: Any, also: Callable[[Transaction], None]) -> list[tuple[str, tuple[Any, ...]]]:
    """What a function writes, in a transaction that is undone."""
    calls: list[tuple[str, tuple[Any, ...]]] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in (SQLiteTransaction, PostgreSQLTransaction):

            def run(self: Any, sql: str, values: Values = (), plain: Any = kind.run) -> None:
                calls.append(("run", (sql, tuple(values))))
                plain(self, sql, values)

            def insert(
                self: Any, table: str, columns: str, rows: Iterable[Row], plain: Any = kind.insert
            ) -> None:
                held = list(rows)
                calls.append(("insert", (table, columns, held)))
                plain(self, table, columns, held)

            patch.setattr(kind, "run", run)
            patch.setattr(kind, "insert", insert)
        with suppress(_Captured), database.write() as transaction:
            also(transaction)
            raise _Captured
    return calls


def with_events(hub: Hub) -> None:
    """Sync the small world for two applications. One of them sees no birthdays."""
    hub.first = hub.sync(world.FILES)
    for number, withheld in enumerate(((), ("student.dob",))):
        made, _ = applications.create(hub.database, NewApplication(f"Events {number}"))
        view = sync.view_of(hub.database, hub.district, Spec(SECURE_SYNC, withheld=withheld), hub.settings)
        connections.connect(hub.database, Sealer(key_path(hub.settings)), made, hub.district, view)
        event_feed.switch(hub.database, made.number, on=True)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_sync_that_is_broken_at_any_step_leaves_the_old_roster_or_the_new_one(
    prepared_hubs: PreparedHubs, tmp_path: Path, dialect: str
) -> None:
    places = [tmp_path / name for name in ("broken", "reference")]
    for place in places:
        place.mkdir()
    with (
        prepared_hubs.copy(dialect, with_events, places[0]) as hub,
        prepared_hubs.copy(dialect, with_events, places[1]) as reference,
    ):
        night = capture(hub, CHANGED)
        addresses = [each.settings.database for each in (hub, reference)]
        for each in (hub, reference):
            each.database.close()
        found = breaking.attempts(night, tmp_path, *addresses)
    assert {each.left for each in found} == {"old", "new"}
    # Each series of one process ends with a complete commit, which cannot be repeated.
    complete = [(each.fault, each.error) for each in found if each.left == "new" and each.error != "killed"]
    assert complete == ENDS[dialect]
    told = [each for each in found if each.error not in ("", "killed", "Busy")]
    assert [each for each in told if not is_one_sentence(each)] == []
    steps = {each.fault: each.step for each in found}
    assert steps.keys() == {*FAULTS[dialect], "again"}
    assert min(steps[fault] for fault in FAULTS[dialect] if fault != "answer lost") >= 30, steps


def is_one_sentence(attempt: Attempt) -> bool:
    return (
        attempt.error == "MachineTrouble"
        and attempt.said.startswith("database: ")
        and attempt.said.isprintable()
    )


def test_a_disk_that_is_full_is_told_in_one_sentence(prepared_hubs: PreparedHubs, tmp_path: Path) -> None:
    """The limit of a file's size is a full disk of one process."""
    with prepared_hubs.copy("sqlite", with_events, tmp_path) as hub:
        files = world.write(tmp_path / "changed", CHANGED)
        ended = subprocess.run(
            [*program.PROGRAM, "sync", hub.district.name, str(files), "--approve"],
            env=program.environment(database=hub.settings.database, key_file=hub.settings.key_file),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended
        assert "nothing was written" in ended.stderr
        assert (hub.first.number, hub.sync(CHANGED).number) == (1, 2)
