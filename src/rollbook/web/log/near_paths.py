"""The contract's row for a logged path, and the path that a wrong one may have meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache

from rollbook.contract.clever import versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS

PREFIX = f"/{versions.DEFAULT}"
ID = re.compile(r"[0-9a-fA-F]{24}")
# From 0 to 1: how similar a wrong path must be to a known one to suggest that.
LIKENESS = 0.86
# The default version comes first: a path that is near to both versions' is taken for one of it.
_PREFIXES = tuple(f"/{version}" for version in versions.SPOKEN)
ROWS = {f"{prefix}{row.path}": row for prefix in _PREFIXES for row in (*ENDPOINTS, *EVENTS)}
_OTHERS = [
    (f"{prefix}{row.path}", row.method.upper())
    for row in SIGN_IN_OPERATIONS
    for prefix in (_PREFIXES if row.is_versioned else ("",))
]
# The methods of the paths beside the records; the others take only GET.
METHODS = {path: tuple(method for other, method in _OTHERS if other == path) for path, _ in _OTHERS}
PATHS = (*ROWS, *METHODS)


@lru_cache(maxsize=1024)
def nearest(asked: str) -> str:
    """The path that a template such as `/v3.0/user/{id}` may mean; blank if none is similar."""
    asked = asked.lower()
    below = asked[1:].partition("/")[2] if re.match(r"/v[0-9]", asked) else asked[1:]
    tried = (asked, f"{prefix_of(asked)}/{below}")
    exact = [path for path in tried if path in PATHS]
    near = (
        path
        for one in tried
        for path in get_close_matches(one, [each for each in PATHS if is_kin(each, one)], 1, LIKENESS)
    )
    return exact[0] if exact else next(near, "")


def is_kin(path: str, asked: str) -> bool:
    """Whether a path has the version that is asked for, or none."""
    return versions.of_path(path) is None or path.startswith(f"{prefix_of(asked)}/")


def prefix_of(path: str) -> str:
    """How paths of the version begin that a path is of; of the default version for a path of no spoken one."""
    version = (versions.of_path(path) or "").lower()
    return f"/{version}" if version in versions.SPOKEN else PREFIX


def template(path: str) -> str:
    """A path with `{id}` for each id."""
    return ID.sub("{id}", path)


def row_of(path: str) -> Endpoint | None:
    """The row of a Data API path, with any capitals."""
    return ROWS.get(template(path).lower())
