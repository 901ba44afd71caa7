"""Where a field's value comes from, what a field's id leads to, and what is left of a hidden one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollbook.contract.clever import record_links
from rollbook.contract.clever.event_rows import cut, roles_gone, veiled
from rollbook.contract.clever.field_sources import columns_of_field
from rollbook.contract.clever.fields import Field
from rollbook.contract.clever.view_spec import Shown
from rollbook.contract.dialect import Dialect
from rollbook.domain import upload_notices
from rollbook.domain.access import SECURE_SYNC


@pytest.mark.parametrize(
    ("shape", "field", "expected"),
    [
        ("School", Field("name"), ["schools.csv School_name"]),
        ("School", Field("principal", of="Principal"), []),
        ("School", Field("mascot"), []),
    ],
)
def test_a_field_is_filled_from_columns_of_the_current_files(
    shape: str, field: Field, expected: list[str]
) -> None:
    assert expected == [f"{column.file} {column.header}" for column in columns_of_field(shape, field)]


def test_a_link_is_named_as_a_path_into_the_record() -> None:
    links = {(link.kind, link.field): link.target for link in record_links.FIELD_LINKS}
    assert links["users", "roles.contact.student_relationships.student"] == "users"
    assert set(record_links.by_path_alone()) == {
        ("schools", "courses"),
        ("schools", "terms"),
        ("courses", "resources"),
    }


def test_a_dialect_addresses_its_records() -> None:
    assert Dialect("v9.9").address("users", "5f") == "/v9.9/users/5f"
    assert Dialect("v9.9").prefix == "/v9.9"


def test_an_earlier_record_of_a_person_without_roles_has_nothing_to_hide() -> None:
    person = {"id": "5f", "email": "emmy@north.example", "roles": {}}
    assert cut("users", person, {"student.email"}) == person


@pytest.mark.parametrize(
    ("kind", "previous", "hidden_roles", "expected"),
    [
        (
            "districts",
            {"district_contact": {"name": "Ann"}, "name": "Old"},
            [],
            {"district_contact": {}, "name": "Old"},
        ),
        ("districts", {"name": "Old"}, [], {"name": "Old"}),
        ("schools", {"name": "Old", "sis_id": "N"}, [], {"name": "Old", "sis_id": ""}),
        (
            "users",
            {
                "name": {"first": "Emmy"},
                "roles": {"student": {"grade": "9", "dob": "1/2/2014"}, "contact": {"phone": "1"}},
            },
            [],
            {"name": {"first": "Emmy"}, "roles": {"student": {"grade": "9", "dob": ""}}},
        ),
        ("users", {"email": "emmy@x.org"}, [], {"email": ""}),
        (
            "users",
            {"name": {"first": "Ada"}, "roles": {"staff": {"title": "Head"}}},
            ["staff"],
            {"name": {}, "roles": {"staff": {}}},
        ),
    ],
)
def test_previous_attributes_say_nothing_that_is_hidden_now(
    kind: str, previous: dict[str, Any], hidden_roles: list[str], expected: dict[str, Any]
) -> None:
    hidden = {"school.sis_id", "student.dob", "student.email", "contact"}
    assert expected == veiled(kind, previous, hidden, hidden_roles)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"roles": {"staff": {}, "teacher": {}}}, {"roles": {"teacher": {}}}, ["staff"]),
        ({"roles": {"staff": {}}}, {}, ["staff"]),
        ({}, {}, []),
    ],
)
def test_roles_that_a_person_had_are_named(
    before: dict[str, Any], after: dict[str, Any], expected: list[str]
) -> None:
    assert (roles_gone("users", before, after), roles_gone("schools", before, after)) == (expected, [])


def test_a_cloned_district_shows_no_words_of_its_source() -> None:
    assert [upload_notices.of_source(text) for text in ("", upload_notices.HELD, "pupil 7 is wrong")] == [
        "",
        upload_notices.HELD,
        upload_notices.SOURCE_TROUBLE,
    ]


def test_a_view_shows_everybody_if_it_has_the_scopes_of_all_roles_and_no_share() -> None:
    everybody = Shown(scopes=SECURE_SYNC)
    assert everybody.shows_everybody
    assert not replace(everybody, scopes=()).shows_everybody
