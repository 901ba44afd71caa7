"""OAuth 2.0 without a database and without HTTP: what an application asks, where the answer goes, how a code
is bound.

RFC 6749 (the code grant), RFC 7636 (PKCE), RFC 9207 (the issuer in the answer), RFC 9700 (best current
practice). The implicit grant is not offered (RFC 9700, 2.1.2).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from rollbook.errors import SignInStopped, TokenRefused

VALUE_MAX = 2048
# The person has just signed in again as asked. This `max_age` keeps the time of sign-in in the id token
# (OpenID Connect Core, 3.1.2.1).
_SATISFIED_SECONDS = 86_400
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_METHODS = ("S256", "plain")
VENDOR = "the people who run the application that sent you here"


@dataclass(frozen=True, slots=True)
class Ask:
    """What an application asks of `/oauth/authorize`. Absent parameters are blank.

    `given` has the parameters as they came. `unread` is `request` or `request_uri`, if it came: the server
    reads no request objects.
    """

    client_id: str
    redirect_uri: str
    state: str
    district_id: str
    nonce: str
    prompt: tuple[str, ...]
    max_age: int | None
    needs_confirmation: bool
    returns_unshared: bool
    challenge: str
    challenge_method: str
    response_type: str
    unread: str
    given: tuple[tuple[str, str], ...]

    def query(self) -> str:
        """The parameters, to return to this request."""
        return urlencode(self.given)

    def query_after_sign_in(self) -> str:
        """The parameters without those that the sign-in just now has satisfied."""
        kept = [(name, value) for name, value in self.given if name not in ("prompt", "max_age")]
        return urlencode(kept if self.max_age is None else [*kept, ("max_age", str(_SATISFIED_SECONDS))])


_KNOWN = (
    *(
        "client_id",
        "redirect_uri",
        "state",
        "district_id",
        "nonce",
        "prompt",
        "max_age",
        "confirmed",
        "return_unshared",
    ),
    *("code_challenge", "code_challenge_method", "response_type", "request", "request_uri"),
)


def read_ask(pairs: Iterable[tuple[str, str]]) -> Ask:
    """Read the parameters of an authorization request; unknown parameters and scopes are ignored.

    RFC 6749, 3.1: no parameter may stand twice. Errors: SignInStopped. Nothing may be redirected before the
    redirect address is known to be good (RFC 9700, 4.11).
    """
    kept = [(name, value) for name, value in pairs if name in _KNOWN and value]
    given = dict(kept)
    if len(given) != len(kept):
        raise SignInStopped("This sign-in link names a parameter twice.", VENDOR)
    if any(len(value) > VALUE_MAX for value in given.values()):
        raise SignInStopped("This sign-in link is too long.", VENDOR)
    age = given.get("max_age", "")
    return Ask(
        client_id=given.get("client_id", ""),
        redirect_uri=given.get("redirect_uri", ""),
        state=given.get("state", ""),
        district_id=given.get("district_id", "").lower(),
        nonce=given.get("nonce", ""),
        prompt=tuple(given.get("prompt", "").split()),
        max_age=int(age) if age.isascii() and age.isdigit() and len(age) < 10 else None,
        needs_confirmation=given.get("confirmed") == "false",
        returns_unshared=given.get("return_unshared") == "true",
        challenge=given.get("code_challenge", ""),
        challenge_method=given.get("code_challenge_method", "plain") if "code_challenge" in given else "",
        response_type=given.get("response_type", ""),
        unread=next((name for name in ("request", "request_uri") if name in given), ""),
        given=tuple(kept),
    )


def redirect_of(registered: Sequence[str], asked: str) -> str:
    """The address for the answer: the requested one if it is registered exactly (RFC 9700, 2.1), or the first
    one if none is requested.

    Errors: SignInStopped for any other address. Nothing is ever sent to an unregistered address.
    """
    if not registered:
        raise SignInStopped("This application has not registered an address to return to.", VENDOR)
    if asked and asked not in registered:
        raise SignInStopped(
            "This sign-in link wants to return to an address that its application has not registered.", VENDOR
        )
    return asked or registered[0]


def problem_of(ask: Ask) -> str | None:
    """The error code to send back for a request that cannot be answered, or None (RFC 6749, 4.1.2.1; OpenID
    Connect Core, 3.1.2.6).

    `response_type` is read leniently, because real links misspell it. Only a value that would put a token
    into an address is refused.
    """
    if "token" in ask.response_type:
        return "unsupported_response_type"
    if ask.unread:
        return f"{ask.unread}_not_supported"
    if "none" in ask.prompt and len(ask.prompt) > 1:
        return "invalid_request"
    if ask.challenge and (ask.challenge_method not in _METHODS or not _VERIFIER.fullmatch(ask.challenge)):
        return "invalid_request"
    return None


def answer_uri(redirect_uri: str, values: Mapping[str, str], *, state: str, issuer: str) -> str:
    """The redirect address with an answer.

    RFC 6749, 3.1.2: its own query is kept. RFC 9207: the issuer is named, unless it is blank. A blank in a
    value is written `%20`, as recorded: not every client reads `+` as a blank.
    """
    also = {"state": state} if state else {}
    named = {"iss": issuer} if issuer else {}
    query = urlencode({**values, **also, **named}, quote_via=quote, safe="")
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"


def check_verifier(challenge: str | None, method: str | None, verifier: str) -> None:
    """Check the PKCE verifier (RFC 7636, 4.6).

    A verifier without a challenge is refused, too: an attacker may have removed the challenge (RFC 9700,
    4.8.2). Errors: TokenRefused.
    """
    if not challenge and not verifier:
        return
    if not challenge or not _VERIFIER.fullmatch(verifier):
        raise TokenRefused("invalid_grant", "invalid code_verifier")
    made = _s256(verifier) if method == "S256" else verifier
    if not hmac.compare_digest(made, challenge):
        raise TokenRefused("invalid_grant", "invalid code_verifier")


def _s256(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def read_token_request(
    content_type: str, body: Mapping[str, str], query: Mapping[str, str]
) -> tuple[str, str, str]:
    """The code, redirect address and verifier of a token request (RFC 6749, 4.1.3). Errors: TokenRefused.

    `grant_type` is also read from the address, where old samples put it. No secret is.
    """
    grant_type = body.get("grant_type") or query.get("grant_type", "")
    if not grant_type:
        raise TokenRefused("invalid_request", f"grant_type is missing in the {content_type or 'empty'} body")
    if grant_type != "authorization_code":
        raise TokenRefused("unsupported_grant_type", "expected grant_type=authorization_code")
    code = body.get("code", "")
    if not code:
        raise TokenRefused("invalid_request", "code is missing")
    return code, body.get("redirect_uri", ""), body.get("code_verifier", "")
