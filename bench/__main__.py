"""The benchmark: `make bench`, or `make bench BENCH=pages` for one part; prints Markdown tables.

Everything runs on this machine, on 127.0.0.1. Figures are medians; ratios compare values of one run.
docs/benchmarks.md explains each row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    backups,
    console_pages,
    crowds,
    demo,
    history,
    hostile,
    many_districts,
    many_shares,
    pages,
    reading,
    request_log,
    sftp_uploads,
    sharing,
    sso,
    syncs,
    tables,
)

PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "pages": lambda options: pages.measure(
        options.seconds, options.repeats, options.students or pages.STUDENTS
    ),
    "log": lambda options: request_log.measure(
        options.seconds, options.repeats, options.students or request_log.STUDENTS
    ),
    "sync": lambda options: syncs.measure(options.students or syncs.STUDENTS, options.repeats),
    "history": lambda options: history.measure(
        options.seconds, options.repeats, options.students or history.STUDENTS
    ),
    "sharing": lambda options: sharing.measure(
        options.seconds, options.repeats, _sizes(options) or sharing.STUDENTS
    ),
    "shares": lambda options: many_shares.measure(
        options.students or many_shares.STUDENTS, options.repeats, options.seconds
    ),
    "sso": lambda options: sso.measure(options.seconds, options.repeats, options.students or sso.STUDENTS),
    "demo": lambda options: demo.measure(options.repeats, options.students or demo.STUDENTS),
    "client": lambda options: reading.measure(options.repeats, options.students or reading.STUDENTS),
    "hostile": lambda options: hostile.measure(
        options.seconds, options.students or hostile.STUDENTS, options.connections
    ),
    "crowd": lambda options: crowds.measure(
        options.seconds, options.students or crowds.STUDENTS, min(options.connections, crowds.PULLS)
    ),
    "backup": lambda options: backups.measure(options.seconds, options.students or backups.STUDENTS),
    "uploads": lambda options: sftp_uploads.measure(
        options.megabytes, min(options.districts or sftp_uploads.DISTRICTS, sftp_uploads.DISTRICTS)
    ),
    "night": lambda options: many_districts.measure(
        options.students or many_districts.STUDENTS, options.districts or many_districts.DISTRICTS
    ),
    "console": lambda options: console_pages.measure(
        options.repeats, options.students or console_pages.STUDENTS
    ),
    "search": lambda options: console_pages.measure_search(
        options.repeats, options.students or console_pages.MILLION
    ),
    "sync-million": lambda options: syncs.measure(options.students or syncs.MILLION, repeats=1),
}
DEFAULT = ("pages", "log", "sync", "history", "sharing", "sso", "demo", "client", "hostile")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Rollbook; see docs/benchmarks.md."
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: all but shares and the last seven",
    )
    parser.add_argument(
        "--seconds", type=float, default=2, help="how long each row of pages is asked for, in each repeat"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="how often everything is measured; medians are shown"
    )
    parser.add_argument(
        "--students", type=int, help="another size of the districts, from 50; default: each part's own"
    )
    parser.add_argument("--connections", type=int, default=hostile.CONNECTIONS, help="of a hostile client")
    parser.add_argument("--districts", type=int, help="of a night or of uploads; default: 300 and 50")
    parser.add_argument(
        "--megabytes", type=int, default=sftp_uploads.LARGE_MB, help="of the large file of uploads"
    )
    options = parser.parse_args(arguments)
    parts = options.parts or DEFAULT
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no part is called {unknown[0]!r}; expected some of {', '.join(PARTS)}")
    if not Path("/proc/self/stat").exists():
        sys.exit("The benchmark reads CPU and memory from /proc: it runs on Linux only.")
    given = sys.argv[1:] if arguments is None else arguments
    tables.show_machine(f"python -m bench {' '.join(given)}".strip())
    for part in parts:
        print(f"\n## {part}")
        PARTS[part](options)


def _sizes(options: argparse.Namespace) -> tuple[int, ...]:
    return (options.students,) if options.students else ()


if __name__ == "__main__":
    main()
