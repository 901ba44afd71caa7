"""The small world, from CSV files to whole JSON bodies, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from tests import world
from tests.journeys.hub import Client, Hub

Ids = dict[str, str]


@pytest.fixture(scope="module")
def small_world(module_database_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of the small world, synced once."""
    with closing(open_database(module_database_address)) as database:
        migrate(database)
        with closing(Hub(database, module_database_address, tmp_path_factory.mktemp("world"))) as hub:
            assert hub.sync(world.FILES).problem_counts == {}
            yield hub.client(hub.connect())


@pytest.fixture(scope="module")
def ids(small_world: Client) -> Ids:
    """Ids by SIS id; terms and courses, which have none, by name."""
    found = {
        record["sis_id"]: record["id"]
        for kind in ("schools", "sections")
        for record in small_world.records(f"/v3.0/{kind}")
    }
    found |= {
        record["name"]: record["id"]
        for kind in ("terms", "courses")
        for record in small_world.records(f"/v3.0/{kind}")
    }
    found |= {record["resource_id"]: record["id"] for record in small_world.records("/v3.0/resources")}
    for user in small_world.records("/v3.0/users"):
        for role in user["roles"].values():
            found[str(role.get("sis_id") or role.get("staff_id") or role["title"])] = user["id"]
    found["district"] = small_world.read("/v3.0/districts")["data"][0]["data"]["id"]
    return found


@pytest.fixture(scope="module")
def moment(small_world: Client) -> str:
    """When it was synced."""
    found: str = small_world.read("/v3.0/districts")["data"][0]["data"]["last_sync"]
    return found


def links(path: str, *tails: str) -> list[dict[str, str]]:
    return [{"rel": "self", "uri": path}, *({"rel": tail, "uri": f"{path}/{tail}"} for tail in tails)]


def test_the_district(small_world: Client, ids: Ids, moment: str) -> None:
    body = small_world.read(f"/v3.0/districts/{ids['district']}")
    portal = body["data"].pop("portal_url")
    assert body == {
        "data": {
            "id": ids["district"],
            "name": "Springfield",
            "sis_type": "sftp",
            "state": "running",
            "error": "",
            "launch_date": body["data"]["launch_date"],
            "login_methods": ["Other"],
            "last_sync": moment,
        },
        "links": links(f"/v3.0/districts/{ids['district']}"),
    }
    assert "/in/springfield" in portal
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", body["data"]["launch_date"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)


def test_a_school(small_world: Client, ids: Ids, moment: str) -> None:
    path = f"/v3.0/schools/{ids['N']}"
    assert small_world.read(path) == {
        "data": {
            "id": ids["N"],
            "district": ids["district"],
            "name": "North High",
            "sis_id": "N",
            "school_number": "101",
            "state_id": "S-1",
            "low_grade": "9",
            "high_grade": "12",
            "phone": "(312) 555-0101",
            "location": {"address": "", "city": "Springfield", "state": "", "zip": ""},
            "principal": {"name": "Ada Byrne", "email": "ada@north.example"},
            "ext": {},
            "created": moment,
            "last_modified": moment,
        },
        "links": links(path, "district", "sections", "users", "terms", "courses"),
    }


def test_cells_left_blank_are_blank_and_columns_not_sent_are_no_keys(small_world: Client, ids: Ids) -> None:
    south = small_world.read(f"/v3.0/schools/{ids['S']}")["data"]
    assert {name for name, value in south.items() if value == ""} == {"state_id", "phone"}
    assert not {"nces_id", "mdr_number"} & south.keys()
    katherine = small_world.read(f"/v3.0/users/{ids['katherine']}")["data"]["roles"]["student"]
    assert {name for name, value in katherine.items() if value == ""} == {"dob", "gender", "race"}
    assert (
        not {"state_id", "student_number", "graduation_year", "location", "hispanic_ethnicity"}
        & katherine.keys()
    )


def test_a_term_a_course_and_a_resource(small_world: Client, ids: Ids, moment: str) -> None:
    term, course, resource = (
        f"/v3.0/terms/{ids['Fall']}",
        f"/v3.0/courses/{ids['Algebra']}",
        f"/v3.0/resources/{ids['plotter']}",
    )
    fall = {"name": "Fall", "start_date": "2026-08-17", "end_date": "2026-12-18"}
    assert small_world.read(term) == {
        "data": {"id": ids["Fall"], "district": ids["district"], **fall},
        "links": links(term, "district", "sections", "schools"),
    }
    assert small_world.read(course) == {
        "data": {"id": ids["Algebra"], "district": ids["district"], "name": "Algebra", "number": "MA1"},
        "links": links(course, "district", "sections", "schools"),
    }
    plotter = {
        "resource_id": "plotter",
        "title": "Curve Plotter",
        "roles": ["student"],
        "created": moment,
        "updated": moment,
    }
    assert small_world.read(resource) == {
        "data": {"id": ids["plotter"], "district": ids["district"], **plotter},
        "links": links(resource, "courses", "sections", "users"),
    }


