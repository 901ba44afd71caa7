"""Shares: the cost of a page under a share, at two sizes of a district, and how long an edit takes."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import load, material, sample, servers, tables
from bench.load import Load
from bench.material import DISTRICT, Ready
from bench.processes import ROLLBOOK, measured, rollbook_prints
from bench.sample import PAGE
from bench.tables import Target, number

STUDENTS = (4_000, 40_000)  # with contacts and employees about 10,000 and 100,000 users
WHOLE, SCHOOL, FIELDS = "everything", "half of the schools", "fields withheld"
WITHHELD = ("student.dob", "student.race", "student.gender", "student.location", "contact.phone")
MOST = {SCHOOL: Target("at most", 1.3), FIELDS: Target("at most", 4)}


def measure(seconds: float, repeats: int, sizes: Sequence[int] = STUDENTS) -> None:
    """Print the tables of this part."""
    for students in sizes:
        files = material.generated(students)
        with material.place() as name, ExitStack() as stack:
            whole = material.ready(f"{name}/rollbook.db", files)
            edits: dict[str, float] = {}
            ready = {WHOLE: whole, **{share: _shared(whole, files, share, edits) for share in MOST}}
            running = {
                share: stack.enter_context(servers.serving(one, {"ROLLBOOK_PAGE_CACHE_BYTES": "0"}))
                for share, one in ready.items()
            }
            loads = {share: Load(server.port, [], server.headers) for share, server in running.items()}
            drawn = {share: sample.draw(one) for share, one in loads.items()}
            rates: dict[str, list[float]] = {share: [] for share in running}
            for repeat in range(repeats):
                for share, server in running.items():
                    asked = replace(loads[share], asks=drawn[share].user_pages(PAGE))
                    rates[share].append(load.rates(asked, seconds, repeat, server.meters)[0])
            print(
                f"\n{len(drawn[WHOLE].users):,} users in {len(drawn[WHOLE].students)} "
                f"schools; {repeats} repeats, medians."
            )
            _show(rates, edits, {share: len(one.users) for share, one in drawn.items()})


def _shared(whole: Ready, files: Path, share: str, edits: dict[str, float]) -> Ready:
    """A new application, whose share is edited from everything to this one; notes the seconds of the edit."""
    database = ("--database", whole.database)
    rollbook_prints("application", "create", share, *database)
    made = json.loads(rollbook_prints("connect", share, DISTRICT, *database, "--json"))
    edit = [_half(files)] if share == SCHOOL else ["everything"]
    edit += [word for field in WITHHELD for word in ("--withhold", field)] if share == FIELDS else []
    edits[share] = measured(ROLLBOOK, "share", share, DISTRICT, *edit, *database, "--json").wall_seconds
    return Ready(whole.database, made["access_token"])


def _half(files: Path) -> str:
    """Every second school, by its SIS id."""
    with (files / "schools.csv").open(newline="", encoding="utf-8") as lines:
        return json.dumps({"schools": [row["School_id"] for row in csv.DictReader(lines)][::2]})


def _show(rates: dict[str, list[float]], edits: dict[str, float], users: dict[str, int]) -> None:
    rows = []
    for share, found in rates.items():
        cost = statistics.median(whole / one for whole, one in zip(rates[WHOLE], found, strict=True))
        seconds = f"{edits[share]:.2f}" if share in edits else ""
        rows.append(
            (
                share,
                number(users[share]),
                number(statistics.median(found)),
                number(cost),
                *tables.verdict(cost, MOST.get(share)),
                seconds,
            )
        )
    tables.show(
        "/users?limit=100 under a share",
        ("shared", "users", "answers per CPU-second", "cost", "target", "is", "seconds of the edit"),
        rows,
    )
