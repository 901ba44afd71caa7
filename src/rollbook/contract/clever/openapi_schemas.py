"""The schemas of the OpenAPI document: the shapes of records and events, and what the paths answer.

Fields that the server never sends are left out, keys are required only where a value is guaranteed, and
nothing is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollbook.contract.clever.endpoints import LINKS, USER_LINKS
from rollbook.contract.clever.event_rows import TYPES
from rollbook.contract.clever.fields import SHAPES, Field, Promise
from rollbook.contract.clever.query import LIMIT_MAX
from rollbook.contract.clever.sign_in_rows import SIGN_IN_SHAPES
from rollbook.domain.kinds import KINDS, Kind

Schema = dict[str, object]

_FORMATS = {"datetime": "date-time", "date-time": "date-time", "date": "date"}
_MARKS = (
    (Promise.GUARANTEED, "guaranteed"),
    (Promise.NULLABLE, "nullable"),
    (Promise.VALIDATED, "validated"),
)

# The kinds of record, and events: events are served like records.
SERVED: tuple[Kind, ...] = (
    *KINDS,
    Kind("events", "Event", "A published change of a record; for applications that have them on."),
)
SERVED_BY_NAME = {kind.name: kind for kind in SERVED}


def fields_of(shape: str, version: str) -> tuple[Field, ...]:
    """The fields of a shape in this version of the API, with its words; empty if only a later version has the
    shape."""
    return tuple(
        replace(field, enum=field.words(version))
        for field in SHAPES[shape]
        if field.is_on_wire and field.is_in(version)
    )


def is_certain(field: Field) -> bool:
    """Whether every record has the field, with a value: it is guaranteed and not nullable."""
    return Promise.GUARANTEED in field.promise and Promise.NULLABLE not in field.promise


def marks(field: Field) -> tuple[str, ...]:
    """The promises about a field: some of guaranteed, nullable, validated."""
    return tuple(word for promise, word in _MARKS if promise in field.promise)


def ref(section: str, name: str) -> Schema:
    return {"$ref": f"#/components/{section}/{name}"}


def object_of(required: Iterable[str], properties: dict[str, Schema], description: str = "") -> Schema:
    named = {"description": description} if description else {}
    keys = list(required)
    return {"type": "object", **named, **({"required": keys} if keys else {}), "properties": properties}


# --- the shapes of records


def schemas(version: str) -> Schema:
    # The title repeats the name: viewers show it for one of several shapes, in place of a number.
    named = sorted(
        [*_shapes(version), *_EVENT_SCHEMAS.items(), *_answers(), *_ERRORS.items(), *_sign_in_shapes()]
    )
    return {name: {"title": name, **schema} for name, schema in named}


def _shapes(version: str) -> Iterable[tuple[str, Schema]]:
    kinds = {kind.shape: kind.help for kind in KINDS}
    for shape in SHAPES:
        if fields := fields_of(shape, version):
            required = (field.name for field in fields if is_certain(field))
            yield (
                shape,
                object_of(required, {field.name: _field(field) for field in fields}, kinds.get(shape, "")),
            )


def _sign_in_shapes() -> Iterable[tuple[str, Schema]]:
    for shape, fields in SIGN_IN_SHAPES.items():
        required = (field.name for field in fields if is_certain(field))
        yield shape, object_of(required, {field.name: _field(field) for field in fields})


def _field(field: Field) -> Schema:
    flags = {f"x-{word}": promise in field.promise for promise, word in _MARKS}
    scope = {"x-scope": field.scope} if field.scope else {}
    return {**_type(field), "description": _describe(field), **flags, **scope}


def _describe(field: Field) -> str:
    needs = f"Needs the scope `{field.scope}`." if field.scope else ""
    return " ".join(
        part for part in (*(f"{mark.title()}." for mark in marks(field)), needs, field.help) if part
    )


def _type(field: Field) -> Schema:
    if field.type == "array":
        return {"type": "array", "items": ref("schemas", field.of) if field.of else _text(field)}
    if field.type == "object":
        # A map without a shape is `ext`: the district chooses the keys, and every value is text.
        return (
            ref("schemas", field.of)
            if field.of
            else {"type": "object", "additionalProperties": {"type": "string"}}
        )
    return {"type": "boolean"} if field.type == "boolean" else _text(field)


def _text(field: Field) -> Schema:
    """A string. Only a string that is never blank has a format, because "" would break the format."""
    if field.enum:
        return {"type": "string", "enum": list(field.enum)}
    if is_certain(field) and field.type == "string":
        return (
            {"type": "string", "format": _FORMATS[field.format]}
            if field.format
            else {"type": "string", "minLength": 1}
        )
    return {"type": "string", "pattern": f"^({field.pattern})?$"} if field.pattern else {"type": "string"}


def _map(description: str) -> Schema:
    return {"type": "object", "additionalProperties": True, "description": description}


_EVENT_SCHEMAS: dict[str, Schema] = {
    "Event": object_of(
        ("id", "type", "created", "data"),
        {
            "id": {
                "type": "string",
                "minLength": 1,
                "description": "Id of the event, not of the record; events rise by it.",
            },
            "type": {
                "type": "string",
                "enum": list(TYPES),
                "description": "Kind of record and what became of it.",
            },
            "created": {
                "type": "string",
                "format": "date-time",
                "description": "The second in which it was published, UTC.",
            },
            "data": ref("schemas", "EventData"),
        },
        SERVED_BY_NAME["events"].help,
    ),
    "EventData": object_of(
        ("object",),
        {
            "object": _map("The record as it was at that moment; of a deleted one, the last known."),
            "previous_attributes": _map(
                "On updated only: old values of what changed, nested as in the record."
            ),
        },
        "The record that an event is about.",
    ),
}


# --- what the paths answer


def _answers() -> Iterable[tuple[str, Schema]]:
    for kind in SERVED:
        record = ref("schemas", kind.shape)
        entry = object_of(
            ("data", "uri"), {"data": record, "uri": _URI}, "One record in a list, and where it is by itself."
        )
        page: dict[str, Schema] = {
            "data": {"type": "array", "items": ref("schemas", f"{kind.shape}Entry")},
            "links": _LINKS,
        }
        if kind.name == "resources":
            page["resources"] = _EMPTY_RESOURCES
        yield f"{kind.shape}Entry", entry
        yield (
            f"{kind.shape}Response",
            object_of(("data", "links"), {"data": record, "links": _LINKS}, "One record."),
        )
        yield (
            f"{kind.shape}sResponse",
            object_of(("data", "links"), page, "One page, in ascending order of ids."),
        )
    yield (
        "CountResponse",
        object_of(("count", "links"), {"count": _COUNT, "links": _LINKS}, "How many there are."),
    )
    yield "Link", object_of(("rel", "uri"), {"rel": {"type": "string", "enum": _rels()}, "uri": _URI})


def _rels() -> list[str]:
    of_records = (rel for tails in LINKS.values() for rel in tails)
    return list(
        dict.fromkeys(("self", "prev", "next", "canonical", *of_records, *(rel for rel, _ in USER_LINKS)))
    )


_URI: Schema = {"type": "string", "description": "Path and query, relative to the server."}
_LINKS: Schema = {"type": "array", "items": ref("schemas", "Link"), "description": "`self` comes first."}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_EMPTY_RESOURCES: Schema = {
    "type": "array",
    "items": {"type": "object"},
    "maxItems": 0,
    "description": "On an empty page only, and empty there: some clients look for this key.",
}


# --- what goes wrong


def _error(description: str, **more: Schema) -> Schema:
    text: Schema = {"type": "string"}
    return object_of(("message", "error", *more), {"message": text, "error": text, **more}, description)


_ERRORS: dict[str, Schema] = {
    "BadRequest": _error("A parameter has a value that cannot be used; the message names it."),
    "Unauthorized": _error(
        "There is no token, or it is not known.",
        code={"type": "integer", "const": 101},
        data={"type": "object"},
    ),
    "NotFound": _error("There is no such record, or it is not shared: the two look the same."),
    "TooLarge": _error(f"`limit` is above {LIMIT_MAX}."),
    "InternalError": _error("The server failed; try again later."),
}
