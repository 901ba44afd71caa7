"""Every rule for rows: which row of which file it finds, and which rows the sync still takes in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rollbook.domain.reading_rules import Rules
from rollbook.errors import SourceRejected
from rollbook.roster.intake.clever import checks
from rollbook.roster.intake.csv import files
from rollbook.roster.problems import PROBLEM, PROBLEMS, VALUE_CHARACTERS_MAX, Problem
from rollbook.synthetic import writer
from tests.roster.world import (
    ENROLLMENTS,
    SCHOOLS,
    SECTIONS,
    STUDENTS,
    TEACHERS,
    Found,
    checked,
    outcome,
    write,
)

CONTACTS = (
    "School_id,Student_id,First_name,Last_name,Grade,"
    "Contact_name,Contact_type,Contact_email,Contact_phone,Contact_sis_id\n"
)
STAFF = "School_id,Staff_id,Staff_email,First_name,Last_name,Role\n"
ADMINS = "Admin_id,Admin_email,First_name,Last_name,Title,Role\n"
# The four students, without contacts, under the headers of CONTACTS.
STUDENTS_WITH_BLANKS = "".join(f"{line},,,,,\n" for line in STUDENTS.splitlines()[1:])
RESOURCES = "Resource_id,Title,Roles,Course_name,Course_number\n"
ALL_ENROLLED = ENROLLMENTS + "birch,home,dot\n"

# Changed files, their problems, and the number of rejected rows by roster table.
RULES: dict[str, tuple[dict[str, str], Found]] = {
    # Schools.
    "a school without a name": (
        {"schools.csv": SCHOOLS + "cedar,,3\n"},
        [("schools.csv", 4, "missing-value")],
    ),
    "a school without an id": (
        {"schools.csv": SCHOOLS + ",Cedar,3\n"},
        [("schools.csv", 4, "missing-value")],
    ),
    "a school id twice": (
        {"schools.csv": SCHOOLS + "ash,Ash Again,3\n"},
        [("schools.csv", 4, "duplicate-id")],
    ),
    "a school without a number": (
        {"schools.csv": SCHOOLS + "cedar,Cedar,\n"},
        [("schools.csv", 4, "blank-school-number")],
    ),
    # People.
    "a student without a last name": (
        {"students.csv": STUDENTS + "ash,eli,Eli,,4\n"},
        [("students.csv", 6, "missing-value")],
    ),
    "a student without an id": (
        {"students.csv": STUDENTS + "ash,,Eli,Eng,4\n"},
        [("students.csv", 6, "missing-value")],
    ),
    "a student without anything but a school": (
        {"students.csv": STUDENTS + "ash,,,,\n"},
        [("students.csv", 6, "missing-value")] * 3,
    ),
    "a student of an unknown school": (
        {"students.csv": STUDENTS + "cedar,eli,Eli,Eng,4\n"},
        [("students.csv", 6, "unknown-school")],
    ),
    "a student of a school that was left out": (
        {"schools.csv": SCHOOLS + "cedar,,3\n", "students.csv": STUDENTS + "cedar,eli,Eli,Eng,4\n"},
        [("schools.csv", 4, "missing-value"), ("students.csv", 6, "unknown-school")],
    ),
    "a student id twice": (
        {"students.csv": STUDENTS + "birch,amy,Amy,Adams,4\n"},
        [("students.csv", 6, "duplicate-id")],
    ),
    "a student id in other letters is another student": (
        {"students.csv": STUDENTS + "ash,AMY,Amy,Adams,4\n"},
        [],
    ),
    "a teacher id twice": (
        {"teachers.csv": TEACHERS + "birch,lund,Lars,Lund,\n"},
        [("teachers.csv", 4, "duplicate-id")],
    ),
    "a teacher of an unknown school": (
        {"teachers.csv": TEACHERS + "cedar,eng,Ed,Eng,\n"},
        [("teachers.csv", 4, "unknown-school")],
    ),
    "a teacher without a first name": (
        {"teachers.csv": TEACHERS + "ash,eng,,Eng,\n"},
        [("teachers.csv", 4, "missing-value")],
    ),
    "a staff member without an email": (
        {"staff.csv": STAFF + "ash,7,,Fay,Fox,\n"},
        [("staff.csv", 2, "missing-value")],
    ),
    "a staff member of an unknown school": (
        {"staff.csv": STAFF + "cedar,7,f@x.org,Fay,Fox,\n"},
        [("staff.csv", 2, "unknown-school")],
    ),
    "a staff member of all schools, and one of the office": (
        {"staff.csv": STAFF + "District,7,f@x.org,Fay,Fox,\nDEFAULT_DISTRICT_OFFICE,8,g@x.org,Gil,Gay,\n"},
        [],
    ),
    "a staff member of two schools, and of one of them twice": (
        {"staff.csv": STAFF + "ash,7,f@x.org,Fay,Fox,\nbirch,7,f@x.org,Fay,Fox,\nash,7,f@x.org,Fay,Fox,\n"},
        [("staff.csv", 4, "duplicate-id")],
    ),
    "a staff member with two names": (
        {"staff.csv": STAFF + "ash,7,f@x.org,Fay,Fox,\nbirch,7,f@x.org,Fanny,Fox,School Tech Lead\n"},
        [("staff.csv", 3, "conflicting-repeat")],
    ),
    "an old staff file's row of an unknown school": (
        {
            "admins.csv": "School_id,Staff_id,Admin_email,First_name,Last_name\ncedar,7,f@x.org,Fay,Fox\nash,8,,Gil,Gay\n"
        },
        [
            ("admins.csv", 2, "unknown-school"),
            ("admins.csv", 3, "missing-value"),
            ("admins.csv", None, "deprecated-file"),
        ],
    ),
    "administrators with every known role": (
        {
            "administrators.csv": ADMINS
            + "".join(
                f"{number},a{number}@x.org,A,A,Boss,{role}\n"
                for number, role in enumerate(
                    (
                        *("Clever Administrator", "CleverAdministrator", "CA", "District Curriculum Lead"),
                        *("DistrictCurriculumLead", "DCL", "District Help Desk", "DistrictHelpDesk", "dhd"),
                    )
                )
            )
        },
        [],
    ),
    "an administrator with two roles": (
        {"administrators.csv": ADMINS + "1,a@x.org,A,A,Boss,CA\n1,a@x.org,A,A,Boss,DCL\n"},
        [],
    ),
    "an administrator without a role, and one with an unknown one": (
        {"administrators.csv": ADMINS + "1,a@x.org,A,A,Boss,\n2,b@x.org,B,B,Boss,King\n"},
        [("administrators.csv", 2, "missing-value"), ("administrators.csv", 3, "unknown-admin-role")],
    ),
    "an administrator whose rows disagree": (
        {"administrators.csv": ADMINS + "1,a@x.org,A,A,Boss,CA\n1,b@x.org,A,A,Boss,DCL\n"},
        [("administrators.csv", 3, "conflicting-repeat")],
    ),
    # Contacts.
    "a student's second and third contact": (
        {
            "students.csv": CONTACTS
            + STUDENTS_WITH_BLANKS
            + "ash,amy,Amy,Adams,4,Pa,Primary,,,\nash,amy,Amy,Adams,4,Ma,Primary,,,\n"
        },
        [],
    ),
    "a repeated student without a contact": (
        {"students.csv": CONTACTS + STUDENTS_WITH_BLANKS + "ash,amy,Amy,Adams,4,,,,,\n"},
        [("students.csv", 6, "duplicate-id")],
    ),
    "a repeated student who changed grade": (
        {"students.csv": CONTACTS + STUDENTS_WITH_BLANKS + "ash,amy,Amy,Adams,5,Pa,Primary,,,\n"},
        [("students.csv", 6, "conflicting-repeat")],
    ),
    "a repeated student who changed school and name": (
        {"students.csv": CONTACTS + STUDENTS_WITH_BLANKS + "birch,amy,Amy,Adamson,4,Pa,Primary,,,\n"},
        [("students.csv", 6, "conflicting-repeat")] * 2,
    ),
    "a contact without a name, and one without a type": (
        {
            "students.csv": CONTACTS
            + STUDENTS_WITH_BLANKS
            + "ash,amy,Amy,Adams,4,,Primary,p@x.org,,\nash,amy,Amy,Adams,4,Ma,,,,\n"
        },
        [("students.csv", 6, "incomplete-contact"), ("students.csv", 7, "incomplete-contact")],
    ),
    "a contact id with two names": (
        {
            "students.csv": CONTACTS
            + STUDENTS_WITH_BLANKS
            + "ash,amy,Amy,Adams,4,Pa,Primary,p@x.org,,9\nash,ben,Ben,Baker,4,Papa,Primary,p@x.org,,9\n"
        },
        [("students.csv", 7, "conflicting-contact")],
    ),
    # Sections and enrollments.
    "a section id twice": (
        {"sections.csv": SECTIONS + "ash,art,lund,,Again,,,,,,\n"},
        [("sections.csv", 5, "duplicate-id")],
    ),
    "a section without a teacher": (
        {
            "sections.csv": SECTIONS + "ash,new,,,New,,,,,,\n",
            "enrollments.csv": ALL_ENROLLED + "ash,new,amy\n",
        },
        [("sections.csv", 5, "missing-value"), ("enrollments.csv", 8, "unknown-section")],
    ),
    "a section of an unknown teacher": (
        {
            "sections.csv": SECTIONS + "ash,new,nobody,,New,,,,,,\n",
            "enrollments.csv": ALL_ENROLLED + "ash,new,amy\n",
        },
        [("sections.csv", 5, "unknown-teacher"), ("enrollments.csv", 8, "unknown-section")],
    ),
    "a section of an unknown school": (
        {"sections.csv": SECTIONS + "cedar,new,lund,,New,,,,,,\n"},
        [("sections.csv", 5, "unknown-school")],
    ),
    "a section without students": (
        {"sections.csv": SECTIONS + "ash,new,lund,,New,,,,,,\n"},
        [("sections.csv", 5, "no-students")],
    ),
    "a section whose only student is unknown": (
        {
            "sections.csv": SECTIONS + "ash,new,lund,,New,,,,,,\n",
            "enrollments.csv": ENROLLMENTS + "ash,new,nobody\n",
        },
        [("sections.csv", 5, "no-students"), ("enrollments.csv", 7, "unknown-student")],
    ),
    "an unknown co-teacher": (
        {"sections.csv": SECTIONS.replace("home,okoye,lund", "home,okoye,nobody")},
        [("sections.csv", 4, "unknown-co-teacher")],
    ),
    "a co-teacher of a section that is left out is not reported": (
        {"sections.csv": SECTIONS + "ash,new,lund,nobody,New,,,,,,\n"},
        [("sections.csv", 5, "no-students")],
    ),
    "an enrollment of an unknown student": (
        {"enrollments.csv": ENROLLMENTS + "ash,algebra,nobody\n"},
        [("enrollments.csv", 7, "unknown-student")],
    ),
    "an enrollment in an unknown section": (
        {"enrollments.csv": ENROLLMENTS + "ash,nothing,amy\n"},
        [("enrollments.csv", 7, "unknown-section")],
    ),
    "an enrollment of an unknown school": (
        {"enrollments.csv": ENROLLMENTS + "cedar,algebra,cem\n"},
        [("enrollments.csv", 7, "unknown-school")],
    ),
    "an enrollment with blanks": (
        {"enrollments.csv": ENROLLMENTS + "ash,,cem\n,algebra,cem\nash,algebra,\n"},
        [
            ("enrollments.csv", 7, "missing-value"),
            ("enrollments.csv", 8, "missing-value"),
            ("enrollments.csv", 9, "missing-value"),
        ],
    ),
    "enrollments that name the student's school": (
        {"enrollments.csv": ENROLLMENTS + "birch,algebra,cem\nbirch,algebra,dot\n"},
        [("enrollments.csv", 7, "other-school")],
    ),
    "an enrollment twice": ({"enrollments.csv": ENROLLMENTS + "ash,algebra,amy\n"}, []),
    # Resources.
    "a resource of two courses, by name and by number": (
        {"resources.csv": RESOURCES + "r1,Game,student,Algebra I,\nr1,Game,student,,A1\n"},
        [],
    ),
    "a resource of an unknown course": (
        {"resources.csv": RESOURCES + "r1,Game,,Alchemy,\nr2,Book,,Algebra I,A1\n"},
        [("resources.csv", 2, "unknown-course"), ("resources.csv", 3, "unknown-course")],
    ),
    "a resource for an unknown role": (
        {"resources.csv": RESOURCES + "r1,Game,student;parent,,\n"},
        [("resources.csv", 2, "unknown-value")],
    ),
    "a resource without a title": (
        {"resources.csv": RESOURCES + "r1,,,,\n"},
        [("resources.csv", 2, "missing-value")],
    ),
    # Values.
    "values that are not known": (
        {
            "students.csv": "School_id,Student_id,First_name,Last_name,Grade,Gender,DOB,Race\n"
            "ash,amy,Amy,Adams,04,?,1/32/2015,Blue\nash,ben,Ben,Baker,4,M,,\nbirch,cem,Cem,Celik,5,F,,\n"
        },
        [
            ("students.csv", 2, code)
            for code in ("unknown-value", "unknown-value", "unknown-value", "bad-date")
        ],
    ),
    "values of rows that are left out are not reported": (
        {"students.csv": STUDENTS + "cedar,eli,Eli,Eng,fourth\n"},
        [("students.csv", 6, "unknown-school")],
    ),
    "phones and dates that cannot be used": (
        {
            "schools.csv": SCHOOLS.replace("number", "number,School_phone,Low_grade")
            .replace(",1", ",1,555-0100,3rd")
            .replace(",2", ",2,,K"),
            "sections.csv": SECTIONS.replace("8/20/2025", "20.8.2025", 1),
        },
        [
            ("schools.csv", 2, "unknown-value"),
            ("schools.csv", 2, "bad-phone"),
            ("sections.csv", 2, "bad-date"),
        ],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_names_file_and_row(name: str, tmp_path: Path) -> None:
    changes, expected = RULES[name]
    assert expected == checked(tmp_path, changes)


def test_a_problem_says_where_what_and_what_was_expected(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"students.csv": STUDENTS + "cedar,eli,Eli,Eng,4\nash,fin,,Fox,4\n"})
    school, name = world.problems
    assert (
        school.column,
        school.value,
        str(school),
    ) == (
        "School_id",
        "cedar",
        "students.csv row 6: School_id 'cedar' is not an accepted school of schools.csv",
    )
    assert (name.column, str(name)) == (
        "First_name",
        "students.csv row 7: First_name is blank; expected a value",
    )


def test_the_rest_goes_in_when_rows_are_left_out(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        {
            "students.csv": STUDENTS + "ash,amy,Imposter,X,1\ncedar,eli,Eli,Eng,4\n",
            "enrollments.csv": ENROLLMENTS + "ash,algebra,eli\n",
        },
    )
    assert world.found == [
        ("students.csv", 6, "shared-id"),
        ("students.csv", 7, "unknown-school"),
        ("enrollments.csv", 7, "unknown-student"),
    ]
    assert world.column("students", "first") == {"amy": "Amy", "ben": "Ben", "cem": "Cem", "dot": "Dot"}
    assert len(world.tables["enrollments"]) == 5


def test_the_first_good_row_of_an_id_is_kept_when_an_earlier_one_is_bad(tmp_path: Path) -> None:
    world = outcome(
        tmp_path, {"teachers.csv": TEACHERS.replace("ash,lund", "cedar,lund") + "ash,lund,Lars,Lund,\n"}
    )
    assert world.found == [("teachers.csv", 2, "unknown-school")]
    assert world.column("teachers", "row") == {"lund": 4, "okoye": 3}


def test_a_section_falls_with_its_teacher_and_its_enrollments_with_it(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"teachers.csv": TEACHERS.replace("birch,okoye", "cedar,okoye")})
    assert world.found == [
        ("teachers.csv", 3, "unknown-school"),
        ("sections.csv", 3, "unknown-teacher"),
        ("sections.csv", 4, "unknown-teacher"),
        ("enrollments.csv", 4, "unknown-section"),
        ("enrollments.csv", 5, "unknown-section"),
        ("enrollments.csv", 6, "unknown-section"),
    ]
    assert [row["key"] for row in world.tables["sections"]] == ["algebra"]


def test_errors_are_counted_by_what_the_files_feed(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        {
            "schools.csv": SCHOOLS + ",Cedar,3\n",
            "students.csv": CONTACTS
            + STUDENTS_WITH_BLANKS
            + "ash,,,,,,,,,\nash,amy,Amy,Adams,4,,Primary,p@x.org,,\n",
            "staff.csv": STAFF + "cedar,7,,Fay,Fox,\n",
            "enrollments.csv": ENROLLMENTS + "x,x,x\nash,algebra,x\n",
        },
    )
    assert world.errors == {
        "schools": 1,
        "students": 1,
        "contacts": 1,
        "teachers": 0,
        "staff": 1,
        "district_admins": 0,
        "sections": 2,
        "resources": 0,
    }


def test_a_report_is_bounded_and_all_problems_are_counted(tmp_path: Path) -> None:
    many = "".join(f"ash,algebra,nobody{number}\n" for number in range(500))
    write(tmp_path, {"enrollments.csv": ENROLLMENTS + many})
    with closing(files.open_all(tmp_path, memory_limit="256MB")) as tables:
        problems = checks.check(tables, Rules(problems_max=10))
        assert list(range(7, 17)) == [problem.row for problem in problems]
        assert (
            len(problems),
            problems.by_code(),
            problems.errors_by_file(),
        ) == (500, {"unknown-student": 500}, {"enrollments.csv": 500})


def test_long_values_are_cut_in_the_report(tmp_path: Path) -> None:
    (problem,) = outcome(tmp_path, {"enrollments.csv": ENROLLMENTS + f"ash,algebra,{'x' * 5000}\n"}).problems
    assert problem.value == "x" * VALUE_CHARACTERS_MAX


def test_long_values_are_cut_in_a_stop(tmp_path: Path) -> None:
    write(tmp_path, {"teachers.csv": TEACHERS.replace("Teacher_email", "x" * 5000)})
    with pytest.raises(SourceRejected) as caught:
        files.open_all(tmp_path, memory_limit="256MB")
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert (problem.code, problem.column) == ("unknown-header", "x" * VALUE_CHARACTERS_MAX)


def test_the_districts_own_administrator_roles_count(tmp_path: Path) -> None:
    rows = ADMINS + "1,a@x.org,A,A,Boss,Data Wizard's Aide\n"
    assert checked(tmp_path, {"administrators.csv": rows}, Rules(admin_roles=("Data wizard's aide",))) == []


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_is_fully_described(problem: type[Problem]) -> None:
    assert problem.code
    assert problem.title
    assert problem.mend.endswith(".")
    assert problem.severity in ("stop", "error", "warning")
    assert (problem.severity == "stop") == (problem.left_out == "sync")
    assert (problem.severity == "error") == (problem.left_out in ("row", "contact"))
    assert "{file}" in problem.message
    assert str(problem("students.csv", 2, "Grade", "x", "y"))


def test_codes_are_unique_and_every_class_is_listed() -> None:
    assert len(PROBLEM) == len(PROBLEMS)
    leaves = {kind for base in Problem.__subclasses__() for kind in base.__subclasses__()}
    assert leaves == set(PROBLEMS)


# Preparing a statement takes about two milliseconds, and a check of a small district is little else.
STATEMENTS_MAX = 155


def test_a_check_of_files_without_problems_takes_few_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(tmp_path / "files", students=50, seed=1)
    statements: list[str] = []

    class Counting:
        """The engine, which notes each statement."""

        def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
            self._engine = engine

        def execute(self, statement: str, *more: object) -> duckdb.DuckDBPyConnection:
            statements.append(statement)
            return self._engine.execute(statement, *more)

        def __getattr__(self, name: str) -> object:
            return getattr(self._engine, name)

    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *some, **more: Counting(connect(*some, **more)))
    with closing(files.open_all(tmp_path / "files", memory_limit="512MB", temporary=tmp_path)) as tables:
        assert list(checks.check(tables, Rules())) == []
    assert len(statements) <= STATEMENTS_MAX
