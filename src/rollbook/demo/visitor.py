"""The requests of a rehearsal: to the demo as a program, and to the application's pages as a person's
browser."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import orjson

from rollbook.contract.clever.versions import HOSTS
from rollbook.errors import Refused

AGENT = "rollbook-rehearse"
TIMEOUT_SECONDS = 60.0
REDIRECTS_MAX = 10
# How much of a page is compared.
COMPARED_BYTES = 1 << 20
# Parts that may differ between two views of one page: long random words, and numbers.
_RANDOM = re.compile(r"[A-Za-z0-9_\-+/=.]{16,}|[0-9]+")


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a request; `location` is its redirect target, as a whole address."""

    address: str
    status: int
    body: bytes
    location: str = ""

    def json(self) -> Any:
        return orjson.loads(self.body)

    def words(self) -> str:
        """The page without its random parts."""
        return _RANDOM.sub("*", self.body[:COMPARED_BYTES].decode("utf-8", "replace"))


class Way(httpcore.SyncBackend):
    """Connections; those to the API's original names lead to the demo, never to the real addresses."""

    def __init__(self, listening: str = "") -> None:
        super().__init__()
        found = urlsplit(f"//{listening}")
        self._demo = (found.hostname or "", found.port or 0)

    def connect_tcp(self, host: str, port: int, *args: Any, **more: Any) -> httpcore.NetworkStream:
        if host in HOSTS:
            host, port = self._demo
        return super().connect_tcp(host, port, *args, **more)


def trusting(authority: Path) -> ssl.SSLContext:
    """The machine's authorities, and that of a demo under the original names, if there is one."""
    context = ssl.create_default_context()
    with suppress(OSError):
        context.load_verify_locations(authority)
    return context


@dataclass(slots=True)
class Browser:
    """Requests with cookies, kept for each host and port."""

    way: Way = field(default_factory=Way)
    trust: ssl.SSLContext | None = None
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def another(self) -> Browser:
        """A browser of another person: without these cookies."""
        return Browser(self.way, self.trust)

    def ask(
        self, address: str, *, method: str = "GET", token: str = "", asked: Mapping[str, object] | None = None
    ) -> Page:
        """Send one request; a redirect is not followed. Errors: Refused if nothing answers."""
        host = urlsplit(address).netloc
        jar = self.cookies.setdefault(host, {})
        headers = [("User-Agent", AGENT), ("Host", host), ("Accept", "text/html,application/json")]
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        if asked is not None:
            headers.append(("Content-Type", "application/json"))
        if jar:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
        body = orjson.dumps(asked) if asked is not None else None
        limits = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_SECONDS)
        try:
            with httpcore.ConnectionPool(ssl_context=self.trust, network_backend=self.way) as pool:
                answer = pool.request(
                    method, address, headers=headers, content=body, extensions={"timeout": limits}
                )
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise Refused(
                f"{address.partition('?')[0]} does not answer: {error or type(error).__name__}"
            ) from None
        except (httpcore.UnsupportedProtocol, ValueError):
            raise Refused(
                f"{address.partition('?')[0]} cannot be opened: it is no http or https address"
            ) from None
        location = ""
        for name, value in answer.headers:
            text = value.decode("latin-1")
            if name.lower() == b"set-cookie":
                key, _, rest = text.partition("=")
                jar[key.strip()] = rest.partition(";")[0]
            elif name.lower() == b"location" and 300 <= answer.status < 400:
                location = urljoin(address, text)
        return Page(address, answer.status, answer.content, location)
