"""Slowing down whoever guesses, without letting anyone lock another out.

Failures count for one account from one address, and for one address over all accounts. Nothing counts for an account alone: who
guesses a pupil's password from elsewhere does not keep the pupil from signing in.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.settings import Settings
from rollbook.store import logins
from rollbook.store.database import Connection


@dataclass(frozen=True, slots=True)
class Limit:
    """What counts an attempt: (bucket, failures allowed) for each, and how long they count."""

    buckets: tuple[tuple[str, int], ...]
    seconds: int


def of(settings: Settings, place: str, username: str, address: str) -> Limit:
    """The limit of an attempt at a place (a district's id, or a login method without names)."""
    account = f"{place} {username.strip().lower()} {address}"
    pairs = ((f"address {address}", settings.login_failures_address),)
    return Limit(((f"account {account}", settings.login_failures), *pairs), settings.login_wait_seconds)


def of_address(settings: Settings, address: str) -> Limit:
    """The limit of an attempt by a secret too long to guess, such as a badge: a whole school may share the address."""
    return Limit(((f"badges {address}", settings.login_failures_address),), settings.login_wait_seconds)


def is_exceeded(connection: Connection, limit: Limit) -> bool:
    return any(logins.failures(connection, bucket) >= allowed for bucket, allowed in limit.buckets)


def count(connection: Connection, limit: Limit) -> None:
    for bucket, _ in limit.buckets:
        logins.add_failure(connection, bucket, window_seconds=limit.seconds)


def forget(connection: Connection, limit: Limit) -> None:
    """After a success: this account's failures from this address no longer count; the address's do."""
    logins.forget_failures(connection, limit.buckets[0][0])
