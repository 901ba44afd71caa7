"""From the small world's files to its roster: keys, terms and courses, primary schools, names, grades and
lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.contract.clever.columns import COLUMNS
from rollbook.domain.reading_rules import Rules
from tests.roster.world import ENROLLMENTS, SCHOOLS, SECTIONS, STUDENTS, TEACHERS, Outcome, outcome

SECTION_HEADERS = "School_id,Section_id,Teacher_id,Name,Course_name,Course_number,Period,Grade\n"
ALGEBRA, ART = "course:2:M1 9:Algebra I ", "course:2:A1 3:Art "
FALL = "term:4:Fall 10:2025-08-20 10:2025-12-19 "


def schools_of(world: Outcome, role: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in world.tables["user_schools"]:
        if row["role"] == role:
            found.setdefault(row["key"], []).append(row["school"])
    return found


def test_small_world_becomes_its_roster(tmp_path: Path) -> None:
    world = outcome(tmp_path)
    assert world.found == []
    assert world.column("schools", "row") == {"ash": 2, "birch": 3}
    assert world.column("students", "school") == {"amy": "ash", "ben": "ash", "cem": "birch", "dot": "birch"}
    assert world.column("teachers", "school") == {"lund": "ash", "okoye": "birch"}
    assert world.tables["terms"] == [
        {"key": FALL, "row": 2, "name": "Fall", "start_date": "2025-08-20", "end_date": "2025-12-19"}
    ]
    assert world.tables["courses"] == [
        {"key": ALGEBRA, "row": 2, "name": "Algebra I", "number": "M1"},
        {"key": ART, "row": 3, "name": "Art", "number": "A1"},
    ]
    algebra, art, home = world.tables["sections"]
    assert algebra == {
        "key": "algebra",
        "row": 2,
        "name": "Algebra I - Lund - 2",
        "school": "ash",
        "course": ALGEBRA,
        "term": FALL,
        "section_number": None,
        "period": "2",
        "grade": "4",
        "subject": "math",
        "ext": None,
    }
    assert (art["name"], art["school"], art["grade"], art["subject"]) == (
        "Art - Okoye - 1",
        "birch",
        "4",
        "arts and music",
    )
    assert (home["name"], home["course"], home["term"], home["subject"]) == (
        "Homeroom B",
        None,
        None,
        "homeroom/advisory",
    )
    assert {("algebra", "amy"), ("algebra", "ben"), ("art", "amy"), ("art", "cem"), ("home", "cem")} == {
        (row["section"], row["student"]) for row in world.tables["enrollments"]
    }
    assert [tuple(row.values()) for row in world.tables["section_teachers"]] == [
        ("algebra", "lund", 0),
        ("art", "okoye", 0),
        ("home", "lund", 1),
        ("home", "okoye", 0),
    ]
    assert schools_of(world, "student") == {
        "amy": ["ash", "birch"],
        "ben": ["ash"],
        "cem": ["birch"],
        "dot": ["birch"],
    }
    assert schools_of(world, "teacher") == {"lund": ["ash", "birch"], "okoye": ["birch"]}


def test_every_column_of_the_contract_feeds_a_column_of_the_roster(tmp_path: Path) -> None:
    full = {
        file: ",".join(c.header for c in COLUMNS if c.file == file)
        + "\n"
        + ",".join("x" for c in COLUMNS if c.file == file)
        + "\n"
        for file in ("staff.csv", "administrators.csv", "resources.csv")
    }
    full["students.csv"] = (
        STUDENTS.replace("Grade", "Grade,Contact_name,Contact_type")
        .replace("\n", ",P,Primary\n")
        .replace("type,P,Primary", "type")
    )
    full["resources.csv"] = "Resource_id,Title,Course_name\nr,R,Art\n"
    full["administrators.csv"] = full["administrators.csv"].replace(",x\n", ",CA\n")
    full["staff.csv"] = full["staff.csv"].replace("\nx", "\nash")
    tables = outcome(tmp_path, full).tables
    for column in COLUMNS:
        if column.feeds is not None:
            table, name = column.feeds.removeprefix("roster_").split(".")
            assert name in tables[table][0]


# --- primary school -------------------------------------------------------------------------------------------------------

MANY_SCHOOLS = "School_id,School_name,School_number\n" + "".join(f"{key},{key},{key}\n" for key in "abcd")
HOME_D = "School_id,Student_id,First_name,Last_name\nd,amy,Amy,Adams\n" + "".join(
    f"a,s{number},S,S\n" for number in range(5)
)
ONE_TEACHER = "School_id,Teacher_id,First_name,Last_name\nd,lund,Lars,Lund\n"


def _taught(sections: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Sections of Lund by school and number of other students; Amy is in all of them."""
    rows = "".join(f"{school},{key},lund\n" for key, (school, _) in sections.items())
    seats = "".join(
        f"{school},{key},{student}\n"
        for key, (school, others) in sections.items()
        for student in ["amy", *(f"s{number}" for number in range(others))]
    )
    return {
        "schools.csv": MANY_SCHOOLS,
        "students.csv": HOME_D,
        "teachers.csv": ONE_TEACHER,
        "sections.csv": f"School_id,Section_id,Teacher_id\n{rows}",
        "enrollments.csv": f"School_id,Section_id,Student_id\n{seats}",
    }


