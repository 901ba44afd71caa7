"""A night finds for each view what making all views anew finds: the same digests and the same changes.

Random nights of a small district, under shares of each sort. The second look is in the same engine, before the commit.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC
from rollbook.roster.views import diff, projection, roster_changes
from rollbook.store.district import districts
from rollbook.store.district.districts import timestamp
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.sync import How, nightly, stages
from rollbook.synthetic import writer

STUDENTS, NIGHTS = 50, 4
FOUND = (
    "FROM all_digests ORDER BY ALL",
    "SELECT * FROM changes ORDER BY ALL",
)


def test_a_night_finds_what_making_all_views_anew_finds(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = setting_rows.read({}, database="unused", key_file=str(tmp_path / "key"))
    random, chosen = Random(7), []

    def twice(engine: DuckDBPyConnection, *given: Any, **more: Any) -> float:
        moment = stages.compare(engine, *given, **more)
        chosen.append(engine.execute("SELECT count(DISTINCT view) FROM candidates").fetchall()[0][0])
        found = [engine.execute(found).fetchall() for found in FOUND]
        district, before = given[1], given[2]
        for table in ("digests", "changes", "after", "followed"):
            engine.execute(f"DELETE FROM {table}")
        for view in before.views:
            projection.build(engine, view.number, district.id, view.spec)
        diff.between(engine, [view.number for view in before.views], timestamp(moment))
        anew = [engine.execute(found).fetchall() for found in FOUND]
        assert [[*set(some) ^ set(others)] for some, others in zip(found, anew, strict=True)] == [[], []]
        assert found == anew
        return moment

    monkeypatch.setattr(nightly, "compare", twice)
    # So many records differ that the sync would make all.
    monkeypatch.setattr(roster_changes, "SHARE_MAX", 1.0)
    district = districts.create(database, "Ash")
    for night in range(NIGHTS):
        files = tmp_path / str(night)
        files.mkdir()
        writer.write(files, students=STUDENTS, seed=3, day=night)
        _mix(files, random)
        how = How(is_approved=True, name="Ash", moment=time.time() + 86_400 * night)
        assert sync.run(database, district, files, settings, how=how).state == "committed"
        if night == 0:
            for spec in _specs(files):
                sync.view_of(database, district, spec, settings)
    # On the first nights another program or none has made the snapshot.
    assert chosen[2:] == [11] * (NIGHTS - 2)


def _specs(files: Path) -> list[Spec]:
    with (files / "schools.csv").open(newline="", encoding="utf-8") as lines:
        schools = [row["School_id"] for row in csv.DictReader(lines)]
    without = tuple(scope for scope in SECURE_SYNC if scope not in ("read:teachers", "read:student_contacts"))
    grades = {
        "kind": "student",
        "where": [["grade", "equals any of", "1", "2", "5", "9"]],
        "with": ["sections"],
    }
    return [
        Spec(share=shares.parse({"schools": schools[:1]})),
        Spec(share=shares.parse({"schools": schools[:1]}), keeps_ids=True),
        Spec(withheld=("student.dob", "student.race", "contact.phone")),
        Spec(withheld=("contact.email", "section.ext")),
        Spec(SECURE_SYNC, unasked=("student.name", "teacher.ext", "school.ext")),
        Spec(without),
        Spec(share=shares.parse({"rules": [grades]})),
        # It shows more than the whole view, so it follows the roster's rows.
        Spec((*SECURE_SYNC, "read:ell_status"), sensitive=("student.ell_status",)),
        Spec(
            (*SECURE_SYNC, "read:ell_status"),
            shares.parse({"rules": [grades]}),
            sensitive=("student.ell_status",),
        ),
        Spec(tuple(scope for scope in SECURE_SYNC if scope != "read:sections")),
        # It is made in full.
        Spec(
            tuple(scope for scope in SECURE_SYNC if scope != "read:sections"),
            shares.parse({"schools": schools[:1]}),
        ),
    ]


def _mix(files: Path, random: Random) -> None:
    """Let some rows vanish, and some cells have the value of another row, in every file."""
    for path in sorted(files.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as lines:
            header, *rows = csv.reader(lines)
        rows = [row for row in rows if path.name == "schools.csv" or random.random() > 0.03]
        for row in rows:
            if random.random() < 0.05:
                place = random.randrange(len(header))
                row[place] = random.choice(rows)[place]
        with path.open("w", newline="", encoding="utf-8") as lines:
            csv.writer(lines).writerows([header, *rows])
