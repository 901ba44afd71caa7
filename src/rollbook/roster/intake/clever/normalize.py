"""Make the keyed roster tables from the kept rows, in the words of the wire. Ids, records and comparison
follow elsewhere.

Every table has the SIS `key`, and `row`, the place of first appearance, which gives new ids a stable order. A
column that the district's files lack is NULL; a blank cell is ''.
"""

from __future__ import annotations

from typing import Final

from rollbook.contract.clever.fields import GRADES, RELATIONSHIPS
from rollbook.domain.reading_rules import Rules
from rollbook.domain.shares import SEPARATOR
from rollbook.roster.intake.clever import subjects
from rollbook.roster.intake.clever.levels import ALL_SCHOOLS, CO_TEACHERS, OFFICE, OFFICE_NAME
from rollbook.roster.intake.clever.readings import meanings
from rollbook.roster.intake.clever.vocabulary import ADMIN_ROLES
from rollbook.roster.intake.csv.raw_tables import Tables


def roster(tables: Tables, rules: Rules) -> None:
    """Create the tables `roster_*` in the connection of `tables`, after `checks.check`."""
    connection = tables.connection
    subjects.build(connection)
    for statement in _statements(rules):
        connection.execute(statement)


def _statements(rules: Rules) -> tuple[str, ...]:
    return (
        _SCHOOLS,
        *_TEACHING,
        *_primary_schools("student", "student_sections", is_derived=rules.derive_student_school),
        *_primary_schools("teacher", "teacher_sections", is_derived=rules.derive_teacher_school),
        _STUDENTS,
        _TEACHERS,
        *_STAFF,
        _DISTRICT_ADMINS,
        *_CONTACTS,
        _section_parts(rules),
        *_TERMS_AND_COURSES,
        _majority_grades(rules),
        _sections(rules),
        *_EDGES,
        *_RESOURCES,
    )


def _joins(table: str, readings: dict[str, str]) -> str:
    """Joins that add a column's meaning as `COLUMN_means.meaning`."""
    return "\n".join(
        f"LEFT JOIN {meanings(reading)} {column}_means ON {column}_means.value = {table}.{column}"
        for column, reading in readings.items()
    )


# --- schools --------------------------------------------------------------------------------------------------------------

_SCHOOL_READINGS: Final = {"low_grade": "grade_range", "high_grade": "grade_range", "school_phone": "phone"}
_SCHOOLS: Final = f"""
    CREATE TABLE roster_schools AS
    SELECT key, "row", school_name AS name,
        -- A school without a number shows its id (recorded for districts that never sent numbers).
        coalesce(nullif(school_number, ''), school_id) AS school_number,
        state_id, nces_id, low_grade_means.meaning AS low_grade, high_grade_means.meaning AS high_grade,
        principal AS principal_name, principal_email, school_address AS address, school_city AS city, school_state AS state,
        school_zip AS zip, school_phone_means.meaning AS phone, ext
    FROM kept_schools school {_joins("school", _SCHOOL_READINGS)}
    UNION ALL
    -- Staff may name the district's office although schools.csv has no row for it: the id is built in (documented).
    SELECT '{OFFICE}', (SELECT coalesce(max("row"), 1) + 1 FROM kept_schools), '{OFFICE_NAME}', '{OFFICE}',
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE '{OFFICE}' IN (SELECT school_id FROM kept_staff) AND '{OFFICE}' NOT IN (SELECT key FROM kept_schools)
"""


# --- who is in which section ----------------------------------------------------------------------------------------------

_TEACHING: Final = (
    # The primary teacher first, then co-teachers in column order; a repeated teacher keeps the first place
    # (recorded).
    f"""
    CREATE TABLE roster_section_teachers AS
    WITH named AS (
        SELECT key, teacher_id AS teacher, 1 AS place FROM kept_sections
        {" ".join(f"UNION ALL SELECT key, {c}, {n} FROM kept_sections WHERE {c} <> ''" for n, c in enumerate(CO_TEACHERS, 2))}
    ),
    distinct_ones AS (
        SELECT key, teacher, min(place) AS place FROM named
        SEMI JOIN (SELECT key AS teacher FROM kept_teachers) USING (teacher) GROUP BY ALL
    )
    SELECT key AS section, teacher, (row_number() OVER (PARTITION BY key ORDER BY place) - 1)::INTEGER AS position
    FROM distinct_ones
    """,
    """
    CREATE TABLE section_sizes AS SELECT section, count(*) AS students FROM kept_enrollments GROUP BY section
    """,
    """
    CREATE VIEW student_sections AS
    SELECT student AS person, school_id, students
    FROM kept_enrollments JOIN first_sections ON section = "row" JOIN section_sizes USING (section)
    """,
    """
    CREATE VIEW teacher_sections AS
    SELECT teacher."row" AS person, first_sections.school_id, students
    FROM roster_section_teachers taught
    JOIN first_sections ON first_sections.key = taught.section
    JOIN section_sizes ON section_sizes.section = first_sections."row"
    JOIN kept_teachers teacher ON teacher.key = taught.teacher
    """,
)


