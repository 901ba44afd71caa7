"""A district's own record stays up to date while days pass, addresses change, and people get ways to sign
in."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from rollbook import sync
from rollbook.errors import Busy
from rollbook.store.accounts import credentials
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.district import districts
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import people_lookup
from rollbook.store.records.own_record import change_record, keep_true
from rollbook.web import upkeep
from tests import world
from tests.sharing.desk import Desk, Json, Reader, of_files

DAY = timedelta(days=1)

# A cloned district's record is as its source says.
pytestmark = of_files


def record(reader: Reader) -> Json:
    shown: Json = reader.pull("/v3.0/districts")[0]
    return shown


def person(desk: Desk, name: str) -> str:
    number = desk.now.number
    with desk.database.read() as transaction:
        return people_lookup.find(transaction, people_lookup.whole(transaction, number), name).id


def test_a_pause_begins_and_ends_with_its_days(
    desk: Desk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, now = date.today(), time.time()
    sync.pause(desk.database, desk.now, today + DAY, today + DAY)
    states = []
    for days in range(4):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 86_400)
        keep_true(desk.database)
        states.append(record(reader)["state"])
    assert states == ["running", "paused", "running", "running"]
    assert keep_true(desk.database) == 0


def test_what_was_to_be_mended_still_is_after_a_pause(desk: Desk, reader: Reader) -> None:
    yesterday = (date.today() - DAY).isoformat()
    columns: dict[str, object] = {
        "state": "paused",
        "error": "students.csv is missing",
        "pause_start": yesterday,
    }
    change_record(desk.database, desk.now, "pause", {**columns, "pause_end": yesterday})
    keep_true(desk.database)
    assert record(reader)["state"] == "pending"


def test_the_portal_is_where_people_reach_the_server(desk: Desk, reader: Reader) -> None:
    path = f"/in/{districts.slug(desk.now)}"
    assert record(reader)["portal_url"] == path
    for base in ("https://roster.example", "https://roster.example", "https://other.example"):
        keep_true(desk.database, base)
        assert record(reader)["portal_url"] == base + path
    previous = [event["data"]["previous_attributes"] for event in reader.feed()]
    assert previous == [{"portal_url": path}, {"portal_url": f"https://roster.example{path}"}]
    # A sync keeps the address.
    desk.sync(world.changed(("students.csv", "Turing", "Church")))
    assert record(reader)["portal_url"] == f"https://other.example{path}"


def test_login_methods_are_those_that_people_have(desk: Desk, reader: Reader) -> None:
    assert record(reader)["login_methods"] == ["Other"]
    number, sealer = desk.now.number, Sealer(desk.folder / "key")

    def after(change: Any) -> list[str]:
        with desk.database.write() as transaction:
            change(transaction)
        keep_true(desk.database)
        methods: list[str] = record(reader)["login_methods"]
        return methods

    emmy = person(desk, "emmy")
    names: Any = {"name": "G", "client_id": "c", "secret": "s"}
    assert after(lambda c: credentials.give_badges(c, number, {emmy: "A" * 28})) == ["Clever Badges"]
    google = after(
        lambda c: credentials.set_provider(
            c, sealer, number, NewProvider(issuer="https://accounts.google.com", **names)
        )
    )
    assert google == ["Clever Badges", "Google"]
    other = after(
        lambda c: credentials.set_provider(
            c, sealer, number, NewProvider(issuer="https://id.example", **names)
        )
    )
    assert other == ["Clever Badges", "Other"]
    assert after(lambda c: credentials.drop_provider(c, number)) == ["Clever Badges"]
    header = world.FILES["students.csv"].splitlines()[0]
    rows = (
        world.FILES["students.csv"]
        .replace(header, f"{header},Username,Password")
        .replace(",byron\n", ",byron,u,p\n")
    )
    desk.sync(
        {**world.FILES, "students.csv": rows.replace("south.example,,,,,,,\n", "south.example,,,,,,,,u2,p\n")}
    )
    assert record(reader)["login_methods"] == ["Clever Badges", "Clever Passwords"]


def test_a_contact_is_a_person_of_the_roster_as_long_as_they_are_there(desk: Desk, reader: Reader) -> None:
    grace = person(desk, "grace@south.example")
    assert "district_contact" not in record(reader)
    change_record(desk.database, desk.now, "contact", {"contact": grace})
    assert record(reader)["district_contact"] == {
        "district": desk.district.id,
        "email": "grace@south.example",
        "id": grace,
        "name": {"first": "Grace", "last": "Hopper"},
        "title": "Superintendent",
    }
    change_record(desk.database, desk.now, "contact", {"contact": "0" * 24})
    assert "district_contact" not in record(reader)


def test_a_round_of_upkeep_tells_the_address_and_survives_trouble(
    desk: Desk,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds = upkeep.rounds(desk.database, desk.settings)
    next(rounds)
    assert record(reader)["portal_url"].startswith("http://127.0.0.1:8400/in/")

    def broken(*_: object) -> list[Any]:
        raise Busy("busy")

    with monkeypatch.context() as busy:
        busy.setattr(districts, "list_all", broken)
        late = upkeep.rounds(desk.database, replace(desk.settings, public_url="https://rosters.example"))
        next(late)
    assert "upkeep: busy" in caplog.text
    next(late)
    assert record(reader)["portal_url"].startswith("https://rosters.example/in/")


def test_two_servers_with_two_addresses_do_not_change_the_records_in_turn(desk: Desk, reader: Reader) -> None:
    addresses = ("http://10.1.0.11:8400", "http://10.1.0.12:8400")
    servers = [
        upkeep.rounds(desk.database, replace(desk.settings, public_url=address)) for address in addresses
    ]
    for server in servers:
        next(server)
    head = desk.now.head
    for server in servers * 2:
        next(server)
    assert desk.now.head == head
    assert record(reader)["portal_url"].startswith("http://10.1.0.12:8400/in/")
