"""Whether a signed-in person may enter an application, by authority of the district or of a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from rollbook.contract.clever import tiers
from rollbook.contract.clever.endpoints import ENDPOINTS
from rollbook.contract.clever.query import LIMIT_MAX, Query
from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.domain.access import Access
from rollbook.errors import NotFound
from rollbook.store.accounts import logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Session
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup, record_pages, related_lists
from rollbook.store.records.reading import Reading

_TEACHERS = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "/users/{id}/myteachers")

PEOPLE = {
    "student": "students",
    "teacher": "teachers",
    "staff": "school staff",
    "district_admin": "district administrators",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """The outcome.

    `allowed`: the person enters in `role`. `wrong type`: the application is not for people of these roles.
    `unshared`: the district does not share the person with the application, or the person and the application
    do not know each other. `ask`: a teacher may allow the application.
    """

    outcome: Literal["allowed", "wrong type", "unshared", "ask"]
    role: str = ""
    authorized_by: Literal["district", "teacher"] = "district"


def enter(
    transaction: Transaction, application: Application, session: Session, *, is_writing: bool = False
) -> Entry:
    """Decide whether a person enters. The district's authority goes before a teacher's (protocol.md 10).

    `is_writing`: a code is issued in the same transaction, so a teacher's permission must hold until its end.
    """
    whole = people_lookup.whole(transaction, session.district)
    person = people_lookup.get(transaction, whole, session.user_id)
    if person is None:
        return Entry("unshared")
    roles = [
        role
        for role in (session.role, *person.roles)
        if role in application.user_types and role in person.roles
    ]
    if not roles:
        return Entry("wrong type")
    connected = logins.access_to(transaction, application.number, session.district)
    if connected:
        number, view = connected
        access = Access(
            whole.district,
            whole.district_id,
            view,
            number,
            application.client_id,
            application.scopes,
            base=whole.view if view != whole.view else 0,
        )
        # The person enters in a role that the application may see; other roles are not even named.
        shown = [role for role in roles if role in _roles_shown(transaction, access, person.id)]
        return Entry("allowed", shown[0]) if shown else Entry("unshared")
    if application.tier != "library":
        return Entry("unshared")
    if "teacher" in roles:
        has_allowed = logins.has_allowed(
            transaction, application.number, session.district, [person.id], is_writing=is_writing
        )
        return Entry("allowed" if has_allowed else "ask", "teacher", "teacher")
    taught_by = _teachers(transaction, whole, person.id)
    if logins.has_allowed(
        transaction, application.number, session.district, taught_by, is_writing=is_writing
    ):
        return Entry("allowed", roles[0], "teacher")
    return Entry("unshared")


def _roles_shown(transaction: Transaction, access: Access, user_id: str) -> list[str]:
    """The roles of a person that an application sees; empty if the person is not shared with it."""
    try:
        record = orjson.loads(record_pages.get(Reading(transaction, access), "users", user_id).body)
    except NotFound:
        return []
    return [
        role for role in record.get("roles") or {} if role in LOGIN_ROLES and tiers.opens(access.scopes, role)
    ]


def _teachers(transaction: Transaction, access: Access, user_id: str) -> list[str]:
    page = related_lists.related(Reading(transaction, access), _TEACHERS, user_id, Query(limit=LIMIT_MAX))
    return [element["data"]["id"] for element in orjson.loads(b"[%b]" % page.elements)]
