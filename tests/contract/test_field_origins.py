"""Where a field's value comes from, what a field's id leads to, and what is left of a hidden one."""

from __future__ import annotations

import pytest

from rollbook.contract.clever import record_links
from rollbook.contract.clever.event_rows import cut
from rollbook.contract.clever.field_sources import columns_of_field
from rollbook.contract.clever.fields import Field
from rollbook.contract.dialect import Dialect


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
