"""Links to the Explorer for a path, a field, or a command line in the documentation."""

from __future__ import annotations

import re
from urllib.parse import quote

from rollbook.contract.clever import versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS
from rollbook.contract.clever.fields import SHAPES
from rollbook.contract.clever.openapi_schemas import fields_of
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS
from rollbook.domain.kinds import KINDS
from rollbook.web.http.explorer_address import address

_CALL = re.compile(
    r"(?:(?P<method>GET|POST) )?(?:/(?P<version>v3\.\d))?(?P<path>(?:/[\w{}.-]+)+)(?P<query>\?[\w.=&%,-]*)?"
)
_ON_A_LINE = re.compile(r"(?:https?://[\w.:$-]+)?(/v3\.\d/[\w/{}]+(?:\?[\w.=&%,-]+)?)")
_ID = re.compile(r"[0-9a-f]{24}")
_STANDS_FOR_ID = re.compile(r"\{\w+\}|[A-Z_]+")
_OPERATIONS = {
    *(("GET", row.path) for row in (*ENDPOINTS, *EVENTS)),
    *((row.method.upper(), row.path) for row in SIGN_IN_OPERATIONS),
}


def of_call(text: str) -> str | None:
    """The address for a call in a text, such as `GET /v3.0/users?role=teacher`; None if the API has no such
    path."""
    call = _CALL.fullmatch(text)
    if call is None:
        return None
    method, segments = call["method"] or "GET", call["path"].split("/")
    ids = [segment for segment in segments if _ID.fullmatch(segment)]
    path = "/".join(
        "{id}" if segment in ids or _STANDS_FOR_ID.fullmatch(segment) else segment for segment in segments
    )
    if (method, path) not in _OPERATIONS:
        return None
    version = call["version"] or versions.DEFAULT
    if version not in versions.SPOKEN:
        return None
    page = f"{quote(path)}/post" if method == "POST" else quote(path)
    return address(page, *(f"id={id_}" for id_ in ids), (call["query"] or "")[1:], version=version)


def of_code(code: str) -> list[tuple[str, str]]:
    """The read-only calls in a block of code, as (path, address), each once."""
    if re.search(r"-X *(POST|DELETE|PATCH|PUT)", code):
        return []
    calls = ((path, of_call(path)) for path in _ON_A_LINE.findall(code))
    return list({path: address for path, address in calls if address}.items())


def of_shape(shape: str) -> str | None:
    """The Explorer's page with the fields of a shape; None if no record has the shape."""
    kind = _KIND_OF_SHAPE.get(shape)
    if kind is None:
        return None
    since = next(version for version in versions.VERSIONS if fields_of(shape, version.number))
    return f"{address(f'/records/{kind}', version=since.name)}#r-{shape.lower()}"


def _kinds_of_shapes() -> dict[str, str]:
    """For each shape, the first kind whose records contain it, at any depth."""
    found: dict[str, str] = {}
    for kind in KINDS:
        waiting = [kind.shape]
        while waiting:
            shape = waiting.pop()
            if found.setdefault(shape, kind.name) == kind.name:
                waiting += [row.of for row in SHAPES[shape] if row.of and row.of not in found]
    return found


_KIND_OF_SHAPE = _kinds_of_shapes()
