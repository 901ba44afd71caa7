"""The OpenAPI document: valid, equal to the published facts and the rows, and good enough to generate a
client from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.fields import SHAPES, Field, Promise
from rollbook.contract.clever.openapi import address, document
from rollbook.contract.clever.openapi_schemas import fields_of, is_certain, marks
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS, SIGN_IN_SHAPES
from rollbook.domain.access import SCOPES
from tests.contract import facts

DOCUMENT: Any = document()
SCHEMAS: Any = DOCUMENT["components"]["schemas"]
_FORM = "application/x-www-form-urlencoded"
ID = "58da8a43cc70ab00017a1a00"
NOW = "2026-01-12T18:46:36.735Z"

STUDENT = {
    "id": ID,
    "district": ID,
    "email": "",
    "name": {"first": "Kim", "last": "Oto", "middle": ""},
    "roles": {
        "student": {
            "sis_id": "100",
            "school": ID,
            "schools": [ID],
            "grade": "",
            "gender": "",
            "race": "",
            "dob": "",
            "graduation_year": "",
            "enrollments": [],
            "ext": {"bus": "12"},
            "location": {"address": "", "city": "", "state": "", "zip": "11211"},
        }
    },
    "created": NOW,
    "last_modified": NOW,
}


def _validate(schema: str, value: object) -> list[str]:
    """What is wrong with the value, one line each; [] if it fits the schema."""
    rooted = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    validator = Draft202012Validator(rooted, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(value)]


def _operation(row: Endpoint) -> Any:
    return DOCUMENT["paths"][f"/v3.0{row.path}"]["get"]


def _resolve(node: Any) -> Any:
    if "$ref" not in node:
        return node
    _, _, section, name = node["$ref"].split("/")
    return DOCUMENT["components"][section][name]


def _walk(node: object, place: str = "") -> Iterator[tuple[str, Any]]:
    yield place, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from _walk(child, f"{place}/{key}")


# --- the document as a whole


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_document_is_plain_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_every_path_of_the_rows_is_in_it_and_no_other() -> None:
    data = {f"/v3.0{row.path}" for row in (*ENDPOINTS, *EVENTS)}
    assert data | {address(row, "3.0") for row in SIGN_IN_OPERATIONS} == set(DOCUMENT["paths"])


def test_every_operation_of_sign_in_is_in_it_with_its_parameters_and_its_credential() -> None:
    schemes = {"user token": ["bearer", "oauth"], "token": ["bearer"], "client": ["client"], "none": []}
    for row in SIGN_IN_OPERATIONS:
        operation = DOCUMENT["paths"][address(row, "3.0")][row.method]
        form = operation.get("requestBody", {"content": {_FORM: {"schema": {"properties": {}}}}})
        named = [each["name"] for each in operation["parameters"]]
        named += form["content"][_FORM]["schema"]["properties"]
        assert [each.name for each in row.parameters] == named
        assert schemes[row.takes] == [name for scheme in operation["security"] for name in scheme]
        assert {"200", *(status for status, _ in row.failures)} <= set(operation["responses"])


def test_shapes_of_sign_in_have_the_fields_of_the_rows_and_require_the_certain_ones() -> None:
    for shape, fields in SIGN_IN_SHAPES.items():
        assert [field.name for field in fields] == list(SCHEMAS[shape]["properties"]), shape
        assert [field.name for field in fields if is_certain(field)] == SCHEMAS[shape]["required"], shape


def test_every_component_is_used() -> None:
    used = {node["$ref"] for _, node in _walk(DOCUMENT) if isinstance(node, dict) and "$ref" in node}
    defined = {
        f"#/components/{section}/{name}"
        for section in ("schemas", "parameters", "headers", "responses")
        for name in DOCUMENT["components"][section]
    }
    assert used == defined


def test_nothing_may_be_null_and_nothing_forbids_new_fields() -> None:
    for place, node in _walk(DOCUMENT):
        if isinstance(node, dict):
            assert node.get("type") != "null", place
            assert not isinstance(node.get("type"), list), place
            assert "nullable" not in node, place
            assert node.get("additionalProperties") is not False, place
            assert None not in node.get("enum", ()), place


def test_the_server_address_is_the_callers() -> None:
    elsewhere: Any = document(server_url="https://rollbook.example/")
    assert elsewhere["servers"][0]["url"] == "https://rollbook.example/"
    flow = elsewhere["components"]["securitySchemes"]["oauth"]["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == "https://rollbook.example/oauth/authorize"
    assert flow["tokenUrl"] == "https://rollbook.example/oauth/tokens"
    assert set(SCOPES) == set(flow["scopes"])


# --- against the published facts


@pytest.mark.parametrize(
    "fact", [fact for fact in facts.operations() if fact.api == "data"], ids=lambda fact: fact.path
)
def test_an_operation_has_its_published_name_tag_answer_and_parameters(fact: facts.Operation) -> None:
    operation = DOCUMENT["paths"][f"/v3.0{fact.path}"]["get"]
    assert fact.operation == operation["operationId"]
    assert [fact.tag] == operation["tags"]
    assert set(fact.statuses.split()) <= set(operation["responses"])
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": f"#/components/schemas/{fact.response}"}
    published = [
        (row.name, row.place, row.type, bool(row.required), list(row.enum))
        for row in facts.parameters()
        if (row.api, row.path) == ("data", fact.path)
    ]
    ours = [
        (
            row["name"],
            row["in"],
            row["schema"]["type"],
            row.get("required", False),
            row["schema"].get("enum", []),
        )
        for row in map(_resolve, operation["parameters"])
    ]
    assert published == ours


def test_every_published_field_that_is_on_the_wire_is_in_its_schema() -> None:
    absent = {
        (shape, field.name) for shape, fields in SHAPES.items() for field in fields if not field.is_on_wire
    }
    for fact in facts.fields():
        if fact.api == "data" and (fact.shape, fact.name) not in absent:
            field = SCHEMAS[fact.shape]["properties"][fact.name]
            values = field["items"] if field.get("type") == "array" else field
            # Links have more words than the published three (protocol.md 5.3).
            assert set(fact.enum) <= set(values.get("enum", ())), fact


# --- against the rows


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.path)
def test_an_operation_promises_the_failures_it_can_have(row: Endpoint) -> None:
    expected = {"200", "401", "404", "429", "500"}
    expected |= {"400"} if row.parameters else set()
    expected |= {"413"} if row.has_paging else set()
    assert expected == set(_operation(row)["responses"])


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.path)
def test_every_counted_answer_has_rate_limit_headers(row: Endpoint) -> None:
    headers = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Bucket"}
    for status, response in _operation(row)["responses"].items():
        if status not in ("401", "500"):
            assert headers == set(_resolve(response)["headers"]), status


def test_limit_and_cursors_have_their_bounds() -> None:
    parameters = DOCUMENT["components"]["parameters"]
    assert parameters["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10_000,
        "default": 100,
    }
    assert parameters["starting_after"]["schema"]["pattern"] == "^[0-9a-fA-F]{24}$"
    assert parameters["ending_before"]["schema"]["pattern"] == "^([0-9a-fA-F]{24}|last)$"


def _every_field() -> Iterator[tuple[str, Field]]:
    for shape in SHAPES:
        for field in fields_of(shape, "3.0"):
            yield shape, field


def test_schemas_have_the_fields_of_the_rows_and_require_the_certain_ones() -> None:
    for shape in SHAPES:
        fields = fields_of(shape, "3.0")
        if fields:
            assert [field.name for field in fields] == list(SCHEMAS[shape]["properties"]), shape
            assert [field.name for field in fields if is_certain(field)] == SCHEMAS[shape].get(
                "required", []
            ), shape


def test_a_field_shows_its_marks_to_programs_and_to_people() -> None:
    for shape, field in _every_field():
        schema = SCHEMAS[shape]["properties"][field.name]
        flags = [mark for mark in ("guaranteed", "nullable", "validated") if schema[f"x-{mark}"]]
        assert list(marks(field)) == flags, (shape, field.name)
        assert schema["description"].startswith(" ".join(f"{mark.title()}." for mark in flags)), (
            shape,
            field.name,
        )
        assert field.scope == schema.get("x-scope"), (shape, field.name)


def test_nullable_enums_hold_the_blank_string() -> None:
    for shape, field in _every_field():
        if field.enum and Promise.NULLABLE in field.promise:
            assert "" in SCHEMAS[shape]["properties"][field.name]["enum"], (shape, field.name)


def test_fields_of_a_later_version_wait_for_it() -> None:
    later: Any = document(version="3.1")
    assert "disability" not in SCHEMAS["Student"]["properties"]
    assert "Disability" not in SCHEMAS
    assert "disability" in later["components"]["schemas"]["Student"]["properties"]
    assert "/v3.1/users" in later["paths"]
    assert [error.message for error in OpenAPIV31SpecValidator(later).iter_errors()] == []


# --- records against it


def test_a_record_with_blank_and_absent_fields_is_valid() -> None:
    assert (
        _validate("UserResponse", {"data": STUDENT, "links": [{"rel": "self", "uri": f"/v3.0/users/{ID}"}]})
        == []
    )


def test_a_page_holds_entries_with_their_address() -> None:
    entry = {"data": STUDENT, "uri": f"/v3.0/users/{ID}"}
    links = [
        {"rel": "self", "uri": "/v3.0/users"},
        {"rel": "next", "uri": f"/v3.0/users?starting_after={ID}"},
    ]
    assert _validate("UsersResponse", {"data": [entry], "links": links}) == []
    assert _validate("UsersResponse", {"data": [{"data": STUDENT}], "links": links}) == [
        "data/0: 'uri' is a required property"
    ]


def test_an_empty_page_of_resources_has_both_keys() -> None:
    page = {"data": [], "links": [{"rel": "self", "uri": "/v3.0/resources"}], "resources": []}
    assert _validate("ResourcesResponse", page) == []


def test_a_count_is_a_number_and_a_link() -> None:
    assert (
        _validate("CountResponse", {"count": 0, "links": [{"rel": "self", "uri": "/v3.0/users?count=true"}]})
        == []
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("email", None, "email: None is not of type 'string'"),
        ("id", "", "id: '' should be non-empty"),
        ("created", "yesterday", "created: 'yesterday' is not a 'date-time'"),
        ("roles", {"contact": {"phone_type": "Fax"}}, "roles/contact/phone_type: 'Fax' is not one of"),
        (
            "roles",
            {"district_admin": {"title": "Head"}},
            "roles/district_admin: 'legacy_id' is a required property",
        ),
    ],
)
def test_a_record_that_breaks_a_promise_is_not_valid(key: str, value: object, expected: str) -> None:
    (found,) = _validate("User", {**STUDENT, key: value})
    assert found.startswith(expected)


def test_errors_have_both_keys() -> None:
    both = {"message": "Resource not found", "error": "Resource not found"}
    assert [] == _validate("NotFound", both) == _validate("BadRequest", both) == _validate("TooLarge", both)
    assert _validate("Unauthorized", {**both, "code": 101, "data": {}}) == []
    assert _validate("Unauthorized", both) == [
        ": 'code' is a required property",
        ": 'data' is a required property",
    ]


# --- a client made from it


def test_a_typed_client_is_generated_without_a_warning(tmp_path: Path) -> None:
    source, target = tmp_path / "openapi.json", tmp_path / "client"
    source.write_text(json.dumps(DOCUMENT), "utf-8")
    bin_folder = Path(sys.executable).parent
    program = shutil.which("openapi-python-client", path=str(bin_folder)) or pytest.fail(
        "openapi-python-client: not installed"
    )
    result = subprocess.run(
        [program, "generate", "--path", str(source), "--output-path", str(target), "--fail-on-warning"],
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    models = {path.stem for path in (target / "rollbook_client" / "models").glob("*.py")}
    assert {"user", "user_entry", "users_response", "student", "count_response", "tokens_response"} <= models
