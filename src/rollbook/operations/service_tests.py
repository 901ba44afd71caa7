"""A test of a district's own sign-in service: asked as at a sign-in, each step says what is wrong and who mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from rollbook.auth.id_tokens import ALGORITHMS
from rollbook.auth.services import Services, endpoint
from rollbook.errors import SignInStopped, Unknown
from rollbook.outgoing import Reply
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import credentials
from rollbook.store.accounts.credentials import Provider
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.urls import networks

# How far the clocks may differ: id tokens are checked to about this many seconds.
CLOCK_SECONDS = 60
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# What a description offers, if it says so, and what a sign-in here needs of it.
OFFERS = (
    ("response_types_supported", ("code",)),
    ("scopes_supported", ("email",)),
    ("id_token_signing_alg_values_supported", tuple(ALGORITHMS)),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test: what was tested, whether it is as it should be, and what to do if not."""

    name: str
    is_good: bool
    says: str


def try_provider(database: Database, settings: Settings, district: str) -> list[Step]:
    """Ask the service of a district (name or id) what a sign-in asks it, up to the person's password.

    Errors: Unknown, also if the district has no service.
    """
    owner = districts.find(database, district)
    with database.read() as transaction:
        provider = credentials.provider(transaction, owner.number)
    if provider is None:
        raise Unknown(f"{owner.name!r} has no sign-in service of its own")
    return [*_steps(Services(networks(settings.signin_networks)), provider, base_url(settings))]


def _steps(asking: Services, provider: Provider, base: str) -> Iterator[Step]:
    yield _own_address(base)
    try:
        reply = asking.probe(provider, f"{provider.issuer}/.well-known/openid-configuration")
        described = _object(reply)
    except SignInStopped as error:
        yield Step("description", False, f"{error}. Check the issuer.")
        return
    if described is None:
        yield Step(
            "description", False, f"It answers {reply.status} without a description. Check the issuer."
        )
        return
    named = str(described.get("issuer", "")).rstrip("/")
    is_same = named == provider.issuer
    yield Step(
        "description",
        is_same,
        "The server read it." if is_same else f"It names the issuer {named!r}: set that one here.",
    )
    yield _clock(reply)
    try:
        addresses = {name: endpoint(described, name, provider) for name in ENDPOINTS}
    except SignInStopped as error:
        yield Step("addresses", False, f"{error} The service must name one.")
        return
    yield Step("addresses", True, "The service names all three, and they are safe.")
    yield from _offers(described)
    yield _keys(asking, provider, addresses["jwks_uri"])
    yield _sign_in(asking, provider, addresses["authorization_endpoint"], f"{base}/oauth/callback")


def _own_address(base: str) -> Step:
    is_good = base.startswith("https:") or "//localhost" in base or "//127.0.0.1" in base
    says = f"{base}/oauth/callback" if is_good else f"{base} has no https: set ROLLBOOK_PUBLIC_URL"
    return Step("address of this server", is_good, says)


def _object(reply: Reply) -> dict[str, Any] | None:
    try:
        found = orjson.loads(reply.body) if reply.status == 200 else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _clock(reply: Reply) -> Step:
    try:
        apart = time.time() - parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except ValueError:
        return Step("clock", True, "The service sends no time.")
    is_good = abs(apart) <= CLOCK_SECONDS
    word = "ahead of" if apart > 0 else "behind"
    says = (
        "The clocks agree."
        if is_good
        else f"Ours is {abs(apart):.0f} seconds {word} its clock: set this machine's time."
    )
    return Step("clock", is_good, says)


def _offers(described: Mapping[str, Any]) -> Iterator[Step]:
    for name, needed in OFFERS:
        offered = described.get(name)
        if isinstance(offered, list) and not set(needed) & {str(each) for each in offered}:
            yield Step("offers", False, f"{name} lacks {' or '.join(needed)}: switch it on at the service.")
            return
    yield Step("offers", True, "The service offers code, email and a known signature.")


def _keys(asking: Services, provider: Provider, address: str) -> Step:
    try:
        found = _object(asking.probe(provider, address)) or {}
    except SignInStopped as error:
        return Step("keys", False, str(error))
    listed = found.get("keys")
    count = sum(isinstance(key, dict) and key.get("kty") in ("RSA", "EC") for key in listed or ())
    return Step(
        "keys", bool(count), f"Keys that verify signatures: {count}." if count else f"{address} lists no key."
    )


def _sign_in(asking: Services, provider: Provider, address: str, redirect_uri: str) -> Step:
    """Begin a sign-in as a browser does. Most services refuse an unknown client or address at once."""
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "state": "test",
        "nonce": "test",
    }
    try:
        reply = asking.probe(provider, f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}")
    except SignInStopped as error:
        return Step("sign-in", False, str(error))
    if reply.status < 400:
        return Step("sign-in", True, "It begins. The first person who signs in tests the client secret.")
    says = f"It refuses to begin ({reply.status}). Check the client id, and register {redirect_uri} there."
    return Step("sign-in", False, says)
