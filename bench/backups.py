"""A backup while a server serves: how long it takes, and how long a reader waits meanwhile; and its restore.

The restore compares every table with the digests of the backup.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench import history, material, sample, servers, tables
from bench.load import Load
from bench.processes import ROLLBOOK, Outcome, measured
from bench.tables import Target, number

STUDENTS = 100_000
MB = 1_000_000


def measure(seconds: float, students: int) -> None:
    """Print the tables of this part."""
    with material.place() as name:
        ready = material.ready(f"{name}/rollbook.db", material.generated(students))
        done: list[Outcome] = []
        with servers.serving(ready, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}) as server:
            drawn = sample.draw(Load(server.port, (), server.headers))
            quiet = history.latencies(server, drawn, lambda: time.sleep(seconds * 2))
            command = (ROLLBOOK, "backup", f"{name}/backup.db", "--database", ready.database)
            busy = history.latencies(server, drawn, lambda: done.append(measured(*command)))
        restoring = ("restore", f"{name}/backup.db", "--database", f"{name}/restored.db")
        done.append(measured(ROLLBOOK, *restoring))
        size = Path(name, "backup.db").stat().st_size
    print(f"\n{students:,} students; a backup of {number(size / MB)} MB.")
    rows = [
        (title, f"{each.wall_seconds:.2f}", f"{each.cpu_seconds:.2f}", number(each.peak_bytes / MB))
        for title, each in zip(("backup", "restore, checked by digests"), done, strict=True)
    ]
    tables.show("A backup and its restore", ("what", "seconds", "CPU seconds", "peak MB"), rows)
    history.show_latencies(quiet, "while a backup is written", busy, Target("at most", 2))
