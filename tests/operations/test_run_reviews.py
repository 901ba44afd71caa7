"""Guesses of the cause of a hold, from the rows of the run's changes and from its report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from rollbook.operations import run_reviews
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import run_changes
from rollbook.store.records.commits import Run


@pytest.fixture
def district(small_database: Database) -> District:
    return districts.create(small_database, "Springfield")


def guesses(
    database: Database,
    district: District,
    rows: Iterable[tuple[str, str, str, str, str]],
    kinds: Mapping[str, tuple[int, int, int]],
    groups: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """The guesses for a run that changes rows of (verb, kind, name, school, grade), and has counts of each kind:
    existing, created, deleted."""
    with database.write() as transaction:
        transaction.run("DELETE FROM changed_records")
        transaction.insert(
            "changed_records",
            run_changes.COLUMNS,
            [
                (district.number, 2, verb, kind, f"id{place}", f"sis{place}", name, school, grade)
                for place, (verb, kind, name, school, grade) in enumerate(rows)
            ],
        )
    counts = {
        kind: {"existing": existing, "created": created, "deleted": deleted}
        for kind, (existing, created, deleted) in kinds.items()
    }
    run = Run(
        2, "files", "held", "2026-11-30T00:00:00.000Z", {"kinds": counts, "problem_groups": list(groups)}
    )
    with database.read() as transaction:
        return run_reviews.guesses(transaction, district, run)


def gone(
    count: int, school: str = "", grade: str = "", kind: str = "students"
) -> list[tuple[str, str, str, str, str]]:
    return [("deleted", kind, f"Pupil {number}", school, grade) for number in range(count)]


def come(count: int, name: str) -> list[tuple[str, str, str, str, str]]:
    return [("created", "students", f"{name} {number}", "", "") for number in range(count)]


SCHOOLS = [("deleted", "schools", "Oak Elementary", "", ""), ("updated", "schools", "Elm High", "", "")]
ERRORS = [
    {"severity": "warning", "file": "students.csv", "title": "Bad phone", "count": 900},
    {"severity": "error", "file": "teachers.csv", "title": "No name", "count": 900},
    {"severity": "error", "file": "students.csv", "title": "Value missing", "count": 10},
    {"severity": "error", "file": "students.csv", "title": "School not in schools.csv", "count": 30},
]


@pytest.mark.parametrize(
    ("rows", "kinds", "groups", "expected"),
    [
        ([*gone(40), *come(40, "Pupil")], {"students": (100, 40, 40)}, (), "Their ids may have changed: 40 of the 40"),
        ([*gone(99), *come(90, "Other")], {"students": (100, 90, 99)}, (), "those of another district: 99 of 100"),
        ([*gone(40, "id0"), *SCHOOLS], {"students": (100, 0, 40)}, (), "One school may be missing: 40 of the 40"),
        ([*gone(40, "", "7")], {"students": (100, 0, 40)}, (), "40 of the 40 students who would be deleted are in grade 7."),
        ([*gone(40, "", "12")], {"students": (100, 0, 40)}, (), "grade 12. At the end of a school year that is right."),
        ([*gone(40)], {"students": (100, 0, 40)}, (), "students.csv may be cut off: it has 60 of the 100 students"),
        ([*gone(40, kind="sections")], {"sections": (100, 0, 40)}, (), "the run before, and nothing new."),
        (gone(40), {"students": (100, 0, 40)}, ERRORS, "40 rows of students.csv were rejected, most of them for “School"),
    ],
    ids=["ids", "district", "school", "grade", "last grade", "cut off", "sections", "rejected"],
)  # fmt: skip
def test_a_cause_is_guessed(
    small_database: Database,
    district: District,
    rows: list[tuple[str, str, str, str, str]],
    kinds: dict[str, tuple[int, int, int]],
    groups: list[dict[str, Any]],
    expected: str,
) -> None:
    [guess] = guesses(small_database, district, rows, kinds, groups)
    assert re.search(re.escape(expected), guess), guess


def test_another_district_is_guessed_once(small_database: Database, district: District) -> None:
    kinds = {"students": (100, 100, 100), "teachers": (50, 50, 50)}
    [guess] = guesses(small_database, district, [], kinds)
    assert "another district: 100 of 100 students would go" in guess


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ([*gone(5, "", "7"), *come(1, "New")], {"students": (100, 1, 5)}),
        ([*gone(5)], {"students": (100, 0, 5)}),
        ([], {"students": (100, 9, 0)}),
        ([], {}),
    ],
    ids=["few", "a small part", "nobody goes", "no counts"],
)
def test_where_nothing_speaks_for_a_cause_none_is_guessed(
    small_database: Database,
    district: District,
    rows: list[tuple[str, str, str, str, str]],
    kinds: dict[str, tuple[int, int, int]],
) -> None:
    assert guesses(small_database, district, rows, kinds) == []