PRIMARY: dict[str, tuple[dict[str, tuple[str, int]], str]] = {
    "most sections": ({"1": ("a", 4), "2": ("b", 0), "3": ("b", 0)}, "b"),
    "as many sections, and more students": (
        {"1": ("a", 1), "2": ("b", 3), "3": ("b", 0), "4": ("a", 1)},
        "b",
    ),
    "as many of both, and the row's school": ({"1": ("b", 1), "2": ("d", 1), "3": ("a", 1)}, "d"),
    "as many of both, and the row's school is another": ({"1": ("c", 1), "2": ("b", 1)}, "b"),
    "one section elsewhere": ({"1": ("c", 0)}, "c"),
}


@pytest.mark.parametrize("name", PRIMARY)
def test_primary_school_by_sections_then_students_then_the_row_then_the_lowest_id(
    name: str, tmp_path: Path
) -> None:
    sections, expected = PRIMARY[name]
    world = outcome(tmp_path, _taught(sections))
    assert (expected, expected) == (
        world.column("students", "school")["amy"],
        world.column("teachers", "school")["lund"],
    )
    schools = sorted({school for school, _ in sections.values()})
    assert (schools, schools) == (schools_of(world, "student")["amy"], schools_of(world, "teacher")["lund"])


def test_without_sections_the_rows_school_counts(tmp_path: Path) -> None:
    world = outcome(tmp_path)
    assert (world.column("students", "school")["dot"], schools_of(world, "student")["dot"]) == (
        "birch",
        ["birch"],
    )


@pytest.mark.parametrize(("role", "person"), [("student", "amy"), ("teacher", "lund")])
def test_where_the_derivation_is_off_the_rows_school_is_primary_and_one_of_the_schools(
    role: str, person: str, tmp_path: Path
) -> None:
    rules = Rules(derive_student_school=role != "student", derive_teacher_school=role != "teacher")
    world = outcome(tmp_path, _taught({"1": ("a", 1), "2": ("a", 1)}), rules)
    primary = {table: world.column(f"{table}s", "school") for table in ("student", "teacher")}
    assert (primary[role][person], schools_of(world, role)[person]) == ("d", ["a", "d"])
    other, someone = ("teacher", "lund") if role == "student" else ("student", "amy")
    assert (primary[other][someone], schools_of(world, other)[someone]) == ("a", ["a"])


def test_an_enrollment_in_another_school_counts_for_the_sections_school(tmp_path: Path) -> None:
    world = outcome(
        tmp_path, {"enrollments.csv": ENROLLMENTS.replace("ash,algebra,ben", "birch,algebra,ben")}
    )
    assert (world.column("students", "school")["ben"], schools_of(world, "student")["ben"]) == (
        "ash",
        ["ash"],
    )


# --- sections -------------------------------------------------------------------------------------------------------------

NAMES: list[tuple[str, str, str]] = [
    # Name, Course_name, Course_number and Period; then the shown name, and the one with the SIS's names.
    ("Sec A,Algebra I,1,2,", "Algebra I - Lund - 2", "Sec A"),
    ("Sec A,Algebra I,1,,", "Algebra I - Lund", "Sec A"),
    ("Sec A,,1,2,", "Sec A", "Sec A"),
    (",Algebra I,1,2,", "Algebra I - Lund - 2", "Algebra I - Lund - 2"),
    (",,1,2,", "Lund - 2", "Lund - 2"),
    (",,,,", "Lund", "Lund"),
]


