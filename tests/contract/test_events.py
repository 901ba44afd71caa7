"""The content of events: old values by the recorded rules, and a place in the batch after the records they
name."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.contract.clever import event_rows
from rollbook.contract.clever.event_rows import (
    ORDER,
    TYPES,
    VERBS,
    previous_attributes,
    rank,
    schools_of,
    shown,
)
from rollbook.domain.kinds import ROLE, ROLES
from rollbook.roster.views import diff

Json = dict[str, Any]

SCHOOL: Json = {
    "id": "58da8c58155b940248000001",
    "name": "Ash School",
    "low_grade": "Kindergarten",
    "location": {"address": "1 Ash St", "city": "Ashton", "state": "NY", "zip": "11211"},
    "principal": {"name": "Pia Ohm", "email": "pia@example.org"},
    "ext": {"charter_school": "", "wing": "east"},
    "created": "2026-01-12T18:46:36.735Z",
    "last_modified": "2026-02-04T20:53:03.602Z",
}
STUDENT: Json = {
    "id": "58da8c63d7dc0ca068000401",
    "email": "k.o@example.net",
    "name": {"first": "Kim", "last": "Oto", "middle": "I"},
    "created": "2026-01-12T18:46:36.735Z",
    "last_modified": "2026-02-04T20:53:03.602Z",
    "roles": {
        "student": {
            "credentials": {"district_username": "kimo70"},
            "email": "k.o@example.net",
            "enrollments": [],
            "ext": {"gifted_status": "Y"},
            "gender": "X",
            "grade": "12",
            "location": {"address": "", "city": "", "state": "", "zip": "11211"},
            "school": "58da8c58155b940248000001",
            "schools": ["58da8c58155b940248000001"],
            "sis_id": "100200301",
        }
    },
}
TEACHER: Json = {
    "id": "67290af290b55408fa4b0901",
    "email": "d.b@example.org",
    "name": {"first": "Dan", "last": "Bo", "middle": ""},
    "roles": {"teacher": {"ext": {}, "schools": ["58da8c58155b940248000002"], "sis_id": "42", "title": ""}},
}
STAFF_ROLE: Json = {
    "department": "",
    "roles": ["PortalOnly"],
    "schools": ["58da8c58155b940248000001"],
    "staff_id": "74002",
}
CONTACT: Json = {
    "id": "63850203bfb8460546071e01",
    "name": {"last": "Pat Oto"},
    "roles": {
        "contact": {
            "phone": "(555) 010-0199",
            "student_relationships": [
                {"relationship": "Parent", "student": "58da8c63d7dc0ca068000401", "type": "Parent/Guardian"},
                {"relationship": "Aunt/Uncle", "student": "58da8c63d7dc0ca06800041f", "type": "Family"},
            ],
        }
    },
}


def with_role(record: Json, role: str, **changes: Any) -> Json:
    """The record with some fields of one role set; fields given as None are removed."""
    changed = {**record["roles"].get(role, {}), **changes}
    kept = {name: value for name, value in changed.items() if value is not None}
    return {**record, "roles": {**record["roles"], role: kept}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            SCHOOL,
            {
                **SCHOOL,
                "low_grade": "TransitionalKindergarten",
                "ext": {"charter_school": "N", "wing": "east"},
            },
            {"low_grade": "Kindergarten", "ext": {"charter_school": ""}},
            id="the recorded school: a scalar, and only the changed leaf of ext",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", gender="M", ext={"gifted_status": ""}),
            {"roles": {"student": {"gender": "X", "ext": {"gifted_status": "Y"}}}},
            id="the recorded student: leaves below the role and its ext",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", schools=["58da8c58155b940248000001", "58da8c58155b940248000002"]),
            {"roles": {"student": {"schools": ["58da8c58155b940248000001"]}}},
            id="a list whole, as it was",
        ),
        pytest.param(
            STUDENT,
            {**STUDENT, "name": {"first": "Kim", "last": "Oto", "middle": "J"}},
            {"name": {"first": "Kim", "last": "Oto", "middle": "I"}},
            id="a name whole, though one part changed",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", location={"address": "", "city": "", "state": "", "zip": "10001"}),
            {"roles": {"student": {"location": {"address": "", "city": "", "state": "", "zip": "11211"}}}},
            id="a location whole",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", credentials={"district_username": ""}),
            {"roles": {"student": {"credentials": {"district_username": "kimo70"}}}},
            id="credentials whole",
        ),
        pytest.param(
            SCHOOL,
            {**SCHOOL, "principal": {"name": "Pia Ohm", "email": ""}},
            {"principal": {"name": "Pia Ohm", "email": "pia@example.org"}},
            id="a principal whole",
        ),
        pytest.param(
            {"id": "r", "title": "Plotter", "roles": ["student"]},
            {"id": "r", "title": "Curve Plotter", "roles": ["student", "teacher"]},
            {"title": "Plotter", "roles": ["student"]},
            id="a resource, whose roles are a list",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", dob="6/18/1998"),
            {"roles": {"student": {"dob": ""}}},
            id="a text that was absent is blank",
        ),
        pytest.param(
            with_role(STUDENT, "student", schools=None),
            STUDENT,
            {"roles": {"student": {"schools": []}}},
            id="a list that was absent is empty",
        ),
        pytest.param(
            with_role(STUDENT, "student", location=None),
            STUDENT,
            {"roles": {"student": {"location": {}}}},
            id="an object that was absent is empty",
        ),
        pytest.param(
            {name: value for name, value in SCHOOL.items() if name != "ext"},
            SCHOOL,
            {"ext": {"charter_school": "", "wing": ""}},
            id="an ext that was absent has blank leaves",
        ),
        pytest.param(
            STUDENT,
            with_role(STUDENT, "student", grade=None),
            {"roles": {"student": {"grade": "12"}}},
            id="a field that vanished, as it was",
        ),
        pytest.param(
            SCHOOL,
            {**SCHOOL, "ext": {"wing": "east"}},
            {"ext": {"charter_school": ""}},
            id="a leaf of ext that vanished, as it was",
        ),
        pytest.param(
            TEACHER,
            with_role(TEACHER, "staff", **STAFF_ROLE),
            {"roles": {"staff": {}}},
            id="a role that appeared is empty",
        ),
        pytest.param(
            with_role(TEACHER, "staff", **STAFF_ROLE),
            TEACHER,
            {"roles": {"staff": STAFF_ROLE}},
            id="a role that vanished, whole",
        ),
        pytest.param(
            SCHOOL,
            {**SCHOOL, "last_modified": "2026-03-01T00:00:00.000Z", "name": "Ash"},
            {"name": "Ash School"},
            id="never the dates",
        ),
        pytest.param(
            SCHOOL,
            {**SCHOOL, "last_modified": "2026-03-01T00:00:00.000Z"},
            {},
            id="nothing when only dates differ",
        ),
        pytest.param(
            {"id": "1", "resource_id": "r", "updated": "a"},
            {"id": "1", "resource_id": "r", "updated": "b"},
            {},
            id="a resource's date",
        ),
        pytest.param(SCHOOL, dict(SCHOOL), {}, id="nothing when nothing differs"),
    ],
)
def test_previous_attributes_follow_the_recorded_rules(before: Json, after: Json, expected: Json) -> None:
    assert expected == previous_attributes(before, after)


# Applied to the new record, they give the old one --------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "b", "ä"])
OBJECTS = st.dictionaries(st.sampled_from(["first", "last"]), TEXTS, max_size=2)
LEAVES = st.one_of(TEXTS, st.lists(TEXTS, max_size=3))
EXT = st.dictionaries(st.sampled_from(["one", "two"]), TEXTS, max_size=2)
ROLE_RECORDS = st.fixed_dictionaries(
    {"sis_id": TEXTS},
    optional={"title": TEXTS, "schools": st.lists(TEXTS, max_size=2), "location": OBJECTS, "ext": EXT},
)
RECORDS = st.fixed_dictionaries(
    {"id": st.just("1"), "last_modified": TEXTS},
    optional={
        "grade": TEXTS,
        "students": st.lists(TEXTS, max_size=3),
        "name": OBJECTS,
        "ext": EXT,
        "roles": st.dictionaries(
            st.sampled_from([role.name for role in ROLES]), ROLE_RECORDS, min_size=1, max_size=3
        ),
    },
)


def applied(new: Json, previous: Json) -> Json:
    """The new record with its old values restored, as a client would do."""
    old = {**new, **{name: value for name, value in previous.items() if name not in ("ext", "roles")}}
    if "ext" in previous:
        old["ext"] = {**new.get("ext", {}), **previous["ext"]}
    for role, values in previous.get("roles", {}).items():
        was = applied(new.get("roles", {}).get(role, {}), values) if values else {}
        old["roles"] = {**old.get("roles", {}), role: was}
    return old


def without_blanks(value: Any) -> Any:
    """The value with absent and blank fields made equal."""
    if not isinstance(value, dict):
        return value
    kept = {name: without_blanks(inner) for name, inner in value.items() if name != "last_modified"}
    return {name: inner for name, inner in kept.items() if inner not in ("", [], {})}


@given(RECORDS, RECORDS)
def test_previous_attributes_applied_to_the_new_record_give_the_old_one(before: Json, after: Json) -> None:
    assert without_blanks(before) == without_blanks(applied(after, previous_attributes(before, after)))


@given(RECORDS, RECORDS)
def test_previous_attributes_are_empty_only_when_nothing_but_dates_differs(before: Json, after: Json) -> None:
    same = {**before, "last_modified": ""} == {**after, "last_modified": ""}
    assert same == (previous_attributes(before, after) == {})


@given(RECORDS, RECORDS)
def test_previous_attributes_never_hold_null_nor_dates(before: Json, after: Json) -> None:
    found = repr(previous_attributes(before, after))
    assert "None" not in found
    assert "last_modified" not in found


# What an event shows ---------------------------------------------------------------------------------------


def test_an_event_shows_a_student_without_the_inner_email() -> None:
    object_ = shown("users", STUDENT)
    assert "email" not in object_["roles"]["student"]
    assert {**STUDENT["roles"]["student"]} == {**object_["roles"]["student"], "email": "k.o@example.net"}
    assert STUDENT["email"] == object_["email"]


def test_an_event_shows_a_contact_with_the_keys_of_version_2_as_well() -> None:
    expected = {
        **CONTACT["roles"]["contact"],
        "relationship": "Parent",
        "type": "Parent/Guardian",
        "students": ["58da8c63d7dc0ca068000401", "58da8c63d7dc0ca06800041f"],
    }
    assert expected == shown("users", CONTACT)["roles"]["contact"]


def test_an_event_shows_a_contact_without_students_with_blank_keys() -> None:
    alone = with_role(CONTACT, "contact", student_relationships=[])
    contact = shown("users", alone)["roles"]["contact"]
    assert (contact["relationship"], contact["type"], contact["students"]) == ("", "", [])


@pytest.mark.parametrize("kind", ["schools", "terms", "courses", "sections", "resources", "districts"])
def test_an_event_shows_other_kinds_as_the_data_api_does(kind: str) -> None:
    assert shown(kind, SCHOOL) == SCHOOL


def test_an_event_leaves_the_record_itself_alone() -> None:
    before = repr((STUDENT, CONTACT))
    shown("users", STUDENT)
    shown("users", CONTACT)
    assert before == repr((STUDENT, CONTACT))


def test_an_event_is_found_by_every_school_of_its_record() -> None:
    both = with_role(TEACHER, "staff", **STAFF_ROLE)
    assert schools_of("users", both) == ["58da8c58155b940248000001", "58da8c58155b940248000002"]
    assert [SCHOOL["id"]] == schools_of("schools", SCHOOL)
    assert schools_of("sections", {"school": "s"}) == ["s"]
    assert schools_of("users", CONTACT) == []
    assert schools_of("terms", {"id": "t"}) == []


# Order in a batch ------------------------------------------------------------------------------------------

MASKS = [*(role.bit for role in ROLES), *(mask for mask in range(2, 15) if not mask & 1)]


def test_there_are_21_types() -> None:
    assert len(set(TYPES)) == 21


def test_created_and_updated_come_parents_first_and_deleted_children_first() -> None:
    def listed(verb: str) -> list[tuple[str, str | None]]:
        return sorted(ORDER, key=lambda entry: rank(entry[0], ROLE[entry[1]].bit if entry[1] else 0, verb))

    assert list(ORDER) == listed("created") == listed("updated")
    assert list(reversed(ORDER)) == listed("deleted")
    assert rank("users", ROLE["staff"].bit, "created") < rank("districts", 0, "updated")
    assert rank("users", ROLE["staff"].bit, "updated") < rank("users", ROLE["staff"].bit, "deleted")


@pytest.mark.parametrize("mask", [mask for mask in MASKS if mask != ROLE["district_admin"].bit])
def test_people_with_schools_are_created_after_them_and_deleted_before_them(mask: int) -> None:
    assert rank("schools", 0, "created") < rank("users", mask, "created")
    assert rank("users", mask, "deleted") < rank("schools", 0, "deleted")


@pytest.mark.parametrize(
    "mask", [mask for mask in MASKS if mask & (ROLE["teacher"].bit | ROLE["student"].bit)]
)
def test_people_in_a_section_are_created_before_it_and_deleted_after_it(mask: int) -> None:
    assert rank("users", mask, "created") < rank("sections", 0, "created")
    assert rank("sections", 0, "deleted") < rank("users", mask, "deleted")


def test_the_engine_ranks_as_the_contract_does() -> None:
    cases = [
        (kind, mask, verb)
        for kind in ("districts", "schools", "terms", "courses", "resources", "sections")
        for mask in (0,)
        for verb in VERBS
    ]
    cases += [("users", mask, verb) for mask in MASKS for verb in VERBS]
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE changes (place INTEGER, kind VARCHAR, roles BIGINT, verb VARCHAR)")
        engine.executemany(
            "INSERT INTO changes VALUES (?, ?, ?, ?)", [(place, *case) for place, case in enumerate(cases)]
        )
        found = engine.execute(f"SELECT {diff._rank()} FROM changes ORDER BY place").fetchall()
    assert [event_rows.rank(*case) for case in cases] == [place for (place,) in found]
