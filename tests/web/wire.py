"""A server on its own port that reports the requests it read, and raw bytes sent to it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn

from rollbook.settings import Settings
from rollbook.web import server
from rollbook.web.app import App
from rollbook.web.data.api import Receive, Scope, Send

# How long a test waits for an answer; far more than it ever takes.
PATIENCE_SECONDS = 30


@dataclass
class Wire:
    """A running server: its port, and each request that its application has read, as (method, path, body)."""

    port: int = 0
    read: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    begun: int = 0
    answer: bytes | None = None  # in place of the path and body
    more: list[tuple[bytes, bytes]] = field(default_factory=list)  # additional headers of each answer
    pause: threading.Event = field(default_factory=threading.Event)
    server: uvicorn.Server | None = None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole request, and answer its path and body."""
        self.begun += 1
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.read.append((scope["method"], scope["path"], body))
        self.headers.append(dict(scope["headers"]))
        while not self.pause.is_set():
            await asyncio.sleep(0.01)
        answer = b"%s <%s>" % (scope["path"].encode(), body) if self.answer is None else self.answer
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(answer)), *self.more],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def say(self, *segments: bytes) -> list[tuple[int, str]]:
        """Send segments one after another, then end; returns the status and body of each answer."""
        with closing(self.connect()) as connection:
            try:
                for segment in segments:
                    connection.sendall(segment)
                    if len(segments) > 1:
                        time.sleep(0.0005)  # otherwise the kernel may join two segments
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # the server has refused the first part, and closed
                pass
            return answers(read_all(connection))

    def statuses(self, request: bytes) -> list[int]:
        """Send bytes, then end; returns the status of each answer, with any body."""
        with closing(self.connect()) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return [
                int(status)
                for status in re.findall(rb"(?:^|[^\n\r]|\r\n\r\n)HTTP/1\.1 (\d{3}) ", read_all(connection))
            ]

    def connections(self) -> set[Any]:
        """The connections that are open now."""
        assert self.server
        return set(self.server.server_state.connections)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS, (source, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def read_all(connection: socket.socket) -> bytes:
    """All bytes until the server closes."""
    got = b""
    while True:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


def answers(got: bytes) -> list[tuple[int, str]]:
    """The status and body of each answer in a connection's bytes; for an error, its sentence."""
    found = []
    while got:
        head, _, rest = got.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        length = next(
            (int(text.split(":")[1]) for text in lines if text.lower().startswith("content-length:")), 0
        )
        body, got = rest[:length].decode(), rest[length:]
        status = int(line.split()[1])
        found.append((status, body if status < 400 else sentence(body)))
    return found


def sentence(body: str) -> str:
    """The sentence of an error, whose body has it under both keys."""
    told: dict[str, Any] = json.loads(body)
    assert told == {"message": told["message"], "error": told["message"]}
    return str(told["message"])


@contextmanager
def serving(app: App | None = None, /, **settings: Any) -> Iterator[Wire]:
    """A server as `rollbook serve` runs it, with this application or one that reports what it read."""
    wire = Wire()
    wire.pause.set()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire.port = listening.getsockname()[1]
        options = server.uvicorn_options(replace(Settings(), **settings))
        if app is None:
            options["lifespan"] = "off"  # the application of the wire answers requests alone
        running = wire.server = uvicorn.Server(uvicorn.Config(app or wire.app, **options))
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        _wait(lambda: running.started or not thread.is_alive())
        assert running.started, "the server ended before it served"
        yield wire
        running.should_exit = True
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the server does not stop"


def _wait(is_so: Any) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "what was waited for did not come"
        time.sleep(0.005)


def pieces(message: bytes, size: int) -> Sequence[bytes]:
    return [message[at : at + size] for at in range(0, len(message), size)]
