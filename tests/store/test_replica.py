"""Reads on a streaming replica: a real one, made by pg_basebackup, that lags, and goes away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from rollbook.errors import BadSetting
from rollbook.store.engine import loop_sessions
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.loop_sessions import Session, Statement
from rollbook.store.engine.migrations import migrate
from tests import world
from tests.journeys.hub import Client, Hub
from tests.postgres import PROGRAM

PATIENCE_SECONDS = 60
ON_REPLICA = pytest.mark.parametrize("module_database_address", ["postgresql"], indirect=True)


@pytest.fixture(scope="module")
def replica(module_database_address: str) -> Iterator[str]:
    """The address of a streaming replica of the tests' server."""
    [primary] = parse_qs(urlsplit(module_database_address).query)["host"]
    owner = Path(primary).stat()
    as_owner: dict[str, Any] = (
        {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()} if os.getuid() == 0 else {}
    )
    folder = Path(tempfile.mkdtemp(prefix="rollbook-replica-"))
    os.chown(folder, owner.st_uid, owner.st_gid)
    copying: list[str | Path] = [
        PROGRAM.with_name("pg_basebackup"),
        "-D",
        folder / "data",
        "-h",
        primary,
        "-U",
        "postgres",
    ]
    subprocess.run([*copying, "-R", "-c", "fast"], check=True, capture_output=True, cwd="/", **as_owner)
    serving: list[str | Path] = [PROGRAM, "-D", folder / "data", "-k", folder, "-h", ""]
    log = (folder / "log").open("wb")
    running = subprocess.Popen(serving, stdout=log, stderr=log, cwd="/", **as_owner)
    try:
        address = module_database_address.replace(f"host={primary}", f"host={folder}")
        _until(lambda: _is_up(address))
        yield address
    finally:
        running.terminate()
        running.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _is_up(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The socket folders of the servers that gave pages."""
    seen: list[str] = []
    send = Session.send

    def noted(session: Session, statements: list[Statement]) -> Any:
        if any(b" records " in sql for sql, _ in statements):
            seen.append(session._opened.info.host)
        return send(session, statements)

    monkeypatch.setattr(Session, "send", noted)
    return seen


def _do(address: str, sql: str) -> Any:
    with psycopg.connect(address, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchone()


def _shown(reader: Client) -> list[str]:
    return [each["data"]["name"]["first"] for each in reader.read("/v3.0/users?limit=3&role=student")["data"]]


@ON_REPLICA
def test_pages_come_from_a_replica_unless_it_is_behind(
    module_database_address: str,
    replica: str,
    places: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_sessions, "REST_SECONDS", 0.0)
    folder = parse_qs(urlsplit(replica).query)["host"][0]
    with closing(open_database(module_database_address)) as database:
        database.read_from(replica)
        migrate(database)
        with closing(Hub(database, module_database_address, tmp_path)) as hub:
            hub.sync(world.FILES)
            token = hub.connect()
            reader = hub.client(token, page_cache_bytes=0)
            before = _shown(reader)

            def is_from_replica() -> bool:
                places.clear()
                assert _shown(reader) == before
                return places[-1] == folder

            _until(is_from_replica)
            assert is_from_replica()

            _do(replica, "SELECT pg_wal_replay_pause()")
            changed = world.FILES["students.csv"].replace(before[0], "Renamed")
            hub.sync({**world.FILES, "students.csv": changed})
            after = _shown(reader)
            assert after != before
            assert places[-1] != folder
            assert [_shown(reader) for _ in range(3)] == [after] * 3

            _end(database)
            assert reader.get("/v3.0/users?limit=3").status_code == 401
            _do(replica, "SELECT pg_wal_replay_resume()")
            _until(
                lambda: _do(replica, "SELECT count(*) FROM connections WHERE token_hash = 'ended'") == (1,)
            )
            assert reader.get("/v3.0/users?limit=3").status_code == 401


def _end(database: Database) -> None:
    with database.write() as transaction:
        transaction.run("UPDATE connections SET token_hash = 'ended'")


@ON_REPLICA
def test_pages_come_from_the_primary_while_the_replica_is_away(
    module_database_address: str, tmp_path: Path
) -> None:
    with closing(open_database(module_database_address)) as database:
        database.read_from("postgresql://postgres@/postgres?host=/nowhere")
        migrate(database)
        with closing(Hub(database, module_database_address, tmp_path, district="Shelbyville")) as hub:
            hub.sync(world.FILES)
            reader = hub.client(hub.connect(), page_cache_bytes=0)
            assert len({tuple(_shown(reader)) for _ in range(5)}) == 1


def test_a_file_has_no_replica(small_database: Database) -> None:
    with pytest.raises(BadSetting, match=r"^read_database: only PostgreSQL has replicas"):
        small_database.read_from("postgresql://replica/x")
