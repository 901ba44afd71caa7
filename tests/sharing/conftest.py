"""A desk on each database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.store.database import Database
from tests.sharing.desk import Desk


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(database, tmp_path)) as opened:
        yield opened
