"""Which rows of students.csv are one contact, what distinguishes contacts, and which row's values count."""

from __future__ import annotations

from typing import Final

from rollbook.contract.clever.columns import columns_of
from rollbook.roster.intake.clever.checking import Check
from rollbook.roster.intake.clever.repeated_rows import (
    EMAIL_FORM,
    Mark,
    columns_for,
    differing,
    is_other,
    others,
    selected,
)
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import ConflictingContact, IncompleteContact, SharedContactId

COLUMNS: Final = tuple(c.name for c in columns_of("students.csv") if c.name.startswith("contact_"))
# A row with one of these names a contact; the other columns often repeat in every row of an export.
_NAMING: Final = tuple(f"said(contact_{part})" for part in ("name", "email", "phone", "sis_id"))
_SAYS: Final = {"contact_name": "said_name(contact_name, contact_email, contact_phone)"}
# The rows that name a contact, with its columns; a word for nothing is blank.
NAMED: Final = f"""
    CREATE TABLE contact_rows AS
    SELECT "row", student_id, {", ".join(f"{_SAYS.get(column, f'said({column})')} AS {column}" for column in COLUMNS)}
    FROM usable_students WHERE {" OR ".join(f"{cell} <> ''" for cell in _NAMING)}
"""

INCOMPLETE: Final = Check(
    IncompleteContact,
    "students.csv",
    None,
    """
    SELECT "row", if(coalesce(contact_name, '') = '', 'Contact_name', 'Contact_type') AS column_name,
        concat_ws(', ', nullif(contact_name, ''), nullif(contact_type, ''), nullif(contact_email, '')) AS value,
        'Contact_name and Contact_type' AS expected
    FROM contact_rows WHERE coalesce(contact_name, '') = '' OR coalesce(contact_type, '') = ''
    """,
)

_MARKS: Final = (
    Mark("Contact_email", EMAIL_FORM),
    # A phone with only one digit repeated (000 000 0000) is a placeholder.
    Mark("Contact_phone", "regexp_replace(digits({}), '^(0*|1*|9*)$', '')"),
)


def shared_ids(tables: Tables) -> Check:
    """A contact has the id of another, earlier contact: the two would be merged, so the later one is
    rejected."""
    sent = [mark for mark in _MARKS if tables.has("students.csv", mark.header.lower())]
    columns = {"words": "name_words(contact_name)", **columns_for(sent)}
    has_other_name = "NOT (list_has_all(words, its_words) OR list_has_all(its_words, words))"
    named = {"Contact_name": "words <> its_words", **differing(sent)}
    disagreeing = """
        SELECT contact_sis_id AS key FROM contact_rows WHERE contact_sis_id <> '' AND contact_name <> ''
        GROUP BY key HAVING min(contact_name) <> max(contact_name)
    """
    query = f"""
        WITH theirs AS MATERIALIZED (
            SELECT "row", key, {selected(columns)} FROM contact_rows JOIN suspects ON key = contact_sis_id
            WHERE contact_name <> ''
        )
        {others(columns, is_other(sent, has_other_name, "has_far_words(words, its_words)"), named, "two contacts share this id")}
    """
    return Check(SharedContactId, "students.csv", "Contact_sis_id", query, suspects=disagreeing)


# If more people share an address or phone than a household has, it is the office's own, or a placeholder.
_HOUSEHOLD_MAX: Final = 4


def _crowded(column: str) -> str:
    """SQL for the hash of each value that occurs in more rows than a household has people, with several
    names."""
    return f"""
        SELECT hash({column}) AS hashed FROM contact_rows WHERE {column} <> '' GROUP BY hashed
        HAVING count(*) > {_HOUSEHOLD_MAX} AND min(hash(contact_name)) <> max(hash(contact_name))
    """


def _everybodys(tables: Tables, column: str) -> bool:
    """Make `everybodys_COLUMN`, the values that more contacts share than a household has people; whether there
    are any."""
    (crowded,) = tables.one(f"CREATE OR REPLACE TEMP TABLE crowded AS {_crowded(column)}")
    if not crowded:
        return False
    return bool(
        tables.one(
            f"""
            CREATE TEMP TABLE everybodys_{column} AS
            SELECT value FROM (
                SELECT DISTINCT {column} AS value, contact_name FROM contact_rows WHERE hash({column}) IN (FROM crowded)
            ) GROUP BY value HAVING count(DISTINCT folded(contact_name)) > {_HOUSEHOLD_MAX}
            """
        )[0]
    )


