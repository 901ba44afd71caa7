"""The files that a district sends and their columns, as rows. `rollbook.roster` reads and checks them.

The column lists follow the published help articles and exporters (Clever SIS files). File names are exact and
in lower case. Headers match in any letter case; space, dash and underscore are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollbook.contract.clever.column_values import VALUE

# The one column whose cells are never kept: a keyed digest replaces each cell as it is read.
PASSWORD: Final = "password"  # noqa: S105 - the name of a column
# Characters trimmed from the ends of headers and values: all spaces, tabs and line ends of Unicode, and
# invisible marks that spreadsheets and web pages add. Those are byte order marks, zero-width spaces, joiners,
# and marks of the writing direction.
SPACES: Final = (
    " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_DIRECTIONS: Final = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BLANKS: Final = SPACES + "\t\n\v\f\r\u200b\u200c\u200d\u2060\ufeff" + _DIRECTIONS


@dataclass(frozen=True, slots=True)
class File:
    """One file of the SIS export.

    `feeds` is the roster table that its rows become, or whose lists they fill.
    """

    name: str
    feeds: str
    help: str
    required: bool = False
    deprecated: bool = False
    own_columns: bool = False  # may carry ext.NAME columns

    @property
    def table(self) -> str:
        """The name of the table that holds the file's rows."""
        return self.name.removesuffix(".csv")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file.

    `feeds` is the roster table and column that it fills, if any. A column with `read` false is thrown away.
    `stand_in` is the column whose values are used, with a warning, if this column is not sent. `values` is
    the kind of its values in `column_values`, blank for plain text. A value of a `unique` column belongs to
    one record of the district. `link` is the file whose ids the column holds. A column needed `with_contact`
    is required in each row that gives a contact.
    """

    file: str
    header: str
    feeds: str | None
    help: str
    required: bool = False
    deprecated: bool = False
    read: bool = True
    stand_in: str = ""
    values: str = ""
    unique: bool = False
    link: str = ""
    with_contact: bool = False

    @property
    def name(self) -> str:
        """The column's name in the table: the header in lower case."""
        return self.header.lower()


FILES: Final[tuple[File, ...]] = (
    File(
        "schools.csv",
        "schools",
        "Every school, and offices that staff belong to.",
        required=True,
        own_columns=True,
    ),
    File(
        "students.csv",
        "students",
        "Every active student; one more row for each further contact.",
        required=True,
        own_columns=True,
    ),
    File("teachers.csv", "teachers", "Every teacher, one row each.", required=True, own_columns=True),
    File("sections.csv", "sections", "Every class with its teachers.", required=True, own_columns=True),
    File("enrollments.csv", "sections", "Which student is in which section.", required=True),
    File("staff.csv", "staff", "People who work in schools and teach no section.", own_columns=True),
    File("administrators.csv", "district_admins", "District administrators, one row for each role."),
    File(
        "admins.csv",
        "staff",
        "The old form of staff.csv, read as such when there is no staff.csv.",
        deprecated=True,
    ),
    File(
        "resources.csv",
        "resources",
        "Learning applications' resources, one row for each course they belong to.",
    ),
)


UNIQUE: Final = "unique"
WITH_CONTACT: Final = "with a contact"


def _column(file: str, *rows: tuple[str, str | None, str, *tuple[str, ...]]) -> tuple[Column, ...]:
    """The columns of one file, from short rows.

    The end of a header says how the column is treated: `*` required, `!` deprecated, `-` accepted and thrown
    away, `=OTHER` replaced by the column OTHER if missing. Marks follow the help: `UNIQUE`, `WITH_CONTACT`,
    the file that the column links to, or the kind of its values.
    """
    return tuple(_row(file, *row) for row in rows)


