"""The rules for the rows of files, level by level; `checks` runs them.

Schools come first, then people, then sections with their enrollments: each level needs the rows that earlier
levels kept (documented order). The table `kept_FILE` has a file's kept rows. Narrow tables have the first row
of each key.
"""

from __future__ import annotations

from typing import Final

from rollbook.contract.clever.columns import PASSWORD, columns_of
from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever import contacts
from rollbook.roster.intake.clever.checking import (
    Check,
    Level,
    conflicts,
    duplicates,
    missing_values,
    rewritten_ids,
    unknown_reference,
    with_nearest,
)
from rollbook.roster.intake.clever.repeated_rows import shared_ids
from rollbook.roster.intake.clever.uniqueness import ACCOUNTS, SHARED_VALUES, told_once, words_as_ids
from rollbook.roster.intake.clever.vocabulary import ADMIN_ROLES
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import (
    BlankSchoolNumber,
    NoStudents,
    OtherSchool,
    Problem,
    UnknownAdminRole,
    UnknownCoTeacher,
    UnknownCourse,
    UnknownSchool,
    UnknownSection,
    UnknownStudent,
    UnknownTeacher,
    UnknownValue,
)

# What staff may write instead of a school's id (documented); an id of schools.csv takes precedence.
OFFICE: Final = "DEFAULT_DISTRICT_OFFICE"
OFFICE_NAME: Final = "Default District Office (Auto-generated)"
ALL_SCHOOLS: Final = "district"

CO_TEACHERS: Final = tuple(
    c.header for c in columns_of("sections.csv") if c.name.startswith("teacher_") and not c.required
)


def levels(tables: Tables, rules: Rules) -> tuple[Level, ...]:
    """All levels, in order."""
    return (
        _SCHOOLS,
        _UNIQUE_SCHOOLS,
        _people(rules),
        Level(shared_ids(tables), keep=(contacts.NAMED,)),
        _UNIQUE_PEOPLE,
        Level((contacts.shared_ids(tables),)),
        _kept_people(tables),
        Level(told_once()),
        _SECTIONS,
        _UNIQUE_SECTIONS,
        _ENROLLMENTS,
        _FILLED_SECTIONS,
        _RESOURCES,
    )


# --- schools --------------------------------------------------------------------------------------------------------------

_KEPT_SCHOOLS: Final = "SELECT key FROM kept_schools"

_SCHOOLS: Final = Level(
    (
        *words_as_ids("schools.csv"),
        *missing_values("schools.csv", "School_id", "School_name"),
        *rewritten_ids("schools.csv"),
        Check(
            BlankSchoolNumber,
            "schools.csv",
            "School_number",
            """
            SELECT "row", school_id AS value, 'a number' AS expected
            FROM schools WHERE school_number = '' AND school_id <> ''
            """,
        ),
    )
)
_UNIQUE_SCHOOLS: Final = Level(
    (duplicates("schools.csv", "School_id"),),
    keep=("CREATE TABLE kept_schools AS SELECT *, school_id AS key FROM usable_schools",),
)

# --- people ---------------------------------------------------------------------------------------------------------------

# Staff may belong to the office without a row in schools.csv or, with one word, to every school.
_STAFF_SCHOOLS: Final = f"""
    {_KEPT_SCHOOLS} UNION SELECT '{OFFICE}'
    UNION SELECT school_id FROM staff WHERE lower(school_id) = '{ALL_SCHOOLS}'
    UNION SELECT school_id FROM admins WHERE lower(school_id) = '{ALL_SCHOOLS}'
"""


def _people(rules: Rules) -> Level:
    return Level(
        (
            *(
                rule
                for file in _PEOPLE
                for rule in (*words_as_ids(file), *missing_values(file), *rewritten_ids(file))
            ),
            unknown_reference(UnknownSchool, "students.csv", "School_id", _KEPT_SCHOOLS),
            unknown_reference(UnknownSchool, "teachers.csv", "School_id", _KEPT_SCHOOLS),
            unknown_reference(UnknownSchool, "staff.csv", "School_id", _STAFF_SCHOOLS),
            unknown_reference(UnknownSchool, "admins.csv", "School_id", _STAFF_SCHOOLS),
            _unknown_admin_roles(rules),
        )
    )


