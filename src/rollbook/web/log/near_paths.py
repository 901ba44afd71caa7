"""Which row of the contract a logged path is of, and which path may be meant by one that is not there."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache

from rollbook.contract.clever import versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS

PREFIX = f"/{versions.DEFAULT}"
ID = re.compile(r"[0-9a-fA-F]{24}")
# How alike a path and the one that may be meant are, from 0 to 1.
LIKENESS = 0.86
ROWS = {f"{PREFIX}{row.path}": row for row in (*ENDPOINTS, *EVENTS)}
_OTHERS = [
    (f"{PREFIX}{row.path}" if row.is_versioned else row.path, row.method.upper())
    for row in SIGN_IN_OPERATIONS
]
# The methods of the paths beside the records, which take GET alone.
METHODS = {path: tuple(method for other, method in _OTHERS if other == path) for path, _ in _OTHERS}
PATHS = (*ROWS, *METHODS)


@lru_cache(maxsize=1024)
def nearest(asked: str) -> str:
    """The path that a template such as `/v3.0/user/{id}` may mean; blank when none is near."""
    asked = asked.lower()
    below = asked[1:].partition("/")[2] if re.match(r"/v[0-9]", asked) else asked[1:]
    tried = (asked, f"{PREFIX}/{below}")
    exact = [path for path in tried if path in PATHS]
    near = (path for one in tried for path in get_close_matches(one, PATHS, 1, LIKENESS))
    return exact[0] if exact else next(near, "")


def template(path: str) -> str:
    """A path with `{id}` for each id."""
    return ID.sub("{id}", path)


def row_of(path: str) -> Endpoint | None:
    """The row of a path of the Data API, whatever its capitals."""
    return ROWS.get(template(path).lower())