def _row(file: str, header: str, feeds: str | None, help_text: str, *marks: str) -> Column:
    return Column(
        file,
        header.partition("=")[0].rstrip("*!-"),
        None if feeds is None else f"roster_{feeds}",
        help_text,
        required=header.endswith("*"),
        deprecated=header.endswith("!"),
        read=not header.endswith("-"),
        stand_in=header.partition("=")[2],
        values="".join(mark for mark in marks if mark in VALUE),
        unique=UNIQUE in marks,
        link="".join(mark for mark in marks if mark.endswith(".csv")),
        with_contact=WITH_CONTACT in marks,
    )


_SCHOOLS = _column(
    "schools.csv",
    ("School_id*", "schools.key", "The school's id in the SIS; never reused.", UNIQUE),
    ("School_name*", "schools.name", "The name as people know it."),
    (
        "School_number=School_id",
        "schools.school_number",
        "The district's number; without one, the School_id with a warning.",
    ),
    ("State_id", "schools.state_id", "The state's id of the school."),
    ("Nces_id!", "schools.nces_id", "The national (NCES) id; old files have it, and it is still accepted."),
    ("Low_grade", "schools.low_grade", "Lowest grade taught.", "grade_range"),
    (
        "High_grade",
        "schools.high_grade",
        "Highest grade taught; of a range the lower one counts here, too.",
        "grade_range",
    ),
    ("Principal", "schools.principal_name", "Full name of the principal."),
    ("Principal_email", "schools.principal_email", "Email of the principal.", "email"),
    ("School_address", "schools.address", "Street and number."),
    ("School_city", "schools.city", "City."),
    ("School_state", "schools.state", "State; shown as it is.", "state"),
    ("School_zip", "schools.zip", "Postal code; shown as it is.", "zip"),
    ("School_phone", "schools.phone", "Phone.", "phone"),
)

_STUDENTS = _column(
    "students.csv",
    ("School_id*", "students.school", "The primary school when sections do not decide.", "schools.csv"),
    (
        "Student_id*",
        "students.key",
        "The student's id in the SIS; never reused. Further rows of a student are for further contacts.",
        UNIQUE,
    ),
    ("Student_number", "students.student_number", "The number that the student knows.", UNIQUE),
    ("State_id", "students.state_id", "The state's id of the student."),
    ("Last_name*", "students.last", "Legal last name."),
    ("First_name*", "students.first", "Legal first name."),
    ("Middle_name", "students.middle", "Middle name or an initial."),
    ("Grade", "students.grade", "Grade; no ranges.", "grade"),
    ("Gender", "students.gender", "Gender.", "gender"),
    ("Graduation_year", "students.graduation_year", "Year of graduation, as text."),
    ("DOB", "students.dob", "Date of birth.", "birth_date"),
    ("Race", "students.race", "Race.", "race"),
    ("Hispanic_Latino", "students.hispanic_ethnicity", "Hispanic or Latino.", "hispanic"),
    (
        "Home_language",
        "students.home_language",
        "Language spoken at home; version 3.0 shows 47 names.",
        "language",
    ),
    ("Ell_status", "students.ell_status", "English language learner.", "ell"),
    ("Frl_status", "students.frl_status", "Free or reduced lunch.", "frl"),
    ("IEP_status", "students.iep_status", "Individual education plan.", "iep"),
    ("Gifted_status", "students.gifted_status", "Gifted.", "gifted"),
    ("Section_504_status", "students.section_504_status", "Section 504 plan.", "section_504"),
    ("Disability_status", "students.disability_status", "Disability.", "disability"),
    ("Disability_type", "students.disability_type", "Disability in words.", "disability_type"),
    ("Disability_code", "students.disability_code", "Disability as a code.", "disability_code"),
    ("Preferred_first_name", "students.preferred_first", "Preferred first name."),
    ("Preferred_middle_name", "students.preferred_middle", "Preferred middle name."),
    ("Preferred_last_name", "students.preferred_last", "Preferred last name."),
    ("Student_street", "students.address", "Street and number."),
    ("Student_city", "students.city", "City."),
    ("Student_state", "students.state", "State; shown as it is.", "state"),
    ("Student_zip", "students.zip", "Postal code; shown as it is.", "zip"),
    ("Student_email", "students.email", "Email; kept as it is.", "email"),
    ("Username", "students.district_username", "Login name in the district."),
    ("Password", None, "Password for signing in here; only a keyed digest of it is ever kept."),
    ("Unweighted_gpa", "students.unweighted_gpa", "Grade point average, unweighted."),
    ("Weighted_gpa", "students.weighted_gpa", "Grade point average, weighted."),
    (
        "Contact_relationship",
        "contact_students.relationship",
        "What the contact is to the student: Father, Aunt, Neighbor, ...",
        "relationship",
    ),
    (
        "Contact_type",
        "contact_students.type",
        "Why the contact is listed: family, emergency, guardian, ...",
        WITH_CONTACT,
        "contact_type",
    ),
    ("Contact_name", "contacts.name", "Full name of the contact.", WITH_CONTACT),
    ("Contact_phone", "contacts.phone", "Phone of the contact.", "phone"),
    ("Contact_phone_type", "contacts.phone_type", "Kind of the phone.", "phone_type"),
    ("Contact_email", "contacts.email", "Email of the contact.", "email"),
    (
        "Contact_sis_id",
        "contacts.sis_id",
        "The contact's own id in the SIS, one for each contact; leave the column out if there is none.",
    ),
)

