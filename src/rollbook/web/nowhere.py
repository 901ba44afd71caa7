"""Paths that are not there: for programs the recorded answer, for people who follow a link a page that says so."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rollbook.errors import NoSuchEndpoint
from rollbook.settings import Settings
from rollbook.web.answers import failure
from rollbook.web.oauth import plain
from rollbook.web.pages import environment, safety

# What only programs ask for: every version of the API, tokens, and who has signed in.
_OF_PROGRAMS = re.compile(r"/([vV]\d|oauth/(token|certs)|userinfo|me(/|$)|\.well-known|openapi)")


def answering(settings: Settings, *, in_demo: bool) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The handler of 404 and 405."""
    pages = environment(has_story=in_demo)

    async def answer(request: Request, _: Exception) -> Response:
        path = request.url.path
        if _is_person(request, settings):
            shown = pages.get_template("nowhere.html").render(path=path)
            return HTMLResponse(shown, 404, {**safety("'self'"), "Cache-Control": "no-store"})
        return plain(failure(NoSuchEndpoint(path), request.method, path, settings.wrong_token))

    return answer


def _is_person(request: Request, settings: Settings) -> bool:
    """Whether a browser follows a link, and to no path of the API. Programs do not say that they take HTML."""
    if settings.wrong_token != "html" or request.method not in ("GET", "HEAD"):  # noqa: S105 - a setting, not a secret
        return False
    return "text/html" in request.headers.get("accept", "") and not _OF_PROGRAMS.match(request.url.path)
