"""Values that only one person should have, and words for nothing. The sync takes all rows in, and reports a
count.

A shared address, username or password neither merges two people nor opens another person's account.
"""

from __future__ import annotations

from typing import Final

from rollbook.contract.clever.columns import FILES, PASSWORD, columns_of
from rollbook.roster import words_for_nothing
from rollbook.roster.intake.clever.checking import Check, table_of
from rollbook.roster.intake.clever.sign_in_columns import NO_PASSWORD
from rollbook.roster.problems import (
    MergedNames,
    Problem,
    RewrittenNumber,
    SharedEmail,
    SharedNumber,
    SharedPassword,
    SharedUsername,
    WordAsId,
    WordForNothing,
)

# From so many people on, and from this part of all people, an equal password is no coincidence: simple
# passwords occur twice.
PASSWORD_PEOPLE_MIN: Final = 3
PASSWORD_PERCENT_MIN: Final = 1

_PEOPLE: Final = ("students.csv", "teachers.csv", "staff.csv", "admins.csv", "administrators.csv")
# Columns that identify people, merge them, or sign them in.
_EMAILS: Final = tuple(
    (file, c.header) for file in _PEOPLE for c in columns_of(file) if c.name.endswith("email")
)
_TELLING: Final = (
    *_EMAILS,
    *(("students.csv", f"Contact_{part}") for part in ("type", "sis_id")),
)
# Files with usernames, with the email that decides whether `Nan` is a name.
_USERNAMES: Final = (
    *(("students.csv", "student_email"), ("teachers.csv", "teacher_email")),
    *(("staff.csv", "staff_email"), ("admins.csv", "admin_email")),
)
# Columns of numbers that rows can lack: if a spreadsheet rewrote one, the row goes in.
_REWRITTEN: Final = tuple(
    (file.name, c.header)
    for file in FILES
    for c in columns_of(file.name)
    if c.read and not c.required and c.name.endswith(("_id", "_number", "username", "_phone"))
)
_NUMBERS: Final = (("students.csv", "Student_number"), ("teachers.csv", "Teacher_number"))


def words_as_ids(*files: str) -> tuple[Check, ...]:
    """An id is a word for nothing; `NA` may be a real school's id."""
    return tuple(
        Check(
            WordAsId,
            file,
            header,
            f"""
            SELECT "row", {header.lower()} AS value, 'an id' AS expected FROM {table_of(file)}
            WHERE is_nothing({header.lower()}) AND NOT ('{file}' = 'schools.csv' AND lower({header.lower()}) = 'na')
            """,
            sign=f"is_nothing({header.lower()})",
        )
        for file, header in words_for_nothing.KEYS
        if file in files
    )


def told_once() -> tuple[Check, ...]:
    """Findings that are reported once for a column, or once for a value, about accepted people."""
    return (
        *(_words(*place, "is_nothing({})") for place in _TELLING),
        _words("students.csv", "Contact_name", "is_no_name({}, contact_email, contact_phone)"),
        *(_words(file, "Username", f"is_no_name({{}}, {email}, '')") for file, email in _USERNAMES),
        # A phone without a digit or a letter counts as blank.
        _words("students.csv", "Contact_phone", "is_nothing({0}) AND regexp_matches(lower({0}), '[a-z]')"),
        *(_words(*place, "is_rewritten({})", RewrittenNumber, "contains({}, '+')") for place in _REWRITTEN),
        *(_words(file, "Password", f"{{}} = '{NO_PASSWORD}'") for file in _PEOPLE[:-1]),
        *(_shared_number(*place) for place in _NUMBERS),
        _shared(SharedEmail, "email", "max_of_one_file > 1 OR (has_student AND has_other)"),
        _shared(SharedUsername, "username", "people > 1"),
        _SHARED_PASSWORDS,
        _MERGED_NAMES,
    )


