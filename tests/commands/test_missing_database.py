"""Only commands that begin something make a database or a key.

A missing file is named, and never replaced by an empty one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from rollbook import settings as setting_rows
from rollbook.errors import BadSetting
from rollbook.store.engine import keys
from rollbook.store.engine.database import open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.opening import opened
from rollbook.web import server
from rollbook.web.app import App
from rollbook.web.http import listening
from tests import world
from tests.commands.terminal import DISTRICT, Outcome, Terminal
from tests.journeys import program

# One call for each module of commands.
GO_ON = (
    ("status",),
    ("serve", "--port", "0"),
    ("district", "list"),
    ("district", "show", "D"),
    ("application", "list"),
    ("application", "set", "A", "--events"),
    ("sync", "D", "files"),
    ("undo", "D"),
    ("history", "D"),
    ("rules", "D"),
    ("connect", "A", "D"),
    ("share", "A", "D", "--history"),
    ("token", "A", "P"),
    ("audit",),
    ("key", "rotate"),
)
BEGIN = (("district", "create", "D"), ("application", "create", "A"))
WHAT_TO_DO = (
    "Name the right one with --database or ROLLBOOK_DATABASE, or put it back from a backup;"
    " to begin a new one: `rollbook district create NAME`"
)


@pytest.fixture
def bare(
    bare_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A terminal without a database, or on an empty schema."""
    return Terminal(bare_address, tmp_path, capsys, monkeypatch)


def tables(address: str, folder: Path) -> list[str]:
    """What exists: tables of the schema, or files of the folder."""
    if "://" not in address:
        return sorted(path.name for path in folder.iterdir())
    with psycopg.connect(address) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        ).fetchall()
    return sorted(name for (name,) in found)


def refused(outcome: Outcome) -> str:
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1), outcome
    return outcome.err.removeprefix("rollbook: ").rstrip("\n")