_PEOPLE: Final = ("students.csv", "teachers.csv", "staff.csv", "admins.csv", "administrators.csv")


def _unknown_admin_roles(rules: Rules) -> Check:
    """A row with an unknown role makes no administrator (documented)."""
    roles = (*(word for words in ADMIN_ROLES.values() for word in words), *rules.admin_roles)
    known = ", ".join("'" + role.lower().replace("'", "''") + "'" for role in roles)
    return Check(
        UnknownAdminRole,
        "administrators.csv",
        "Role",
        f"""
        SELECT "row", role AS value, 'Clever Administrator, District Curriculum Lead or District Help Desk' AS expected
        FROM administrators WHERE role <> '' AND lower(role) NOT IN ({known})
        """,
    )


_UNIQUE_PEOPLE: Final = Level(
    (
        # A further row of a student is for a further contact; without one it is a duplicate.
        duplicates("students.csv", "Student_id", when='"row" NOT IN (SELECT "row" FROM contact_rows)'),
        duplicates("teachers.csv", "Teacher_id"),
        # A further row of a staff member is for a further school.
        duplicates("staff.csv", "Staff_id", "school_id"),
        duplicates("admins.csv", "Staff_id", "school_id"),
    )
)


def _kept_people(tables: Tables) -> Level:
    return Level(
        (
            conflicts(tables, "students.csv", "student_id", PASSWORD, *contacts.COLUMNS),
            conflicts(tables, "staff.csv", "staff_id", "school_id", "role", PASSWORD),
            conflicts(tables, "admins.csv", "staff_id", "school_id", "role", PASSWORD),
            conflicts(tables, "administrators.csv", "admin_id", "role"),
            contacts.INCOMPLETE,
        ),
        keep=(
            """
            CREATE TABLE first_students AS
            SELECT min("row") AS "row", student_id AS key FROM usable_students GROUP BY student_id
            """,
            """CREATE VIEW kept_students AS SELECT * FROM students JOIN first_students USING ("row")""",
            "CREATE TABLE kept_teachers AS SELECT *, teacher_id AS key FROM usable_teachers",
            """
            CREATE TABLE kept_staff AS
            SELECT 'staff.csv' AS file, "row", school_id, staff_id AS key, staff_email AS email, first_name AS first,
                middle_name AS middle, last_name AS last, department, title, username AS district_username, role, ext, password
            FROM usable_staff
            UNION ALL
            SELECT 'admins.csv', "row", school_id, staff_id, admin_email, first_name, NULL, last_name, NULL, admin_title,
                username, role, ext, password
            FROM usable_admins
            """,
            "CREATE TABLE kept_administrators AS SELECT *, admin_id AS key FROM usable_administrators",
            *(
                (
                    f'CREATE VIEW first_{people} AS SELECT key, min("row") AS "row" FROM '
                    f"kept_{people} GROUP BY key"
                )
                for people in ("staff", "administrators")
            ),
            ACCOUNTS,
            SHARED_VALUES,
        ),
        build=contacts.keep,
    )


# --- sections and enrollments ---------------------------------------------------------------------------------------------

_SECTIONS: Final = Level(
    (
        *words_as_ids("sections.csv"),
        *missing_values("sections.csv"),
        *rewritten_ids("sections.csv"),
        unknown_reference(UnknownSchool, "sections.csv", "School_id", _KEPT_SCHOOLS),
        unknown_reference(UnknownTeacher, "sections.csv", "Teacher_id", "SELECT key FROM kept_teachers"),
        contacts.CONFLICTING,
    )
)
_UNIQUE_SECTIONS: Final = Level(
    (duplicates("sections.csv", "Section_id"),),
    keep=(
        'CREATE TABLE first_sections AS SELECT "row", section_id AS key, school_id FROM usable_sections',
        # Each enrollment row with the rows of its school, section and student: all other rules and lists use
        # this table.
        """
        CREATE TABLE enrollment_links AS
        SELECT enrollments."row", enrollments.school_id, section."row" AS section, section.school_id AS section_school,
            student."row" AS student, school."row" AS school
        FROM enrollments
        LEFT JOIN first_sections section ON section.key = section_id
        LEFT JOIN first_students student ON student.key = student_id
        LEFT JOIN kept_schools school ON school.key = enrollments.school_id
        """,
    ),
)


