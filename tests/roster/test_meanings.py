"""Every row of the normalisation tables: what a district writes, what the API shows, and whether it is
reported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rollbook.contract.clever.fields import DISABILITIES, GENDERS, GRADES, LANGUAGES, RACES
from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever.vocabulary import ADMIN_ROLES
from rollbook.roster.problems import Problem
from tests.roster.world import Outcome, outcome

Case = tuple[str, str, str, bool]  # header, input, meaning, and whether the input is known

TODAY = date(2026, 3, 1)


def _known(header: str, **pairs: str) -> list[Case]:
    return [(header, written, meaning, True) for written, meaning in pairs.items()]


def _each(header: str, meaning: str, *inputs: str) -> list[Case]:
    return [(header, written, meaning, True) for written in inputs]


def _unknown(header: str, meaning: str, *inputs: str) -> list[Case]:
    return [(header, written, meaning, False) for written in inputs]


by_code = {language.code: language.name for language in LANGUAGES}
# ISO 639-2: twenty languages have two codes.
_TWICE = [
    "alb",
    "sqi",
    "arm",
    "hye",
    "baq",
    "eus",
    "bur",
    "mya",
    "chi",
    "zho",
    "cze",
    "ces",
    "dut",
    "nld",
    "fre",
    "fra",
    "geo",
    "kat",
    "ger",
    "deu",
    "gre",
    "ell",
    "ice",
    "isl",
    "mac",
    "mkd",
    "mao",
    "mri",
    "may",
    "msa",
    "per",
    "fas",
    "rum",
    "ron",
    "slo",
    "slk",
    "tib",
    "bod",
    "wel",
    "cym",
]
BIBLIOGRAPHIC = dict(zip(_TWICE[::2], _TWICE[1::2], strict=True))

_YES_NO = (
    "Hispanic_Latino",
    "Ell_status",
    "IEP_status",
    "Gifted_status",
    "Section_504_status",
    "Disability_status",
)

STUDENT_CASES: list[Case] = [
    *(case for grade in GRADES for case in _each("Grade", grade, grade, grade.upper(), grade.lower())),
    *_each("Grade", "Kindergarten", "0", "K", "KG", "KN", "KF", "kg"),
    *_each("Grade", "PreKindergarten", "PK", "PreK", "prek"),
    *_known("Grade", PR="Preschool", IT="InfantToddler", TK="TransitionalKindergarten", UG="Ungraded"),
    *_each("Grade", "PostGraduate", "PG", "PS"),
    *_unknown(
        "Grade", "Other", "01", "09", "012", "14", "4th", "fourth", "4.0", "-1", "K-5", "12th Grade", "?"
    ),
    *(case for gender in GENDERS for case in _each("Gender", gender, gender, gender.lower())),
    *_known("Gender", male="M", Female="F", MALE="M", nonbinary="X"),
    *_each("Gender", "X", "Non-binary", "non binary"),
    *_unknown("Gender", "", "?", "unknown", "MF"),
    *(case for race in RACES for case in _each("Race", race, race, race.upper())),
    *_known(
        "Race",
        W="Caucasian",
        A="Asian",
        B="Black or African American",
        I="American Indian",
        M="Two or More Races",
    ),
    *_known("Race", P="Hawaiian or Other Pacific Islander", w="Caucasian"),
    *_each("Race", "Caucasian", "White", "WHITE", " white "),
    *_each("Race", "Black or African American", "Black", "African American", "black/african-american"),
    *_each("Race", "American Indian", "Native American", "Alaska Native", "American Indian/Alaskan Native"),
    *_each(
        "Race",
        "Hawaiian or Other Pacific Islander",
        "Native Hawaiian or Other Pacific Islander",
        "Pacific Islander",
    ),
    *_each("Race", "Two or More Races", "Two or more races", "Multi-Racial", "two or more"),
    *_unknown("Race", "Unknown", "H", "Hispanic", "Martian", "7", "White/Asian", "N/A"),
    *(case for header in _YES_NO for case in _each(header, "Y", "Y", "y", "Yes", "TRUE", "1")),
    *(case for header in _YES_NO for case in _each(header, "N", "N", "n", "no", "False", "0")),
    *(case for header in _YES_NO for case in [*_each(header, "", ""), *_unknown(header, "", "maybe", "2")]),
    *_each("Ell_status", "Y", "EL", "el"),
    *_each("Ell_status", "Y", "ELL", "LEP", "Limited English Proficient", "English Learner"),
    *_each("Ell_status", "N", "RFEP", "IFEP", "EO", "FEP", "English Only", "non-ELL"),
    *_unknown("Ell_status", "", "TBD", "monitored"),
    *[*_each("IEP_status", "Y", "IEP"), *_each("IEP_status", "N", "No IEP")],
    *[*_each("Gifted_status", "Y", "Gifted"), *_each("Section_504_status", "Y", "504", "504 Plan")],
    *_each("Hispanic_Latino", "Y", "Hispanic/Latino", "hispanic"),
    *_each("Hispanic_Latino", "N", "Non-Hispanic", "Not Hispanic or Latino"),
    *_known(
        "Frl_status",
        F="Free",
        R="Reduced",
        P="Paid",
        N="Paid",
        free="Free",
        Reduced="Reduced",
        PAID="Paid",
        other="Other",
    ),
    *_each("Frl_status", "Free", "Free Lunch", "free meals"),
    *_each("Frl_status", "Reduced", "Reduced-Price", "Reduced Price Lunch"),
    *_each("Frl_status", "Paid", "Full Price", "no discount", "No-Discount", "Full Pay"),
    *[*_each("Frl_status", "", ""), *_unknown("Frl_status", "Other", "X", "yes", "Y", "1", "0")],
    *(
        case
        for language in LANGUAGES
        for case in _each("Home_language", language.name, language.name.upper(), language.code)
    ),
    *_known(
        "Home_language",
        chi="Chinese",
        doi="Dogri",
        frr="Frisian",
        frs="Frisian",
        tib="Tibetan",
        iku="Inuktitut",
    ),
    *_known("Home_language", **{code: by_code[other] for code, other in BIBLIOGRAPHIC.items()}),
    *_known(
        "Home_language",
        en="English",
        ES="Spanish",
        zh="Chinese",
        vi="Vietnamese",
        per="Farsi",
        Persian="Farsi",
    ),
    *_unknown("Home_language", "Other", "no", "n"),
    *_each("Home_language", "Khmer", "Cambodian (Khmer)", "khm"),
    *_each("Home_language", "Manipuri", "Meiteilon (Manipuri)"),
    *_each("Home_language", "Chichewa", "Nyanja (Chichewa)"),
    *_each("Home_language", "Northern Sotho", "Sepedi"),
    *_each("Home_language", "Other", "Akateko", "Q'anjob'al"),
    *[*_each("Home_language", "", ""), *_unknown("Home_language", "Other", "Klingon", "xx")],
    *(
        case
        for code in DISABILITIES
        for case in _each("Disability_code", code, code, code.upper(), DISABILITIES[code])
    ),
    *(
        case
        for code in DISABILITIES
        for case in _each("Disability_type", DISABILITIES[code], DISABILITIES[code].lower(), code)
    ),
    *[*_each("Disability_code", "", ""), *_unknown("Disability_code", "other", "xyz")],
    *[*_each("Disability_type", "", ""), *_unknown("Disability_type", "Other", "Something")],
    # Dates of birth, read on 1 March 2026.
    *_each("DOB", "1/16/1998", "1/16/98", "01/16/1998", "1/16/1998", "1998-01-16", "1998-1-16"),
    *_each("DOB", "12/31/2015", "12/31/2015", "12/31/15", "2015-12-31"),
    *_each("DOB", "3/1/2026", "3/1/26"),
    *_each("DOB", "3/2/1926", "3/2/26"),
    *_each("DOB", "2/29/2016", "2/29/16", "2016-02-29"),
    *_each("DOB", "2/29/1928", "2/29/28"),
    *_each("DOB", "1/1/2000", "1/1/00"),
    *[
        *_each("DOB", "", ""),
        *_unknown(
            "DOB", "", "2/29/2015", "13/1/2015", "1/32/2015", "0/1/2015", "16.1.1998", "1-16-1998", "x"
        ),
    ],
    *_unknown(
        "DOB",
        "",
        "1/16/998",
        "1/16/1",
        "1/16/1799",
        "2201-01-01",
        "٣/١/2015",
        "42583",
        "1.8.2016",
        "08-01-2016",
    ),
    # With a midnight time, as databases and spreadsheets write dates.
    *_each(
        "DOB", "8/1/2016", "8/1/2016 12:00:00 AM", "8/1/2016 0:00", "08/01/16 00:00:00", "8/1/2016 12:00 am"
    ),
    *_each(
        "DOB",
        "8/1/2016",
        "2016-08-01 00:00:00.000",
        "2016-08-01T00:00:00",
        "2016-08-01T00:00:00Z",
        "2016-08-01 00:00",
    ),
    *_each("DOB", "8/1/2016", "2016-08-01T00:00:00-05:00", "2016-08-01 00:00:00.0000000"),
    # Other forms with one reading.
    *_each(
        "DOB",
        "8/1/2016",
        "20160801",
        "2016/08/01",
        "2016/8/1",
        "01-AUG-16",
        "1-Aug-2016",
        "01-AUG-16 12:00:00 AM",
    ),
    *_each("DOB", "8/1/2016", "Aug 1, 2016", "August 1, 2016", "1 Aug 2016", "1 august 2016", "Aug. 1 2016"),
    *_each("DOB", "9/2/1998", "02-SEP-98", "2 Sept 1998", "19980902"),
    *_unknown(
        "DOB",
        "",
        *(
            "8/1/2016 08:30",
            "8/1/2016 12:00 PM",
            "2016-08-01T05:00:00Z",
            "2016-08-01T00:00:01",
            "8/1/2016 midnight",
        ),
        *(
            "08012016",
            "01082016",
            "2016081",
            "201608011",
            "2016-8/1",
            "31-FEB-16",
            "01-AUX-16",
            "Aug 2016",
            "16-08-01",
            "1-8-16",
        ),
    ),
    # Contacts.
    *_each(
        "Contact_phone",
        "(718) 555-4567",
        "7185554567",
        "718-555-4567",
        "(718) 555-4567",
        "718.555.4567",
        " 718 555 4567 ",
    ),
    *_each(
        "Contact_phone",
        "1-(718) 555-4567",
        "17185554567",
        "1-718-555-4567",
        "+1 (718) 555-4567",
        "1-(718) 555-4567",
    ),
    *_unknown(
        "Contact_phone",
        "",
        "555-4567",
        "718-555-4567 x12",
        "718-555-4567 ext. 5",
        "718-555-456 x1",
        "127185554567",
    ),
    *_each("Contact_phone", "27185554567", "27185554567", "2-718-555-4567"),
    *_each("Contact_phone", "02079460958", "02079460958", "0 20 7946 0958"),
    *_unknown("Contact_phone", "", "7185554567 / 7185554568", "718 555-CALL", "71855545678#1", "718555456;1"),
    # A word for nothing is reported in one line for the column, and a dash is not reported.
    *[
        *_each("Contact_phone", "", "", "none", "-"),
        *_each("Contact_phone_type", "Other", "", "Other", "OTHER"),
    ],
    *_known(
        "Contact_phone_type",
        Cell="Cell",
        home="Home",
        WORK="Work",
        mobile="Cell",
        Mobile="Cell",
        C="Cell",
        h="Home",
    ),
    *_unknown("Contact_phone_type", "Other", "Satellite", "Fax"),
    *_each(
        "Contact_relationship",
        "Parent",
        "Parent",
        "mother",
        "Father",
        "Guardian",
        "Step Mother",
        "stepfather",
        "Stepparent",
        "MOM",
    ),
    *_each("Contact_relationship", "Grandparent", "Grandparent", "grandmother", "Grand Father", "grandma"),
    *_each("Contact_relationship", "Aunt/Uncle", "Aunt/Uncle", "aunt", "Uncle", "Great Aunt"),
    *_each("Contact_relationship", "Sibling", "Sibling", "Brother", "sister", "Stepbrother", "Half sister"),
    *[
        *_known("Contact_relationship", Self="Self", Other="Other"),
        *_each("Contact_relationship", "Other", ""),
    ],
    *_each("Contact_relationship", "Other", "Neighbour", "Case worker", "Grocer"),
    *_each(
        "Contact_type",
        "Parent/Guardian",
        "Parent/Guardian",
        "guardian",
        "Mother",
        "father",
        "Parent",
        "mom",
        "dad",
        "stepmother",
    ),
    *_each("Contact_type", "Parent/Guardian", "stepfather", "Stepparent", "Emergency - Mother"),
    *_each("Contact_type", "Emergency", "Emergency", "emergency contact", "EMERGENCY 2"),
    *[
        *_known("Contact_type", Primary="Primary", secondary="Secondary", Other="Other"),
        *_each("Contact_type", "Primary", "Primary 1"),
    ],
    *_each(
        "Contact_type",
        "Family",
        "Family",
        "Family Friend",
        "Great Aunt",
        "uncle",
        "relative",
        "grandmother",
        "Grandfather",
    ),
    *_each("Contact_type", "Family", "Grandparent", "Sibling"),
    *_each("Contact_type", "", "Neighbour", "Momentum", "x"),
]
# The roster column for each column of students.csv.
SHOWN = {
    "Hispanic_Latino": "hispanic_ethnicity",
    "Contact_phone": "phone",
    "Contact_phone_type": "phone_type",
    "Contact_relationship": "relationship",
    "Contact_type": "type",
}
CONTACT_DEFAULTS = {"Contact_name": "Pat", "Contact_type": "Primary"}


def _write(cases: list[Case]) -> str:
    """students.csv with one student for each case, with a value only in the case's column; contacts also have
    what they need."""
    headers = list(dict.fromkeys(["Contact_name", "Contact_sis_id", *(case[0] for case in cases)]))
    lines = [",".join(["School_id", "Student_id", "First_name", "Last_name", *headers])]
    for number, (header, written, _, _) in enumerate(cases):
        values = dict.fromkeys(headers, "")
        if header.startswith("Contact_"):
            values |= {"Contact_name": "Pat", "Contact_type": "Primary", "Contact_sis_id": f"c{number}"}
        values[header] = '"' + written + '"'
        lines.append(",".join(["ash", f"s{number}", "A", "B", *values.values()]))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("meanings")
    enrolled = "School_id,Section_id,Student_id\nash,algebra,s0\n"
    rules = Rules(today=TODAY, problems_max=10_000)
    return outcome(folder, {"students.csv": _write(STUDENT_CASES), "enrollments.csv": enrolled}, rules)


def _shown(world: Outcome, number: int, header: str) -> Any:
    column = SHOWN.get(header, header.lower())
    if header in ("Contact_relationship", "Contact_type"):
        return next(row[column] for row in world.tables["contact_students"] if row["student"] == f"s{number}")
    if header.startswith("Contact_"):
        return next(row[column] for row in world.tables["contacts"] if row["sis_id"] == f"c{number}")
    return next(row[column] for row in world.tables["students"] if row["key"] == f"s{number}")


@pytest.mark.parametrize("number", range(len(STUDENT_CASES)))
def test_every_input_has_its_meaning(number: int, shown: Outcome) -> None:
    header, written, meaning, is_known = STUDENT_CASES[number]
    found = (
        problem for problem in shown.problems if (problem.file, problem.row) == ("students.csv", number + 2)
    )
    reported = [problem for problem in found if problem.code not in ("other-words", "word-for-nothing")]
    assert (header, written, meaning) == (header, written, _shown(shown, number, header))
    assert ([] if is_known else [(header, written.strip())]) == [
        (problem.column, problem.value) for problem in reported
    ]


def test_each_language_has_its_code(shown: Outcome) -> None:
    codes = {row["home_language"]: row["home_language_code"] for row in shown.tables["students"]}
    assert {language.name: language.code for language in LANGUAGES} | {"": ""} == codes


def test_lenient_grades_read_a_leading_zero(tmp_path: Path) -> None:
    students = "School_id,Student_id,First_name,Last_name,Grade\n" + "".join(
        f"ash,s{number},A,B,{grade}\n" for number, grade in enumerate(["01", "09", "00", "12", "013"])
    )
    world = outcome(
        tmp_path,
        {"students.csv": students, "enrollments.csv": "School_id,Section_id,Student_id\nash,algebra,s0\n"},
        Rules(lenient_grades=True),
    )
    assert list(world.column("students", "grade").values()) == ["1", "9", "Kindergarten", "12", "Other"]
    assert [place for place in world.found if place[2] == "unknown-value"] == [
        ("students.csv", 6, "unknown-value")
    ]


def test_lenient_grades_read_a_range_with_leading_zeros(tmp_path: Path) -> None:
    schools = "School_id,School_name,School_number,Low_grade\nash,Ash,1,06-08\nbirch,Birch,2,12 - 09\n"
    world = outcome(tmp_path, {"schools.csv": schools}, Rules(lenient_grades=True))
    assert world.column("schools", "low_grade") == {"ash": "6", "birch": "9"}


def test_blank_and_absent_columns_are_told_apart(tmp_path: Path) -> None:
    students = "School_id,Student_id,First_name,Last_name,Grade,Gender\nash,amy,Amy,Adams,,\n"
    world = outcome(
        tmp_path,
        {"students.csv": students, "enrollments.csv": "School_id,Section_id,Student_id\nash,algebra,amy\n"},
    )
    (amy,) = world.tables["students"]
    assert (amy["grade"], amy["gender"], amy["race"], amy["dob"], amy["home_language_code"]) == (
        "",
        "",
        None,
        None,
        None,
    )


def test_terms_have_iso_dates_and_two_digit_years_are_this_century(tmp_path: Path) -> None:
    sections = "School_id,Section_id,Teacher_id,Term_name,Term_start,Term_end\n" + "".join(
        f"ash,x{number},lund,T,{start},{end}\n"
        for number, (start, end) in enumerate(
            [
                ("8/1/2025", "2025-12-20"),
                ("08/01/25", "12/20/25"),
                ("8/1/98", "1.1.2026"),
                ("8/1/2025 12:00:00 AM", "20251220"),
                ("01-AUG-25", "2025-12-20T00:00:00"),
            ]
        )
    )
    enrollments = "School_id,Section_id,Student_id\n" + "".join(f"ash,x{number},amy\n" for number in range(5))
    world = outcome(tmp_path, {"sections.csv": sections, "enrollments.csv": enrollments}, Rules(today=TODAY))
    assert [(t["start_date"], t["end_date"]) for t in world.tables["terms"]] == [
        ("2025-08-01", "2025-12-20"),
        ("2098-08-01", ""),
    ]
    assert world.found == [("sections.csv", 4, "bad-date")]


def test_a_school_keeps_its_phone_and_grades_in_the_form_of_the_wire(tmp_path: Path) -> None:
    schools = (
        "School_id,School_name,School_number,School_phone,Low_grade,High_grade\n"
        "ash,Ash,1,718.555.4567,0,5\nbirch,Birch,2,,,\n"
    )
    world = outcome(tmp_path, {"schools.csv": schools})
    assert [
        (school["phone"], school["low_grade"], school["high_grade"]) for school in world.tables["schools"]
    ] == [
        ("(718) 555-4567", "Kindergarten", "5"),
        ("", "", ""),
    ]


GRADE_RANGES = {
    "9": ("9-12", "9 - 12", "9–12", "9 — 12", "12-9", "9-9", "9 to 12", "9-PostGraduate"),
    "Kindergarten": ("K-5", "k-5", "KG – 5", "5-K", "0-8", "Kindergarten-5", "K through 5"),
    "PreKindergarten": ("PK-5", "Pre-K-5", "pre-k - k", "PreKindergarten-8"),
    "1": ("1-13", "13-1"),
    "Other": ("K-x", "9-14", "9-", "-9", "9-10-11", "Other-5", "09-12", "9,10", "9/10"),
}


def test_a_range_of_grades_is_its_lower_bound_in_schools_and_sections_alone(tmp_path: Path) -> None:
    written = [(meaning, text) for meaning, texts in GRADE_RANGES.items() for text in texts]
    world = outcome(
        tmp_path,
        {
            "schools.csv": "School_id,School_name,School_number,Low_grade,High_grade\nash,A,1,,\n"
            + "".join(f'v{number},A,1,"{text}","{text}"\n' for number, (_, text) in enumerate(written)),
            "teachers.csv": "School_id,Teacher_id,First_name,Last_name\nash,lund,Lars,Lund\n",
            "students.csv": "School_id,Student_id,First_name,Last_name,Grade\nash,amy,Amy,Adams,\n"
            + "".join(f'ash,v{number},A,B,"{text}"\n' for number, (_, text) in enumerate(written)),
            "sections.csv": "School_id,Section_id,Teacher_id,Grade\n"
            + "".join(f'ash,v{number},lund,"{text}"\n' for number, (_, text) in enumerate(written)),
            "enrollments.csv": "School_id,Section_id,Student_id\n"
            + "".join(f"ash,v{number},amy\n" for number in range(len(written))),
        },
    )
    expected = {f"v{number}": meaning for number, (meaning, _) in enumerate(written)}
    for table, column in (("schools", "low_grade"), ("schools", "high_grade"), ("sections", "grade")):
        assert expected == {key: grade for key, grade in world.column(table, column).items() if key != "ash"}
    assert {"", "Other"} == {*world.column("students", "grade").values()}


def test_free_words_of_contacts_are_counted_in_one_line_for_each_column(shown: Outcome) -> None:
    assert {("Contact_relationship", "3", "Other"), ("Contact_type", "3", "no value")} == {
        (problem.column, problem.value, problem.expected)
        for problem in shown.problems
        if problem.code == "other-words"
    }


def test_every_spelling_of_a_tech_lead_counts_and_each_other_word_is_named_once(tmp_path: Path) -> None:
    roles = [
        "STL",
        "stl",
        "SchoolTechLead",
        "school tech lead",
        "School_Tech-Lead",
        "Clerk",
        "Clerk",
        "Tech Lead",
        "",
    ]
    staff = "School_id,Staff_id,Staff_email,First_name,Last_name,Role\n" + "".join(
        f"ash,{number},{number}@x.org,A,B,{role}\n" for number, role in enumerate(roles)
    )
    world = outcome(tmp_path, {"staff.csv": staff})
    assert [*["SchoolTechLead"] * 5, *["PortalOnly"] * 4] == list(world.column("staff", "role").values())
    assert [(problem.file, problem.row, problem.value) for problem in world.problems] == [
        ("staff.csv", 7, "Clerk"),
        ("staff.csv", 9, "Tech Lead"),
    ]


@pytest.mark.parametrize("role", ADMIN_ROLES)
def test_every_spelling_of_an_administrators_role_is_read_in_any_letter_case(
    role: str, tmp_path: Path
) -> None:
    spellings = [
        case(word) for word in (role, *ADMIN_ROLES[role]) for case in (str, str.upper, str.lower, str.title)
    ]
    admins = "Admin_id,Admin_email,First_name,Last_name,Title,Role\n" + "".join(
        f"{number},{number}@x.org,A,B,T,{spelling}\n" for number, spelling in enumerate(spellings)
    )
    world = outcome(tmp_path, {"administrators.csv": admins})
    assert [row["role"] for row in world.tables["district_admins"]] == [role] * len(spellings)
    assert world.found == []


@pytest.mark.parametrize(
    "roles",
    ["student,teacher", "teacher, student", "Student ; Teachers", "students/teachers", "TEACHER|STUDENT", ""],
)
def test_roles_of_a_resource_have_any_usual_mark_between(roles: str, tmp_path: Path) -> None:
    world = outcome(
        tmp_path, {"resources.csv": f'Resource_id,Title,Roles\n1,Atlas,"{roles}"\n2,Desk,teacher\n'}
    )
    assert [row["roles"] for row in world.tables["resources"]] == [["student", "teacher"], ["teacher"]]
    assert world.found == []


def test_problems_of_values_tell_what_was_expected(shown: Outcome) -> None:
    def expected(code: str) -> set[str | None]:
        return {
            problem.expected
            for problem in shown.problems
            if isinstance(problem, Problem) and problem.code == code
        }

    assert {"MM/DD/YYYY or YYYY-MM-DD"} == expected("bad-date")
    assert {"10 or 11 digits, and no extension"} == expected("bad-phone")
    assert "M, F or X" in expected("unknown-value")
