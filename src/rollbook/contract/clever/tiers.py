"""The three tiers of access of an application, as rows: scopes, paths, and the fields of a record that each
tier shows.

A district token of a Secure Sync application reaches every path and sees whole records. That is the fast
path, and this module does not touch it. All other tokens reach only the paths named here and read few
records, which are cut in Python. Sources: protocol.md 2.3, 2.4 and 4.2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rollbook.domain.access import BASIC, LIMITED, SECURE_SYNC, Access


class Cut(Enum):
    """How much of a field is shown: all of it, an empty list in its place, or the first letter."""

    WHOLE = "whole"
    EMPTY = "empty"
    INITIAL = "initial"


Shown = Mapping[str, "Cut | Shown"]
"""The fields that stay in an object; a field without a key here is removed."""

SCOPE_OF_ROLE: dict[str, str] = {
    "student": "read:students",
    "teacher": "read:teachers",
    "staff": "read:school_admins",
    "district_admin": "read:district_admins",
    "contact": "read:student_contacts",
}
"""The full scope that opens each role; those of the smaller tiers end in `_basic` and `_limited`."""

LOGIN_ROLES: tuple[str, ...] = ("student", "teacher", "staff", "district_admin")
"""Who may sign in; also the order in which a person of several roles is named."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier.

    `district_paths` and `user_paths` are the operations that a district token and a user token reach (None:
    all). `teacher_paths` are those that a teacher's token reaches in addition. If the tier shows
    only some fields of a kind, `shown` has them. `has_id_token` says whether the tier gets OpenID Connect.
    """

    name: str
    title: str
    scopes: tuple[str, ...]
    user_types: tuple[str, ...]
    district_paths: tuple[str, ...] | None
    user_paths: tuple[str, ...]
    shown: Mapping[str, Shown]
    has_id_token: bool = True
    teacher_paths: tuple[str, ...] = ()


def _fields(*names: str) -> dict[str, Cut | Shown]:
    return dict.fromkeys(names, Cut.WHOLE)


_SSO_USER: Shown = {
    **_fields("created", "district", "email", "id", "last_modified"),
    "name": _fields("first", "last"),
    # The keys of the roles stay, but nothing inside them: that would say where someone goes to school.
    "roles": {
        "student": {"schools": Cut.EMPTY},
        "teacher": {"schools": Cut.EMPTY, **_fields("legacy_id")},
        "staff": {"schools": Cut.EMPTY, **_fields("legacy_id")},
        "district_admin": _fields("legacy_id"),
    },
}
_LIBRARY_TEACHER: Shown = {
    **_fields("created", "email", "id", "last_modified"),
    "name": _fields("first", "last", "middle"),
    "roles": {"teacher": _fields("legacy_id")},
}
_LIBRARY_STUDENT: Shown = {
    **_fields("created", "id", "last_modified"),
    "name": {**_fields("first"), "last": Cut.INITIAL},
    "roles": {"student": _fields("grade")},
}

TIERS: tuple[Tier, ...] = (
    Tier(
        "secure_sync",
        "Secure Sync",
        scopes=SECURE_SYNC,
        user_types=LOGIN_ROLES,
        district_paths=None,
        user_paths=("getUser", "getDistrict", "getSchool"),
        shown={},
    ),
    Tier(
        "sso",
        "District SSO",
        scopes=BASIC,
        user_types=LOGIN_ROLES,
        district_paths=("getDistricts", "getDistrict"),
        user_paths=("getUser", "getDistrict"),
        shown={"users": _SSO_USER, "districts": _fields("id", "name")},
    ),
    Tier(
        "library",
        "Library",
        scopes=LIMITED,
        user_types=("student", "teacher"),
        district_paths=(),
        user_paths=("getUser",),
        teacher_paths=("getSectionsForUser", "getStudentsForUser", "getSection", "getUsersForSection"),
        shown={
            "sections": _fields("grade", "id", "name", "section_number", "students", "subject", "teachers"),
            "teacher": _LIBRARY_TEACHER,
            "student": _LIBRARY_STUDENT,
        },
        has_id_token=False,
    ),
)
TIER: dict[str, Tier] = {tier.name: tier for tier in TIERS}


def reaches(access: Access, operation: str) -> bool:
    """Whether a token reaches a path. If not, its client sees the page for unknown paths."""
    tier = TIER[access.tier]
    if access.holder == "district":
        return tier.district_paths is None or operation in tier.district_paths
    if operation == "getSchool":
        return operation in tier.user_paths and "read:schools" in access.scopes
    return operation in tier.user_paths or (access.role == "teacher" and operation in tier.teacher_paths)


def opens(scopes: Collection[str], role: str) -> bool:
    """Whether one of the scopes opens a role, in full or in part."""
    return any(f"{SCOPE_OF_ROLE[role]}{ending}" in scopes for ending in ("", "_basic", "_limited"))


def cut(access: Access, kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record that the token's tier shows. A tier that cuts nothing shows the whole record."""
    shown = TIER[access.tier].shown
    if not shown:
        return dict(record)
    role = next((role for role in ("student", "teacher") if role in record.get("roles", {})), "")
    left = _cut(record, shown.get(kind) or shown.get(role, {}))
    if "roles" in left:
        left["roles"] = {role: held for role, held in left["roles"].items() if opens(access.scopes, role)}
    return left


def _cut(value: Mapping[str, Any], shown: Shown) -> dict[str, Any]:
    return {name: _left(value[name], how) for name, how in shown.items() if name in value}


def _left(value: Any, how: Cut | Shown) -> Any:
    if not isinstance(how, Cut):
        return _cut(value, how)
    if how is Cut.EMPTY:
        return []
    return value[:1] if how is Cut.INITIAL else value
