"""The door of the console: it loads the console's pages when the first person opens one.

The pages call operations, and some of those load the engine of syncs. A server that only serves does without.
"""

from __future__ import annotations

from importlib import import_module
from threading import Lock

from anyio import to_thread
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.visits import Desk

PAGES = "rollbook.web.console.console_routes"


class Door:
    """Everything below `/console`, as one application."""

    def __init__(self, desk: Desk, tap: RequestTap | None) -> None:
        self._desk, self._tap = desk, tap
        self._lock = Lock()
        self._pages: ASGIApp | None = None

    def route(self) -> Route:
        return Route("/console{rest:path}", self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = self._pages
        if pages is None:
            pages = await to_thread.run_sync(self._load)
        await pages(scope, receive, send)

    def _load(self) -> ASGIApp:
        with self._lock:
            if self._pages is None:
                self._pages = _open(self._desk, self._tap)
            return self._pages


def _open(desk: Desk, tap: RequestTap | None) -> ASGIApp:
    made: ASGIApp = import_module(PAGES).pages(desk, tap)
    return made
