"""OpenID Connect: the discovery document, the claims of an id token, and its signature (RS256, RFC 7518,
3.3)."""

from __future__ import annotations

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from rollbook.store.accounts.logins import Grant
from rollbook.store.accounts.signing import SigningKey, add, published
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer

ID_TOKEN_SECONDS = 3600
KEY_BITS = 2048
# What a private key is sealed for, before its id.
PURPOSE = "signing key"
# Another program may rotate the key: this one uses the keys that it knows for so many seconds.
_REMEMBERED_SECONDS = 1


def discovery(issuer: str, api_base: str) -> dict[str, object]:
    """The document at `/.well-known/openid-configuration` (OpenID Connect Discovery, 3; RFC 8414)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/tokens",
        "userinfo_endpoint": f"{api_base}/userinfo",
        "jwks_uri": f"{issuer}/oauth/certs",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "claims_supported": [
            *(
                "sub",
                "iss",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "email",
                "email_verified",
                "given_name",
                "family_name",
            ),
            *("user_id", "multi_role_user_id", "user_type", "district"),
        ],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def person_claims(record: dict[str, Any], role: str) -> dict[str, object]:
    """The claims about a person that an id token and `/userinfo` share, from the record that the application
    may see.

    `user_id` is the id of that role before v3.0; a student's id has never changed (protocol.md 2.2).
    """
    name, id_ = record.get("name", {}), record["id"]
    legacy_id = record.get("roles", {}).get(role, {}).get("legacy_id") or id_
    email = (
        {"email": record["email"], "email_verified": False}
        if record.get("email")
        else {"email_verified": False}
    )
    return {
        "sub": id_,
        "user_id": legacy_id,
        "multi_role_user_id": id_,
        "user_type": role,
        **email,
        "given_name": name.get("first", ""),
        "family_name": name.get("last", ""),
    }


def id_token_claims(
    issuer: str, client_id: str, district_id: str, record: dict[str, Any], grant: Grant
) -> dict[str, object]:
    """The claims of an id token (OpenID Connect Core, 2)."""
    now = int(time.time())
    also: dict[str, object] = {"nonce": grant.nonce} if grant.nonce else {}
    if grant.wants_auth_time:
        also["auth_time"] = grant.signed_in
    return {
        "iss": issuer,
        "aud": client_id,
        "iat": now,
        "exp": now + ID_TOKEN_SECONDS,
        **person_claims(record, grant.role),
        "district": district_id,
        **also,
    }


def userinfo(record: dict[str, Any], role: str, district_id: str, authorized_by: str) -> dict[str, object]:
    """The answer of `/userinfo`. `name` is an object, as recorded, although OpenID Connect has a string."""
    name = record.get("name", {})
    owner = {"district_id": district_id, "district": district_id} if authorized_by == "district" else {}
    return {
        **person_claims(record, role),
        **owner,
        "name": {part: name.get(part, "") for part in ("first", "last", "middle")},
        "schools": record.get("roles", {}).get(role, {}).get("schools", []),
        "authorized_by": authorized_by,
    }


class Signer:
    """Signs id tokens with the newest key, and publishes all keys that are not retired."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._key: tuple[str, RSAKey] | None = None
        self._read = 0.0

    def sign(self, claims: dict[str, object]) -> str:
        if self._key is None or time.monotonic() - self._read > _REMEMBERED_SECONDS:
            self._remember(self._newest())
        assert self._key is not None  # noqa: S101 - just remembered
        kid, key = self._key
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": kid}, claims, key)

    def _newest(self) -> SigningKey:
        """The newest key; a new one in a database that was put back to before it had any."""
        with self._database.read() as transaction:
            known = published(transaction)
        if known:
            return known[0]
        self._key = None
        self.ensure_key()
        with self._database.read() as transaction:
            return published(transaction)[0]

    def ensure_key(self) -> None:
        """Make the first key if there is none yet."""
        if self._key:
            return
        with self._database.read() as transaction:
            if published(transaction):
                return
        with self._database.write() as transaction:
            # Only one of several callers makes it: another key would retire the one that the first caller
            # signs with.
            if not published(transaction):
                add(transaction, _new(self._sealer), overlap_seconds=0)

    def certs(self) -> list[dict[str, str]]:
        """The public keys (RFC 7517), the newest first."""
        self.ensure_key()
        with self._database.read() as transaction:
            return [key.public for key in published(transaction)]

    def _remember(self, stored: SigningKey) -> None:
        if self._key is None or stored.id != self._key[0]:
            pem = self._sealer.open(stored.private_sealed, f"{PURPOSE} {stored.id}")
            self._key = stored.id, RSAKey.import_key(pem, {"use": "sig", "alg": "RS256", "kid": stored.id})
        self._read = time.monotonic()


def rotate(database: Database, sealer: Sealer, *, overlap_seconds: int) -> str:
    """Make a new signing key and return its id.

    Earlier keys stay published for the overlap, so their tokens still verify.
    """
    key = _new(sealer)
    with database.write() as transaction:
        add(transaction, key, overlap_seconds=overlap_seconds)
    return key.id


def _new(sealer: Sealer) -> SigningKey:
    key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    public = {name: str(value) for name, value in key.as_dict(private=False).items()}
    pem = key.as_pem(private=True).decode()
    return SigningKey(public["kid"], sealer.seal(pem, f"{PURPOSE} {public['kid']}"), public)
