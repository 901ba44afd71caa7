"""Hostile clients: how long a normal client waits, and how much memory the server uses, during each attack.

Each attack is a process at its own address, and needs no token. The normal client opens a connection for each
page.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

from bench import load, material, servers, tables
from bench.load import Ask, Load
from bench.processes import family, resident_bytes
from bench.servers import Server
from bench.tables import Target, number

STUDENTS = 2_000
TARGET = Target("at most", 50, " ms")
PATH = "/v3.0/users?limit=100"
# How long a normal client pauses between two requests.
PAUSE_SECONDS = 0.01
CONNECTIONS = 1_500
PIECE = b"a" * 16_384
POST = b"POST /oauth/tokens HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = "/openapi.json"


def measure(seconds: float, students: int = STUDENTS, connections: int = CONNECTIONS) -> None:
    """Print the table of this part."""
    files = material.generated(students)
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", files)
        with servers.serving(ready, {}) as server:
            rows = [_row(server, attack, seconds, connections) for attack in ("nobody", *ATTACKS)]
    print(
        f"\nA page of 100 users by a normal client, for {number(seconds)} seconds of each "
        f"attack; {connections:,} connections."
    )
    tables.show(
        "A normal client beside hostile ones",
        ("attack", "p50, ms", "p99, ms", "answers", "failed", "MB", "target for p99", "is"),
        rows,
    )


def _row(server: Server, attack: str, seconds: float, connections: int) -> tuple[str, ...]:
    with _attacking(server.port, attack, connections):
        times, failed, most = _ask(server, seconds)
    p50, p99 = statistics.median(times) * 1000, sorted(times)[int(len(times) * 0.99)] * 1000
    verdict = tables.verdict(p99, TARGET)
    return (attack, number(p50), number(p99), number(len(times)), str(failed), number(most / 1e6), *verdict)


def _ask(server: Server, seconds: float) -> tuple[list[float], int, int]:
    """How long each request of a normal client took, how many failed, and the server's maximum memory
    meanwhile."""
    times: list[float] = []
    failed, most, end = 0, 0, time.monotonic() + seconds
    pids = family(server.pid)
    while not times or time.monotonic() < end:
        start = time.perf_counter()
        try:
            load.fetch(Load(server.port, [], server.headers), Ask(PATH))
        except (OSError, RuntimeError, HTTPException):
            failed += 1
        times.append(time.perf_counter() - start)
        most = max(most, resident_bytes(pids))
        time.sleep(PAUSE_SECONDS)
    return times, failed, most


@contextlib.contextmanager
def _attacking(port: int, attack: str, connections: int) -> Iterator[None]:
    if attack == "nobody":
        yield
        return
    command = (sys.executable, "-m", "bench.hostile", str(port), attack, str(connections))
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent) as attacker:
        assert attacker.stdout is not None
        attacker.stdout.readline()  # the attack is running
        try:
            yield
        finally:
            attacker.kill()


# The attacks ---------------------------------------------------------------------------------------


def _endless(head: bytes, piece: bytes) -> Callable[[int, int], None]:
    """One connection after another, each with a message that never ends."""

    def attack(port: int, _: int) -> None:
        while True:
            with contextlib.suppress(OSError), _connected(port) as connection:
                connection.sendall(head)
                while True:
                    connection.sendall(piece)
                    time.sleep(0.001)

    return attack


def _silent(head: bytes, drip: bytes) -> Callable[[int, int], None]:
    """Many connections that have sent a beginning and send a few bytes each second; closed ones are opened
    again."""

    def attack(port: int, connections: int) -> None:
        opened: list[socket.socket] = []
        while True:
            if len(opened) < connections:
                with contextlib.suppress(OSError):
                    opened.append(_connected(port))
                    opened[-1].sendall(head)
            elif drip:
                opened = [connection for connection in opened if _goes_on(connection, drip)]
                time.sleep(1)
            else:
                time.sleep(1)

    return attack


def _unread(request: bytes) -> Callable[[int, int], None]:
    """Connections that send requests as fast as the server takes them, and read no answer."""

    def attack(port: int, connections: int) -> None:
        opened: list[socket.socket] = []
        while True:
            if len(opened) < min(connections, 100):
                with contextlib.suppress(OSError):
                    opened.append(_connected(port))
                    opened[-1].setblocking(False)
            opened = [connection for connection in opened if _goes_on(connection, request)]
            time.sleep(0.002)

    return attack


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.2", 0))


def _goes_on(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.send(data)
    except BlockingIOError:
        return True
    except OSError:
        connection.close()
        return False
    return True


GET = f"GET {LARGE} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
ATTACKS: dict[str, Callable[[int, int], None]] = {
    "a header without end": _endless(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", PIECE),
    "a path without end": _endless(b"GET /", PIECE),
    "headers without end": _endless(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n" * 2_000),
    "a body without end": _endless(CHUNKED, b"4000\r\n" + PIECE + b"\r\n"),
    "a chunk of line ends": _endless(b"", CHUNKED + b"100000\r\n" + b"\r\n" * 0x80000 + b"\r\n0\r\n\r\n"),
    "chunks of one byte": _endless(b"", CHUNKED + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n"),
    "a trailer without end": _endless(CHUNKED + b"0\r\nX: ", PIECE),
    "pipelined requests, unread": _unread(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000),
    "large answers, unread": _unread(GET),
    "idle connections": _silent(b"", b""),
    "connections idle after a request": _silent(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "heads that drip": _silent(b"GET / HTTP/1.1\r\nX: ", b"a"),
    "bodies that drip": _silent(POST + b"Content-Length: 1000\r\n\r\n", b"a"),
}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print("begun", flush=True)
    ATTACKS[sys.argv[2]](int(sys.argv[1]), int(sys.argv[3]))
