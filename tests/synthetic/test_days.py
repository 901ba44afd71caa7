"""How a district changes: a little on a school day, at a term's end, at the rollover, and never on a free
day."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.errors import BadSetting
from rollbook.synthetic import days
from rollbook.synthetic.days import Today
from tests.synthetic.written import Rows, changed, digest, students, written

YEAR = days.DAYS_PER_YEAR


def test_first_day_is_a_monday_in_august() -> None:
    assert (days.FIRST_DAY.isoformat(), days.FIRST_DAY.weekday()) == ("2026-08-17", 0)
    assert days.today(0) == Today(0, 0)


@pytest.mark.parametrize(
    ("day", "now"),
    [
        (1, (0, 1)),
        (4, (0, 4)),
        (5, (0, 4)),
        (6, (0, 4)),
        (7, (0, 5)),
        (364, (0, 179)),
        (365, (1, 0)),
        (10_950, (30, 0)),
    ],
)
def test_steps_count_school_days_of_the_year(day: int, now: tuple[int, int]) -> None:
    assert days.today(day) == now


@pytest.mark.parametrize("year", range(0, 31, 5))
def test_every_year_has_180_school_days_and_a_summer(year: int) -> None:
    assert len(days.school_days(year)) == 180
    assert days.school_days(year)[-1] < 300


def test_days_beyond_thirty_years_are_refused() -> None:
    with pytest.raises(BadSetting, match="10950"):
        days.today(days.DAY_MAX + 1)


@pytest.mark.parametrize("day", [0, 150, YEAR + 30])
def test_a_school_day_changes_something_and_little(tmp_path: Path, day: int) -> None:
    before = written(tmp_path / "a", students=1000, day=day)
    counts = changed(before, written(tmp_path / "b", students=1000, day=day + 1))
    total = sum(len(rows) for rows in before.values())
    assert 3 <= sum(counts.values()) < 0.02 * total
    assert "schools.csv" not in counts


@pytest.mark.parametrize("day", [4, 5, 100, 128, 363])
def test_nothing_changes_on_a_free_day(tmp_path: Path, day: int) -> None:
    written(tmp_path / "a", students=200, day=day)
    written(tmp_path / "b", students=200, day=day + 1)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_a_quarter_sees_every_kind_of_change(tmp_path: Path) -> None:
    before = written(tmp_path / "a", students=1500, day=1)
    after = written(tmp_path / "b", students=1500, day=60)
    old, new = students(before), students(after)
    both = [(old[same], new[same]) for same in old.keys() & new.keys()]
    teachers = [{row["Teacher_id"] for row in district["teachers.csv"]} for district in (before, after)]
    sections = [{row["Section_id"]: row for row in district["sections.csv"]} for district in (before, after)]
    assert new.keys() - old.keys(), "somebody arrives"
    assert old.keys() - new.keys(), "somebody leaves"
    assert teachers[0] - teachers[1], "a teacher leaves"
    assert teachers[1] - teachers[0], "a teacher is new"
    for column in ("School_id", "Student_email", "Student_street", "Grade", "Contact_phone"):
        assert any(one[column] != other[column] for one, other in both), column
    for column in ("Teacher_id", "Teacher_2_id", "ext.room"):
        assert any(sections[0][same][column] != sections[1][same][column] for same in sections[0]), column
    assert sections[0].keys() == sections[1].keys()


def test_students_move_from_section_to_section(tmp_path: Path) -> None:
    before, after = (written(tmp_path / f"{day}", students=1000, day=day) for day in (7, 11))
    stay = students(before).keys() & students(after).keys()
    enrolled = [
        {(row["Student_id"], row["Section_id"]) for row in district["enrollments.csv"]}
        for district in (before, after)
    ]
    assert 3 < len({student for student, _ in enrolled[0] ^ enrolled[1]} & stay) < 30


def test_a_new_semester_renews_the_sections_of_semesters_only(tmp_path: Path) -> None:
    day = days.school_days(0)[90]
    before, after = (written(tmp_path / f"{day}", students=1000, day=day) for day in (day - 1, day))
    gone = {row["Section_id"]: row for row in before["sections.csv"]}.keys() - {
        row["Section_id"] for row in after["sections.csv"]
    }
    terms = {row["Term_name"][:2] for row in before["sections.csv"] if row["Section_id"] in gone}
    assert terms == {"S1", "Q2"}
    assert 0.1 < len(gone) / len(before["sections.csv"]) < 0.4


@pytest.fixture(scope="module")
def rollover(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The last day of a year and the first of the next."""
    folder = tmp_path_factory.mktemp("rollover")
    return (
        written(folder / "before", students=1000, day=YEAR - 1),
        written(folder / "after", students=1000, day=YEAR),
    )


def test_rollover_moves_everyone_up_a_grade(rollover: tuple[dict[str, Rows], dict[str, Rows]]) -> None:
    before, after = map(students, rollover)
    order = ["PreKindergarten", "Kindergarten", *(str(grade) for grade in range(1, 13))]
    ups = [
        order.index(after[same]["Grade"]) - order.index(before[same]["Grade"])
        for same in before.keys() & after.keys()
    ]
    # A wrong grade that is still to be corrected makes a few other steps.
    assert ups.count(1) > 0.97 * len(ups) > 600


def test_rollover_sends_seniors_away_and_brings_kindergarteners(
    rollover: tuple[dict[str, Rows], dict[str, Rows]],
) -> None:
    before, after = map(students, rollover)
    seniors = {
        same for same, row in before.items() if row["Grade"] == "12" and row["Graduation_year"] == "2027"
    }
    assert len(seniors) > 60
    assert not seniors & after.keys()
    assert {after[new]["Grade"] for new in after.keys() - before.keys()} >= {
        "PreKindergarten",
        "Kindergarten",
    }


def test_rollover_gives_new_section_ids_and_new_terms(
    rollover: tuple[dict[str, Rows], dict[str, Rows]],
) -> None:
    before, after = rollover
    assert not {row["Section_id"] for row in before["sections.csv"]} & {
        row["Section_id"] for row in after["sections.csv"]
    }
    assert not {row["Term_name"] for row in before["sections.csv"]} & {
        row["Term_name"] for row in after["sections.csv"]
    } - {""}


def test_rollover_leaves_people_who_they_are(rollover: tuple[dict[str, Rows], dict[str, Rows]]) -> None:
    before, after = map(students, rollover)
    lasting = (
        "Last_name",
        "First_name",
        "Middle_name",
        "DOB",
        "Race",
        "Gender",
        "Graduation_year",
        "State_id",
        "Student_number",
    )
    for same in before.keys() & after.keys():
        assert [before[same][column] for column in lasting] == [after[same][column] for column in lasting]
    assert [row["School_id"] for row in rollover[0]["schools.csv"]] == [
        row["School_id"] for row in rollover[1]["schools.csv"]
    ]


def test_nobody_comes_back_under_an_id_once_used_by_another(tmp_path: Path) -> None:
    birthdays: dict[str, str] = {}
    for day in range(0, 4 * YEAR, 146):
        for student, row in students(written(tmp_path, students=150, day=day)).items():
            assert (
                birthdays.setdefault(student, row["DOB"] + row["Last_name"]) == row["DOB"] + row["Last_name"]
            )
