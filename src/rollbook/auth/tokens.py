"""Who is asking: a bearer token becomes an `Access`, Basic credentials become an application.

On SQLite, resolved tokens are remembered until another connection to the database commits: a revoked token is
refused from the next request on. RFC 6750, 2.1: a token is read from the Authorization header only, never
from the address.
"""

from __future__ import annotations

import base64
import binascii
import threading
from urllib.parse import unquote_plus

from rollbook.domain.access import Access
from rollbook.errors import Unauthorized
from rollbook.store.accounts import connections, logins
from rollbook.store.engine.database import Transaction

REMEMBERED_MAX = 10_000


class Tokens(threading.local):
    """Resolves bearer tokens. `in_demo` says whether the published test tokens are accepted.

    Each thread remembers for itself: a database's version reports commits to one connection, and each thread
    has its own.
    """

    def __init__(self, *, in_demo: bool) -> None:
        self.in_demo = in_demo
        self._remembered: dict[str, Access] = {}
        self._version: int | None = None

    def resolve(self, transaction: Transaction, authorization: str) -> Access:
        """The access of a bearer token. Errors: Unauthorized if the token is missing or unknown."""
        version = transaction.version()
        if version != self._version or version is None or len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
            self._version = version
        access = self._remembered.get(authorization)
        if access is None:
            token = bearer(authorization)
            resolve = logins.resolve if token.startswith(logins.USER_TOKEN_PREFIX) else connections.resolve
            access = resolve(transaction, token, in_demo=self.in_demo)
            if access is None:
                raise Unauthorized("Unrecognized token string")
            # A user token expires, and no commit reports that. Other spellings of the header would fill the memory.
            if access.holder == "district" and authorization == f"Bearer {token}":
                self._remembered[authorization] = access
        return access


def bearer(authorization: str) -> str:
    """The token of an Authorization header. The scheme's name matches in any letter case (RFC 9110, 11.1)."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("Unrecognized token string")
    return token.strip()


def basic(authorization: str) -> tuple[str, str] | None:
    """Client id and secret of a Basic header, or None.

    RFC 6749, 2.3.1 form-encodes both; our ids and secrets are the same either way.
    """
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None
