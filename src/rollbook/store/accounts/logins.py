"""What a sign-in creates: browser sessions, authorization codes and user tokens.

All are random secrets of at least 128 bits, stored as hashes, each with its own end.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from typing import Any

from rollbook.domain.access import LIMITED, Access
from rollbook.store.accounts import audit, ended_tokens
from rollbook.store.engine.database import Row, Transaction, is_held
from rollbook.store.engine.keys import digest

USER_TOKEN_PREFIX = "il"  # noqa: S105 - by which a user token is told from a district token
_BASE62 = string.ascii_letters + string.digits
_TOUCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in in one browser. `created` is in Unix seconds."""

    hash: str
    district: int
    user_id: str
    role: str
    method: str
    created: int
    seen: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorization code stands for: person, application, return address, and how it is bound."""

    application: int
    district: int
    user_id: str
    role: str
    authorized_by: str
    redirect_uri: str
    signed_in: int
    nonce: str | None = None
    challenge: str | None = None
    challenge_method: str | None = None
    wants_auth_time: bool = False


# Clocks of several servers differ by less. A secret from further in the future was made before the clock was
# set back. It would stay valid for as long as the clock was wrong.
SKEW_SECONDS = 300


def now() -> int:
    return int(time.time())


# Sessions ------------------------------------------------------------------------------------------


def open_session(
    transaction: Transaction,
    district: int,
    user_id: str,
    role: str,
    method: str,
    *,
    absolute_seconds: int,
    proof: str | None = None,
) -> str:
    """Open a session and return its secret. Each sign-in gets a new one, so that nobody can plant one
    beforehand.

    `proof` is the badge's hash or the password's verifier: the session ends when that is revoked or changes.
    """
    secret, moment = secrets.token_urlsafe(32), now()
    transaction.run(
        "INSERT INTO sessions (hash, district, user_id, role, method, created, seen, expires, proof)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (digest(secret), district, user_id, role, method, moment, moment, moment + absolute_seconds, proof),
    )
    return secret


# The sessions that a password or a badge opened end with it, also one that is being opened at that moment.
_IS_PROVEN = (
    "(s.proof IS NULL OR EXISTS (SELECT 1 FROM badges b WHERE b.hash = s.proof) OR EXISTS (SELECT 1 FROM credentials c"
    " WHERE c.district = s.district AND c.user_id = s.user_id AND c.role = s.role AND c.verifier = s.proof))"
)


def session(transaction: Transaction, secret: str, *, idle_seconds: int) -> Session | None:
    """The session of a secret; None if it was idle too long, has ended, or its badge or password is gone."""
    moment = now()
    found = transaction.row(
        "SELECT s.hash, s.district, s.user_id, s.role, s.method, s.created, s.seen FROM sessions s"
        f" WHERE s.hash = ? AND s.expires > ? AND s.seen > ? AND s.created <= ? AND {_IS_PROVEN}",
        (digest(secret), moment, moment - idle_seconds, moment + SKEW_SECONDS),
    )
    return Session(*found) if found else None


def is_open(transaction: Transaction, found: Session) -> bool:
    """Whether a session still exists, before a write that depends on it."""
    return is_held(transaction, "SELECT 1 FROM sessions WHERE hash = ?", (found.hash,))


def needs_touch(found: Session, *, idle_seconds: int) -> bool:
    """Whether to note that a session is in use: not at each request, and well before it would end."""
    return found.seen < now() - min(_TOUCH_SECONDS, idle_seconds // 10)


def touch(transaction: Transaction, found: Session) -> None:
    transaction.run("UPDATE sessions SET seen = ? WHERE hash = ?", (now(), found.hash))


def close_session(transaction: Transaction, secret: str) -> None:
    transaction.run("DELETE FROM sessions WHERE hash = ?", (digest(secret),))


# Authorization codes -------------------------------------------------------------------------------

_GRANT = (
    "application, district, user_id, role, authorized_by, redirect_uri, signed_in, nonce, challenge, challenge_method,"
    " wants_auth_time"
)


def issue_code(transaction: Transaction, grant: Grant, *, seconds: int) -> str:
    """A code for the grant, bound to client and redirect (RFC 6749, 4.1.2; RFC 9700, 2.1.1)."""
    code, moment = secrets.token_hex(20), now()
    transaction.run(
        f"INSERT INTO codes (hash, {_GRANT}, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            digest(code),
            grant.application,
            grant.district,
            grant.user_id,
            grant.role,
            grant.authorized_by,
            grant.redirect_uri,
            grant.signed_in,
            grant.nonce,
            grant.challenge,
            grant.challenge_method,
            int(grant.wants_auth_time),
            moment + seconds,
        ),
    )
    return code


def grant_of(
    transaction: Transaction, code: str, *, seconds: int | None = None
) -> tuple[Grant, bool, str | None] | None:
    """What a code stands for, whether it has expired, and the hash of the token that it was exchanged for.

    `seconds` is how long a new code is valid.
    """
    wanted = f"SELECT {_GRANT}, expires, token_hash FROM codes WHERE hash = ?"
    found = transaction.row(wanted, (digest(code),))
    if found is None:
        return None
    *values, wants_auth_time, expires, token_hash = found
    is_of_later = seconds is not None and token_hash is None and expires > now() + seconds + SKEW_SECONDS
    return Grant(*(*values, bool(wants_auth_time))), expires <= now() or is_of_later, token_hash


def spend_code(transaction: Transaction, code: str, token: str, *, remember_seconds: int) -> bool:
    """Mark a code as exchanged; False if it was already. It is kept as long as its token, so that a second
    use is noticed."""
    moment = now() + remember_seconds
    return (
        transaction.row(
            "UPDATE codes SET token_hash = ?, expires = ? WHERE hash = ? AND token_hash IS NULL RETURNING 1",
            (digest(token), moment, digest(code)),
        )
        is not None
    )


def sweep(transaction: Transaction) -> None:
    """Drop expired codes, tokens, sessions, counts of failures and notes of successes."""
    moment = now()
    transaction.run("DELETE FROM sessions WHERE expires < ?", (moment,))
    transaction.run("DELETE FROM failures WHERE expires <= ?", (moment,))
    transaction.run("DELETE FROM familiar WHERE expires <= ?", (moment,))
    transaction.run("DELETE FROM codes WHERE expires < ?", (moment,))
    # For one more day, the request log can say that the token expired.
    transaction.run("DELETE FROM user_tokens WHERE expires < ?", (moment - ended_tokens.EXPIRED_SECONDS,))
    ended_tokens.sweep(transaction, moment)


# User tokens ---------------------------------------------------------------------------------------


def new_token() -> str:
    """A bearer token: `il` and 38 letters and digits."""
    return USER_TOKEN_PREFIX + _letters(38)


def mint(
    transaction: Transaction,
    grant: Grant,
    *,
    seconds: int,
    token: str | None = None,
    is_demo: bool = False,
    address: str = "",
    by: str = "exchange",
) -> str:
    """Store a bearer token for one person, a new one unless given. `by` says in the trail who made it."""
    token = token or new_token()
    moment = now()
    transaction.run(
        "INSERT INTO user_tokens (hash, application, district, user_id, role, authorized_by, created, expires, is_demo)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            digest(token),
            grant.application,
            grant.district,
            grant.user_id,
            grant.role,
            grant.authorized_by,
            moment,
            moment + seconds,
            int(is_demo),
        ),
    )
    audit.record(
        transaction,
        "token minted",
        district=grant.district,
        application=grant.application,
        user_id=grant.user_id,
        address=address,
        role=grant.role,
        by=by,
    )
    return token


def _letters(count: int) -> str:
    """Letters and digits, each equally likely: bytes that would favour some are skipped."""
    letters = [_BASE62[byte % 62] for byte in secrets.token_bytes(2 * count) if byte < 248]
    return "".join(letters[:count]) if len(letters) >= count else _letters(count)


def revoke(transaction: Transaction, token_hash: str) -> None:
    """End the token of a code that was used twice."""
    ended_tokens.note(transaction, "user_tokens", "code used twice", now(), "hash = ?", (token_hash,))
    transaction.run("DELETE FROM user_tokens WHERE hash = ?", (token_hash,))


_ACCESS = (
    "SELECT d.number, d.id, c.view, c.number, a.client_id, a.scopes, a.tier, a.user_types, v.edited, c.since,"
    " (SELECT number FROM views WHERE district = d.number AND is_whole = 1)"
)
_CONNECTED = (
    " JOIN applications a ON a.number = {of}.application JOIN districts d ON d.number = {of}.district"
    " LEFT JOIN connections c ON c.application = {of}.application AND c.district = {of}.district"
    " LEFT JOIN views v ON v.number = c.view"
)


def resolve(transaction: Transaction, token: str, *, in_demo: bool) -> Access | None:
    """The access of a user token.

    None if it is unknown or expired, if its district was disconnected, or if the application no longer admits
    that role.
    """
    hashed = digest(token)
    found = transaction.row(
        f"{_ACCESS}, t.user_id, t.role, t.authorized_by FROM user_tokens t{_CONNECTED.format(of='t')}"
        " WHERE t.hash = ? AND t.expires > ? AND t.created <= ? AND (t.is_demo = 0 OR ? = 1)",
        (hashed, now(), now() + SKEW_SECONDS, int(in_demo)),
    )
    if found is None:
        return None
    *of_pair, user_id, role, authorized_by = found
    return _access(tuple(of_pair), user_id, role, authorized_by, f" {hashed[:16]}")


def access_for(transaction: Transaction, grant: Grant) -> Access | None:
    """The access that a token for this grant would have, as `resolve` gives it."""
    found = transaction.row(
        (
            f"{_ACCESS} FROM (SELECT CAST(? AS BIGINT) AS application, CAST(? AS BIGINT) AS "
            f"district) g{_CONNECTED.format(of='g')}"
        ),
        (grant.application, grant.district),
    )
    return _access(found, grant.user_id, grant.role, grant.authorized_by) if found else None


def _access(row: Row, user_id: str, role: str, authorized_by: Any, bucket_key: str = "") -> Access | None:
    district, district_id, view, number, client_id, scopes, tier, user_types, edited, since, first_view = row
    is_taught = authorized_by == "teacher"
    if (number is None and not is_taught) or role not in user_types.split():
        return None
    return Access(
        district,
        district_id,
        first_view if is_taught else view,
        number or 0,
        client_id,
        LIMITED if is_taught else tuple(scopes.split()),
        holder="user",
        tier=tier,
        is_whole=False,
        user=user_id,
        role=role,
        authorized_by=authorized_by,
        bucket_key=bucket_key,
        shown_since=edited or 0,
        base=first_view if not is_taught and view != first_view else 0,
        connected_since=since or 0,
    )


def end_all(transaction: Transaction, district: int, user_id: str) -> int:
    """End a person's sessions, codes and tokens everywhere; returns how many sessions and tokens ended.

    Call `end_issued` in a second transaction: on PostgreSQL, only that one sees codes and tokens that were
    being issued meanwhile.
    """
    among = "WHERE district = ? AND user_id = ?"
    counts = [
        transaction.row(f"SELECT count(*) FROM {table} {among}", (district, user_id))
        for table in ("sessions", "user_tokens")
    ]
    transaction.run(f"DELETE FROM sessions {among}", (district, user_id))
    end_issued(transaction, district, user_id)
    audit.record(transaction, "signed out by an operator", district=district, user_id=user_id)
    return sum(int(found[0]) for found in counts if found)


def end_issued(transaction: Transaction, district: int, user_id: str) -> None:
    """End a person's codes and tokens."""
    theirs = ("district = ? AND user_id = ?", (district, user_id))
    ended_tokens.note(transaction, "user_tokens", "signed out", now(), *theirs)
    for table in ("codes", "user_tokens"):
        transaction.run(f"DELETE FROM {table} WHERE district = ? AND user_id = ?", (district, user_id))


