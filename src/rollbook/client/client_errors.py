"""Every error of the client, as one tree. Each names the request, and what the server said.

ClientError
├── BadArgument             an argument has a value that cannot be used; nothing was sent
├── NoAnswer                no answer came: the server is away, or the line broke each time
├── UnexpectedAnswer        the answer is not one of this API
├── AnswerTooLarge          the answer is larger than the client takes; the rest of it was not read
└── RequestFailed           the server answered with an error: `status`, `message`, `request_id`
    ├── BadRequest          400
    ├── Unauthorized        401
    ├── Forbidden           403
    ├── NotFound            404
    ├── TooLarge            413
    ├── RateLimited         429, still after all tries
    └── ServerFailed        500 and above, still after all tries
"""

from __future__ import annotations


class ClientError(Exception):
    """The client could not do what it was asked. `path` is the path and query of the request."""

    def __init__(self, path: str, message: str, *, status: int | None = None, request_id: str = "") -> None:
        super().__init__(path, message, status, request_id)
        self.path = path
        self.message = message
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        said = f"{self.path}: " if self.path else ""
        said += f"{self.status} " if self.status else ""
        return said + self.message + (f" (request {self.request_id})" if self.request_id else "")


class BadArgument(ClientError, ValueError):
    """An argument has a value that cannot be used; nothing was sent."""


class NoAnswer(ClientError):
    """No answer came: the server is away, or the line broke each time."""


class UnexpectedAnswer(ClientError):
    """The answer is not one of this API."""


class AnswerTooLarge(ClientError):
    """The answer is larger than `answer_bytes_max`; the rest of it was not read, and it was not asked for again."""


class RequestFailed(ClientError):
    """The server answered with an error."""


class BadRequest(RequestFailed):
    """400: a parameter has a value that the server does not take."""


class Unauthorized(RequestFailed):
    """401: the server does not know the token."""


class Forbidden(RequestFailed):
    """403: the token may not read this."""


class NotFound(RequestFailed):
    """404: there is no such record or path for this token."""


class TooLarge(RequestFailed):
    """413: the server gives smaller pages only."""


class RateLimited(RequestFailed):
    """429: the window of requests was used up, still after all tries."""


class ServerFailed(RequestFailed):
    """500 and above: the server failed, still after all tries."""


_BY_STATUS: dict[int, type[RequestFailed]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    413: TooLarge,
    429: RateLimited,
}


def failed(path: str, status: int, message: str, request_id: str) -> RequestFailed:
    """The error of a status."""
    kind = ServerFailed if status >= 500 else _BY_STATUS.get(status, RequestFailed)
    return kind(path, message, status=status, request_id=request_id)
