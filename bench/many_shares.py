"""Many shares: the size of a database, the cost of a night and of a page, with twenty distinct shares and with none."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import load, material, sample, servers, syncs, tables
from bench.load import Load
from bench.material import DISTRICT, Ready
from bench.processes import ROLLBOOK, measured, rollbook_prints
from bench.tables import Target, number

STUDENTS = 20_000
# Of schools and of fields each; a district of fewer students has fewer.
SHARES = 10
WITHHELD = (
    *("student.dob", "student.race", "student.gender", "student.location", "contact.phone"),
    *(
        "student.hispanic_ethnicity",
        "student.graduation_year",
        "student.grade",
        "student.ext",
        "contact.email",
    ),
)
SIZE, NIGHT, PAGE = Target("at most", 3), Target("at most", 2), Target("at most", 1.3)
PAGE_SIZE = 100


def measure(students: int, repeats: int, seconds: float) -> None:
    """Print the table of this part."""
    files, each = material.generated(students), min(SHARES, -(-students // 100))
    changed = material.variant(files, "changed", syncs.change)
    with material.place() as name:
        one, many = Path(name) / "one.db", Path(name) / "many.db"
        whole = material.ready(str(one), files)
        shutil.copyfile(one, many)
        tokens = [
            _share(str(many), f"Share {place}", arguments)
            for place, arguments in enumerate(_shares(files, each))
        ]
        # The first night after a change of the program makes every view in full.
        sizes = {database: database.stat().st_size for database in (one, many)}
        costs: dict[Path, list[float]] = {one: [], many: []}
        for repeat in range(repeats):
            for database, found in costs.items():
                copied = database.with_name(f"{repeat}.db")
                shutil.copyfile(database, copied)
                night = measured(ROLLBOOK, "sync", DISTRICT, str(changed), "--database", str(copied))
                found.append(night.cpu_seconds)
                copied.unlink()
        rates = pages(Ready(str(many), whole.token), tokens, seconds, repeats)
    _show(students, 2 * each, sizes[many] / sizes[one], sizes[one], costs[one], costs[many], rates)


def pages(ready: Ready, tokens: Sequence[str], seconds: float, repeats: int) -> list[float]:
    """Pages that the server answers in a CPU second: for the token of everything, then for each other one. It keeps none
    ready, so each is cut from the store."""
    every = [ready.token, *tokens]
    found: list[list[float]] = [[] for _ in every]
    with servers.serving(ready, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}) as server:
        asks = sample.draw(Load(server.port, [], server.headers)).user_pages(PAGE_SIZE)
        for repeat in range(repeats):
            for token, rates in zip(every, found, strict=True):
                asked = Load(server.port, asks, {"Authorization": f"Bearer {token}"})
                rates.append(load.rates(asked, seconds, repeat, server.meters)[0])
    return [statistics.median(rates) for rates in found]


def _shares(files: Path, each: int) -> Iterator[list[str]]:
    """The arguments of `rollbook share`: half of the schools, each time other ones, then a field withheld."""
    with (files / "schools.csv").open(newline="", encoding="utf-8") as lines:
        schools = [row["School_id"] for row in csv.DictReader(lines)]
    for first in range(each):
        half = [school for place, school in enumerate(schools) if (place + first) % SHARES < SHARES // 2]
        yield [json.dumps({"schools": half or schools[:1]})]
    for field in WITHHELD[:each]:
        yield ["everything", "--withhold", field]


def _share(database: str, name: str, arguments: list[str]) -> str:
    """Connect an application that sees a share; returns its token."""
    rollbook_prints("application", "create", name, "--database", database)
    made = json.loads(rollbook_prints("connect", name, DISTRICT, "--database", database, "--json"))
    rollbook_prints("share", name, DISTRICT, *arguments, "--database", database, "--json")
    return str(made["access_token"])


def _show(
    students: int,
    shares: int,
    size: float,
    size_of_one: int,
    one: list[float],
    many: list[float],
    rates: list[float],
) -> None:
    slowest = rates[0] / min(rates[1:])
    cost = statistics.median(with_shares / alone for alone, with_shares in zip(one, many, strict=True))
    rows = [
        ("database, MB", number(size_of_one / 1e6), number(size), *tables.verdict(size, SIZE)),
        (
            "a night with 1 % changed, CPU seconds",
            number(statistics.median(one)),
            number(cost),
            *tables.verdict(cost, NIGHT),
        ),
        (
            "a page of 100 from the server, CPU ms; under the slowest share",
            f"{1000 / rates[0]:.2f}",
            number(slowest),
            *tables.verdict(slowest, PAGE),
        ),
    ]
    tables.show(
        f"{shares} distinct shares of {students:,} students, beside one view",
        ("of", "one view", "with the shares, times one view's", "target", "is"),
        rows,
    )