def _primary_schools(role: str, sections: str, *, is_derived: bool) -> tuple[str, ...]:
    """`ROLE_schools(person, school_id, is_primary)`: the schools of the person's sections, or the row's
    school without sections.

    The primary school is the one of most sections; then the one whose sections have most students; then the
    row's; then the lowest id. If the district switched this off, it is the row's school, which then counts as
    a school of the person.
    """
    also_home = "" if is_derived else "UNION ALL SELECT person, home, 0, 0 FROM homes"
    order = (
        "(-sections, -students, school_id <> home, school_id)"
        if is_derived
        else "(school_id <> home, school_id)"
    )
    return (
        f"""
        CREATE TABLE {role}_schools AS
        WITH homes AS (SELECT "row" AS person, school_id AS home FROM kept_{role}s),
        counted AS (SELECT person, school_id, count(*) AS sections, sum(students) AS students FROM {sections} GROUP BY ALL),
        named AS (
            FROM counted
            UNION ALL SELECT person, home, 0, 0 FROM homes ANTI JOIN counted USING (person)
            {also_home}
        )
        SELECT person, school_id, min({order}) AS place FROM named JOIN homes USING (person) GROUP BY person, school_id
        """,
        f"""
        CREATE TABLE {role}_primary AS
        SELECT person AS "row", arg_min(school_id, place) AS school FROM {role}_schools GROUP BY person
        """,
    )


# --- people ---------------------------------------------------------------------------------------------------------------

_STUDENT_READINGS: Final = {
    "grade": "grade",
    "gender": "gender",
    "dob": "birth_date",
    "race": "race",
    "hispanic_latino": "hispanic",
    "home_language": "language",
    "ell_status": "ell",
    "frl_status": "frl",
    "iep_status": "iep",
    "gifted_status": "gifted",
    "section_504_status": "section_504",
    "disability_status": "disability",
    "disability_type": "disability_type",
    "disability_code": "disability_code",
}

_STUDENTS: Final = f"""
    CREATE TABLE roster_students AS
    SELECT key, "row", first_name AS first, middle_name AS middle, last_name AS last, student_email AS email, student_number,
        state_id, grade_means.meaning AS grade, gender_means.meaning AS gender, graduation_year, dob_means.meaning AS dob,
        race_means.meaning AS race, hispanic_latino_means.meaning AS hispanic_ethnicity,
        home_language_means.meaning AS home_language, language_code.meaning AS home_language_code,
        ell_status_means.meaning AS ell_status, frl_status_means.meaning AS frl_status, iep_status_means.meaning AS iep_status,
        gifted_status_means.meaning AS gifted_status, section_504_status_means.meaning AS section_504_status,
        disability_status_means.meaning AS disability_status, disability_type_means.meaning AS disability_type,
        disability_code_means.meaning AS disability_code, preferred_first_name AS preferred_first,
        preferred_middle_name AS preferred_middle, preferred_last_name AS preferred_last, student_street AS address,
        student_city AS city, student_state AS state, student_zip AS zip, username AS district_username, unweighted_gpa,
        weighted_gpa, ext, school
    FROM kept_students student
    JOIN student_primary USING ("row")
    {_joins("student", _STUDENT_READINGS)}
    LEFT JOIN {meanings("language_code")} language_code ON language_code.value = student.home_language
"""

_TEACHERS: Final = """
    CREATE TABLE roster_teachers AS
    SELECT key, "row", first_name AS first, middle_name AS middle, last_name AS last, teacher_email AS email, teacher_number,
        state_teacher_id AS state_id, title, username AS district_username, ext, school
    FROM kept_teachers JOIN teacher_primary USING ("row")
"""

