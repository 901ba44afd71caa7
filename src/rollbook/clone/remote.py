"""Another server that speaks this API, read politely: we keep its rate limit, retry after failures, and check
each answer.

Requests go only to the given address, whatever links say, so the token reaches no other host. The other
server may be hostile: each answer has a deadline and a maximum size, packed and unpacked.
"""

from __future__ import annotations

import codecs
import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import msgspec

from rollbook import __version__, urls
from rollbook.errors import BadSetting, RemoteTrouble
from rollbook.outgoing import FAILURES, AnswerTooLarge, Caller, Reply

VERSION = "/v3.0"
# Ask for the largest page first; a server with a smaller maximum refuses it.
PAGE_SIZES = (10_000, 1_000, 100)
# The documented advice: wait 1 s, 2 s, 4 s ..., at most five times (protocol.md 6.1).
RETRIES = 5
# A window lasts a minute. If the clocks differ, we must not wait for hours.
WINDOW_SECONDS_MAX = 90.0
# Enough for a page of 10,000 long records; a larger answer is asked for again in smaller pages.
ANSWER_BYTES_MAX = 256 * 1024 * 1024
# For a whole answer: the server may need minutes to make and send a large page.
ANSWER_SECONDS = 600.0
PIECE_BYTES = 1024 * 1024

Wait = Callable[[float], None]


class Element(msgspec.Struct):
    """An element of a list. `data` is the record, byte for byte."""

    data: msgspec.Raw


class Link(msgspec.Struct):
    rel: str
    uri: str


class Listed(msgspec.Struct):
    """The answer of a list, as it comes.

    An empty list of resources may come without `data` (protocol.md 5.7).
    """

    data: list[Element] | None = None
    resources: list[Element] | None = None
    links: list[Link] = []
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one page, and the path of the next one."""

    records: list[bytes]
    next: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    `listed` is set if its status is 200. Status 0 means that it was too large and not read to its end.
    """

    status: int
    body: bytearray
    listed: Listed | None = None


