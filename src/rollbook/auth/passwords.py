"""Roster passwords: a keyed digest that a sync can make a million times, and Argon2id from the first use on.

The digest's key is not in the database, so the database alone reveals no password, however short. The digest
also tells the next sync which passwords have changed. Argon2id (RFC 9106) is taken of the digest when the
password is first used, so a sync never waits for it.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from contextlib import suppress

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rollbook.contract.clever.columns import trimmed
from rollbook.store.accounts.credentials import Credential

PASSWORD_MAX = 256
# RFC 9106, 4: the second recommended choice costs 64 MiB. A whole classroom signs in at once, so we use 19
# MiB and two passes (OWASP).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# An unknown name is compared with this, so that it takes as long as a known one.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5MDE$Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMDA"


def verifier(keys: tuple[str, str], credential: Credential, password: str) -> str:
    """The keyed digest of a typed password, made as `roster.intake.clever.sign_in_columns` makes it from a
    file's cell."""
    inner, outer = keys
    first = hashlib.sha256(f"{inner}{normal(trimmed(password))}".encode()).hexdigest()
    bound = "\n".join((f"{outer}{credential.role}", credential.username, credential.email, first))
    return hashlib.sha256(bound.encode()).hexdigest()


def normal(password: str) -> str:
    """The password in one Unicode form, however a keyboard composed its characters (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def fitting(
    keys: tuple[str, str], candidates: list[Credential], password: str
) -> list[tuple[Credential, str]]:
    """The credentials that a typed password fits, each with its digest.

    Every call costs one Argon2id, with any password and any number of people of that name: the time reveals
    no names. The digests are compared first. If a digest fits and was used before, Argon2id of that row
    decides.
    """
    digests = [(credential, verifier(keys, credential, password)) for credential in candidates]
    fitting = [
        (credential, digest)
        for credential, digest in digests
        if hmac.compare_digest(credential.verifier, digest)
    ]
    used = next(((credential, digest) for credential, digest in fitting if credential.password), None)
    if used is None:
        _spend()
        return fitting if password else []
    return fitting if _fits(*used) and password else []


def _fits(credential: Credential, digest: str) -> bool:
    try:
        return _HASHER.verify(credential.password or _NOBODY, digest)
    except (VerificationError, InvalidHashError):
        return False


def fits(stored: str, digest: str) -> bool:
    """Whether Argon2id of a digest is the stored one; a blank one fits none, and takes as long."""
    if not stored:
        _spend()
        return False
    try:
        return _HASHER.verify(stored, digest)
    except (VerificationError, InvalidHashError):
        return False


def strong(digest: str) -> str:
    """Argon2id of a digest."""
    return _HASHER.hash(digest)


def _spend() -> None:
    """Take as long as a check of a password that was used before."""
    with suppress(VerificationError):
        _HASHER.verify(_NOBODY, "somebody")
