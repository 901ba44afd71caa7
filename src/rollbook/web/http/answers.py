"""Answers as values: status, headers and body; and the form of each error on the wire.

`rollbook.web.http.route_answers` makes them responses of the site. The Data API starts without it.
"""

from __future__ import annotations

import html
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import orjson

from rollbook.errors import ApiError, NoSuchEndpoint, TooManyRequests, Unauthorized

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json; charset=utf-8")
HTML: Header = (b"content-type", b"text/html; charset=utf-8")
NO_STORE: Header = (b"cache-control", b"no-store")
# A browser must not treat text in a record as a page or a script.
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET,PATCH,POST,DELETE"),
    (
        b"access-control-allow-headers",
        b"Content-Type,Authorization,X-Requested-With,Accept,Origin,Referer,User-Agent",
    ),
)
# How a client may authenticate. RFC 7617, 2 and RFC 6750, 3: a scheme is never named alone.
BASIC = b'Basic realm="rollbook"'
BEARER = b'Bearer realm="rollbook"'
# Not a status: the connection ends without an answer, as when a server dies.
DROPPED = 0
_EVERY = (*CORS, NO_STORE, NOSNIFF)
# Seeded by the system in each process. The ids of requests are no secrets.
_RANDOM = random.Random()  # noqa: S311


class Answer(NamedTuple):
    """One answer. `headers` come in addition to those of every answer.

    `more` continues a body of megabytes: joining its pieces would cost more than sending them one by one.
    """

    status: int
    headers: tuple[Header, ...]
    body: bytes
    more: tuple[bytes, ...] = ()

    @property
    def whole(self) -> bytes:
        """The body as one text."""
        return b"".join((self.body, *self.more))


def every_answer() -> list[Header]:
    """The headers of every API answer."""
    return [*_EVERY, (b"x-request-id", _request_id())]


def _request_id() -> bytes:
    """A random UUID (RFC 9562, 5.4): the 4 is its version, and the a its variant."""
    drawn = f"{_RANDOM.getrandbits(128):032x}"
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}".encode()


async def send_answer(
    answer: Answer,
    scope: MutableMapping[str, Any],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send an answer as an ASGI application does, with the headers of every API answer."""
    headers = [*_EVERY, (b"x-request-id", _request_id()), *answer.headers]
    if answer.status not in (204, 304):
        size = len(answer.body) + sum(map(len, answer.more))
        headers.append((b"content-length", b"%d" % size))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    *begun, last = (b"",) if scope["method"] == "HEAD" else (answer.body, *answer.more)
    for piece in begun:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": last})


def failure(error: ApiError, method: str, path: str, wrong_token: str) -> Answer:
    """The answer to an error. Old and new clients find their key: `message` and `error` (protocol.md 6.2)."""
    if isinstance(error, NoSuchEndpoint) and wrong_token == "html":  # noqa: S105 - a setting, not a secret
        return _html_404(method, path)
    if isinstance(error, TooManyRequests):
        return Answer(error.status, error.headers, b"")
    text = f"Cannot {method} {path}" if isinstance(error, NoSuchEndpoint) else str(error)
    body: dict[str, object] = {"message": text, "error": text}
    if isinstance(error, Unauthorized):
        body |= {"code": 101, "data": {}}
        return Answer(error.status, (JSON, (b"www-authenticate", BEARER)), orjson.dumps(body))
    return Answer(error.status, (JSON,), orjson.dumps(body))


def _html_404(method: str, path: str) -> Answer:
    """The recorded page for an unknown path or a wrong kind of token, byte for byte (protocol.md 6.3)."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
        f"<pre>Cannot {html.escape(method)} {html.escape(path)}</pre>\n</body>\n</html>\n"
    )
    return Answer(404, (HTML, (b"content-security-policy", b"default-src 'none'")), page.encode())


def takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is asked for by name; `q=0` refuses it (RFC 9110, 12.5.3)."""
    if not accept_encoding:
        return False
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.partition(";")
        if name.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
