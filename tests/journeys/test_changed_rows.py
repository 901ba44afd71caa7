"""A district that makes only what changed, beside a twin that always makes everything: both keep the same.

They do so also after holds, undos, edits of a share, changed rules, spoilt files, crashes and runs of another program.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import psycopg
import pytest

from rollbook import sync
from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.roster.views import roster_changes
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import event_feed
from rollbook.sync import stages
from tests import world
from tests.journeys import twins
from tests.journeys.hub import Hub
from tests.journeys.test_history_model import ELL
from tests.journeys.twins import ACTS, Twins, live, nights


def test_a_night_by_changed_rows_keeps_what_making_everything_keeps(tmp_path: Path) -> None:
    with ExitStack() as opened:
        databases = [
            opened.enter_context(closing(open_database(str(tmp_path / f"{twin}.db"))))
            for twin in ("one", "other")
        ]
        live(databases, tmp_path, nights(ACTS, seed=2))


def test_a_night_of_a_district_that_shares_everybody_keeps_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No view picks people, so the first twin reads only the links of the records that can differ."""
    monkeypatch.setattr(twins, "SPECS", (Spec(), Spec(ELL, sensitive=tuple(SENSITIVE_FIELDS))))
    near_links, read_near = roster_changes.near_links, []

    def near(engine: duckdb.DuckDBPyConnection) -> dict[str, str]:
        read_near.append(engine)
        return near_links(engine)

    monkeypatch.setattr(roster_changes, "near_links", near)
    with ExitStack() as opened:
        databases = [
            opened.enter_context(closing(open_database(str(tmp_path / f"{twin}.db"))))
            for twin in ("one", "other")
        ]
        live(databases, tmp_path, nights([act for act in ACTS if act is not Twins.share], seed=5))
    assert len(read_near) >= 5


@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        ("students.csv", "3125550199", "3125550100", "Byron Guardian"),
        ("students.csv", "Mathison", "Matthew", "Turing"),
        ("teachers.csv", "Hopper,grace@south.example,12", "Hopper,grace@south.example,13", "Hopper"),
    ],
)
def test_a_record_whose_row_alone_changed_is_updated(
    hub: Hub, file: str, old: str, new: str, name: str
) -> None:
    """Nothing that it is linked with changed. A contact, who is shown because of students, is no special case."""
    reader, _ = applications.create(hub.database, NewApplication("Reader"))
    # The whole view alone: its records are those of the rows that changed.
    view = sync.view_of(hub.database, hub.district, Spec(), hub.settings)
    token = connections.connect(hub.database, Sealer(key_path(hub.settings)), reader, hub.district, view)
    event_feed.switch(hub.database, reader.number, on=True)
    hub.sync(world.FILES)
    before = hub.client(token).records("/v3.0/users")
    last = hub.client(token).records("/v3.0/events")[-1:]
    hub.sync(world.changed((file, old, new)), days_on=0.01)
    after = hub.client(token).records("/v3.0/users")
    assert [each["id"] for each in after] == [each["id"] for each in before]
    told = [each for each in hub.client(token).records("/v3.0/events") if each["id"] > last[0]["id"]]
    assert [
        (each["type"], each["data"]["object"]["name"]["last"]) for each in told if "users" in each["type"]
    ] == [("users.updated", name)]


def test_a_sync_puts_in_every_sign_in_if_some_are_not_those_of_the_last_snapshot(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "SIGN_INS_MIN", 0)

    def found() -> list[tuple[Any, ...]]:
        with hub.database.read() as transaction:
            return transaction.rows(
                "SELECT user_id, role, username, email, password FROM credentials ORDER BY 1, 2"
            )

    hub.sync(world.FILES)
    before = found()
    with hub.database.write() as transaction:
        transaction.run("UPDATE credentials SET password = 'used' WHERE user_id <> ?", (before[0][0],))
        transaction.run("DELETE FROM credentials WHERE user_id = ?", (before[0][0],))
    hub.sync(world.changed(("students.csv", "Mathison", "Matthew")), days_on=0.01)
    # Passwords that were in use stay.
    assert found() == [(*row[:4], None if row[0] == before[0][0] else "used") for row in before]


def test_a_night_by_changed_rows_keeps_the_same_on_postgresql(
    postgresql_address: str, tmp_path: Path
) -> None:
    names = [f"test_{uuid4().hex[:16]}" for _ in range(2)]
    with psycopg.connect(postgresql_address, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        with ExitStack() as opened:
            databases = [
                opened.enter_context(
                    closing(open_database(f"{postgresql_address}&options=-csearch_path%3D{name}"))
                )
                for name in names
            ]
            live(databases, tmp_path, nights((Twins.hold, Twins.new_ids, Twins.share), seed=2))
        for name in names:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
