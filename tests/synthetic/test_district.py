"""The content of a district: valid references, the requested size, and the features of a real one."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.synthetic.days import DAY_MAX
from rollbook.synthetic.district import District
from rollbook.synthetic.people import People
from rollbook.synthetic.seating import layout, seats_of
from tests.synthetic.written import Rows, students, written

CO_TEACHERS = ("Teacher_2_id", "Teacher_3_id", "Teacher_4_id")
RESERVED = re.compile(r"[^@\s]+@example\.(org|net|edu)")
FICTIONAL = re.compile(r"[\d\s().-]*555[-.]?01\d\d( x\d+)?")
SCRIPTS = ("CYRILLIC", "GREEK", "ARABIC", "HEBREW", "CJK", "HANGUL", "DEVANAGARI", "LATIN")


def ids(rows: Rows, column: str) -> list[str]:
    return [row[column] for row in rows]


def assert_sound(district: dict[str, Rows]) -> None:
    """Each id exists once, each reference is valid, each section has a teacher and a student."""
    schools, teachers = ids(district["schools.csv"], "School_id"), ids(district["teachers.csv"], "Teacher_id")
    sections = {row["Section_id"]: row for row in district["sections.csv"]}
    enrolled = [(row["Section_id"], row["Student_id"]) for row in district["enrollments.csv"]]
    assert len({*schools}) == len(schools)
    assert len({*teachers}) == len(teachers)
    assert len(sections) == len(district["sections.csv"])
    assert len({*enrolled}) == len(enrolled)
    assert {section for section, _ in enrolled} == {*sections}
    assert {student for _, student in enrolled} <= {*students(district)}
    for file in ("students.csv", "teachers.csv", "sections.csv"):
        assert {*ids(district[file], "School_id")} <= {*schools}
    assert {*ids(district["staff.csv"], "School_id")} <= {*schools, "DEFAULT_DISTRICT_OFFICE", "district"}
    assert all(
        row["School_id"] == sections[row["Section_id"]]["School_id"] for row in district["enrollments.csv"]
    )
    for row in district["sections.csv"]:
        taught_by = [row["Teacher_id"], *filter(None, (row[column] for column in CO_TEACHERS))]
        assert len({*taught_by}) == len(taught_by)
        assert {*taught_by} <= {*teachers}


def test_every_reference_leads_somewhere(first_day: dict[str, Rows], any_day: dict[str, Rows]) -> None:
    assert_sound(first_day)
    assert_sound(any_day)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(50, 900),
    seed=st.integers(-(2**70), 2**70),
    day=st.integers(0, DAY_MAX),
    names=st.sets(
        st.sampled_from(["mass-deletion", "person-leaves", "student-changes-school", "section-ids-reused"])
    ),
)
def test_every_reference_leads_somewhere_in_any_district(
    size: int, seed: int, day: int, names: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert_sound(written(Path(folder), students=size, seed=seed, day=day, scenarios=tuple(sorted(names))))


@given(size=st.integers(50, 1_000_000), seed=st.integers(0, 99), year=st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_seats_of_any_year_are_exactly_as_many_as_students_asked_for(size: int, seed: int, year: int) -> None:
    plan = layout(size, seed)
    counts = [
        len(seats_of(plan, school, g, year))
        for school in plan.schools
        for g in range(school.low, school.high + 1)
    ]
    assert sum(counts) == size


@pytest.mark.parametrize("size", [50, 51, 77, 399, 400])
def test_first_day_has_exactly_the_students_asked_for(tmp_path: Path, size: int) -> None:
    assert len(students(written(tmp_path, students=size, seed=size))) == size


@pytest.mark.parametrize("day", [60, 280, 365, 4000])
def test_later_days_have_nearly_the_students_asked_for(tmp_path: Path, day: int) -> None:
    assert 490 <= len(students(written(tmp_path, students=500, day=day))) <= 500


@pytest.mark.parametrize(
    ("size", "schools"), [(50, 2), (400, 3), (1000, 4), (20_000, 32), (100_000, 140), (1_000_000, 1394)]
)
def test_bigger_districts_have_more_schools(size: int, schools: int) -> None:
    plan = layout(size, 1)
    assert len(plan.schools) == schools
    assert len({school.name for school in plan.schools}) == schools
    lows = {level[0].low: level[-1].high for level in plan.levels}
    assert lows in ({-1: 8, 9: 12}, {-1: 5, 6: 8, 9: 12})


def test_rows_are_made_one_school_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    student = People.student

    def counted(*arguments: object) -> object:
        made.append("student")
        return student(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(People, "student", counted)
    rosters = District(1000).rosters()
    first = next(rosters)
    assert len(made) == len(first.students) < 500


def test_schools_have_all_that_a_school_row_can_have(first_day: dict[str, Rows]) -> None:
    for row in first_day["schools.csv"]:
        assert all(row.values()), row
    assert {(row["Low_grade"], row["High_grade"]) for row in first_day["schools.csv"]} == {
        ("PreKindergarten", "5"),
        ("Kindergarten", "5"),
        ("6", "8"),
        ("9", "12"),
    }


def test_there_are_about_six_enrollments_for_each_student(first_day: dict[str, Rows]) -> None:
    assert 5.5 < len(first_day["enrollments.csv"]) / 1000 < 6.5


def test_nearly_all_classes_have_18_to_30_students(
    first_day: dict[str, Rows], any_day: dict[str, Rows]
) -> None:
    for district in (first_day, any_day):
        sizes = Counter(row["Section_id"] for row in district["enrollments.csv"]).values()
        assert sum(18 <= size <= 30 for size in sizes) > 0.85 * len(sizes)
        assert max(sizes) <= 36


def test_teachers_of_many_classes_have_five_or_six(tmp_path: Path) -> None:
    district = written(tmp_path, students=3000)
    loads = Counter(row["Teacher_id"] for row in district["sections.csv"] if row["Course_name"] == "Biology")
    loads = Counter(
        {teacher: ids(district["sections.csv"], "Teacher_id").count(teacher) for teacher in loads}
    )
    assert all(4 <= load <= 6 for load in loads.values())


def test_nobody_has_two_classes_in_one_period(first_day: dict[str, Rows]) -> None:
    period = {row["Section_id"]: row["Period"] for row in first_day["sections.csv"]}
    at_once = Counter((row["Student_id"], period[row["Section_id"]]) for row in first_day["enrollments.csv"])
    # A guest at another school may have to leave one class early.
    assert sum(count > 1 for count in at_once.values()) <= 10


def test_terms_are_years_semesters_quarters_or_none(
    first_day: dict[str, Rows], any_day: dict[str, Rows]
) -> None:
    assert {(row["Term_name"], row["Term_start"], row["Term_end"]) for row in first_day["sections.csv"]} == {
        ("2026-2027", "08/17/2026", "05/21/2027"),
        ("S1 2026-2027", "08/17/2026", "01/08/2027"),
        ("Q1 2026-2027", "08/17/2026", "10/16/2026"),
        ("", "", ""),
    }
    assert {row["Term_name"] for row in any_day["sections.csv"]} == {
        "2027-2028",
        "S2 2027-2028",
        "Q3 2027-2028",
        "",
    }


def test_high_schools_and_middle_schools_have_six_to_eight_periods(first_day: dict[str, Rows]) -> None:
    secondary = {row["School_id"] for row in first_day["schools.csv"] if row["High_grade"] in ("8", "12")}
    for school in secondary:
        periods = {row["Period"] for row in first_day["sections.csv"] if row["School_id"] == school}
        assert periods == {str(number + 1) for number in range(len(periods))}
        assert 6 <= len(periods) <= 8


def test_ages_fit_the_grades(first_day: dict[str, Rows]) -> None:
    for row in students(first_day).values():
        grade = (
            {"PreKindergarten": -1, "Kindergarten": 0}.get(row["Grade"])
            if not row["Grade"].isdigit()
            else int(row["Grade"])
        )
        assert grade is not None
        assert 3 <= 2026 - int(row["DOB"][-4:]) - grade <= 8


def features(district: dict[str, Rows]) -> Iterator[tuple[str, bool]]:
    """Each believable feature, and whether a district has it."""
    rows = students(district).values()
    sections = {row["Section_id"]: row for row in district["sections.csv"]}
    student_schools, teacher_schools, staff_schools = defaultdict(set), defaultdict(set), defaultdict(set)
    for row in district["enrollments.csv"]:
        student_schools[row["Student_id"]].add(row["School_id"])
    for row in sections.values():
        teacher_schools[row["Teacher_id"]].add(row["School_id"])
    for row in district["staff.csv"]:
        staff_schools[row["Staff_id"]].add(row["School_id"])
    contacts, by_contact = (
        Counter(row["Student_id"] for row in district["students.csv"] if row["Contact_name"]),
        defaultdict(set),
    )
    for row in district["students.csv"]:
        by_contact[row["Contact_sis_id"], row["Contact_name"], row["Contact_email"]].add(row["Student_id"])
    yield "student at two schools", any(len(schools) == 2 for schools in student_schools.values())
    yield "student without a section", any(row["Student_id"] not in student_schools for row in rows)
    yield "teacher at two schools", any(len(schools) == 2 for schools in teacher_schools.values())
    yield (
        "teacher without a section",
        any(row["Teacher_id"] not in teacher_schools for row in district["teachers.csv"]),
    )
    yield (
        "teacher who is staff",
        bool(
            {*ids(district["teachers.csv"], "Teacher_email")} & {*ids(district["staff.csv"], "Staff_email")}
        ),
    )
    yield (
        "administrator who is staff",
        bool(
            {*ids(district["administrators.csv"], "Admin_email")}
            & {*ids(district["staff.csv"], "Staff_email")}
        ),
    )
    yield "staff at two schools", any(len(schools) == 2 for schools in staff_schools.values())
    yield "staff at the office", ids(district["staff.csv"], "School_id").count("DEFAULT_DISTRICT_OFFICE") > 2
    yield "staff for all schools", ids(district["staff.csv"], "School_id").count("district") == 1
    yield "school tech lead", "School Tech Lead" in ids(district["staff.csv"], "Role")
    yield (
        "administrator with two roles",
        max(Counter(ids(district["administrators.csv"], "Admin_id")).values()) == 2,
    )
    for column in CO_TEACHERS:
        yield column, any(row[column] for row in sections.values())
    yield "section without a course", any(not row["Course_name"] for row in sections.values())
    yield "section without a term", any(not row["Term_name"] for row in sections.values())
    yield "section without a subject", any(not row["Subject"] for row in sections.values())
    yield "0 to 4 contacts", {*contacts.values()} == {1, 2, 3, 4} and len(contacts) < len(rows)
    yield (
        "siblings with one contact",
        any(len(found) > 1 for (sis_id, *_), found in by_contact.items() if sis_id),
    )
    yield (
        "siblings with a contact without id",
        any(len(f) > 1 for (i, name, m), f in by_contact.items() if name and m and not i),
    )
    yield (
        "contact without email",
        any(row["Contact_name"] and not row["Contact_email"] for row in district["students.csv"]),
    )
    yield (
        "contact without phone",
        any(row["Contact_name"] and not row["Contact_phone"] for row in district["students.csv"]),
    )
    yield "student without email", any(not row["Student_email"] for row in rows)
    yield "teacher without email", any(not row["Teacher_email"] for row in district["teachers.csv"])
    yield "hyphen", any("-" in row["First_name"] + row["Last_name"] for row in rows)
    yield "apostrophe", any("'" in row["Last_name"] for row in rows)
    yield "one-letter name", any(1 in (len(row["First_name"]), len(row["Last_name"])) for row in rows)
    yield "name of two words", any(" " in row["Last_name"] for row in rows)
    yield "id with a zero in front", any(row["Student_id"].startswith("0") for row in rows)
    names = "".join(row["First_name"] + row["Last_name"] for row in rows)
    found_scripts = {unicodedata.name(letter).split(" ", 1)[0] for letter in {*names}}
    for script in SCRIPTS:
        yield f"{script} letters", script in found_scripts
    for column in (
        "Preferred_first_name",
        "Preferred_last_name",
        "Disability_type",
        "Disability_code",
        "Username",
        "Password",
        "Unweighted_gpa",
        "Weighted_gpa",
        "ext.bus_route",
        "ext.locker",
        "Middle_name",
    ):
        yield f"{column} of some", 0 < sum(bool(row[column]) for row in rows) < len(rows)
    yield "genders", {row["Gender"] for row in rows} == {"F", "M", "X", ""}
    yield "races", {row["Race"] for row in rows} == {"W", "B", "A", "I", "M", "P", ""}
    yield "meals", {row["Frl_status"] for row in rows} == {"F", "R", "N", ""}
    yield "languages", len({row["Home_language"] for row in rows}) > 15
    yield (
        "resources for each role",
        {row["Roles"] for row in district["resources.csv"]} == {"student", "teacher", "student;teacher"},
    )


def test_a_district_of_a_thousand_has_every_believable_feature(first_day: dict[str, Rows]) -> None:
    assert [feature for feature, is_there in features(first_day) if not is_there] == []


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("Hispanic_Latino", 0.15, 0.35),
        ("Ell_status", 0.05, 0.2),
        ("IEP_status", 0.1, 0.2),
        ("Gifted_status", 0.03, 0.12),
        ("Section_504_status", 0.02, 0.08),
        ("Disability_status", 0.1, 0.2),
    ],
)
def test_shares_of_students_are_believable(
    first_day: dict[str, Rows], column: str, low: float, high: float
) -> None:
    values = [row[column] for row in students(first_day).values()]
    assert {*values} == {"Y", "N"}
    assert low < values.count("Y") / len(values) < high


def test_administrators_have_every_spelling_of_a_role(first_day: dict[str, Rows]) -> None:
    assert {row["Role"] for row in first_day["administrators.csv"]} == {
        *("Clever Administrator", "CleverAdministrator", "CA"),
        *("District Curriculum Lead", "DistrictCurriculumLead", "DCL"),
        *("District Help Desk", "DistrictHelpDesk", "DHD"),
    }


def test_resources_are_mapped_to_courses_that_are_taught(first_day: dict[str, Rows]) -> None:
    taught = {(row["Course_name"], row["Course_number"]) for row in first_day["sections.csv"]}
    assert {(row["Course_name"], row["Course_number"]) for row in first_day["resources.csv"]} <= taught


def test_rows_of_one_student_differ_in_the_contact_only(first_day: dict[str, Rows]) -> None:
    for one, other in pairwise(first_day["students.csv"]):
        if one["Student_id"] == other["Student_id"]:
            assert {column.split("_")[0] for column in one if one[column] != other[column]} == {"Contact"}


def test_one_contact_is_the_same_in_all_its_rows(
    first_day: dict[str, Rows], any_day: dict[str, Rows]
) -> None:
    for district in (first_day, any_day):
        contacts = defaultdict(set)
        for row in district["students.csv"]:
            if row["Contact_sis_id"]:
                contacts[row["Contact_sis_id"]].add(
                    tuple(row[column] for column in row if column.startswith("Contact_"))
                )
        assert all(len(rows) == 1 for rows in contacts.values())


def test_addresses_and_phones_belong_to_nobody(any_day: dict[str, Rows]) -> None:
    for rows in any_day.values():
        for row in rows:
            assert all(
                RESERVED.fullmatch(cell)
                for column, cell in row.items()
                if cell and column.lower().endswith("email")
            )
            assert all(
                FICTIONAL.fullmatch(cell) for column, cell in row.items() if cell and column.endswith("phone")
            )


def test_emails_of_different_people_differ(any_day: dict[str, Rows]) -> None:
    people = {
        **{row["Student_id"]: row["Student_email"] for row in any_day["students.csv"]},
        **{row["Teacher_id"]: row["Teacher_email"] for row in any_day["teachers.csv"]},
    }
    emails = [email for email in people.values() if email]
    assert len({*emails}) == len(emails)
