"""Reading: pages and records of a district of about 100,000 users, from one worker, with the full path of a
request.

Requests go to random places of the district with the answer cache off, so each answer comes from the
database. Requests named "kept" go to a few addresses, whose answers are kept ready. nginx serves files with
the same bytes.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import load, material, sample, servers, tables
from bench.load import Ask, Load
from bench.sample import LARGE_PAGE, PAGE, Sample
from bench.servers import Server
from bench.tables import Target, number

STUDENTS = 40_000  # with contacts and employees about 100,000 users
KEPT_ADDRESSES = 100

USERS, USERS_GZIP, USERS_UNCHANGED = "/users?limit=100", "/users?limit=100, gzip", "/users?limit=100, 304"
FIRST, LAST = "/users, first page", "/users, last page"
FIRST_STUDENTS, LAST_STUDENTS = "/users?role=student, first page", "/users?role=student, last page"
SINGLE, LARGE = "/users/{id}", "/users?limit=10000, records"
SECTION_USERS, SCHOOL_STUDENTS = "/sections/{id}/users", "/schools/{id}/users?role=student&limit=100"
SQLITE, POSTGRESQL, KEPT, NGINX, BARE = "SQLite", "PostgreSQL", "kept", "nginx", "bare"

Rates = dict[
    tuple[str, str], list[list[float]]
]  # by server and request: for each repeat, by each meter of the server


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request. `records` is the number of counted records in an answer."""

    name: str
    asks: list[Ask]
    target: Target | None = None
    records: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


