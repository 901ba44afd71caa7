"""The OpenAPI 3.1 document of the API, made from the rows of paths, parameters and fields.

A client that is generated from it can read everything on the wire. `openapi_schemas` has the shapes of records
and answers. A record that was cloned from another server keeps that server's form.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.openapi_schemas import SERVED, SERVED_BY_NAME, Schema, object_of, ref, schemas
from rollbook.contract.clever.query import LIMIT_DEFAULT, LIMIT_MAX
from rollbook.contract.clever.sign_in_rows import (
    SIGN_IN_OPERATIONS,
    TAGS,
    Parameter,
    SignInOperation,
)
from rollbook.domain.access import SCOPES
from rollbook.domain.kinds import KIND, Kind

_ID_PATTERN = "^[0-9a-fA-F]{24}$"
_BEFORE_PATTERN = "^([0-9a-fA-F]{24}|last)$"
_SECURITY: list[Schema] = [{"bearer": []}, {"oauth": []}]
_DESCRIPTION = """\
The roster of a district: its schools, terms, courses, sections, users and resources, read with a bearer token.

Each field says what is promised of it. **Guaranteed**: it always has a value. **Nullable**: it may be `""`, or left out; it is
not `null`, save in a district that was cloned from a server that says `null`. **Validated**: its form is checked before it is
served. A field that needs a scope is left out of every record for a token without that scope.

Lists are pages in ascending order of ids. Follow the `next` link until there is none. An unknown parameter is ignored."""


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
            "schemas": schemas(version),
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": _RESPONSES,
            "securitySchemes": _security_schemes(server_url.rstrip("/")),
        },
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
        "tags": [_tag(SERVED_BY_NAME[row.source])],
        "summary": _summary(row),
        "parameters": [
            *([ref("parameters", "id")] if row.shape != "list" else []),
            *(_parameter(row, name) for name in row.parameters),
        ],
        "responses": {
            "200": _success(row),
            **{status: ref("responses", name) for status, name in _failures(row)},
        },
    }


def _summary(row: Endpoint) -> str:
    owner, tail = SERVED_BY_NAME[row.source].singular, row.tail.removeprefix("my")
    words = {"list": f"List {row.source}", "get": f"Get one {owner}", "one": f"Get the {tail} of a {owner}"}
    return words.get(row.shape, f"List the {tail} of a {owner}")


def _parameter(row: Endpoint, name: str) -> Schema:
    if name != "role":
        return ref("parameters", name)
    described = "Only users who have this role; they are shown with all their roles."
    return {
        "name": name,
        "in": "query",
        "description": described,
        "schema": {"type": "string", "enum": list(row.roles)},
    }


def _success(row: Endpoint) -> Schema:
    shape = SERVED_BY_NAME[row.returns].shape
    if row.shape in ("get", "one"):
        return _answer("The record.", ref("schemas", f"{shape}Response"))
    page = ref("schemas", f"{shape}sResponse")
    if not row.has_count:
        return _answer("A page.", page)
    # There is one schema, so a typed client reads a page without asking which of two forms it got.
    described = "A page. A request with `count=true` is answered with a `CountResponse` instead (`x-count`)."
    return {**_answer(described, page), "x-count": {"schema": ref("schemas", "CountResponse")}}


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
    f"X-RateLimit-{name.removeprefix('RateLimit')}": ref("headers", name) for name in _HEADERS
}


_HTML: Schema = {"text/html": {"schema": {"type": "string"}}}
_RESPONSES: dict[str, Schema] = {
    "BadRequest": _answer("A parameter has a value that cannot be used.", ref("schemas", "BadRequest")),
    "Unauthorized": _answer(
        "No token, or one that is not known.", ref("schemas", "Unauthorized"), has_limits=False
    ),
    "NotFound": {
        "description": (
            "No such record, or not shared, as JSON; the wrong kind of token for the path, as HTML."
        ),
        "headers": _LIMIT_HEADERS,
        "content": {"application/json": {"schema": ref("schemas", "NotFound")}, **_HTML},
    },
    "NoSuchEndpoint": {
        "description": "The wrong kind of token for the path.",
        "headers": _LIMIT_HEADERS,
        "content": _HTML,
    },
    "TooLarge": _answer("`limit` is too large.", ref("schemas", "TooLarge")),
    "TooManyRequests": {
        "description": "The token has used up its requests of this minute. No body.",
        "headers": _LIMIT_HEADERS,
    },
    "InternalError": _answer("The server failed.", ref("schemas", "InternalError"), has_limits=False),
    "OAuthRefused": _answer(
        "The application or the code is refused, or the server is busy.",
        ref("schemas", "OAuthError"),
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
            **{status: ref("responses", name) for status, name in row.failures},
        },
    }


def _good(row: SignInOperation) -> Schema:
    if row.answer:
        return {"200": _answer("The answer.", ref("schemas", row.answer), has_limits=row.is_limited)}
    return {
        "200": {"description": "A page for the person.", "content": _HTML},
        "302": {"description": "To the redirect address with `code` or `error`, or to the login page."},
    }


def _form(parameters: list[Parameter]) -> Schema:
    required = [parameter.name for parameter in parameters if parameter.is_required]
    properties = {
        parameter.name: {**_values(parameter), "description": parameter.help} for parameter in parameters
    }
    schema = object_of(required, properties)
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _values(parameter: Parameter) -> Schema:
    return {"type": "string", "enum": list(parameter.values)} if parameter.values else {"type": "string"}
