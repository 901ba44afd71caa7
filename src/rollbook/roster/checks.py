"""The rules that rows must keep, one query each, level by level; what a kept value means is left to `meanings`.

Schools come first, then people, then sections with their enrollments: each level needs the rows that the one above kept
(documented order). After a level its kept rows stand in narrow tables: `kept_schools`, `kept_students`, `kept_teachers`,
`kept_staff`, `kept_administrators`, `kept_contacts`, `kept_sections`, `kept_enrollments`, `kept_resources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyConnection

from rollbook.contract.columns import FILES, columns_of
from rollbook.roster import meanings
from rollbook.roster.problems import (
    PROBLEMS,
    VALUE_CHARACTERS_MAX,
    BlankSchoolNumber,
    ConflictingContact,
    ConflictingRepeat,
    DuplicateId,
    IncompleteContact,
    MissingValue,
    NoStudents,
    OtherSchool,
    Problem,
    Problems,
    UnknownAdminRole,
    UnknownCoTeacher,
    UnknownCourse,
    UnknownSchool,
    UnknownSection,
    UnknownStudent,
    UnknownTeacher,
)
from rollbook.roster.rules import Rules
from rollbook.roster.tables import Tables

OFFICE: Final = "DEFAULT_DISTRICT_OFFICE"
ALL_SCHOOLS: Final = "district"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: a query for the rows of a file that break it. It selects `row, column_name, value, expected`."""

    problem: type[Problem]
    file: str
    query: str


@dataclass(frozen=True, slots=True)
class Level:
    """Rules that do not need one another, then the statements that keep what is left."""

    checks: tuple[Check, ...]
    keep: tuple[str, ...] = ()


def check(tables: Tables, rules: Rules) -> Problems:
    """Find every problem of the rows, and keep the rows without an error.

    The problems stand in the table `problems` of the connection, beside those that reading the files left there.
    """
    connection = tables.connection
    for statement in _VIEWS:
        connection.execute(statement)
    for level in _levels(rules):
        for rule in level.checks:
            _run(connection, rule)
        for statement in level.keep:
            connection.execute(statement)
    meanings.build(connection, rules)
    return Problems(connection, rules.problems_max)


def _run(connection: DuckDBPyConnection, rule: Check) -> None:
    connection.execute(
        f"""
        INSERT INTO problems
        SELECT '{rule.problem.code}', '{rule.file}', "row", column_name,
            left(value, {VALUE_CHARACTERS_MAX}), left(expected, {VALUE_CHARACTERS_MAX})
        FROM ({rule.query})
        """
    )


_ERRORS: Final = ", ".join(f"'{problem.code}'" for problem in PROBLEMS if problem.left_out == "row")
_VIEWS: Final = (
    # One part of a key, with its length before it.
    "CREATE MACRO part(piece) AS length(coalesce(piece, '')) || ':' || coalesce(piece, '') || ' '",
    f'CREATE VIEW left_out AS SELECT DISTINCT file, "row" FROM problems WHERE code IN ({_ERRORS})',
    *(
        f"""
        CREATE VIEW usable_{file.table} AS
        SELECT * FROM {file.table} ANTI JOIN (SELECT "row" FROM left_out WHERE file = '{file.name}') USING ("row")
        """
        for file in FILES
    ),
)


# --- rules that several files share ---------------------------------------------------------------------------------------


def _missing_values(file: str, *headers: str) -> tuple[Check, ...]:
    """A required value is blank; `headers` if not all required columns of the contract."""
    table = file.removesuffix(".csv")
    required = headers or tuple(column.header for column in columns_of(file) if column.required)
    return tuple(
        Check(
            MissingValue,
            file,
            f"""
            SELECT "row", '{header}' AS column_name, '' AS value, NULL AS expected FROM {table} WHERE {header.lower()} = ''
            """,
        )
        for header in required
    )


def _unknown_reference(problem: type[Problem], file: str, header: str, kept: str) -> Check:
    """A value that must be a key of a level above is not among the kept ones."""
    column = header.lower()
    return Check(
        problem,
        file,
        f"""
        SELECT "row", '{header}' AS column_name, {column} AS value, NULL AS expected
        FROM {file.removesuffix(".csv")} ANTI JOIN (SELECT key FROM {kept}) ON key = {column} WHERE {column} <> ''
        """,
    )


