"""The Data API: one handler for all rows of the contract, from the request's bytes to the answer's.

The steps are: the row of the path, the token, the rate limit, the query, the store. They are the same for all
kinds. An answer depends only on (snapshot, access, path, query). This key gives its ETag, and answers are
kept ready under it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyio import CapacityLimiter, to_thread

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever import query as queries
from rollbook.contract.clever import role_records, versions
from rollbook.contract.clever.query import Query
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import (
    ApiError,
    MachineTrouble,
    NoSuchEndpoint,
    NotFound,
    Unauthorized,
    UnknownVersion,
)
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.records import catchup, event_feed
from rollbook.store.records.joined_rows import ID_LENGTH, Pieces
from rollbook.store.records.reading import Moment, Reading, snapshot_of
from rollbook.web.data import answer_bodies, answer_cache, etags, restricted_tokens
from rollbook.web.data.answer_cache import VARY, Kept, Ready
from rollbook.web.data.data_request import ME, Call, Request, call_of
from rollbook.web.data.pinned_pulls import Pins
from rollbook.web.http import inline_or_thread, kept_parts
from rollbook.web.http.answers import JSON, Answer, Header, failure, send_answer
from rollbook.web.http.database_away import Away
from rollbook.web.http.rate_limit import Allowance, RateLimit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Rollbook's own header: the run whose state an answer shows, for `since_snapshot` on /events.
SNAPSHOT = b"x-rollbook-snapshot"
# Paths that only a person's token reaches.
OF_PEOPLE = frozenset((restricted_tokens.ME, *role_records.ROWS))

Finish = Callable[[], Answer]


class DataApi:
    """The ASGI application for everything under a version's path."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        tokens: Tokens,
        rate_limit: RateLimit,
        pins: Pins,
        away: Away,
    ) -> None:
        self._database = database
        self._settings = settings
        self._tokens = tokens
        self._rate_limit = rate_limit
        self._pins = pins
        self._kept = Kept(settings.page_cache_bytes)
        self._differences = catchup.Differences()
        self._away = away
        self._catching_up = CapacityLimiter(1)

    @property
    def kept(self) -> tuple[int, int]:
        """How many answers are kept ready, and how many bytes they take."""
        return self._kept.size

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        request = Request.of(scope)
        try:
            call = call_of(request)
            if call and call.reads_long:
                # A long read: one at a time, in its own thread, so that no other request waits for it.
                answer = await to_thread.run_sync(self._answer, request, call, {}, limiter=self._catching_up)
            else:
                answer = await inline_or_thread.read(self._database, self._answer, request, call, {})
        except MachineTrouble as trouble:
            answer = self._away.answer(trouble, request.method, request.path)
        except Exception:
            logging.getLogger(__name__).exception(
                "no answer to %s %s", request.method, kept_parts.path(request.path)
            )
            answer = failure(
                ApiError("Internal error"), request.method, request.path, self._settings.wrong_token
            )
        await send_answer(answer, scope, send)

    def answer(self, request: Request) -> Answer:
        """Answer one request; every deliberate error becomes its answer."""
        answer = self._answer(request, call_of(request), {})
        return answer._replace(body=answer.whole, more=())

    def _answer(self, request: Request, call: Call | None, counted: dict[str, Allowance | None]) -> Answer:
        """The answer to a call. `counted` notes that the rate limit has counted it, if this is called again for the
        same request."""
        if request.method == "OPTIONS":
            return Answer(204, (), b"")
        limited: tuple[Header, ...] = ()
        try:
            with self._database.read() as transaction:
                access = self._tokens.resolve(transaction, request.authorization)
                limited = self._admit(access.bucket, counted)
                if call is None:
                    raise _no_endpoint(request.path)
                if not call.is_id_valid:
                    raise NotFound("Resource not found")
                reading = Reading(transaction, access, call.version)
                if not access.is_whole or call.endpoint in OF_PEOPLE:
                    finish = _narrowed(reading, call)
                elif call.endpoint.source == "events":
                    finish = self._read_events(reading, call, request)
                else:
                    finish = self._read(reading, call, request)
            answer = finish()  # outside the transaction, which others may wait for
        except ApiError as error:
            if call is None and isinstance(error, Unauthorized):
                # An unknown path is answered as such to everyone; with a valid token it counts as a request.
                error = _no_endpoint(request.path)
            answer = failure(error, request.method, request.path, self._settings.wrong_token)
        return Answer(answer.status, (*limited, *answer.headers), answer.body, answer.more)

    def _admit(self, bucket: str, counted: dict[str, Allowance | None]) -> tuple[Header, ...]:
        """Count the request once; the headers tell what is left. Errors: TooManyRequests."""
        if bucket not in counted:
            counted[bucket] = self._rate_limit.take(bucket)
        allowance = counted[bucket]
        return allowance.admitted() if allowance else ()

    def _events_floor(self) -> str:
        return event_feed.floor_now(self._settings.event_days, in_demo=self._tokens.in_demo)

    def _read_events(self, reading: Reading, call: Call, request: Request) -> Finish:
        query = call.parsed()
        found = answer_bodies.events(reading, call, query, self._events_floor(), self._differences)

        def finish() -> Answer:
            pieces, headers = answer_cache.encode(found, request.takes_gzip)
            return Answer(200, (JSON, *headers), pieces[0], pieces[1:])

        return finish

    def _read(self, reading: Reading, call: Call, request: Request) -> Finish:
        """Read what the answer needs from the database, and return the function that makes the answer."""
        query, access, head = call.parsed(), reading.access, reading.access.head
        is_pull = call.endpoint.has_paging and not query.count
        snapshot = self._shown(reading, call, query) if is_pull else head
        named = f"{access.district_id} {snapshot} {access.view} {access.view_mark} {call.path}?{call.query}"
        ends = etags.held(request.if_none_match, named) if request.if_none_match else None
        ready = self._kept.get(named, request.takes_gzip) if ends is None else None
        pieces: Pieces = ()
        if is_new := ends is None and ready is None:
            if snapshot != head:
                reading = reading._replace(moment=Moment.after(snapshot.run, head.run))
            pieces, ends = answer_bodies.body(reading, call, query)

        def finish() -> Answer:
            answer = ready or Ready((), (), ends or "")
            if is_new:
                answer = self._made(named, pieces, answer.ends, snapshot, request.takes_gzip)
            if is_pull:  # only pages of an existing list are noted
                first, last = answer.ends[:ID_LENGTH], answer.ends[ID_LENGTH:]
                self._pins.note(access, call.path, query, queries.cursors(query, first, last), snapshot)
            if not answer.headers:
                return Answer(304, ((b"etag", etags.etag(named, answer.ends)), VARY), b"")
            return Answer(200, answer.headers, answer.pieces[0], answer.pieces[1:])

        return finish

    def _made(self, named: str, pieces: Pieces, ends: str, snapshot: SnapshotName, takes_gzip: bool) -> Ready:
        """A new answer, encoded as its client accepts it; it is kept."""
        pieces, encoding = answer_cache.encode(pieces, takes_gzip)
        etag = (b"etag", etags.etag(named, ends))
        made = Ready((JSON, etag, (SNAPSHOT, str(snapshot).encode()), *encoding), pieces, ends)
        self._kept.put(named, takes_gzip, made)
        return made

    def _shown(self, reading: Reading, call: Call, query: Query) -> SnapshotName:
        """The snapshot that a page of a list shows: the last run's, or that of the pull that the page
        continues."""
        head, pinned = reading.access.head, self._pins.snapshot(reading, call.path, query)
        if pinned is None or pinned.run >= head.run:
            return head
        # A restored database may have given the number to another run.
        return pinned if snapshot_of(reading, pinned.run) == pinned else head


def _narrowed(reading: Reading, call: Call) -> Finish:
    """The answer to a restricted token. Its records are few, and it is not kept."""
    access, endpoint = reading.access, call.endpoint
    if endpoint in role_records.ROWS:
        shown = restricted_tokens.of_role(reading, endpoint, call.id)
        return lambda: Answer(200, (JSON,), shown)
    restricted_tokens.check(reading, endpoint, call.id)
    if endpoint is restricted_tokens.ME:
        return lambda: Answer(200, (JSON,), restricted_tokens.me(access, call.version.prefix))
    parse = queries.parse_unpaged if access.holder == "user" else queries.parse
    pieces, _ = answer_bodies.body(reading, call, parse(endpoint, call.query))
    return lambda: Answer(200, (JSON,), restricted_tokens.cut(access, endpoint, b"".join(pieces)))


def _no_endpoint(path: str) -> ApiError:
    is_of_ours = path == ME or versions.is_spoken(path)
    return NoSuchEndpoint(path) if is_of_ours else UnknownVersion(versions.refusal(path))