# A phone of one digit all over (000 000 0000) is a filler: two neighbours among its digits must differ.
_TWO_DIGITS: Final = "|".join(f"{digit}[^0-9]*[{'0123456789'.replace(digit, '')}]" for digit in "0123456789")


def _identified(*, shares_email: bool, shares_phone: bool, has_left_out: bool) -> str:
    """The statement for `kept_contacts`, the rows that stay with the key of their contact.

    Identity of a contact: its own id, else name and email, else name and phone, else all of its columns
    (documented). The text is exact, and each part has its length in front, so no two contacts become equal by
    chance. An email or phone that everyone shares identifies nobody.
    """
    own_email, own_phone = (
        f"AND {column} NOT IN (FROM everybodys_{column})" if is_shared else ""
        for column, is_shared in (("contact_email", shares_email), ("contact_phone", shares_phone))
    )
    left_out = f"""ANTI JOIN (SELECT "row" FROM problems WHERE code = '{SharedContactId.code}') AS left_out USING ("row")"""
    return f"""
        CREATE TABLE kept_contacts AS
        SELECT "row", student_id, {", ".join(COLUMNS)},
            CASE
                WHEN contact_sis_id <> '' THEN 'sis:' || contact_sis_id
                WHEN tells_who(contact_email) {own_email} THEN 'email:' || part(contact_name) || part(contact_email)
                WHEN regexp_matches(contact_phone, '{_TWO_DIGITS}') {own_phone}
                    THEN 'phone:' || part(contact_name) || part(contact_phone)
                ELSE 'words:' || part(contact_name) || part(contact_type) || part(contact_relationship)
                    || part(contact_phone_type) || part(student_id)
            END AS key
        FROM contact_rows {left_out if has_left_out else ""}
        WHERE contact_name <> '' AND contact_type <> ''
    """


def keep(tables: Tables) -> None:
    """Make `kept_contacts`, the rows that stay, and `first_contacts`, the row that counts for each contact."""
    (has_left_out,) = tables.one(f"SELECT count(*) > 0 FROM problems WHERE code = '{SharedContactId.code}'")
    tables.connection.execute(
        _identified(
            shares_email=_everybodys(tables, "contact_email"),
            shares_phone=_everybodys(tables, "contact_phone"),
            has_left_out=has_left_out,
        )
    )
    for statement in ("DROP TABLE contact_rows", _CHOSEN):
        tables.connection.execute(statement)


_SAID: Final = ("contact_name", "contact_email", "contact_phone", "contact_phone_type")
_BLANKS: Final = " + ".join(f"coalesce({column} = '', true)::INTEGER" for column in _SAID)
# The row whose values count: if they differ, the fullest one, then the first by its text, so the order of
# rows does not matter. `row` is the contact's first.
_CHOSEN: Final = f"""
    CREATE TABLE first_contacts AS
    WITH counted AS (
        SELECT key, min("row") AS "row", min(said) <> max(said) AS differ
        FROM (SELECT key, "row", hash({", ".join(_SAID)}) AS said FROM kept_contacts) GROUP BY key
    )
    SELECT key, "row", "row" AS chosen, differ FROM counted WHERE NOT differ
    UNION ALL
    SELECT key, min("row"), arg_min("row", ({_BLANKS}, {", ".join(_SAID)}, "row")), true
    FROM kept_contacts SEMI JOIN (FROM counted WHERE differ) USING (key) GROUP BY key
"""

CONFLICTING: Final = Check(
    ConflictingContact,
    "students.csv",
    None,
    " UNION ALL ".join(
        f"""
        SELECT other."row", '{header}' AS column_name, other.{header.lower()} AS value, its.{header.lower()} AS expected
        FROM suspects one
        JOIN kept_contacts other USING (key) JOIN kept_contacts its ON its."row" = one.chosen
        WHERE other.{header.lower()} <> its.{header.lower()}
        """
        for header in ("Contact_name", "Contact_email", "Contact_phone", "Contact_phone_type")
    ),
    suspects="FROM first_contacts WHERE differ",
)
