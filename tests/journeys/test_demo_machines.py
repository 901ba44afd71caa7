"""Two machines with folders of their own move one demo on, over one PostgreSQL: no day passes twice."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rollbook import settings as setting_rows
from rollbook.demo import advance as moves
from rollbook.demo import build, published
from rollbook.demo.advance import advance
from rollbook.errors import Busy
from rollbook.operations import backing_up
from rollbook.settings import Settings
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state
from rollbook.store.engine.database import open_database
from rollbook.synthetic import writer

STUDENTS = 60
Machine = tuple[Path, Settings]


@pytest.fixture
def machines(database_address: str, tmp_path: Path) -> list[Machine]:
    """A demo that was copied into PostgreSQL, and two machines with the same key."""
    made = tmp_path / "made"
    build.prepare(made, "#DEMO Elm", STUDENTS, 1, "http://127.0.0.1:8400")
    backing_up.copy_database(str(made / "rollbook.db"), database_address)
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        key = shutil.copy(made / "rollbook.db.key", folder / "key")
        found.append((folder, setting_rows.read({}, database=database_address, key_file=str(key))))
    return found


def days(machine: Machine) -> list[int]:
    """The day after each run of the demo's district, oldest first."""
    with closing(open_database(machine[1].database)) as database, database.read() as transaction:
        access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        assert access
        told = demo_state.moves(transaction, access, 99)
    return [run.after.day for run in reversed(told) if run.after]


@pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
def test_machines_that_take_turns_or_come_at_once_pass_each_day_once(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    for machine in (one, two):
        advance(machine[0], "1", machine[1])
    assert days(one) == [0, 1, 2]

    def meanwhile(*arguments: Any, **more: Any) -> Any:
        """The other machine passes the same night, between this one's look at the day and its sync."""
        monkeypatch.undo()
        advance(two[0], "1", two[1])
        return writer.write(*arguments, **more)

    monkeypatch.setattr(moves, "writer", SimpleNamespace(write=meanwhile))
    with pytest.raises(Busy, match="moved by another machine"):
        advance(one[0], "1", one[1])
    assert days(one) == [0, 1, 2, 3]
    advance(one[0], "1", one[1])
    assert days(two) == [0, 1, 2, 3, 4]
