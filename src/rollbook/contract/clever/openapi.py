"""The OpenAPI 3.1 document of the API, made from the rows of paths, parameters and fields.

A client that is generated from it can read everything on the wire. Fields that the server never sends are
left out, keys are required only where a value is guaranteed, and nothing is null. A record that was cloned
from another server keeps that server's form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, LINKS, USER_LINKS, Endpoint
from rollbook.contract.clever.event_rows import TYPES
from rollbook.contract.clever.fields import SHAPES, Field, Promise
from rollbook.contract.clever.query import LIMIT_DEFAULT, LIMIT_MAX
from rollbook.contract.clever.sign_in_rows import (
    SIGN_IN_OPERATIONS,
    SIGN_IN_SHAPES,
    TAGS,
    Parameter,
    SignInOperation,
)
from rollbook.domain.access import SCOPES
from rollbook.domain.kinds import KIND, KINDS, Kind

Schema = dict[str, object]

_ID_PATTERN = "^[0-9a-fA-F]{24}$"
_BEFORE_PATTERN = "^([0-9a-fA-F]{24}|last)$"
_FORMATS = {"datetime": "date-time", "date-time": "date-time", "date": "date"}
_MARKS = (
    (Promise.GUARANTEED, "guaranteed"),
    (Promise.NULLABLE, "nullable"),
    (Promise.VALIDATED, "validated"),
)
_SECURITY: list[Schema] = [{"bearer": []}, {"oauth": []}]
_DESCRIPTION = """\
The roster of a district: its schools, terms, courses, sections, users and resources, read with a bearer token.

Each field says what is promised of it. **Guaranteed**: it always has a value. **Nullable**: it may be `""`, or left out; it is
not `null`, save in a district that was cloned from a server that says `null`. **Validated**: its form is checked before it is
served. A field that needs a scope is left out of every record for a token without that scope.

Lists are pages in ascending order of ids. Follow the `next` link until there is none. An unknown parameter is ignored."""


# The kinds of record, and events: events are served like records.
SERVED: tuple[Kind, ...] = (
    *KINDS,
    Kind("events", "Event", "A published change of a record; for applications that have them on."),
)
_SERVED = {kind.name: kind for kind in SERVED}


def document(*, server_url: str = "/", version: str = "3.0") -> dict[str, object]:
    """The document for one version of the API, as plain JSON values.

    Its paths are relative to `server_url`.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rollbook",
            "version": version,
            "summary": f"K-12 rosters over the Clever API v{version}",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": _SECURITY,
        "tags": [
            *({"name": _tag(kind), "description": kind.help} for kind in SERVED),
            *({"name": name, "description": help_text} for name, help_text in TAGS),
        ],
        "paths": _paths(version),
        "components": {
            "schemas": _schemas(version),
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": _RESPONSES,
            "securitySchemes": _security_schemes(server_url.rstrip("/")),
        },
    }


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


def _ref(section: str, name: str) -> Schema:
    return {"$ref": f"#/components/{section}/{name}"}


def _object(required: Iterable[str], properties: dict[str, Schema], description: str = "") -> Schema:
    named = {"description": description} if description else {}
    keys = list(required)
    return {"type": "object", **named, **({"required": keys} if keys else {}), "properties": properties}


# --- the shapes of records


def _schemas(version: str) -> Schema:
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
                _object(required, {field.name: _field(field) for field in fields}, kinds.get(shape, "")),
            )


