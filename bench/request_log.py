"""The cost of the request log for a page read: a worker's CPU per answer, with and without the log, in
turns."""

from __future__ import annotations

import statistics
from contextlib import ExitStack

from bench import load, material, pages, sample, servers, tables
from bench.load import Load
from bench.sample import PAGE
from bench.servers import Server
from bench.tables import Target, number

STUDENTS = 2_000
WITHOUT = {"ROLLBOOK_REQUEST_LOG_ROWS_MAX": "0"}
TARGET = Target("at most", 3, " %")
# Many short turns: other load on the machine then affects both sides.
TURNS = 5


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print the table of this part."""
    with material.place() as name, ExitStack() as stack:
        ready = material.ready(f"{name}/rollbook.db", material.generated(students))
        rows = []
        for title, settings in (("from SQLite", {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}), ("kept ready", {})):
            pair = [stack.enter_context(servers.serving(ready, settings | more)) for more in ({}, WITHOUT)]
            rows.append((title, *_costs(pair, seconds, repeats)))
    tables.show(
        f"What the request log costs a page of {PAGE}: answers per CPU-second of a worker, medians",
        ("page", "with", "without", "cost", "target", "is"),
        (
            (title, number(logged), number(plain), f"{cost:.1f} %", *tables.verdict(cost, TARGET))
            for title, logged, plain, cost in rows
        ),
    )


def _costs(pair: list[Server], seconds: float, repeats: int) -> tuple[float, float, float]:
    """Answers per CPU second with and without the log, and the cost of the log in percent, in turns."""
    asks = sample.draw(Load(pair[0].port, [], pair[0].headers)).user_pages(PAGE)[: pages.KEPT_ADDRESSES]
    found: list[list[float]] = [[], []]
    for repeat in range(TURNS * repeats):
        order = (0, 1) if repeat % 2 else (1, 0)
        for place in order:
            server = pair[place]
            [rate] = load.rates(Load(server.port, asks, server.headers), seconds / 2, repeat, server.meters)
            found[place].append(rate)
    ratios = [plain / logged for logged, plain in zip(*found, strict=True)]
    return statistics.median(found[0]), statistics.median(found[1]), 100 * (statistics.median(ratios) - 1)
