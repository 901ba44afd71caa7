"""Many shares: the size of a database and the cost of a night, with twenty distinct shares and with none."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from bench import material, syncs, tables
from bench.material import DISTRICT
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
SIZE, NIGHT = Target("at most", 3), Target("at most", 2)


def measure(students: int, repeats: int) -> None:
    """Print the table of this part."""
    files, each = material.generated(students), min(SHARES, -(-students // 100))
    changed = material.variant(files, "changed", syncs.change)
    with material.place() as name:
        one, many = Path(name) / "one.db", Path(name) / "many.db"
        material.ready(str(one), files)
        shutil.copyfile(one, many)
        for place, arguments in enumerate(_shares(files, each)):
            _share(str(many), f"Share {place}", arguments)
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
    _show(students, 2 * each, sizes[many] / sizes[one], sizes[one], costs[one], costs[many])


def _shares(files: Path, each: int) -> Iterator[list[str]]:
    """The arguments of `rollbook share`: half of the schools, each time other ones, then a field withheld."""
    with (files / "schools.csv").open(newline="", encoding="utf-8") as lines:
        schools = [row["School_id"] for row in csv.DictReader(lines)]
    for first in range(each):
        half = [school for place, school in enumerate(schools) if (place + first) % SHARES < SHARES // 2]
        yield [json.dumps({"schools": half or schools[:1]})]
    for field in WITHHELD[:each]:
        yield ["everything", "--withhold", field]


def _share(database: str, name: str, arguments: list[str]) -> None:
    rollbook_prints("application", "create", name, "--database", database)
    rollbook_prints("connect", name, DISTRICT, "--database", database)
    rollbook_prints("share", name, DISTRICT, *arguments, "--database", database, "--json")


def _show(
    students: int, shares: int, size: float, size_of_one: int, one: list[float], many: list[float]
) -> None:
    cost = statistics.median(with_shares / alone for alone, with_shares in zip(one, many, strict=True))
    rows = [
        ("database, MB", number(size_of_one / 1e6), number(size), *tables.verdict(size, SIZE)),
        (
            "a night with 1 % changed, CPU seconds",
            number(statistics.median(one)),
            number(cost),
            *tables.verdict(cost, NIGHT),
        ),
    ]
    tables.show(
        f"{shares} distinct shares of {students:,} students, beside one view",
        ("of", "one view", "with the shares, times one view's", "target", "is"),
        rows,
    )
