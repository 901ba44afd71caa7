"""Fixtures that all tests share: a database of each kind, and the small world."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from tests import demos, log_sweep, longest_first, machine, memory_folder, sso
from tests.journeys import town as town_files
from tests.journeys.hub import Client, Hub
from tests.journeys.oracle import Roster, read_roster
from tests.journeys.prepared import PreparedHubs, on_each_database, with_small_world
from tests.postgres import server_address
from tests.templates import Template

memory_folder.use()
# A slow machine is not a failure. Examples are the same in every run, so that a failure can be reproduced.
settings.register_profile(
    "rollbook", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("rollbook")

log_sweep.listen()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        machine.need(*marker.args, **marker.kwargs)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """A log that tells a secret or a person fails the test after which it was found."""
    if told := log_sweep.taken():
        pytest.fail("what was logged tells too much: " + "; ".join(told), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, nor among the collected tests while they run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
        items[:] = longest_first.ordered(items, lambda item: item.path.name, processes)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Save what was measured: xdist kills a test process that takes 10 seconds to end, as on a busy machine.

    What was collected goes now: an engine that finds its functions in use at the end complains.
    """
    gc.unfreeze()
    if (measuring := sys.modules.get("coverage")) and (measured := measuring.Coverage.current()):
        measured.save()


@pytest.fixture(scope="session")
def postgresql_address() -> str:
    """A real PostgreSQL for this test run, from a PyPI package, without root."""
    return server_address()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without a table; every test that asks for one runs on both."""
    if request.param == "sqlite":
        yield str(tmp_path / "rollbook.db")
        return
    with _postgresql_database(request.getfixturevalue("postgresql_address")) as address:
        yield address


@pytest.fixture(scope="session")
def empty_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Template]]:
    """An empty database with the current schema of each kind, made once; tests begin with a copy."""
    with ExitStack() as stack:

        @cache
        def made(dialect: str) -> Template:
            server = request.getfixturevalue("postgresql_address") if dialect == "postgresql" else ""
            template = Template(tmp_path_factory.mktemp("empty"), server)
            with closing(open_database(stack.enter_context(template.filling()))) as opened:
                migrate(opened)
            return template

        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_address(
    request: pytest.FixtureRequest, empty_databases: Callable[[str], Template], tmp_path: Path
) -> Iterator[str]:
    """The address of an empty database with the current schema; every test that asks for one runs on both."""
    with empty_databases(request.param).copy(tmp_path) as address:
        yield address


@contextmanager
def _postgresql_database(server: str) -> Iterator[str]:
    # A schema works like a database; one without tables takes a tenth of the time to make.
    name = f"test_{uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    # A transaction that was left open fails the test here, and does not block it for ever.
    yield f"{server}&options=-csearch_path%3D{name}%20-clock_timeout%3D60s"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '60s'")
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


@pytest.fixture
def database(database_address: str) -> Iterator[Database]:
    """An empty database with the current schema."""
    with closing(open_database(database_address)) as opened:
        yield opened


@pytest.fixture
def hub(database: Database, database_address: str, tmp_path: Path) -> Iterator[Hub]:
    """A server with a district that has not been synced yet."""
    with closing(Hub(database, database_address, tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="session")
def prepared_hubs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PreparedHubs]:
    """Hubs that are prepared once, and copied for each test."""

    def server() -> str:
        return str(request.getfixturevalue("postgresql_address"))

    with closing(PreparedHubs(lambda: tmp_path_factory.mktemp("prepared"), server)) as hubs:
        yield hubs


# A server that was synced once, with the small world; on each database.
synced_hub = on_each_database(with_small_world)


@pytest.fixture
def small_synced_hub(prepared_hubs: PreparedHubs, tmp_path: Path) -> Iterator[Hub]:
    """A server that was synced once, with the small world, on SQLite alone."""
    with prepared_hubs.copy("sqlite", with_small_world, tmp_path) as hub:
        yield hub


@pytest.fixture
def small_database(empty_databases: Callable[[str], Template], tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database, for tests of SQLite alone."""
    with empty_databases("sqlite").copy(tmp_path) as address, closing(open_database(address)) as opened:
        yield opened


@pytest.fixture
def small_hub(small_database: Database, tmp_path: Path) -> Iterator[Hub]:
    """A hub on SQLite alone, for tests of the engine, before any database is written."""
    with closing(Hub(small_database, str(tmp_path / "rollbook.db"), tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database_address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of an empty database that a whole module's tests share."""
    if request.param == "sqlite":
        yield str(tmp_path_factory.mktemp("database") / "rollbook.db")
        return
    with _postgresql_database(request.getfixturevalue("postgresql_address")) as address:
        yield address


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A server with an invented district of 60 students, synced once, that tests only read; on each
    database."""
    folder = tmp_path_factory.mktemp("town")
    town_files.write(folder / "files")
    with ExitStack() as stack:
        if request.param == "sqlite":
            address = str(folder / "rollbook.db")
        else:
            address = stack.enter_context(_postgresql_database(request.getfixturevalue("postgresql_address")))
        database = stack.enter_context(closing(open_database(address)))
        migrate(database)
        opened = stack.enter_context(closing(Hub(database, address, folder)))
        opened.sync(folder / "files")
        yield opened


@pytest.fixture(scope="session")
def made_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo on its first day, made once. Tests copy its folder, and leave this one as it is."""
    return demos.make(tmp_path_factory.mktemp("made") / "demo")


@pytest.fixture(scope="session")
def token(town: Hub) -> str:
    """The district token with which an application reads the town."""
    return town.connect(name="Reader")


@pytest.fixture(scope="session")
def reader(town: Hub, token: str) -> Client:
    """A client with the token."""
    return town.client(token)


@pytest.fixture(scope="session")
def stranger(town: Hub) -> Client:
    """A client of the town without a token."""
    return town.client()


@pytest.fixture(scope="session")
def town_in_json(town: Hub, token: str) -> Client:
    """A client of the town where unknown paths answer JSON."""
    return town.client(token, wrong_token="json")


@pytest.fixture(scope="session")
def roster(town: Hub, reader: Client) -> Roster:
    """The town's records, as its whole lists show them."""
    return read_roster(reader, town.folder / "files" / "resources.csv")


@pytest.fixture(scope="session")
def made_sso_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Template, sso.World]]]:
    """The world in which people sign in, made once on each database, and what copies of it are made of."""
    with ExitStack() as stack:

        @cache
        def made(dialect: str) -> tuple[Template, sso.World]:
            server = request.getfixturevalue("postgresql_address") if dialect == "postgresql" else ""
            folder = tmp_path_factory.mktemp("sso")
            template = Template(tmp_path_factory.mktemp("sso_template"), server)
            address = stack.enter_context(template.filling())
            with closing(open_database(address)) as opened:
                migrate(opened)
                return template, sso.build(opened, address, folder)

        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sso_world(
    request: pytest.FixtureRequest,
    made_sso_world: Callable[[str], tuple[Template, sso.World]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[sso.World]:
    """The world in which people sign in: a copy for each test module, on each database."""
    template, made = made_sso_world(request.param)
    folder = shutil.copytree(made.folder, tmp_path_factory.mktemp("sso"), dirs_exist_ok=True)
    with (
        template.copy(folder) as address,
        closing(open_database(address)) as opened,
        closing(made.copied(opened, address, folder)) as world,
    ):
        yield world
