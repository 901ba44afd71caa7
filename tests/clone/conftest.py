"""Fixtures of the clone tests: a small district on a stub, a database for the copy, and a clock that does not
run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollbook import settings as setting_rows
from rollbook.clone import copy
from rollbook.settings import Settings
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.sync import Sync
from tests.clone.stub import TOKEN, Stub, serving, springfield

Copy = Callable[..., Sync]


@pytest.fixture
def source() -> Iterator[Stub]:
    with serving(springfield()) as stub:
        yield stub


@pytest.fixture
def waits() -> list[float]:
    """How many seconds a clone would have waited."""
    return []


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return setting_rows.read({}, temporary=str(tmp_path))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """For tests that do not depend on the database."""
    opened = open_database(str(tmp_path / "copy.db"))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def clone(sqlite: Database, source: Stub, settings: Settings, waits: list[float]) -> Copy:
    def run(address: str = "", token: str = TOKEN, into: Database = sqlite, **options: object) -> Sync:
        return copy.run(into, address or source.address, token, settings, wait=waits.append, **options)  # type: ignore[arg-type]

    return run