def _words(
    file: str, header: str, condition: str, problem: type[Problem] = WordForNothing, sign: str = ""
) -> Check:
    """The cells of a column that meet a condition, reported once with their number."""
    return Check(
        problem,
        file,
        header,
        f"""
        SELECT min("row") AS "row", count(*)::VARCHAR AS value, NULL AS expected
        FROM {table_of(file)} WHERE {condition.format(header.lower())} HAVING count(*) > 0
        """,
        sign=(sign or condition).format(header.lower()),
    )


def _shared_number(file: str, header: str) -> Check:
    column = header.lower()
    twice = (
        f"SELECT hash({column}) AS hashed FROM kept_{table_of(file)} WHERE {column} <> '' "
        "GROUP BY hashed HAVING count(*) > 1"
    )
    return Check(
        SharedNumber,
        file,
        header,
        f"""
        SELECT min("row") AS "row", {column} AS value, count(*) || ' people, the next in row ' || min("row", 2)[2] AS expected
        FROM kept_{table_of(file)} WHERE said({column}) <> '' AND hash({column}) IN (FROM suspects)
        GROUP BY {column} HAVING count(*) > 1
        """,
        suspects=twice,
    )


# People who may sign in, one row per person and file. If there are several rows, the first counts, as in
# `sign_in_columns`.
ACCOUNTS: Final = """
    CREATE VIEW accounts AS
    SELECT 'students.csv' AS file, 'Student_email' AS email_header, 1 AS place, "row", key, student_email AS email,
        username, password FROM kept_students
    UNION ALL SELECT 'teachers.csv', 'Teacher_email', 2, "row", key, teacher_email, username, password FROM kept_teachers
    UNION ALL SELECT file, if(file = 'staff.csv', 'Staff_email', 'Admin_email'), 3, "row", key, email, district_username, password
        FROM kept_staff JOIN first_staff USING ("row", key)
    UNION ALL SELECT 'administrators.csv', 'Admin_email', 4, "row", key, admin_email, NULL, NULL
        FROM kept_administrators JOIN first_administrators USING ("row", key)
"""


def _shared(problem: type[Problem], column: str, condition: str) -> Check:
    """An email or username that several people have, over all files, in any letter case.

    A teacher, staff member and administrator with one email are one person.
    """
    header = "first.email_header" if column == "email" else "'Username'"
    said = "said(email)" if column == "email" else "said_name(username, email, '')"
    return Check(
        problem,
        None,
        None,
        f"""
        WITH theirs AS MATERIALIZED (
            SELECT *, lower({column}) AS said, place = 1 AS is_student
            FROM accounts WHERE {said} <> '' AND hash(lower({column})) IN (FROM suspects)
        ),
        persons AS (SELECT *, if(place > 1 AND tells_who(email), email, file || ' ' || key) AS person FROM theirs),
        of_a_file AS (SELECT said, place, count(*) AS people FROM theirs GROUP BY ALL),
        shared AS (
            SELECT said, bool_or(is_student) AS has_student, bool_or(NOT is_student) AS has_other,
                count(DISTINCT person) AS people, count(*) AS rows, max(of_a_file.people) AS max_of_one_file
            FROM persons JOIN of_a_file USING (said, place) GROUP BY said
        )
        SELECT first.file, first."row", {header} AS column_name, first.said AS value,
            if({column == "email"}, rows, people) || ' people' AS expected
        FROM (SELECT said, arg_min(theirs, (place, "row")) AS first FROM theirs GROUP BY said) JOIN shared USING (said)
        WHERE {condition}
        """,
        suspects=f"SELECT hashed FROM shared_values WHERE header = '{column}'",
    )


