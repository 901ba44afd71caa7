"""The Data API: one handler for all rows of the contract, from the request's bytes to the answer's.

A request passes: the row of its path, the token, the rate limit, the query, the store. Nothing here differs
between kinds. An answer follows from (snapshot, access, path, query) alone: that key gives its ETag, and
answers are kept ready under it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from anyio import CapacityLimiter, to_thread
from isal import igzip

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever import query as queries
from rollbook.contract.clever import role_records, versions
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import (
    ApiError,
    MachineTrouble,
    NoSuchEndpoint,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnknownVersion,
)
from rollbook.settings import Settings
from rollbook.store.engine.database import Connection, Database
from rollbook.store.records import catchup, event_feed, record_pages
from rollbook.web.data import restricted_tokens
from rollbook.web.data.pinned_pulls import Pins
from rollbook.web.http import inline_or_thread
from rollbook.web.http.answers import (
    JSON,
    Answer,
    Header,
    every_answer,
    failure,
    rate_headers,
    takes_gzip,
)
from rollbook.web.http.database_away import Away
from rollbook.web.http.rate_limit import RateLimit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Without a version: an alias, which old clients still call (protocol.md 2.1).
ME = "/me"
# Our own header: the run whose state an answer shows, for `since_snapshot` on /events.
SNAPSHOT = b"x-rollbook-snapshot"
VARY: Header = (b"vary", b"accept-encoding")
GZIP_LEVEL = 1
GZIP_FROM_BYTES = 1024
KEPT_ANSWER_BYTES_MAX = 512 * 1024
# What an answer that is kept takes beside its body: the shortest ones are many.
ENTRY_BYTES = 512

# What only a token of a person reaches.
OF_PEOPLE = frozenset((restricted_tokens.ME, *role_records.ROWS))
_LISTS = {
    endpoint.source: endpoint
    for endpoint in (*ENDPOINTS, *EVENTS, restricted_tokens.ME)
    if endpoint.shape == "list"
}
_GETS = {endpoint.source: endpoint for endpoint in (*ENDPOINTS, *EVENTS) if endpoint.shape == "get"}
_RELATED = {
    (endpoint.source, endpoint.tail): endpoint for endpoint in ENDPOINTS if endpoint.shape in ("one", "many")
}


Finish = Callable[[], Answer]


class Request(NamedTuple):
    """What of a request matters: `segments` are the parts of its path, without empty ones; `query` is raw."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: str
    authorization: str
    if_none_match: str
    takes_gzip: bool


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

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        request = _request(scope)
        try:
            if _reads_long(request):
                # It reads long: one at a time, in a thread of its own, so that no other request waits for it.
                answer = await to_thread.run_sync(self.answer, request, limiter=self._catching_up)
            else:
                answer = await inline_or_thread.done(self._database, self.answer, request)
        except MachineTrouble as trouble:
            answer = self._away.answer(trouble, request.method, request.path)
        except Exception:
            logging.getLogger(__name__).exception("no answer to %s %s", request.method, request.path)
            answer = failure(
                ApiError("Internal error"), request.method, request.path, self._settings.wrong_token
            )
        headers = [*every_answer(), *answer.headers]
        if answer.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})

    def answer(self, request: Request) -> Answer:
        """Answer one request; every deliberate error becomes its answer."""
        if request.method == "OPTIONS":
            return Answer(204, (), b"")
        limited: tuple[Header, ...] = ()
        try:
            found = route(request)
            with self._database.read() as connection:
                access = self._resolve(connection, request, is_path_known=found is not None)
                allowance = self._rate_limit.take(access.bucket)
                limited = rate_headers(allowance)
                if allowance and allowance.is_exceeded:
                    raise TooManyRequests("Too many requests")
                if found is None:
                    raise _no_endpoint(request.path)
                endpoint, id_ = found
                if id_ and not queries.is_id(id_):
                    raise NotFound("Resource not found")
                if access.is_whole and endpoint not in OF_PEOPLE:
                    query = queries.parse(endpoint, request.query)
                    finish = self._read(connection, access, endpoint, id_, query, request)
                else:
                    finish = _narrowed(connection, access, endpoint, id_, request)
            answer = finish()  # without the connection, which others may wait for
        except ApiError as error:
            answer = failure(error, request.method, request.path, self._settings.wrong_token)
        return Answer(answer.status, (*limited, *answer.headers), answer.body)

    def _resolve(self, connection: Connection, request: Request, *, is_path_known: bool) -> Access:
        """The caller's access. An unknown path is answered as such, whoever asks; with a good token it counts
        as a request."""
        try:
            return self._tokens.resolve(connection, request.authorization)
        except Unauthorized:
            if is_path_known:
                raise
            raise _no_endpoint(request.path) from None

    def _events_floor(self) -> str:
        """The id below which events are too old. A demo's moves drop them, as its clock is not ours."""
        if self._tokens.in_demo:
            return ""
        return event_feed.floor_at(time.time() - self._settings.event_days * 86_400)

    def _read(
        self,
        connection: Connection,
        access: Access,
        endpoint: Endpoint,
        id_: str,
        query: queries.Query,
        request: Request,
    ) -> Finish:
        """Read what the answer needs from the database, and return what makes the answer of it."""
        path = "/" + "/".join(request.segments)
        if endpoint.source == "events":
            found = self._events(
                connection, access, f"/{request.segments[0]}", path, id_, query, request.query
            )
            return lambda: Answer(
                200, (JSON, *(encoded := _encode(found, request.takes_gzip))[1]), encoded[0]
            )
        head = access.head
        is_pull = endpoint.has_paging and not query.count
        snapshot = self._shown(connection, access, path, query, head) if is_pull else head
        named = f"{access.district_id} {snapshot} {access.view} {access.view_mark} {path}?{request.query}"
        key = hashlib.blake2b(named.encode("utf-8", "surrogateescape"), digest_size=15).hexdigest()
        etag = (b"etag", b'W/"%s"' % key.encode())
        is_known = _matches(request.if_none_match, etag[1])
        unchanged = Answer(304, (etag, VARY), b"")
        if is_known and not is_pull:
            return lambda: unchanged
        kept = self._kept.get(key, request.takes_gzip)
        body: bytes | None = None
        cursors: Cursors = ()
        if is_new := kept is None or (kept.body is None and not is_known):
            prefix, moment = f"/{request.segments[0]}", record_pages.Moment.after(snapshot.run, head.run)
            if is_known:  # the client holds the page: only its cursors are noted
                page = _page(connection, access, None, endpoint, id_, query, moment)
                cursors = queries.cursors(query, page.first, page.last)
            else:
                body, cursors = _body(
                    connection, access, prefix, path, endpoint, id_, query, request.query, moment
                )

        def finish() -> Answer:
            ready = self._kept.put(key, body, request.takes_gzip, cursors) if kept is None or is_new else kept
            if is_pull:  # of a list that is there: only those are noted
                self._pins.note(access, path, query, ready.cursors, snapshot)
            if is_known:
                return unchanged
            return Answer(
                200, (JSON, etag, (SNAPSHOT, str(snapshot).encode()), *ready.headers), ready.body or b""
            )

        return finish

    def _events(
        self,
        connection: Connection,
        access: Access,
        prefix: str,
        path: str,
        id_: str,
        query: queries.Query,
        raw: str,
    ) -> bytes:
        """The caller's feed, or one event of it. Without parameters the list's own link ends in a stray `?`,
        as recorded."""
        floor = self._events_floor()
        if id_:
            body = event_feed.get(connection, access, id_.lower(), floor, prefix)
            return (
                f'{{"data":{body},"links":{queries.record_links(prefix, "events", id_.lower(), 0)}}}'.encode()
            )
        if query.since_snapshot is None:
            page = event_feed.page(connection, access, prefix, query, floor)
        else:
            page = self._differences.page(connection, access, prefix, query, query.since_snapshot)
        links = queries.page_links(path, raw, query, page.first, page.last, page.has_more)
        if not raw:
            links = links.replace(f'"{path}"', f'"{path}?"', 1)
        return b"".join((b'{"data":[', *page.pieces, b'],"links":', links.encode(), b"}"))

    def _shown(
        self, connection: Connection, access: Access, path: str, query: queries.Query, head: SnapshotName
    ) -> SnapshotName:
        """The snapshot that a page of a list shows: the last run's, but for pages that go on with a pull
        begun earlier."""
        pinned = self._pins.snapshot(access, path, query)
        if pinned is None or pinned.run >= head.run:
            return head
        # A restored database may have given the number to another run.
        return pinned if record_pages.named(connection, access, pinned.run) == pinned else head


