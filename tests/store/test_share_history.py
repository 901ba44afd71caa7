"""Former shares have rows of their own: pruning the trail loses none, and an upgrade brings them along.

On both databases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from tests.store.old_database import opened_before

PART = {"schools": ["0001"]}


def connected(database: Database, folder: Path) -> tuple[Application, District]:
    district = districts.create(database, "Ash District")
    reader, _ = applications.create(database, NewApplication("Reader"))
    view = sync.view_of(database, district, Spec(), setting_rows.read({}))
    connections.connect(database, Sealer(folder / "key"), reader, district, view)
    return reader, district


def told(database: Database, reader: Application, district: District) -> list[tuple[object, bool]]:
    return [
        (past.told["share"], past.is_held) for past in connections.past_shares(database, reader, district)
    ]


def test_a_trail_that_is_emptied_loses_no_past_share(database: Database, tmp_path: Path) -> None:
    reader, district = connected(database, tmp_path)
    spec = Spec(share=shares.parse(PART), withheld=("student.dob",), keeps_ids=True)
    sync.share(database, district, reader, spec, setting_rows.read({}))
    with database.write() as transaction:
        transaction.run("DELETE FROM audit")
    assert told(database, reader, district) == [("everything", False), (PART, False)]
    first, second = connections.past_shares(database, reader, district)
    assert second.again(Spec()) == spec
    assert first.again(spec) == Spec()
    assert second.told["scopes"] == list(SECURE_SYNC)


def test_a_connection_that_ends_takes_its_history_along(database: Database, tmp_path: Path) -> None:
    reader, district = connected(database, tmp_path)
    connections.disconnect(database, reader, district)
    view = sync.view_of(database, district, Spec(), setting_rows.read({}))
    connections.connect(database, Sealer(tmp_path / "key"), reader, district, view)
    assert told(database, reader, district) == [("everything", False)]


@pytest.fixture
def old(bare_address: str) -> Iterator[Database]:
    with opened_before(bare_address, migrations.share_history) as opened:
        yield opened


def fill(old: Database, trail: list[tuple[str, dict[str, object]]]) -> None:
    """One connection as an earlier version stored it, with its trail."""
    with old.write() as transaction:
        for sql in (
            "INSERT INTO districts (number, id, name, created, state, error) VALUES (1, 'd1', 'Ash District', '', 'running', '')",
            "INSERT INTO views (number, district, spec) VALUES (1, 1, '{}')",
            """INSERT INTO applications (number, client_id, name, redirect_uris, scopes, created)
                 VALUES (1, 'a1', 'Reader', '[]', '', '')""",
            """INSERT INTO connections (number, id, application, district, view, token_hash, token_sealed, created)
                 VALUES (7, 'c1', 1, 1, 1, 'h', 's', '')""",
        ):
            transaction.run(sql)
        transaction.insert(
            "audit",
            "created, action, district, application, user_id, address, detail",
            [
                (f"2026-01-0{day}T00:00:00.000Z", action, 1, 1, "", "", json.dumps(detail))
                for day, (action, detail) in enumerate(trail, start=1)
            ],
        )


def test_an_upgrade_reads_the_past_shares_out_of_the_trail(old: Database) -> None:
    whole = {"share": "everything", "scopes": ["read:students"], "withheld": [], "keeps_ids": False}
    part = {
        **whole,
        "share": PART,
        "withheld": ["student.dob"],
        "sensitive": ["student.ell_status"],
        "keeps_ids": True,
    }
    trail = [
        ("connected", part),
        ("disconnected", {}),
        ("connected", whole),
        ("district token shown", {}),
        ("share changed", part),
        ("share changed, held by a freeze", whole),
    ]
    fill(old, trail)
    for _ in range(2):
        migrate(old)
        reader, district = applications.find(old, "Reader"), districts.find(old, "Ash District")
        past = connections.past_shares(old, reader, district)
        assert [(one.created[8:10], one.told["share"], one.is_held) for one in past] == [
            ("03", "everything", False),
            ("05", PART, False),
            ("06", "everything", True),
        ]
        assert dict(past[1].told) == {**part, "unasked": []}


def test_an_upgrade_of_a_connection_without_a_trail_has_no_past_share(old: Database) -> None:
    fill(old, [])
    migrate(old)
    reader, district = applications.find(old, "Reader"), districts.find(old, "Ash District")
    assert connections.past_shares(old, reader, district) == []
