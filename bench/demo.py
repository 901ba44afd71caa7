"""The demo: the time from start to first page, with and without making its district, and its memory when
idle."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time

from bench import load, tables
from bench.load import Ask, Load
from bench.processes import ROLLBOOK, START_SECONDS, family, free_port, resident_bytes, started
from bench.tables import Target, number
from rollbook.demo.published import DISTRICT_TOKEN

STUDENTS = 1_000
IDLE_SECONDS = 2
MB = 1_000_000


def measure(repeats: int, students: int = STUDENTS) -> None:
    """Print the table of this part."""
    making: list[float] = []
    starting: list[float] = []
    idle: list[float] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="rollbook-bench-") as folder:
            for seconds in (making, starting):
                waited, resident = _start(f"{folder}/demo", students)
                seconds.append(waited)
                idle.append(resident / MB)
    rows = (
        ("seconds to the first 200, district made", statistics.median(making), Target("at most", 3)),
        ("seconds to the first 200, district there", statistics.median(starting), Target("at most", 0.5)),
        ("resident MB, idle", statistics.median(idle), Target("at most", 120)),
    )
    print(f"\nAbout {students:,} students; {repeats} repeats, medians.")
    tables.show(
        "rollbook demo",
        ("what", "figure", "target", "is"),
        ((name, number(figure), *tables.verdict(figure, target)) for name, figure, target in rows),
    )


def _start(folder: str, students: int) -> tuple[float, int]:
    """Start the demo; returns the seconds to its first page, and its memory in bytes after a while."""
    port = free_port()
    start = time.perf_counter()
    with started(
        (ROLLBOOK, "demo", "--students", str(students), "--folder", folder, "--port", str(port))
    ) as pid:
        wait_for_page(Load(port, [], {"Authorization": f"Bearer {DISTRICT_TOKEN}"}))
        waited = time.perf_counter() - start
        time.sleep(IDLE_SECONDS)
        return waited, resident_bytes(family(pid))


def wait_for_page(page: Load, seconds: float = START_SECONDS) -> None:
    """Wait until the demo answers. Errors: TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            load.fetch(page, Ask("/v3.0/users"))
            return
        time.sleep(0.005)
    raise TimeoutError(f"the demo has no page after {seconds} seconds")
