"""The front page, the Explorer and the OpenAPI document: what a person sees who opens the server in a
browser.

Everything is served from this machine: no page asks another host for anything. The document is held as bytes,
since every client asks for the same one. Answering the API itself is left to `rollbook.web.data.api`.
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
from starlette.routing import BaseRoute, Route

from rollbook.contract.clever import openapi
from rollbook.web.http.safety_headers import safety

VIEWER = "vendor/swagger-ui-5.35.0"

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


def routes(templates: Environment, published: Published | None) -> list[BaseRoute]:
    """The routes `/`, `/explorer` and `/openapi.json`; what is published is filled in where it helps."""

    async def front(request: Request) -> Response:
        base = str(request.base_url)
        lines = curl_lines(base, published.token, published.basic) if published else ()
        sheet = await to_thread.run_sync(published.sheet, base) if published and published.sheet else None
        return _page(templates, "front.html", published=published, curl_lines=lines, handout=sheet)

    async def explorer(_: Request) -> Response:
        return _page(templates, "explorer.html", published=published, viewer=VIEWER)

    return [Route("/", front), Route("/explorer", explorer), Route("/openapi.json", _document_handler())]


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


def _page(templates: Environment, template: str, **context: object) -> HTMLResponse:
    # The page shows tokens and the host it was asked under, so no cache may keep it.
    return HTMLResponse(
        templates.get_template(template).render(context), headers={**safety(), "Cache-Control": "no-store"}
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
