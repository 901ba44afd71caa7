"""`/log` of a demo: the last requests as a live page, and a page for each request.

On other servers the console shows the log (`web/console/request_pages`), because an account decides whose
requests a person may see.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from rollbook.errors import BadSetting, MachineTrouble, RollbookError
from rollbook.store.records.request_log import LATE_SECONDS, now_ms
from rollbook.web.http.page_compression import compressing
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.safety_headers import safety
from rollbook.web.log.log_reading import Wanted, newest_first
from rollbook.web.log.log_views import LogView, wanted_of, whole

# A stream ends by itself, and the browser opens the next one; this also happens when the server stops.
STREAM_SECONDS, POLL_SECONDS, QUIET_SECONDS = 600.0, 0.5, 15.0
STREAMS_MAX = 20


class LogPages:
    """The pages for one worker's tap."""

    def __init__(self, tap: RequestTap, templates: Environment) -> None:
        self._tap, self._templates = tap, templates
        self._streams = 0

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/log", compressing(self._show), methods=["GET"]),
            Route("/log/live", self._live, methods=["GET"]),
            Route("/log/rows", self._rows, methods=["GET"]),
            Route("/log/{id}", compressing(self._one), methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        return await to_thread.run_sync(self._list, request)

    def _list(self, request: Request) -> Response:
        content = self._view(request).listed(request.query_params)
        return self._page("log/list.html", 400 if content["wrong"] else 200, **content)

    async def _one(self, request: Request) -> Response:
        return await to_thread.run_sync(self._entry, request)

    def _entry(self, request: Request) -> Response:
        content = self._view(request).one(request.path_params["id"])
        if content is None:
            return self._page("log/gone.html", 404, place="/log")
        return self._page("log/entry.html", **content)

    async def _rows(self, request: Request) -> Response:
        """The rows after a moment, for a script whose stream was refused."""
        after = whole(request.query_params.get("after", ""))
        shown = await to_thread.run_sync(self._view(request).newer, dict(request.query_params), after)
        return HTMLResponse(shown, headers={**safety(), "Cache-Control": "no-store"})

    async def _live(self, request: Request) -> Response:
        if self._streams >= STREAMS_MAX:
            return Response("too many pages watch the log", 503, safety(), "text/plain")
        try:
            wanted = wanted_of(request.query_params)
        except BadSetting as error:
            return Response(str(error), 400, safety(), "text/plain")
        headers = {**safety(), "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._stream(self._view(request), wanted, lambda: "is_ending" in request.scope.get("state", ())),
            headers=headers,
            media_type="text/event-stream",
        )

    async def _stream(
        self, view: LogView, wanted: Wanted, is_ending: Callable[[], bool]
    ) -> AsyncIterator[str]:
        """New rows as server-sent events. A quiet stream sends a sign of life from time to time."""
        self._streams += 1
        try:
            begun = told = time.monotonic()
            shown: set[int] = set()
            yield "retry: 1000\n\n"
            first = True
            while time.monotonic() - begun < STREAM_SECONDS and not is_ending():
                text, numbers = await to_thread.run_sync(_next, view, wanted, frozenset(shown), first)
                shown, first = shown | numbers, False
                if text:
                    yield "event: rows\n" + "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
                    told = time.monotonic()
                elif time.monotonic() - told > QUIET_SECONDS:
                    yield ": still here\n\n"
                    told = time.monotonic()
                await anyio.sleep(POLL_SECONDS)
        finally:
            self._streams -= 1

    def _view(self, request: Request) -> LogView:
        return LogView(self._tap, self._templates, base=str(request.base_url).rstrip("/"))

    def _page(self, name: str, status: int = 200, **context: object) -> Response:
        shown = self._templates.get_template(name).render(**context)
        return HTMLResponse(shown, status, {**safety("'self'"), "Cache-Control": "no-store"})


def _next(view: LogView, wanted: Wanted, shown: frozenset[int], is_first: bool) -> tuple[str, set[int]]:
    """The new rows, and the numbers of their batches.

    If the database is away, the next call tries again.
    """
    try:
        batches = view.read(since_ms=now_ms() - LATE_SECONDS * 1000, without=shown)
        found = "" if is_first else view.rows(newest_first(batches, wanted))
        return found, {batch.number for batch in batches}
    except (RollbookError, MachineTrouble):
        return "", set()
