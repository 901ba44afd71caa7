"""The remaining part of v2.1: a person who has signed in, in that version's form for each role.

v2.1 had a kind for each role. Its ids were the ids of roles, `legacy_id` in v3.0; a student has the same id
in both. Only sign-in clients still use v2.1, so a user token reaches its own person, and no other path
exists. Source: protocol.md 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollbook.contract.clever.endpoints import Endpoint
from rollbook.domain.access import Access

VERSION = "v2.1"
# For each role that signs in: its kind in the path, and its value of `type`.
KINDS = {
    "student": ("students", "student"),
    "teacher": ("teachers", "teacher"),
    "staff": ("school_admins", "school_admin"),
    "district_admin": ("district_admins", "district_admin"),
}
ROLE_OF_KIND = {kind: role for role, (kind, _) in KINDS.items()}
ME = Endpoint(f"/{VERSION}/me", "getMeOfRole", "list", "me", "users")
RECORDS = {
    kind: Endpoint(f"/{VERSION}/{kind}/{{id}}", "getUser", "get", kind, "users") for kind in ROLE_OF_KIND
}
ROWS = (ME, *RECORDS.values())
# The fields of every role, besides its own fields.
_SHARED = ("created", "district", "email", "last_modified", "name")


def id_of(user: Mapping[str, Any], role: str) -> str:
    """The id of one role of a user; blank if the user does not have the role."""
    held = user.get("roles", {}).get(role)
    return "" if held is None else str(held.get("legacy_id") or user["id"])


def record(user: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The v2.1 record of one of a user's roles: the fields that all roles share, and the role's own fields."""
    shared = {name: user[name] for name in _SHARED if name in user}
    held = {name: value for name, value in user["roles"][role].items() if name != "legacy_id"}
    return {"id": id_of(user, role), **shared, **held}


def address(user: Mapping[str, Any], role: str) -> str:
    """The path of a role's record."""
    return f"/{VERSION}/{KINDS[role][0]}/{id_of(user, role)}"


def me(access: Access, user: Mapping[str, Any], district_path: str) -> dict[str, Any]:
    """The person of the token. `self` has no version; a login that a teacher allowed names no district."""
    type_ = KINDS[access.role][1]
    links = [("self", "/me"), ("canonical", address(user, access.role))]
    data = {"id": id_of(user, access.role), "type": type_, "authorized_by": access.authorized_by}
    if access.authorized_by != "teacher":
        data["district"] = access.district_id
        links.append(("district", district_path))
    return {"type": type_, "data": data, "links": [{"rel": rel, "uri": uri} for rel, uri in links]}