def _narrowed(
    connection: Connection, access: Access, endpoint: Endpoint, id_: str, request: Request
) -> Finish:
    """The answer to a token that reaches only a part; its records are few, and it is not kept."""
    if endpoint in OF_PEOPLE and endpoint is not restricted_tokens.ME:
        shown = restricted_tokens.of_role(connection, access, endpoint, id_)
        return lambda: Answer(200, (JSON,), shown)
    restricted_tokens.check(connection, access, endpoint, id_)
    prefix, path = f"/{request.segments[0]}", "/" + "/".join(request.segments)
    if endpoint is restricted_tokens.ME:
        return lambda: Answer(200, (JSON,), restricted_tokens.me(access, prefix))
    parse = queries.parse_unpaged if access.holder == "user" else queries.parse
    query = parse(endpoint, request.query)
    body, _ = _body(connection, access, prefix, path, endpoint, id_, query, request.query)
    return lambda: Answer(200, (JSON,), restricted_tokens.cut(access, endpoint, body))


def route(request: Request) -> tuple[Endpoint, str] | None:
    """The row of a path, and the id in it (blank for a list); None if the path or method is unknown.

    Words are matched in any case, as links spell `myStudents` in camel case while paths are documented in
    lower case.
    """
    version, kind, id_, tail, *more = (*request.segments, "", "", "")
    kind, id_, tail = kind.lower(), id_.lower(), tail.lower()
    if version == role_records.VERSION and request.method in ("GET", "HEAD") and not (tail or any(more)):
        row = role_records.RECORDS.get(kind) if id_ else role_records.ME if kind == "me" else None
        return (row, id_) if row else None
    if version not in versions.SPOKEN or request.method not in ("GET", "HEAD") or any(more):
        return None
    endpoint = _RELATED.get((kind, tail)) if tail else (_GETS if id_ else _LISTS).get(kind)
    return (endpoint, id_) if endpoint else None


