"""One client's side of the conversation with a server, without input or output of its own.

A *plan* is a generator. It yields steps and receives their results. The steps are: `Ask` a request, `Wait`
some seconds, `Work` that may take a while, `Give` a value to the caller. `rollbook.client.http_clients`
carries steps out, blocking or with `await`, so both clients share one program.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from rollbook.client.client_errors import (
    AnswerTooLarge,
    BadArgument,
    BadRequest,
    ClientError,
    NoAnswer,
    TooLarge,
    UnexpectedAnswer,
    failed,
)

T = TypeVar("T")
# Ask for the largest page first; a server with a smaller maximum refuses it.
PAGE_SIZES = (10_000, 1_000, 100)
# The documented advice: try again after 1, 2, 4, 8 and 16 seconds (protocol.md 6.1).
RETRIES = 5
PASSING = (429, 500, 502, 503, 504)
# A window lasts a minute. If the clocks differ, the program must not wait for hours.
WAIT_SECONDS_MAX = 90.0
MESSAGE_LETTERS_MAX = 500
# A page of 10,000 records is 10 to 50 MB. A server that sends without end must not fill the memory.
ANSWER_BYTES_MAX = 256 * 1024 * 1024
# Our own header: the state that an answer shows, for `since_snapshot` on /events.
SNAPSHOT = "x-rollbook-snapshot"


@dataclass(frozen=True, slots=True)
class Ask:
    """A step: send a GET. The result is a Reply, a Broken line or an Oversize answer."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wait:
    """A step: let some seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """A step: call a function that may take a while, such as a write to a disk.

    The result is the function's.
    """

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Give:
    """A step: give a value to the caller."""

    value: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the server; its header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer came, or only a part of one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Oversize:
    """An answer larger than the client takes; the rest of it was not read."""

    status: int
    bytes_max: int


Step = Ask | Wait | Work | Give
Plan = Generator[Step, Any, T]


class Link(msgspec.Struct, frozen=True, gc=False):
    rel: str
    uri: str


class RawElement(msgspec.Struct, frozen=True, gc=False):
    """An element of a list; `data` is the record, byte for byte."""

    data: msgspec.Raw


class RawList(msgspec.Struct, frozen=True, gc=False):
    """The answer of a list. An empty one may come without `data` (protocol.md 5.7)."""

    data: list[RawElement] = []
    resources: list[RawElement] = []
    links: list[Link] = []


class Count(msgspec.Struct, frozen=True, gc=False):
    count: int


class Conversation:
    """One server, one token. `base_url` has no version; `version` is the part of the path, such as `v3.0`."""

    def __init__(self, base_url: str, token: str, version: str, page_size: int | None) -> None:
        parts = _parts(base_url)
        if not token.isascii() or not token.isprintable() or not token.strip():
            raise BadArgument("", "token: expected a token in plain characters, got none")
        if page_size is not None and page_size < 1:
            raise BadArgument("", f"page_size: expected 1 or more, got {page_size}")
        path = parts.path.rstrip("/").removesuffix(f"/{version}")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.prefix = f"{path}/{version}"
        self._host = parts.hostname
        self._sizes: tuple[int, ...] = PAGE_SIZES if page_size is None else (page_size,)
        self._headers = {"authorization": f"Bearer {token.strip()}", "accept": "application/json"}
        self._seconds_owed = 0.0
        # The first snapshot that an answer named since this was cleared.
        self.snapshot = ""

    # Requests --------------------------------------------------------------------------------------

    def get(self, path: str, form: type[T]) -> Plan[T]:
        """The answer to a GET, decoded. Errors: those of `answer`; UnexpectedAnswer for another form."""
        reply = yield from self.answer(path)
        return _decoded(path, reply, form)

    def answer(self, path: str) -> Plan[Reply]:
        """The answer to a GET, sent again after failures that may pass. Errors: NoAnswer, AnswerTooLarge, RequestFailed."""
        for attempt in range(RETRIES + 1):
            if self._seconds_owed:
                yield Wait(self._seconds_owed)
            reply: Reply | Broken | Oversize = yield Ask(self.origin + path, self._headers)
            if isinstance(reply, Reply) and 200 <= reply.status < 300:
                self._seconds_owed = seconds_to_wait(reply.headers, reply.status)
                self.snapshot = self.snapshot or reply.headers.get(SNAPSHOT, "")
                return reply
            trouble, passes, told = self._trouble(path, reply)
            self._seconds_owed = told or (2.0**attempt if passes else 0.0)
            if not passes or attempt == RETRIES:
                raise trouble
        raise AssertionError("the last attempt returns or raises")

    def _trouble(self, path: str, reply: Reply | Broken | Oversize) -> tuple[ClientError, bool, float]:
        """The error, whether it may pass, and the seconds to wait that the server named."""
        if isinstance(reply, Broken):
            return NoAnswer(path, f"{self.origin} gave no answer: {reply.reason}"), True, 0.0
        if isinstance(reply, Oversize):
            said = (
                f"the answer is larger than {reply.bytes_max:,} bytes, so the client stopped reading it; give a smaller"
                " page_size, or a larger answer_bytes_max"
            )
            return AnswerTooLarge(path, said, status=reply.status), False, 0.0
        error = failed(path, reply.status, _message(reply), reply.headers.get("x-request-id", ""))
        return error, reply.status in PASSING, seconds_to_wait(reply.headers, reply.status)

    def first_page(self, path: str, query: Mapping[str, object], form: type[T]) -> Plan[T]:
        """The first page of a list, as large as the server allows; a refused size is not asked for again."""
        if "limit" in query:
            return (yield from self.get(self.address(path, query), form))
        for left, size in enumerate(self._sizes, 1):
            try:
                found = yield from self.get(self.address(path, {"limit": size, **query}), form)
            except (TooLarge, BadRequest):
                if left == len(self._sizes):
                    raise
                continue
            self._sizes = self._sizes[left - 1 :]
            return found
        raise AssertionError("the last size returns or raises")

    # Addresses -------------------------------------------------------------------------------------

    def address(self, path: str, query: Mapping[str, object]) -> str:
        """Path and query of a path below the version; without the parameters whose value is None."""
        given = {name: _text(value) for name, value in query.items() if value is not None}
        asked = f"?{urlencode(given, doseq=True)}" if given else ""
        return f"{self.prefix}{path}{asked}"

    def next_path(self, links: list[Link], path: str) -> str | None:
        """The path and query of the link `next`; the token goes to no other host.

        Errors: UnexpectedAnswer.
        """
        found = next((link.uri for link in links if link.rel == "next"), None)
        if found is None:
            return None
        parts = urlsplit(found)
        if parts.netloc and parts.hostname != self._host:
            raise UnexpectedAnswer(
                path, f"`next` leads to another host, {parts.hostname}; it was not followed"
            )
        if not parts.path.startswith("/"):
            raise UnexpectedAnswer(path, f"`next` is no path: {found[:200]!r}")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def seconds_to_wait(headers: Mapping[str, str], status: int) -> float:
    """How long to wait: as `Retry-After` says, or until a used-up window ends; else 0."""
    after = headers.get("retry-after", "")
    if status in (429, 503) and after.isascii() and after.isdigit():
        return min(float(after), WAIT_SECONDS_MAX)
    try:
        remaining, reset = int(headers["x-ratelimit-remaining"]), float(headers["x-ratelimit-reset"])
    except (KeyError, ValueError):
        return 0.0
    if (remaining > 0 and status != 429) or not math.isfinite(reset):
        return 0.0
    # The header is in whole seconds, and the window may end late in the second that it names.
    return min(max(reset - time.time() + 0.5, 0.0), WAIT_SECONDS_MAX)


def _decoded(path: str, reply: Reply, form: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        identity = reply.headers.get("x-request-id", "")
        said = f"the answer does not have the form of this API: {error}"
        raise UnexpectedAnswer(path, said, status=reply.status, request_id=identity) from None


def _message(reply: Reply) -> str:
    """The server's message for an error; old versions have another key for it (protocol.md 6.2)."""
    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    said = (found.get("message") or found.get("error")) if isinstance(found, dict) else None
    if said:
        return str(said)[:MESSAGE_LETTERS_MAX]
    if reply.status == 429:
        return "the window of requests is used up"
    if reply.status == 404:
        return "there is no such path, or the token is of another kind"
    return "the server gave no reason"


def _parts(base_url: str) -> Any:
    expected = f"base_url: expected an address such as https://api.example.org, got {base_url!r}"
    try:
        parts = urlsplit(base_url.strip())
        is_whole = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        raise BadArgument("", expected) from None
    if not is_whole or parts.scheme not in ("http", "https") or parts.query or "@" in parts.netloc:
        raise BadArgument("", expected)
    return parts


def _text(value: object) -> object:
    """A parameter's value as it is written: true and false; lists are repeated parameters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return list(value) if isinstance(value, tuple | list) else str(value)
