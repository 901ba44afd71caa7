"""The problems of a sync one by one: in order, with the row as far as a report may quote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake import row_texts
from rollbook.roster.intake.clever import checks
from rollbook.roster.intake.csv import files
from rollbook.roster.intake.row_texts import Told
from rollbook.roster.problems import NOT_SHOWN
from tests.roster.world import ENROLLMENTS, FILES, STUDENTS, write

BAD = STUDENTS + "cedar,eli,Eli,Eng,4\n"


def told(folder: Path, changed: Mapping[str, str], *, lenient: bool = False) -> list[Told]:
    write(folder, {**FILES, **changed})
    with closing(files.open_all(folder, memory_limit="256MB", lenient=lenient, password_key="ab")) as tables:
        return row_texts.read(tables, checks.check(tables, Rules(lenient_headers=lenient)))


def test_a_problem_has_its_row_and_files_without_problems_have_none(tmp_path: Path) -> None:
    assert told(tmp_path, {}) == []
    [problem] = told(tmp_path, {"students.csv": BAD})
    place, code, file, row, column, value, _, cells = problem
    assert (place, code, file, row, column, value) == (
        *(1, "unknown-school", "students.csv", 6),
        *("School_id", "cedar"),
    )
    assert json.loads(cells) == {
        "School_id": "cedar",
        "Student_id": "eli",
        "First_name": "Eli",
        "Last_name": "Eng",
        "Grade": "4",
    }


def test_of_a_file_with_passwords_only_words_of_closed_lists_are_told(tmp_path: Path) -> None:
    students = BAD.replace("Grade\n", "Grade,Password\n").replace("4\n", "4,apple 1\n").replace("5\n", "5,\n")
    [problem] = told(tmp_path, {"students.csv": students})
    assert problem[5] == NOT_SHOWN
    assert json.loads(problem[-1]) == {"Grade": "4"}


def test_of_people_with_an_ignored_column_no_free_text_is_told(tmp_path: Path) -> None:
    students = BAD.replace("Grade\n", "Grade,pwd\n").replace("4\n", "4,apple\n").replace("5\n", "5,\n")
    found = told(tmp_path, {"students.csv": students}, lenient=True)
    assert [json.loads(problem[-1]) for problem in found] == [{"Grade": "4"}, {}]
    assert "apple" not in str(found)


def test_many_problems_of_one_kind_leave_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_texts, "OF_EACH", 3)
    many = "".join(f"ash,algebra,nobody{number}\n" for number in range(9))
    given = {"students.csv": BAD, "enrollments.csv": ENROLLMENTS + many}
    assert [problem[1] for problem in told(tmp_path, given)] == ["unknown-school", *["unknown-student"] * 3]
    monkeypatch.setattr(row_texts, "MOST", 2)
    assert [problem[1] for problem in told(tmp_path, given)] == ["unknown-school", "unknown-student"]