def _duplicates(file: str, header: str) -> Check:
    """A key was used in an earlier row that is still there."""
    table, column = file.removesuffix(".csv"), header.lower()
    return Check(
        DuplicateId,
        file,
        f"""
        SELECT "row", '{header}' AS column_name, {column} AS value, NULL AS expected
        FROM usable_{table} JOIN ({_repeated(table, column)}) USING ({column}) WHERE "row" > first_row
        """,
    )


def _repeated(table: str, column: str) -> str:
    return f'SELECT {column}, min("row") AS first_row FROM usable_{table} GROUP BY {column} HAVING count(*) > 1'


def _conflicts(file: str, key: str, *apart: str) -> Check:
    """A further row of one person says something else in a column than the first one, except in the columns `apart`."""
    table = file.removesuffix(".csv")
    columns = [c.header for c in columns_of(file) if c.read and c.header.lower() != key and c.header not in apart]
    names = [header.lower() for header in columns] + (["ext"] if file != "administrators.csv" else [])
    differing = " UNION ALL ".join(
        f"""
        SELECT later."row", '{header}' AS column_name, later.{name} AS value, first.{name} AS expected
        FROM rows later JOIN rows first ON later.{key} = first.{key} AND first."row" = later.first_row
        WHERE later.{name} IS DISTINCT FROM first.{name}
        """
        for header, name in zip([*columns, "ext"], names, strict=False)
    )
    return Check(
        ConflictingRepeat,
        file,
        f"""
        WITH disagreeing AS MATERIALIZED (
            SELECT {key}, min("row") AS first_row FROM usable_{table} GROUP BY {key}
            HAVING min(hash({", ".join(names)})) <> max(hash({", ".join(names)}))
        ),
        rows AS MATERIALIZED (SELECT * FROM usable_{table} JOIN disagreeing USING ({key}))
        {differing}
        """,
    )


# --- the levels -----------------------------------------------------------------------------------------------------------


_SCHOOLS: Final = Level(
    checks=(
        *_missing_values("schools.csv", "School_id", "School_name"),
        Check(
            BlankSchoolNumber,
            "schools.csv",
            """
            SELECT "row", 'School_number' AS column_name, school_id AS value, 'a number' AS expected
            FROM schools WHERE school_number = '' AND school_id <> ''
            """,
        ),
    )
)
_UNIQUE_SCHOOLS: Final = Level(
    checks=(_duplicates("schools.csv", "School_id"),),
    keep=('CREATE TABLE kept_schools AS SELECT *, school_id AS key FROM usable_schools ORDER BY "row"',),
)


def _people(rules: Rules) -> Level:
    return Level(
        checks=(
            *_missing_values("students.csv"),
            _unknown_reference(UnknownSchool, "students.csv", "School_id", "kept_schools"),
            *_missing_values("teachers.csv"),
            _unknown_reference(UnknownSchool, "teachers.csv", "School_id", "kept_schools"),
            *_missing_values("staff.csv"),
            _unknown_reference(UnknownSchool, "staff.csv", "School_id", f"({_STAFF_SCHOOLS})"),
            *_missing_values("admins.csv"),
            _unknown_reference(UnknownSchool, "admins.csv", "School_id", f"({_STAFF_SCHOOLS})"),
            *_missing_values("administrators.csv"),
            _unknown_admin_roles(rules),
        )
    )


# Staff may belong to the office without a row for it in schools.csv, or with one word to every school.
_STAFF_SCHOOLS: Final = f"""
    SELECT key FROM kept_schools UNION SELECT '{OFFICE}'
    UNION SELECT school_id FROM staff WHERE lower(school_id) = '{ALL_SCHOOLS}'
    UNION SELECT school_id FROM admins WHERE lower(school_id) = '{ALL_SCHOOLS}'
"""

_ADMIN_ROLES: Final = (
    *("clever administrator", "cleveradministrator", "ca"),
    *("district curriculum lead", "districtcurriculumlead", "dcl"),
    *("district help desk", "districthelpdesk", "dhd"),
)


def _unknown_admin_roles(rules: Rules) -> Check:
    """Such a row makes no administrator (documented)."""
    known = ", ".join("'" + role.lower().replace("'", "''") + "'" for role in (*_ADMIN_ROLES, *rules.admin_roles))
    return Check(
        UnknownAdminRole,
        "administrators.csv",
        f"""
        SELECT "row", 'Role' AS column_name, role AS value,
            'Clever Administrator, District Curriculum Lead or District Help Desk' AS expected
        FROM administrators WHERE role <> '' AND lower(role) NOT IN ({known})
        """,
    )


