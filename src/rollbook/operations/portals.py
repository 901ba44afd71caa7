"""The portal of a person: the applications that they may enter, as the sign-in pages and the console show it."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.auth import entry
from rollbook.store.accounts import applications, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Session
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person


@dataclass(frozen=True, slots=True)
class Portal:
    """What a person sees: the applications that they may enter, those for others, each with the people it is
    for, and those that they let in as a teacher."""

    person: Person
    applications: tuple[Application, ...]
    of_others: tuple[tuple[str, str], ...]
    let_in: tuple[Application, ...]


def of(
    transaction: Transaction, district: District, session: Session, person: Person, *, in_demo: bool
) -> Portal:
    """The portal of a session's person."""
    offered = [
        (one, entry.enter(transaction, one, session).outcome)
        for one in applications.list_offered(transaction, district.number, in_demo=in_demo)
        # A demo's own application returns to a page of the demo.
        if one.redirect_uris or one.is_demo
    ]
    # Students and teachers do not see the district's other applications. Staff and administrators see them.
    looks_after = {"staff", "district_admin"} & set(person.roles)
    return Portal(
        person,
        tuple(one for one, outcome in offered if outcome == "allowed"),
        tuple(
            (one.name, " and ".join(entry.PEOPLE[role] for role in one.user_types))
            for one, outcome in offered
            if looks_after and outcome == "wrong type"
        ),
        tuple(
            one
            for one, _ in offered
            if logins.has_allowed(transaction, one.number, district.number, [person.id])
        ),
    )


def as_person(database: Database, district: str, user: str, *, in_demo: bool = False) -> Portal:
    """The portal as a person (id, SIS id, username or email) of a district (name or id) sees it. Nobody is signed in,
    so no application can be entered. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        person = people_lookup.find(transaction, people_lookup.whole(transaction, owner.number), user)
        now = logins.now()
        session = Session("", owner.number, person.id, person.roles[0], "operator", now, now)
        return of(transaction, owner, session, person, in_demo=in_demo)
