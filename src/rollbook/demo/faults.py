"""Faults on demand, so that a developer sees how an application copes: a demo's paths fail, or are
slow, for a while.

Only a demo has them; while none is asked for, a request passes at the cost of one comparison.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio
import orjson

from rollbook.contract.clever import versions
from rollbook.errors import BadSetting, Unauthorized
from rollbook.web.data.api import Scope, Send
from rollbook.web.data.data_request import ME
from rollbook.web.http.answers import BASIC, JSON, Answer, every_answer, failure, rate_headers
from rollbook.web.http.rate_limit import Allowance

DATA, TOKENS = "/v3.0", "/oauth/tokens"
# What an application asks; the paths by which faults are asked for stay good in any case.
PATHS = (DATA, TOKENS, "/oauth/tokeninfo", "/oauth/certs", "/userinfo", "/.well-known")
MESSAGES = {500: "Internal server error", 503: "Service unavailable"}
# As the token endpoint refuses a code that was used or is too old, and a client that it does not know (RFC
# 6749, 5.2).
REFUSALS = {
    400: ("invalid_grant", "invalid code"),
    401: ("invalid_client", "unknown client id, or wrong client secret"),
}
STATUSES = (400, 401, 429, *MESSAGES)
REQUESTS_MAX = 10_000
DELAY_MAX = 60_000
FORM = '{"status": 429, "requests": 3}, also with "path" and "delay_ms"'


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next `requests` under a path: a delay, then an answer of this status; without one,
    the right answer."""

    path: str = DATA
    status: int | None = None
    delay_ms: int = 0
    requests: int = 0


class Faults:
    """The faults of a demo, one for each path; `limit` is a window's, for 429."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._faults: dict[str, Fault] = {}

    def ask(self, asked: Mapping[str, Any]) -> None:
        """Let the next requests under a path fail; 0 requests end it. Errors: BadSetting names what was
        expected."""
        fault = _read(asked)
        self._faults.pop(fault.path, None)
        if fault.requests:
            self._faults[fault.path] = fault

    async def answers(self, scope: Scope, send: Send) -> bool:
        """Answer a request in place of the server, when a fault says so; True when it was answered."""
        fault = self._strike(scope) if self._faults else None
        if fault is None:
            return False
        if fault.delay_ms:
            await anyio.sleep(fault.delay_ms / 1000)
        if fault.status is None:
            return False
        await _send(_answer(fault.status, scope, self._limit), scope, send)
        return True

    def _strike(self, scope: Scope) -> Fault | None:
        """The fault of the longest path that the request is under, which has one request less from then
        on."""
        if scope["method"] == "OPTIONS":
            return None
        asked = f"/{versions.DEFAULT}{ME}" if scope["path"] == ME else scope["path"]
        under = [path for path in self._faults if f"{asked}/".startswith(f"{path}/")]
        if not under:
            return None
        fault = self._faults.pop(max(under, key=len))
        if fault.requests > 1:
            self._faults[fault.path] = replace(fault, requests=fault.requests - 1)
        return fault


# What is asked -------------------------------------------------------------------------------------


def _read(asked: Mapping[str, Any]) -> Fault:
    if (
        "requests" not in asked
        or not {*asked} & {"status", "delay_ms"}
        or {*asked} - {"status", "requests", "path", "delay_ms"}
    ):
        raise BadSetting(f"expected {FORM}")
    path, status = str(asked.get("path", DATA)).rstrip("/"), asked.get("status")
    if not any(f"{path}/".startswith(f"{known}/") for known in PATHS):
        raise BadSetting(f"path: expected one of {', '.join(PATHS)}, or a path below one of them")
    if "status" in asked and (type(status) is not int or status not in STATUSES):
        raise BadSetting(f"status: expected one of {', '.join(map(str, STATUSES))}")
    if status == 400 and path != TOKENS:
        raise BadSetting(f"status: expected 400 for the path {TOKENS} only")
    return Fault(path, status, _whole(asked, "delay_ms", DELAY_MAX), _whole(asked, "requests", REQUESTS_MAX))


def _whole(asked: Mapping[str, Any], name: str, most: int) -> int:
    value = asked.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadSetting(f"{name}: expected a whole number from 0 to {most}")
    return value


# How it is answered --------------------------------------------------------------------------------


def _answer(status: int, scope: Scope, limit: int) -> Answer:
    """An answer as the server gives it: 429 has an empty body, and a window that is used up and ends in a
    second."""
    if status == 429:
        return Answer(status, rate_headers(Allowance(limit, 0, int(time.time()) + 1)), b"")
    if scope["path"] == TOKENS and status in REFUSALS:
        error, description = REFUSALS[status]
        scheme = ((b"www-authenticate", BASIC),) if status == 401 else ()
        return Answer(
            status, (JSON, *scheme), orjson.dumps({"error": error, "error_description": description})
        )
    if status == 401:
        return failure(Unauthorized("Unrecognized token string"), scope["method"], scope["path"], "html")
    return Answer(status, (JSON,), orjson.dumps({"message": MESSAGES[status], "error": MESSAGES[status]}))


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = [*every_answer(), *answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
