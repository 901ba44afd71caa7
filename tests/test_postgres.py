"""The tests' own PostgreSQL starts, whatever a killed run has left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, because of its socket, which a PostgreSQL started by root can reach as well."""
    made = Path(tempfile.mkdtemp(prefix="rb-"))
    made.chmod(0o755)
    yield made / "pg"
    postgres.remove(made / "pg")
    shutil.rmtree(made)


def answers(address: str) -> bool:
    with psycopg.connect(address) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_each_checkout_has_a_server_of_its_own_under_a_short_path() -> None:
    assert postgres.CHECKOUT in postgres.own_folder().name
    assert len(str(postgres.own_folder() / ".s.PGSQL.5432")) < 100


def test_a_folder_that_was_not_finished_is_made_anew(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    assert answers(postgres.server_address(folder))


def test_a_number_of_a_process_that_is_another_one_by_now_is_no_server(folder: Path) -> None:
    folder.mkdir()
    lines = (os.getpid(), folder, 1, 5432, folder, "", "0 0", "ready")
    (folder / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
    assert not postgres.is_live(folder)
    assert answers(postgres.server_address(folder))


def test_a_server_whose_programs_are_gone_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(postgres.server_address(folder))
    assert postgres.is_live(folder)
    (folder / "old").touch()
    with monkeypatch.context() as patched:
        patched.setattr(postgres, "PROGRAM", Path("/bin/sh"))
        assert not postgres.is_live(folder)
        assert answers(postgres.server_address(folder))
    assert not (folder / "old").exists()
