"""The server, put together: one ASGI application from a database and settings.

No globals, no work at import. The Data API answers from the start; all other paths are the site's (`rollbook.web.site`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever import versions
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer as sealer_of
from rollbook.store.engine.shared_counts import SharedCounts
from rollbook.web.data.api import DataApi, Receive, Scope, Send
from rollbook.web.data.data_request import ME
from rollbook.web.data.pinned_pulls import Pins
from rollbook.web.http.answers import send_answer
from rollbook.web.http.database_away import Away
from rollbook.web.http.overload import Overload
from rollbook.web.http.rate_limit import RateLimit
from rollbook.web.http.request_counts import RequestCounts
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.server_names import ServerNames
from rollbook.web.late_site import LateSite

if TYPE_CHECKING:  # loaded after the start
    from rollbook.web.http.visits import Desk
    from rollbook.web.site import MorePages, Site


@dataclass(frozen=True, slots=True)
class Extension:
    """What a program above the server, such as a demo, adds to it.

    `answers` sees each request first, and returns whether it has answered it. `pages` makes its pages, after
    the start. `put_back_at` is the time of the last restore of the database, in Unix seconds (0: never). `close`
    lets go of its files.
    """

    answers: Callable[[Scope, Receive, Send], Awaitable[bool]]
    pages: Callable[[Desk], MorePages]
    put_back_at: Callable[[], float] = lambda: 0.0
    close: Callable[[], None] = lambda: None


Extend = Callable[[Database, Settings], Extension]


class App:
    """The whole server.

    Data paths go straight to the Data API, all others to the site. An extension comes first.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        limits: Path,
        pulls: Path | None = None,
        extend: Extend | None = None,
        logs_requests: bool = False,
        counts: Path | None = None,
    ) -> None:
        self._database, self._settings, self._away = database, settings, Away()
        self._overload = Overload()
        self._tokens = Tokens(in_demo=extend is not None)
        self._names = ServerNames(settings, in_demo=self._tokens.in_demo)
        counts_of_all = None if database.is_local else SharedCounts(database)
        self.rate_limit = RateLimit(
            limits,
            settings.rate_limit,
            settings.rate_window_seconds,
            counts=counts_of_all,
            is_shared=settings.workers > 1,
        )
        self._pins = Pins(pulls or limits.with_name(f"{limits.name}.pulls"), counts=counts_of_all)
        self.data = self._data_api(settings, self.rate_limit)
        self._sealer = sealer_of(database, settings).hold()
        self._extension = extend(database, settings) if extend else None
        put_back_at = self._extension.put_back_at if self._extension else lambda: 0.0
        self.tap = (
            RequestTap(database, settings, in_demo=self._tokens.in_demo, put_back_at=put_back_at)
            if logs_requests
            else None
        )
        self.counts = RequestCounts(counts, self._gauges, logs=settings.log_format == "json")
        self._site = LateSite(self._make_site)

    def _data_api(self, settings: Settings, rate_limit: RateLimit) -> DataApi:
        return DataApi(self._database, settings, self._tokens, rate_limit, self._pins, self._away)

    def _make_site(self) -> Site:
        site = import_module("rollbook.web.site")
        uncached = replace(self._settings, page_cache_bytes=0)
        parts = site.Parts(
            database=self._database,
            settings=self._settings,
            sealer=self._sealer,
            tokens=self._tokens,
            rate_limit=self.rate_limit,
            counts=self.counts,
            tap=self.tap,
            away=self._away,
            server=self,
            reads=self._data_api(uncached, self.rate_limit.uncounted()).answer,
            more=self._extension.pages if self._extension else None,
        )
        made: Site = site.Site(parts)
        return made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if (path := _collapse(scope["path"])) != scope["path"]:
            scope = {**scope, "path": path}
        send = self.counts.watch(scope, send, self.tap.noting(scope["path"]) if self.tap else None)
        if self._names.is_on and (refusal := self._names.refusal(scope)):
            await send_answer(refusal, scope, send)
            return
        if self._extension and await self._extension.answers(scope, receive, send):
            return
        if scope["path"] == ME or versions.of_path(scope["path"]):
            if self._overload.is_too_late():
                await send_answer(self._overload.answer(scope["method"], scope["path"]), scope, send)
                return
            await self.data(scope, receive, send)
            return
        await (await self._site.get())(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Load the site soon after the start. At the end, write what is left of logs and counts: a signal ends a
        worker right after it."""
        await receive()
        loading = self._site.load_soon()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        loading.cancel()
        self.counts.flush()
        if self.tap:
            self.tap.close()
        await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """Let go of the files that workers share. The log ends with the lifespan."""
        self.rate_limit.close()
        self._pins.close()
        if self._extension:
            self._extension.close()

    def _gauges(self) -> dict[str, float]:
        """What this worker holds now."""
        pages, page_bytes = self.data.kept
        return {"pages": pages, "page_bytes": page_bytes, **self._database.figures()}


def _collapse(path: str) -> str:
    """The path without the doubled and trailing slashes that real clients send (protocol.md 13)."""
    if "//" not in path and (len(path) == 1 or path[-1] != "/"):
        return path
    return "/" + "/".join(segment for segment in path.split("/") if segment)
