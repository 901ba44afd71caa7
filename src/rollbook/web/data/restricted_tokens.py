"""Answers to tokens that reach only a part: user tokens, and district tokens of the smaller tiers.

A user token ignores paging: it gets everything in its scope, without links to other pages (protocol.md 2.4).
A record outside its scope is answered like one that does not exist.
"""

from __future__ import annotations

from typing import Any

import orjson

from rollbook.contract.clever import query as queries
from rollbook.contract.clever import role_records, tiers
from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from rollbook.contract.clever.query import Query
from rollbook.domain.access import Access
from rollbook.errors import NoSuchEndpoint, NotFound
from rollbook.store.records import record_pages, related_lists
from rollbook.store.records.reading import Reading

# `/me`: not a data path, but the path below a version that tells a user token who its person is.
ME = Endpoint("/me", "getMe", "list", "me", "users")
_OWN = ("/users/{id}/sections", "/users/{id}/mystudents", "/users/{id}")
_SECTIONS, _STUDENTS, _USER = (
    next(endpoint for endpoint in ENDPOINTS if endpoint.path == path) for path in _OWN
)


def of_role(reading: Reading, endpoint: Endpoint, id_: str) -> bytes:
    """The answer of a v2.1 path, for a user token.

    Errors: NoSuchEndpoint for another token, or a role without such a path; NotFound for a record out of
    reach.
    """
    access = reading.access
    if access.holder != "user" or access.role not in role_records.KINDS:
        raise NoSuchEndpoint(endpoint.path)
    own = _user(reading, access.user)
    if endpoint is role_records.ME:
        district = reading.dialect.address("districts", access.district_id)
        return orjson.dumps(role_records.me(access, own, district))
    role = role_records.ROLE_OF_KIND[endpoint.source]
    user = own
    if role_records.id_of(own, role) != id_:
        # A student's id is also the user's: a teacher who allowed the application reads their students.
        user = _user(reading, id_) if role == "student" else {}
    if role_records.id_of(user, role) != id_:
        raise NotFound("Resource not found")
    links = [{"rel": "self", "uri": role_records.address(user, role)}]
    shown = tiers.cut(access, "users", user)
    if role not in shown.get("roles", {}):
        raise NotFound("Resource not found")
    return orjson.dumps({"data": role_records.record(shown, role), "links": links})


def _user(reading: Reading, id_: str) -> dict[str, Any]:
    """A user's record as the view holds it. Errors: NotFound if the token does not reach it."""
    check(reading, _USER, id_)
    found: dict[str, Any] = orjson.loads(record_pages.get(reading, "users", id_).body)
    return found


def check(reading: Reading, endpoint: Endpoint, id_: str) -> None:
    """Errors: NoSuchEndpoint for a path that the token does not reach, NotFound for a record outside its
    scope."""
    access = reading.access
    if endpoint is ME:
        if access.holder != "user":
            raise NoSuchEndpoint(endpoint.path)
        record_pages.get(reading, "users", access.user)
        return
    if not tiers.reaches(access, endpoint.operation):
        raise NoSuchEndpoint(endpoint.path)
    if access.holder == "user" and not _is_own(reading, endpoint, id_):
        raise NotFound("Resource not found")


def _is_own(reading: Reading, endpoint: Endpoint, id_: str) -> bool:
    """Whether a record belongs to the token's person, or to a student of a teacher who allowed the
    application."""
    access, kind = reading.access, endpoint.source
    if kind == "users":
        is_taught = endpoint.shape == "get" and access.role == "teacher" and access.authorized_by == "teacher"
        return id_ == access.user or (is_taught and id_ in _ids(reading, _STUDENTS))
    if kind == "districts":
        return access.authorized_by != "teacher" and id_ == access.district_id
    if kind == "schools":
        return id_ in _schools(orjson.loads(record_pages.get(reading, "users", access.user).body))
    # Sections: a teacher's own.
    return id_ in _ids(reading, _SECTIONS)


def _ids(reading: Reading, related: Endpoint) -> set[str]:
    """The ids in a list of the token's person, who has at most a page of sections or students."""
    page = related_lists.related(reading, related, reading.access.user, Query(limit=queries.LIMIT_MAX))
    return {element["data"]["id"] for element in orjson.loads(b"[%b]" % page.elements)}


def _schools(person: dict[str, Any]) -> set[str]:
    roles = person.get("roles", {}).values()
    return {id_ for role in roles for id_ in (*role.get("schools", ()), role.get("school", "")) if id_}


def cut(access: Access, endpoint: Endpoint, body: bytes) -> bytes:
    """An answer, with what the tier shows of each record. A user token gets only the link `self`."""
    answer = orjson.loads(body)
    data = answer.get("data")
    if isinstance(data, list):
        answer["data"] = [
            {**element, "data": tiers.cut(access, endpoint.returns, element["data"])} for element in data
        ]
    elif data is not None:
        answer["data"] = tiers.cut(access, endpoint.returns, data)
    if access.holder == "user":
        answer["links"] = [one for one in answer["links"] if one["rel"] == "self"]
    return orjson.dumps(answer)


def me(access: Access, prefix: str) -> bytes:
    """The person of the token (protocol.md 2.1).

    `self` has no version; a login that a teacher allowed names no district.
    """
    links = [("self", "/me"), ("canonical", f"{prefix}/users/{access.user}")]
    data = {
        "id": access.user,
        "district": access.district_id,
        "type": "user",
        "authorized_by": access.authorized_by,
    }
    if access.authorized_by == "teacher":
        del data["district"]
    else:
        links.append(("district", f"{prefix}/districts/{access.district_id}"))
    return orjson.dumps(
        {"type": "user", "data": data, "links": [{"rel": rel, "uri": uri} for rel, uri in links]}
    )
