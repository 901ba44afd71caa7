"""Answers to tokens that reach only a part: user tokens, and district tokens of the smaller tiers.

Paging parameters mean nothing to a user token: it gets everything in its scope, without links to further
pages (protocol.md 2.4). A record that is not its own is answered like one that is not there.
"""

from __future__ import annotations

from typing import Any

import orjson

from rollbook.contract.clever import query as queries
from rollbook.contract.clever import tiers
from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from rollbook.contract.clever.query import Query
from rollbook.domain.access import Access
from rollbook.errors import NoSuchEndpoint, NotFound
from rollbook.store.engine.database import Connection
from rollbook.store.records import record_pages

# `/me`: no data path, but the one under a version that tells a user token whose it is.
ME = Endpoint("/me", "getMe", "list", "me", "users")
_OWN_LISTS = ("/users/{id}/sections", "/users/{id}/mystudents")
_SECTIONS, _STUDENTS = (
    next(endpoint for endpoint in ENDPOINTS if endpoint.path == path) for path in _OWN_LISTS
)


def check(connection: Connection, access: Access, endpoint: Endpoint, id_: str) -> None:
    """Errors: NoSuchEndpoint for a path out of the token's reach, NotFound for a record that is not its
    own."""
    if endpoint is ME:
        if access.holder != "user":
            raise NoSuchEndpoint(endpoint.path)
        record_pages.get(connection, access, "users", access.user)
        return
    if not tiers.reaches(access, endpoint.operation):
        raise NoSuchEndpoint(endpoint.path)
    if access.holder == "user" and not _is_own(connection, access, endpoint, id_):
        raise NotFound("Resource not found")


def _is_own(connection: Connection, access: Access, endpoint: Endpoint, id_: str) -> bool:
    """Whether a record belongs to the token's person; to a teacher who let the application in, her students
    do, too."""
    kind = endpoint.source
    if kind == "users":
        is_taught = endpoint.shape == "get" and access.role == "teacher" and access.authorized_by == "teacher"
        return id_ == access.user or (is_taught and id_ in _ids(connection, access, _STUDENTS))
    if kind == "districts":
        return access.authorized_by != "teacher" and id_ == access.district_id
    if kind == "schools":
        return id_ in _schools(orjson.loads(record_pages.get(connection, access, "users", access.user).body))
    # Sections: a teacher's own.
    return id_ in _ids(connection, access, _SECTIONS)


def _ids(connection: Connection, access: Access, related: Endpoint) -> set[str]:
    """The ids in a list of the token's person, who has at most a page of sections or students."""
    page = record_pages.related(connection, access, "", related, access.user, Query(limit=queries.LIMIT_MAX))
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
