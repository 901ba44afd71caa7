"""Static files: sheets, scripts, marks and fonts, all from this machine.

Their address holds a hash of all of them. So a browser keeps each file until one of them changes, and files
may refer to each other by relative addresses. A file is read and compressed when the first browser asks for
it.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollbook.web.http.answers import takes_gzip
from rollbook.web.http.safety_headers import safety

ROOT = Path(__file__).parent.parent / "static"
ADDRESS = "/static"
# What is served, by file ending. Other files (licences, notes) stay in their folder.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY = (".png", ".woff2")
_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Body:
    """One file as it is sent: plain and, if that is shorter, compressed."""

    plain: bytes
    gzipped: bytes | None
    tag: str


class StaticFiles:
    """The files below one folder. Only files that exist when the server starts are served."""

    def __init__(self, root: Path = ROOT) -> None:
        found = sorted(path for path in root.rglob("*") if path.suffix in MEDIA_TYPES)
        self._paths = {path.relative_to(root).as_posix(): path for path in found}
        self._bodies: dict[str, Body] = {}
        digest = hashlib.sha256()
        for name, path in self._paths.items():
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        self.version = digest.hexdigest()[:12]

    def address(self, name: str) -> str:
        """The address of a file. Errors: KeyError if there is none of this name."""
        self._paths[name]
        return f"{ADDRESS}/{self.version}/{name}"

    def route(self) -> Route:
        return Route(f"{ADDRESS}/{{path:path}}", self._serve)

    async def _serve(self, request: Request) -> Response:
        path = request.path_params["path"]
        version, _, rest = path.partition("/")
        # A page that another version of the server made still finds its files here.
        name = path if path in self._paths else rest
        if name not in self._paths:
            return Response("Not Found", 404, safety(), "text/plain")
        is_current = name == rest and version == self.version
        return _answer(
            request, self._body(name), MEDIA_TYPES[self._paths[name].suffix], is_current=is_current
        )

    def _body(self, name: str) -> Body:
        if name not in self._bodies:
            plain = self._paths[name].read_bytes()
            gzipped = None if name.endswith(_COMPRESSED_ALREADY) else gzip.compress(plain, 9, mtime=0)
            is_shorter = gzipped is not None and len(gzipped) < len(plain)
            tag = hashlib.sha256(plain).hexdigest()[:32]
            self._bodies[name] = Body(plain, gzipped if is_shorter else None, tag)
        return self._bodies[name]


def _answer(request: Request, body: Body, media_type: str, *, is_current: bool) -> Response:
    is_gzipped = body.gzipped is not None and takes_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{body.tag}-gzip"' if is_gzipped else f'"{body.tag}"'
    headers = {
        **safety(),
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable" if is_current else "no-cache",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if is_gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(body.gzipped if is_gzipped else body.plain, headers=headers, media_type=media_type)


@cache
def static_files() -> StaticFiles:
    """The server's own files, read once in a process."""
    return StaticFiles()
