"""The documentation at `/docs`: pages, pictures and search.

All of it comes from this machine and works without a script.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from rollbook.web.docs import doc_sources
from rollbook.web.docs.doc_sources import ADDRESS, IMAGES
from rollbook.web.docs.library import Library
from rollbook.web.docs.search_index import HITS_MAX, QUERY_LENGTH_MAX
from rollbook.web.http.page_compression import compressed
from rollbook.web.http.safety_headers import safety


def routes(templates: Environment, folder: Path | None = None) -> list[BaseRoute]:
    """The routes `/docs`, `/docs/search` and `/docs/...`. The pages are made at the first request."""
    site = _Site(templates, folder or doc_sources.root())
    return [
        Route(ADDRESS, site.contents),
        Route(f"{ADDRESS}/search", site.search),
        Route(f"{ADDRESS}/{{path:path}}", site.page),
    ]


class _Site:
    """The pages of one folder."""

    def __init__(self, templates: Environment, folder: Path) -> None:
        self._templates = templates
        self._folder = folder
        self._library: Library | None = None
        self._making = threading.Lock()

    async def contents(self, request: Request) -> Response:
        return await self._answer(request, lambda library: self._shown(library, "contents.html"))

    async def search(self, request: Request) -> Response:
        query = " ".join(request.query_params.get("q", "").split())[:QUERY_LENGTH_MAX]
        return await self._answer(request, lambda library: self._found(library, query))

    async def page(self, request: Request) -> Response:
        return await self._answer(request, lambda library: self._one(library, request.url.path))

    async def _answer(self, request: Request, make: Callable[[Library], Response]) -> Response:
        response = await to_thread.run_sync(lambda: make(self._made()))
        tag = response.headers.get("etag")
        if tag and tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={**_headers(), "ETag": tag, "Vary": "Accept-Encoding"})
        return compressed(request, response)

    def _made(self) -> Library:
        """The library. Requests that arrive while it is being made wait for it."""
        with self._making:
            if self._library is None:
                self._library = Library(self._folder)
            return self._library

    def _one(self, library: Library, address: str) -> Response:
        if image := library.images.get(address):
            return FileResponse(image, media_type=IMAGES[image.suffix], headers=_headers())
        if (page := library.pages.get(address)) is not None:
            return self._shown(library, "page.html", shown=page)
        near = library.nearest(address)
        return self._shown(library, "missing.html", 404, address=address, near=near)

    def _found(self, library: Library, query: str) -> Response:
        hits = library.index.find(query)
        mended = None if hits else library.index.mended(query)
        return self._shown(library, "found.html", query=query, hits=hits, mended=mended, hits_max=HITS_MAX)

    def _shown(self, library: Library, template: str, status: int = 200, **said: object) -> Response:
        html = self._templates.get_template(f"docs/{template}").render(
            said, chapters=library.chapters, page="docs", search_address=f"{ADDRESS}/search"
        )
        headers = _headers()
        if status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
        return HTMLResponse(html, status, headers)


def _headers() -> dict[str, str]:
    return {**safety("'self'"), "Cache-Control": "no-cache"}
