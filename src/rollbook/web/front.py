"""The front page and the OpenAPI document: what a person sees first in a browser.

Everything comes from this machine: no page asks another host. The document is held as bytes, because all
clients ask for the same one. The API itself is in `rollbook.web.data.api`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from anyio import to_thread
from jinja2 import Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rollbook.contract.clever import openapi, versions
from rollbook.web.data.data_request import Request as Read
from rollbook.web.docs import code_lines
from rollbook.web.explorer.published_tokens import Offer
from rollbook.web.http.answers import Answer
from rollbook.web.http.demo_lines import curl_lines
from rollbook.web.http.page_compression import compressing
from rollbook.web.http.safety_headers import safety

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Published:
    """The public values of a demo: a token, Basic credentials (client id and secret as in a Basic header),
    and their district.

    `sheet` makes the front page's content for the address under which it was requested. `offers` makes the
    credentials for the Explorer.
    """

    token: str
    basic: str
    district_name: str
    sheet: Callable[[str], object] | None = None
    offers: Callable[[], Offer | None] | None = None


def routes(
    templates: Environment, published: Published | None, reads: Callable[[Read], Answer]
) -> list[BaseRoute]:
    """The routes `/` and `/openapi.json`. Published values are filled in where they help.

    `reads` answers the request that a demo's front page shows with its answer.
    """

    async def front(request: Request) -> Response:
        if published is None:
            return _page(templates, "front.html")
        base = str(request.base_url)
        return _page(
            templates,
            "demo/front.html",
            published=published,
            shown=await to_thread.run_sync(_shown, reads, base, published.token),
            curl_lines=curl_lines(base, published.token, published.basic),
            handout=await to_thread.run_sync(published.sheet, base) if published.sheet else None,
        )

    return [Route("/", compressing(front)), Route("/openapi.json", compressing(_document_handler()))]


@dataclass(frozen=True, slots=True)
class Shown:
    """One request and its real answer, as lines of HTML, with the line to paste."""

    line: str
    request: Markup
    answer: Markup
    status: str
    took: str
    size: str


def _shown(reads: Callable[[Read], Answer], base: str, token: str) -> Shown:
    """Ask this server for one teacher, as in the line that the page shows."""
    version = versions.DEFAULT
    path, query = f"/{version}/users", "role=teacher&limit=1"
    read = Read("GET", path, query, f"Bearer {token}", if_none_match="", takes_gzip=False)
    begun = time.perf_counter()
    answer = reads(read)
    took = (time.perf_counter() - begun) * 1000
    address, header = f'"{base.rstrip("/")}{path}?{query}"', f'-H "Authorization: Bearer {token}"'
    return Shown(
        line=f"curl {header} {address}",
        request=_coloured(f"curl {header} \\\n  {address}", "bash"),
        answer=_coloured(_indented(answer.body), "json"),
        status=f"{answer.status} {HTTPStatus(answer.status).phrase}",
        took=f"{took:.1f} ms",
        size=f"{len(answer.body) / 1024:.1f} KB",
    )


def _indented(body: bytes) -> str:
    """JSON, indented for people. With a fault on, a demo may answer with other text."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def _coloured(code: str, language: str) -> Markup:
    return Markup(code_lines.lines(code, language))  # noqa: S704 - each word is escaped there


def _page(templates: Environment, template: str, **context: object) -> HTMLResponse:
    # The page shows tokens, and the host of its request, so no cache may keep it.
    return HTMLResponse(
        templates.get_template(template).render(context),
        headers={**safety("'self'"), "Cache-Control": "no-store"},
    )


def _document_handler() -> Handler:
    bodies = {
        version.number: orjson.dumps(openapi.document(version=version.number))
        for version in versions.VERSIONS
    }
    always = {**safety(), "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}

    async def document(request: Request) -> Response:
        version = request.query_params.get("version", versions.VERSIONS[0].number).removeprefix("v")
        body = bodies.get(version)
        if body is None:
            message = f"version: expected one of {', '.join(bodies)}"
            return JSONResponse({"message": message, "error": message}, status_code=400, headers=always)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**always, "ETag": etag}
        known = (
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        )
        if any(tag in (etag, "*") for tag in known):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return document
