"""Hubs that are prepared once in a test process, and copied for each test that begins with what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from tests import world
from tests.journeys.hub import Hub
from tests.templates import Template

Prepare = Callable[[Hub], None]


def with_small_world(hub: Hub) -> None:
    """Sync the small world."""
    hub.first = hub.sync(world.FILES)


def on_each_database(prepare: Prepare) -> Any:
    """A fixture: a copy of the hub that this function prepared; each test runs on both databases."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def copied(request: pytest.FixtureRequest, prepared_hubs: PreparedHubs, tmp_path: Path) -> Iterator[Hub]:
        with prepared_hubs.copy(request.param, prepare, tmp_path) as hub:
            yield hub

    return copied


class PreparedHubs:
    """The hubs of a test process. `server` gives the address of the tests' PostgreSQL, `new_folder` a folder."""

    def __init__(self, new_folder: Callable[[], Path], server: Callable[[], str]) -> None:
        self._new_folder, self._server = new_folder, server
        self._made: dict[tuple[str, Prepare], tuple[Template, Hub]] = {}
        self._held = ExitStack()

    @contextmanager
    def copy(self, dialect: str, prepare: Prepare, folder: Path) -> Iterator[Hub]:
        """A copy of the hub that this function prepared, in a test's folder."""
        if (dialect, prepare) not in self._made:
            self._made[dialect, prepare] = self._new(dialect, prepare)
        template, like = self._made[dialect, prepare]
        for path in like.folder.iterdir():
            if path.is_dir():
                shutil.copytree(path, folder / path.name)  # its files
            elif path.name == "key":
                shutil.copy(path, folder)
        with (
            template.copy(folder) as address,
            closing(open_database(address)) as database,
            closing(Hub(database, address, folder, like=like)) as hub,
        ):
            if hasattr(like, "first"):
                hub.first = like.first
            yield hub

    def _new(self, dialect: str, prepare: Prepare) -> tuple[Template, Hub]:
        folder = self._new_folder()
        template = Template(folder, self._server() if dialect == "postgresql" else "")
        address = self._held.enter_context(template.filling())
        with closing(open_database(address)) as database:
            migrate(database)
            hub = Hub(database, address, folder)
            prepare(hub)
            hub.close()
        return template, hub

    def close(self) -> None:
        self._held.close()
