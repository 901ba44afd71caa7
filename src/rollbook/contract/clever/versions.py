"""The versions of the API that this server speaks, as rows, and what it says to a path of another version.

Clients are set up for one version and take any odd 404 for a wrong token, so the answer says what to ask
instead.
"""

from __future__ import annotations

import re

# The newest last: paths without a version are answered in it.
SPOKEN = ("v3.0",)
DOCUMENT = "/openapi.json"
# How much of a path an answer repeats.
SHOWN_MAX = 200

_VERSION = re.compile(r"[vV][0-9]+(\.[0-9]+)*")
# Before v3.0 each role had a kind of its own.
_ROLE_KINDS = {
    "students": "student",
    "teachers": "teacher",
    "contacts": "contact",
    "school_admins": "staff",
    "district_admins": "district_admin",
}


def of_path(path: str) -> str | None:
    """The version that a path asks for, spoken or not; None for a path of something else."""
    first = path[1:].partition("/")[0]
    return first if _VERSION.fullmatch(first) else None


def is_spoken(path: str) -> bool:
    return path[1:].partition("/")[0] in SPOKEN


def refusal(path: str) -> str:
    """What is said to a path of a version that is not spoken: which was asked, which are spoken, and what to
    ask instead."""
    asked = (of_path(path) or "")[:SHOWN_MAX]
    return (
        f"Version {asked} is not spoken by this server, which speaks {', '.join(SPOKEN)}: ask "
        f"{_instead(path)} instead"
    )


def _instead(path: str) -> str:
    """The same path in the version meant: the one whose name differs in capitals only, else the newest."""
    version = next((known for known in SPOKEN if known == (of_path(path) or "").lower()), SPOKEN[-1])
    kind, *rest = path.split("/")[2:] or [""]
    if not kind:
        return f"a path of {DOCUMENT}"
    if kind in _ROLE_KINDS:
        rest = rest or [""]
        kind = "users" if rest[0] else f"users?role={_ROLE_KINDS[kind]}"
    return "/".join(("", version, kind, *filter(None, rest)))[:SHOWN_MAX]