def _sign_in_shapes() -> Iterable[tuple[str, Schema]]:
    for shape, fields in SIGN_IN_SHAPES.items():
        required = (field.name for field in fields if is_certain(field))
        yield shape, _object(required, {field.name: _field(field) for field in fields})


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
        return {"type": "array", "items": _ref("schemas", field.of) if field.of else _text(field)}
    if field.type == "object":
        # A map without a shape is `ext`: the district chooses the keys, and every value is text.
        return (
            _ref("schemas", field.of)
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
    "Event": _object(
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
            "data": _ref("schemas", "EventData"),
        },
        _SERVED["events"].help,
    ),
    "EventData": _object(
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
        record = _ref("schemas", kind.shape)
        entry = _object(
            ("data", "uri"), {"data": record, "uri": _URI}, "One record in a list, and where it is by itself."
        )
        page: dict[str, Schema] = {
            "data": {"type": "array", "items": _ref("schemas", f"{kind.shape}Entry")},
            "links": _LINKS,
        }
        if kind.name == "resources":
            page["resources"] = _EMPTY_RESOURCES
        yield f"{kind.shape}Entry", entry
        yield (
            f"{kind.shape}Response",
            _object(("data", "links"), {"data": record, "links": _LINKS}, "One record."),
        )
        yield (
            f"{kind.shape}sResponse",
            _object(("data", "links"), page, "One page, in ascending order of ids."),
        )
    yield (
        "CountResponse",
        _object(("count", "links"), {"count": _COUNT, "links": _LINKS}, "How many there are."),
    )
    yield "Link", _object(("rel", "uri"), {"rel": {"type": "string", "enum": _rels()}, "uri": _URI})


def _rels() -> list[str]:
    of_records = (rel for tails in LINKS.values() for rel in tails)
    return list(
        dict.fromkeys(("self", "prev", "next", "canonical", *of_records, *(rel for rel, _ in USER_LINKS)))
    )


_URI: Schema = {"type": "string", "description": "Path and query, relative to the server."}
_LINKS: Schema = {"type": "array", "items": _ref("schemas", "Link"), "description": "`self` comes first."}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_EMPTY_RESOURCES: Schema = {
    "type": "array",
    "items": {"type": "object"},
    "maxItems": 0,
    "description": "On an empty page only, and empty there: some clients look for this key.",
}


# --- the operations


def _paths(version: str) -> Schema:
    paths: dict[str, dict[str, Schema]] = {
        f"/v{version}{row.path}": {"get": _operation(row)} for row in (*ENDPOINTS, *EVENTS)
    }
    for row in SIGN_IN_OPERATIONS:
        paths.setdefault(address(row, version), {})[row.method] = _sign_in_operation(row)
    return {**paths}


def address(row: Endpoint | SignInOperation, version: str) -> str:
    """The whole path of a row, with the version if the path has one."""
    has_version = isinstance(row, Endpoint) or row.is_versioned
    return f"/v{version}{row.path}" if has_version else row.path


def _tag(kind: Kind) -> str:
    return kind.name.title()


def _operation(row: Endpoint) -> Schema:
    return {
        "operationId": row.operation,
        "tags": [_tag(_SERVED[row.source])],
        "summary": _summary(row),
        "parameters": [
            *([_ref("parameters", "id")] if row.shape != "list" else []),
            *(_parameter(row, name) for name in row.parameters),
        ],
        "responses": {
            "200": _success(row),
            **{status: _ref("responses", name) for status, name in _failures(row)},
        },
    }


def _summary(row: Endpoint) -> str:
    owner, tail = _SERVED[row.source].singular, row.tail.removeprefix("my")
    words = {"list": f"List {row.source}", "get": f"Get one {owner}", "one": f"Get the {tail} of a {owner}"}
    return words.get(row.shape, f"List the {tail} of a {owner}")


def _parameter(row: Endpoint, name: str) -> Schema:
    if name != "role":
        return _ref("parameters", name)
    described = "Only users who have this role; they are shown with all their roles."
    return {
        "name": name,
        "in": "query",
        "description": described,
        "schema": {"type": "string", "enum": list(row.roles)},
    }


def _success(row: Endpoint) -> Schema:
    shape = _SERVED[row.returns].shape
    if row.shape in ("get", "one"):
        return _answer("The record.", _ref("schemas", f"{shape}Response"))
    page = _ref("schemas", f"{shape}sResponse")
    if not row.has_count:
        return _answer("A page.", page)
    # There is one schema, so a typed client reads a page without asking which of two forms it got.
    described = "A page. A request with `count=true` is answered with a `CountResponse` instead (`x-count`)."
    return {**_answer(described, page), "x-count": {"schema": _ref("schemas", "CountResponse")}}


def _failures(row: Endpoint) -> Iterable[tuple[str, str]]:
    if row.parameters:
        yield "400", "BadRequest"
    yield "401", "Unauthorized"
    yield "404", "NoSuchEndpoint" if row.shape == "list" else "NotFound"
    if row.has_paging:
        yield "413", "TooLarge"
    yield "429", "TooManyRequests"
    yield "500", "InternalError"


def _answer(description: str, schema: Schema, *, has_limits: bool = True) -> Schema:
    headers = {"headers": _LIMIT_HEADERS} if has_limits else {}
    return {"description": description, **headers, "content": {"application/json": {"schema": schema}}}


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PARAMETERS: dict[str, Schema] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Id of the record: 24 hex characters.",
        "schema": {"type": "string", "pattern": _ID_PATTERN},
    },
    "limit": _query(
        "limit",
        "Size of the page.",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    ),
    "starting_after": _query(
        "starting_after",
        "The page of records just after this id. It need not exist; not together with `ending_before`.",
        {"type": "string", "pattern": _ID_PATTERN},
    ),
    "ending_before": _query(
        "ending_before",
        "The page of records just before this id, still in ascending order; `last`: the last page.",
        {"type": "string", "pattern": _BEFORE_PATTERN},
    ),
    "primary": _query(
        "primary",
        "`true`: primary schools only. Staff have none, and stay.",
        {"type": "string", "enum": ["", "true"]},
    ),
    "school": _query(
        "school",
        "Only events of this school, and of people and sections that have it.",
        {"type": "string", "pattern": _ID_PATTERN},
    ),
    "record_type": {
        **_query(
            "record_type",
            "Only events of these kinds; may be repeated, or hold several, separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": sorted(KIND)}},
        ),
        "style": "form",
        "explode": True,
    },
    "count": _query(
        "count",
        "`true`: how many records the token sees, as a `CountResponse` in place of a page.",
        {"type": "string", "enum": ["", "true", "false", "undefined"]},
    ),
}