_TEACHERS = _column(
    "teachers.csv",
    (
        "School_id*",
        "teachers.school",
        "The school of employment; the primary school when sections do not decide.",
        "schools.csv",
    ),
    ("Teacher_id*", "teachers.key", "The teacher's id in the SIS; never reused.", UNIQUE),
    ("Teacher_number", "teachers.teacher_number", "The number that the teacher knows.", UNIQUE),
    ("State_teacher_id", "teachers.state_id", "The state's id of the teacher."),
    (
        "Teacher_email",
        "teachers.email",
        "Email; teacher, staff and administrator with equal emails are one person.",
        "email",
    ),
    ("First_name*", "teachers.first", "First name."),
    ("Middle_name", "teachers.middle", "Middle name or an initial."),
    ("Last_name*", "teachers.last", "Last name."),
    ("Title", "teachers.title", "Job title."),
    ("Username", "teachers.district_username", "Login name in the district."),
    ("Password", None, "Password for signing in here; only a keyed digest of it is ever kept."),
)

_SECTIONS = _column(
    "sections.csv",
    ("School_id*", "sections.school", "The school that holds the section.", "schools.csv"),
    ("Section_id*", "sections.key", "The section's id in the SIS.", UNIQUE),
    ("Teacher_id*", "section_teachers.teacher", "The primary teacher.", "teachers.csv"),
    *((f"Teacher_{n}_id", "section_teachers.teacher", "A co-teacher.", "teachers.csv") for n in range(2, 11)),
    ("Name", "sections.name", "The section's name in the SIS; shown where there is no Course_name."),
    ("Section_number", "sections.section_number", "The district's number of the section."),
    (
        "Grade",
        "sections.grade",
        "Grade; if blank, or the same in all sections, the grade most of its students are in.",
        "grade_range",
    ),
    (
        "Course_name",
        "courses.name",
        "Name of the course, and first part of the section's name; without it the section has no course.",
    ),
    ("Course_number", "courses.number", "Number of the course; number and name together tell courses apart."),
    ("Course_description-", None, "Accepted; the API has no field for it."),
    ("Period", "sections.period", "Period of the day, as text; last part of the section's name."),
    (
        "Subject",
        "sections.subject",
        "Subject; else it is found from words in Subject, Name and Course_name.",
        "subject",
    ),
    ("Term_name", "terms.name", "Name of the term."),
    ("Term_start", "terms.start_date", "First day of the term.", "term_date"),
    ("Term_end", "terms.end_date", "Last day of the term.", "term_date"),
)

_ENROLLMENTS = _column(
    "enrollments.csv",
    (
        "School_id*",
        None,
        "A school of schools.csv; where it is not the section's, the section's school is used.",
        "schools.csv",
    ),
    ("Section_id*", "enrollments.section", "The section.", "sections.csv"),
    ("Student_id*", "enrollments.student", "The student.", "students.csv"),
)