@pytest.mark.parametrize("is_from_sis", [False, True])
def test_a_section_is_named_by_course_teacher_and_period_as_far_as_known(
    is_from_sis: bool, tmp_path: Path
) -> None:
    changes = {
        "sections.csv": SECTION_HEADERS
        + "".join(f"ash,x{number},lund,{row}\n" for number, (row, *_) in enumerate(NAMES)),
        "enrollments.csv": "School_id,Section_id,Student_id\n"
        + "".join(f"ash,x{number},amy\n" for number in range(len(NAMES))),
    }
    names = outcome(tmp_path, changes, Rules(sis_section_names=is_from_sis)).column("sections", "name")
    assert [row[2 if is_from_sis else 1] for row in NAMES] == list(names.values())


GRADES_OF_STUDENTS = "School_id,Student_id,First_name,Last_name,Grade\n" + "".join(
    f"ash,s{number},A,B,{grade}\n"
    for number, grade in enumerate(["4", "4", "5", "5", "K", "K", "", "nonsense"])
)
SECTION_GRADES: dict[str, tuple[str, list[int], str, str]] = {
    # Grade of the row, the section's students by number, the shown grade, and the one with a forced majority.
    "its own": ("7", [0, 1, 2], "7", "4"),
    "Other, which says nothing": ("Other", [0, 1], "4", "4"),
    "Other, and nobody has one": ("Other", [6], "Other", "Other"),
    "none of its own": ("", [0, 1, 2], "4", "4"),
    "one that is not known": ("5&6", [0, 1, 2], "4", "4"),
    "equally many: the lowest": ("", [0, 1, 2, 3, 4, 5], "Kindergarten", "Kindergarten"),
    "equally many, by rank and not by letter": ("", [2, 4], "Kindergarten", "Kindergarten"),
    "students without a grade do not count": ("", [6, 2], "5", "5"),
    "a grade that is not known counts as Other": ("", [7], "Other", "Other"),
    "nobody has a grade": ("", [6], "", ""),
    "nobody has a grade, and its own is not known": ("5&6", [6], "Other", "Other"),
    "its own, and nobody has one": ("7", [6], "7", "7"),
}


@pytest.mark.parametrize("is_forced", [False, True])
def test_grade_of_a_section_is_its_own_or_what_most_students_are_in(is_forced: bool, tmp_path: Path) -> None:
    seats = ((key, student) for key, (_, students, *_) in SECTION_GRADES.items() for student in students)
    changes = {
        "students.csv": GRADES_OF_STUDENTS,
        "sections.csv": SECTION_HEADERS
        + "".join(f'ash,"{key}",lund,X,,,,{grade}\n' for key, (grade, *_) in SECTION_GRADES.items()),
        "enrollments.csv": "School_id,Section_id,Student_id\n"
        + "".join(f'ash,"{key}",s{student}\n' for key, student in seats),
    }
    grades = outcome(tmp_path, changes, Rules(majority_grades=is_forced)).column("sections", "grade")
    assert {key: row[3 if is_forced else 2] for key, row in SECTION_GRADES.items()} == grades


SAME_GRADES: dict[str, tuple[list[str], list[str], bool]] = {
    # Grades of two sections' rows, the shown grades, and whether the report says that the students decided.
    "the same": (["Kindergarten", "Kindergarten"], ["4", "5"], True),
    "the same in other words": (["0", "K-5"], ["4", "5"], True),
    "different ones": (["3", "7"], ["3", "7"], False),
    "a blank one among them": (["3", ""], ["3", "5"], False),
    "one that is not known among them": (["3", "x"], ["3", "5"], False),
    "none that says anything": (["Other", "Other"], ["4", "5"], False),
    "all blank": (["", ""], ["4", "5"], False),
}


@pytest.mark.parametrize("name", SAME_GRADES)
def test_where_all_sections_have_the_same_grade_their_students_decide(name: str, tmp_path: Path) -> None:
    written, shown, is_told = SAME_GRADES[name]
    changes = {
        "students.csv": GRADES_OF_STUDENTS,
        "sections.csv": SECTION_HEADERS
        + "".join(f"ash,x{n},lund,X,,,,{grade}\n" for n, grade in enumerate(written)),
        "enrollments.csv": "School_id,Section_id,Student_id\nash,x0,s0\nash,x1,s2\n",
    }
    world = outcome(tmp_path, changes)
    assert list(world.column("sections", "grade").values()) == shown
    assert [problem.value for problem in world.problems if problem.code == "same-grade"] == (
        ["2"] if is_told else []
    )


