"""Sign in with a district's own service: send the browser there, and take it back at `/oauth/callback`."""

from __future__ import annotations

import json

from anyio import CapacityLimiter
from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth import relying_party as service
from rollbook.auth.relying_party import PENDING_SECONDS, Pending
from rollbook.errors import BadSetting, SignInStopped
from rollbook.store.accounts import audit, credentials
from rollbook.store.accounts.credentials import Provider
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.records import people_lookup
from rollbook.web.http.visits import Desk, Visit
from rollbook.web.signin.login import open_session

CALLBACK = "/oauth/callback"
PENDING = "a sign-in with the district's own service"
# Threads that may wait for services. Each service takes at most `PLACES` of them, so slow services block no
# others.
WAITING_MAX = 256


def routes(desk: Desk) -> list[Route]:
    few = CapacityLimiter(WAITING_MAX)
    return [
        Route("/in/{slug}/provider", desk.at(leave, few=few), methods=["GET"]),
        Route(CALLBACK, desk.at(come_back, few=few), methods=["GET"]),
    ]


def leave(desk: Desk, visit: Visit) -> Response:
    """Send the browser to the service.

    A link leads there: the content policy would hold a form's redirects to this server's addresses.
    """
    with desk.database.read() as transaction:
        district = districts.by_slug(transaction, visit.parts["slug"])
        provider = credentials.provider(transaction, district.number) if district else None
    if provider is None:
        raise SignInStopped(
            "This district has no sign-in service of its own.", "you; sign in another way", 404
        )
    address, pending = service.begin(desk.services, provider, desk.base + CALLBACK, visit.asked("ask"))
    sealed = desk.sealer.seal(pending.as_text(), PENDING)
    visit.put.append(desk.jar.put(desk.jar.provider, sealed, PENDING_SECONDS))
    return desk.redirect(address)


def come_back(desk: Desk, visit: Visit) -> Response:
    """Sign in the person whom the service vouches for, if exactly one person in the roster has that email."""
    pending = _pending(desk, visit)
    visit.put.append(desk.jar.drop(desk.jar.provider))
    with desk.database.read() as transaction:
        district = districts.by_number(transaction, pending.district)
        provider = credentials.provider(transaction, pending.district)
    if provider is None:
        raise _expired()
    secret = desk.sealer.open(provider.secret_sealed, credentials.secret_of(provider.district))
    try:
        email = service.finish(
            desk.services, provider, secret, pending, desk.base + CALLBACK, dict(visit.query)
        )
    except SignInStopped as error:
        _note_failure(desk, visit, district, str(error))
        raise
    with desk.database.read() as transaction:
        access = people_lookup.whole(transaction, district.number)
        known = credentials.by_email(transaction, district.number, email)
        found = [
            (user_id, role) for user_id, role in known if people_lookup.get(transaction, access, user_id)
        ]
    if len({id_ for id_, _ in found}) != 1:
        _note_failure(desk, visit, district, "not one person of the roster has that email")
        raise _unknown(provider, district.name)
    visit.form["ask"] = pending.ask
    return open_session(desk, visit, district, *found[0], "provider")


def _note_failure(desk: Desk, visit: Visit, district: District, why: str) -> None:
    with desk.database.write(is_durable=False) as transaction:
        audit.record(
            transaction,
            "sign-in failed",
            district=district.number,
            address=visit.address,
            method="provider",
            why=why,
        )


def _pending(desk: Desk, visit: Visit) -> Pending:
    """The sign-in that this browser began in the last ten minutes: a link alone can sign nobody in."""
    try:
        sealed = visit.cookies.get(desk.jar.provider, "")
        return Pending.read(desk.sealer.open(sealed, PENDING, seconds=PENDING_SECONDS))
    except (BadSetting, json.JSONDecodeError, TypeError):
        raise _expired() from None


def _expired() -> SignInStopped:
    return SignInStopped(
        "This sign-in has expired, or was begun in another browser.", "you can: begin again", 400
    )


def _unknown(provider: Provider, district: str) -> SignInStopped:
    return SignInStopped(
        f"{provider.name} knows you, but {district} has no person with your email in its roster.",
        f"an administrator of {district}, by giving your email in its student information system",
        403,
    )
