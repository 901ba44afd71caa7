"""Our cookies, and how a form proves that it came from our pages.

The session's cookie is a random secret, new at each sign-in. The form's cookie is random, too. Each form
carries a keyed digest of it, which another site cannot know (a signed double-submit cookie).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

FORM_SECONDS = 86_400
DISTRICT_SECONDS = 180 * 86_400
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of ours.

    RFC 6265: HttpOnly, SameSite=Lax. Over https it is also Secure, and its name's prefix binds it to the
    host.
    """

    name: str
    value: str
    seconds: int
    is_secure: bool

    def header(self) -> str:
        secure = "; Secure" if self.is_secure else ""
        return f"{self.name}={self.value}; Max-Age={self.seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"


class Jar:
    """The names and values of the cookies of one server."""

    def __init__(self, key: bytes, *, is_secure: bool, of: str = "rollbook") -> None:
        self._key = key
        self._is_secure = is_secure
        prefix = "__Host-" if is_secure else ""
        self.session, self.form, self.district, self.provider, self.said = (
            f"{prefix}{of}-{name}" for name in ("session", "form", "district", "provider", "said")
        )

    def for_console(self) -> Jar:
        """The cookies of the console: none of them is one of the portal, and no form fits both."""
        key = hmac.digest(self._key, b"console", "sha256")
        return Jar(key, is_secure=self._is_secure, of="rollbook-console")

    def put(self, name: str, value: str, seconds: int) -> Cookie:
        return Cookie(name, value, seconds, self._is_secure)

    def drop(self, name: str) -> Cookie:
        return Cookie(name, "", 0, self._is_secure)

    def new_form(self) -> Cookie:
        return self.put(self.form, secrets.token_urlsafe(24), FORM_SECONDS)

    def form_token(self, cookie: str) -> str:
        """The token that a form must carry to fit the browser's form cookie. Each one looks different, so the length of
        a compressed page reveals nothing of it (BREACH)."""
        pad = secrets.token_bytes(_DIGEST_BYTES)
        return (pad + _masked(pad, self._digest(cookie))).hex()

    def is_ours(self, cookie: str, token: str) -> bool:
        try:
            given = bytes.fromhex(token)
        except ValueError:
            return False
        found = _masked(given[:_DIGEST_BYTES], given[_DIGEST_BYTES:])
        is_whole = bool(cookie) and len(given) == 2 * _DIGEST_BYTES
        return is_whole and hmac.compare_digest(found, self._digest(cookie))

    def _digest(self, cookie: str) -> bytes:
        return hmac.digest(self._key, cookie.encode(), "sha256")


def _masked(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=False))
