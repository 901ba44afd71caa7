"""Many applications at once: what one reader of single records waits for, while others pull a whole district.

Each application has its own token and connection, and asks for the next page as soon as it has one.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import material, overload, servers, tables
from bench.processes import family, resident_bytes
from bench.servers import Server
from bench.tables import Target, number
from rollbook import settings as setting_rows
from rollbook.operations import connecting, registering
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.opening import opened

STUDENTS = 20_000
PULLS = 50
PAGE = "/v3.0/users?limit=10000"
# How long the reader pauses between two requests.
PAUSE_SECONDS = 0.01
TIMEOUT_SECONDS = 120
TARGET = Target("at most", 1_000, " ms")


@dataclass
class Seen:
    """What happened in one phase: the reader's times, the statuses of all answers, memory at most."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    peak_bytes: int = 0


def measure(seconds: float, students: int = STUDENTS, pulls: int = PULLS) -> None:
    """Print the table of this part."""
    files = material.generated(students)
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", files)
        tokens = _tokens(ready.database, pulls)
        with servers.serving(ready, {}) as server:
            single = _single(server)
            quiet = _beside(server, single, _waiting(seconds))
            begun = time.perf_counter()
            with _pulling(server, tokens) as threads:
                crowded = _beside(server, single, threads)
            took = time.perf_counter() - begun
            after = _beside(server, single, _waiting(seconds))
    print(
        f"\n{pulls} applications pull {students:,} students at once, in pages of 10,000, in {number(took)} seconds."
    )
    phases = (("nobody pulls", quiet), (f"{pulls} pulls", crowded), ("afterwards", after))
    tables.show(
        "A reader of single records beside full pulls",
        ("phase", "p50, ms", "p99, ms", "answers", "429", "failed", "MB", "target for p99", "is"),
        [_row(phase, seen) for phase, seen in phases],
    )
    _overload(seconds, students)


def _overload(seconds: float, students: int) -> None:
    """Print the table of a server that is asked for twice as much as it can answer. It keeps no answers ready."""
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", material.generated(students))
        with servers.serving(ready, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}) as server:
            overload.measure(server, _single(server), max(seconds, 1))


def _row(phase: str, seen: Seen) -> tuple[str, ...]:
    times = sorted(1000 * each for each in seen.times)
    p99 = times[int(len(times) * 0.99)]
    failed = seen.statuses.total() - seen.statuses[200] - seen.statuses[429]
    figures = (
        statistics.median(times),
        p99,
        seen.statuses[200],
        seen.statuses[429],
        failed,
        seen.peak_bytes / 1e6,
    )
    return (phase, *(number(figure) for figure in figures), *tables.verdict(p99, TARGET))


def _tokens(database: str, count: int) -> list[str]:
    """The tokens of new applications that see everything."""
    settings = setting_rows.read(os.environ, database=database)
    with opened(settings) as store:
        made = [registering.register(store, NewApplication(f"Puller {at}"))[0].name for at in range(count)]
        return [connecting.connect(store, settings, name, material.DISTRICT).token for name in made]


def _single(server: Server) -> str:
    """The path of one record."""
    with _connected(server) as connection:
        _, body = _ask(connection, "/v3.0/users?limit=1", server.headers["Authorization"])
    return f"/v3.0/users/{json.loads(body)['data'][0]['data']['id']}"


def _waiting(seconds: float) -> list[threading.Thread]:
    thread = threading.Thread(target=time.sleep, args=(seconds,))
    thread.start()
    return [thread]


def _beside(server: Server, path: str, threads: Sequence[threading.Thread]) -> Seen:
    """Read one record again and again until all threads have ended."""
    seen, pids = Seen(), family(server.pid)
    with _connected(server) as connection:
        while not seen.times or any(thread.is_alive() for thread in threads):
            begun = time.perf_counter()
            status, _ = _ask(connection, path, server.headers["Authorization"])
            seen.times.append(time.perf_counter() - begun)
            seen.statuses[status] += 1
            seen.peak_bytes = max(seen.peak_bytes, resident_bytes(pids))
            time.sleep(PAUSE_SECONDS)
    for thread in threads:
        seen.statuses.update(getattr(thread, "statuses", {}))
    return seen


class _Pull(threading.Thread):
    """One application's pull of all users."""

    def __init__(self, server: Server, token: str) -> None:
        super().__init__()
        self.server, self.token = server, token
        self.statuses = Counter[int]()

    def run(self) -> None:
        path: str | None = PAGE
        with _connected(self.server) as connection:
            while path:
                status, body = _ask(connection, path, f"Bearer {self.token}")
                self.statuses[status] += 1
                if status == 200:
                    # The links stand after the records, so a page need not be decoded.
                    links = json.loads(b"{" + body[body.rindex(b'"links":') :])["links"]
                    path = next((link["uri"] for link in links if link["rel"] == "next"), None)
                elif status == 429:
                    time.sleep(1)
                else:
                    return


@contextmanager
def _pulling(server: Server, tokens: Sequence[str]) -> Iterator[list[_Pull]]:
    pulls = [_Pull(server, token) for token in tokens]
    for pull in pulls:
        pull.start()
    yield pulls
    for pull in pulls:
        pull.join()


@contextmanager
def _connected(server: Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str, authorization: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers={"Authorization": authorization})
    answer = connection.getresponse()
    return answer.status, answer.read()
