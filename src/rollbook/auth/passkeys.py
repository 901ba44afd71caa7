"""Passkeys of the console's people (WebAuthn, Level 2): what a browser is asked, and what its answer proves.

The library `webauthn` checks signatures, origin and flags. A challenge is a random text with its moment, under a
keyed digest that binds it to one browser and one purpose, so the server need not store the challenges it gave out.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from rollbook.errors import Refused

CHALLENGE_SECONDS = 300
NAME = "Rollbook console"
LATE = "This took too long, or was sent twice. Try again."
UNREADABLE = "The browser's answer could not be read. Reload the page, and try again."
UNPROVEN = "The passkey does not fit this server. Use one that was added here, at the server's own address."
_RANDOM, _MOMENT = 16, 8


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are valid: the origin that a browser reports, and its host (the relying party's id)."""

    origin: str
    host: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the site, the key of the challenges, and the purpose and browser that a challenge is for."""

    site: Site
    key: bytes
    bound: str


@dataclass(frozen=True, slots=True)
class Person:
    """The person of a passkey, as the browser shows and keeps them."""

    handle: bytes
    name: str


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that a browser made: its id and public key in base64url, and the counter of its uses."""

    id: str
    public_key: str
    uses: int
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What a browser's answer says of itself; nothing of it is proven yet."""

    id: str
    handle: bytes
    challenge: bytes


def site(base: str) -> Site | None:
    """The site of the server's public address.

    None if browsers allow no passkeys there: they need https, or the host localhost, and a name instead of a number.
    """
    parts = urlsplit(base)
    host = parts.hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost")
    if not host or _is_number(host) or not (parts.scheme == "https" or is_local):
        return None
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return Site(f"{parts.scheme}://{host}{port}", host)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# Challenges ----------------------------------------------------------------------------------------


def challenge(asker: Asker, moment: float) -> bytes:
    """A new challenge (WebAuthn, 13.4.3: random, and made by the server)."""
    head = secrets.token_bytes(_RANDOM) + int(moment).to_bytes(_MOMENT, "big")
    return head + _mark(asker, head)


def is_ours(asker: Asker, given: bytes, moment: float) -> bool:
    """Whether a challenge is one of ours for this browser and purpose, and not too old."""
    head, mark = given[: _RANDOM + _MOMENT], given[_RANDOM + _MOMENT :]
    age = int(moment) - int.from_bytes(head[_RANDOM:], "big")
    return hmac.compare_digest(mark, _mark(asker, head)) and 0 <= age <= CHALLENGE_SECONDS


def _mark(asker: Asker, head: bytes) -> bytes:
    return hmac.digest(asker.key, head + asker.bound.encode(), "sha256")


# What a browser is asked ---------------------------------------------------------------------------


def wanted_to_add(asker: Asker, person: Person, known: list[str], moment: float) -> dict[str, Any]:
    """The options of `navigator.credentials.create()`; `known` are the ids of the person's other passkeys."""
    options = webauthn.generate_registration_options(
        rp_id=asker.site.host,
        rp_name=NAME,
        user_id=person.handle,
        user_name=person.name,
        challenge=challenge(asker, moment),
        timeout=CHALLENGE_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            # The person types no name to sign in, and the passkey replaces password and code together.
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(base64url_to_bytes(id_)) for id_ in known],
    )
    return _as_json(options)


def wanted_to_sign_in(asker: Asker, moment: float) -> dict[str, Any]:
    """The options of `navigator.credentials.get()`: any passkey that the browser has for this site."""
    options = webauthn.generate_authentication_options(
        rp_id=asker.site.host,
        challenge=challenge(asker, moment),
        timeout=CHALLENGE_SECONDS * 1000,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _as_json(options)


def _as_json(options: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return made


# What its answer proves ----------------------------------------------------------------------------


def claim(answer: str) -> Claim:
    """What an answer says of itself. Errors: Refused if it cannot be read."""
    try:
        given = json.loads(answer)
        response = given["response"]
        client_data = json.loads(base64url_to_bytes(response["clientDataJSON"]))
        handle = base64url_to_bytes(response.get("userHandle") or "")
        return Claim(str(given["id"]), handle, base64url_to_bytes(client_data["challenge"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(UNREADABLE) from None


def added(asker: Asker, answer: str, moment: float) -> NewPasskey:
    """The passkey that a browser made for this asker. Errors: Refused."""
    said = _fresh(asker, answer, moment)
    try:
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=said.challenge,
            expected_rp_id=asker.site.host,
            expected_origin=asker.site.origin,
            require_user_verification=True,
        )
    except Exception:  # the library and its parsers raise many kinds for an answer that an outsider made up
        raise Refused(UNPROVEN) from None
    id_, key = bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key)
    return NewPasskey(id_, key, found.sign_count, said.challenge)


def uses_of(asker: Asker, answer: str, public_key: str, moment: float) -> int:
    """The counter of uses in an answer that a passkey has signed. Errors: Refused if the passkey has not signed it.

    The store compares the counter, in the transaction that writes the new one.
    """
    said = _fresh(asker, answer, moment)
    try:
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=said.challenge,
            expected_rp_id=asker.site.host,
            expected_origin=asker.site.origin,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception:  # as above
        raise Refused(UNPROVEN) from None
    return found.new_sign_count


def _fresh(asker: Asker, answer: str, moment: float) -> Claim:
    said = claim(answer)
    if not is_ours(asker, said.challenge, moment):
        raise Refused(LATE)
    return said
