"""`rollbook operator passkeys`: an operator lists the passkeys of a person, and removes one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook
from rollbook.store.accounts import audit
from rollbook.store.engine.database import Database, open_database
from rollbook.store.operators import operator_accounts, operator_passkeys
from rollbook.store.operators.operator_passkeys import Passkey


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A database with Ana, who has two passkeys, one of them used."""
    path = tmp_path / "rollbook.db"
    CliRunner().invoke(rollbook, ["operator", "add", "Ana", "--database", str(path)])
    with closing(open_database(str(path))) as database, database.write() as transaction:
        ana = operator_accounts.get(transaction, "Ana")
        for name in ("laptop", "phone"):
            operator_passkeys.add(transaction, Passkey(name, ana.number, name, "key", 0, 0, 0))
        transaction.run("UPDATE operator_passkeys SET used = 1764500000 WHERE name = 'phone'")
    return path


def told(place: Path, *words: str) -> str:
    done = CliRunner().invoke(rollbook, ["operator", "passkeys", *words, "--database", str(place)])
    return done.output + str(done.exception or "")


def last(database: Database) -> audit.Entry:
    with database.read() as transaction:
        return audit.latest(transaction, 1)[0]


def test_passkeys_are_listed_and_removed(place: Path) -> None:
    assert told(place, "Ana").splitlines() == ["not used yet  laptop", "2025-11-30    phone"]
    assert '"used": 1764500000' in told(place, "Ana", "--json")
    assert told(place, "Ana", "--remove", "laptop").splitlines() == ["2025-11-30    phone"]
    with closing(open_database(str(place))) as database:
        row = last(database)
    assert (row.action, row.detail) == (
        "passkey removed",
        {"by": "a command", "of": "Ana", "passkey": "laptop"},
    )
    assert told(place, "Ana", "--remove", "phone") == "Ana has no passkey\n"


def test_an_unknown_person_or_passkey_is_said(place: Path) -> None:
    assert "no person of the console has the name 'Eve'" in told(place, "Eve")
    assert "'Ana' has no passkey named 'watch'" in told(place, "Ana", "--remove", "watch")


def test_a_link_says_what_to_do_where_the_server_listens_elsewhere(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--database", str(place)]
    reset = CliRunner().invoke(rollbook, ["operator", "reset", "Ana", *asked]).output
    assert "If the server does not listen at http://127.0.0.1:8400, put its own address" in reset
    monkeypatch.setenv("ROLLBOOK_PUBLIC_URL", "https://rollbook.example")
    added = CliRunner().invoke(rollbook, ["operator", "add", "Bo", *asked]).output
    assert "https://rollbook.example/console/welcome#" in added
    assert "does not listen" not in added
