"""Every error Rollbook raises on purpose, as one tree; a class is one sentence and, on the wire, one status.

    RollbookError
    ├── Refused                 the command or request cannot be carried out as given
    │   ├── BadSetting          a setting or an option has a value that cannot be used
    │   ├── Unknown             a district, an application or a snapshot does not exist
    │   ├── Conflict            something of that name or state exists already
    │   ├── Busy                another sync of the district is running
    │   ├── Forbidden           the role of the person who acts does not allow it
    │   └── LeaseLost           another worker has taken the job over, or it was ended
    ├── MachineTrouble          memory or disk was not sufficient; nothing was written
    ├── SourceRejected          the files cannot be synced at all: a file-level stop, nothing was written
    ├── RemoteTrouble           another server cannot be read: unreachable, closed to us, or without this API
    ├── SyncHeld                the sync is complete but looks wrong: it waits for an approval
    ├── SignInStopped           a sign-in cannot go on: a page that says who can fix it
    ├── TokenRefused            the token endpoint's answer other than 200 (RFC 6749, 5.2)
    └── ApiError                an answer of the API other than 200
        ├── BadParameter        400
        ├── Unauthorized        401
        ├── NotFound            404, as JSON
        ├── NoSuchEndpoint      404, as HTML: no such path, or the wrong kind of token for it
        ├── UnknownVersion      404, as JSON: a version of the API that this server does not speak
        ├── TooLarge            413
        ├── ForeignName         421: the request names a server that this one is not
        ├── Unavailable         503, with Retry-After
        └── TooManyRequests     429, with an empty body

A finding about a row or a file is no exception: see `rollbook.roster.problems`.
"""

from __future__ import annotations

from typing import ClassVar


class RollbookError(Exception):
    """Something went wrong that a person can understand and fix.

    It is shown as one line, never as a traceback.
    """


class Refused(RollbookError):
    """The command or request cannot be carried out as given."""


class BadSetting(Refused):
    """A setting or an option has a value that cannot be used."""


class Unknown(Refused):
    """A district, an application or a snapshot does not exist."""


class Conflict(Refused):
    """Something of that name or state exists already."""


class Busy(Refused):
    """Another sync of the same district is running."""


class Forbidden(Refused):
    """The role of the person who acts does not allow it."""


class LeaseLost(Refused):
    """Another worker has taken the job over, or it was ended; nothing was written."""


class MachineTrouble(RollbookError):
    """Memory or disk was not sufficient; nothing was written."""


class SourceRejected(RollbookError):
    """The files cannot be synced at all; nothing was written. `problems` names each file and what was
    expected.

    `noted` is the number and the time of the run that records this in the district's history, if there is
    one.
    """

    def __init__(self, message: str, problems: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
        self.noted: tuple[int, str] | None = None


class RemoteTrouble(RollbookError):
    """Another server cannot be read: unreachable, closed to us, or without this API. Nothing was written."""


class SyncHeld(RollbookError):
    """The sync is complete but looks wrong. Nothing was written; the sync waits for an approval."""


class SignInStopped(RollbookError):
    """A sign-in cannot go on: the page says what happened and who can fix it. `status` is its HTTP status.

    `ask` is the application's request, if the person may come back to it. `hints` are for the developer of
    the application: pairs of a title and its lines. `note` is a word for the request log.
    """

    def __init__(
        self,
        message: str,
        mender: str,
        status: int = 400,
        *,
        ask: str = "",
        hints: tuple[tuple[str, tuple[str, ...]], ...] = (),
        note: str = "",
    ) -> None:
        super().__init__(message)
        self.note = note
        self.mender = mender
        self.status = status
        self.ask = ask
        self.hints = hints


class TokenRefused(RollbookError):
    """An answer of the token endpoint other than 200 (RFC 6749, 5.2): a code for programs, a message for
    people."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ApiError(RollbookError):
    """An answer of the API other than 200; `status` is its HTTP status."""

    status: ClassVar[int] = 500


class BadParameter(ApiError):
    """A query parameter has a value that cannot be used. The message names it and says what was expected."""

    status = 400


class Unauthorized(ApiError):
    """The token is missing or unknown."""

    status = 401


class NotFound(ApiError):
    """The record does not exist or is not shared: both look the same."""

    status = 404


class NoSuchEndpoint(ApiError):
    """The path does not exist, or needs another kind of token; answered as the recorded HTML page."""

    status = 404


class UnknownVersion(ApiError):
    """This server does not speak that version of the API.

    The message names the versions it speaks and the path to ask.
    """

    status = 404


class TooLarge(ApiError):
    """`limit` is above the largest page."""

    status = 413


class ForeignName(ApiError):
    """The Host header has a name under which this server does not answer (RFC 9110, 15.5.20)."""

    status = 421


class Unavailable(ApiError):
    """The database is away, or the server has too many requests; the client can send the same request again."""

    status = 503


class TooManyRequests(ApiError):
    """The token has used up its requests of this minute. `headers` tell when it may go on."""

    status = 429

    def __init__(self, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        super().__init__("Too many requests")
        self.headers = headers