class Remote:
    """One server and one token. `wait` sleeps for a number of seconds."""

    def __init__(self, address: str, token: str, *, wait: Wait = time.sleep) -> None:
        self.address = checked_address(address)
        self._prefix = urlsplit(self.address).path
        self._wait = wait
        self._was_reached = False
        self._seconds_owed = 0.0
        self._sizes: tuple[int, ...] = PAGE_SIZES
        if not token.isascii() or not token.isprintable() or not token.strip():
            raise BadSetting("token: expected a district token, in ASCII characters")
        self._headers = {
            "authorization": f"Bearer {token.strip()}",
            "user-agent": f"rollbook/{__version__}",
            "accept": "application/json",
        }
        self._caller = Caller(self.address)

    def close(self) -> None:
        self._caller.close()

    def first_page(self, path: str) -> Page:
        """The first page of a list, as large as the server allows.

        A page size that it refused once is not asked again.
        """
        answer = self._answer(f"{path}?limit={self._sizes[0]}")
        while answer.status in (0, 400, 413) and len(self._sizes) > 1:
            self._sizes = self._sizes[1:]
            answer = self._answer(f"{path}?limit={self._sizes[0]}")
        return self._page(path, answer)

    def page(self, path: str) -> Page:
        return self._page(path, self._answer(path))

    def count(self, path: str) -> int | None:
        """How many records a list has; None if the server does not say."""
        listed = self._answer(f"{path}?count=true").listed
        return listed.count if listed else None

    def last_of(self, path: str) -> bytes | None:
        """The last record of a list; None if there is none, or if we may not read the list."""
        listed = self._answer(f"{path}?ending_before=last&limit=1").listed
        return bytes(listed.data[-1].data) if listed and listed.data else None

    # One answer ------------------------------------------------------------------------------------

    def _page(self, path: str, answer: Answer) -> Page:
        listed = answer.listed
        if listed is None:
            raise self._refusal(path, answer)
        elements = listed.data if listed.data is not None else listed.resources
        if elements is None:
            raise self._trouble(f"{path} is no list of this API: it has no `data`")
        following = [link.uri for link in listed.links if link.rel == "next"]
        return Page(
            [bytes(element.data) for element in elements],
            self._path(following[0]) if following and elements else None,
        )

    def _answer(self, path: str) -> Answer:
        """The answer to a request; after a failure that may pass, the request is sent again."""
        for attempt in range(RETRIES + 1):
            if self._seconds_owed:
                self._wait(self._seconds_owed)
            try:
                return self._ask(path)
            except _Passing as passing:
                if attempt == RETRIES:
                    again = f"asked {RETRIES + 1} times; run the command again to go on from here"
                    raise self._trouble(f"{passing} ({again})") from None
                self._seconds_owed = self._seconds_owed or 2.0**attempt
        raise AssertionError  # the last attempt returns or raises

    def _ask(self, path: str) -> Answer:
        """Send one request. Errors: _Passing if it may be sent again."""
        self._seconds_owed = 0.0
        asked = f"{self._origin}{self._prefix}{path}"
        seconds, bytes_max = ANSWER_SECONDS, ANSWER_BYTES_MAX
        try:
            reply = self._caller.ask(
                "GET", asked, headers=self._headers, seconds=seconds, bytes_max=bytes_max
            )
        except AnswerTooLarge:
            return Answer(0, bytearray())
        except FAILURES as error:
            raise self._broken(error) from None
        self._was_reached = True
        self._seconds_owed = _seconds_to_wait(reply.headers, reply.status)
        if reply.status == 429:
            raise _Passing("the rate limit stays used up; another program may use the same token")
        if reply.status >= 500 and reply.status != 501:
            raise _Passing(f"{path} was answered with {reply.status}")
        return Answer(reply.status, reply.body, self._listed(path, reply) if reply.status == 200 else None)

    def _listed(self, path: str, reply: Reply) -> Listed:
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.startswith("text/"):
            raise self._trouble(
                f"{path} is answered with {kind} and not with JSON; is this the address of the API?"
            )
        try:
            _check_letters(reply.body)
            return msgspec.json.decode(reply.body, type=Listed)
        except msgspec.ValidationError as error:
            raise self._trouble(f"{path} does not have the form of this API: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _Passing(f"{path} is answered with JSON that cannot be read") from None

    def _broken(self, error: Exception) -> Exception:
        """The error that a failed request becomes.

        Waiting is useless if TLS fails or the server was never reached.
        """
        reason = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
        if reason is not None:
            why = getattr(reason, "verify_message", "") or reason.reason or str(reason)
            return self._trouble(
                f"the server's certificate or TLS cannot be used: {why}; a private "
                "authority goes into SSL_CERT_FILE"
            )
        text = str(error) or type(error).__name__
        if not self._was_reached and isinstance(
            error, httpcore.ConnectError | httpcore.ConnectTimeout | httpcore.ProxyError
        ):
            return self._trouble(f"no server can be reached there: {text}")
        return _Passing(f"the connection broke: {text}")

    def _refusal(self, path: str, answer: Answer) -> RemoteTrouble:
        if answer.status == 0:
            return self._trouble(f"{path}: the answer is larger than {ANSWER_BYTES_MAX:,} bytes")
        if answer.status == 401:
            return self._trouble("the server does not know this token (401)")
        if answer.status == 403:
            return self._trouble(f"the server does not let this token read {path} (403)")
        if answer.status == 404:
            return self._trouble(
                f"there is no {path} for this token (404); is this the API's address, and a district's token?"
            )
        if 300 <= answer.status < 400:
            return self._trouble(
                f"{path} is answered with a redirect ({answer.status}); give the address it leads to"
            )
        return self._trouble(f"{path} was refused with {answer.status}: {_message(answer.body)}")

    def _trouble(self, text: str) -> RemoteTrouble:
        return RemoteTrouble(f"{self.address}: {text}")

    # Addresses -------------------------------------------------------------------------------------

    @property
    def _origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def _path(self, link: str) -> str:
        """The path and query of a link, relative to our own address.

        Errors: RemoteTrouble if it leads to another host.
        """
        try:
            parts = urlsplit(link)
            host = parts.hostname
        except ValueError:
            raise self._trouble(f"a link cannot be read: {link[:200]!r}") from None
        if host is not None and host != urlsplit(self.address).hostname:
            raise self._trouble(f"a link leads to another host, {host!r}; it was not followed")
        path = parts.path
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix)
        if not path.startswith("/") or (parts.scheme and not host):
            raise self._trouble(f"a link is no path of this API: {link[:200]!r}")
        return f"{path}?{parts.query}" if parts.query else path


class _Passing(Exception):
    """Trouble that may pass: the request is worth sending again."""


@contextmanager
def opened(address: str, token: str, *, wait: Wait = time.sleep) -> Iterator[Remote]:
    remote = Remote(address, token, wait=wait)
    try:
        yield remote
    finally:
        remote.close()


def checked_address(address: str) -> str:
    """The base address: scheme, host and, behind some proxies, a path, without the version.

    Errors: BadSetting.
    """
    parts = urls.parts(address.strip())
    if parts is None or "@" in parts.netloc or parts.query or parts.fragment:
        raise BadSetting(f"url: expected an address such as https://api.example.org, got {address!r}")
    path = parts.path.rstrip("/").removesuffix(VERSION).rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _check_letters(body: bytearray) -> None:
    """Check that the whole body is UTF-8, piece by piece. Errors: UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body), PIECE_BYTES):
        decoder.decode(body[start : start + PIECE_BYTES])
    decoder.decode(b"", final=True)


def _seconds_to_wait(headers: Mapping[str, str], status: int) -> float:
    """How long to wait: as `Retry-After` says, or until the rate limit's window ends if it is used up; else
    0."""
    after = headers.get("retry-after", "")
    if status in (429, 503) and after.isascii() and after.isdigit():
        return min(float(after), WINDOW_SECONDS_MAX)
    try:
        remaining, reset = int(headers["x-ratelimit-remaining"]), float(headers["x-ratelimit-reset"])
    except (KeyError, ValueError):
        return 0.0
    if not math.isfinite(reset):
        return 0.0
    return min(max(reset - time.time() + 0.5, 0.0), WINDOW_SECONDS_MAX) if remaining <= 0 else 0.0


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _message(body: bytearray) -> str:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return "no reason given"
    found = found if isinstance(found, dict) else {}
    return str(found.get("message") or found.get("error") or "no reason given")[:200]
