"""All that a server answers besides the Data API, as one Starlette application: pages, sign-in, OAuth, health.

It is loaded after the start (`rollbook.web.late_site`), because a start should not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route

from rollbook.auth.tokens import Tokens
from rollbook.errors import MachineTrouble
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.web import front
from rollbook.web.console.door import Door
from rollbook.web.data.api import Receive, Scope, Send
from rollbook.web.data.data_request import Request as Read
from rollbook.web.docs import doc_pages
from rollbook.web.explorer.asking import Server
from rollbook.web.explorer.explorer_pages import Explorer
from rollbook.web.front import Published
from rollbook.web.http import kept_parts, not_found
from rollbook.web.http.answers import Answer
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
class MorePages:
    """The pages of a program above the server, such as a demo. `published` may stand on every page."""

    routes: Sequence[BaseRoute]
    published: Published


@dataclass(frozen=True, slots=True)
class Parts:
    """The server's parts that its pages use. `server` answers the Explorer's requests, `reads` those of pages."""

    database: Database
    settings: Settings
    sealer: Sealer
    tokens: Tokens
    rate_limit: RateLimit
    counts: RequestCounts
    tap: RequestTap | None
    away: Away
    server: Server
    reads: Callable[[Read], Answer]
    more: Callable[[Desk], MorePages] | None


class Site:
    """The application. If a client hangs up while its request is read, nothing failed."""

    def __init__(self, parts: Parts) -> None:
        self._pages = _pages(parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._pages(scope, receive, send)
        except ClientDisconnect:
            _log.debug(
                "the client of %s %s hung up before its request was read",
                scope["method"],
                kept_parts.path(scope["path"]),
            )


def _pages(parts: Parts) -> Starlette:
    database, settings, tokens = parts.database, parts.settings, parts.tokens
    templates = environment(in_demo=tokens.in_demo)
    desk = Desk(database, settings, parts.sealer, templates, in_demo=tokens.in_demo)
    more = parts.more(desk) if parts.more else None
    published = more.published if more else None
    made = Starlette(
        routes=[
            *HealthPages(database, settings, parts.counts).routes(),
            *district_tokens.routes(database, parts.sealer, tokens),
            Exchange(database, settings, desk.signer, tokens.in_demo).route(),
            *openid.routes(database, settings, tokens, desk.signer, parts.rate_limit),
            *authorize.routes(desk),
            *login.routes(desk),
            *external_provider.routes(desk),
            *(more.routes if more else ()),
            *(LogPages(parts.tap, templates).routes() if parts.tap and more else ()),
            Door(desk, parts.tap).route(),
            *doc_pages.routes(templates),
            *front.routes(templates, published, parts.reads),
            *Explorer(parts.server, templates, parts.reads, published.offers if published else None).routes(),
            static_files().route(),
            *(Route(path, district_tokens.preflight, methods=["OPTIONS"]) for path in FOR_PROGRAMS),
        ],
        exception_handlers={
            **dict.fromkeys((404, 405), not_found.answering(settings, templates)),
            MachineTrouble: not_found.waiting(parts.away, templates),
        },
    )
    # Slashes are dropped before the look-up. A redirect would lead to any host that a client names.
    made.router.redirect_slashes = False
    return made
