"""The Explorer's table of contents: each operation of the API as a page with an address, made from the OpenAPI
document, and so from the contract's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from rollbook.contract.clever import openapi, openapi_schemas, versions
from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint, Ids, Listed
from rollbook.contract.clever.sign_in_rows import TAGS
from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.domain.kinds import ROLES

HOME = "/explorer"
ID = "id"
# Chooses the version in an address of the Explorer; the first version is not named there.
VERSION = "version"
# What opens a page that was asked for without a parameter: few enough to read.
EXAMPLE_LIMIT = "3"
_OPENS_WITH = {"/users": (("role", "teacher"),), "/events": (("record_type", "users"),)}
_ROLE_OF_LIST = {f"{role.name}s": role.name for role in ROLES}
_SECTION = {"Events": "Events", **{tag: tag for tag, _ in TAGS}}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `place` is path, query or form; `values` are its allowed values (empty: any text)."""

    name: str
    place: str
    help: str
    values: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as a page.

    `slug` is its address below `/explorer`. `takes` is its credential ("bearer", "client" or blank). `kind`
    is the kind of its answer, `owner` the kind of the record in its path. `owner_roles` are the roles whose
    people have an answer there.
    """

    slug: str
    name: str
    title: str
    help: str
    group: str
    method: str
    path: str
    takes: str
    shape: str
    kind: str
    parameters: tuple[Parameter, ...] = ()
    owner: str = ""
    owner_roles: tuple[str, ...] = ()
    example: tuple[tuple[str, str], ...] = ()

    @property
    def section(self) -> str:
        """The heading above its group."""
        return _SECTION.get(self.group, "Data")

    @property
    def short(self) -> str:
        """Its short name in the sidebar."""
        return self.path if self.method == "GET" else f"{self.method} {self.path}"

    @property
    def has_id(self) -> bool:
        return bool(self.owner)

    @property
    def address(self) -> str:
        return HOME + self.slug


class Catalog:
    """The operations of one version of the API, in the order of the reference."""

    def __init__(self, version: str = versions.VERSIONS[0].number) -> None:
        document: Any = openapi.document(version=version)
        self.version = version
        self.operations = tuple(_operations(document, version))
        self.by_slug = {operation.slug: operation for operation in self.operations}
        self._by_segments = {
            tuple(operation.path.lower().split("/")): operation
            for operation in self.operations
            if operation.method == "GET"
        }

    def groups(self) -> Iterator[tuple[str, str, tuple[Operation, ...]]]:
        """(section, group, its operations), for the sidebar."""
        for group in dict.fromkeys(operation.group for operation in self.operations):
            found = tuple(each for each in self.operations if each.group == group)
            yield found[0].section, group, found

    def shows(self, kind: str, id_: str) -> str:
        """The address of the page that shows a record; blank if there is none."""
        operation = self.by_slug.get(f"/{kind}/{{{ID}}}")
        return f"{operation.address}?{urlencode({ID: id_})}" if operation else ""

    def place(self, uri: str) -> str:
        """The address of the page for a path of the API with its query; blank for a path that has none.

        A path of another version leads to that version's page.
        """
        parts = urlsplit(uri)
        segments = parts.path.rstrip("/").split("/")
        pairs = parse_qsl(parts.query)
        other = (versions.of_path(parts.path) or "").lower()
        if other in versions.SPOKEN and other != f"v{self.version}":
            segments[1] = f"v{self.version}"
            pairs.append((VERSION, other.removeprefix("v")))
        exact = self._by_segments.get(tuple(segment.lower() for segment in segments))
        if exact:
            return _with(exact.address, pairs)
        for at in range(1, len(segments)):
            pattern = [segment.lower() for segment in segments]
            pattern[at] = f"{{{ID}}}"
            if operation := self._by_segments.get(tuple(pattern)):
                return _with(operation.address, [(ID, segments[at]), *pairs])
        return ""


def _with(address: str, pairs: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(pairs))
    return f"{address}?{query}" if query else address


def _operations(document: Any, version: str) -> Iterator[Operation]:
    rows = {f"/v{version}{row.path}": row for row in ENDPOINTS}
    used: set[str] = set()
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            slug = _slug(path, method, version, used)
            used.add(slug)
            yield _operation(document, path, method, described, slug, rows.get(path))


def _slug(path: str, method: str, version: str, used: set[str]) -> str:
    slug = path.removeprefix(f"/v{version}")
    if method != "get":
        return f"{slug}/{method}"
    return f"/unversioned{slug}" if slug in used else slug


def _operation(
    document: Any, path: str, method: str, described: Any, slug: str, row: Endpoint | None
) -> Operation:
    answer = _schema_of(described["responses"].get("200", {}))
    record = _record_of(answer)
    security = described.get("security", document["security"])
    schemes = [name for scheme in security for name in scheme]
    parameters = tuple(_parameters(document, described))
    names = {parameter.name for parameter in parameters}
    limit = (("limit", EXAMPLE_LIMIT),) if "limit" in names and ID not in names else ()
    return Operation(
        slug=slug,
        name=described["operationId"],
        title=described["summary"],
        help=described.get("description", ""),
        group=described["tags"][0],
        method=method.upper(),
        path=path,
        takes=next((name for name in ("bearer", "client") if name in schemes), ""),
        shape=record,
        kind=next((kind.name for kind in openapi_schemas.SERVED if kind.shape == record), ""),
        parameters=parameters,
        owner=row.source if row and row.shape != "list" else "events" if "{id}" in path else "",
        owner_roles=_owner_roles(row) if row else (),
        example=(*_OPENS_WITH.get(slug, ()), *limit),
    )


def _schema_of(response: Any) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _record_of(answer: str) -> str:
    """The shape of the record in an answer: `User` for `UsersResponse` and `UserResponse`; else the answer's
    own."""
    for kind in openapi_schemas.SERVED:
        if answer in (f"{kind.shape}Response", f"{kind.shape}sResponse"):
            return kind.shape
    return answer


def _parameters(document: Any, described: Any) -> Iterator[Parameter]:
    for given in described["parameters"]:
        each = given
        if "$ref" in given:
            each = document["components"]["parameters"][given["$ref"].rpartition("/")[2]]
        schema = each["schema"]
        values = schema.get("enum") or schema.get("items", {}).get("enum") or ()
        yield Parameter(
            each["name"],
            each["in"],
            each["description"],
            tuple(value for value in values if value),
            each.get("required", False),
        )
    for content in described.get("requestBody", {}).get("content", {}).values():
        form = content["schema"]
        for name, schema in form["properties"].items():
            is_required = name in form.get("required", ())
            yield Parameter(name, "form", schema["description"], tuple(schema.get("enum", ())), is_required)


def _owner_roles(row: Endpoint) -> tuple[str, ...]:
    """The roles of people from whom a path can begin; all roles if it does not depend on one."""
    if row.source != "users":
        return ()
    begins = [route.hops[0] for route in row.routes]
    found = [role for hop in begins for role in _roles_of(hop)]
    return tuple(dict.fromkeys(found)) or (*LOGIN_ROLES, "contact")


def _roles_of(hop: Ids | Listed) -> Iterator[str]:
    if isinstance(hop, Listed):
        owner = hop.name.partition(".")[0]
        if owner in _ROLE_OF_LIST:
            yield _ROLE_OF_LIST[owner]
    elif len(hop.path) > 1 and hop.path[0] == "roles":
        yield hop.path[1]
