"""Pages for people: a path does not exist, or the database is away. Programs get JSON."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rollbook.errors import NoSuchEndpoint
from rollbook.settings import Settings
from rollbook.web.http.answers import failure
from rollbook.web.http.database_away import RETRY_AFTER, Away
from rollbook.web.http.route_answers import as_response
from rollbook.web.http.safety_headers import safety

# Paths that only programs request: all versions of the API, tokens, and who is signed in.
_OF_PROGRAMS = re.compile(r"/([vV]\d|oauth/(token|certs)|userinfo|me(/|$)|\.well-known|openapi)")


def answering(
    settings: Settings, templates: Environment
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The handler of 404 and 405."""

    async def answer(request: Request, _: Exception) -> Response:
        path = request.url.path
        is_link = settings.wrong_token == "html" and request.method in ("GET", "HEAD")  # noqa: S105 - a setting, not a secret
        if is_link and _is_person(request):
            return _page(templates, "errors/not_found.html", 404, path=path)
        return as_response(failure(NoSuchEndpoint(path), request.method, path, settings.wrong_token))

    return answer


def waiting(away: Away, templates: Environment) -> Callable[[Request, Exception], Response]:
    """The handler of a database that is away."""

    def answer(request: Request, trouble: Exception) -> Response:
        told = away.answer(trouble, request.method, request.url.path)
        if not _is_person(request):
            return as_response(told)
        page = _page(templates, "errors/database_away.html", told.status)
        page.raw_headers.append(RETRY_AFTER)
        return page

    return answer


def _page(templates: Environment, template: str, status: int, **said: str) -> Response:
    shown = templates.get_template(template).render(**said)
    return HTMLResponse(shown, status, {**safety("'self'"), "Cache-Control": "no-store"})


def _is_person(request: Request) -> bool:
    """Whether a person sees the answer in a browser, and the path is not of the API.

    Programs do not ask for HTML.
    """
    return "text/html" in request.headers.get("accept", "") and not _OF_PROGRAMS.match(request.url.path)
