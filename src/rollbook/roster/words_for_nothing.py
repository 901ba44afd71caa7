"""Words that mean no value (`NULL`, `N/A`, `-`, `#REF!`), as SQL: nobody is identified, merged or signed in by them.

Exports write them where the SIS has no value. `vocabulary` has the meanings of other values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rollbook.contract.clever.columns import COLUMNS

if TYPE_CHECKING:  # a server without syncs need not load the engine
    from rollbook.roster.intake.csv.raw_tables import Tables

# Each may stand alone or repeated, in any letter case, with brackets, dashes or blanks around it: `(null)`,
# `NULL NULL`.
_WORDS: Final = (
    *(
        "null",
        "nil",
        "none",
        "nan",
        "nothing",
        "undefined",
        "unknown",
        "unk",
        "blank",
        "empty",
        "missing",
        "void",
        "tbd",
        "tba",
    ),
    "n ?a",
    "not (?:available|applicable|provided|given|known|on file|set|entered)",
    "no ?(?:e ?)?mail",
    "no (?:contact|data|id|name|password|phone|username|value)",
)
_NOTHING: Final = rf"(?:(?:{'|'.join(_WORDS)})(?: |$))*"
# What a spreadsheet shows when a formula fails; `#N/A` and `#NULL!` are words above.
_FAILED_FORMULA: Final = r"#(?:ref!|value!|name[?]|div/0!|num!|spill!|calc!|error!|getting_data)"
# A cell with one blank for each run of characters that are neither letters nor numbers. Character classes are
# slow: a statement with this one spends more time on it than on reading a small table.
_SPELLED: Final = r"trim(regexp_replace(lower({}), '[^\p{{L}}\p{{N}}]+', ' ', 'g'))"
# A fast test that most other cells fail: no digit at the beginning, and only ASCII letters of such words.
_PIECES: Final = sorted(
    {
        piece.replace("i", "[iİ]")
        for words in (*_WORDS, _FAILED_FORMULA)
        for piece in re.findall("[a-z]+(?:/0)?", words)
    }
)
_MAY_BE: Final = rf"(?:[^a-z0-9]|{'|'.join(_PIECES)})*"
# An address that an office enters for everyone without one; `na@` may be a person's initials.
_PLACEHOLDER: Final = (
    r"(?:null|nil|none|undefined|unknown"
    r"|(?:no|fake|dummy|not?[-_.]?valid|invalid)[-_.]?(?:e[-_.]?)?mail|no[-_.]?reply)@.*"
)
_EMAIL: Final = r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+"


def is_nothing(cell: str) -> str:
    """SQL: whether a cell holds a word for nothing; a blank cell does not."""
    is_word = f"regexp_full_match({_SPELLED.format(cell)}, '{_NOTHING}')"
    has_failed = f"regexp_full_match(lower({cell}), '{_FAILED_FORMULA}')"
    return f"({cell} <> '' AND {_may_be_nothing(cell)} AND ({is_word} OR {has_failed}))"


def _may_be_nothing(cell: str) -> str:
    return f"(({cell} < '0' OR {cell} >= ':') AND regexp_full_match({cell}, '{_MAY_BE}', 'i'))"


def is_email(cell: str) -> str:
    """SQL: whether a cell has the form of an email, x@y.z (documented)."""
    return f"regexp_full_match({cell}, '{_EMAIL}')"


def tells_who(email: str) -> str:
    """SQL: whether an email can identify a person: it has the form, and is not a placeholder for everyone
    without one."""
    return f"({is_email(email)} AND NOT regexp_full_match(lower({email}), '{_PLACEHOLDER}'))"


# Keys of files, by file and header. A word for nothing as a key would join unrelated rows.
KEYS: Final = (
    *(
        ("schools.csv", "School_id"),
        ("students.csv", "Student_id"),
        ("teachers.csv", "Teacher_id"),
        ("staff.csv", "Staff_id"),
    ),
    *(("admins.csv", "Staff_id"), ("administrators.csv", "Admin_id"), ("sections.csv", "Section_id")),
    ("resources.csv", "Resource_id"),
)
_ALSO: Final = (
    "username",
    "dob",
    "gender",
    "student_number",
    "state_id",
    "teacher_number",
    "state_teacher_id",
)
# All columns for which a rule uses `is_nothing`; it is only true for cells of these columns.
_COLUMNS: Final = tuple(
    column
    for column in COLUMNS
    if (column.file, column.header) in KEYS
    or column.name.endswith("email")
    or column.name.startswith("contact_")
    or column.name in _ALSO
)

MACROS: Final = (
    # A number that a spreadsheet shortened, such as 1.23457E+11. Searching for the sign alone is faster than
    # for the whole form.
    (
        "CREATE MACRO is_rewritten(cell) AS contains(cell, '+') AND regexp_full_match(cell, "
        "'[0-9]([.,][0-9]+)?[eE][+][0-9]{2,3}')"
    ),
    # The cell, or blank if it holds a word for nothing or a number that many other numbers were shortened to.
    "CREATE MACRO said(cell) AS CASE WHEN is_nothing(cell) OR is_rewritten(cell) THEN '' ELSE cell END",
    # Nan and Na are also names: of people whose email or phone has a value, and neither is a word for
    # nothing.
    """CREATE MACRO is_no_name(name, email, phone) AS is_nothing(name) AND NOT (
        lower(name) IN ('nan', 'na') AND concat(email, phone) <> ''
        AND NOT is_nothing(coalesce(email, '')) AND NOT is_nothing(coalesce(phone, '')))""",
    """CREATE MACRO said_name(name, email, phone) AS
        CASE WHEN is_no_name(name, email, phone) OR is_rewritten(name) THEN '' ELSE name END""",
    f"CREATE MACRO is_email(cell) AS {is_email('cell')}",
    f"CREATE MACRO tells_who(cell) AS {tells_who('cell')}",
)


def find(tables: Tables) -> None:
    """Create `nothings`, the words for nothing in all columns that rules ask about, and the macro
    `is_nothing`.

    Few cells hold such words, and the same ones repeat, so this one pass finds them for all rules.
    """
    connection = tables.connection
    sent: dict[str, list[str]] = {}
    for column in _COLUMNS:
        if tables.has(column.file, column.name):
            sent.setdefault(column.file.removesuffix(".csv"), []).append(column.name)
    # The table below the view of a file, which is dear to plan; rows that are no data do no harm. All cells of
    # a row together, because each filter of its own compiles the pattern again.
    cells = " UNION ALL ".join(
        f"SELECT word FROM (SELECT unnest([{', '.join(columns)}]) AS word FROM read_{table}) "
        f"WHERE word <> '' AND {_may_be_nothing('word')}"
        for table, columns in sent.items()
    )
    found = (
        tables.one(f"CREATE TEMP TABLE candidates AS SELECT DISTINCT word FROM ({cells})")[0] if cells else 0
    )
    if found:
        (found,) = tables.one(f"CREATE TABLE nothings AS FROM candidates WHERE {is_nothing('word')}")
    connection.execute(f"CREATE MACRO is_nothing(cell) AS {'cell IN (FROM nothings)' if found else 'false'}")
