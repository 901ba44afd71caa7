"""Ended tokens, so that the request log can say why an application is refused.

Only the hash of a token is kept, for a few weeks. A token that is noted here opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.store.engine.database import Transaction, Values
from rollbook.store.engine.keys import digest

DAY_SECONDS = 86_400
KEPT_DAYS = 30
# A user token that expired stays in its table for this long.
EXPIRED_SECONDS = DAY_SECONDS
# Why a token ended: the rest of a sentence that begins with "This token ended on ...".
REASONS = {
    "renewed": "when an operator gave the connection a new token",
    "disconnected": "when an operator disconnected the application",
    "signed out": "when an operator signed the person out",
    "code used twice": "when its authorization code came a second time, so another program may have had it",
    "withdrawn": "when a teacher took back the permission",
    "expired": "by itself: a user token is valid for a limited time. Let the person log in again",
}


@dataclass(frozen=True, slots=True)
class EndedToken:
    """Whose token it was, when it ended (Unix seconds), and why: a key of `REASONS`."""

    client_id: str
    district_id: str
    ended: int
    why: str


def note(transaction: Transaction, table: str, why: str, ended: int, where: str, values: Values) -> None:
    """Note the tokens of a table that are about to be deleted; `where` selects them.

    `table` is `user_tokens` or `connections`, which has another column for the token.
    """
    hashed = "token_hash" if table == "connections" else "hash"
    transaction.run(
        "INSERT INTO ended_tokens (hash, application, district, why, ended)"
        f" SELECT {hashed}, application, district, ?, CAST(? AS BIGINT) FROM {table} WHERE {where}"
        " ON CONFLICT (hash) DO NOTHING",
        (why, ended, *values),
    )


def find(transaction: Transaction, token: str, moment: int) -> EndedToken | None:
    """What is known about a token that is no longer valid; None if nothing is."""
    hashed = digest(token)
    found = transaction.row(
        "SELECT a.client_id, d.id, e.ended, e.why FROM ended_tokens e JOIN applications a ON a.number = e.application"
        " JOIN districts d ON d.number = e.district WHERE e.hash = ?",
        (hashed,),
    ) or transaction.row(
        "SELECT a.client_id, d.id, t.expires, 'expired' FROM user_tokens t JOIN applications a ON a.number = t.application"
        " JOIN districts d ON d.number = t.district WHERE t.hash = ? AND t.expires <= ?",
        (hashed, moment),
    )
    return EndedToken(*found) if found else None


def sweep(transaction: Transaction, moment: int) -> None:
    transaction.run("DELETE FROM ended_tokens WHERE ended < ?", (moment - KEPT_DAYS * DAY_SECONDS,))
