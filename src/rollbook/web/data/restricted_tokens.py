"""Answers to tokens that reach only a part: user tokens, and district tokens of the smaller tiers.

Paging parameters mean nothing to a user token: it gets everything in its scope, without links to further
pages (protocol.md 2.4). A record that is not its own is answered like one that is not there.
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

# `/me`: no data path, but the one under a version that tells a user token whose it is.
ME = Endpoint("/me", "getMe", "list", "me", "users")
_OWN = ("/users/{id}/sections", "/users/{id}/mystudents", "/users/{id}")
_SECTIONS, _STUDENTS, _USER = (
    next(endpoint for endpoint in ENDPOINTS if endpoint.path == path) for path in _OWN
)


def of_role(reading: Reading, endpoint: Endpoint, id_: str) -> bytes:
    """The answer of a path of v2.1, for a user token.

    Errors: NoSuchEndpoint for another token, or a role that has no such path; NotFound for a record out of reach.
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
        # The id of a student is the user's, too: a teacher who let the application in reads her students.
        user = _user(reading, id_) if role == "student" else {}
    if role_records.id_of(user, role) != id_:
        raise NotFound("Resource not found")
    links = [{"rel": "self", "uri": role_records.address(user, role)}]
    shown = tiers.cut(access, "users", user)
    if role not in shown.get("roles", {}):
        raise NotFound("Resource not found")
    return orjson.dumps({"data": role_records.record(shown, role), "links": links})


def _user(reading: Reading, id_: str) -> dict[str, Any]:
    """A user's record as the view holds it. Errors: NotFound when it is none of the token's."""
    check(reading, _USER, id_)
    found: dict[str, Any] = orjson.loads(record_pages.get(reading, "users", id_).body)
    return found


def check(reading: Reading, endpoint: Endpoint, id_: str) -> None:
    """Errors: NoSuchEndpoint for a path out of the token's reach, NotFound for a record that is not its
    own."""
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
    """Whether a record belongs to the token's person; to a teacher who let the application in, her students
    do, too."""
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
    """An answer with what the tier leaves of each record; a user token gets no links but `self`."""
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
    """Whose token it is (protocol.md 2.1). `self` has no version, and a teacher-authorized login no
    district."""
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