def measure(seconds: float, repeats: int, students: int = STUDENTS) -> None:
    """Print the tables of this part."""
    files = material.generated(students)
    with material.place() as name, ExitStack() as stack:
        in_file = material.ready(f"{name}/rollbook.db", files)
        in_server = material.ready(stack.enter_context(servers.postgresql()), files)
        running = {
            SQLITE: stack.enter_context(servers.serving(in_file, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"})),
            POSTGRESQL: stack.enter_context(servers.serving(in_server, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"})),
            KEPT: stack.enter_context(servers.serving(in_file, {})),
        }
        drawn = {name: sample.draw(_load(server)) for name, server in running.items()}
        jobs = [(name, row) for name in (SQLITE, POSTGRESQL) for row in _rows(drawn[name], running[name])]
        jobs += [(KEPT, row) for row in _kept_rows(drawn[KEPT], running[KEPT])]
        if shutil.which("nginx"):
            bodies = [load.fetch(_load(running[KEPT]), ask)[0] for ask in _few(drawn[KEPT])]
            running[NGINX] = stack.enter_context(servers.nginx(Path(name) / "nginx", bodies))
            jobs.append((NGINX, Row(USERS, [Ask(f"/{number}.json") for number in range(KEPT_ADDRESSES)])))
        asks = {USERS: _few(drawn[KEPT]), SINGLE: drawn[KEPT].single_users()[:KEPT_ADDRESSES]}
        for number, (request, few) in enumerate(asks.items()):
            bodies = [load.fetch(_load(running[KEPT]), ask)[0] for ask in few]
            server = stack.enter_context(servers.bare(Path(name) / f"bare{number}", bodies))
            running[f"{BARE} {number}"] = server
            jobs.append(
                (f"{BARE} {number}", Row(request, [Ask(f"/{number}.json") for number in range(len(few))]))
            )
        rates = _rates(running, jobs, seconds, repeats)
        print(f"\n{len(drawn[SQLITE].users):,} users in {len(drawn[SQLITE].students)} schools,")
        print(f"{repeats} repeats of {seconds:.0f} seconds for each row, medians.")
        _show_reads(running[SQLITE], [row for name, row in jobs if name == SQLITE], rates)
        _show_beside_sqlite(rates)
        _show_beside_bare(rates)
        _show_beside_nginx(rates)
        _show_last_pages(rates)


def _load(server: Server, row: Row | None = None) -> Load:
    return Load(server.port, row.asks if row else [], {**server.headers, **(row.headers if row else {})})


def _rates(
    running: Mapping[str, Server], jobs: Iterable[tuple[str, Row]], seconds: float, repeats: int
) -> Rates:
    """Measure every row once, then every row again: other load on the machine then affects all rows."""
    rates: Rates = {}
    for repeat in range(repeats):
        for name, row in jobs:
            server = running[name]
            found = load.rates(_load(server, row), seconds, repeat, server.meters)
            rates.setdefault((name, row.name), []).append([rate * row.records for rate in found])
    return rates


# What is asked -------------------------------------------------------------------------------------


def _rows(drawn: Sample, server: Server) -> list[Row]:
    pages = drawn.user_pages(PAGE)
    students = f"/v3.0/users?role=student&limit={PAGE}"
    return [
        Row(USERS, pages, Target("at least", 3_500)),
        Row(USERS_GZIP, pages, headers={"Accept-Encoding": "gzip"}),
        Row(USERS_UNCHANGED, _held(pages[:KEPT_ADDRESSES], server)),
        Row(
            LARGE,
            drawn.user_pages(LARGE_PAGE),
            Target("at least", 900_000),
            records=LARGE_PAGE,
        ),
        Row(FIRST, [Ask(f"/v3.0/users?limit={PAGE}")]),
        Row(LAST, [Ask(f"/v3.0/users?limit={PAGE}&ending_before=last")]),
        Row(FIRST_STUDENTS, [Ask(students)]),
        Row(LAST_STUDENTS, [Ask(f"{students}&ending_before=last")]),
        Row(SINGLE, drawn.single_users(), Target("at least", 8_000)),
        Row(SECTION_USERS, drawn.section_users(), Target("at least", 2_000)),
        Row(SCHOOL_STUDENTS, drawn.school_students(), Target("at least", 2_000)),
    ]


def _kept_rows(drawn: Sample, server: Server) -> list[Row]:
    few = _few(drawn)
    return [
        Row(USERS, few),
        Row(USERS_GZIP, few, headers={"Accept-Encoding": "gzip"}),
        Row(USERS_UNCHANGED, _held(few, server)),
        Row(SINGLE, drawn.single_users()[:KEPT_ADDRESSES]),
    ]


def _few(drawn: Sample) -> list[Ask]:
    return drawn.user_pages(PAGE)[:KEPT_ADDRESSES]


def _held(asks: Iterable[Ask], server: Server) -> list[Ask]:
    """The same requests from a client that holds their answers."""
    return [replace(ask, etag=load.fetch(_load(server), ask)[1]) for ask in asks]


# What is shown -------------------------------------------------------------------------------------


def _show_reads(server: Server, rows: Iterable[Row], rates: Rates) -> None:
    tables.show(
        "Answers per CPU-second of the server, from the store",
        ("request", "KB", "SQLite", "PostgreSQL", "PostgreSQL's own CPU", "target for SQLite", "is"),
        (
            (
                row.name,
                number(_body_bytes(server, row) / 1000),
                number(_median(rates[SQLITE, row.name])),
                number(_median(rates[POSTGRESQL, row.name])),
                number(_median(rates[POSTGRESQL, row.name], meter=1)),
                *tables.verdict(_median(rates[SQLITE, row.name]), row.target),
            )
            for row in rows
        ),
    )


def _show_beside_sqlite(rates: Rates) -> None:
    requests = (USERS, FIRST, LAST, SINGLE, SECTION_USERS, SCHOOL_STUDENTS)
    tables.show(
        "What an answer from PostgreSQL costs a worker, one from SQLite being 1",
        ("request", "times SQLite's CPU", "target", "is"),
        (
            (request, number(times), *tables.verdict(times, target if request == USERS else None))
            for target in [Target("at most", 2.0)]
            for request in requests
            for times in [_median_ratio(rates[SQLITE, request], rates[POSTGRESQL, request])]
        ),
    )


def _show_beside_bare(rates: Rates) -> None:
    pages, records = (f"{BARE} 0", USERS), (f"{BARE} 1", SINGLE)
    rows = (
        ("page of 100, kept", (KEPT, USERS), pages, Target("at most", 2.2)),
        ("page of 100, 304", (KEPT, USERS_UNCHANGED), pages, None),
        ("page of 100, from SQLite", (SQLITE, USERS), pages, Target("at most", 4.5)),
        ("record, kept", (KEPT, SINGLE), records, None),
        ("record, from SQLite", (SQLITE, SINGLE), records, Target("at most", 2.4)),
    )
    tables.show(
        "What an answer costs beside a bare ASGI answer of the same bytes on the same server",
        ("answer", "per CPU-second", "bare, per CPU-second", "times a bare one", "target", "is"),
        (
            (
                name,
                number(_median(rates[own])),
                number(_median(rates[bare])),
                number(times := _median_ratio(rates[bare], rates[own])),
                *tables.verdict(times, target),
            )
            for name, own, bare, target in rows
        ),
    )


def _show_beside_nginx(rates: Rates) -> None:
    rows = (
        ("from the store", SQLITE, USERS, Target("at least", 10, " %")),
        ("from the store, gzip", SQLITE, USERS_GZIP, None),
        ("from the store of PostgreSQL", POSTGRESQL, USERS, None),
        ("kept", KEPT, USERS, Target("at least", 30, " %")),
        ("kept, gzip", KEPT, USERS_GZIP, None),
        ("304", KEPT, USERS_UNCHANGED, None),
        ("nginx", NGINX, USERS, None),
    )
    tables.show(
        f"{USERS} beside nginx that serves files of the same bytes",
        ("answers", "per CPU-second", "of nginx", "target", "is"),
        (
            (
                name,
                number(_median(rates[server, request])),
                *_part(rates, (server, request), (NGINX, USERS), target),
            )
            for name, server, request, target in rows
            if (server, request) in rates
        ),
    )


def _part(
    rates: Rates, of: tuple[str, str], whole: tuple[str, str], target: Target | None
) -> tuple[str, str, str]:
    if whole not in rates:
        return "", str(target or ""), "not measured" if target else ""
    part = 100 * _median_ratio(rates[of], rates[whole])
    return f"{number(part)} %", *tables.verdict(part, target)


def _show_last_pages(rates: Rates) -> None:
    target = Target("at most", 1.05)
    lists = (("/users", FIRST, LAST), ("/users?role=student", FIRST_STUDENTS, LAST_STUDENTS))
    cost = {
        (name, server): _median_ratio(rates[server, first], rates[server, last])
        for name, first, last in lists
        for server in (SQLITE, POSTGRESQL)
    }
    tables.show(
        "What the last page of a list costs, its first page being 1",
        ("list", "SQLite", "PostgreSQL", "target", "is"),
        (
            (
                name,
                number(cost[name, SQLITE]),
                number(cost[name, POSTGRESQL]),
                *tables.verdict(cost[name, SQLITE], target),
            )
            for name, *_ in lists
        ),
    )


def _median(repeats: Iterable[list[float]], meter: int = 0) -> float:
    return statistics.median(rates[meter] for rates in repeats)


def _median_ratio(some: Iterable[list[float]], others: Iterable[list[float]]) -> float:
    """The median of the ratios within each repeat."""
    return statistics.median(one[0] / other[0] for one, other in zip(some, others, strict=True))


def _body_bytes(server: Server, row: Row) -> float:
    asks = [replace(ask, etag="") for ask in row.asks[:20]]
    return (
        0
        if "304" in row.name
        else statistics.mean(len(load.fetch(_load(server, row), ask)[0]) for ask in asks)
    )
