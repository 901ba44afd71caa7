"""Twice the load at which a server saturates: what clients get, and how soon it answers as before.

Requests come at fixed times, however slow the answers are, each on a connection of its own. First as fast as a few
clients get answers: that is the rate at which the server saturates. Then twice as many, for some seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from bench import tables
from bench.servers import Server
from bench.tables import Target, number

# What is asked for: it costs the server more than the client.
PAGE = "/v3.0/users?limit=1000"
CLIENTS = 8
TIMEOUT_SECONDS = 60
# How long to wait for the server to answer as before, and how slow an answer may then be, of the slowest quiet one.
AFTER_SECONDS, NORMAL = 20.0, 2.0
PROBES = 20
FAILED = 0
# Clients come from addresses of their own: one address may have half of all connections.
ADDRESSES = cycle([f"127.0.1.{place}" for place in range(1, 51)])


@dataclass
class Told:
    """The answers under load: how many of each status, those without Retry-After that should have one, and their times."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry: int = 0
    times: list[float] = field(default_factory=list)


def measure(server: Server, path: str, seconds: float) -> None:
    """Print the table of this part. `path` is a single record, for the reader before and after."""
    asyncio.run(_measure(server, path, seconds))


async def _measure(server: Server, path: str, seconds: float) -> None:
    quiet = [await _timed(server, path, Told()) for _ in range(PROBES)]
    rate = await _saturated(server, seconds)
    told = Told()
    asked = await _at_rate(server, 2 * rate, seconds, told)
    normal = await _until_normal(server, path, NORMAL * max(quiet))
    await asyncio.gather(*asked)
    refused = told.statuses[429] + told.statuses[503] - told.without_retry
    failed = told.statuses.total() - told.statuses[200] - refused
    tables.show(
        "Twice the load at which it saturates",
        (
            *("saturates at, answers a second", "asked", "200", "429 or 503 with Retry-After", "slowest, s"),
            *("failed", "target", "is", "as before after, s", "target", "is"),
        ),
        [
            (
                *(number(rate), number(told.statuses.total()), number(told.statuses[200]), number(refused)),
                *(number(max(told.times)), number(failed), *tables.verdict(failed, Target("at most", 0))),
                *(f"{normal:.2f}", *tables.verdict(normal, Target("at most", 5, " s"))),
            )
        ],
    )


async def _saturated(server: Server, seconds: float) -> float:
    """How many answers a second a few clients get that ask again as soon as they have one."""
    told, begun = Told(), time.perf_counter()

    async def ask() -> None:
        while time.perf_counter() - begun < seconds:
            await _timed(server, PAGE, told)

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return told.statuses[200] / (time.perf_counter() - begun)


async def _at_rate(server: Server, rate: float, seconds: float, told: Told) -> list[asyncio.Task[float]]:
    """Ask at fixed times; returns the requests, of which some have no answer yet."""
    begun, asked = time.perf_counter(), []
    for place in range(max(1, int(rate * seconds))):
        wait = begun + place / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        asked.append(asyncio.create_task(_timed(server, PAGE, told)))
    return asked


async def _until_normal(server: Server, path: str, most: float) -> float:
    """Seconds until the server answers a few requests in a row as fast as before the load."""
    begun, fast = time.perf_counter(), 0
    while fast < PROBES and time.perf_counter() - begun < AFTER_SECONDS:
        fast = fast + 1 if await _timed(server, path, Told()) <= most else 0
    return time.perf_counter() - begun


async def _timed(server: Server, path: str, told: Told) -> float:
    """Ask once, on a connection of its own; returns the seconds until the answer was complete."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            head = await _head(server, path)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        head = [b"failed"]
    status = int(head[0].split()[1]) if head[0].startswith(b"HTTP/") else FAILED
    told.statuses[status] += 1
    if status in (429, 503):
        told.without_retry += not any(line.lower().startswith(b"retry-after:") for line in head)
    told.times.append(time.perf_counter() - begun)
    return told.times[-1]


async def _head(server: Server, path: str) -> Sequence[bytes]:
    """The lines of an answer's head, once its body has come to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(next(ADDRESSES), 0))
    try:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept-Encoding: gzip", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in server.headers.items()]
        writer.write("\r\n".join((*lines, "", "")).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        [length] = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
        await reader.readexactly(length)
        return head
    finally:
        writer.close()
