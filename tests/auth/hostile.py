"""A sign-in service that is slow, large or broken on purpose, over real sockets.

Each test sets the bytes for each path.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Send = Callable[[socket.socket], None]


@dataclass
class Hostile:
    """A hostile service.

    `answers` has the bytes for each path, or functions that send them; `asked` lists the requested paths in
    order.
    """

    address: str
    answers: dict[str, bytes | Send] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            path = line.recv(65_536).split(b" ")[1].decode()
            self.asked.append(path)
            sent = self.answers[path]
            if isinstance(sent, bytes):
                line.sendall(sent)
            else:
                sent(line)


def ok(body: bytes, *headers: str) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def drip(start: bytes, piece: bytes, pause: float = 0.05) -> Send:
    """Send a beginning, then a small piece again and again, while the client listens."""

    def send(line: socket.socket) -> None:
        line.sendall(start)
        while True:
            time.sleep(pause)
            line.sendall(piece)

    return send


@contextmanager
def hostile() -> Iterator[Hostile]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        service = Hostile(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def accept() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listening.accept()
                    threading.Thread(target=service.answer, args=(line,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield service
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
