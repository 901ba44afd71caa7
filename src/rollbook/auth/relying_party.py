"""Sign-in by a district's own service over OpenID Connect: we are its relying party, and use only verified
claims.

State, nonce and a PKCE verifier bind the answer to the browser that asked (RFC 9700, 2.1.1 and 4.7).
`auth/services` asks the service; `auth/id_tokens` verifies the id token's signature, issuer, audience and
times.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from rollbook.auth.services import Services, endpoint, stopped
from rollbook.store.accounts.credentials import Provider

PENDING_SECONDS = 600
EMAIL_LETTERS_MAX = 320


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that is in progress at the service.

    It travels in a sealed cookie of the browser that began it.
    """

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


def begin(services: Services, provider: Provider, redirect_uri: str, ask: str) -> tuple[str, Pending]:
    """The address at the service to send the browser to, and the state to remember. Errors: SignInStopped."""
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
    address = endpoint(services.metadata(provider), "authorization_endpoint", provider)
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", pending


def finish(
    services: Services,
    provider: Provider,
    secret: str,
    pending: Pending,
    redirect_uri: str,
    answer: Mapping[str, str],
) -> str:
    """The verified email of the person whom the service signed in. Errors: SignInStopped."""
    if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
        raise stopped(provider, "The answer belongs to another sign-in.")
    # RFC 9207, 2.4: prevents a mix-up with another service
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise stopped(provider, "The answer comes from another service.")
    if "code" not in answer:
        raise stopped(provider, f"{provider.name} did not sign you in.")
    body = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": pending.verifier,
        "client_id": provider.client_id,
        "client_secret": secret,
    }
    claims = services.claims(provider, services.exchange(provider, body).get("id_token", ""), pending.nonce)
    email = claims.get("email")
    if not _is_email(email) or claims.get("email_verified", provider.trusts_email) is not True:
        raise stopped(provider, f"{provider.name} does not vouch for your email.")
    if provider.domain and str(email).rpartition("@")[2].lower() != provider.domain:
        raise stopped(provider, f"This account of {provider.name} is not one of {provider.domain}.")
    return str(email)


def _is_email(value: object) -> bool:
    """Whether the value may be looked up: a single line, not longer than an address can be (RFC 5321,
    4.5.3.1)."""
    return isinstance(value, str) and 0 < len(value) <= EMAIL_LETTERS_MAX and value.isprintable()
