"""The cost of the request log and of JSON lines for a page read: a worker's CPU per answer, with and without them, in
turns."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from itertools import product

from bench import load, material, pages, sample, servers, tables
from bench.load import Load
from bench.sample import PAGE
from bench.servers import Server
from bench.tables import Target, number

Settings = dict[str, str]

STUDENTS = 2_000
# What is measured: its name, the settings with it and without it, and the target.
COSTS: tuple[tuple[str, Settings, Settings, Target], ...] = (
    ("the request log", {}, {"ROLLBOOK_REQUEST_LOG_ROWS_MAX": "0"}, Target("at most", 3, " %")),
    ("JSON lines", {"ROLLBOOK_LOG_FORMAT": "json"}, {}, Target("at most", 2, " %")),
)
PAGES: tuple[tuple[str, Settings], ...] = (
    ("from SQLite", {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}),
    ("kept ready", {}),
)
# Many short turns: other load on the machine then affects both sides.
TURNS = 5
# Two processes of one program differ by some percent for as long as they live, so several pairs are measured.
PAIRS = 3


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print the table of this part."""
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", material.generated(students))
        rows = []
        for (what, with_it, without, target), (title, page) in product(COSTS, PAGES):
            found: list[list[float]] = [[], []]
            for _ in range(PAIRS):
                with ExitStack() as running:
                    pair = [
                        running.enter_context(servers.serving(ready, page | more))
                        for more in (with_it, without)
                    ]
                    _measure(pair, seconds, repeats, found)
            rows.append((what, title, target, *_costs(found)))
    tables.show(
        f"What the request log and JSON lines cost a page of {PAGE}: answers per CPU-second of a worker, medians",
        ("what", "page", "with", "without", "cost", "target", "is"),
        (
            (what, title, number(logged), number(plain), f"{cost:.1f} %", *tables.verdict(cost, target))
            for what, title, target, logged, plain, cost in rows
        ),
    )


def _measure(pair: list[Server], seconds: float, repeats: int, found: list[list[float]]) -> None:
    """Add the answers per CPU second of a server with and of one without, in turns."""
    asks = sample.draw(Load(pair[0].port, [], pair[0].headers)).user_pages(PAGE)[: pages.KEPT_ADDRESSES]
    for repeat in range(TURNS * repeats):
        order = (0, 1) if repeat % 2 else (1, 0)
        for place in order:
            server = pair[place]
            [rate] = load.rates(Load(server.port, asks, server.headers), seconds / 2, repeat, server.meters)
            found[place].append(rate)


def _costs(found: list[list[float]]) -> tuple[float, float, float]:
    """The medians of both, and what it costs in percent."""
    ratios = [plain / logged for logged, plain in zip(*found, strict=True)]
    return statistics.median(found[0]), statistics.median(found[1]), 100 * (statistics.median(ratios) - 1)
