"""A login as any person, without a browser: the person's access, and the code for the application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollbook.auth import oauth
from rollbook.auth.entry import PEOPLE, enter
from rollbook.demo import published
from rollbook.demo.json_requests import check_names, text_of
from rollbook.domain.access import LIMITED
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.store.accounts import applications, connections, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Grant, Session
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person
from rollbook.web.http.visits import Desk

NAMES = ("person", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method")


def code_for(desk: Desk, asked: Mapping[str, Any]) -> dict[str, object]:
    """A code for a person and an application of the demo, as after a sign-in in a browser.

    Errors: BadSetting for a wrong parameter, Unknown for an unknown person, Refused for a person without
    access.
    """
    check_names(asked, *NAMES)
    wanted = text_of(asked, "person")
    client_id = text_of(asked, "client_id", published.APPLICATION.client_id)
    ask = oauth.read_ask([(name, text_of(asked, name, "")) for name in NAMES[1:]])
    with desk.database.write(is_durable=False) as transaction:
        application = applications.by_client_id(transaction, client_id, in_demo=True)
        if application is None:
            raise Unknown(f"client_id: no application of this demo has the client id {client_id!r}")
        redirect_uri = _redirect_uri(desk, application, ask.redirect_uri)
        if problem := oauth.problem_of(ask):
            raise BadSetting(f"{problem}: code_challenge and its method cannot be used")
        district, person = _find(transaction, wanted)
        grant = grant_of(transaction, application, district, person, redirect_uri)
        bound = Grant(
            *(grant.application, grant.district, grant.user_id, grant.role, grant.authorized_by),
            *(redirect_uri, grant.signed_in, ask.nonce or None, ask.challenge or None),
            ask.challenge_method or None,
        )
        code = logins.issue_code(transaction, bound, seconds=desk.settings.code_seconds)
    scopes = LIMITED if grant.authorized_by == "teacher" else application.scopes
    issuer = desk.base if application.names_issuer else ""
    values = {"code": code, "scope": " ".join(scopes)}
    return {
        "code": code,
        "redirect_uri": redirect_uri,
        "url": oauth.answer_uri(redirect_uri, values, state=ask.state, issuer=issuer),
        "client_id": application.client_id,
        "expires_in": desk.settings.code_seconds,
        "person": {"id": person.id, "name": person.name, "role": grant.role},
    }


def grant_of(
    transaction: Transaction, application: Application, district: int, person: Person, redirect_uri: str = ""
) -> Grant:
    """The grant with which a person enters an application. Errors: Refused says why they may not."""
    session = Session("", district, person.id, person.roles[0], "demo", logins.now(), logins.now())
    decided = enter(transaction, application, session)
    if decided.outcome == "wrong type":
        raise Refused(
            f"{application.name} is not for {PEOPLE[session.role]}; the application's user types say so"
        )
    if decided.outcome == "ask":
        raise Refused(f"{person.name} has not let {application.name} in; sign in as them once, and allow it")
    if decided.outcome != "allowed":
        raise Refused(f"{person.name} has no access to {application.name}: the district does not share them")
    return Grant(
        *(application.number, district, person.id, decided.role, decided.authorized_by),
        *(redirect_uri, session.created),
    )


def _find(transaction: Transaction, text: str) -> tuple[int, Person]:
    """The person of an id, SIS id, username or email, from the demo's first district or another one.

    The name of a role means the person of that role who has a published token.
    """
    text = of_role(transaction, text)
    first = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
    second = connections.resolve(transaction, published.SECOND_TOKEN, in_demo=True)
    missing = Unknown(f"person: nobody has the id, SIS id, username or email {text!r}")
    for access in (first, second):
        if access is None:
            continue
        try:
            return access.district, people_lookup.find(
                transaction, people_lookup.whole(transaction, access.district), text
            )
        except Unknown as error:
            missing = Unknown(f"person: {error}") if "no people" not in str(error) else missing
    raise missing


def of_role(transaction: Transaction, text: str) -> str:
    """The id of the person of a role who has a published token; any other text as it is."""
    for token, role in published.USER_TOKENS:
        if text == role and (known := logins.resolve(transaction, token, in_demo=True)):
            return known.user
    return text


def _redirect_uri(desk: Desk, application: Application, asked: str) -> str:
    registered = desk.redirect_uris(application)
    if asked and asked not in registered:
        raise BadSetting(f"redirect_uri: expected one of {', '.join(registered)}")
    return asked or registered[0]