def _unlinked(problem: type[Problem], header: str, link: str, known: str) -> Check:
    """An enrollment names a record that no earlier level kept."""
    column = header.lower()
    unknown = f"""
        SELECT "row", enrollments.{column} AS value
        FROM enrollments JOIN (SELECT "row" FROM enrollment_links WHERE {link} IS NULL) USING ("row")
        WHERE enrollments.{column} <> '' AND NOT is_rewritten(enrollments.{column})
    """
    return Check(problem, "enrollments.csv", header, with_nearest(f"SELECT key FROM {known}"), unknown)


_LINKED: Final = "school IS NOT NULL AND section IS NOT NULL AND student IS NOT NULL"
_ENROLLMENTS: Final = Level(
    (
        *missing_values("enrollments.csv"),
        *rewritten_ids("enrollments.csv"),
        _unlinked(UnknownSchool, "School_id", "school", "kept_schools"),
        _unlinked(UnknownSection, "Section_id", "section", "first_sections"),
        _unlinked(UnknownStudent, "Student_id", "student", "first_students"),
        Check(
            OtherSchool,
            "enrollments.csv",
            "School_id",
            f"""
            SELECT min("row") AS "row", count(*)::VARCHAR AS value, NULL AS expected
            FROM enrollment_links WHERE school_id <> section_school AND {_LINKED} HAVING count(*) > 0
            """,
        ),
    ),
    keep=(
        # Two equal rows are one enrollment.
        (
            "CREATE TABLE kept_enrollments AS SELECT DISTINCT section, student FROM "
            f"enrollment_links WHERE {_LINKED}"
        ),
        "DROP TABLE enrollment_links",
    ),
)
_FILLED_SECTIONS: Final = Level(
    (
        Check(
            NoStudents,
            "sections.csv",
            "Section_id",
            """
            SELECT "row", key AS value, 'at least one student' AS expected
            FROM first_sections ANTI JOIN (SELECT section FROM kept_enrollments) AS filled ON filled.section = "row"
            """,
        ),
    ),
    keep=("CREATE TABLE kept_sections AS SELECT *, section_id AS key FROM usable_sections",),
)
_RESOURCES: Final = Level(
    (
        Check(
            UnknownCoTeacher,
            "sections.csv",
            None,
            with_nearest("SELECT key FROM kept_teachers", "column_name"),
            f"""
            SELECT "row", column_name, value FROM (
                SELECT "row", unnest({list(CO_TEACHERS)}) AS column_name, unnest([{", ".join(CO_TEACHERS).lower()}]) AS value
                FROM kept_sections WHERE concat({", ".join(CO_TEACHERS).lower()}) <> ''
            ) ANTI JOIN (SELECT key FROM kept_teachers) AS known ON known.key = value
            WHERE value <> ''
            """,
        ),
        *words_as_ids("resources.csv"),
        *missing_values("resources.csv"),
        Check(
            UnknownValue,
            "resources.csv",
            "Roles",
            """
            SELECT "row", roles AS value, 'student, teacher, or both with , or ; between' AS expected
            FROM resources WHERE len(list_filter(role_words(roles), lambda word: word NOT IN ('', 'student', 'teacher'))) > 0
            """,
        ),
        Check(
            UnknownCourse,
            "resources.csv",
            None,
            """
            SELECT "row", if(course_name <> '', 'Course_name', 'Course_number') AS column_name,
                concat_ws(', ', nullif(course_name, ''), nullif(course_number, '')) AS value,
                'a course of sections.csv' AS expected
            FROM resources
            WHERE concat(course_name, course_number) <> '' AND NOT EXISTS (
                FROM kept_sections section
                WHERE section.course_name <> ''
                    AND (coalesce(resources.course_name, '') = '' OR section.course_name = resources.course_name)
                    AND (coalesce(resources.course_number, '') = '' OR section.course_number = resources.course_number)
            )
            """,
        ),
    ),
    keep=("CREATE TABLE kept_resources AS SELECT *, resource_id AS key FROM usable_resources",),
)