# A further row of a student is there for a further contact; without one it is a duplicate.
_CONTACT: Final = "concat(contact_relationship, contact_type, contact_name, contact_phone, contact_email, contact_sis_id)"
_CONTACT_HEADERS: Final = tuple(c.header for c in columns_of("students.csv") if c.header.startswith("Contact_"))

_UNIQUE_PEOPLE: Final = Level(
    checks=(
        Check(
            DuplicateId,
            "students.csv",
            f"""
            SELECT "row", 'Student_id' AS column_name, student_id AS value, NULL AS expected
            FROM usable_students JOIN ({_repeated("students", "student_id")}) USING (student_id)
            WHERE "row" > first_row AND {_CONTACT} = ''
            """,
        ),
        _duplicates("teachers.csv", "Teacher_id"),
        *(
            Check(
                DuplicateId,
                f"{table}.csv",
                f"""
                SELECT "row", 'Staff_id' AS column_name, staff_id AS value, NULL AS expected FROM usable_{table}
                JOIN (SELECT staff_id, school_id, min("row") AS first_row FROM usable_{table} GROUP BY ALL HAVING count(*) > 1)
                USING (staff_id, school_id) WHERE "row" > first_row
                """,
            )
            for table in ("staff", "admins")
        ),
    )
)
_CONTACTS: Final = Level(
    checks=(
        _conflicts("students.csv", "student_id", *_CONTACT_HEADERS),
        _conflicts("staff.csv", "staff_id", "School_id", "Role"),
        _conflicts("admins.csv", "staff_id", "School_id", "Role"),
        _conflicts("administrators.csv", "admin_id", "Role"),
        Check(
            IncompleteContact,
            "students.csv",
            f"""
            SELECT "row", if(coalesce(contact_name, '') = '', 'Contact_name', 'Contact_type') AS column_name,
                concat_ws(', ', nullif(contact_name, ''), nullif(contact_type, ''), nullif(contact_email, '')) AS value,
                'Contact_name and Contact_type' AS expected
            FROM usable_students
            WHERE {_CONTACT} <> '' AND (coalesce(contact_name, '') = '' OR coalesce(contact_type, '') = '')
            """,
        ),
    ),
    keep=(
        """
        CREATE TABLE first_students AS SELECT min("row") AS "row", student_id AS key FROM usable_students GROUP BY student_id
        """,
        'CREATE VIEW kept_students AS SELECT * FROM students JOIN first_students USING ("row")',
        """CREATE TABLE kept_teachers AS SELECT *, teacher_id AS key FROM usable_teachers ORDER BY "row" """,
        """
        CREATE TABLE kept_staff AS
        SELECT "row", school_id, staff_id AS key, staff_email AS email, first_name AS first, middle_name AS middle,
            last_name AS last, department, title, username AS district_username, role, ext FROM usable_staff
        UNION ALL
        SELECT "row", school_id, staff_id, admin_email, first_name, NULL, last_name, NULL, admin_title, username, role, ext
        FROM usable_admins
        """,
        'CREATE TABLE kept_administrators AS SELECT *, admin_id AS key FROM usable_administrators ORDER BY "row"',
        # Identity of a contact: its own id, else name and email, else name and phone, else all that is known of it (documented);
        # exact text, each part with its length before it, so that no two contacts can come out equal by chance.
        f"""
        CREATE TABLE kept_contacts AS
        SELECT "row", student_id, contact_name, contact_email, contact_phone, contact_phone_type, contact_sis_id,
            contact_relationship, contact_type,
            CASE
                WHEN coalesce(contact_sis_id, '') <> '' THEN 'sis:' || contact_sis_id
                WHEN coalesce(contact_email, '') <> '' THEN 'email:' || part(contact_name) || part(contact_email)
                WHEN coalesce(contact_phone, '') <> '' THEN 'phone:' || part(contact_name) || part(contact_phone)
                ELSE 'words:' || part(contact_name) || part(contact_type) || part(contact_relationship)
                    || part(contact_phone_type) || part(student_id)
            END AS key
        FROM usable_students
        WHERE {_CONTACT} <> '' AND contact_name <> '' AND contact_type <> ''
        """,
    ),
)
_SECTIONS: Final = Level(
    checks=(
        *_missing_values("sections.csv"),
        _unknown_reference(UnknownSchool, "sections.csv", "School_id", "kept_schools"),
        _unknown_reference(UnknownTeacher, "sections.csv", "Teacher_id", "kept_teachers"),
        *(
            Check(
                ConflictingContact,
                "students.csv",
                f"""
                WITH firsts AS (SELECT key, min("row") AS first_row FROM kept_contacts GROUP BY key HAVING count(*) > 1)
                SELECT later."row", '{header}' AS column_name, later.{header.lower()} AS value, first.{header.lower()} AS expected
                FROM firsts JOIN kept_contacts later USING (key) JOIN kept_contacts first ON first."row" = first_row
                WHERE later.{header.lower()} IS DISTINCT FROM first.{header.lower()}
                """,
            )
            for header in ("Contact_name", "Contact_email", "Contact_phone", "Contact_phone_type")
        ),
    )
)
_UNIQUE_SECTIONS: Final = Level(
    checks=(_duplicates("sections.csv", "Section_id"),),
    keep=(
        'CREATE TABLE first_sections AS SELECT "row", section_id AS key, school_id FROM usable_sections',
        # Each enrollment row with the rows of its school, section and student: every other rule and list starts from here.
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


def _unlinked(problem: type[Problem], header: str, link: str) -> Check:
    """An enrollment names something that no level above kept."""
    return Check(
        problem,
        "enrollments.csv",
        f"""
        SELECT "row", '{header}' AS column_name, enrollments.{header.lower()} AS value, NULL AS expected
        FROM enrollments JOIN (SELECT "row" FROM enrollment_links WHERE {link} IS NULL) USING ("row")
        WHERE enrollments.{header.lower()} <> ''
        """,
    )


_ENROLLMENTS: Final = Level(
    checks=(
        *_missing_values("enrollments.csv"),
        _unlinked(UnknownSchool, "School_id", "school"),
        _unlinked(UnknownSection, "Section_id", "section"),
        _unlinked(UnknownStudent, "Student_id", "student"),
        Check(
            OtherSchool,
            "enrollments.csv",
            """
            SELECT "row", 'School_id' AS column_name, school_id AS value, section_school AS expected
            FROM enrollment_links
            WHERE school_id <> section_school AND school IS NOT NULL AND section IS NOT NULL AND student IS NOT NULL
            """,
        ),
    ),
    keep=(
        """
        CREATE TABLE kept_enrollments AS
        SELECT DISTINCT section, student FROM enrollment_links
        WHERE school IS NOT NULL AND section IS NOT NULL AND student IS NOT NULL
        """,
        "DROP TABLE enrollment_links",
    ),
)
_CO_TEACHERS: Final = tuple(c.header for c in columns_of("sections.csv") if c.header.startswith("Teacher_") and not c.required)
_FILLED_SECTIONS: Final = Level(
    checks=(
        Check(
            NoStudents,
            "sections.csv",
            """
            SELECT "row", 'Section_id' AS column_name, key AS value, 'at least one student' AS expected
            FROM first_sections ANTI JOIN (SELECT section FROM kept_enrollments) ON section = "row"
            """,
        ),
    ),
    keep=('CREATE TABLE kept_sections AS SELECT *, section_id AS key FROM usable_sections ORDER BY "row"',),
)
_RESOURCES: Final = Level(
    checks=(
        *(
            Check(
                UnknownCoTeacher,
                "sections.csv",
                f"""
                SELECT "row", '{header}' AS column_name, {header.lower()} AS value, NULL AS expected
                FROM (SELECT "row", {header.lower()} FROM kept_sections)
                ANTI JOIN (SELECT key FROM kept_teachers) ON key = {header.lower()}
                WHERE {header.lower()} <> ''
                """,
            )
            for header in _CO_TEACHERS
        ),
        *_missing_values("resources.csv"),
        Check(
            UnknownCourse,
            "resources.csv",
            """
            SELECT "row", 'Course_name' AS column_name,
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
    keep=('CREATE TABLE kept_resources AS SELECT *, resource_id AS key FROM usable_resources ORDER BY "row"',),
)


def _levels(rules: Rules) -> tuple[Level, ...]:
    """All rules, in the order in which one level needs the other."""
    return (
        _SCHOOLS,
        _UNIQUE_SCHOOLS,
        _people(rules),
        _UNIQUE_PEOPLE,
        _CONTACTS,
        _SECTIONS,
        _UNIQUE_SECTIONS,
        _ENROLLMENTS,
        _FILLED_SECTIONS,
        _RESOURCES,
    )
