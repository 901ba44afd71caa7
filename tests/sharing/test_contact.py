"""A district's contact is a person: no view names one that it does not show, or says more of them than it shows."""

from __future__ import annotations

import json

import pytest

from rollbook.contract.access import SECURE_SYNC
from rollbook.store import districts
from rollbook.store.own_record import keep_true
from tests import world
from tests.sharing.desk import Desk, Json, Reader, of_files

TEACHERS = {"rules": [{"kind": "teacher", "where": []}]}
STUDENTS = {"rules": [{"kind": "student", "where": []}]}
ADMINS = {"rules": [{"kind": "admin", "where": []}]}


@pytest.fixture
def reader(desk: Desk) -> Reader:
    desk.sync()
    made = desk.connect()
    made.listen()
    return made


def record(reader: Reader) -> Json:
    shown: Json = reader.pull("/v3.0/districts")[0]
    assert shown == reader.read(f"/v3.0/districts/{shown['id']}")["data"]
    return shown


def user(reader: Reader, email: str) -> str:
    found: str = next(one["id"] for one in reader.pull("/v3.0/users") if one["email"] == email)
    return found


def told(reader: Reader) -> str:
    return json.dumps([event for event in reader.feed() if event["type"] == "districts.updated"])


def test_a_contact_is_named_only_to_whom_the_person_is_shown(desk: Desk, reader: Reader) -> None:
    grace = user(reader, "grace@south.example")
    blind = desk.connect("Blind", tuple(scope for scope in SECURE_SYNC if scope != "read:district_admins"))
    blind.listen()
    blind.share(STUDENTS)
    desk.name_contact(grace)
    assert record(reader)["district_contact"] == {
        "district": desk.district.id,
        "email": "grace@south.example",
        "id": grace,
        "name": {"first": "Grace", "last": "Hopper"},
        "title": "Superintendent",
    }
    assert "district_contact" not in record(blind)
    late = desk.connect("Late", ("read:students", "read:schools"))
    assert "district_contact" not in record(late)
    assert "Hopper" in told(reader)
    assert "Hopper" not in told(blind)


def test_a_contact_is_told_as_the_view_shows_the_person(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    reader.share(TEACHERS)
    assert record(reader)["district_contact"]["title"] == ""
    assert "Superintendent" not in told(reader)
    reader.share(ADMINS)
    assert record(reader)["district_contact"]["title"] == "Superintendent"
    desk.name_contact(user(desk.connect("Whole"), "emmy@north.example"))
    reader.share(STUDENTS, withheld=("student.email",))
    assert record(reader)["district_contact"]["email"] == ""
    assert record(reader)["district_contact"]["name"] == {"first": "Emmy", "last": "Noether"}


def test_a_share_without_the_contact_takes_them_out_of_all_that_was_published(desk: Desk, reader: Reader) -> None:
    grace = user(reader, "grace@south.example")
    desk.name_contact(grace)
    assert grace in told(reader)
    reader.share(STUDENTS)
    assert "district_contact" not in record(reader)
    last = [event for event in reader.feed() if event["type"] == "districts.updated"][-1]
    assert last["data"]["previous_attributes"] == {"district_contact": {}}
    assert all(text not in told(reader) for text in (grace, "Hopper", "grace@south.example"))
    reader.share()
    assert record(reader)["district_contact"]["id"] == grace


def test_a_contact_who_leaves_the_roster_is_gone_with_the_same_sync(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    gone = world.changed(
        ("teachers.csv", "S,t-grace,Grace,Hopper,grace@south.example,12,\n", "S,t-mary,Mary,Jackson,mary@south.example,12,\n"),
        (
            "administrators.csv",
            "a-grace,grace@south.example,Grace,Murray,Superintendent",
            "a-mary,mary@south.example,Mary,Jackson,Superintendent",
        ),
        ("sections.csv", "N,algebra,t-ada,t-grace", "N,algebra,t-ada,"),
        ("sections.csv", "S,poetry,t-grace", "S,poetry,t-mary"),
    )
    desk.sync(gone)
    assert "district_contact" not in record(reader)
    assert "grace@south.example" not in told(reader)


def test_a_contact_who_changes_is_told_anew_with_the_same_sync(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    desk.sync(world.changed(("administrators.csv", "Superintendent", "Deputy")))
    assert record(reader)["district_contact"]["title"] == "Deputy"


@of_files
def test_records_of_an_earlier_version_are_mended_by_upkeep(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    whole = json.dumps(record(reader))
    reader.share(STUDENTS)
    with desk.database.write() as connection:
        connection.run("UPDATE records SET body = ? WHERE kind = 'districts'", (whole,))
    assert "district_contact" in record(reader)
    assert keep_true(desk.database) == 1
    assert "district_contact" not in record(reader)
    assert keep_true(desk.database) == 0
    assert districts.find(desk.database, desk.district.id).contact


def test_a_contact_whom_a_copy_does_not_have_is_not_named(desk: Desk, reader: Reader) -> None:
    desk.name_contact("0" * 24)
    assert "district_contact" not in record(reader)