def test_the_same_grade_of_all_sections_stays_where_no_student_has_one(tmp_path: Path) -> None:
    changes = {
        "students.csv": GRADES_OF_STUDENTS,
        "sections.csv": SECTION_HEADERS + "ash,x,lund,X,,,,7\n",
        "enrollments.csv": "School_id,Section_id,Student_id\nash,x,s6\n",
    }
    assert outcome(tmp_path, changes).column("sections", "grade") == {"x": "7"}


def test_a_section_has_no_grade_at_all_where_nobody_sends_grades(tmp_path: Path) -> None:
    students = "\n".join(line.rsplit(",", 1)[0] for line in STUDENTS.splitlines())
    assert outcome(tmp_path, {"students.csv": students}).column("sections", "grade") == {
        "algebra": None,
        "art": None,
        "home": None,
    }


def test_co_teachers_keep_column_order_and_their_first_place(tmp_path: Path) -> None:
    teachers = "School_id,Teacher_id,First_name,Last_name\n" + "".join(
        f"ash,{key},T,T\n" for key in ("5", "6", "19")
    )
    headers = ",".join(
        ["School_id", "Section_id", *(f"Teacher_{n}_id" for n in range(10, 1, -1)), "Teacher_id"]
    )
    world = outcome(
        tmp_path,
        {
            "teachers.csv": teachers,
            # Teacher_10 to Teacher_2, then the primary: 5, (2) 6, (3) 5, (4) nobody, (5) 19.
            "sections.csv": f"{headers}\nash,x,,,,,,19,nobody,5,6,5\n",
            "enrollments.csv": "School_id,Section_id,Student_id\nash,x,amy\n",
        },
    )
    assert world.found == [("sections.csv", 2, "unknown-co-teacher")]
    assert [tuple(row.values()) for row in world.tables["section_teachers"]] == [
        ("x", "19", 2),
        ("x", "5", 0),
        ("x", "6", 1),
    ]


# --- terms and courses ----------------------------------------------------------------------------------------------------


def _keys(world: Outcome, column: str) -> list[int | None]:
    """Sections that share a term or course, as numbers in order of appearance."""
    found = [row[column] for row in world.tables["sections"]]
    order = list(dict.fromkeys(key for key in found if key is not None))
    assert len(order) == len(world.tables[f"{column}s"])
    return [None if key is None else order.index(key) for key in found]


def _with_sections(rows: list[str], headers: str) -> dict[str, str]:
    lines = [
        f"School_id,Section_id,Teacher_id,{headers}",
        *(f"ash,x{number},lund,{row}" for number, row in enumerate(rows)),
    ]
    seats = ["School_id,Section_id,Student_id", *(f"ash,x{number},amy" for number in range(len(rows)))]
    return {"sections.csv": "\n".join(lines), "enrollments.csv": "\n".join(seats)}


def test_a_term_is_name_start_and_end_together(tmp_path: Path) -> None:
    rows = [
        "Y1,8/1/2025,6/1/2026",
        "Y1,2025-08-01,6/1/26",
        "Y1,8/2/2025,6/1/2026",
        "Y1,,",
        "y1,,",
        ",8/1/2025,",
        ",,",
        ",,x",
    ]
    world = outcome(tmp_path, _with_sections(rows, "Term_name,Term_start,Term_end"))
    assert _keys(world, "term") == [0, 0, 1, 2, 3, 4, None, None]
    assert {term["row"]: term["name"] for term in world.tables["terms"]} == {
        2: "Y1",
        4: "Y1",
        5: "Y1",
        6: "y1",
        7: "",
    }


def test_a_term_needs_no_more_than_one_of_its_columns(tmp_path: Path) -> None:
    world = outcome(tmp_path, _with_sections(["Y1", ""], "Term_name"))
    assert _keys(world, "term") == [0, None]
    assert world.tables["terms"] == [
        {"key": "term:2:Y1 0: 0: ", "row": 2, "name": "Y1", "start_date": None, "end_date": None}
    ]