@pytest.mark.parametrize("arguments", GO_ON, ids=" ".join)
def test_a_command_that_goes_on_says_that_the_database_is_not_there(
    bare: Terminal, bare_address: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(listening, "check_port", lambda _settings: None)
    if arguments[0] == "serve":
        arguments = ("serve",)
    said = refused(bare.run(*arguments))
    if "://" in bare_address:
        where = setting_rows.masked(setting_rows.read({}, database=bare_address))["database"]
        assert said == f"database: {where} holds nothing of Rollbook. {WHAT_TO_DO}"
    else:
        assert said == f"database: {Path(bare_address).absolute()} is not there. {WHAT_TO_DO}"
    assert tables(bare_address, bare.folder) == []


@pytest.mark.parametrize("arguments", BEGIN, ids=" ".join)
def test_a_command_that_begins_makes_the_database_and_its_key(
    bare: Terminal, arguments: tuple[str, ...]
) -> None:
    bare.done(*arguments)
    assert (bare.folder / "key").exists()
    bare.done("district", "list")


@pytest.mark.parametrize("content", [b"", None])
def test_a_file_without_our_tables_is_left_as_it_is(small_bare: Terminal, content: bytes | None) -> None:
    file = small_bare.folder / "rollbook.db"
    if content is None:
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE notes (name TEXT)")
    else:
        file.write_bytes(content)
    before = file.read_bytes()
    said = refused(small_bare.run("status"))
    assert said == f"database: {file} holds nothing of Rollbook. {WHAT_TO_DO}"
    assert (file.read_bytes(), [path.name for path in small_bare.folder.iterdir()]) == (
        before,
        ["rollbook.db"],
    )


@pytest.fixture
def small_bare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    return Terminal(str(tmp_path / "rollbook.db"), tmp_path, capsys, monkeypatch)


def test_a_server_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBOOK_DATABASE", str(tmp_path / "rollbook.db"))
    monkeypatch.setenv("ROLLBOOK_LIMITS_FILE", str(tmp_path / "limits"))
    monkeypatch.setenv("ROLLBOOK_PULLS_FILE", str(tmp_path / "pulls"))
    with pytest.raises(BadSetting, match=r"rollbook\.db is not there"):
        server.create_app()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanishes_under_a_program_is_not_made_anew(small_terminal: Terminal) -> None:
    file = small_terminal.folder / "rollbook.db"
    with closing(open_database(str(file))) as database:
        for name in ("rollbook.db", "rollbook.db-wal", "rollbook.db-shm"):
            (small_terminal.folder / name).unlink(missing_ok=True)
        with pytest.raises(BadSetting, match=r"rollbook\.db cannot be used"), database.read():
            pass
    assert not file.exists()


# The key -------------------------------------------------------------------------------------------


def connected(terminal: Terminal) -> str:
    terminal.send(world.FILES)
    terminal.done("application", "create", "Reader")
    return terminal.done("connect", "Reader", DISTRICT).out


def test_a_missing_key_is_named_and_not_made_anew(terminal: Terminal) -> None:
    token, key = connected(terminal), terminal.folder / "key"
    kept = key.read_bytes()
    key.unlink()
    for arguments in (
        ("status",),
        ("connect", "Reader", DISTRICT),
        ("sync", DISTRICT, terminal.folder / "files"),
        ("serve", "--port", str(program.free_port())),
    ):
        assert refused(terminal.run(*arguments)) == (
            f"key_file: {key} is not there; the database was used with one. Put the key back from its copy; if it is lost for"
            " good, set ROLLBOOK_KEY_LOST=yes once"
        )
        assert not key.exists()
    key.write_bytes(kept)
    assert terminal.done("connect", "Reader", DISTRICT).out == token


def test_a_database_of_an_earlier_version_is_asked_whether_it_needs_its_key(
    terminal: Terminal, database_address: str
) -> None:
    connected(terminal)
    with closing(open_database(database_address)) as database, database.write() as transaction:
        transaction.run("DELETE FROM facts WHERE name = ?", (keys.MARK,))
    (terminal.folder / "key").rename(terminal.folder / "copy")
    assert "the database was used with one" in refused(terminal.run("status"))
    assert not (terminal.folder / "key").exists()


def test_a_lost_key_is_replaced_when_an_operator_says_so(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(terminal)
    key = terminal.folder / "key"
    key.unlink()
    monkeypatch.setenv("ROLLBOOK_KEY_LOST", "yes")
    terminal.done("status")
    monkeypatch.delenv("ROLLBOOK_KEY_LOST")
    made = key.read_bytes()
    terminal.done("status")
    assert key.read_bytes() == made


def test_a_key_that_vanishes_before_it_is_read_is_not_made_anew(terminal: Terminal) -> None:
    connected(terminal)
    settings = setting_rows.read(os.environ)
    with opened(settings) as database:
        late = keys.sealer(database, settings)
        (terminal.folder / "key").unlink()
        with pytest.raises(BadSetting, match="is not there"):
            late.derive("passwords")
    assert not (terminal.folder / "key").exists()


def test_a_server_holds_its_key_from_its_start(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(terminal)
    settings, key = setting_rows.read(os.environ), terminal.folder / "key"
    held: list[Sealer] = []
    made = keys.sealer

    def noted(*arguments: object) -> Sealer:
        held.append(made(*arguments))  # type: ignore[arg-type]
        return held[-1]

    monkeypatch.setattr("rollbook.web.app.sealer_of", noted)
    with closing(open_database(settings.database)) as database:
        app = App(database, settings, limits=terminal.folder / "limits")
        kept = Sealer(key).seal("token", "a test")
        key.unlink()
        assert [one.open(kept, "a test") for one in held] == ["token"]
        assert not key.exists()
        # A process that starts later makes none, either; tokens are known by their hash and stay valid.
        other = App(database, settings, limits=terminal.folder / "limits")
        with pytest.raises(BadSetting, match="is not there"):
            held[1].derive("sessions")
        assert not key.exists()
        other.close()
        app.close()
