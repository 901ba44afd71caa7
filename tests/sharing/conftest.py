"""A desk on each database: of a district made from files, and of a copy of it.

The small world is synced once for each of the four; a test begins with a copy of that database.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from tests.sharing.desk import CopyDesk, Desk, Reader
from tests.templates import Template


@pytest.fixture(params=["files", "clone"])
def origin(request: pytest.FixtureRequest) -> str:
    """The share of an application does not depend on where the roster came from."""
    return str(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_desk(origin: str, database: Database, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose district was not synced yet."""
    with ExitStack() as stack:
        yield _new_desk(stack, origin, database, tmp_path)


def _new_desk(stack: ExitStack, origin: str, database: Database, folder: Path) -> Desk:
    """A desk that is closed with the stack."""
    if origin == "files":
        return stack.enter_context(closing(Desk(database, folder)))
    (folder / "origin").mkdir()
    source = stack.enter_context(closing(open_database(str(folder / "origin" / "rollbook.db"))))
    migrate(source)
    first = stack.enter_context(closing(Desk(source, folder / "origin")))
    return stack.enter_context(closing(CopyDesk(database, folder, first)))


@dataclass(frozen=True)
class Filled:
    """A desk that holds the small world, and what copies of it are made of."""

    template: Template
    folder: Path
    desk: Desk
    reader: Reader | None


Fill = Callable[[str, str, bool], Filled]


@pytest.fixture(scope="session")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fill]:
    with ExitStack() as stack:

        @cache
        def made(origin: str, dialect: str, is_read: bool) -> Filled:
            folder = tmp_path_factory.mktemp("desk")
            server = request.getfixturevalue("postgresql_address") if dialect == "postgresql" else ""
            template = Template(folder, server)
            with ExitStack() as open_while_filled:
                address = stack.enter_context(template.filling())
                database = open_while_filled.enter_context(closing(open_database(address)))
                migrate(database)
                desk = _new_desk(open_while_filled, origin, database, folder)
                desk.sync()
                reader = desk.connect() if is_read else None
                if reader:
                    reader.listen()
            return Filled(template, folder, desk, reader)

        yield made


@pytest.fixture
def desk(
    request: pytest.FixtureRequest, origin: str, dialect: str, filled: Fill, tmp_path: Path
) -> Iterator[Desk]:
    """A desk of the small world, synced once; an application is connected if the test asks for `reader`."""
    made = filled(origin, dialect, "reader" in request.fixturenames)
    if (made.folder / "key").exists():  # a copy's desk has none before its first connection
        shutil.copy(made.folder / "key", tmp_path)
    with ExitStack() as stack:
        address = stack.enter_context(made.template.copy(tmp_path))
        database = stack.enter_context(closing(open_database(address)))
        if not isinstance(made.desk, CopyDesk):
            yield stack.enter_context(closing(Desk(database, tmp_path, made.desk)))
            return
        folder = Path(shutil.copytree(made.folder / "origin", tmp_path / "origin"))
        source = stack.enter_context(closing(open_database(str(folder / "rollbook.db"))))
        first = stack.enter_context(closing(Desk(source, folder, made.desk.origin)))
        yield stack.enter_context(closing(CopyDesk(database, tmp_path, first, made.desk)))


@pytest.fixture
def reader(origin: str, dialect: str, filled: Fill, desk: Desk) -> Reader:
    """An application that reads the desk's whole roster and its events."""
    made = filled(origin, dialect, True).reader
    assert made
    return replace(made, desk=desk)