def access_to(transaction: Transaction, application: int, district: int) -> tuple[int, int] | None:
    """The (connection, view) through which an application reads a district; None if they are not
    connected."""
    wanted = "SELECT number, view FROM connections WHERE application = ? AND district = ?"
    found = transaction.row(wanted, (application, district))
    return (found[0], found[1]) if found else None


def allow(transaction: Transaction, application: int, district: int, user_id: str, created: str) -> None:
    """Store a teacher's permission for a Library application to see their classes."""
    transaction.run(
        "INSERT INTO grants (application, district, user_id, created) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (application, district, user_id) DO NOTHING",
        (application, district, user_id, created),
    )


def disallow(transaction: Transaction, application: int, district: int, user_id: str) -> None:
    """Withdraw a teacher's permission. The teacher's tokens end, and those of all students: some depended on
    this teacher, the others sign in again.

    Call it in two transactions: on PostgreSQL, only the second sees tokens that were being issued meanwhile.
    """
    transaction.run(
        "DELETE FROM grants WHERE application = ? AND district = ? AND user_id = ?",
        (application, district, user_id),
    )
    by_her = (
        "application = ? AND district = ? AND authorized_by = 'teacher' AND (user_id = ? OR role = 'student')"
    )
    values = (application, district, user_id)
    ended_tokens.note(transaction, "user_tokens", "withdrawn", now(), by_her, values)
    for table in ("codes", "user_tokens"):
        transaction.run(f"DELETE FROM {table} WHERE {by_her}", values)


def has_allowed(
    transaction: Transaction,
    application: int,
    district: int,
    user_ids: list[str],
    *,
    is_writing: bool = False,
) -> bool:
    """Whether one of these teachers has given permission. `is_writing`: a write depends on it."""
    select = "SELECT 1 FROM grants WHERE application = ? AND district = ? AND user_id = ?"
    pairs = ((application, district, user_id) for user_id in user_ids)
    return any(
        is_held(transaction, select, pair) if is_writing else transaction.row(select, pair) for pair in pairs
    )