_STAFF: Final = (
    f"""
    CREATE TABLE roster_staff AS
    WITH persons AS (
        SELECT key, min("row") AS "row", bool_or(meaning = 'SchoolTechLead') AS is_tech_lead
        FROM kept_staff LEFT JOIN {meanings("staff_role")} ON value = role GROUP BY key
    )
    SELECT key, "row", first, middle, last, email, department, title, district_username,
        if(is_tech_lead, 'SchoolTechLead', 'PortalOnly') AS role, ext
    FROM persons JOIN (SELECT * EXCLUDE (key, role) FROM kept_staff) USING ("row")
    """,
    f"""
    CREATE VIEW staff_schools AS
    WITH named AS (
        SELECT key, school_id, lower(school_id) = '{ALL_SCHOOLS}' AND school_id NOT IN (SELECT key FROM kept_schools) AS is_all
        FROM kept_staff
    )
    SELECT key, school_id AS school FROM named WHERE NOT is_all
    UNION
    SELECT named.key, school.key FROM named, kept_schools school WHERE is_all
    """,
)

_ADMIN_ROLE = " ".join(f"WHEN lower(role) IN {words} THEN '{role}'" for role, words in ADMIN_ROLES.items())
_DISTRICT_ADMINS: Final = f"""
    CREATE TABLE roster_district_admins AS
    WITH persons AS (
        SELECT min("row") AS "row", list_sort(list_distinct(list(CASE {_ADMIN_ROLE} ELSE role END))) AS roles
        FROM kept_administrators GROUP BY key
    )
    SELECT key, "row", first_name AS first, last_name AS last, admin_email AS email, title,
        list_aggregate(roles, 'string_agg', '{SEPARATOR}') AS role
    FROM persons JOIN (SELECT * EXCLUDE role FROM kept_administrators) USING ("row")
"""

_CONTACTS: Final = (
    f"""
    CREATE TABLE roster_contacts AS
    SELECT first.key, first."row", contact_name AS name, contact_email AS email, contact_phone_means.meaning AS phone,
        contact_phone_type_means.meaning AS phone_type, contact_sis_id AS sis_id
    FROM first_contacts first JOIN kept_contacts contact ON contact."row" = chosen
    {_joins("contact", {"contact_phone": "phone", "contact_phone_type": "phone_type"})}
    """,
    # One entry for each contact, student and type: an export repeats a contact for each phone and email.
    f"""
    CREATE TABLE roster_contact_students AS
    SELECT key AS contact, student_id AS student,
        arg_min(contact_relationship_means.meaning, list_position({list(RELATIONSHIPS)}, contact_relationship_means.meaning))
            AS relationship,
        contact_type_means.meaning AS type, min("row") AS position
    FROM kept_contacts contact
    {_joins("contact", {"contact_relationship": "relationship", "contact_type": "contact_type"})}
    GROUP BY ALL
    """,
)


# --- sections, terms and courses ------------------------------------------------------------------------------------------


def _section_parts(rules: Rules) -> str:
    """`section_parts`: each section with its term and course, and their keys.

    Name, start and end together identify a term. Number and name together identify a course, or the number
    alone if the district chose so.
    """
    both = "'course:' || part(course_number) || part(course_name)"
    course = (
        f"if(course_number <> '', 'number:' || course_number, {both})" if rules.courses_by_number else both
    )
    return f"""
        CREATE TABLE section_parts AS
        SELECT "row", key, term_name, term_start_means.meaning AS term_start, term_end_means.meaning AS term_end,
            course_name, course_number,
            CASE WHEN concat(term_name, term_start_means.meaning, term_end_means.meaning) <> ''
                THEN 'term:' || part(term_name) || part(term_start_means.meaning) || part(term_end_means.meaning) END AS term,
            CASE WHEN course_name <> '' THEN {course} END AS course
        FROM kept_sections section {_joins("section", {"term_start": "term_date", "term_end": "term_date"})}
    """


_TERMS_AND_COURSES: Final = (
    """
    CREATE TABLE roster_terms AS
    SELECT term AS key, "row", term_name AS name, term_start AS start_date, term_end AS end_date
    FROM section_parts JOIN (SELECT min("row") AS "row" FROM section_parts WHERE term IS NOT NULL GROUP BY term) USING ("row")
    """,
    """
    CREATE TABLE roster_courses AS
    SELECT course AS key, "row", course_name AS name, course_number AS number
    FROM section_parts JOIN (SELECT min("row") AS "row" FROM section_parts WHERE course IS NOT NULL GROUP BY course) USING ("row")
    """,
)