def _no_endpoint(path: str) -> ApiError:
    is_of_ours = path == ME or versions.is_spoken(path)
    return NoSuchEndpoint(path) if is_of_ours else UnknownVersion(versions.refusal(path))


def _body(
    connection: Connection,
    access: Access,
    prefix: str,
    path: str,
    endpoint: Endpoint,
    id_: str,
    query: queries.Query,
    raw: str,
    moment: record_pages.Moment | None = None,
) -> tuple[bytes, Cursors]:
    """An answer's body, and the cursors of its links."""
    if endpoint.shape == "get":
        record = record_pages.get(connection, access, endpoint.source, id_, prefix)
        return _record(record, queries.record_links(prefix, endpoint.source, record.id, record.roles)), ()
    if endpoint.shape == "one":
        record = record_pages.one(connection, access, endpoint, id_)
        # A to-one path answers with the target and a link to the target's own path, as recorded.
        return _record(record, f"[{queries.link('self', f'{prefix}/{endpoint.returns}/{record.id}')}]"), ()
    if query.count:
        total = record_pages.count(connection, access, endpoint.source, query.role)
        return f'{{"count":{total},"links":[{queries.link("self", f"{path}?{raw}")}]}}'.encode(), ()
    page = _page(connection, access, prefix, endpoint, id_, query, moment)
    links = queries.page_links(path, raw, query, page.first, page.last, page.has_more)
    # Clients of both documented shapes find theirs when there is no resource (protocol.md 5.7).
    also = b',"resources":[]' if endpoint.returns == "resources" and not page.pieces else b""
    body = b"".join((b'{"data":[', *page.pieces, b'],"links":', links.encode(), also, b"}"))
    return body, queries.cursors(query, page.first, page.last)


