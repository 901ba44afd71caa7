"""A desk on each database: of a district made from files, and of a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from tests.sharing.desk import CopyDesk, Desk


@pytest.fixture(params=["files", "clone"])
def desk(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Desk]:
    """The share of an application does not depend on where the roster came from."""
    if request.param == "files":
        with closing(Desk(database, tmp_path)) as opened:
            yield opened
        return
    folder = tmp_path / "origin"
    folder.mkdir()
    with closing(open_database(str(folder / "rollbook.db"))) as source:
        migrate(source)
        with closing(Desk(source, folder)) as origin, closing(CopyDesk(database, tmp_path, origin)) as opened:
            yield opened
