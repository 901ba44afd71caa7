"""The server, put together: one ASGI application from a database and settings.

No globals, no work at import.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever import versions
from rollbook.errors import MachineTrouble
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer as sealer_of
from rollbook.web import front
from rollbook.web.console.door import Door
from rollbook.web.data.api import DataApi, Receive, Scope, Send
from rollbook.web.data.data_request import ME
from rollbook.web.data.pinned_pulls import Pins
from rollbook.web.docs import doc_pages
from rollbook.web.explorer.explorer_pages import Explorer
from rollbook.web.front import Published
from rollbook.web.http import kept_parts, not_found
from rollbook.web.http.database_away import Away
from rollbook.web.http.health_pages import HealthPages
from rollbook.web.http.rate_limit import RateLimit
from rollbook.web.http.request_counts import RequestCounts
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.static_files import static_files
from rollbook.web.http.templates import environment
from rollbook.web.http.visits import Desk
from rollbook.web.log.log_pages import LogPages
from rollbook.web.oauth import authorize, district_tokens, openid
from rollbook.web.oauth.code_exchange import Exchange
from rollbook.web.signin import external_provider, login

# Other paths that pages of other sites may call, as they may call the Data API.
FOR_PROGRAMS = (
    "/oauth/tokens",
    "/oauth/tokeninfo",
    "/userinfo",
    "/.well-known/openid-configuration",
    "/oauth/certs",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Extension:
    """What a program above the server, such as a demo, adds to it.

    `answers` sees each request first, and returns whether it has answered it. `published` may stand on every
    page. `put_back_at` is the time of the last restore of the database, in Unix seconds (0: never).
    """

    routes: Sequence[BaseRoute]
    answers: Callable[[Scope, Send], Awaitable[bool]]
    published: Published
    put_back_at: Callable[[], float] = lambda: 0.0


class App:
    """The whole server.

    Data paths go straight to the Data API, all others to Starlette. An extension comes first.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        limits: Path,
        pulls: Path | None = None,
        extend: Callable[[Desk], Extension] | None = None,
        logs_requests: bool = False,
        counts: Path | None = None,
    ) -> None:
        tokens = Tokens(in_demo=extend is not None)
        self.rate_limit = RateLimit(limits, settings.rate_limit, settings.rate_window_seconds)
        away = Away()
        pins = Pins(pulls or limits.with_name(f"{limits.name}.pulls"))
        self.data = DataApi(database, settings, tokens, self.rate_limit, pins, away)
        uncached = replace(settings, page_cache_bytes=0)
        reads = DataApi(database, uncached, tokens, self.rate_limit.uncounted(), pins, away).answer
        sealer = sealer_of(database, settings).hold()
        templates = environment(in_demo=tokens.in_demo)
        desk = Desk(database, settings, sealer, templates, in_demo=tokens.in_demo)
        self._extension = extend(desk) if extend else None
        published = self._extension.published if self._extension else None
        put_back_at = self._extension.put_back_at if self._extension else lambda: 0.0
        self.tap = (
            RequestTap(database, settings, in_demo=tokens.in_demo, put_back_at=put_back_at)
            if logs_requests
            else None
        )
        self.counts = RequestCounts(
            counts, partial(self._gauges, database), logs=settings.log_format == "json"
        )
        self._pages = Starlette(
            routes=[
                *HealthPages(database, settings, self.counts).routes(),
                *district_tokens.routes(database, sealer, tokens),
                Exchange(database, settings, desk.signer, tokens.in_demo).route(),
                *openid.routes(database, settings, tokens, desk.signer, self.rate_limit),
                *authorize.routes(desk),
                *login.routes(desk),
                *external_provider.routes(desk),
                *(self._extension.routes if self._extension else ()),
                *(LogPages(self.tap, templates).routes() if self.tap and self._extension else ()),
                Door(desk).route(),
                *doc_pages.routes(templates),
                *front.routes(templates, published, reads),
                *Explorer(self, templates, reads, published.offers if published else None).routes(),
                static_files().route(),
                *(Route(path, district_tokens.preflight, methods=["OPTIONS"]) for path in FOR_PROGRAMS),
            ],
            exception_handlers={
                **dict.fromkeys((404, 405), not_found.answering(settings, templates)),
                MachineTrouble: not_found.waiting(away, templates),
            },
            lifespan=self._until_the_end,
        )

        # Slashes are dropped before the look-up. A redirect would lead to any host that a client names.
        self._pages.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if (path := _collapse(scope["path"])) != scope["path"]:
                scope = {**scope, "path": path}
            send = self.counts.watch(scope, send, self.tap.noting(scope["path"]) if self.tap else None)
            if self._extension and await self._extension.answers(scope, send):
                return
            if scope["path"] == ME or versions.of_path(scope["path"]):
                await self.data(scope, receive, send)
                return
        try:
            await self._pages(scope, receive, send)
        except ClientDisconnect:
            _log.debug(
                "the client of %s %s hung up before its request was read",
                scope["method"],
                kept_parts.path(scope["path"]),
            )

    @asynccontextmanager
    async def _until_the_end(self, _: Starlette) -> AsyncIterator[None]:
        """Write what is left of logs and counts when the server stops: a signal ends a worker right after it."""
        yield
        self.counts.flush()
        if self.tap:
            self.tap.close()

    def _gauges(self, database: Database) -> dict[str, float]:
        """What this worker holds now."""
        pages, page_bytes = self.data.kept
        return {"pages": pages, "page_bytes": page_bytes, **database.figures()}


def _collapse(path: str) -> str:
    """The path without the doubled and trailing slashes that real clients send (protocol.md 13)."""
    if "//" not in path and (len(path) == 1 or path[-1] != "/"):
        return path
    return "/" + "/".join(segment for segment in path.split("/") if segment)