def _majority_grades(rules: Rules) -> str:
    """`majority_grades(section, grade)`: the grade of most students; the lowest one if two are equal.

    Only for sections whose own Grade does not say it. For all sections, if all have the same Grade
    (documented) or if the district chose so.
    """
    unsaid = (
        ""
        if rules.majority_grades
        else "WHERE coalesce(meaning, '') IN ('', 'Other') OR EXISTS (FROM same_grade)"
    )
    ranks = ", ".join(f"('{grade}', {rank})" for rank, grade in enumerate(GRADES) if grade)
    return f"""
        CREATE TABLE majority_grades AS
        WITH unsaid AS (
            SELECT "row" AS section FROM kept_sections LEFT JOIN {meanings("grade_range")} ON value = grade {unsaid}
        ),
        counted AS (
            SELECT section, grade, count(*) AS students
            FROM kept_enrollments SEMI JOIN unsaid USING (section) JOIN roster_students ON roster_students."row" = student
            GROUP BY ALL
        )
        SELECT section, arg_min(grade, (-students, rank)) AS grade
        FROM counted JOIN (VALUES {ranks}) ranks(grade, rank) USING (grade) GROUP BY section
    """


def _sections(rules: Rules) -> str:
    """The documented names: `Course - teacher - period`, else the name in the SIS, else `teacher -
    period`."""
    teacher_and_period = "concat_ws(' - ', nullif(teacher.last_name, ''), nullif(period, ''))"
    by_course = f"if(section.course_name <> '', section.course_name || ' - ' || {teacher_and_period}, NULL)"
    name = (
        f"coalesce({'' if rules.sis_section_names else by_course + ','} nullif(name, ''), "
        f"{by_course}, {teacher_and_period})"
    )
    exact = " ".join(f"WHEN '{word}' THEN '{subject}'" for word, subject in subjects.exact().items())
    return f"""
        CREATE TABLE roster_sections AS
        SELECT key, "row", {name} AS name, school_id AS school, course, term, section_number, period,
            coalesce(majority_grades.grade, grade_means.meaning) AS grade,
            coalesce(
                CASE lower(section.subject) {exact} END,
                in_subject.subject, in_name.subject, in_course.subject, 'other'
            ) AS subject,
            section.ext
        FROM kept_sections section
        JOIN (SELECT "row", course, term FROM section_parts) USING ("row")
        JOIN (SELECT key AS teacher_id, last_name FROM kept_teachers) teacher USING (teacher_id)
        LEFT JOIN majority_grades ON majority_grades.section = section."row"
        LEFT JOIN subject_of in_subject ON in_subject.text = section.subject
        LEFT JOIN subject_of in_name ON in_name.text = section.name
        LEFT JOIN subject_of in_course ON in_course.text = section.course_name
        {_joins("section", {"grade": "grade_range"})}
    """


# --- lists ----------------------------------------------------------------------------------------------------------------

_EDGES: Final = (
    """
    CREATE TABLE roster_enrollments AS
    SELECT section.key AS section, student.key AS student
    FROM kept_enrollments
    JOIN first_sections section ON section."row" = kept_enrollments.section
    JOIN first_students student ON student."row" = kept_enrollments.student
    """,
    """
    CREATE TABLE roster_user_schools AS
    SELECT 'student' AS role, key, school_id AS school FROM student_schools JOIN first_students ON "row" = person
    UNION ALL SELECT 'teacher', key, places.school_id FROM teacher_schools places JOIN kept_teachers ON "row" = person
    UNION ALL SELECT 'staff', key, school FROM staff_schools
    """,
)

_RESOURCES: Final = (
    # A resource that names no role is for both.
    """
    CREATE TABLE roster_resources AS
    WITH named AS (
        SELECT key, "row", title,
            list_filter(['student', 'teacher'], lambda role: list_contains(role_words(roles), role)) AS roles
        FROM kept_resources JOIN (SELECT min("row") AS "row" FROM kept_resources GROUP BY key) USING ("row")
    )
    SELECT key, "row", title, if(len(roles) = 0, ['student', 'teacher'], roles) AS roles FROM named
    """,
    """
    CREATE TABLE roster_resource_courses AS
    SELECT DISTINCT resource.key AS resource, course.key AS course
    FROM kept_resources resource
    JOIN roster_courses course
        ON (coalesce(course_name, '') = '' OR course.name = course_name)
        AND (coalesce(course_number, '') = '' OR course.number = course_number)
    WHERE concat(course_name, course_number) <> ''
    """,
)
