"""One-time codes of the console's people (RFC 6238): six digits, a new one each 30 seconds."""

from __future__ import annotations

import hmac

import pyotp

SECONDS = 30
# The codes before and after the present one are accepted: clocks of phones differ (RFC 6238, 5.2).
EITHER_SIDE = 1
ISSUER = "Rollbook"


def new_secret() -> str:
    """A new secret, of 160 random bits in base 32."""
    return pyotp.random_base32()


def address(secret: str, name: str) -> str:
    """The address that an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, moment: float, *, after: int = 0) -> int | None:
    """The step of time that a typed code is for; None if it fits none that is later than `after`."""
    typed = code.replace(" ", "").encode()
    now, found = int(moment // SECONDS), None
    for step in range(now - EITHER_SIDE, now + EITHER_SIDE + 1):
        expected = pyotp.TOTP(secret).generate_otp(step).encode()
        if hmac.compare_digest(expected, typed) and step > after:
            found = step
    return found
