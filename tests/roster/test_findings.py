"""Findings are reported in the order in which to fix them, a few of each code, and all are counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rollbook.contract.clever.columns import FILES
from rollbook.domain.reading_rules import Rules
from rollbook.roster import findings
from rollbook.roster.findings import EXAMPLES, FILE_ORDER, Group, Problems
from rollbook.roster.intake.clever import checks
from rollbook.roster.intake.csv import files
from rollbook.roster.problems import (
    BadDate,
    DuplicateId,
    IgnoredFile,
    MissingFile,
    MissingValue,
    NoStudents,
    Problem,
    UnknownSchool,
    UnknownStudent,
    UnknownTeacher,
    UnknownValue,
    Windows1252,
)
from tests.roster.world import ENROLLMENTS, SCHOOLS, STUDENTS, write

# In the order in which to fix them.
ORDERED: tuple[Problem, ...] = (
    MissingFile("students.csv", value=""),
    MissingFile("sections.csv", value=""),
    MissingValue("schools.csv", 7, "School_name"),
    UnknownSchool("students.csv", 2, "School_id", "ash"),
    DuplicateId("students.csv", 12, "Student_id", "amy"),
    UnknownSchool("students.csv", 12, "School_id", "ash"),
    MissingValue("teachers.csv", 3, "Last_name"),
    UnknownTeacher("sections.csv", 4, "Teacher_id", "lund"),
    NoStudents("sections.csv", 5, "Section_id", "art"),
    UnknownStudent("enrollments.csv", 2, "Student_id", "ben"),
    Windows1252("schools.csv", 9),
    UnknownValue("schools.csv", 9, "Low_grade", "x", "a grade"),
    UnknownValue("students.csv", 2, "Grade", "x", "a grade"),
    UnknownValue("students.csv", 2, "Race", "x", "a race"),
    BadDate("students.csv", 2, "DOB", "x", "a date"),
    IgnoredFile("Schools.csv", value=""),
    IgnoredFile("menu.csv", value=""),
)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        findings.create_table(opened)
        yield opened


def shuffled(problems: tuple[Problem, ...]) -> list[Problem]:
    return random.Random(3).sample(problems, len(problems))


def test_every_file_has_a_place_in_the_order() -> None:
    assert sorted(FILE_ORDER) == sorted(file.name for file in FILES)


def test_errors_stand_before_warnings_and_what_others_depend_on_before_them(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    findings.record(engine, shuffled(ORDERED))
    assert list(ORDERED) == list(Problems(engine, 100))
    assert list(ORDERED[:4]) == list(Problems(engine, 4))
    assert findings.in_order(shuffled(ORDERED)) == ORDERED


def test_findings_in_a_table_and_those_of_a_stop_are_grouped_alike(engine: duckdb.DuckDBPyConnection) -> None:
    findings.record(engine, shuffled(ORDERED))
    assert Problems(engine, 1).groups() == findings.grouped(shuffled(ORDERED))


def test_a_group_counts_all_and_shows_the_first_few(engine: duckdb.DuckDBPyConnection) -> None:
    many = [UnknownStudent("enrollments.csv", row, "Student_id", f"s{row}") for row in range(2, 5_002)]
    findings.record(engine, [*reversed(many), MissingValue("schools.csv", 2, "School_name")])
    first, second = Problems(engine, 1).groups()
    assert first == Group(MissingValue, "schools.csv", 1, (MissingValue("schools.csv", 2, "School_name"),))
    assert second == Group(UnknownStudent, "enrollments.csv", 5_000, tuple(many[:EXAMPLES]))


def test_files_that_nobody_reads_are_one_group_however_many_they_are(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    others = [IgnoredFile(f"other-{number:03}.csv", value="") for number in range(300)]
    findings.record(engine, others)
    assert Problems(engine, 1).groups() == (Group(IgnoredFile, "", 300, tuple(others[:EXAMPLES])),)


def test_what_is_wrong_with_schools_and_students_is_not_buried_under_enrollments(tmp_path: Path) -> None:
    many = "".join(f"ash,algebra,nobody{number}\n" for number in range(500))
    write(
        tmp_path,
        {
            "schools.csv": SCHOOLS + "cedar,,3\n",
            "students.csv": STUDENTS + "cedar,eli,Eli,Eng,4\n",
            "enrollments.csv": ENROLLMENTS + many,
        },
    )
    with closing(files.open_all(tmp_path, memory_limit="256MB")) as tables:
        groups = checks.check(tables, Rules()).groups()
    assert [(group.file, group.problem.code, group.count) for group in groups] == [
        ("schools.csv", "missing-value", 1),
        ("students.csv", "unknown-school", 1),
        ("enrollments.csv", "unknown-student", 500),
    ]
