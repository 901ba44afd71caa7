"""The cost of the request log and of JSON lines for a page read: a worker's CPU per answer, with and without them, in
turns. Most of the cost is in threads, whose part is exact; the whole cost moves by some percent from run to run."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from itertools import product

from bench import load, material, pages, sample, servers, tables
from bench.load import Load
from bench.processes import side_seconds
from bench.sample import PAGE
from bench.servers import Server
from bench.tables import Target, number

Settings = dict[str, str]

STUDENTS = 2_000
# What is measured: its name, the settings with it and without it, and the target.
COSTS: tuple[tuple[str, Settings, Settings, Target | None], ...] = (
    # The same program twice: what the measurement itself finds.
    ("nothing", {}, {}, None),
    ("the request log", {}, {"ROLLBOOK_REQUEST_LOG_ROWS_MAX": "0"}, Target("at most", 3, " %")),
    ("JSON lines", {"ROLLBOOK_LOG_FORMAT": "json"}, {}, Target("at most", 2, " %")),
)
PAGES: tuple[tuple[str, Settings], ...] = (
    ("from SQLite", {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}),
    ("kept ready", {}),
)
# Many short turns: other load on the machine then affects both sides.
TURNS = 5
# Two processes of one program differ by some percent for as long as they live, so several pairs are measured. Each of
# both starts first in half of them.
PAIRS = 4


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print the table of this part."""
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", material.generated(students))
        rows = []
        for (what, with_it, without, target), (title, page) in product(COSTS, PAGES):
            found: list[list[float]] = [[], [], []]
            for place in range(PAIRS):
                with ExitStack() as running:
                    both = (with_it, without)[:: 1 if place % 2 else -1]
                    pair = [running.enter_context(servers.serving(ready, page | more)) for more in both]
                    if not place % 2:
                        pair.reverse()
                    _measure(pair, seconds, repeats, found)
            rows.append((what, title, target, *_costs(found)))
    tables.show(
        f"What the request log and JSON lines cost a page of {PAGE}: answers per CPU-second of a worker, medians",
        ("what", "page", "with", "without", "in threads", "cost", "target", "is"),
        (
            (
                what,
                title,
                number(logged),
                number(plain),
                f"{side:.1f} %",
                f"{cost:.1f} %",
                *tables.verdict(cost, target),
            )
            for what, title, target, logged, plain, side, cost in rows
        ),
    )


def _measure(pair: list[Server], seconds: float, repeats: int, found: list[list[float]]) -> None:
    """Add the answers per CPU second of a server with and of one without, in turns, and what threads take of the CPU of
    the one with, more than of the other, in percent."""
    # Drawn from both: what a server has read before changes its memory, and so what later answers cost.
    drawn = [sample.draw(Load(server.port, [], server.headers)).user_pages(PAGE) for server in pair]
    asks = drawn[0][: pages.KEPT_ADDRESSES]
    before = [(server.meters[0](), side_seconds(server.pid)) for server in pair]
    for repeat in range(TURNS * repeats):
        order = (0, 1) if repeat % 2 else (1, 0)
        for place in order:
            server = pair[place]
            [rate] = load.rates(Load(server.port, asks, server.headers), seconds / 2, repeat, server.meters)
            found[place].append(rate)
    shares = [
        100 * (side_seconds(server.pid) - side) / (server.meters[0]() - whole)
        for server, (whole, side) in zip(pair, before, strict=True)
    ]
    found[2].append(shares[0] - shares[1])


def _costs(found: list[list[float]]) -> tuple[float, float, float, float]:
    """The medians of both, and what it costs in percent: in threads, and in all."""
    logged, plain, sides = found
    ratios = [one / other for one, other in zip(plain, logged, strict=True)]
    medians = statistics.median(logged), statistics.median(plain), statistics.median(sides)
    return *medians, 100 * (statistics.median(ratios) - 1)
