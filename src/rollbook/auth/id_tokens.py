"""Verify an id token of another service by OpenID Connect Core 3.1.3.7: signature, issuer, audience, times,
nonce.

Nothing in the token is used before its signature is verified. Each claim's type is checked before its value.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key
from joserfc.util import urlsafe_b64decode

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
# RFC 7518, 3.3 and 3.5: a key of 2048 bits or more. The maximum is ours: a larger key makes each check too
# slow.
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 16_384
KEYS_MAX = 100
TOKEN_LETTERS_MAX = 64 * 1024
SUBJECT_LETTERS_MAX = 255  # OpenID Connect Core, 2
SKEW_SECONDS = 60
TIME_MAX = 1 << 53  # a larger JSON number is no longer an exact second
# The sign-in began a moment ago.
AGE_SECONDS_MAX = 600


class NotBelieved(Exception):
    """An id token that is not accepted. The message ends a sentence that begins with the service's name."""


def verified(
    token: object, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of a verified id token. Errors: NotBelieved says why it is not accepted."""
    if not isinstance(token, str) or not token:
        raise NotBelieved("sent no id token")
    if len(token) > TOKEN_LETTERS_MAX:
        raise NotBelieved("sent an id token that is too long")
    known, weak = _usable(keys)
    try:
        claims = jwt.decode(token, KeySet(known), algorithms=ALGORITHMS).claims
    # Python's own JSON reader runs inside. It raises for values nested too deep, and for numbers that are too
    # long.
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        also = (
            f", and publishes RSA keys of fewer than {RSA_BITS_MIN} bits, which are not used" if weak else ""
        )
        raise NotBelieved(f"sent an id token whose signature cannot be verified{also}") from None
    _check_party(claims, issuer, client_id)
    _check_times(claims, time.time())
    sent = claims.get("nonce")
    if not isinstance(sent, str) or not secrets.compare_digest(
        sent.encode("utf-8", "replace"), nonce.encode()
    ):
        raise NotBelieved("sent an id token of another sign-in (nonce)")
    return claims


def _usable(keys: Mapping[str, Any]) -> tuple[list[Any], bool]:
    """The keys that may verify, and whether a key was left out because it is too short.

    RFC 7517, 5: unreadable keys are ignored. A shared secret is not a public key.
    """
    listed = keys.get("keys")
    if not isinstance(listed, list):
        raise NotBelieved("publishes no keys")
    found, weak = [], False
    for key in listed[:KEYS_MAX]:
        try:
            if key["kty"] == "RSA":
                bits = int.from_bytes(urlsafe_b64decode(str(key["n"]).encode()), "big").bit_length()
                weak = weak or bits < RSA_BITS_MIN
                if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
                    continue
            if key["kty"] in ("RSA", "EC"):
                found.append(import_key(key))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return found, weak


def _check_party(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    """Check who issued the token, about whom, and for whom (3.1.3.7, points 2 to 5)."""
    if claims.get("iss") != issuer:
        raise NotBelieved("sent an id token of another issuer (iss)")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LETTERS_MAX:
        raise NotBelieved("sent an id token that names no person (sub)")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if client_id not in named:
        raise NotBelieved("sent an id token that is meant for another application (aud)")
    if claims.get("azp", None if len(named) > 1 else client_id) != client_id:
        raise NotBelieved("sent an id token that was issued to another application (azp)")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Check the times (points 9 and 10).

    A time is a finite number. `true`, text, NaN and infinity are refused; NaN would pass every comparison.
    """
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    for name in ("exp", "iat"):
        if name not in times:
            raise NotBelieved(f"sent an id token without a time ({name})")
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < TIME_MAX:
            raise NotBelieved(f"sent an id token with an odd time ({name})")
    if times["exp"] <= now - SKEW_SECONDS or times["exp"] <= times["iat"]:
        raise NotBelieved("sent an id token that has expired (exp)")
    if times["iat"] > now + SKEW_SECONDS or times.get("nbf", now) > now + SKEW_SECONDS:
        raise NotBelieved("sent an id token from the future; its clock and this server's differ (iat)")
    if times["iat"] < now - AGE_SECONDS_MAX - SKEW_SECONDS:
        raise NotBelieved("sent an id token that is too old; its clock and this server's may differ (iat)")
