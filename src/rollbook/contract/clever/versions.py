"""The versions of the API that this server speaks, as rows, and what it says to a path of another version.

Clients are set up for one version and take any odd 404 for a wrong token, so the answer says what to ask
instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollbook.domain.kinds import ROLES


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its name as paths begin with it, and the kinds of which it shows records in a form of its
    own, each with the name under which the store keeps that form.

    A record stands there only where it differs from the first version's; all others are shared. The name
    holds a dot, as those of stored lists do: neither is a record by itself.
    """

    name: str
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        return self.name.removeprefix("v")


# The oldest first: its form is the one that all kinds have.
VERSIONS = (Version("v3.0"), Version("v3.1", {"users": "users@3.1"}))
SPOKEN = tuple(version.name for version in VERSIONS)
# The version that paths without one are answered in, and that other versions' clients are sent to.
DEFAULT = SPOKEN[0]
# (beginning of a path, kind) -> the name of the form that is shown there.
_FORMS = {(f"/{version.name}", kind): form for version in VERSIONS for kind, form in version.forms.items()}
# The kind of each form.
KIND_OF_FORM = {form: kind for version in VERSIONS for kind, form in version.forms.items()}
# Records of a form of users are of these roles alone: no other role differs.
FORM_ROLES = sum(role.bit for role in ROLES if role.name == "student")
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


def form(prefix: str | None, kind: str) -> str | None:
    """Under which name records of a kind are stored that paths beginning with `prefix` (`/v3.1`) show in a
    form of their own; None: there are none."""
    return _FORMS.get((prefix or "", kind))


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
    """The same path in the version meant: the one whose name differs in capitals only, else the default."""
    version = next((known for known in SPOKEN if known == (of_path(path) or "").lower()), DEFAULT)
    kind, *rest = path.split("/")[2:] or [""]
    if not kind:
        return f"a path of {DOCUMENT}"
    if kind in _ROLE_KINDS:
        rest = rest or [""]
        kind = "users" if rest[0] else f"users?role={_ROLE_KINDS[kind]}"
    return "/".join(("", version, kind, *filter(None, rest)))[:SHOWN_MAX]
