"""The API versions that this server speaks, as rows, and its answer to a path of another version.

Clients are set up for one version and read an unexpected 404 as a wrong token. So the answer says which path
to ask instead.
"""

from __future__ import annotations

import re

from rollbook.contract.dialect import Dialect
from rollbook.domain.kinds import ROLES


class Version(Dialect):
    """One version of the Clever API."""

    __slots__ = ()

    @property
    def number(self) -> str:
        return self.name.removeprefix("v")


# The oldest version stands first: all kinds have its form.
VERSIONS = (Version("v3.0"), Version("v3.1", {"users": 1}))
FIRST = VERSIONS[0]
VERSION = {version.name: version for version in VERSIONS}
SPOKEN = tuple(VERSION)
# The version that answers paths without a version, and that clients of unknown versions are sent to.
DEFAULT = FIRST.name
# The forms of stored records beside form 0: (kind, form), by the name of a record's kind in a sync and its snapshot.
FORMS = {
    f"{kind}@{version.number}": (kind, form) for version in VERSIONS for kind, form in version.forms.items()
}
# Only people of these roles have a form of their own: no other role differs.
FORM_ROLES = sum(role.bit for role in ROLES if role.name == "student")
DOCUMENT = "/openapi.json"
# The host names under which clients know the API: of sign-in, and of the data.
HOSTS = ("clever.com", "api.clever.com")
# How many characters of a path an answer repeats.
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
    """The version in a path, spoken here or not; None if the path has no version."""
    first = path[1:].partition("/")[0]
    return first if first in VERSION or _VERSION.fullmatch(first) else None


def is_spoken(path: str) -> bool:
    return path[1:].partition("/")[0] in SPOKEN


def refusal(path: str) -> str:
    """The message for a path of an unknown version: the version asked, the versions spoken, and the path to
    ask instead."""
    asked = (of_path(path) or "")[:SHOWN_MAX]
    return (
        f"Version {asked} is not spoken by this server, which speaks {', '.join(SPOKEN)}: ask "
        f"{_instead(path)} instead"
    )


def _instead(path: str) -> str:
    """The same path in the version that the client means: one that differs only in letter case, else the
    default."""
    version = next((known for known in SPOKEN if known == (of_path(path) or "").lower()), DEFAULT)
    kind, *rest = path.split("/")[2:] or [""]
    if not kind:
        return f"a path of {DOCUMENT}"
    if kind in _ROLE_KINDS:
        rest = rest or [""]
        kind = "users" if rest[0] else f"users?role={_ROLE_KINDS[kind]}"
    return "/".join(("", version, kind, *filter(None, rest)))[:SHOWN_MAX]
