"""Requests to other servers, which may be hostile: limited in time and size, and never to an address that the
caller refuses.

One deadline holds for a whole answer, even if it arrives slowly. The size is limited while the answer arrives
and while it is unpacked. Each name is looked up once, and the request goes to the address that was checked.
So a name that changes its address in between (DNS rebinding) cannot misdirect the request. Redirects are
returned like other answers, never followed.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import httpcore

# How many bytes are unpacked at once.
PIECE_BYTES = 64 * 1024
CONNECT_SECONDS = 20.0

Address = IPv4Address | IPv6Address
Check = Callable[[str, Address], None]
FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)


class AnswerTooLarge(Exception):
    """The answer, packed or unpacked, is larger than the caller accepts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An unpacked answer; its header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytearray


class Caller:
    """Asks one server.

    `check` gets each name and address before the connection is made, and raises to refuse it. A caller must
    not be used by several threads at once. If the environment names a proxy, the connection goes to the
    proxy, which looks the name up itself.
    """

    def __init__(self, address: str, *, check: Check | None = None) -> None:
        proxy = _proxy(address)
        self._check = check if proxy else None
        self._line = _Line(None if proxy else check)
        context = trusted()
        if proxy:
            parts = urlsplit(proxy)
            credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
            host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
            plain = f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
            self._pool: httpcore.ConnectionPool = httpcore.HTTPProxy(
                plain, proxy_auth=credentials, ssl_context=context, network_backend=self._line
            )
        else:
            self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=self._line)

    def close(self) -> None:
        self._pool.close()

    def ask(
        self,
        method: str,
        address: str,
        *,
        seconds: float,
        bytes_max: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send one request and return its whole answer.

        Errors: those in FAILURES, AnswerTooLarge, and those that `check` raises.
        """
        self._line.deadline = time.monotonic() + seconds
        if self._check:  # The proxy looks the name up again, so this check is the best that we can do.
            with suppress(httpcore.ConnectError):
                _look_up(urlsplit(address).hostname or "", 0, self._check, seconds)
        sent = {"accept-encoding": "gzip", **(headers or {})}
        with self._pool.stream(method, address, headers=list(sent.items()), content=body) as response:
            found = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            unpacked = bytearray()
            for piece in _unpack(response.iter_stream(), found.get("content-encoding", ""), bytes_max):
                unpacked += piece
                if len(unpacked) > bytes_max:
                    raise AnswerTooLarge
        return Reply(response.status, found, unpacked)


def _unpack(stream: Iterable[bytes], encoding: str, bytes_max: int) -> Iterator[bytes]:
    """Unpack the body piece by piece: a megabyte may expand to a gigabyte."""
    named = encoding.strip().lower()
    if named not in ("", "identity", "gzip", "x-gzip"):
        raise httpcore.RemoteProtocolError(f"an encoding that was not asked for: {named[:40]!r}")
    unpack = zlib.decompressobj(wbits=31) if named.endswith("gzip") else None
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > bytes_max:
            raise AnswerTooLarge
        if unpack is None:
            yield chunk
            continue
        rest = chunk
        while rest and not unpack.eof:
            try:
                yield unpack.decompress(rest, PIECE_BYTES)
            except zlib.error:
                raise httpcore.RemoteProtocolError("it is marked as gzip and is not gzip") from None
            rest = unpack.unconsumed_tail
    if unpack is not None and size:
        yield unpack.flush(PIECE_BYTES)
        if not unpack.eof:
            raise httpcore.RemoteProtocolError("its gzip ends too early")


class _Line(httpcore.NetworkBackend):
    """Connections to checked addresses, which end at the deadline."""

    def __init__(self, check: Check | None) -> None:
        self.deadline = 0.0
        self._check = check
        self._plain = httpcore.SyncBackend()

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise error("the answer takes too long")
        return seconds if timeout is None else min(seconds, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError("the name has no address")
        addresses = _look_up(
            host, port, self._check, self.left(timeout or CONNECT_SECONDS, httpcore.ConnectTimeout)
        )
        for number, address in enumerate(addresses):
            # Keep time for the other addresses: the first one may be unreachable, as IPv6 addresses often
            # are.
            seconds = self.left(timeout or CONNECT_SECONDS, httpcore.ConnectTimeout) / (
                len(addresses) - number
            )
            try:
                stream = self._plain.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
                continue
            return _Stream(stream, self)
        raise failed


class _Stream(httpcore.NetworkStream):
    """A connection in which each step ends by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, line: _Line) -> None:
        self._stream = stream
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._line.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._line.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = self._line.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _look_up(host: str, port: int, check: Check | None, seconds: float) -> list[str]:
    """The addresses of a name, each accepted by `check`.

    The system's look-up has no deadline, and a name server may be slow. So the look-up runs in a thread,
    which ends by itself later.
    """
    answer: SimpleQueue[list[Any] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        raise httpcore.ConnectTimeout("the look-up of its name takes too long") from None
    if isinstance(found, Exception):
        raise httpcore.ConnectError(str(found)) from found
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if check:
        for address in addresses:
            check(host, ip_address(address))
    return addresses


def _proxy(address: str) -> str | None:
    """The proxy that the environment names for an address, if any."""
    parts = urlsplit(address)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    is_known = proxy.startswith(("http://", "https://"))
    return proxy if is_known and not proxy_bypass(parts.hostname or "") else None


def trusted() -> ssl.SSLContext:
    """The certificate authorities that we trust, as the environment names them now."""
    return _tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=1)
def _tls(file: str | None, folder: str | None) -> ssl.SSLContext:
    """The certificate authorities that we trust: those of SSL_CERT_FILE or SSL_CERT_DIR, else those that come
    with the program."""
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    return ssl.create_default_context(cafile=certifi.where())
