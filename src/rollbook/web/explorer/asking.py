"""The Explorer's requests to this server, with the same routes, limits and log as for any client."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Server = Callable[[Scope, Receive, Send], Awaitable[None]]

Pairs = tuple[tuple[str, str], ...]
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: all that a client sends, and all that a code sample needs."""

    method: str
    path: str
    query: Pairs = ()
    authorization: str = ""
    form: Pairs = ()
    cookie: str = ""

    @property
    def address(self) -> str:
        """Path and query."""
        return f"{quote(self.path)}?{encoded(self.query)}" if self.query else quote(self.path)

    @property
    def body(self) -> str:
        return encoded(self.form)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request, and how long it took."""

    status: int
    headers: Pairs
    body: bytes
    milliseconds: float

    @property
    def phrase(self) -> str:
        return HTTPStatus(self.status).phrase

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def encoded(pairs: Pairs) -> str:
    """Pairs as a query or a form. Commas stay unescaped, because lists are easier to read with them."""
    return urlencode(pairs, safe=",", quote_via=quote)


async def ask(server: Server, asked: Asked, visitor: Scope) -> Answered:
    """Send a request to this server, on behalf of the visitor whose own request has this scope."""
    sent: list[Message] = []
    body = [{"type": "http.request", "body": asked.body.encode(), "more_body": False}]

    async def receive() -> Message:
        return body.pop() if body else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    begun = time.perf_counter()
    await server(_scope(asked, visitor), receive, send)
    milliseconds = (time.perf_counter() - begun) * 1000
    if not sent:  # with a fault on, a demo may leave a request without an answer
        return Answered(504, (), b"", milliseconds)
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in sent[0]["headers"]
    )
    return Answered(
        sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]), milliseconds
    )


def _scope(asked: Asked, visitor: Scope) -> Scope:
    """The request as the server's own connection would describe it, without gzip: the answer is shown as
    text."""
    host = [(name, value) for name, value in visitor["headers"] if name == b"host"]
    headers = [
        *host,
        (b"accept", b"*/*"),
        (b"user-agent", b"rollbook-explorer"),
        *([(b"authorization", asked.authorization.encode())] if asked.authorization else []),
        *([(b"content-type", _FORM.encode())] if asked.method == "POST" else []),
        *([(b"content-length", b"%d" % len(asked.body.encode()))] if asked.method == "POST" else []),
        *([(b"cookie", asked.cookie.encode())] if asked.cookie else []),
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": visitor["scheme"],
        "path": asked.path,
        "raw_path": quote(asked.path).encode(),
        "query_string": encoded(asked.query).encode(),
        "root_path": "",
        "headers": headers,
        "client": visitor.get("client"),
        "server": visitor.get("server"),
    }
