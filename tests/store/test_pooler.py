"""PgBouncer in transaction mode between Rollbook and PostgreSQL: each transaction may get another connection."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest

from rollbook.store.engine import in_loop
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from tests import world
from tests.journeys import program
from tests.journeys.hub import Hub
from tests.machine import lacks

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin") or ""
STARTS_MAX = 5
PATIENCE_SECONDS = 30
# Fewer connections to the server than Rollbook opens to PgBouncer.
INI = """
[databases]
pooled = host={folder} dbname=postgres user=postgres connect_query='SET search_path TO {schema}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_prepared_statements = 0
"""


@pytest.fixture(scope="module")
def pooled_address(request: pytest.FixtureRequest, module_database_address: str) -> Iterator[str]:
    """The address of PgBouncer over an empty database."""
    del request
    if not PROGRAM:
        lacks("no pgbouncer on this machine: apt install pgbouncer")
    asked = parse_qs(urlsplit(module_database_address).query)
    [folder], [options] = asked["host"], asked["options"]
    schema = unquote(options).partition("search_path=")[2].split()[0]
    owner = pwd.getpwuid(Path(folder).stat().st_uid)
    with tempfile.TemporaryDirectory(prefix="rollbook-pgbouncer-") as place:
        as_owner: dict[str, Any] = {}
        if os.getuid() == 0:  # PgBouncer does not run as root
            os.chown(place, owner.pw_uid, owner.pw_gid)
            as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": ()}
        running, address = _started(Path(place) / "pgbouncer.ini", folder, schema, as_owner)
        try:
            yield address
        finally:
            running.terminate()
            running.wait()


def _started(
    ini: Path, folder: str, schema: str, as_owner: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], str]:
    """PgBouncer on a port that no other process took before it began to listen, and its address."""
    known = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    for _ in range(STARTS_MAX):
        port = program.free_port()
        lines = INI.format(folder=folder, schema=schema, port=port).splitlines()
        if known.split()[1].startswith("1.1"):  # older ones do not know this line
            lines = [line for line in lines if not line.startswith("max_prepared")]
        ini.write_text("\n".join(lines))
        running = subprocess.Popen([PROGRAM, "-q", str(ini)], stderr=subprocess.DEVNULL, **as_owner)
        address = f"postgresql://postgres@127.0.0.1:{port}/pooled"
        if _answers(address, running):
            return running, address
    raise AssertionError(f"PgBouncer ended {STARTS_MAX} times when it began; its settings: {ini.read_text()}")


def _answers(address: str, running: subprocess.Popen[bytes]) -> bool:
    """Wait until it takes connections. False if it has ended, as it does when its port is taken."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                running.kill()
                raise
            if running.poll() is not None:
                return False
            time.sleep(0.02)
        else:
            return running.poll() is None


@pytest.mark.parametrize("module_database_address", ["postgresql"], indirect=True)
def test_a_district_is_synced_and_read_through_a_pooler(pooled_address: str, tmp_path: Path) -> None:
    """Many more times than a driver takes to prepare a statement."""
    with closing(open_database(pooled_address)) as database:
        migrate(database)
        with closing(Hub(database, pooled_address, tmp_path)) as hub:
            hub.sync(world.FILES)
            reader = hub.client(hub.connect())
            for _ in range(12):
                people = reader.read("/v3.0/users?limit=2")["data"]
                assert [reader.read(f"/v3.0/users/{each['data']['id']}")["data"] for each in people] == [
                    each["data"] for each in people
                ]
                for school in reader.read("/v3.0/schools")["data"]:
                    reader.read(f"/v3.0/schools/{school['data']['id']}/users?limit=1")
            assert set(reader.everything()) > {"/v3.0/users", "/v3.0/sections"}


@pytest.mark.parametrize("module_database_address", ["postgresql"], indirect=True)
def test_reads_at_once_share_the_connections_of_a_pooler(pooled_address: str) -> None:
    def once(database: Database, number: int) -> Any:
        with database.read() as transaction:
            kept = transaction.remembered_row("SELECT 1 + ?", (number,))
            return (
                kept,
                transaction.row("SELECT pg_sleep(0.005), 2 + ?", (number,)),
                transaction.rows("SELECT 3"),
            )

    async def reads(database: Database) -> list[Any]:
        asked = [number for number in range(5) for _ in range(20)]
        return await asyncio.gather(*(in_loop.run(once, database, number) for number in asked))

    with closing(open_database(pooled_address)) as database:
        found = asyncio.run(reads(database))
    assert sorted((kept[0], row[1]) for kept, row, _ in found) == sorted(
        (number + 1, number + 2) for number in range(5) for _ in range(20)
    )
