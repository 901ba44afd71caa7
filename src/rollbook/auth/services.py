"""Ask districts' sign-in services: with limits, remembered for an hour, and never at an inner address.

A service may be slow, broken or hostile. It costs limited time and memory, delays only the people who sign in
with it, and cannot make this server send requests to its own network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from rollbook.auth import id_tokens
from rollbook.auth.id_tokens import NotBelieved
from rollbook.errors import SignInStopped
from rollbook.outgoing import FAILURES, AnswerTooLarge, Caller, Check, Reply
from rollbook.store.accounts.credentials import Provider
from rollbook.urls import LOCAL_HOSTS, Address, Network, as_reached, is_inner, is_private, is_safe

# How long a service's description and keys are used without asking again.
REMEMBERED_SECONDS = 3600
# For a whole answer, from the look-up of the name to the last byte.
ANSWER_SECONDS = 10.0
# Descriptions and keys of large services take some 20 KB.
ANSWER_BYTES_MAX = 512 * 1024
# Requests to one service at once, and requests that wait for a turn: each takes a thread.
TURNS, PLACES = 8, 24


class _InnerAddress(Exception):
    """A service named an address inside this server's network."""


@dataclass(frozen=True, slots=True)
class _Known:
    """An answer of a service, and when it was read."""

    read: float
    address: str
    answer: dict[str, Any]


