"""A district in two API versions: the same ids, and links of the requested version. v3.1 adds its fields only
where both sides opened them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from tests import world
from tests.sharing.desk import KINDS, Desk, Reader, of_files

HEADER = (
    "School_id,Student_id,Last_name,First_name,Gifted_status,Section_504_status,Disability_status,Disability_code,"
    "Preferred_first_name,Frl_status,Home_language\n"
)
STUDENTS = {
    "s1": "N,{id},Noether,Emmy,Y,N,Y,aut,Em,Other,Maori",
    "s2": "N,{id},Turing,Alan,,,,,,F,German",
}
# What v3.1 adds to a student with all fields, and what v3.0 has in its place.
LATER = {
    "disability": {"disability_status": "Y", "disability_code": "aut"},
    "frl_status": "Other",
    "gifted_status": "Y",
    "home_language": "Maori",
    "home_language_code": "mri",
    "preferred_name": {"first": "Em", "middle": "", "last": ""},
    "section_504_status": "N",
}
FIRST = {"frl_status": "", "home_language": ""}

pytestmark = of_files


def _files(**changed: str) -> dict[str, str]:
    ids = [line.split(",")[1] for line in world.FILES["students.csv"].splitlines()[1:]]
    school = world.FILES["students.csv"].splitlines()[1].split(",")[0]
    lines = []
    for place, id_ in enumerate(ids):
        name = "s1" if place == 0 else "s2"
        line = changed.get(name, STUDENTS[name]).format(id=id_)
        lines.append(f"{school}{line[1:]}\n")
    return {**world.FILES, "students.csv": HEADER + "".join(lines)}


def _reader(desk: Desk, name: str = "Whole") -> Reader:
    return desk.connect(name, (*SECURE_SYNC, *SENSITIVE), SENSITIVE_FIELDS)


def _students(reader: Reader, version: str) -> dict[str, dict[str, Any]]:
    people = reader.pull(f"/{version}/users?role=student", 2)
    return {person["id"]: person for person in people}


def _first(people: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The fields that differ between versions, of the student with all fields."""
    role = next(person for person in people.values() if person["name"]["first"] == "Emmy")["roles"]["student"]
    return {name: role[name] for name in LATER if name in role}


def test_a_student_has_the_fields_and_words_of_the_version_asked_for(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    first, later = _students(reader, "v3.0"), _students(reader, "v3.1")
    assert list(first) == list(later)
    assert _first(first) == FIRST
    assert _first(later) == LATER
    assert all(first[id_]["created"] == later[id_]["created"] for id_ in first)
    for id_, person in later.items():
        assert reader.read(f"/v3.1/users/{id_}")["data"] == person
        assert reader.read(f"/v3.0/users/{id_}")["data"] == first[id_]
    section = next(one for one in reader.pull("/v3.1/sections") if one["students"])
    taught = reader.pull(f"/v3.1/sections/{section['id']}/users?role=student", 1)
    assert taught == [later[person["id"]] for person in taught] != []


def test_every_list_has_the_same_ids_in_both_and_links_of_its_own_version(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    for kind in KINDS:
        pages = {version: reader.ask(f"/{version}/{kind}?limit=3") for version in ("v3.0", "v3.1")}
        assert b"/v3.0/" not in pages["v3.1"].body
        assert b"/v3.1/" not in pages["v3.0"].body
        ids = [
            [element["data"]["id"] for element in json.loads(page.body)["data"]] for page in pages.values()
        ]
        assert ids[0] == ids[1]


@pytest.mark.parametrize("sensitive", [(), ("student.ell_status",)])
def test_what_the_district_does_not_open_is_in_no_version(
    empty_desk: Desk, sensitive: tuple[str, ...]
) -> None:
    empty_desk.sync(_files())
    reader = empty_desk.connect("Part", (*SECURE_SYNC, *SENSITIVE), sensitive)
    assert _students(reader, "v3.1") == _students(reader, "v3.0")
    reader.share(sensitive=("student.gifted_status",))
    assert _first(_students(reader, "v3.1")) == {"gifted_status": "Y"}
    assert _first(_students(reader, "v3.0")) == {}
    reader.share(sensitive=())
    assert _first(_students(reader, "v3.1")) == {}


def test_a_student_who_is_not_shared_is_in_no_version(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    gone = next(iter(_students(reader, "v3.1")))
    reader.share({"rules": []}, sensitive=tuple(SENSITIVE_FIELDS))
    assert reader.ask(f"/v3.1/users/{gone}").status == 404
    assert _students(reader, "v3.1") == {}


def test_a_change_of_a_later_field_is_an_event_of_the_later_version_alone(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    reader.listen()
    before = _students(reader, "v3.0")
    since = reader.ask("/v3.1/users?limit=1").headers
    snapshot = next(value.decode() for name, value in since if name == b"x-rollbook-snapshot")
    empty_desk.sync(_files(s1=STUDENTS["s1"].replace("Emmy,Y,", "Emmy,N,")))
    assert reader.pull("/v3.0/events?record_type=users") == []
    assert _students(reader, "v3.0") == before
    (event,) = reader.pull("/v3.1/events?record_type=users")
    assert event["type"] == "users.updated"
    assert event["data"]["previous_attributes"] == {"roles": {"student": {"gifted_status": "Y"}}}
    assert event["data"]["object"]["roles"]["student"]["gifted_status"] == "N"
    assert reader.read(f"/v3.1/events/{event['id']}")["data"] == event
    assert reader.ask(f"/v3.0/events/{event['id']}").status == 404
    (caught,) = reader.pull(f"/v3.1/events?since_snapshot={snapshot}&record_type=users")
    assert caught["data"] == event["data"]
    assert reader.pull(f"/v3.0/events?since_snapshot={snapshot}&record_type=users") == []


def test_a_change_that_both_show_is_one_event_with_one_id(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    reader.listen()
    empty_desk.sync(_files(s1=STUDENTS["s1"].replace("Emmy,Y,", "Emmi,N,")))
    (first,), (later,) = (reader.pull(f"/{name}/events?record_type=users") for name in ("v3.0", "v3.1"))
    assert first["id"] == later["id"]
    assert list(first["data"]["previous_attributes"]) == ["name"]
    assert later["data"]["previous_attributes"]["roles"] == {"student": {"gifted_status": "Y"}}
    assert "gifted_status" not in json.dumps(first)
    # A field that is closed later also leaves the events of the past.
    reader.share(sensitive=())
    assert '"gifted_status": "Y"' not in json.dumps(reader.pull("/v3.1/events"))


def test_a_pull_that_began_before_a_sync_goes_on_as_it_was(empty_desk: Desk) -> None:
    empty_desk.sync(_files())
    reader = _reader(empty_desk)
    before = _students(reader, "v3.1")
    page = reader.read("/v3.1/users?role=student&limit=1")
    empty_desk.sync(_files(s1=STUDENTS["s1"].replace("Emmy,Y,", "Emmy,N,")))
    found = [element["data"] for element in page["data"]]
    while at := next((link["uri"] for link in page["links"] if link["rel"] == "next"), None):
        page = reader.read(at)
        found += [element["data"] for element in page["data"]]
    assert found == list(before.values())
