"""A later version upgrades the database while servers of this version run, and is taken back."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rollbook.store.engine import migrations
from rollbook.store.engine.database import Transaction, open_database
from rollbook.store.engine.migrations import ADDING, LOCK_SECONDS, LOCK_TRIES, STEPS, migrate
from tests import world
from tests.conftest import _postgresql_database
from tests.journeys import program
from tests.journeys.test_server import prepare


def of_tomorrow(transaction: Transaction) -> None:
    """A step that this version does not know."""
    transaction.run("CREATE TABLE of_tomorrow (name TEXT PRIMARY KEY)")
    transaction.run("ALTER TABLE districts ADD COLUMN of_tomorrow TEXT NOT NULL DEFAULT ''")


def upgrade(address: str, *, adds: bool) -> None:
    """What the first program of a later version does, beside all others."""
    with pytest.MonkeyPatch.context() as later, closing(open_database(address)) as database:
        later.setattr(migrations, "STEPS", (*STEPS, of_tomorrow))
        later.setattr(migrations, "ADDING", ADDING | {of_tomorrow} if adds else ADDING)
        migrate(database)


def statuses(server: program.Server, token: str) -> tuple[int, int]:
    """Those of a page and of `/ready`."""
    page = httpx.get(f"{server.base}/v3.0/users", headers={"Authorization": f"Bearer {token}"})
    return page.status_code, httpx.get(f"{server.base}/ready").status_code


def test_a_step_that_only_adds_leaves_a_running_server_at_work_and_it_can_be_started_again(
    database_address: str, tmp_path: Path
) -> None:
    token = prepare(tmp_path, database=database_address)
    (tmp_path / "drop").mkdir()
    program.done("schedule", "Springfield", "--folder", "drop", folder=tmp_path, database=database_address)
    with program.serving("serve", folder=tmp_path, database=database_address) as server:
        assert statuses(server, token) == (200, 200)
        upgrade(database_address, adds=True)
        assert statuses(server, token) == (200, 200)
        world.write(tmp_path / "drop", world.changed(("students.csv", "Emmy", "Emilia")))
        (tmp_path / "drop" / "complete").touch()
        end = time.monotonic() + program.TIMEOUT_SECONDS
        while "Emilia" not in people(server, token):
            assert time.monotonic() < end, program.done("jobs", folder=tmp_path, database=database_address)
            time.sleep(0.1)
    with program.serving("serve", folder=tmp_path, database=database_address) as server:
        assert "Emilia" in people(server, token)
        assert statuses(server, token) == (200, 200)
    program.done("undo", "Springfield", folder=tmp_path, database=database_address)
    refused = program.run("backup", "kept.db", folder=tmp_path, database=database_address)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"rollbook: the database has schema {len(STEPS) + 1}, and this version knows {len(STEPS)}; make the backup with"
        " the version that upgraded it\n"
    )


def test_a_step_that_changes_what_is_there_takes_a_running_server_out(
    database_address: str, tmp_path: Path
) -> None:
    token = prepare(tmp_path, database=database_address)
    with program.serving("serve", "--no-work", folder=tmp_path, database=database_address) as server:
        upgrade(database_address, adds=False)
        assert statuses(server, token)[1] == 503
        said = httpx.get(f"{server.base}/ready").json()
        assert (said["is_ready"], said["schema_needed"]) == (False, len(STEPS) + 1)
        (trouble,) = said["troubles"]
        assert trouble.startswith(
            f"a later version of Rollbook changed the database (schema {len(STEPS) + 1};"
        )
    refused = program.run("status", folder=tmp_path, database=database_address)
    assert (refused.returncode, "later version of Rollbook" in refused.stderr) == (1, True)


def test_a_step_that_waits_for_a_long_transaction_lets_others_read(postgresql_address: str) -> None:
    """PostgreSQL lets all later readers of a table wait behind a change of it that waits itself."""
    with (
        _postgresql_database(postgresql_address) as address,
        closing(open_database(address)) as database,
    ):
        migrate(database)
        upgrading = threading.Thread(target=upgrade, args=(address,), kwargs={"adds": True})
        with database.read() as transaction:
            transaction.rows("SELECT number FROM districts")
            upgrading.start()
            for _ in range(LOCK_TRIES // 4):
                time.sleep(LOCK_SECONDS / 2)
                with database.read() as other:
                    other.rows("SELECT number FROM districts")
            assert upgrading.is_alive()
        upgrading.join(program.TIMEOUT_SECONDS)
        with database.read() as transaction:
            assert migrations.schema(transaction).last == len(STEPS) + 1


def people(server: program.Server, token: str) -> str:
    return httpx.get(f"{server.base}/v3.0/users", headers={"Authorization": f"Bearer {token}"}).text
