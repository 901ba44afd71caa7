"""History: what a pinned page and a page of events cost compared with a plain page, and reads during a
commit.

A pull begins, then a sync commits, so that the next pages show the state before it. The first sync changes 1
% of the students, the second one is a new school year, with nearly every record changed. Events are those of
the two syncs.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import load, material, sample, servers, tables
from bench.load import Ask, Load
from bench.material import APPLICATION, DISTRICT, SEED
from bench.processes import ROLLBOOK, rollbook_prints
from bench.sample import LARGE_PAGE, PAGE, Sample
from bench.servers import Server
from bench.syncs import change
from bench.tables import Target, number

STUDENTS = 40_000  # with contacts and employees about 100,000 users
YEAR_ON = 400

PLAIN, PINNED, ROLLED = "plain", "pinned, 1 % changed since", "pinned, a new school year since"
EVENTS = "/events?limit=100"
SIZES = {"/users?limit=100": PAGE, "/users?limit=10000": LARGE_PAGE}

Rates = dict[tuple[str, str], float]


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print the tables of this part."""
    files = material.generated(students)
    changed = material.variant(files, "changed", change)
    year_on = material.variant(files, "year-on", _year_on)
    with material.place() as name, ExitStack() as stack:
        ready = material.ready(f"{name}/rollbook.db", files)
        rollbook_prints("application", "set", APPLICATION, "--events", "--database", ready.database)
        server = stack.enter_context(servers.serving(ready, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}))
        drawn = sample.draw(_load(server))
        quiet = latencies(server, drawn, lambda: time.sleep(seconds * 2))
        rates: Rates = {}
        _pages(server, drawn, PLAIN, seconds, repeats, rates)
        _begin(server)
        busy = latencies(server, drawn, lambda: _sync(ready.database, changed))
        _pages(server, drawn, PINNED, seconds, repeats, rates)
        _sync(ready.database, year_on)
        _pages(server, drawn, ROLLED, seconds, repeats, rates)
        rates[PLAIN, EVENTS] = _rate(server, _event_pages(server), seconds, repeats)
    print(
        f"\n{len(drawn.users):,} users; {repeats} repeats of {seconds:.0f} seconds for "
        "each row, medians; SQLite."
    )
    _show_pages(rates)
    show_latencies(quiet, "while a sync runs and commits", busy, Target("at most", 2))


def _year_on(before: Path, after: Path) -> None:
    """Write the files of the same district one school year later."""
    students = before.name.split("-")[0]
    rollbook_prints(
        "generate", str(after), "--students", students, "--seed", str(SEED), "--day", str(YEAR_ON)
    )


def _sync(database: str, files: Path) -> None:
    command = (ROLLBOOK, "sync", DISTRICT, str(files), "--approve", "--json", "--database", database)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _load(server: Server, asks: Sequence[Ask] = ()) -> Load:
    return Load(server.port, asks, server.headers)


# Pages ---------------------------------------------------------------------------------------------


def _begin(server: Server) -> None:
    """Begin a pull of the users: the next pages show this state."""
    load.fetch(_load(server), Ask("/v3.0/users?limit=1"))


def _pages(server: Server, drawn: Sample, state: str, seconds: float, repeats: int, rates: Rates) -> None:
    for name, size in SIZES.items():
        rates[state, name] = _rate(server, drawn.user_pages(size), seconds, repeats)


def _rate(server: Server, asks: Sequence[Ask], seconds: float, repeats: int) -> float:
    found = [load.rates(_load(server, asks), seconds, repeat, server.meters)[0] for repeat in range(repeats)]
    return statistics.median(found)


def _event_pages(server: Server) -> list[Ask]:
    """Full pages from random places of the feed."""
    ids = [event["id"] for event in sample.records(_load(server), "events")]
    return [Ask(f"/v3.0/events?limit={PAGE}&starting_after={id_}") for id_ in ids[:-PAGE:37] or ids[:1]]


def _show_pages(rates: Rates) -> None:
    pinned, events = Target("at most", 1.3), Target("at most", 1.2)
    plain = rates[PLAIN, "/users?limit=100"]
    rows = [
        (name, state, number(rates[state, name]), f"{cost:.2f}", *tables.verdict(cost, pinned))
        for name in SIZES
        for state in (PINNED, ROLLED)
        for cost in [rates[PLAIN, name] / rates[state, name]]
    ]
    cost = plain / rates[PLAIN, EVENTS]
    rows.append(
        (EVENTS, "the feed", number(rates[PLAIN, EVENTS]), f"{cost:.2f}", *tables.verdict(cost, events))
    )
    tables.show(
        "What a page costs, a plain page of users being 1",
        ("request", "state", "answers per CPU-second", "costs", "target", "is"),
        rows,
    )


# Reading while a sync commits ------------------------------------------------------------------------


def latencies(server: Server, drawn: Sample, until: Callable[[], None]) -> list[float]:
    """Milliseconds of each answer of one reader, who continues until something is done."""
    taken: list[float] = []
    done = threading.Event()
    asks = drawn.user_pages(PAGE)

    def read() -> None:
        connection, turn = http.client.HTTPConnection("127.0.0.1", server.port), 0
        while not done.is_set():
            start = time.perf_counter()
            connection.request("GET", asks[turn % len(asks)].path, headers=dict(server.headers))
            connection.getresponse().read()
            taken.append(1000 * (time.perf_counter() - start))
            turn += 1
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    until()
    done.set()
    reader.join()
    return taken


def show_latencies(quiet: Sequence[float], meanwhile: str, busy: Sequence[float], target: Target) -> None:
    """Print how long a reader waits when all is quiet, and while something else goes on."""
    rows = []
    for name, taken in (("quiet", quiet), (meanwhile, busy)):
        times = _p99(taken) / _p99(quiet)
        verdict = ("", "") if taken is quiet else tables.verdict(times, target)
        rows.append(
            (
                name,
                f"{len(taken):,}",
                f"{statistics.median(taken):.2f}",
                f"{_p99(taken):.2f}",
                f"{times:.2f}",
                *verdict,
            )
        )
    tables.show(
        "Answers to one reader, in milliseconds",
        ("reading", "answers", "median", "p99", "times the quiet p99", "target", "is"),
        rows,
    )


def _p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]
