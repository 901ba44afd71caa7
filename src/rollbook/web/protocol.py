"""HTTP/1.1 on one connection: what uvicorn and its parser leave open. No byte of one request is ever read as another request.

The parser is fed one message at a time, so the next request begins only when the answer to the last one is complete.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

# What a head ends with, and the body of a chunked message with all its trailers.
END = b"\r\n\r\n"
BODY_BYTES_MAX = 1024 * 1024
# The names that say where a message ends, or whom it is for: two of one name have two readings (RFC 9112, 3.2 and 6.3).
SINGLE = (b"host", b"content-length", b"transfer-encoding", b"authorization")

_log = logging.getLogger(__name__)


class Protocol(HttpToolsProtocol):
    """One connection. An upgrade is never taken: the request is read without it (RFC 9110, 7.8)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ahead = b""
        self._at = 0
        # The last bytes that were parsed: an END may come in two segments.
        self._tail = b""
        self._is_in_body = False
        # None for a chunked body, which says itself where it ends.
        self._body_left: int | None = 0
        self._body_bytes = 0
        self._refusal = (HTTPStatus.BAD_REQUEST, "The request is not HTTP/1.1 by the book.")
        self._is_refused = False
        self._has_ended = False

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._ahead, self._at = self._ahead[self._at :] + data, 0
        self._read_on()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection stays open: a client that has said all may still wait for answers."""
        self._has_ended = True
        return self._is_answering()

    # One message at a time --------------------------------------------------------------------------

    def _read_on(self) -> None:
        while self._at < len(self._ahead) and not self._is_refused and not self.transport.is_closing():
            if self._is_answering():
                self.flow.pause_reading()
                return
            end = self._end_of_piece()
            piece = self._ahead[self._at : end]
            self._at = end
            self._tail = b"" if piece.endswith(END) else (self._tail + piece[-3:])[-3:]
            self._parse(piece)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self._is_in_body and not self.cycle.response_complete

    def _end_of_piece(self) -> int:
        """Where to stop, at the latest where the message may end: further bytes may be the next request."""
        if self._is_in_body and self._body_left is not None:
            return min(self._at + self._body_left, len(self._ahead))
        if self._tail:
            seam = (self._tail + self._ahead[self._at : self._at + 3]).find(END)
            if seam >= 0:
                return self._at + seam + len(END) - len(self._tail)
        found = self._ahead.find(END, self._at)
        return len(self._ahead) if found < 0 else found + len(END)

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._read_without_upgrade()
        except httptools.HttpParserError:
            self._refuse()

    def _read_without_upgrade(self) -> None:
        """Read the head without the upgrade: the parser takes all that follows one, also the body, for another protocol."""
        line = f"{self.parser.get_method().decode()} ".encode() + self.url + f" HTTP/{self.parser.get_http_version()}".encode()
        headers = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"\r\n".join((line, *headers)) + END)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_body:  # a trailer is no header (RFC 9110, 6.5.1)
            super().on_header(name, value)

    def on_message_begin(self) -> None:
        self._is_in_body = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._check_head()
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._is_in_body = True

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_left is not None:
            self._body_left -= len(body)
        elif self._body_bytes > BODY_BYTES_MAX:
            raise self._refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {BODY_BYTES_MAX} bytes.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._at < len(self._ahead) and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._read_on()
        if self._has_ended and not self._is_answering():
            self.transport.close()

    # What is refused --------------------------------------------------------------------------------

    def _check_head(self) -> None:
        """Refuse a head that has more than one reading, and note how long the body is."""
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise self._refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"This server speaks HTTP/1.1, not HTTP/{version}.")
        if self.parser.get_method() == b"CONNECT":
            raise self._refused(HTTPStatus.NOT_IMPLEMENTED, "This server is no proxy: CONNECT is not supported.")
        single: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in SINGLE:
                if name in single:
                    raise self._refused(HTTPStatus.BAD_REQUEST, f"The header {name.decode()} must not be repeated.")
                single[name] = value
        if b"host" not in single and version == "1.1":
            raise self._refused(HTTPStatus.BAD_REQUEST, "The header host is missing.")
        self._check_length(single.get(b"transfer-encoding"), int(single.get(b"content-length", 0)), version)

    def _check_length(self, coding: bytes | None, length: int, version: str) -> None:
        if coding is not None and version == "1.0":
            raise self._refused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer-encoding.")
        if coding is not None and coding.strip().lower() != b"chunked":
            raise self._refused(HTTPStatus.NOT_IMPLEMENTED, "The only transfer-encoding of a request is chunked.")
        if length > BODY_BYTES_MAX:
            raise self._refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {BODY_BYTES_MAX} bytes.")
        self._body_left = None if coding is not None else length
        self._body_bytes = 0

    def _refused(self, status: HTTPStatus, sentence: str) -> ValueError:
        """Note how to answer; the parser turns what is raised in it into an error of its own."""
        self._refusal = (status, sentence)
        return ValueError(sentence)

    def _refuse(self) -> None:
        """Answer by the refusal, and read nothing more. A request whose answer has begun gets no second one."""
        status, sentence = self._refusal
        _log.debug("refused a request of %s: %s", self.client, sentence)
        self._is_refused, self._ahead, self._at = True, b"", 0
        if self._is_in_body:
            has_begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if has_begun:
                self.transport.close() if self.cycle.response_complete else self.transport.abort()
                return
        body = orjson.dumps({"message": sentence, "error": sentence})
        lines = (b"content-type: application/json; charset=utf-8", b"content-length: %d" % len(body), b"connection: close")
        self.transport.write(STATUS_LINE[status] + b"\r\n".join(lines) + END + body)
        self.transport.close()
