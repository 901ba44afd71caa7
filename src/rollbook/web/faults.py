"""Faults on demand, for whoever writes an application and wants to see it cope: a demo's data paths fail for a while.

Only a demo has this in front of its Data API; while no fault is asked for, a request passes at the cost of one comparison.
"""

from __future__ import annotations

import time

import orjson

from rollbook.errors import BadSetting
from rollbook.web.answers import JSON, Answer, every_answer, rate_headers
from rollbook.web.api import DataApi, Receive, Scope, Send
from rollbook.web.limits import Allowance

MESSAGES = {429: "", 500: "Internal server error", 503: "Service unavailable"}
REQUESTS_MAX = 10_000


class Faults:
    """The Data API of a demo, which answers the next `left` requests with an error; `limit` is a window's, for 429."""

    def __init__(self, data: DataApi, limit: int) -> None:
        self._data = data
        self._limit = limit
        self.left = 0
        self.status = 500

    def ask(self, status: object, requests: object) -> None:
        """Let the next requests fail; 0 requests end it. Errors: BadSetting names what was expected."""
        if isinstance(status, bool) or not isinstance(status, int) or status not in MESSAGES:
            raise BadSetting(f"status: expected one of {', '.join(map(str, MESSAGES))}")
        if isinstance(requests, bool) or not isinstance(requests, int) or not 0 <= requests <= REQUESTS_MAX:
            raise BadSetting(f"requests: expected a whole number from 0 to {REQUESTS_MAX}")
        self.status, self.left = status, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.left or scope["method"] == "OPTIONS":
            await self._data(scope, receive, send)
            return
        self.left -= 1
        answer = _fault(self.status, self._limit)
        headers = [*every_answer(), *answer.headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


def _fault(status: int, limit: int) -> Answer:
    """An answer as the API gives it: 429 has an empty body, and a window that is used up and ends in a second."""
    if status == 429:
        return Answer(status, rate_headers(Allowance(limit, 0, int(time.time()) + 1)), b"")
    return Answer(status, (JSON,), orjson.dumps({"message": MESSAGES[status], "error": MESSAGES[status]}))
