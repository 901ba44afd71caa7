"""Load on a server: the same requests repeated in random order, by wrk or, without it, by our own threads.

A measurement is the number of answers per CPU second of the server, so the client's speed does not matter.
But the client must keep the server busy, because an idle server would pay for waiting.
"""

from __future__ import annotations

import http.client
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import TICKS_PER_SECOND

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 8
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its path with the query, and the ETag of the answer that the client already holds."""

    path: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to one server; each has `headers`."""

    port: int
    asks: Sequence[Ask]
    headers: Mapping[str, str]


def rates(load: Load, seconds: float, seed: int, meters: Sequence[Callable[[], float]]) -> list[float]:
    """Answers per CPU second by each meter, which returns the CPU seconds that a server has used so far."""
    before = [meter() for meter in meters]
    answers = drive(load, seconds, seed)
    # A meter counts in ticks; less than one tick counts as one.
    return [
        answers / max(meter() - start, 1 / TICKS_PER_SECOND)
        for meter, start in zip(meters, before, strict=True)
    ]


def drive(load: Load, seconds: float, seed: int) -> int:
    """Send requests for some seconds; returns the number of answers.

    Errors: RuntimeError if one was refused.
    """
    answered, failed = (_by_wrk if has_wrk() else _by_threads)(load, seconds, seed)
    if failed or not answered:
        raise RuntimeError(f"{failed} of {answered} requests like {load.asks[0].path} failed")
    return answered


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def fetch(load: Load, ask: Ask) -> tuple[bytes, str]:
    """One answer: its body and its ETag. Errors: RuntimeError if its status is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=GRACE_SECONDS)
    try:
        status, body, etag = _exchange(connection, load, ask)
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"{ask.path} was answered with {status}")
    return body, etag


def _by_wrk(load: Load, seconds: float, seed: int) -> tuple[int, int]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lines:
        lines.writelines(f"{ask.path}\t{ask.etag}\n" for ask in load.asks)
        lines.flush()
        headers = [f"-H{name}: {value}" for name, value in load.headers.items()]
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, seconds):.0f}", f"-s{SCRIPT}", *headers]
        address = f"http://127.0.0.1:{load.port}"
        done = subprocess.run(
            [*command, address, "--", lines.name, str(seed)],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=seconds + GRACE_SECONDS,
        )
    found = re.search(r"answered (\d+) failed (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said nothing of use: {done.stdout}")
    return int(found[1]), int(found[2])


def _by_threads(load: Load, seconds: float, seed: int) -> tuple[int, int]:
    counts: list[tuple[int, int]] = []
    end = time.monotonic() + seconds

    def ask_until_end(number: int) -> None:
        chance, connection = (
            random.Random(f"{seed} {number}"),
            http.client.HTTPConnection("127.0.0.1", load.port),
        )
        answered = failed = 0
        # On a busy machine the time may be over before a client begins; each asks once at least.
        while not answered or time.monotonic() < end:
            status, _, _ = _exchange(connection, load, chance.choice(load.asks))
            answered, failed = answered + 1, failed + (status not in (200, 304))
        connection.close()
        counts.append((answered, failed))

    threads = [threading.Thread(target=ask_until_end, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered for answered, _ in counts), sum(failed for _, failed in counts)


def _exchange(connection: http.client.HTTPConnection, load: Load, ask: Ask) -> tuple[int, bytes, str]:
    held = {"If-None-Match": ask.etag} if ask.etag else {}
    connection.request("GET", ask.path, headers={**load.headers, **held})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers.get("etag", "")