def test_a_course_is_number_and_name_together_and_needs_a_name(tmp_path: Path) -> None:
    rows = ["Algebra,1", "Algebra,1", "Algebra,2", "Geometry,1", "Algebra,", ",1", "algebra,1"]
    world = outcome(tmp_path, _with_sections(rows, "Course_name,Course_number"))
    assert _keys(world, "course") == [0, 0, 1, 2, 3, None, 4]


def test_where_the_number_alone_counts_a_new_name_is_the_same_course(tmp_path: Path) -> None:
    rows = ["Algebra,1", "Algebra II,1", "Algebra,2", "Algebra,", "Geometry,"]
    world = outcome(
        tmp_path, _with_sections(rows, "Course_name,Course_number"), Rules(courses_by_number=True)
    )
    assert _keys(world, "course") == [0, 0, 1, 2, 3]
    assert [course["name"] for course in world.tables["courses"]] == [
        "Algebra",
        "Algebra",
        "Algebra",
        "Geometry",
    ]


def test_parts_of_a_key_cannot_run_into_one_another(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        _with_sections(['"1:b 1:c",a', 'c,"a 3:b"', '"b,c",a', 'c,"a,b"'], "Course_name,Course_number"),
    )
    assert _keys(world, "course") == [0, 1, 2, 3]


def test_terms_and_courses_of_sections_that_are_left_out_are_not_made(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"enrollments.csv": "School_id,Section_id,Student_id\nbirch,home,cem\n"})
    assert (world.tables["terms"], world.tables["courses"]) == ([], [])


# --- contacts -------------------------------------------------------------------------------------------------------------

CONTACT_HEADERS = (
    "School_id,Student_id,First_name,Last_name,Contact_name,Contact_email,Contact_phone,Contact_type,"
    "Contact_relationship,Contact_phone_type,Contact_sis_id\n"
)


def _contacts(tmp_path: Path, *rows: str) -> Outcome:
    """Students with contacts, from rows of student, name, email, phone, type, relationship, phone type and
    id."""
    lines = "".join(f"ash,{row.split(',')[0]},A,B,{row.split(',', 1)[1]}\n" for row in rows)
    enrollments = "School_id,Section_id,Student_id\nash,algebra,amy\n"
    return outcome(tmp_path, {"students.csv": CONTACT_HEADERS + lines, "enrollments.csv": enrollments})


def _same(world: Outcome) -> list[int]:
    """For each relationship in order, the number of its contact."""
    edges = sorted(world.tables["contact_students"], key=lambda edge: int(edge["position"]))
    order = [contact["key"] for contact in world.tables["contacts"]]
    return [order.index(edge["contact"]) for edge in edges]


def test_a_contacts_own_id_goes_before_all_else(tmp_path: Path) -> None:
    world = _contacts(
        tmp_path,
        "amy,Pat,p@x.org,,Primary,,,9",
        "ben,Pat,p@x.org,,Primary,,,9",
        "ben,Pat,p@x.org,,Primary,,,10",
    )
    assert (_same(world), [contact["key"] for contact in world.tables["contacts"]]) == (
        [0, 0, 1],
        ["sis:9", "sis:10"],
    )


def test_without_an_id_name_and_email_tell_contacts_apart_to_the_letter(tmp_path: Path) -> None:
    rows = (
        "amy,Pat,p@x.org,1,Primary,,,",
        "ben,Pat,p@x.org,2,Family,,,",
        "ben,Pat,P@x.org,1,Primary,,,",
        "ben,pat,p@x.org,1,Primary,,,",
    )
    assert _same(_contacts(tmp_path, *rows)) == [0, 0, 1, 2]


def test_without_an_email_name_and_phone_do(tmp_path: Path) -> None:
    assert _same(
        _contacts(
            tmp_path,
            "amy,Pat,,7185550100,Primary,,,",
            "ben,Pat,,7185550100,Family,,,",
            "ben,Pat,,1,Primary,,,",
        )
    ) == [0, 0, 1]


def test_without_email_and_phone_all_words_and_the_student_do(tmp_path: Path) -> None:
    rows = (
        *(
            "amy,Pat,,,Primary,Mother,Home,",
            "amy,Pat,,,Primary,Mother,Home,",
            "ben,Pat,,,Primary,Mother,Home,",
        ),
        *("amy,Pat,,,Family,Mother,Home,", "amy,Pat,,,Primary,Aunt,Home,", "amy,Pat,,,Primary,Mother,Cell,"),
    )
    assert _same(_contacts(tmp_path, *rows)) == [0, 1, 2, 3, 4]


