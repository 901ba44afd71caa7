"""A district's own sign-in service, by OpenID Connect: we are its relying party, and believe only what is verified.

State, nonce and a PKCE verifier bind the answer to the browser that asked (RFC 9700, 2.1.1 and 4.7); the id token's signature,
issuer, audience and times are checked against what the service itself publishes (OpenID Connect Core, 3.1.3.7).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rollbook.addresses import is_safe
from rollbook.errors import SignInStopped
from rollbook.store.credentials import Provider

PENDING_SECONDS = 600
# How long a service's description and keys are believed without asking again.
REMEMBERED_SECONDS = 3600
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
_TIMEOUT_SECONDS = 10
_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that is under way at the service; it travels in a sealed cookie of the browser that began it."""

    state: str
    nonce: str
    verifier: str
    district: int
    ask: str

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def read(text: str) -> Pending:
        return Pending(**json.loads(text))


class Services:
    """What services publish of themselves, asked once an hour and not at every login."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def metadata(self, provider: Provider) -> dict[str, Any]:
        """The service's own description; its issuer must be the one that was set up (OpenID Connect Discovery, 4.3)."""
        if not is_safe(provider.issuer):
            raise _stopped(provider, f"{provider.name} is not set up with a safe address.")
        metadata = self._read(provider, f"{provider.issuer}/.well-known/openid-configuration")
        if str(metadata.get("issuer", "")).rstrip("/") != provider.issuer:
            self._known.pop((provider.issuer, f"{provider.issuer}/.well-known/openid-configuration"), None)
            raise _stopped(provider, f"{provider.name} calls itself by another name.")
        return metadata

    def claims(self, provider: Provider, token: object, nonce: str) -> dict[str, Any]:
        """The claims of an id token, verified; when the remembered keys do not fit, the service may have changed them."""
        address = _endpoint(self.metadata(provider), "jwks_uri", provider)
        is_remembered = (provider.issuer, address) in self._known
        try:
            return _verified(provider, token, self._read(provider, address), nonce)
        except SignInStopped:
            if not is_remembered:
                raise
        del self._known[provider.issuer, address]
        return _verified(provider, token, self._read(provider, address), nonce)

    def _read(self, provider: Provider, address: str) -> dict[str, Any]:
        read, known = self._known.get((provider.issuer, address), (0.0, {}))
        if not known or self._clock() - read > REMEMBERED_SECONDS:
            known = _ask(provider, "GET", address)
            self._known[provider.issuer, address] = (self._clock(), known)
        return known


def begin(services: Services, provider: Provider, redirect_uri: str, ask: str) -> tuple[str, Pending]:
    """The address at the service to send the browser to, and what to remember. Errors: SignInStopped."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    pending = Pending(state, nonce, verifier, provider.district, ask)
    challenge = urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    endpoint = _endpoint(services.metadata(provider), "authorization_endpoint", provider)
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", pending


def finish(
    services: Services, provider: Provider, secret: str, pending: Pending, redirect_uri: str, answer: Mapping[str, str]
) -> str:
    """The verified email of the person whom the service has signed in. Errors: SignInStopped."""
    if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
        raise _stopped(provider, "The answer belongs to another sign-in.")
    if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207, 2.4: no mix-up with another service
        raise _stopped(provider, "The answer comes from another service.")
    if "code" not in answer:
        raise _stopped(provider, f"{provider.name} did not sign you in.")
    body = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": pending.verifier,
        "client_id": provider.client_id,
        "client_secret": secret,
    }
    endpoint = _endpoint(services.metadata(provider), "token_endpoint", provider)
    claims = services.claims(provider, _ask(provider, "POST", endpoint, body).get("id_token", ""), pending.nonce)
    email = claims.get("email")
    if not isinstance(email, str) or not email or claims.get("email_verified", provider.trusts_email) is not True:
        raise _stopped(provider, f"{provider.name} does not vouch for your email.")
    if provider.domain and email.rpartition("@")[2].lower() != provider.domain:
        raise _stopped(provider, f"This account of {provider.name} is not one of {provider.domain}.")
    return email


def _verified(provider: Provider, token: object, keys: Any, nonce: str) -> dict[str, Any]:
    registry = jwt.JWTClaimsRegistry(
        leeway=_SKEW_SECONDS,
        iss={"essential": True, "value": provider.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": provider.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(str(token), KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError):
        raise _stopped(provider, f"What {provider.name} sent cannot be verified.") from None
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != provider.client_id:
        raise _stopped(provider, f"What {provider.name} sent is meant for somebody else.")
    return claims


def _endpoint(metadata: Mapping[str, Any], name: str, provider: Provider) -> str:
    """An address of the service: https, but for a test on this machine."""
    address = str(metadata.get(name, ""))
    if not is_safe(address):
        raise _stopped(provider, f"{provider.name} names no safe {name}.")
    return address


def _ask(provider: Provider, method: str, address: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
    try:
        got = httpx.request(method, address, data=body, timeout=_TIMEOUT_SECONDS, headers={"accept": "application/json"})
        answer = got.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise _stopped(provider, f"{provider.name} does not answer as it should.") from None
    if not isinstance(answer, dict):
        raise _stopped(provider, f"{provider.name} does not answer as it should.")
    return answer


def _stopped(provider: Provider, message: str) -> SignInStopped:
    return SignInStopped(message, f"you can try again; if it stays so, whoever looks after {provider.name} in your district", 403)
