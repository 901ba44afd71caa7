"""Where the request log gets its requests: a small buffer in each worker's memory, which a thread flushes.

A request only adds one entry to the buffer. Twice a second, the thread works out for all new requests what to
keep and who asked. If the database fails, no request fails or waits. Requests that do not fit into the buffer,
or cannot be written, are counted and reported as dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from rollbook.auth.tokens import basic, bearer
from rollbook.domain.access import Access
from rollbook.errors import RollbookError, Unauthorized
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections, ended_tokens, logins
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records.request_log import Kept, RequestLog
from rollbook.web.http import kept_parts
from rollbook.web.http.first_ones import FirstOnes

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Note = Callable[[Scope, Message, float], None]

FLUSH_SECONDS = 0.5
# How many requests of one flush are kept, the first ones. A busy server would otherwise pay for a log that turns over
# each second.
ROOM = 100
# Nobody measures a demo, and a test suite of its visitor should find each of its requests.
ROOM_OF_DEMO = 5_000
# How often old entries, and those beyond the size, are removed.
PRUNE_SECONDS = 30
# The thread looks a token's owner up once in so many seconds, and for at most so many tokens in one flush.
KNOWN_SECONDS, KNOWN_MAX, ASKED_MAX = 20.0, 2_000, 50
WARN_SECONDS = 60.0
# The key in a request's scope under which a handler leaves facts about the request.
NOTES = "rollbook.notes"
# The server's own pages. API, OAuth and sign-in are logged, and paths that do not exist.
_OWN_PAGES = frozenset(
    (
        *(
            "",
            "static",
            "log",
            "explorer",
            "docs",
            "demo",
            "console",
            "openapi.json",
            "favicon.ico",
            "favicon.svg",
        ),
        *("robots.txt", "apple-touch-icon.png", "health", "ready", "metrics"),
    )
)

_log = logging.getLogger(__name__)


# A request in the buffer: when its answer began, after how many seconds, its scope, and the head of the answer. A bare
# tuple is made in a fifth of the time that a named one takes.
Noted = tuple[float, float, Scope, Message]


@dataclass(frozen=True, slots=True)
class Caller:
    """The application and holder of a credential; all blank if it is unknown.

    `ended` says more about an ended token.
    """

    client_id: str = ""
    holder: str = ""
    tier: str = ""
    role: str = ""
    district_id: str = ""
    ended: tuple[int, str] | None = None


STRANGER = Caller()


class RequestTap:
    """The buffer of one worker, with the thread that flushes it. The first request starts the thread."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        in_demo: bool,
        put_back_at: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`put_back_at`: when the database was last put back, in Unix seconds. What came before is no more."""
        self.database, self._settings, self._in_demo = database, settings, in_demo
        self._put_back_at, self._knows_since = put_back_at, 0.0
        self.is_on = settings.request_log_rows_max > 0
        self.room = ROOM_OF_DEMO if in_demo else ROOM
        self._buffer: FirstOnes[Noted] = FirstOnes(self.room)
        self._untold = 0
        self._is_idle = True
        self._log: RequestLog | None = None
        self._opening = threading.Lock()
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._known: dict[str, tuple[float, Caller]] = {}
        self._pruned = self._warned = float("-inf")

    # In the event loop ------------------------------------------------------------------------------

    def noting(self, path: str) -> Note | None:
        """What notes a request of this path once its answer begins; None if such requests are not logged."""
        return None if not self.is_on or path.split("/", 2)[1] in _OWN_PAGES else self._note

    def _note(self, scope: Scope, start: Message, seconds: float) -> None:
        self._buffer.add((time.time(), seconds, scope, start))
        if self._is_idle:
            self._rouse()

    def _rouse(self) -> None:
        self._is_idle = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="request log", daemon=True)
            self._thread.start()
        self._wake.set()

    # In the thread ----------------------------------------------------------------------------------

    @property
    def log(self) -> RequestLog:
        """The log, opened at first use. Errors: those of the database."""
        with self._opening:
            if self._log is None:
                self._log = RequestLog(self.database, self._settings)
            return self._log

    def _go_on(self) -> None:
        while not self._end.is_set():
            self._wake.wait()
            self._end.wait(FLUSH_SECONDS)
            self._wake.clear()
            # Before the buffer is emptied: a request that comes from here on calls the thread again.
            self._is_idle = True
            self.flush()

    def flush(self) -> None:
        """Write the entries of the buffer. A failure costs only entries, which are counted."""
        taken = self._take()
        try:
            kept = self._kept(taken)
            self._untold += len(taken) - len(kept)
            if kept or self._untold:
                self.log.write(kept, self._untold)
            self._untold = 0
            if time.monotonic() - self._pruned > PRUNE_SECONDS:
                self._pruned = time.monotonic()
                self.log.prune()
        except Exception as error:  # a log must never end the thread that later requests need
            self._untold += len(taken)
            if time.monotonic() - self._warned > WARN_SECONDS:
                self._warned = time.monotonic()
                _log.warning("the request log lost %d requests: %s", self._untold, error)

    def _take(self) -> list[Noted]:
        taken, dropped = self._buffer.take()
        self._untold += dropped
        since = self._put_back_at()
        if since != self._knows_since:
            self._known.clear()
            self._knows_since = since
        return [noted for noted in taken if noted[0] >= since] if since else taken

    def _kept(self, taken: list[Noted]) -> list[Kept]:
        """The entries of a flush. A request that cannot be read is left out."""
        asked = [dict(noted[2]["headers"]) for noted in taken]
        given = [headers.get(b"authorization", b"").decode("latin-1") for headers in asked]
        refused: dict[str, bool] = {}
        for authorization, noted in zip(given, taken, strict=True):
            if authorization:
                refused[authorization] = noted[3]["status"] == 401
        callers, kept = self._callers(refused), []
        who = {
            authorization: (kept_parts.tail(authorization), callers.get(authorization, STRANGER))
            for authorization in {*given}
        }
        for noted, headers, authorization in zip(taken, asked, given, strict=True):
            try:
                kept.append(_entry(noted, headers, *who[authorization]))
            except (ValueError, KeyError, TypeError) as error:
                _log.debug("the request log could not read a request: %s", type(error).__name__)
        return kept

    def _callers(self, asked: dict[str, bool]) -> dict[str, Caller]:
        """The caller behind each Authorization header.

        `asked` says whether it was refused; if so, it is looked up again.
        """
        now = time.monotonic()
        found = {
            given: self._known[given][1]
            for given, is_refused in asked.items()
            if given in self._known and not is_refused and self._known[given][0] > now
        }
        unknown = [given for given in asked if given not in found][:ASKED_MAX]
        if not unknown:
            return found
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        try:
            with self.database.read() as transaction:
                for given in unknown:
                    found[given] = _caller(transaction, given, in_demo=self._in_demo)
                    self._known[given] = (now + KNOWN_SECONDS, found[given])
        except RollbookError:
            _log.debug("the request log could not ask who is behind a token")
        return found

    def close(self) -> None:
        """Write the remaining entries, and end the thread."""
        self._end.set()
        self._wake.set()
        if self._thread:
            self._thread.join(2 * FLUSH_SECONDS)
        if self._buffer:
            self.flush()
        if self._log:
            self._log.close()


def _entry(noted: Noted, asked: Mapping[bytes, bytes], token: str, caller: Caller) -> Kept:
    """What the log keeps of a request, in the order of `request_log.FIELDS`."""
    at, seconds, scope, start = noted
    answered = dict(start["headers"])
    raw, method = scope["query_string"], scope["method"]
    notes = scope.get(NOTES) or {}
    if caller.ended:
        notes = {**notes, "ended": caller.ended[0], "why": caller.ended[1]}
    return (
        int((at - seconds) * 1000),
        int(seconds * 1_000_000),
        method if method in kept_parts.METHODS else kept_parts.HIDDEN,
        kept_parts.path(scope["path"]),
        kept_parts.query(raw.decode("latin-1")) if raw else "",
        start["status"],
        int(answered.get(b"content-length", b"0")),
        token,
        caller.client_id,
        caller.holder,
        caller.tier,
        caller.role,
        caller.district_id,
        kept_parts.headers(asked, answered),
        notes,
    )


def _caller(transaction: Transaction, authorization: str, *, in_demo: bool) -> Caller:
    client = basic(authorization)
    if client is not None:
        application = applications.by_client_id(transaction, client[0], in_demo=in_demo)
        return Caller(application.client_id, "client", application.tier) if application else STRANGER
    try:
        token = bearer(authorization)
    except Unauthorized:
        return STRANGER
    resolve = logins.resolve if token.startswith(logins.USER_TOKEN_PREFIX) else connections.resolve
    access: Access | None = resolve(transaction, token, in_demo=in_demo)
    if access:
        return Caller(access.client_id, access.holder, access.tier, access.role, access.district_id)
    ended = ended_tokens.find(transaction, token, logins.now())
    if ended is None:
        return STRANGER
    return Caller(ended.client_id, district_id=ended.district_id, ended=(ended.ended, ended.why))


def note(scope: Scope, **found: object) -> None:
    """Leave a handler's facts about a request, for the hints of the log.

    Allowed are our own words and ids of applications, never text from the request.
    """
    scope.setdefault(NOTES, {}).update(found)
