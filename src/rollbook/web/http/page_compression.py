"""Pages and documents, compressed for clients that accept gzip.

Only pages without a secret of their reader are compressed: documentation, Explorer, front page, log, and pages of the
console whose address has no query. The length of a compressed page reveals repeated text (BREACH). So a form's token
looks different in each answer, and the pages of sign-in are sent uncompressed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from isal import igzip
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from rollbook.web.http.answers import takes_gzip

LEVEL = 2
FROM_BYTES = 1024
Handler = Callable[[Request], Awaitable[Response]]


def compressing(handler: Handler) -> Handler:
    """The handler, with its answers compressed."""

    async def endpoint(request: Request) -> Response:
        return compressed(request, await handler(request))

    return endpoint


def compressed(request: Request, response: Response) -> Response:
    """The response, compressed if it is long enough and the client takes gzip."""
    if isinstance(response, FileResponse | StreamingResponse):
        return response
    # The answer to a client that has the page names it as the page itself would have.
    is_known = response.status_code == HTTPStatus.NOT_MODIFIED
    if len(response.body) < FROM_BYTES and not is_known:
        return response
    headers = response.headers
    headers.add_vary_header("Accept-Encoding")
    if not takes_gzip(request.headers.get("accept-encoding", "")):
        return response
    if not is_known:
        response.body = igzip.compress(bytes(response.body), LEVEL)
        headers["content-length"] = str(len(response.body))
        headers["content-encoding"] = "gzip"
    tag = headers.get("etag", "")
    if tag and not tag.startswith("W/"):  # another encoding of the same content (RFC 9110, 8.8.1)
        headers["etag"] = f"W/{tag}"
    return response
