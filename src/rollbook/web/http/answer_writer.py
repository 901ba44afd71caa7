"""Write one answer on a connection: the application's messages as HTTP/1.1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Self

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from rollbook.web.http.answers import DROPPED, Header

LINE_END = b"\r\n"
# The bytes that a header may hold: no control characters, with which a value could begin another header (RFC
# 9110, 5.5).
IN_HEADERS = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
WITHOUT_BODY = (204, 304)


class AnswerWriter(RequestResponseCycle):
    """uvicorn's cycle of a request and its answer, except that the head is checked and written as one block.

    uvicorn searches each header for each forbidden character, which costs more than making a page.
    """

    @classmethod
    def of(cls, protocol: HttpToolsProtocol, *, keep_alive: bool) -> Self:
        """The cycle for the request that a protocol has read."""
        return cls(
            scope=protocol.scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=protocol.access_log,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=protocol.expect_100_continue,
            keep_alive=keep_alive,
            on_response=protocol.on_response_complete,
        )

    async def send(self, message: Any) -> None:
        if self.response_started or message["type"] != "http.response.start":
            await super().send(message)
            return
        if message["status"] == DROPPED:
            self.disconnected = self.response_complete = True
            self.transport.abort()
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            head = self._head(message["status"], [*self.default_headers, *message.get("headers", ())])
            self.response_started, self.waiting_for_100_continue = True, False
            self.transport.write(head)

    def _head(self, status: int, headers: list[Header]) -> bytes:
        """The status line and the headers. Errors: RuntimeError if a header holds a control character."""
        block = LINE_END.join(map(b": ".join, headers))
        if block.translate(None, IN_HEADERS) != LINE_END * (len(headers) - 1):
            raise RuntimeError("Invalid HTTP header.")
        return STATUS_LINE[status] + block + LINE_END + self._framing(status, headers) + LINE_END

    def _framing(self, status: int, headers: Iterable[Header]) -> bytes:
        """Decide how the end of the body is marked, and return the headers that are missing for it."""
        named, more = dict(headers), b""
        if (length := named.get(b"content-length")) is not None:
            self.chunked_encoding, self.expected_content_length = False, int(length)
        elif named.get(b"transfer-encoding", b"").lower() == b"chunked":
            self.chunked_encoding = True
        elif self.scope["method"] != "HEAD" and status not in WITHOUT_BODY:
            self.chunked_encoding = True
            more = b"transfer-encoding: chunked\r\n"
        if b"close" in named.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            more += b"connection: close\r\n"
        return more