def test_a_relationship_is_one_entry_for_each_student_and_type(tmp_path: Path) -> None:
    world = _contacts(
        tmp_path,
        "amy,Pat,,,Primary,Mother,,9",
        "ben,Pat,,,Family,Aunt,,9",
        "amy,Pat,,,Emergency,,,9",
        "amy,Pat,,,Primary,,,9",
    )
    assert [
        (e["student"], e["relationship"], e["type"], e["position"])
        for e in sorted(world.tables["contact_students"], key=lambda e: int(e["position"]))
    ] == [
        ("amy", "Parent", "Primary", 2),
        ("ben", "Aunt/Uncle", "Family", 3),
        ("amy", "Other", "Emergency", 4),
    ]


def test_a_contact_of_a_repeated_row_that_disagrees_goes_in(tmp_path: Path) -> None:
    students = (
        STUDENTS.replace("Grade", "Grade,Contact_name,Contact_type")
        .replace("\n", ",,\n")
        .replace("type,,", "type")
    )
    world = outcome(tmp_path, {"students.csv": students + "birch,amy,Amy,Adams,4,Pat,Primary\n"})
    assert world.found == [("students.csv", 6, "conflicting-repeat")]
    assert ([row["name"] for row in world.tables["contacts"]], world.column("students", "school")["amy"]) == (
        ["Pat"],
        "ash",
    )


# --- schools, staff, administrators, resources ----------------------------------------------------------------------------

STAFF = "School_id,Staff_id,Staff_email,First_name,Last_name,Role,Title\n"


def test_a_blank_school_number_becomes_the_schools_id(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"schools.csv": SCHOOLS.replace("birch,Birch School,2", "birch,Birch School,")})
    assert world.column("schools", "school_number") == {"ash": "1", "birch": "birch"}


def test_staff_of_several_schools_of_all_and_of_the_office(tmp_path: Path) -> None:
    rows = "ash,1,a@x.org,A,A,,\nbirch,1,a@x.org,A,A,,\ndistrict,2,b@x.org,B,B,,\nDEFAULT_DISTRICT_OFFICE,3,c@x.org,C,C,,\n"
    world = outcome(tmp_path, {"staff.csv": STAFF + rows})
    assert schools_of(world, "staff") == {
        "1": ["ash", "birch"],
        "2": ["ash", "birch"],
        "3": ["DEFAULT_DISTRICT_OFFICE"],
    }
    office = world.tables["schools"][-1]
    assert tuple(office[column] for column in ("key", "name", "school_number", "row")) == (
        "DEFAULT_DISTRICT_OFFICE",
        "Default District Office (Auto-generated)",
        "DEFAULT_DISTRICT_OFFICE",
        4,
    )


@pytest.mark.parametrize("file", ["staff.csv", "admins.csv"])
def test_a_school_whose_id_is_the_word_for_all_schools_is_that_school_alone(
    file: str, tmp_path: Path
) -> None:
    email = "Staff_email" if file == "staff.csv" else "Admin_email"
    rows = (
        f"School_id,Staff_id,{email},First_name,Last_name\nDistrict,1,a@x.org,A,A\ndistrict,2,b@x.org,B,B\n"
    )
    world = outcome(tmp_path, {"schools.csv": SCHOOLS + "District,Central Office,3\n", file: rows})
    assert schools_of(world, "staff") == {"1": ["District"], "2": ["District", "ash", "birch"]}


def test_an_office_stands_alone_when_no_school_goes_in(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        {
            "schools.csv": SCHOOLS.replace("School,", ",").replace("Ash ", "").replace("Birch ", ""),
            "staff.csv": STAFF + "DEFAULT_DISTRICT_OFFICE,3,c@x.org,C,C,,\n",
        },
    )
    assert world.column("schools", "row") == {"DEFAULT_DISTRICT_OFFICE": 2}
    assert world.tables["students"] == []


