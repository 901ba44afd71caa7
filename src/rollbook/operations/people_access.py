"""One person's access: mint a user token for them, or end all that they have open."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from rollbook.auth.entry import PEOPLE, Entry, enter
from rollbook.errors import Refused, Unknown
from rollbook.settings import Settings
from rollbook.store.accounts import applications, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Grant, Session
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person


@dataclass(frozen=True, slots=True)
class Minted:
    """A user token, its person, and the role in which it opens the application."""

    token: str
    person: Person
    role: str


def mint_token(
    database: Database, settings: Settings, application: str, user: str, district: str | None = None
) -> Minted:
    """Mint a user token for a person (id, SIS id, username or email), as if they had signed in to the
    application.

    `district` may be left out if there is only one. Errors: Unknown; Refused if the person may not enter.
    """
    reader, owner = applications.find(database, application), _only(database, district)
    with database.write() as transaction:
        person = people_lookup.find(transaction, people_lookup.whole(transaction, owner.number), user)
        session = Session(
            "", owner.number, person.id, person.roles[0], "operator", logins.now(), logins.now()
        )
        decided = enter(transaction, reader, session)
        if decided.outcome != "allowed":
            raise Refused(_why_not(transaction, person, reader, owner, decided))
        grant = Grant(
            reader.number, owner.number, person.id, decided.role, decided.authorized_by, "", session.created
        )
        token = logins.mint(transaction, grant, seconds=settings.user_token_seconds, by="operator")
    return Minted(token, person, decided.role)


def sign_out(database: Database, district: str, user: str) -> tuple[Person, int]:
    """Sign a person (id, SIS id, username or email) out everywhere; returns the number of ended sessions and
    tokens.

    Errors: Unknown.
    """
    owner = districts.find(database, district)
    with database.read() as transaction:
        person = people_lookup.find(transaction, people_lookup.whole(transaction, owner.number), user)
    with database.write() as transaction:
        ended = logins.end_all(transaction, owner.number, person.id)
    # a second time, for sessions and tokens that were being issued meanwhile
    with database.write() as transaction:
        logins.end_issued(transaction, owner.number, person.id)
    return person, ended


def _why_not(
    transaction: Transaction, person: Person, application: Application, owner: District, decided: Entry
) -> str:
    """Why a person may not enter an application, and what an operator or a teacher can do about it."""
    roles = " and ".join(role.replace("_", " ") for role in person.roles)
    name, district = shlex.quote(application.name), shlex.quote(owner.name)
    if decided.outcome == "wrong type":
        wanted = ", ".join(PEOPLE[role] for role in application.user_types)
        types = shlex.quote(" ".join(dict.fromkeys((*application.user_types, *person.roles))))
        return (
            f"{person.name} ({roles}) may not enter {application.name!r}: the application is for {wanted} only;"
            f" `rollbook application set {name} --user-types {types}` lets them in"
        )
    if decided.outcome == "ask":
        return (
            f"{person.name} ({roles}) may not enter {application.name!r} yet: they allow it themselves when they sign in;"
            f" `rollbook connect {name} {district}` lets all of {owner.name!r} in"
        )
    if not logins.access_to(transaction, application.number, owner.number):
        return (
            f"{person.name} may not enter {application.name!r}: it is not connected to {owner.name!r};"
            f" run `rollbook connect {name} {district}`"
        )
    return (
        f"{person.name} may not enter {application.name!r}: {owner.name!r} does not share them with it;"
        f" look at `rollbook shares {district}`, and share them with `rollbook share {name} {district}`"
    )


def _only(database: Database, district: str | None) -> District:
    """The named district, or the only one.

    Errors: Unknown if there is none, or if the caller must name one.
    """
    if district:
        return districts.find(database, district)
    known = districts.list_all(database)
    if len(known) != 1:
        names = ", ".join(repr(one.name) for one in known[:10])
        raise Unknown(
            f"district: name one with --district; there is {names}" if known else "there is no district yet"
        )
    return known[0]
