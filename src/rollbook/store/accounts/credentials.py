"""What people sign in with: roster passwords, badges, and a district's own sign-in service.

A sync brings usernames, emails and keyed digests of passwords. A password itself is never stored.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rollbook.domain.kinds import ROLE
from rollbook.errors import BadSetting
from rollbook.store.accounts import audit
from rollbook.store.district.districts import timestamp
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.engine.keys import Sealer, digest
from rollbook.store.engine.schema_words import WORDS
from rollbook.urls import is_safe

# Letters and digits that nobody confuses.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_BADGE_LETTERS = 28  # 140 bits


@dataclass(frozen=True, slots=True)
class Credential:
    """A roster password of one person in one role.

    `password` is its Argon2id hash, None before its first use.
    """

    user_id: str
    role: str
    username: str
    email: str
    verifier: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Provider:
    """A district's own sign-in service. `name` is the text of its button.

    `trusts_email`: emails that it does not mark as verified are accepted, too. `domain`: only emails of this
    domain are accepted.
    """

    district: int
    name: str
    issuer: str
    client_id: str
    secret_sealed: str
    trusts_email: bool = False
    domain: str = ""


def keys(sealer: Sealer, district_id: str) -> tuple[str, str]:
    """The two keys of a district's password digests, in hex."""
    key = sealer.derive("roster passwords")
    inner, outer = (
        hmac.new(key, f"{step} {district_id}".encode(), "sha256").hexdigest() for step in ("inner", "outer")
    )
    return inner, outer


# Roster passwords ----------------------------------------------------------------------------------


def by_username(transaction: Transaction, district: int, username: str) -> list[Credential]:
    """The passwords of people with that username or email in a district (by number), in any letter case."""
    key = username.strip().lower()
    if not key:
        return []
    found = (
        "SELECT user_id, role, username, email, verifier, password FROM credentials WHERE "
        "district = ? AND verifier <> ''"
    )
    rows = transaction.rows(
        f"{found} AND username = ? UNION {found} AND email = ?", (district, key, district, key)
    )
    return [Credential(*row) for row in rows]


def by_email(transaction: Transaction, district: int, email: str) -> list[tuple[str, str]]:
    """(person, role) of all people with that email."""
    # Only ASCII letters are lowered: other characters may become letters that the email lacks, such as the
    # Kelvin sign's k.
    rows = transaction.rows(
        "SELECT user_id, role FROM credentials WHERE district = ? AND email = ?",
        (district, "".join(letter.lower() if letter.isascii() else letter for letter in email.strip())),
    )
    return [(user_id, role) for user_id, role in sorted(rows, key=lambda row: ROLE[row[1]].bit)]


def has_passwords(transaction: Transaction, district: int) -> bool:
    return (
        transaction.row(
            "SELECT 1 FROM credentials WHERE district = ? AND verifier <> '' LIMIT 1", (district,)
        )
        is not None
    )


def is_good(transaction: Transaction, district: int, credential: Credential) -> bool:
    """Whether a password is unchanged."""
    values = (district, credential.user_id, credential.role, credential.verifier)
    found = "SELECT 1 FROM credentials WHERE district = ? AND user_id = ? AND role = ? AND verifier = ?"
    return transaction.row(found, values) is not None


def strengthen(transaction: Transaction, district: int, credential: Credential, password: str) -> None:
    """Store the Argon2id hash of a password at its first use."""
    transaction.run(
        (
            "UPDATE credentials SET password = ? WHERE district = ? AND user_id = ? AND role = "
            "? AND verifier = ?"
        ),
        (password, district, credential.user_id, credential.role, credential.verifier),
    )


def replace(transaction: Transaction, district: int, rows: Iterable[Row]) -> None:
    """Make rows of (user_id, role, username, email, verifier) the credentials of a district; equal ones stay
    unchanged."""
    if not transaction.row("SELECT 1 FROM credentials WHERE district = ? LIMIT 1", (district,)):
        transaction.insert(
            "credentials",
            "district, user_id, role, username, email, verifier",
            ((district, *row) for row in rows),
        )
        return
    words = WORDS[transaction.engine]
    text = words["text"]
    transaction.run(
        f"CREATE TEMPORARY TABLE arriving (user_id {text}, role {text}, username {text}, email {text}, verifier {text},"
        f" PRIMARY KEY (user_id, role)){words['clustered']}"
    )
    transaction.insert("arriving", "user_id, role, username, email, verifier", rows)
    same = (
        "EXISTS (SELECT 1 FROM {other} o WHERE o.user_id = {this}.user_id AND o.role = {this}.role"
        " AND o.username = {this}.username AND o.email = {this}.email AND o.verifier = {this}.verifier{also})"
    )
    transaction.run(
        (
            "DELETE FROM credentials WHERE district = ? AND NOT "
            f"{same.format(other='arriving', this='credentials', also='')}"
        ),
        (district,),
    )
    also = " AND o.district = CAST(? AS BIGINT)"
    transaction.run(
        "INSERT INTO credentials (district, user_id, role, username, email, verifier)"
        " SELECT CAST(? AS BIGINT), user_id, role, username, email, verifier FROM arriving"
        f" WHERE NOT {same.format(other='credentials', this='arriving', also=also)}",
        (district, district),
    )
    transaction.run("DROP TABLE arriving")


