"""Faults on demand: for a while, paths of a demo fail or are slow, so that developers can test their
applications.

Only a demo has them. Faults hold for all workers of the demo together, also on several machines. Without a fault in
force, a request costs one comparison more; if the database is a server, it costs one small read more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import anyio
import orjson

from rollbook.auth.tokens import basic, bearer
from rollbook.contract.clever import versions
from rollbook.demo.shared_state import SharedState
from rollbook.errors import BadSetting, MachineTrouble, Unauthorized, Unknown
from rollbook.store.district.demo_faults import FaultRows, Rows
from rollbook.store.engine.database import Database
from rollbook.web.data.api import Scope, Send
from rollbook.web.data.data_request import ME
from rollbook.web.http import inline_or_thread
from rollbook.web.http.answers import BASIC, DROPPED, JSON, Answer, failure, send_answer
from rollbook.web.http.rate_limit import Allowance
from rollbook.web.http.request_tap import note

DATA, TOKENS = "/v3.0", "/oauth/tokens"
# Paths that an application requests. The paths that control faults always work.
PATHS = (DATA, TOKENS, "/oauth/tokeninfo", "/oauth/certs", "/userinfo", "/.well-known")
MESSAGES = {500: "Internal server error", 503: "Service unavailable"}
# How the token endpoint refuses a used or expired code, and an unknown client (RFC 6749, 5.2).
REFUSALS = {
    400: ("invalid_grant", "invalid code"),
    401: ("invalid_client", "unknown client id, or wrong client secret"),
}
STATUSES = (400, 401, 429, *MESSAGES)
REQUESTS_MAX = 10_000
DELAY_MAX = 60_000
FAULTS_MAX = 100
TOKEN_MAX = 200
KEYS = ("fault", "status", "requests", "path", "token", "delay_ms")
FORM = '{"fault": "rate-limit", "requests": 3} or {"status": 429, "requests": 3}, also with "path", "token" and "delay_ms"'


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A named fault: its title for people, and its values."""

    name: str
    title: str
    what: str
    status: int | None = None
    path: str = DATA
    delay_ms: int = 0


KINDS = (
    FaultKind("rate-limit", "Too many requests", "429, with the headers of a window that is used up", 429),
    FaultKind("server-error", "Server error", "500, as when the server fails", 500),
    FaultKind("unavailable", "Unavailable", "503, as when the server is overloaded", 503),
    FaultKind("slow", "Slow answer", "the right answer, five seconds late", delay_ms=5000),
    FaultKind("dropped", "Dropped connection", "the connection ends without an answer", DROPPED),
    FaultKind("expired-token", "Expired token", "401, as for a token that has ended", 401),
    FaultKind(
        "expired-code", "Expired code", "400 invalid_grant, as for a code that is too old", 400, TOKENS
    ),
)
KIND = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next `requests` under a path: a delay, then an answer with this status, or the
    right answer if there is none.

    `token`: only requests with this token, or with this client id in a Basic header; blank for all.
    """

    path: str = DATA
    status: int | None = None
    delay_ms: int = 0
    requests: int = 0
    token: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """Its name, if it has one."""
        named = (kind.name for kind in KINDS if kind.status == self.status and kind.status is not None)
        return next(named, "slow" if self.status is None else "")

    @property
    def title(self) -> str:
        return KIND[self.name].title if self.name else str(self.status)

    def as_json(self) -> dict[str, object]:
        status = None if self.status == DROPPED else self.status
        return {**asdict(self), "status": status, "fault": self.name, "token": self.token or None}


class Faults:
    """The faults of a demo, one for each path and token.

    `limit` is the size of a rate limit window, for 429. `shared` holds the faults of all workers.
    """

    def __init__(self, database: Database, limit: int, shared: SharedState | FaultRows) -> None:
        self._database = database
        self._limit = limit
        self._shared = shared

    def ask(self, asked: Mapping[str, Any]) -> Fault:
        """Let the next requests under a path fail; 0 requests ends a fault.

        Errors: BadSetting names what was expected.
        """
        fault = _read(asked)

        def change(rows: Rows) -> Rows:
            others = [row for row in rows if (row["path"], row["token"]) != (fault.path, fault.token)]
            if not fault.requests:
                return others
            if len(others) >= FAULTS_MAX:
                raise BadSetting(f"faults: expected at most {FAULTS_MAX} at a time; remove some first")
            return [*others, asdict(replace(fault, id=_next_id(rows)))]

        rows = self._shared.change_faults(change)
        return Fault(**rows[-1]) if fault.requests else fault

    def in_force(self) -> list[Fault]:
        return [Fault(**row) for row in self._shared.faults()]

    def remove(self, id_: str) -> None:
        """End one fault. Errors: Unknown if no fault with that id is in force."""

        def change(rows: Rows) -> Rows:
            left = [row for row in rows if row["id"] != id_]
            if len(left) == len(rows):
                raise Unknown("no fault of that id is in force; GET /demo/faults lists those that are")
            return left

        self._shared.change_faults(change)

    def clear(self) -> None:
        """End all faults."""
        self._shared.change_faults(lambda _: [])

    async def answers(self, scope: Scope, send: Send) -> bool:
        """Answer a request in place of the server, if a fault says so; returns whether it was answered."""
        if not self._shared.has_faults or scope["method"] == "OPTIONS":
            return False
        try:
            fault = await inline_or_thread.read(self._database, self._strike, scope)
        except MachineTrouble:  # the database is away; the server's own answer says so
            return False
        if fault is None:
            return False
        note(scope, fault=fault.name or "answer")
        if fault.delay_ms:
            await anyio.sleep(fault.delay_ms / 1000)
        if fault.status is None:
            return False
        await send_answer(_answer(fault.status, scope, self._limit), scope, send)
        return True

    def _strike(self, scope: Scope) -> Fault | None:
        """The fault that fits the request best; its count of requests is reduced by one."""
        path, callers = _asked_path(scope["path"]), _callers(scope)
        struck: list[Fault] = []

        def change(rows: Rows) -> Rows:
            struck.clear()
            fitting = [row for row in rows if _fits(row, path, callers)]
            if not fitting:
                return rows
            chosen = max(fitting, key=lambda row: (len(row["path"]), bool(row["token"])))
            struck.append(Fault(**chosen))
            left = {**chosen, "requests": chosen["requests"] - 1}
            return [left if row is chosen else row for row in rows if row is not chosen or left["requests"]]

        self._shared.change_faults(change)
        return struck[0] if struck else None


def _asked_path(path: str) -> str:
    """A path as faults name it: paths of other versions count as those of v3.0."""
    if path == ME:
        return f"/{versions.DEFAULT}{ME}"
    version, _, rest = path.lstrip("/").partition("/")
    return f"{DATA}/{rest}" if version in versions.SPOKEN else path


def _fits(row: dict[str, Any], path: str, callers: tuple[str, ...]) -> bool:
    return f"{path}/".startswith(f"{row['path']}/") and (not row["token"] or row["token"] in callers)


def _callers(scope: Scope) -> tuple[str, ...]:
    """The bearer token of a request, or the client id of its Basic header."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode(
        "latin-1"
    )
    if client := basic(given):
        return (client[0],)
    try:
        return (bearer(given),)
    except Unauthorized:
        return ()