def _page(
    connection: Connection,
    access: Access,
    prefix: str | None,
    endpoint: Endpoint,
    id_: str,
    query: queries.Query,
    moment: record_pages.Moment | None,
) -> record_pages.Page:
    """A page of a list or of a to-many path; without a prefix only its ends."""
    if endpoint.shape == "list":
        return record_pages.page(connection, access, prefix, endpoint.source, query, moment)
    return record_pages.related(connection, access, prefix, endpoint, id_, query, moment)


def _record(record: record_pages.Record, links: str) -> bytes:
    return f'{{"data":{record.body},"links":{links}}}'.encode()


def _matches(if_none_match: str, etag: bytes) -> bool:
    """Weak comparison (RFC 9110, 13.1.2). `*` is left out: it asks whether anything is there, which takes a
    read."""
    if not if_none_match:
        return False
    if if_none_match == (own := etag.decode()):
        return True
    opaque = own.removeprefix("W/")
    return any(candidate.strip().removeprefix("W/") == opaque for candidate in if_none_match.split(","))


Cursors = tuple[queries.Cursor, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer kept ready, and the cursors of its links; the cursors alone, without `body`, when it is large
    or its client holds it."""

    body: bytes | None
    headers: tuple[Header, ...]
    cursors: Cursors

    @property
    def size(self) -> int:
        return len(self.body or b"") + ENTRY_BYTES


class Kept:
    """Answers kept ready, the least recently used dropped first. Where reads have threads of their own, many
    of them use it."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._answers: OrderedDict[tuple[str, bool], Ready] = OrderedDict()
        self._changing = threading.Lock()

    def get(self, key: str, takes_gzip: bool) -> Ready | None:
        with self._changing:
            found = self._answers.get((key, takes_gzip))
            if found is not None:
                self._answers.move_to_end((key, takes_gzip))
            return found

    def put(self, key: str, body: bytes | None, takes_gzip: bool, cursors: Cursors = ()) -> Ready:
        """Encode an answer as the client takes it, and keep it, when it is large its cursors alone."""
        made = Ready(None, (), cursors) if body is None else Ready(*_encode(body, takes_gzip), cursors)
        if self._bytes_max >= ENTRY_BYTES:
            is_small = made.size <= min(KEPT_ANSWER_BYTES_MAX, self._bytes_max)
            kept = made if is_small else Ready(None, made.headers, cursors)
            with self._changing:
                replaced = self._answers.pop((key, takes_gzip), None)
                self._answers[key, takes_gzip] = kept
                self._bytes += kept.size - (replaced.size if replaced else 0)
                while self._bytes > self._bytes_max:
                    self._bytes -= self._answers.popitem(last=False)[1].size
        return made


def _encode(body: bytes, takes_gzip: bool) -> tuple[bytes, tuple[Header, ...]]:
    if not takes_gzip or len(body) < GZIP_FROM_BYTES:
        return body, (VARY,)
    compressed = igzip.compress(body, GZIP_LEVEL)
    return compressed, (VARY, (b"content-encoding", b"gzip"))


def _reads_long(request: Request) -> bool:
    """Whether a difference is asked for, however the letters of the parameter are encoded."""
    is_feed = bool(request.query) and len(request.segments) > 1 and request.segments[1].lower() == "events"
    return is_feed and queries.names(request.query, queries.SINCE_SNAPSHOT)


def _request(scope: Scope) -> Request:
    headers, path = dict(scope["headers"]), scope["path"]
    return Request(
        scope["method"],
        path,
        (versions.DEFAULT, "me") if path == ME else tuple(filter(None, path.split("/"))),
        scope["query_string"].decode("latin-1"),
        headers.get(b"authorization", b"").decode("latin-1"),
        headers.get(b"if-none-match", b"").decode("latin-1"),
        takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")),
    )
