"""The people of a district, for its own sign-in pages: one person, a search, the schools to choose from.

An application reads a person through its own `Access`. These reads use the district's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.domain.access import Access
from rollbook.domain.kinds import ROLE, masks_with
from rollbook.errors import NotFound, Unknown
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.records import record_pages
from rollbook.store.records.reading import Reading

_CANDIDATES_MAX = 2000
_SCHOOLS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """A person who may sign in. `roles` has the order in which several roles of a person are named."""

    id: str
    name: str
    email: str
    roles: tuple[str, ...]
    record: dict[str, Any]


def whole(transaction: Transaction, district: int) -> Access:
    """The access to a whole roster of a district (by number), with everything except sensitive fields."""
    found = transaction.row(
        (
            "SELECT d.number, d.id, v.number FROM districts d"
            " JOIN views v ON v.district = d.number AND v.is_whole = 1 WHERE d.number = ?"
        ),
        (district,),
    )
    if found is None:
        raise NotFound("Resource not found")
    return Access(found[0], found[1], found[2], 0, "", ())


def get(transaction: Transaction, access: Access, user_id: str) -> Person | None:
    """The person of that id; None if they do not exist or may not sign in."""
    try:
        record = record_pages.get(Reading(transaction, access), "users", user_id)
    except NotFound:
        return None
    person = _person(record.id, record.body)
    return person if person.roles else None


def find(transaction: Transaction, access: Access, text: str) -> Person:
    """The one person of that id, SIS id, username or email. Errors: Unknown if there is none, or several."""
    found = get(transaction, access, text.lower())
    if found:
        return found
    rows = _rows(transaction, access, "", ("%" + _escaped(text) + "%",))
    fitting = [person for person in _people(rows) if text.casefold() in _names_of(person)]
    if len(fitting) != 1:
        raise Unknown(f"{len(fitting) or 'no'} people have the id, SIS id, username or email {text!r}")
    return fitting[0]


def search(
    transaction: Transaction, access: Access, *, text: str, role: str, school: str, limit: int
) -> list[Person]:
    """People whose name, email, username or SIS id contains every word; of a role and at a school, if
    given."""
    words = text.casefold().split()[:8]
    patterns = [f"%{_escaped(word)}%" for word in words] + ([f'%"{_escaped(school)}"%'] if school else [])
    found: list[Person] = []
    for person in _people(_rows(transaction, access, role, patterns)):
        known = " ".join((person.name, *_names_of(person))).casefold()
        if all(word in known for word in words):
            found.append(person)
    return sorted(found[: limit * 4], key=lambda person: person.name.casefold())[:limit]


def everybody(transaction: Transaction, access: Access, *, role: str, school: str) -> list[Person]:
    """All people of a role, by name; at a school, if given."""
    patterns = [f'%"{_escaped(school)}"%'] if school else []
    found = _people(_rows(transaction, access, role, patterns, limit=None))
    return sorted(found, key=lambda person: person.name.casefold())


def schools(transaction: Transaction, access: Access) -> list[tuple[str, str]]:
    """The schools as (id, name), by name."""
    rows = transaction.rows(
        "SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = 'schools' ORDER BY id LIMIT ?",
        (access.view, _SCHOOLS_MAX),
    )
    return sorted(
        ((id_, orjson.loads(body).get("name", "")) for id_, body in rows),
        key=lambda school: school[1].casefold(),
    )


def school_names(transaction: Transaction, access: Access) -> dict[str, str]:
    """The id of each school by all of its names: id, SIS id and name."""
    rows = transaction.rows(
        "SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = 'schools' ORDER BY id DESC",
        (access.view,),
    )
    bodies = [(id_, orjson.loads(body)) for id_, body in rows]
    named = {body[name]: id_ for name in ("name", "sis_id") for id_, body in bodies if body.get(name)}
    return {**named, **{id_: id_ for id_, _ in bodies}}


def _rows(
    transaction: Transaction,
    access: Access,
    role: str,
    patterns: Iterable[str],
    limit: int | None = _CANDIDATES_MAX,
) -> list[Row]:
    masks = masks_with(role) if role else tuple(mask for mask in range(1, ROLE["contact"].bit))
    like = "ILIKE" if transaction.engine == "postgresql" else "LIKE"
    patterns = tuple(patterns)
    matching = "".join(f" AND body {like} ? ESCAPE '!'" for _ in patterns)
    among, at_most = ", ".join(map(str, masks)), " LIMIT ?" if limit else ""
    return transaction.rows(
        f"SELECT id, body FROM records WHERE view = ? AND roles IN ({among}){matching} ORDER BY id{at_most}",
        (access.view, *patterns, *((limit,) if limit else ())),
    )


def _escaped(text: str) -> str:
    """Text as it stands in JSON, escaped for LIKE."""
    in_json = orjson.dumps(text).decode()[1:-1]
    return in_json.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _people(rows: Iterable[Row]) -> list[Person]:
    return [_person(id_, body) for id_, body in rows]


def _person(id_: str, body: str) -> Person:
    record = orjson.loads(body)
    name = record.get("name", {})
    full = " ".join(part for part in (name.get("first"), name.get("last")) if part)
    held = tuple(role for role in LOGIN_ROLES if role in record.get("roles", {}))
    return Person(id_, full or record.get("email", "") or id_, record.get("email", ""), held, record)


def _names_of(person: Person) -> list[str]:
    """The names of a person: email, SIS ids and usernames, in lower case."""
    roles = [person.record["roles"][role] for role in person.roles]
    values = [person.email]
    for role in roles:
        values += [
            role.get("sis_id"),
            role.get("staff_id"),
            role.get("credentials", {}).get("district_username"),
        ]
        values += [role.get("student_number"), role.get("teacher_number")]
    return [value.casefold() for value in values if value]
