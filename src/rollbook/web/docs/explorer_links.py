"""Where a path, a field or a line for the terminal is tried in the Explorer."""

from __future__ import annotations

import re
from urllib.parse import quote

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS
from rollbook.contract.clever.fields import SHAPES
from rollbook.domain.kinds import KINDS

EXPLORER = "/explorer"

_CALL = re.compile(r"(?:GET )?(?:/v3\.\d)?(?P<path>(?:/[\w{}]+)+)(?P<query>\?[\w.=&%,-]*)?")
_ON_A_LINE = re.compile(r"(?:https?://[\w.:$-]+)?(/v3\.\d/[\w/{}]+(?:\?[\w.=&%,-]+)?)")
_ID = re.compile(r"[0-9a-f]{24}|\{\w+\}|[A-Z_]+")
_PATHS = {row.path for row in (*ENDPOINTS, *EVENTS)}


def of_call(text: str) -> str | None:
    """The address for a path as a text names it, such as `GET /v3.0/users?role=teacher`; None if the Data and
    Events API have no such path."""
    call = _CALL.fullmatch(text)
    if call is None:
        return None
    path = "/".join("{id}" if _ID.fullmatch(segment) else segment for segment in call["path"].split("/"))
    return f"{EXPLORER}{quote(path)}{call['query'] or ''}" if path in _PATHS else None


def of_code(code: str) -> list[tuple[str, str]]:
    """The calls of a block of code that only read: (path, address), each once."""
    if re.search(r"-X *(POST|DELETE|PATCH|PUT)", code):
        return []
    calls = ((path, of_call(path)) for path in _ON_A_LINE.findall(code))
    return list({path: address for path, address in calls if address}.items())


def of_shape(shape: str) -> str | None:
    """The page of the record that has this shape, or holds one of it; None for a shape that is in no
    record."""
    kind = _KIND_OF_SHAPE.get(shape)
    return f"{EXPLORER}/records/{kind}" if kind else None


def _kinds_of_shapes() -> dict[str, str]:
    """Of each shape: the first kind whose records have it, at any depth."""
    found: dict[str, str] = {}
    for kind in KINDS:
        waiting = [kind.shape]
        while waiting:
            shape = waiting.pop()
            if found.setdefault(shape, kind.name) == kind.name:
                waiting += [row.of for row in SHAPES[shape] if row.of and row.of not in found]
    return found


_KIND_OF_SHAPE = _kinds_of_shapes()
