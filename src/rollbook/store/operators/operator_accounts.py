"""The people of the console, their links, and their sessions.

Links and sessions are random secrets of 256 bits, stored as hashes, each with its own end.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from rollbook.errors import Unknown
from rollbook.store.accounts.logins import SKEW_SECONDS, now
from rollbook.store.engine.database import Transaction
from rollbook.store.engine.keys import digest

_COLUMNS = "o.number, o.name, o.role, o.district, o.password, o.codes_sealed, o.last_code, o.created"
_TOUCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Operator:
    """A person of the console. `district` is the store's number of the only one that they see."""

    number: int
    name: str
    role: str
    district: int | None
    password: str
    codes_sealed: str
    last_code: int
    created: int

    @property
    def is_ready(self) -> bool:
        """Whether they have a password: until then only their link lets them in."""
        return bool(self.password)


@dataclass(frozen=True, slots=True)
class Link:
    """A link, good once: who may set a password with it."""

    hash: str
    name: str
    role: str
    district: int | None


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A browser in which a person is signed in to the console."""

    hash: str
    seen: int
    operator: Operator


# Accounts ------------------------------------------------------------------------------------------


def list_all(transaction: Transaction, district: int | None = None) -> list[Operator]:
    """All accounts by name, or those of one district (by the store's number)."""
    where, values = ("", ()) if district is None else (" WHERE o.district = ?", (district,))
    rows = transaction.rows(f"SELECT {_COLUMNS} FROM operators o{where} ORDER BY o.name", values)
    return [Operator(*row) for row in rows]


def find(transaction: Transaction, name: str) -> Operator | None:
    found = transaction.row(f"SELECT {_COLUMNS} FROM operators o WHERE o.name = ?", (name,))
    return Operator(*found) if found else None


def by_number(transaction: Transaction, number: int) -> Operator | None:
    found = transaction.row(f"SELECT {_COLUMNS} FROM operators o WHERE o.number = ?", (number,))
    return Operator(*found) if found else None


def get(transaction: Transaction, name: str) -> Operator:
    """The account of a name. Errors: Unknown."""
    found = find(transaction, name)
    if found is None:
        raise Unknown(f"no person of the console has the name {name!r}; `rollbook operator list` shows them")
    return found


def add(transaction: Transaction, link: Link) -> None:
    """Make the account that a link is for; it has no password yet."""
    transaction.run(
        "INSERT INTO operators (name, role, district, password, codes_sealed, created) VALUES (?, ?, ?, '', '', ?)",
        (link.name, link.role, link.district, now()),
    )


def equip(transaction: Transaction, name: str, password: str, codes_sealed: str, last_code: int) -> None:
    """Give an account its password and its one-time codes."""
    transaction.run(
        "UPDATE operators SET password = ?, codes_sealed = ?, last_code = ? WHERE name = ?",
        (password, codes_sealed, last_code, name),
    )


def spend_code(transaction: Transaction, account: Operator, step: int) -> bool:
    """Note that a one-time code was used; False if it, or a later one, was used before (RFC 6238, 5.2)."""
    spent = transaction.row(
        "UPDATE operators SET last_code = ? WHERE number = ? AND last_code < ? RETURNING number",
        (step, account.number, step),
    )
    return spent is not None


def disarm(transaction: Transaction, account: Operator) -> None:
    """Take the password, the codes and the passkeys from an account, and end its sessions and links."""
    end_sessions(transaction, account)
    transaction.run("DELETE FROM operator_passkeys WHERE operator = ?", (account.number,))
    transaction.run("DELETE FROM operator_links WHERE name = ?", (account.name,))
    transaction.run(
        "UPDATE operators SET password = '', codes_sealed = '' WHERE number = ?", (account.number,)
    )


def remove(transaction: Transaction, account: Operator) -> None:
    """Remove an account, with the mail that it has not got yet: a later account may have the same number."""
    disarm(transaction, account)
    mail = "SELECT number FROM subscriptions WHERE operator = ?"
    transaction.run(f"DELETE FROM deliveries WHERE subscription IN ({mail})", (account.number,))
    transaction.run("DELETE FROM subscriptions WHERE operator = ?", (account.number,))
    transaction.run("DELETE FROM application_owners WHERE operator = ?", (account.number,))
    transaction.run("DELETE FROM operators WHERE number = ?", (account.number,))


def count_ready(transaction: Transaction, role: str) -> int:
    """How many accounts of a role, which see all districts, can sign in."""
    found = transaction.row(
        "SELECT count(*) FROM operators WHERE role = ? AND district IS NULL AND password <> ''", (role,)
    )
    return int(found[0]) if found else 0


# Links ---------------------------------------------------------------------------------------------


def open_link(transaction: Transaction, wanted: Link, *, seconds: int) -> str:
    """Make a link and return its secret; an older link of the same name ends."""
    secret, moment = secrets.token_urlsafe(32), now()
    transaction.run(
        "DELETE FROM operator_links WHERE name = ? OR expires <= ?",
        (wanted.name, moment),
    )
    transaction.run(
        "INSERT INTO operator_links (hash, name, role, district, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (digest(secret), wanted.name, wanted.role, wanted.district, moment, moment + seconds),
    )
    return secret


def link(transaction: Transaction, secret: str) -> Link | None:
    """What a link is for; None if it was used or has ended."""
    found = transaction.row(
        "SELECT hash, name, role, district FROM operator_links WHERE hash = ? AND expires > ?",
        (digest(secret), now()),
    )
    return Link(*found) if found else None


def spend_link(transaction: Transaction, found: Link) -> bool:
    """End a link; False if it was used meanwhile."""
    gone = transaction.row("DELETE FROM operator_links WHERE hash = ? RETURNING hash", (found.hash,))
    return gone is not None


# Sessions ------------------------------------------------------------------------------------------


def open_session(transaction: Transaction, account: Operator, *, absolute_seconds: int) -> str:
    """Open a session and return its secret: a new one at each sign-in, so that nobody can plant one."""
    secret, moment = secrets.token_urlsafe(32), now()
    transaction.run("DELETE FROM operator_sessions WHERE expires <= ?", (moment,))
    transaction.run(
        "INSERT INTO operator_sessions (hash, operator, created, seen, expires) VALUES (?, ?, ?, ?, ?)",
        (digest(secret), account.number, moment, moment, moment + absolute_seconds),
    )
    return secret


def session(transaction: Transaction, secret: str, *, idle_seconds: int) -> ConsoleSession | None:
    """The session of a secret; None if it was idle too long, has ended, or its account is gone."""
    moment = now()
    found = transaction.row(
        f"SELECT s.hash, s.seen, {_COLUMNS} FROM operator_sessions s JOIN operators o ON o.number = s.operator"
        " WHERE s.hash = ? AND s.expires > ? AND s.seen > ? AND s.created <= ?",
        (digest(secret), moment, moment - idle_seconds, moment + SKEW_SECONDS),
    )
    return ConsoleSession(found[0], found[1], Operator(*found[2:])) if found else None


def needs_touch(found: ConsoleSession, *, idle_seconds: int) -> bool:
    """Whether to note that a session is in use: not at each request, and well before it would end."""
    return found.seen < now() - min(_TOUCH_SECONDS, idle_seconds // 10)


def touch(transaction: Transaction, found: ConsoleSession) -> None:
    transaction.run("UPDATE operator_sessions SET seen = ? WHERE hash = ?", (now(), found.hash))


def close_session(transaction: Transaction, secret: str) -> None:
    transaction.run("DELETE FROM operator_sessions WHERE hash = ?", (digest(secret),))


def end_sessions(transaction: Transaction, account: Operator) -> None:
    transaction.run("DELETE FROM operator_sessions WHERE operator = ?", (account.number,))