def test_a_section_with_two_teachers(small_world: Client, ids: Ids, moment: str) -> None:
    path = f"/v3.0/sections/{ids['algebra']}"
    assert small_world.read(path) == {
        "data": {
            "id": ids["algebra"],
            "district": ids["district"],
            "school": ids["N"],
            "name": "Algebra - Lovelace - 2",
            "sis_id": "algebra",
            "course": ids["Algebra"],
            "term_id": ids["Fall"],
            "period": "2",
            "grade": "10",
            "subject": "math",
            "teacher": ids["t-ada"],
            "teachers": [ids["t-ada"], ids["t-grace"]],
            "students": sorted([ids["emmy"], ids["alan"]]),
            "ext": {},
            "created": moment,
            "last_modified": moment,
        },
        "links": links(path, "district", "school", "term", "course", "users"),
    }


def test_a_section_without_course_and_term_keeps_the_name_of_the_sis(small_world: Client, ids: Ids) -> None:
    homeroom = small_world.read(f"/v3.0/sections/{ids['homeroom']}")["data"]
    assert (homeroom["name"], homeroom["subject"], homeroom["period"]) == ("Room 12", "other", "")
    assert not {"course", "term_id"} & homeroom.keys()


def test_a_student_in_two_schools(small_world: Client, ids: Ids, moment: str) -> None:
    path = f"/v3.0/users/{ids['emmy']}"
    assert small_world.read(path) == {
        "data": {
            "id": ids["emmy"],
            "district": ids["district"],
            "email": "emmy@north.example",
            "name": {"first": "Emmy", "last": "Noether", "middle": ""},
            "roles": {
                "student": {
                    "sis_id": "emmy",
                    "email": "emmy@north.example",
                    "credentials": {"district_username": ""},
                    "school": ids["N"],
                    "schools": sorted([ids["N"], ids["S"]]),
                    "grade": "11",
                    "dob": "3/23/2009",
                    "gender": "F",
                    "race": "Caucasian",
                    "enrollments": [],
                    "ext": {"bus": "7"},
                }
            },
            "created": moment,
            "last_modified": moment,
        },
        "links": links(path, "district", "sections", "myContacts", "myTeachers", "schools"),
    }


def test_a_teacher_who_is_also_staff_is_one_person(small_world: Client, ids: Ids, moment: str) -> None:
    path = f"/v3.0/users/{ids['t-ada']}"
    body = small_world.read(path)
    legacy = [body["data"]["roles"][role].pop("legacy_id") for role in ("teacher", "staff")]
    assert len({*legacy, ids["t-ada"]}) == 3
    assert ids["t-ada"] == ids["s-ada"]
    assert body == {
        "data": {
            "id": ids["t-ada"],
            "district": ids["district"],
            "email": "ada@north.example",
            "name": {"first": "Ada", "last": "Lovelace", "middle": ""},
            "roles": {
                "teacher": {
                    "sis_id": "t-ada",
                    "teacher_number": "11",
                    "title": "Dr.",
                    "credentials": {"district_username": ""},
                    "school": ids["N"],
                    "schools": [ids["N"]],
                    "ext": {},
                },
                "staff": {
                    "staff_id": "s-ada",
                    "department": "Mathematics",
                    "title": "Head",
                    "credentials": {"district_username": ""},
                    "roles": ["SchoolTechLead"],
                    "schools": sorted([ids["N"], ids["S"]]),
                },
            },
            "created": moment,
            "last_modified": moment,
        },
        "links": links(path, "district", "sections", "myStudents", "schools"),
    }


def test_a_teacher_who_administers_the_district(small_world: Client, ids: Ids) -> None:
    grace = small_world.read(f"/v3.0/users/{ids['t-grace']}")["data"]
    assert grace["id"] == ids["Superintendent"]
    assert grace["name"] == {"first": "Grace", "last": "Hopper", "middle": ""}
    assert list(grace["roles"]) == ["teacher", "district_admin"]
    assert grace["roles"]["district_admin"] == {
        "title": "Superintendent",
        "legacy_id": grace["roles"]["district_admin"]["legacy_id"],
    }


def test_a_contact_of_two_students(small_world: Client, ids: Ids, moment: str) -> None:
    path = f"/v3.0/users/{ids['byron']}"
    body = small_world.read(path)
    assert re.fullmatch("[0-9a-f]{24}", body["data"]["roles"]["contact"].pop("legacy_id"))
    assert body == {
        "data": {
            "id": ids["byron"],
            "district": ids["district"],
            "email": "byron@home.example",
            "name": {"last": "Byron Guardian"},
            "roles": {
                "contact": {
                    "sis_id": "byron",
                    "phone": "(312) 555-0199",
                    "student_relationships": [
                        {"student": ids["emmy"], "relationship": "Parent", "type": "Primary"},
                        {"student": ids["alan"], "relationship": "Aunt/Uncle", "type": "Emergency"},
                    ],
                }
            },
            "created": moment,
            "last_modified": moment,
        },
        "links": links(path, "district", "sections", "schools"),
    }


