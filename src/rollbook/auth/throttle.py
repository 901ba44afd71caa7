"""Slow down people who guess passwords, without locking others out.

Failures count for one account from one address first: after a few, that pair waits. They also count for the
address alone. A whole school may share one address, so past that limit attempts are slowed, not blocked. They
take turns, spread evenly over the limit's window. An account that has signed in from there before needs no
turn.

No failure counts for an account alone: guesses from elsewhere never keep a student from signing in. In the
console, wrong one-time codes count for the account too, but only after its right password, and only at addresses
where it never signed in: an outsider without the password locks nobody out.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from rollbook.settings import Settings
from rollbook.store.accounts import attempts
from rollbook.store.engine.database import Transaction

FAMILIAR_SECONDS = 30 * 86_400
# The smallest IPv6 network of a customer: a customer with one address has all of it (RFC 6177).
IPV6_BITS = 64

# How many wrong one-time codes a day an account of the console takes from addresses where nobody has signed in to it.
CODES_MAX = 10
CODES_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """The counters of an attempt, the failures allowed on each, and how long they count.

    `account` is blank for a badge.
    """

    address: str
    address_max: int
    seconds: int
    account: str = ""
    account_max: int = 0


def of(settings: Settings, place: str, username: str, address: str) -> Limit:
    """The limit of an attempt at a place (a district's id)."""
    network = network_of(address)
    account = f"account {place} {username.strip().lower()} {network}"
    most = (settings.login_failures_address, settings.login_wait_seconds)
    return Limit(f"address {network}", *most, account, settings.login_failures)


def of_address(settings: Settings, address: str, secrets: str = "badges") -> Limit:
    """The limit of an attempt with a secret too long to guess, such as a badge: a whole school may share the
    address."""
    return Limit(
        f"{secrets} {network_of(address)}", settings.login_failures_address, settings.login_wait_seconds
    )


def of_codes(account: int) -> Limit:
    """The limit of wrong one-time codes after the right password, at all new addresses together."""
    return Limit(f"codes {account}", CODES_MAX, CODES_SECONDS)


def is_shut(transaction: Transaction, limit: Limit) -> bool:
    """Whether the attempt must wait."""
    bucket, most = (limit.account, limit.account_max) if limit.account else (limit.address, limit.address_max)
    return attempts.failures(transaction, bucket, window_seconds=limit.seconds) >= most


def is_slowed(transaction: Transaction, limit: Limit) -> bool:
    """Whether attempts from the address take turns."""
    return attempts.failures(transaction, limit.address, window_seconds=limit.seconds) >= limit.address_max


def is_familiar(transaction: Transaction, limit: Limit) -> bool:
    """Whether this account has signed in from this address before."""
    return attempts.is_remembered(transaction, limit.account)


def take_turn(transaction: Transaction, limit: Limit) -> bool:
    gap = -(-limit.seconds // limit.address_max)
    return attempts.take_turn(transaction, f"turn {limit.address}", gap_seconds=gap)


def count(transaction: Transaction, limit: Limit) -> None:
    for bucket in (limit.account, limit.address):
        if bucket:
            attempts.add_failure(transaction, bucket, window_seconds=limit.seconds)


def succeed(transaction: Transaction, limit: Limit) -> None:
    """After a success, this account's failures from this address no longer count.

    The address's failures still do.
    """
    attempts.forget_failures(transaction, limit.account)
    attempts.remember(transaction, limit.account, seconds=FAMILIAR_SECONDS)


def network_of(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 address, because a client can use a new one for each attempt."""
    if not address:
        return address
    found = ip_address(address)
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((int(found), IPV6_BITS), strict=False))