_STAFF = _column(
    "staff.csv",
    (
        "School_id*",
        "user_schools.school",
        (
            "One school a row, or DEFAULT_DISTRICT_OFFICE, or `district` for all schools. An "
            "id of schools.csv goes before both."
        ),
        "schools.csv",
    ),
    (
        "Staff_id*",
        "staff.key",
        "The person's id in the SIS; never reused. Further rows of a person are for further schools.",
        UNIQUE,
    ),
    (
        "Staff_email*",
        "staff.email",
        "Email; teacher, staff and administrator with equal emails are one person.",
        UNIQUE,
        "email",
    ),
    ("First_name*", "staff.first", "First name."),
    ("Middle_name", "staff.middle", "Middle name; not in the specification, accepted."),
    ("Last_name*", "staff.last", "Last name."),
    ("Department", "staff.department", "Department."),
    ("Title", "staff.title", "Job title."),
    ("Username", "staff.district_username", "Login name in the district."),
    ("Password", None, "Password for signing in here; only a keyed digest of it is ever kept."),
    (
        "Role",
        "staff.role",
        "School Tech Lead; in one row it counts for all schools of the person.",
        "staff_role",
    ),
)

_ADMINISTRATORS = _column(
    "administrators.csv",
    ("Admin_id*", "district_admins.key", "The person's id in the SIS; never reused."),
    (
        "Admin_email*",
        "district_admins.email",
        "Email; teacher, staff and administrator with equal emails are one person.",
        "email",
    ),
    ("First_name*", "district_admins.first", "First name."),
    ("Last_name*", "district_admins.last", "Last name."),
    ("Title*", "district_admins.title", "Job title."),
    (
        "Role*",
        "district_admins.role",
        "Clever Administrator, District Curriculum Lead or District Help Desk, else the row is left out.",
    ),
)

_ADMINS = _column(
    "admins.csv",
    ("School_id*", "user_schools.school", "As in staff.csv.", "schools.csv"),
    ("Staff_id*", "staff.key", "As in staff.csv.", UNIQUE),
    ("Admin_email*", "staff.email", "As Staff_email in staff.csv.", UNIQUE, "email"),
    ("First_name*", "staff.first", "As in staff.csv."),
    ("Last_name*", "staff.last", "As in staff.csv."),
    ("Admin_title", "staff.title", "As Title in staff.csv."),
    ("Username", "staff.district_username", "As in staff.csv."),
    ("Password", None, "Password for signing in here; only a keyed digest of it is ever kept."),
    ("Role", "staff.role", "As in staff.csv.", "staff_role"),
)

_RESOURCES = _column(
    "resources.csv",
    ("Resource_id*", "resources.key", "The application's own id of the resource."),
    ("Title*", "resources.title", "The name people see."),
    (
        "Roles",
        "resources.roles",
        "Who may use it: `student`, `teacher`, or both with `,`, `;`, `/` or `|` between.",
    ),
    ("Course_name", "resource_courses.course", "Name of a course that uses it."),
    ("Course_number", "resource_courses.course", "Number of that course."),
)

COLUMNS: Final[tuple[Column, ...]] = (
    *_SCHOOLS,
    *_STUDENTS,
    *_TEACHERS,
    *_SECTIONS,
    *_ENROLLMENTS,
    *_STAFF,
    *_ADMINISTRATORS,
    *_ADMINS,
    *_RESOURCES,
)


def columns_of(file: str) -> tuple[Column, ...]:
    """The columns of one file, in the documented order."""
    return tuple(column for column in COLUMNS if column.file == file)


def trimmed(text: str) -> str:
    """The text without the blanks at its ends."""
    return text.strip(BLANKS)


def header_key(header: str) -> str:
    """The key by which headers are compared: in one letter case, without outer blanks; space, dash and
    underscore are equal."""
    return trimmed(header).casefold().replace(" ", "_").replace("-", "_")
