"""Each scenario changes the files in the one way it describes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from rollbook.errors import Refused
from rollbook.synthetic.lines import COLUMNS
from rollbook.synthetic.scenarios import SCENARIOS
from rollbook.synthetic.writer import write
from tests.synthetic.written import Rows, changed, differing_files, digest, read, students, written

DAYS = [0, 400]


def with_and_without(
    tmp_path: Path, name: str, day: int, size: int = 400
) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """A day without a scenario, and with it."""
    return (
        written(tmp_path / "without", students=size, day=day),
        written(tmp_path / "with", students=size, day=day, scenarios=(name,)),
    )


def test_an_unknown_scenario_is_refused_with_the_names_of_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"'alien-landing'.*half-a-file.*person-leaves"):
        write(tmp_path, students=50, scenarios=("alien-landing",))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_a_title_and_a_sentence(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.title
    assert scenario.description.endswith(".")


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("size", [50, 300])
def test_a_scenario_writes_the_same_bytes_each_time_and_others_than_the_plain_day(
    tmp_path: Path, name: str, size: int
) -> None:
    for folder, scenarios in (("a", (name,)), ("b", (name,)), ("plain", ())):
        write(tmp_path / folder, students=size, seed=4, day=9, scenarios=scenarios)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "plain")


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("size", [100, 400])
def test_student_changes_school_moves_one_student_and_the_enrollments(
    tmp_path: Path, day: int, size: int
) -> None:
    before, after = with_and_without(tmp_path, "student-changes-school", day, size)
    old, new = students(before), students(after)
    moved = [same for same in old if old[same] != new[same]]
    assert old.keys() == new.keys()
    assert len(moved) == 1
    assert {column for column in old[moved[0]] if old[moved[0]][column] != new[moved[0]][column]} == {
        "School_id"
    }
    schools = {row["School_id"] for row in after["enrollments.csv"] if row["Student_id"] == moved[0]}
    assert schools == {new[moved[0]]["School_id"]}
    others = [
        [row for row in district["enrollments.csv"] if row["Student_id"] != moved[0]]
        for district in (before, after)
    ]
    assert others[0] == others[1]
    assert differing_files(before, after) == {"students.csv", "enrollments.csv"}


@pytest.mark.parametrize("day", DAYS)
def test_teacher_becomes_staff_adds_one_row_with_the_teachers_email(tmp_path: Path, day: int) -> None:
    before, after = with_and_without(tmp_path, "teacher-becomes-staff", day)
    added = [row for row in after["staff.csv"] if row not in before["staff.csv"]]
    assert changed(before, after) == {"staff.csv": 1}
    assert added[0]["Staff_email"] in {row["Teacher_email"] for row in after["teachers.csv"]}
    assert added[0]["Staff_email"] not in {row["Staff_email"] for row in before["staff.csv"]}


@pytest.mark.parametrize("day", [365, 800])
def test_reused_section_ids_are_those_of_other_classes_a_year_before(tmp_path: Path, day: int) -> None:
    before, after = with_and_without(tmp_path, "section-ids-reused", day)
    year_before = written(tmp_path / "year", students=400, day=day - 365)
    names = {
        row["Section_id"]: (row["School_id"], row["Name"], row["Grade"])
        for row in year_before["sections.csv"]
    }
    reused = [row for row in after["sections.csv"] if row["Section_id"] in names]
    assert len(reused) > 0.9 * len(after["sections.csv"])
    assert all(names[row["Section_id"]] != (row["School_id"], row["Name"], row["Grade"]) for row in reused)
    assert differing_files(before, after) == {"sections.csv", "enrollments.csv"}
    plain = [[row | {"Section_id": ""} for row in district["sections.csv"]] for district in (before, after)]
    assert plain[0] == plain[1]


@pytest.mark.parametrize("day", DAYS)
def test_half_a_file_ends_after_half_the_rows(tmp_path: Path, day: int) -> None:
    before, after = with_and_without(tmp_path, "half-a-file", day)
    half = len(before["students.csv"]) // 2
    assert after["students.csv"] == before["students.csv"][:half]
    assert differing_files(before, after) == {"students.csv"}
    assert (tmp_path / "with" / "students.csv").read_bytes().endswith(b"\n")


@pytest.mark.parametrize("day", DAYS)
def test_mass_deletion_keeps_one_student_in_ten_and_what_they_attend(tmp_path: Path, day: int) -> None:
    before, after = with_and_without(tmp_path, "mass-deletion", day)
    kept = students(after).keys()
    assert kept < students(before).keys()
    assert 0.05 < len(kept) / len(students(before)) < 0.15
    assert after["enrollments.csv"] == [row for row in before["enrollments.csv"] if row["Student_id"] in kept]
    attended = {row["Section_id"] for row in after["enrollments.csv"]}
    assert after["sections.csv"] == [row for row in before["sections.csv"] if row["Section_id"] in attended]
    assert differing_files(before, after) <= {
        "students.csv",
        "enrollments.csv",
        "sections.csv",
        "resources.csv",
    }


def test_the_same_person_leaves_on_every_day_and_is_back_299_and_301_days_later(tmp_path: Path) -> None:
    gone = defaultdict(set)
    for day in (30, 100, 329, 331):
        summary = write(tmp_path, students=400, day=day, scenarios=("person-leaves",))
        without = read(tmp_path)
        plain = written(tmp_path, students=400, day=day)
        gone[day] = students(plain).keys() - students(without).keys()
        assert gone[day] == {summary.named_people["person-leaves"]}
        assert plain["enrollments.csv"] != without["enrollments.csv"]
        assert {*without} == {*COLUMNS}
    assert len(set.union(*gone.values())) == 1


def test_scenarios_may_come_together(tmp_path: Path) -> None:
    summary = write(
        tmp_path, students=600, scenarios=("person-leaves", "student-changes-school", "half-a-file")
    )
    assert {*summary.named_people} == {"person-leaves", "student-changes-school"}
    assert len({*summary.named_people.values()}) == 2


# Scenarios that began on a day and go on


@pytest.mark.parametrize("name", ["person-leaves", "student-changes-school"])
def test_a_scenario_that_began_on_a_day_stays_about_the_same_student(tmp_path: Path, name: str) -> None:
    about = set()
    for day in (40, 340, 390):
        summary = write(tmp_path / "with", students=200, day=day, scenarios=(f"{name}@40",))
        before, after = written(tmp_path / "without", students=200, day=day), read(tmp_path / "with")
        old, new = students(before), students(after)
        assert {same for same in old if old[same] != new.get(same)} == {summary.named_people[f"{name}@40"]}
        about.add(summary.named_people[f"{name}@40"])
    assert len(about) == 1


def test_a_scenario_that_began_twice_is_about_two_students(tmp_path: Path) -> None:
    names = ("person-leaves@40", "student-changes-school@40", "person-leaves@41", "person-leaves@45")
    summary = write(tmp_path, students=200, day=60, scenarios=names)
    assert {*summary.named_people} == {*names}
    assert len({*summary.named_people.values()}) == 4


def test_two_teachers_become_staff_one_after_the_other_and_stay_so(tmp_path: Path) -> None:
    names = ("teacher-becomes-staff@40", "teacher-becomes-staff@50")
    for day in (50, 90):
        before = written(tmp_path / "without", students=400, day=day)
        summary = write(tmp_path / "with", students=400, day=day, scenarios=names)
        after = read(tmp_path / "with")
        added = {row["Staff_email"] for row in after["staff.csv"]} - {
            row["Staff_email"] for row in before["staff.csv"]
        }
        named = {*summary.named_people.values()}
        assert {row["Teacher_email"] for row in after["teachers.csv"] if row["Teacher_id"] in named} == added
        assert len(added) == 2


def test_when_all_teachers_are_staff_nothing_more_happens(tmp_path: Path) -> None:
    names = tuple(f"teacher-becomes-staff@{day}" for day in range(1, 60))
    summary = write(tmp_path, students=50, day=60, scenarios=names)
    teachers = {row["Teacher_id"] for row in read(tmp_path)["teachers.csv"] if row["School_id"] == "0001"}
    assert len(summary.named_people) <= len(teachers) + 10
    emails = [(row["Staff_email"], row["School_id"]) for row in read(tmp_path)["staff.csv"]]
    assert len(emails) == len({*emails})


def test_section_ids_once_reused_are_reused_every_year(tmp_path: Path) -> None:
    ids = [
        {
            row["Section_id"]
            for row in written(tmp_path, students=200, day=day, scenarios=("section-ids-reused@365",))[
                "sections.csv"
            ]
        }
        for day in (365, 730)
    ]
    first_year = {row["Section_id"] for row in written(tmp_path, students=200)["sections.csv"]}
    assert len(ids[0] & first_year) > 0.9 * len(first_year)
    assert len(ids[1] & first_year) > 0.9 * len(first_year)


@pytest.mark.parametrize("name", ["person-leaves@", "person-leaves@x", "person-leaves@-1", "@3"])
def test_a_beginning_that_is_no_day_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="name@DAY"):
        write(tmp_path, students=50, scenarios=(name,))
