"""HTTP/1.1 on one connection, stricter than uvicorn: no byte of one request is read as part of another.

The parser gets one message at a time: the next request begins only when the answer to the last one is
complete.
"""

from __future__ import annotations

import asyncio
import logging
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rollbook.web.http import refusals
from rollbook.web.http.answer_writer import AnswerWriter
from rollbook.web.http.body_bounds import body_bytes_max, is_upload
from rollbook.web.http.held_flow import Flow
from rollbook.web.http.open_connections import Connections, Waits, network

# The end of a head, and of the body of a chunked message with its trailers.
END = b"\r\n\r\n"
# Headers that say where a message ends, or for whom it is. Two with one name could be read in two ways (RFC
# 9112, 3.2 and 6.3).
SINGLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"authorization"))
# Empty lines before a request, which are ignored (RFC 9112, 2.2).
EMPTY_LINES = re.compile(rb"[\r\n]+")
# The line before a chunk: its size, and perhaps extensions (RFC 9112, 7.1).
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\r\n]*)?\r\n")
# Each chunk costs a step, however small it is. Real clients send chunks of kilobytes.
CHUNKS_MAX = 1_024

_log = logging.getLogger(__name__)


class Protocol(HttpToolsProtocol):
    """One connection. It never accepts an upgrade: the request is read without it (RFC 9110, 7.8)."""

    def __init__(self, *, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._bounds = connections.settings

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self.address = network(self.client[0]) if self.client else ""
        self.since = self.loop.time()
        self.unread = 0
        self._ahead = b""
        self._at = 0
        # The last bytes that were parsed: an END may be split over two segments.
        self._tail = b""
        self._is_in_body = False
        # None for a chunked body, which marks its own end.
        self._body_left: int | None = 0
        self._body_bytes = 0
        # For a chunked body: unparsed bytes of the current chunk, chunks so far, whether the last one has come.
        self._chunk_left = self._chunks = 0
        self._is_in_trailer = False
        self._refusal = (HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1.")
        self._is_refused = False
        self._has_ended = False
        self._is_queued = False
        # Bytes of the head so far, or of the parts between chunks of a body: sizes, extensions and trailers.
        self._head_bytes = 0
        self._has_room = self._connections.enter(self, self.loop)
        if not self._has_room:
            self._refusal = refusals.NO_ROOM
            if not self._connections.see_out(self, self.loop):
                self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if not self._has_room:
            self._turn_away(data)
            return
        self._ahead, self._at = self._ahead[self._at :] + data, 0
        if not self._is_queued:
            self._read_on()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection stays open: a client that has sent everything may still wait for answers."""
        self._has_ended = True
        return self._is_answering() or self._is_queued

    # One message at a time --------------------------------------------------------------------------

    def _read_on(self) -> None:
        while self._at < len(self._ahead) and not self._is_refused and not self.transport.is_closing():
            if self._is_answering():
                self._hold()
                return
            if not self._is_in_body and not self._head_bytes:
                empty = EMPTY_LINES.match(self._ahead, self._at)
                self._at = empty.end() if empty else self._at
            end = self._end_of_piece()
            if end == self._at:  # an incomplete or refused line before a chunk, or only empty lines
                return
            piece = self._ahead[self._at : end]
            self._at = end
            self._tail = b"" if piece.endswith(END) else (self._tail + piece[-3:])[-3:]
            has_content = self._is_in_body and not self._is_in_trailer
            if has_content or self._is_within(len(piece)):
                self._parse(piece)

    def _hold(self) -> None:
        """Stop reading until the next turn: at most one network read of requests sent ahead is held."""
        self.flow.pause_reading()
        self.flow.is_held = True

    def next_turn(self) -> None:
        """Read one of the requests that were sent ahead."""
        self._is_queued = self.flow.is_held = False
        if not self.transport.is_closing():
            self._read_on()
            if not self._is_answering():  # only a part of that request has come
                self.flow.resume_reading()
            self._close_if_done()

    def _is_within(self, size: int) -> bool:
        """Count bytes without content, and refuse too many: their cost grows with the square of their number."""
        if not self._is_in_body and not self._head_bytes and self.cycle is not None:
            self.since = self.loop.time()
        self._head_bytes += size
        if self._head_bytes <= self._bounds.head_bytes_max:
            return True
        sentence = f"The path and headers of a request have at most {self._bounds.head_bytes_max} bytes."
        self._refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
        self._refuse()
        return False

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self._is_in_body and not self.cycle.response_complete

    def _end_of_piece(self) -> int:
        """Where to stop at the latest: where the message may end, because the bytes after it may be the next
        request."""
        if self._is_in_body and self._body_left is not None:
            return min(self._at + self._body_left, len(self._ahead))
        if self._is_in_body and not self._is_in_trailer:
            end = self._end_of_chunks()
            if not self._is_in_trailer:
                return end
        if self._tail:
            seam = (self._tail + self._ahead[self._at : self._at + 3]).find(END)
            if seam >= 0:
                return self._at + seam + len(END) - len(self._tail)
        found = self._ahead.find(END, self._at)
        return len(self._ahead) if found < 0 else found + len(END)

    def _end_of_chunks(self) -> int:
        """Where to stop in a chunked body: before its last chunk, and before an incomplete line.

        No message ends inside the chunks before that point, whatever their content looks like.
        """
        at, line = self._at + self._chunk_left, None
        while self._chunks <= CHUNKS_MAX and (line := CHUNK_LINE.match(self._ahead, at)) and int(line[1], 16):
            self._chunks += 1
            self._head_bytes += line.end() - at
            at = line.end() + int(line[1], 16) + len(b"\r\n")
        end = min(at, len(self._ahead))
        self._chunk_left = at - end
        begun = len(self._ahead) - end if line is None and end == self._at else 0
        if self._chunks > CHUNKS_MAX:
            self._refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {CHUNKS_MAX} chunks.")
            self._refuse()
        elif begun and self._ahead.find(b"\n", end) >= 0:
            self._refuse()  # the line is complete, and is not a line before a chunk
        elif self._is_within(begun):
            self._head_bytes -= begun  # it is counted when it is complete
            self._is_in_trailer = line is not None and end == self._at
        return self._at if self._is_refused else end

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._read_without_upgrade()
        except httptools.HttpParserError:
            self._refuse()

    def _read_without_upgrade(self) -> None:
        """Read the head without the upgrade, after which the parser would not even read the body."""
        line = (
            f"{self.parser.get_method().decode()} ".encode()
            + self.url
            + f" HTTP/{self.parser.get_http_version()}".encode()
        )
        headers = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"\r\n".join((line, *headers)) + END)

    def on_message_begin(self) -> None:
        self._is_in_body = False
        self._single: dict[bytes, bytes] = {}
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_body:  # a trailer is not a header (RFC 9110, 6.5.1)
            return
        name = name.lower()
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        if name in SINGLE:
            if name in self._single:
                raise self._refused(
                    HTTPStatus.BAD_REQUEST, f"The header {name.decode()} must not be repeated."
                )
            self._single[name] = value

    def on_headers_complete(self) -> None:
        self._check_head()
        if self.parser.should_upgrade():
            return
        self._begin()
        self._is_in_body, self._head_bytes = True, 0
        self.since = self.loop.time()

    def _begin(self) -> None:
        """Hand the request to the application."""
        version, url = self.parser.get_http_version(), httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        self.scope |= {
            "method": self.parser.get_method().decode("ascii"),
            "http_version": version,
            "path": self.root_path + path,
            "raw_path": self.root_path.encode("ascii") + url.path,
            "query_string": url.query or b"",
        }
        stays = version != "1.0" and self.parser.should_keep_alive() and not self._connections.are_ending
        self.cycle = AnswerWriter.of(self, keep_alive=stays)
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_left is not None:
            self._body_left -= len(body)
        elif self._body_bytes > body_bytes_max(self._bounds, self.url):
            raise self._too_large()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._is_in_body, self._head_bytes = False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Read the next request. (uvicorn would look at its queue and its timers; we have neither.)"""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if not self._is_in_body:
            self.since = self.loop.time()
        if self._at < len(self._ahead) and not self._is_in_body:
            self._is_queued = True
            self._connections.queue(self)
        else:
            self.flow.is_held = False
            self.flow.resume_reading()
            self._close_if_done()

    def _close_if_done(self) -> None:
        if self._has_ended and not self._is_answering() and not self._is_queued:
            self.transport.close()

    # What is waited for -----------------------------------------------------------------------------

    def waits(self) -> Waits:
        if self.unread_bytes():
            return Waits.READER
        if self._is_refused:
            return Waits.END
        if self._is_in_body:
            return Waits.FILES if is_upload(self.url) else Waits.BODY
        if self._is_answering():
            return Waits.ANSWER
        return Waits.HEAD if self.cycle is None or self._head_bytes else Waits.IDLE

    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def held_bytes(self) -> int:
        return self.unread_bytes() + len(self._ahead) - self._at

    def give_way(self) -> None:
        """End for the sake of another connection: a client within a request learns that it may try again."""
        waits = self.waits()
        if waits in (Waits.BODY, Waits.FILES) or (waits is Waits.HEAD and self._head_bytes):
            self._refusal = refusals.NO_ROOM
            self._connections.see_out(self, self.loop)
            self._refuse()
        elif waits is Waits.IDLE:
            self.transport.close()
        else:
            self.abort()

    def abort(self) -> None:
        self.transport.abort()

    def resume_writing(self) -> None:
        self.unread = 0  # the client has read on
        super().resume_writing()

    def shutdown(self) -> None:
        """End the connection when the current request is answered, or can no longer be."""
        super().shutdown()
        if self.cycle is not None:  # an endless answer, such as the live log, ends itself then
            self.cycle.scope["state"]["is_ending"] = True
        self.loop.call_later(self._bounds.stop_seconds, self.abort)

    # What is refused --------------------------------------------------------------------------------

    def _turn_away(self, data: bytes) -> None:
        """Refuse a request without room once its head has come: a client that still sends might not read the answer."""
        self._head_bytes += len(data)
        seen = self._tail + data
        self._tail = seen[-3:]
        if END in seen or self._head_bytes > self._bounds.head_bytes_max:
            self._refuse()

    def _check_head(self) -> None:
        """Refuse a head that can be read in two ways, and note the length of the body."""
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise self._refused(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"This server speaks HTTP/1.1, not HTTP/{version}."
            )
        if self.parser.get_method() == b"CONNECT":
            raise self._refused(
                HTTPStatus.NOT_IMPLEMENTED, "This server is no proxy: CONNECT is not supported."
            )
        if len(self.headers) > self._bounds.headers_max:
            sentence = f"A request has at most {self._bounds.headers_max} headers."
            raise self._refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
        if b"host" not in self._single and version == "1.1":
            raise self._refused(HTTPStatus.BAD_REQUEST, "The header host is missing.")
        self._check_length(
            self._single.get(b"transfer-encoding"), int(self._single.get(b"content-length", 0)), version
        )

    def _check_length(self, coding: bytes | None, length: int, version: str) -> None:
        if coding is not None and version == "1.0":
            raise self._refused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer-encoding.")
        if coding is not None and coding.strip().lower() != b"chunked":
            raise self._refused(
                HTTPStatus.NOT_IMPLEMENTED, "The only transfer-encoding of a request is chunked."
            )
        if length > body_bytes_max(self._bounds, self.url):
            raise self._too_large()
        self._body_left = None if coding is not None else length
        self._body_bytes = self._chunk_left = self._chunks = 0
        self._is_in_trailer = False

    def _too_large(self) -> ValueError:
        return self._refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"A body has at most {body_bytes_max(self._bounds, self.url)} bytes.",
        )

    def _refused(self, status: HTTPStatus, sentence: str) -> ValueError:
        """Note how to answer. The parser turns exceptions raised inside it into its own errors."""
        self._refusal = (status, sentence)
        return ValueError(sentence)

    def _refuse(self) -> None:
        """Answer with the refusal, unless an answer has already begun, and read nothing more."""
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
        self.transport.write(refusals.answer(status, sentence))
        is_let_go = status == HTTPStatus.SERVICE_UNAVAILABLE and not self._connections.is_seen_out(self)
        if is_let_go or not self.transport.can_write_eof():
            self.transport.close()
            return
        # The client, or `Connections`, closes the connection. Closing it while the client still sends would
        # lose the answer.
        self.transport.write_eof()
        self.since = self.loop.time()
