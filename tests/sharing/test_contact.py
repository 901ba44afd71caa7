"""A district's contact is a person whom an operator named: every application reads this person, with any
share."""

from __future__ import annotations

import json

from rollbook.domain.access import SECURE_SYNC
from rollbook.store.records.own_record import change_record, keep_true
from tests import world
from tests.sharing.desk import CopyDesk, Desk, Json, Reader, of_a_clone, of_files

TEACHERS = {"rules": [{"kind": "teacher", "where": []}]}
STUDENTS = {"rules": [{"kind": "student", "where": []}]}


def record(reader: Reader) -> Json:
    shown: Json = reader.pull("/v3.0/districts")[0]
    assert shown == reader.read(f"/v3.0/districts/{shown['id']}")["data"]
    return shown


def user(reader: Reader, email: str) -> str:
    found: str = next(one["id"] for one in reader.pull("/v3.0/users") if one["email"] == email)
    return found


def told(reader: Reader) -> str:
    return json.dumps([event for event in reader.feed() if event["type"] == "districts.updated"])


def test_every_application_reads_the_contact_whatever_is_shared_with_it(desk: Desk, reader: Reader) -> None:
    blind = desk.connect("Blind", tuple(scope for scope in SECURE_SYNC if scope != "read:district_admins"))
    blind.listen()
    blind.share(STUDENTS, withheld=("student.email",))
    assert "district_contact" not in record(blind)
    grace = user(reader, "grace@south.example")
    desk.name_contact(grace)
    named = {
        "district": desk.district.id,
        "email": "grace@south.example",
        "id": grace,
        "name": {"first": "Grace", "last": "Hopper"},
        "title": "Superintendent",
    }
    late = desk.connect("Late", ("read:schools",))
    nothing = desk.connect("Nothing")
    nothing.share({"rules": []})
    for each in (reader, blind, late, nothing):
        assert record(each)["district_contact"] == named
    assert "Hopper" in told(reader)
    assert "Hopper" in told(blind)
    assert grace not in {one["id"] for one in blind.pull("/v3.0/users")}


def test_a_share_changes_nothing_of_the_contact(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "emmy@north.example"))
    whole, feed = record(reader), told(reader)
    reader.share(TEACHERS)
    assert record(reader)["district_contact"] == whole["district_contact"]
    reader.share(STUDENTS, withheld=("student.email",))
    assert record(reader)["district_contact"]["email"] == "emmy@north.example"
    assert told(reader) == feed


@of_files
def test_nobody_is_a_contact_without_being_named(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    change_record(desk.database, desk.now, "contact", {"contact": None})
    assert "district_contact" not in record(reader)
    assert "Hopper" not in told(reader)
    assert [event for event in reader.feed() if event["type"] == "districts.updated"][-1]["data"][
        "previous_attributes"
    ] == {"district_contact": {}}


def test_a_contact_who_leaves_the_roster_is_gone_with_the_same_sync(desk: Desk, reader: Reader) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    gone = world.changed(
        (
            "teachers.csv",
            "S,t-grace,Grace,Hopper,grace@south.example,12,\n",
            "S,t-mary,Mary,Jackson,mary@south.example,12,\n",
        ),
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
    whole = record(reader)
    without = json.dumps({name: value for name, value in whole.items() if name != "district_contact"})
    reader.share(STUDENTS)
    with desk.database.write() as transaction:
        transaction.run("UPDATE records SET body = ? WHERE kind = 'districts'", (without,))
    assert "district_contact" not in record(reader)
    assert keep_true(desk.database) == 1
    assert record(reader) == whole
    assert keep_true(desk.database) == 0


@of_a_clone
def test_a_copys_contact_is_whom_its_source_names_also_where_the_copy_does_not_have_the_person(
    desk: CopyDesk, reader: Reader
) -> None:
    desk.name_contact(user(reader, "grace@south.example"))
    reader.share({"rules": []})
    shown, source = record(reader)["district_contact"], record(desk.source)["district_contact"]
    assert shown == source
    desk.source.share(STUDENTS)
    desk.clone()
    assert record(reader)["district_contact"] == source


def test_a_contact_whom_a_copy_does_not_have_is_not_named(desk: Desk, reader: Reader) -> None:
    desk.name_contact("0" * 24)
    assert "district_contact" not in record(reader)