# Every list of the small world, by the SIS ids in it.
LISTS = {
    "/schools": "N S",
    "/terms": "Fall",
    "/courses": "Algebra Poetry",
    "/resources": "plotter",
    "/sections": "algebra poetry homeroom",
    "/users": "emmy alan katherine byron t-ada t-grace",
    "/users?role=student": "emmy alan katherine",
    "/users?role=teacher": "t-ada t-grace",
    "/users?role=staff": "t-ada",
    "/users?role=district_admin": "t-grace",
    "/users?role=contact": "byron",
    "/schools/{N}/users": "emmy alan t-ada t-grace",
    "/schools/{N}/users?primary=true": "emmy alan t-ada t-grace",
    "/schools/{N}/users?role=staff": "t-ada",
    "/schools/{S}/users": "emmy katherine t-ada t-grace",
    "/schools/{S}/users?role=teacher": "t-grace",
    "/schools/{S}/users?primary=true": "katherine t-ada",
    "/schools/{S}/users?primary=true&role=student": "katherine",
    "/schools/{N}/sections": "algebra homeroom",
    "/schools/{S}/sections": "poetry",
    "/schools/{N}/terms": "Fall",
    "/schools/{S}/terms": "Fall",
    "/schools/{N}/courses": "Algebra",
    "/schools/{S}/courses": "Poetry",
    "/terms/{Fall}/schools": "N S",
    "/terms/{Fall}/sections": "algebra poetry",
    "/courses/{Algebra}/schools": "N",
    "/courses/{Algebra}/sections": "algebra",
    "/courses/{Algebra}/resources": "plotter",
    "/courses/{Poetry}/resources": "",
    "/sections/{algebra}/users": "emmy alan t-ada t-grace",
    "/sections/{algebra}/users?role=student": "emmy alan",
    "/sections/{algebra}/users?role=teacher": "t-ada t-grace",
    "/sections/{algebra}/resources": "plotter",
    "/sections/{homeroom}/resources": "",
    "/resources/{plotter}/courses": "Algebra",
    "/resources/{plotter}/sections": "algebra",
    "/resources/{plotter}/users": "emmy alan",
    "/resources/{plotter}/users?role=student": "emmy alan",
    "/resources/{plotter}/users?role=teacher": "",
    "/users/{emmy}/sections": "algebra poetry",
    "/users/{emmy}/schools": "N S",
    "/users/{emmy}/schools?primary=true": "N",
    "/users/{emmy}/myteachers": "t-ada t-grace",
    "/users/{emmy}/mycontacts": "byron",
    "/users/{emmy}/mystudents": "",
    "/users/{emmy}/resources": "plotter",
    "/users/{alan}/sections": "algebra homeroom",
    "/users/{katherine}/sections": "",
    "/users/{katherine}/schools": "S",
    "/users/{katherine}/myteachers": "",
    "/users/{katherine}/resources": "",
    "/users/{t-ada}/sections": "algebra homeroom",
    "/users/{t-ada}/mystudents": "emmy alan",
    "/users/{t-ada}/schools": "N S",
    "/users/{t-ada}/schools?primary=true": "N S",
    "/users/{t-ada}/resources": "",
    "/users/{t-grace}/sections": "algebra poetry",
    "/users/{t-grace}/schools": "N S",
    "/users/{t-grace}/schools?primary=true": "N",
    "/users/{byron}/mystudents": "emmy alan",
    "/users/{byron}/schools": "N S",
    "/users/{byron}/schools?primary=true": "N",
    "/users/{byron}/sections": "",
    "/users/{byron}/mycontacts": "",
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list(small_world: Client, ids: Ids, path: str) -> None:
    page = small_world.read("/v3.0" + path.format_map(ids))
    assert sorted(ids[name] for name in LISTS[path].split()) == [
        element["data"]["id"] for element in page["data"]
    ]


def test_a_whole_page(small_world: Client, ids: Ids) -> None:
    def element(name: str) -> dict[str, Any]:
        uri = f"/v3.0/users/{ids[name]}"
        return {"data": small_world.read(uri)["data"], "uri": uri}

    asked = f"/v3.0/sections/{ids['algebra']}/users?role=teacher&limit=1"
    first, second = sorted(("t-ada", "t-grace"), key=lambda name: ids[name])
    onwards, back = f"{asked}&starting_after={ids[first]}", f"{asked}&ending_before={ids[second]}"
    assert small_world.read(asked) == {
        "data": [element(first)],
        "links": [{"rel": "self", "uri": asked}, {"rel": "next", "uri": onwards}],
    }
    assert small_world.read(onwards) == {
        "data": [element(second)],
        "links": [{"rel": "self", "uri": onwards}, {"rel": "prev", "uri": back}],
    }


def test_ids_rise_in_the_order_in_which_a_client_may_load_them(small_world: Client, ids: Ids) -> None:
    order = (
        "N",
        "S",
        "Fall",
        "Algebra",
        "Poetry",
        "plotter",
        "emmy",
        "alan",
        "katherine",
        "byron",
        "t-ada",
        "t-grace",
        "algebra",
    )
    assert [ids[name] for name in order] == sorted(ids[name] for name in order)