def _next_id(rows: Rows) -> str:
    return str(1 + max((int(row["id"]) for row in rows), default=0))


# What is asked -------------------------------------------------------------------------------------


def _read(asked: Mapping[str, Any]) -> Fault:
    """Read a fault from its parameters. Errors: BadSetting says what was expected."""
    what = {*asked} & {"fault", "status", "delay_ms"}
    if not what or {*asked} - {*KEYS} or {"fault", "status"} <= what or not {*asked} & {"fault", "requests"}:
        raise BadSetting(f"expected {FORM}")
    named = FaultKind("", "", "")
    if "fault" in asked:
        if asked["fault"] not in [*KIND]:
            raise BadSetting(f"fault: expected one of {', '.join(KIND)}")
        named = KIND[asked["fault"]]
    path, status = str(asked.get("path", named.path)).rstrip("/"), asked.get("status", named.status)
    if not any(f"{path}/".startswith(f"{known}/") for known in PATHS):
        raise BadSetting(f"path: expected one of {', '.join(PATHS)}, or a path below one of them")
    if "status" in asked and (type(status) is not int or status not in STATUSES):
        raise BadSetting(f"status: expected one of {', '.join(map(str, STATUSES))}")
    if status == 400 and path != TOKENS:
        raise BadSetting(f"status: expected 400 for the path {TOKENS} only")
    token = asked.get("token", "")
    if not isinstance(token, str) or len(token) > TOKEN_MAX:
        raise BadSetting(f"token: expected a token, or the client id of an application for {TOKENS}")
    delay = _whole(asked, "delay_ms", DELAY_MAX, named.delay_ms)
    return Fault(path, status, delay, _whole(asked, "requests", REQUESTS_MAX, 1), token)


def _whole(asked: Mapping[str, Any], name: str, most: int, default: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadSetting(f"{name}: expected a whole number from 0 to {most}")
    return value


# How it is answered --------------------------------------------------------------------------------


def _answer(status: int, scope: Scope, limit: int) -> Answer:
    """An answer as the server gives it: 429 has an empty body, and a used-up window that ends in a second."""
    if status == DROPPED:
        return Answer(status, (), b"")
    if status == 429:
        return Answer(status, Allowance(limit, 0, int(time.time()) + 1).headers, b"")
    if scope["path"] == TOKENS and status in REFUSALS:
        error, description = REFUSALS[status]
        scheme = ((b"www-authenticate", BASIC),) if status == 401 else ()
        return Answer(
            status, (JSON, *scheme), orjson.dumps({"error": error, "error_description": description})
        )
    if status == 401:
        return failure(Unauthorized("Unrecognized token string"), scope["method"], scope["path"], "html")
    return Answer(status, (JSON,), orjson.dumps({"message": MESSAGES[status], "error": MESSAGES[status]}))
