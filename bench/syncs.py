"""Syncing: wall time and peak memory of a first sync, of the same files again, and with 1 % of the students
changed.

For comparison, DuckDB only parses the same files as text, in its own process and in the same repeat.
"""

from __future__ import annotations

import csv
import statistics
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from bench import material, tables
from bench.material import DISTRICT
from bench.processes import ROLLBOOK, Outcome, measured, rollbook_prints
from bench.tables import Target, number

STUDENTS, MILLION = 100_000, 1_000_000
CHANGED_SHARE = 100  # one in so many students
PARSED, FIRST, SAME, AGAIN, CHANGED = (
    "DuckDB parses the files",
    "first sync",
    "the same files again",
    "all the work again (`--again`)",
    "1 % of the students changed",
)
MB = 1_000_000

PARSE = """
import sys, time, duckdb
start = time.perf_counter()
engine = duckdb.connect()
engine.execute("SET enable_progress_bar = false")  # it is drawn on stdout, before the figure
for number, path in enumerate(sys.argv[1:]):
    engine.execute(f"CREATE TABLE file_{number} AS FROM read_csv(?, all_varchar = true, header = true)", [path])
print(time.perf_counter() - start)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in each repeat: seconds, how many bare parses that is, and peak memory in bytes."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    parses: list[float] = field(default_factory=list)
    peak_bytes: list[float] = field(default_factory=list)

    def add(self, seconds: float, outcome: Outcome, parse_seconds: float) -> None:
        self.seconds.append(seconds)
        self.cpu_seconds.append(outcome.cpu_seconds)
        self.parses.append(seconds / parse_seconds)
        self.peak_bytes.append(outcome.peak_bytes)


def measure(students: int, repeats: int) -> None:
    """Print the table of this part."""
    files = material.generated(students)
    changed = material.variant(files, "changed", change)
    steps = {name: Step() for name in (PARSED, FIRST, SAME, AGAIN, CHANGED)}
    for _ in range(repeats):
        with material.place() as name:
            database = f"{name}/rollbook.db"
            rollbook_prints("district", "create", DISTRICT, "--database", database)
            for step, folder in ((FIRST, files), (SAME, files), (AGAIN, files), (CHANGED, changed)):
                parsed = measured(sys.executable, "-c", PARSE, *map(str, sorted(folder.glob("*.csv"))))
                parse_seconds = float(parsed.output)
                steps[PARSED].add(parse_seconds, parsed, parse_seconds)
                more = ("--again",) if step == AGAIN else ()
                synced = measured(
                    ROLLBOOK, "sync", DISTRICT, str(folder), "--database", database, "--json", *more
                )
                steps[step].add(synced.wall_seconds, synced, parse_seconds)
            stored_bytes = Path(database).stat().st_size
    lines = {path.name: _lines(path) for path in files.glob("*.csv")}
    files_bytes = sum(path.stat().st_size for path in files.glob("*.csv"))
    print(
        f"\n{students:,} students, {lines['enrollments.csv']:,} enrollments, "
        f"{sum(lines.values()):,} lines in all;"
    )
    print(f"files of {number(files_bytes / MB)} MB, a database of {number(stored_bytes / MB)} MB at the end;")
    print(f"{repeats} repeats, medians.")
    _show(steps, Target("at most", 1_500 if students >= MILLION else 1_000))


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def change(before: Path, after: Path) -> None:
    """Write the files with one student in a hundred renamed and removed from one section."""
    for path in before.glob("*.csv"):
        with (
            path.open(newline="", encoding="utf-8") as source,
            (after / path.name).open("w", newline="", encoding="utf-8") as target,
        ):
            rows = csv.DictReader(source)
            writer = csv.DictWriter(target, rows.fieldnames or ())
            writer.writeheader()
            left: set[str] = set()
            for row in rows:
                student = row.get("Student_id", "")
                if student and zlib.crc32(student.encode()) % CHANGED_SHARE == 0:
                    if path.name == "enrollments.csv" and student not in left:
                        left.add(student)
                        continue
                    if path.name == "students.csv":
                        row["Last_name"] = f"{row['Last_name']}-Moore"
                writer.writerow(row)


def _show(steps: dict[str, Step], megabytes: Target) -> None:
    parses = Target("at most", 15)
    rows = []
    for name, step in steps.items():
        seconds, cpu_seconds, times, peak = map(
            statistics.median, (step.seconds, step.cpu_seconds, step.parses, step.peak_bytes)
        )
        targets = (
            ("", "")
            if name == PARSED
            else (f"{parses}, {megabytes} MB", f"{parses.verdict(times)}, {megabytes.verdict(peak / MB)}")
        )
        rows.append(
            (name, f"{seconds:.2f}", f"{cpu_seconds:.2f}", f"{times:.1f}", number(peak / MB), *targets)
        )
    tables.show("Syncing", ("step", "seconds", "CPU seconds", "bare parses", "peak MB", "target", "is"), rows)