# The hashes of values that several accounts share: one pass for emails, usernames and passwords. Many teachers
# are staff, too: rows that are surely one person's need not be looked at.
SHARED_VALUES: Final = f"""
    CREATE TEMP TABLE shared_values AS
    WITH every AS MATERIALIZED (SELECT place, file, email, username, {PASSWORD} FROM accounts)
    SELECT 'email' AS header, hash(lower(email)) AS hashed FROM every WHERE email <> '' GROUP BY hashed
    HAVING count(*) > 1 AND (min(place) = 1 OR count(*) <> bit_count(bit_or(1 << place)))
    UNION ALL
    SELECT 'username', hash(lower(username)) AS hashed FROM every WHERE username <> '' GROUP BY hashed
    HAVING count(*) > 1
        AND (min(place) = 1 OR NOT coalesce(min(hash(email)) = max(hash(email)) AND tells_who(any_value(email)), false))
    UNION ALL
    SELECT DISTINCT 'password', hash({PASSWORD}) AS hashed FROM every WHERE {PASSWORD} <> '' AND {PASSWORD} <> '{NO_PASSWORD}'
    GROUP BY file, hashed HAVING count(*) >= {PASSWORD_PEOPLE_MIN}
"""

_SHARED_PASSWORDS: Final = Check(
    SharedPassword,
    None,
    None,
    f"""
    WITH counted AS (
        SELECT file, hash({PASSWORD}) AS hashed, count(*) AS people, min("row") AS first_row,
            sum(count(*)) OVER (PARTITION BY file) * {PASSWORD_PERCENT_MIN} / 100 AS part
        FROM accounts WHERE {PASSWORD} <> '' AND {PASSWORD} <> '{NO_PASSWORD}' GROUP BY file, hashed
        QUALIFY people >= greatest({PASSWORD_PEOPLE_MIN}, part)
    )
    SELECT file, min(first_row) AS "row", 'Password' AS column_name, NULL AS value,
        format('{{:,}} people', sum(people)::BIGINT)
            || if(count(*) = 1, '', format(', with {{:,}} passwords', count(*))) AS expected
    FROM counted GROUP BY file
    """,
    suspects="SELECT hashed FROM shared_values WHERE header = 'password'",
)


_MERGED_NAMES: Final = Check(
    MergedNames,
    None,
    None,
    """
    WITH theirs AS MATERIALIZED (
        SELECT 'teachers.csv' AS file, 'Teacher_email' AS header, 1 AS place, "row", teacher_email AS email, first_name AS first,
            last_name AS last FROM kept_teachers
        UNION ALL SELECT file, if(file = 'staff.csv', 'Staff_email', 'Admin_email'), 2, "row", email, first, last
        FROM kept_staff JOIN first_staff USING ("row", key)
        UNION ALL SELECT 'administrators.csv', 'Admin_email', 3, "row", admin_email, first_name, last_name
        FROM kept_administrators JOIN first_administrators USING ("row", key)
    ),
    merging AS MATERIALIZED (
        SELECT file, header, place, "row", email, folded(first) AS first, folded(last) AS last FROM (
            FROM (SELECT *, count(*) OVER (PARTITION BY place, email) AS people FROM theirs SEMI JOIN suspects USING (email))
            QUALIFY max(people) OVER (PARTITION BY email) = 1
        ) WHERE tells_who(email)
    )
    SELECT later.file, later."row", later.header AS column_name, later.email AS value,
        'row ' || first."row" || ' of ' || first.file AS expected
    FROM merging later JOIN merging first ON first.email = later.email AND first.place < later.place
    WHERE NOT is_same_name(later.first, first.first) AND NOT is_same_name(later.last, first.last)
        AND NOT (later.first = first.last AND later.last = first.first)
    """,
    suspects="""
    SELECT email FROM (
        SELECT 1 AS place, teacher_email AS email, first_name AS first, last_name AS last FROM kept_teachers
        UNION ALL SELECT 2, email, first, last FROM kept_staff
        UNION ALL SELECT 3, admin_email, first_name, last_name FROM kept_administrators
    ) WHERE email <> '' GROUP BY email
    HAVING min(place) < max(place) AND min(first) < max(first) AND min(last) < max(last)
    """,
)
