"""The answer to a request that is refused before the application sees it. It ends the connection."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rollbook.web.http.answers import NOSNIFF

NO_ROOM = (HTTPStatus.SERVICE_UNAVAILABLE, "The server has too many connections; try again.")


def answer(status: HTTPStatus, sentence: str) -> bytes:
    """The head and the body of a refusal. With 503, it says when to try again (RFC 9110, 10.2.3)."""
    body = orjson.dumps({"message": sentence, "error": sentence})
    lines = [
        b"content-type: application/json; charset=utf-8",
        b"content-length: %d" % len(body),
        b"connection: close",
        b": ".join(NOSNIFF),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(b"retry-after: 1")
    return STATUS_LINE[status] + b"\r\n".join(lines) + b"\r\n\r\n" + body
