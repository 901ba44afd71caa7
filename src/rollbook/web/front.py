"""The front page, the Explorer and the OpenAPI document: what a person sees who opens the server in a
browser.

Everything is served from this machine: no page asks another host for anything. Files come from the disk and
are not held in memory; only the document is, as bytes, since every client asks for the same one. Answering
the API itself is left to `rollbook.web.data.api`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from anyio import to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from rollbook.contract.clever import openapi
from rollbook.web.http.templates import STATIC, environment, safety

VIEWER = "vendor/swagger-ui-5.35.0"

_YEAR_SECONDS = 365 * 24 * 3600

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Published:
    """What everybody may know of a demo: a token, Basic credentials (client id and secret as in a Basic header), and
    the district that they open.

    `sheet` reads what the front page shows, for the address under which it was asked.
    """

    token: str
    basic: str
    district_name: str
    sheet: Callable[[str], object] | None = None


def routes(published: Published | None) -> list[BaseRoute]:
    """The routes `/`, `/explorer`, `/openapi.json` and `/static/...`; what is published is filled in where it helps."""
    pages = environment(
        viewer=VIEWER,
        demo_token=published and published.token,
        demo_basic=published and published.basic,
        district_name=published and published.district_name,
        has_story=published is not None,
    )

    async def front(request: Request) -> Response:
        base = str(request.base_url)
        lines = curl_lines(base, published.token, published.basic) if published else ()
        sheet = await to_thread.run_sync(published.sheet, base) if published and published.sheet else None
        return _page(pages, "front.html", curl_lines=lines, handout=sheet)

    async def explorer(_: Request) -> Response:
        return _page(pages, "explorer.html")

    return [
        Route("/", front),
        Route("/explorer", explorer),
        Route("/openapi.json", _document_handler()),
        Mount("/static", _Assets(directory=STATIC)),
    ]


def curl_lines(base_url: str, token: str, basic: str | None = None) -> tuple[str, ...]:
    """Three lines to paste into a terminal; double quotes, because they mean the same to every shell."""
    base = base_url.rstrip("/")
    bearer = f'curl -H "Authorization: Bearer {token}" "{base}/v3.0'
    tokens = f'curl -H "Authorization: Basic {basic}" "{base}/oauth/tokens?owner_type=district"'
    return (
        f'{bearer}/users?role=teacher&limit=3"',
        f'{bearer}/sections?limit=1"',
        tokens if basic else f'{bearer}/users?count=true"',
    )


def _page(pages: Environment, template: str, **context: object) -> HTMLResponse:
    # The page shows tokens and the host it was asked under, so no cache may keep it.
    return HTMLResponse(
        pages.get_template(template).render(context), headers={**safety(), "Cache-Control": "no-store"}
    )


def _document_handler() -> Handler:
    body = orjson.dumps(openapi.document())
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**safety(), "ETag": etag, "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}

    async def document(request: Request) -> Response:
        known = (
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        )
        if any(tag in (etag, "*") for tag in known):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return document


class _Assets(StaticFiles):
    """Files from the disk; one that is asked for by its version never changes, and may be kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_versioned = path.startswith(VIEWER) or scope["query_string"].startswith(b"v=")
        response.headers.update(safety())
        response.headers["Cache-Control"] = (
            f"public, max-age={_YEAR_SECONDS}, immutable" if is_versioned else "no-cache"
        )
        return response
