"""The rows match the facts of the published contract: nothing missing, nothing extra."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.fields import SHAPES, Field, Promise
from rollbook.domain.kinds import KIND, KINDS
from tests.contract import facts
from tests.contract.facts import FieldFact, Operation, Parameter, differences

VERSION = "3.0"
_LETTERS = ((Promise.GUARANTEED, "g"), (Promise.NULLABLE, "n"), (Promise.VALIDATED, "v"))
_COUNT = ("", "true", "false", "undefined")


def _operation(row: Endpoint) -> Operation:
    shape = KIND[row.returns].shape
    is_list = row.shape in ("list", "many")
    response = f"{shape}sResponse" if is_list else f"{shape}Response"
    return Operation(
        "data",
        row.path,
        row.operation,
        row.source.title(),
        response,
        "200" if row.shape == "list" else "200 404",
    )


def _parameters(row: Endpoint) -> list[Parameter]:
    enums = {"role": row.roles, "primary": ("", "true"), "count": _COUNT}
    path = (
        [] if row.shape == "list" else [Parameter("data", row.path, "id", "path", "string", "required", ())]
    )
    return path + [
        Parameter(
            "data",
            row.path,
            name,
            "query",
            "integer" if name == "limit" else "string",
            "",
            enums.get(name, ()),
        )
        for name in row.parameters
    ]


def _field(shape: str, field: Field) -> FieldFact:
    promises = "".join(letter for promise, letter in _LETTERS if promise in field.promise)
    of, form, pattern = field.of or "", field.format or "", field.pattern or ""
    return FieldFact("data", shape, field.name, field.type, of, form, pattern, promises, field.enum)


def test_the_api_has_42_paths() -> None:
    assert (
        42
        == len(ENDPOINTS)
        == len({row.path for row in ENDPOINTS})
        == len({row.operation for row in ENDPOINTS})
    )


def test_operations_are_those_published() -> None:
    published = [fact for fact in facts.operations() if fact.api == "data"]
    assert differences(published, [_operation(row) for row in ENDPOINTS]) == []


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.path)
def test_parameters_are_those_published_in_the_same_order(row: Endpoint) -> None:
    published = [fact for fact in facts.parameters() if (fact.api, fact.path) == ("data", row.path)]
    assert published == _parameters(row)


@pytest.mark.parametrize("shape", SHAPES)
def test_fields_are_those_published(shape: str) -> None:
    published = [fact for fact in facts.fields() if (fact.api, fact.shape) == ("data", shape)]
    ours = [_field(shape, field) for field in SHAPES[shape] if field.published and field.since == VERSION]
    assert differences(published, ours) == []


def test_what_v3_1_adds_is_what_is_published() -> None:
    ours = [
        _field(shape, replace(field, enum=tuple(sorted(field.words("3.1")))))
        for shape, fields in SHAPES.items()
        for field in fields
        if field.is_published("3.1") and not (field.published and field.since == VERSION)
    ]
    assert differences(facts.fields_of_v3_1(), ours) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_field_marked_as_unpublished_is_in_no_published_file(shape: str) -> None:
    published = {fact.name for fact in facts.fields() if fact.shape == shape}
    unpublished = {field.name for field in SHAPES[shape] if not field.published or field.since != VERSION}
    assert set() == published & unpublished


def test_every_published_shape_of_a_record_is_in_the_rows() -> None:
    around = ("Response", "BadRequest", "NotFound", "InternalError", "Link")
    published = {
        fact.shape for fact in facts.fields() if fact.api == "data" and not fact.shape.endswith(around)
    }
    assert published == {
        shape for shape, fields in SHAPES.items() if any(field.since == VERSION for field in fields)
    }


def test_every_shape_that_a_field_names_exists() -> None:
    named = {field.of for fields in SHAPES.values() for field in fields if field.of}
    assert set() == named - set(SHAPES)


def test_the_operations_and_parameters_of_events_are_those_published() -> None:
    published = {(fact.path, fact.operation) for fact in facts.operations() if fact.api == "events"}
    assert published == {(row.path, row.operation) for row in EVENTS}
    named = {
        (fact.path, fact.name) for fact in facts.parameters() if fact.api == "events" and fact.name != "id"
    }
    assert named == {(row.path, name) for row in EVENTS for name in row.parameters}


def test_stored_facts_of_events_name_each_kind_three_times() -> None:
    published = {fact.shape for fact in facts.fields() if fact.api == "events" and "." in fact.shape}
    assert published == {
        f"{kind.name}.{verb}" for kind in KINDS for verb in ("created", "updated", "deleted")
    }