class _Queue:
    """The turns of one service."""

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(TURNS)
        self._places = BoundedSemaphore(PLACES)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait for a turn, at most as long as for an answer. Yields False if there is no turn."""
        has_place = self._places.acquire(blocking=False)
        has_turn = has_place and self._turns.acquire(timeout=ANSWER_SECONDS)
        try:
            yield has_turn
        finally:
            if has_turn:
                self._turns.release()
            if has_place:
                self._places.release()


class Services:
    """What services publish about themselves, asked once an hour and not at each login.

    `networks` are the inner networks in which any service may have its endpoints.
    """

    def __init__(
        self, networks: tuple[Network, ...] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._networks = networks
        self._clock = clock
        # By issuer: a service that keeps naming new addresses for its keys fills only its own entry.
        self._known: dict[str, dict[str, _Known]] = {}
        self._queues: dict[str, _Queue] = {}
        self._changing = Lock()

    def metadata(self, provider: Provider) -> dict[str, Any]:
        """The service's own description.

        Its issuer must be the configured one (OpenID Connect Discovery, 4.3).
        """
        if not is_safe(provider.issuer):
            raise stopped(provider, f"{provider.name} is not set up with a safe address.")
        address = f"{provider.issuer}/.well-known/openid-configuration"
        metadata = self._read(provider, "description", address)
        if str(metadata.get("issuer", "")).rstrip("/") != provider.issuer:
            self._forget(provider, "description")
            raise stopped(provider, f"{provider.name} names another issuer than the one set up here.")
        return metadata

    def claims(self, provider: Provider, token: object, nonce: str) -> dict[str, Any]:
        """The verified claims of an id token.

        If the remembered keys do not fit, they are read once more: they may have changed.
        """
        address = endpoint(self.metadata(provider), "jwks_uri", provider)
        expected = {"issuer": provider.issuer, "client_id": provider.client_id, "nonce": nonce}
        is_remembered = "keys" in self._known.get(provider.issuer, {})
        try:
            return id_tokens.verified(token, self._read(provider, "keys", address), **expected)
        except NotBelieved as error:
            if not is_remembered:
                raise stopped(provider, f"{provider.name} {error}.") from None
        self._forget(provider, "keys")
        try:
            return id_tokens.verified(token, self._read(provider, "keys", address), **expected)
        except NotBelieved as error:
            raise stopped(provider, f"{provider.name} {error}.") from None

    def exchange(self, provider: Provider, body: Mapping[str, str]) -> dict[str, Any]:
        """Exchange a code at the service; returns its answer."""
        return self._ask(
            provider, "POST", endpoint(self.metadata(provider), "token_endpoint", provider), body
        )

    def probe(self, provider: Provider, address: str) -> Reply:
        """One answer of the service, whole, for a test of it. Errors: SignInStopped says why there is none."""
        caller = Caller(address, check=self._check(provider))
        try:
            return caller.ask("GET", address, seconds=ANSWER_SECONDS, bytes_max=ANSWER_BYTES_MAX)
        except _InnerAddress as error:
            message = f"{address} is inside this server's network, at {error}"
        except AnswerTooLarge:
            message = f"{address} answers with more than {ANSWER_BYTES_MAX:,} bytes"
        except (*FAILURES, ValueError) as error:
            is_untrusted = "certificate" in str(error).lower()
            told = (
                "has a certificate that this server does not trust" if is_untrusted else "cannot be reached"
            )
            message = f"{address} {told}: {str(error)[:200] or type(error).__name__}"
        finally:
            caller.close()
        raise stopped(provider, message)

    def _read(self, provider: Provider, name: str, address: str) -> dict[str, Any]:
        known = self._known.get(provider.issuer, {}).get(name)
        if known and known.address == address and self._clock() - known.read <= REMEMBERED_SECONDS:
            return known.answer
        answer = self._ask(provider, "GET", address)
        with self._changing:
            self._known.setdefault(provider.issuer, {})[name] = _Known(self._clock(), address, answer)
        return answer

    def _forget(self, provider: Provider, name: str) -> None:
        with self._changing:
            self._known.get(provider.issuer, {}).pop(name, None)

    def _ask(
        self, provider: Provider, method: str, address: str, body: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """One JSON object of the service. Errors: SignInStopped says what is wrong with the answer."""
        with self._changing:
            queue = self._queues.setdefault(provider.issuer, _Queue())
        with queue.turn() as has_turn:
            if not has_turn:
                raise stopped(provider, f"{provider.name} is slow, and many people are waiting for it.", 503)
            try:
                status, text = ask(method, address, body, check=self._check(provider))
            except _InnerAddress as error:
                raise stopped(
                    provider, f"{provider.name} names an address inside this server's network, {error}."
                ) from None
            except AnswerTooLarge:
                raise stopped(
                    provider, f"{provider.name} answers with more than {ANSWER_BYTES_MAX:,} bytes."
                ) from None
            except (*FAILURES, ValueError):
                raise stopped(
                    provider,
                    f"{provider.name} does not answer within {ANSWER_SECONDS:.0f} seconds as it should.",
                ) from None
        try:
            answer = orjson.loads(text) if 200 <= status < 300 else None
        except ValueError:  # also raised for values nested too deep
            answer = None
        if not isinstance(answer, dict):
            raise stopped(provider, f"{provider.name} does not answer as it should.")
        return answer

    def _check(self, provider: Provider) -> Check:
        """A check that allows inner addresses only at the service's own inner host, or where the operator
        says.

        A public name may point to this machine. So a service may use inner addresses only if it was set up
        with one.
        """
        own = urlsplit(provider.issuer).hostname or ""

        def check(host: str, address: Address) -> None:
            reached = as_reached(address)
            is_allowed = any(reached in network for network in self._networks)
            is_own = host.lower().strip("[]") == own and (
                is_private(reached) or own in LOCAL_HOSTS or _is_literal(own)
            )
            if is_inner(address) and not is_allowed and not is_own:
                raise _InnerAddress(host[:100])

        return check


def ask(method: str, address: str, body: Mapping[str, str] | None, *, check: Check) -> tuple[int, bytes]:
    """Status and body of one answer. Errors: those of `outgoing`."""
    headers = {"accept": "application/json"}
    form = urlencode(body).encode() if body is not None else None
    if form is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
    caller = Caller(address, check=check)
    try:
        reply = caller.ask(
            method, address, seconds=ANSWER_SECONDS, bytes_max=ANSWER_BYTES_MAX, headers=headers, body=form
        )
    finally:
        caller.close()
    return reply.status, bytes(reply.body)


def endpoint(metadata: Mapping[str, Any], name: str, provider: Provider) -> str:
    """An address of the service. It must be https, except for a test on this machine."""
    address = str(metadata.get(name, ""))
    is_local = provider.issuer.startswith("http:")
    if not is_safe(address) or not (is_local or address.startswith("https:")):
        raise stopped(provider, f"{provider.name} names no safe {name}.")
    return address


def stopped(provider: Provider, message: str, status: int = 403) -> SignInStopped:
    mender = f"you can try again; if that does not help, the people who look after {provider.name} in your district"
    return SignInStopped(message, mender, status)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