def test_an_office_that_schools_csv_has_is_not_made_again(tmp_path: Path) -> None:
    schools = SCHOOLS + "DEFAULT_DISTRICT_OFFICE,Head Office,0\n"
    world = outcome(
        tmp_path, {"schools.csv": schools, "staff.csv": STAFF + "DEFAULT_DISTRICT_OFFICE,3,c@x.org,C,C,,\n"}
    )
    assert world.column("schools", "name")["DEFAULT_DISTRICT_OFFICE"] == "Head Office"
    assert [school["key"] for school in world.tables["schools"]] == [
        "ash",
        "birch",
        "DEFAULT_DISTRICT_OFFICE",
    ]


def test_no_office_is_made_when_nobody_works_there(tmp_path: Path) -> None:
    assert len(outcome(tmp_path, {"staff.csv": STAFF + "ash,1,a@x.org,A,A,,\n"}).tables["schools"]) == 2


def test_role_of_a_staff_member_is_portal_only_but_for_tech_leads(tmp_path: Path) -> None:
    words = ["School Tech Lead", "school tech lead", "SchoolTechLead", "", "Dean"]
    rows = "".join(f"ash,{number},{number}@x.org,A,A,{word},\n" for number, word in enumerate(words))
    roles = outcome(tmp_path, {"staff.csv": STAFF + rows}).column("staff", "role")
    assert list(roles.values()) == ["SchoolTechLead"] * 3 + ["PortalOnly"] * 2


def test_a_tech_lead_in_one_row_is_a_tech_lead(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        {"staff.csv": STAFF + "ash,1,a@x.org,A,A,,Dean\nbirch,1,a@x.org,A,A,School Tech Lead,Dean\n"},
    )
    assert (world.found, world.column("staff", "role")) == ([], {"1": "SchoolTechLead"})


def test_an_administrator_is_one_whatever_the_number_of_roles(tmp_path: Path) -> None:
    rows = "Admin_id,Admin_email,First_name,Last_name,Title,Role\n7,A@x.org,Ann,Ash,Boss,CA\n7,A@x.org,Ann,Ash,Boss,DHD\n"
    world = outcome(tmp_path, {"administrators.csv": rows})
    assert world.tables["district_admins"] == [
        {
            "key": "7",
            "row": 2,
            "first": "Ann",
            "last": "Ash",
            "email": "A@x.org",
            "title": "Boss",
            "role": "Clever Administrator;District Help Desk",
        }
    ]


def test_resources_with_their_roles_and_courses(tmp_path: Path) -> None:
    rows = (
        "Resource_id,Title,Roles,Course_name,Course_number\nr1,Game,teacher; Student,Algebra I,\nr1,Game,,,A1\nr1,Game,,Art,A1\n"
        "r2,Book,teacher,,\nr3,Tool,,Art,M1\n"
    )
    world = outcome(tmp_path, {"resources.csv": rows})
    assert world.found == [("resources.csv", 6, "unknown-course")]
    assert world.column("resources", "roles") == {
        "r1": ["student", "teacher"],
        "r2": ["teacher"],
        "r3": ["student", "teacher"],
    }
    assert [tuple(row.values()) for row in world.tables["resource_courses"]] == [("r1", ART), ("r1", ALGEBRA)]


def test_emails_and_own_columns_are_kept_as_they_are(tmp_path: Path) -> None:
    teachers = TEACHERS.replace("Teacher_email", "Teacher_email,ext.Room,Username").replace(
        "lund@example.org", " Lund@Example.ORG ,4b,LuLu"
    )
    world = outcome(tmp_path, {"teachers.csv": teachers.replace("okoye@example.org", "no email,,")})
    assert world.column("teachers", "email") == {"lund": "Lund@Example.ORG", "okoye": "no email"}
    assert world.column("teachers", "ext") == {"lund": '{"Room":"4b"}', "okoye": '{"Room":""}'}
    assert world.column("teachers", "district_username") == {"lund": "LuLu", "okoye": ""}


def test_sections_keep_their_own_columns(tmp_path: Path) -> None:
    sections = (
        SECTIONS.replace("Term_end", "Term_end,EXT.Wing")
        .replace("12/19/2025", "12/19/2025,W")
        .replace(",,,,,\n", ",,,,,,\n")
    )
    world = outcome(tmp_path, {"sections.csv": sections})
    assert world.column("sections", "ext") == {
        "algebra": '{"Wing":"W"}',
        "art": '{"Wing":"W"}',
        "home": '{"Wing":""}',
    }