_HEADERS: dict[str, Schema] = {
    "RateLimitLimit": {
        "description": "Requests that the token may make in a minute.",
        "schema": {"type": "integer"},
    },
    "RateLimitRemaining": {"description": "Requests left in this minute.", "schema": {"type": "integer"}},
    "RateLimitReset": {
        "description": "When the minute ends, in Unix seconds.",
        "schema": {"type": "integer"},
    },
    "RateLimitBucket": {
        "description": "What is counted: `bearer`, each token by itself.",
        "schema": {"type": "string"},
    },
}
_LIMIT_HEADERS: dict[str, Schema] = {
    f"X-RateLimit-{name.removeprefix('RateLimit')}": _ref("headers", name) for name in _HEADERS
}


# --- what goes wrong


def _error(description: str, **more: Schema) -> Schema:
    text: Schema = {"type": "string"}
    return _object(("message", "error", *more), {"message": text, "error": text, **more}, description)


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
_HTML: Schema = {"text/html": {"schema": {"type": "string"}}}
_RESPONSES: dict[str, Schema] = {
    "BadRequest": _answer("A parameter has a value that cannot be used.", _ref("schemas", "BadRequest")),
    "Unauthorized": _answer(
        "No token, or one that is not known.", _ref("schemas", "Unauthorized"), has_limits=False
    ),
    "NotFound": {
        "description": (
            "No such record, or not shared, as JSON; the wrong kind of token for the path, as HTML."
        ),
        "headers": _LIMIT_HEADERS,
        "content": {"application/json": {"schema": _ref("schemas", "NotFound")}, **_HTML},
    },
    "NoSuchEndpoint": {
        "description": "The wrong kind of token for the path.",
        "headers": _LIMIT_HEADERS,
        "content": _HTML,
    },
    "TooLarge": _answer("`limit` is too large.", _ref("schemas", "TooLarge")),
    "TooManyRequests": {
        "description": "The token has used up its requests of this minute. No body.",
        "headers": _LIMIT_HEADERS,
    },
    "InternalError": _answer("The server failed.", _ref("schemas", "InternalError"), has_limits=False),
    "OAuthRefused": _answer(
        "The application or the code is refused, or the server is busy.",
        _ref("schemas", "OAuthError"),
        has_limits=False,
    ),
    "SignInStopped": {
        "description": "A page that says what is wrong with the sign-in link.",
        "content": _HTML,
    },
}


# --- who may ask, and how an application finds out


def _security_schemes(server: str) -> Schema:
    scopes = {scope: f"Read {scope.removeprefix('read:').replace('_', ' ')}." for scope in SCOPES}
    flow = {
        "authorizationUrl": f"{server}/oauth/authorize",
        "tokenUrl": f"{server}/oauth/tokens",
        "scopes": scopes,
    }
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a district, or of a person.",
        },
        "oauth": {"type": "oauth2", "flows": {"authorizationCode": flow}},
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "Client id and client secret of an application.",
        },
    }


# --- who is signed in, and tokens

_CREDENTIALS: dict[str, list[Schema]] = {
    "user token": _SECURITY,
    "token": [{"bearer": []}],
    "client": [{"client": []}],
    "none": [],
}


def _sign_in_operation(row: SignInOperation) -> Schema:
    form = [parameter for parameter in row.parameters if parameter.place == "form"]
    return {
        "operationId": row.operation,
        "tags": [row.tag],
        "summary": row.summary,
        **({"description": row.help} if row.help else {}),
        "security": _CREDENTIALS[row.takes],
        "parameters": [
            {**_query(parameter.name, parameter.help, _values(parameter)), "required": parameter.is_required}
            for parameter in row.parameters
            if parameter.place == "query"
        ],
        **({"requestBody": _form(form)} if form else {}),
        "responses": {
            **_good(row),
            **{status: _ref("responses", name) for status, name in row.failures},
        },
    }


def _good(row: SignInOperation) -> Schema:
    if row.answer:
        return {"200": _answer("The answer.", _ref("schemas", row.answer), has_limits=row.is_limited)}
    return {
        "200": {"description": "A page for the person.", "content": _HTML},
        "302": {"description": "To the redirect address with `code` or `error`, or to the login page."},
    }


def _form(parameters: list[Parameter]) -> Schema:
    required = [parameter.name for parameter in parameters if parameter.is_required]
    properties = {
        parameter.name: {**_values(parameter), "description": parameter.help} for parameter in parameters
    }
    schema = _object(required, properties)
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _values(parameter: Parameter) -> Schema:
    return {"type": "string", "enum": list(parameter.values)} if parameter.values else {"type": "string"}