def change(
    transaction: Transaction,
    district: int,
    known: int,
    changed: Collection[tuple[str, str]],
    rows: Iterable[Row],
) -> bool:
    """Put `rows`, as in `replace`, in the place of the credentials of `changed`, pairs of (user_id, role).

    False, and nothing is written, if the district does not have `known` credentials: what changed was found from
    others.
    """
    if transaction.row("SELECT count(*) FROM credentials WHERE district = ?", (district,)) != (known,):
        return False
    if not changed:
        return True
    words = WORDS[transaction.engine]
    transaction.run(
        f"CREATE TEMPORARY TABLE leaving (user_id {words['text']}, role {words['text']},"
        f" PRIMARY KEY (user_id, role)){words['clustered']}"
    )
    transaction.insert("leaving", "user_id, role", changed)
    transaction.run(
        "DELETE FROM credentials WHERE district = ? AND (user_id, role) IN (SELECT user_id, role FROM leaving)",
        (district,),
    )
    transaction.run("DROP TABLE leaving")
    transaction.insert(
        "credentials",
        "district, user_id, role, username, email, verifier",
        ((district, *row) for row in rows),
    )
    return True


# Badges --------------------------------------------------------------------------------------------


def new_badge() -> str:
    """A new, unused code. It is shown once, and stored as a hash."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_BADGE_LETTERS))


def give_badges(transaction: Transaction, district: int, codes: Mapping[str, str]) -> None:
    """Give people (by id) new codes, which replace their old ones."""
    for user_id in codes:
        transaction.run("DELETE FROM badges WHERE district = ? AND user_id = ?", (district, user_id))
    rows = [(digest(code), district, user_id, timestamp()) for user_id, code in codes.items()]
    transaction.insert("badges", "hash, district, user_id, created", rows)
    audit.record(
        transaction,
        "badges given",
        district=district,
        user_id=next(iter(codes)) if len(codes) == 1 else "",
        people=len(codes),
    )


def take_badge(transaction: Transaction, district: int, user_id: str) -> bool:
    """Revoke the person's code; returns whether there was one."""
    found = transaction.row("SELECT 1 FROM badges WHERE district = ? AND user_id = ?", (district, user_id))
    transaction.run("DELETE FROM badges WHERE district = ? AND user_id = ?", (district, user_id))
    if found:
        audit.record(transaction, "badge revoked", district=district, user_id=user_id)
    return found is not None


def badge_holder(transaction: Transaction, code: str) -> tuple[int, str] | None:
    """(district, person) of a code, or None."""
    found = transaction.row("SELECT district, user_id FROM badges WHERE hash = ?", (badge_hash(code),))
    return (found[0], found[1]) if found else None


def badge_hash(code: str) -> str:
    """The hash of a code, without its blanks and dashes."""
    return digest("".join(letter for letter in code.upper() if letter.isalnum()))


# A district's own sign-in service ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A sign-in service to set, with the fields of `Provider`; `secret` is its client secret."""

    name: str
    issuer: str
    client_id: str
    secret: str
    trusts_email: bool = False
    domain: str = ""


def secret_of(district: int) -> str:
    """The purpose for which the secret of a district's service is sealed."""
    return f"secret of the service of district {district}"


def set_provider(transaction: Transaction, sealer: Sealer, district: int, wanted: NewProvider) -> None:
    """Set the district's service.

    Errors: BadSetting for an issuer that is not https: others could change its answers.
    """
    issuer = wanted.issuer
    if not is_safe(issuer) or "?" in issuer or "#" in issuer:
        raise BadSetting(
            f"issuer: expected an https address such as https://accounts.google.com, got {issuer!r}"
        )
    drop_provider(transaction, district)
    transaction.run(
        "INSERT INTO providers (district, name, issuer, client_id, secret_sealed, created, trusts_email, domain)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            district,
            wanted.name,
            issuer,
            wanted.client_id,
            sealer.seal(wanted.secret, secret_of(district)),
            timestamp(),
            int(wanted.trusts_email),
            wanted.domain.lower(),
        ),
    )
    audit.record(transaction, "provider set", district=district, issuer=issuer)


def drop_provider(transaction: Transaction, district: int) -> bool:
    """Remove a district's service; returns whether there was one."""
    found = transaction.row("SELECT issuer FROM providers WHERE district = ?", (district,))
    transaction.run("DELETE FROM providers WHERE district = ?", (district,))
    if found:
        audit.record(transaction, "provider removed", district=district, issuer=found[0])
    return found is not None


def provider(transaction: Transaction, district: int) -> Provider | None:
    found = transaction.row(
        (
            "SELECT district, name, issuer, client_id, secret_sealed, trusts_email, domain "
            "FROM providers WHERE district = ?"
        ),
        (district,),
    )
    if found is None:
        return None
    number, name, issuer, client_id, sealed, trusts_email, domain = found
    return Provider(number, name, issuer, client_id, sealed, bool(trusts_email), domain)
