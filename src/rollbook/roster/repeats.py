"""Rows that share a key, and whether they are of one person: two people are never joined by an id that both were given.

A row is another person's when its name is another one and something else that tells people apart is, too; or when both its
names are quite others. Letter case, accents, an initial and swapped names make no other name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rollbook.roster.checking import Check, table_of
from rollbook.roster.problems import SharedId
from rollbook.roster.tables import Tables

# Names are quite others below this similarity (Jaro and Winkler's, 1 for equal texts): a typo or a short form is above it.
_ALIKE: Final = 0.8

MACROS: Final = (
    # A name or mark without what spelling makes of it: letter case, accents, blanks, dashes, apostrophes.
    r"CREATE MACRO folded(name) AS regexp_replace(lower(strip_accents(name)), '[^\p{L}\p{N}]', '', 'g')",
    # The words of a full name in one order, so that `Moss, Pat` is `Pat Moss`.
    r"""CREATE MACRO name_words(name) AS list_sort(list_distinct(
        regexp_extract_all(regexp_replace(lower(strip_accents(name)), '[''’`]', '', 'g'), '[\p{L}\p{N}]+')))""",
    # A date that has several spellings.
    r"""CREATE MACRO day(date) AS coalesce(
        strftime(try_strptime(date, ['%m/%d/%Y', '%Y-%m-%d', '%m/%d/%y', '%Y/%m/%d', '%Y%m%d']), '%Y-%m-%d'), folded(date))""",
    "CREATE MACRO digits(phone) AS regexp_replace(phone, '[^0-9]', '', 'g')",
    # Two values that are there and differ.
    "CREATE MACRO differs(one, other) AS coalesce(one <> '' AND other <> '' AND one <> other, false)",
    # Two values that are there and agree.
    "CREATE MACRO agrees(one, other) AS coalesce(one <> '' AND one = other, false)",
    # Equal names, or one is the initial of the other.
    """CREATE MACRO is_same_name(one, other) AS
        one = other OR (least(length(one), length(other)) = 1 AND left(one, 1) = left(other, 1))""",
    f"CREATE MACRO is_far(one, other) AS jaro_winkler_similarity(one, other) < {_ALIKE}",
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A column that tells people apart, as SQL `{}` of its cell; `is_unique`: equal values tell that they are one person."""

    header: str
    form: str = "folded(said({}))"
    is_unique: bool = False

    def of(self, cell: str) -> str:
        return self.form.format(cell)


_STUDENT_MARKS: Final = (
    Mark("DOB", "day(said({}))"),
    Mark("Gender", "left(folded(said({})), 1)"),
    *(Mark(header, is_unique=True) for header in ("Student_number", "State_id", "Student_email")),
)
_TEACHER_MARKS: Final = tuple(Mark(header, is_unique=True) for header in ("Teacher_number", "State_teacher_id", "Teacher_email"))
# What the people of a file are called, their key, and what tells them apart.
_PEOPLE: Final = (
    ("students.csv", "children", "Student_id", _STUDENT_MARKS),
    ("teachers.csv", "teachers", "Teacher_id", _TEACHER_MARKS),
    ("staff.csv", "people", "Staff_id", (Mark("Staff_email", is_unique=True),)),
    ("admins.csv", "people", "Staff_id", (Mark("Admin_email", is_unique=True),)),
    ("administrators.csv", "people", "Admin_id", (Mark("Admin_email", is_unique=True),)),
)
# With so many other marks, equal names are two people's.
_MARKS_ENOUGH: Final = 2


def shared_ids(tables: Tables) -> tuple[Check, ...]:
    """A row has the id of another person's row above it."""
    return tuple(_shared_id(tables, *people) for people in _PEOPLE)


def _shared_id(tables: Tables, file: str, people: str, key: str, marks: Sequence[Mark]) -> Check:
    """The first row of an id is the person; each further one is compared with it."""
    sent = [mark for mark in marks if tables.has(file, mark.header.lower())]
    headers = ("First_name", "Last_name", *(mark.header for mark in sent))
    columns = {"first": "folded(first_name)", "last": "folded(last_name)", **columns_for(sent)}
    is_swapped = "(first = its_last AND last = its_first)"
    has_other_name = f"NOT (is_same_name(first, its_first) AND is_same_name(last, its_last) OR {is_swapped})"
    has_far_name = f"(is_far(first, its_first) AND is_far(last, its_last) AND NOT {is_swapped})"
    is_another = f"{is_other(sent, has_other_name, has_far_name)} OR {_count(sent)} >= {_MARKS_ENOUGH}"
    named = {"First_name": "first <> its_first", "Last_name": "last <> its_last", **differing(sent)}
    query = f"""
        WITH disagreeing AS (
            SELECT key FROM (SELECT {key.lower()} AS key, hash({", ".join(headers).lower()}) AS said FROM usable_{table_of(file)})
            WHERE key <> '' GROUP BY key HAVING min(said) <> max(said)
        ),
        theirs AS MATERIALIZED (
            SELECT "row", key, {selected(columns)}
            FROM usable_{table_of(file)} JOIN disagreeing ON key = {key.lower()}
        )
        {others(columns, is_another, named, f"two {people} share this id")}
    """
    return Check(SharedId, file, key, query)


def is_other(marks: Sequence[Mark], has_other_name: str, has_far_name: str) -> str:
    """SQL: whether a row is not of the person of its key's first row."""
    return f"({has_other_name} AND {_count(marks)} > 0) OR ({has_far_name} AND NOT {_agreeing(marks)})"


def selected(columns: dict[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


def columns_for(marks: Sequence[Mark]) -> dict[str, str]:
    return {f"mark{number}": mark.of(mark.header.lower()) for number, mark in enumerate(marks)}


def differing(marks: Sequence[Mark]) -> dict[str, str]:
    """SQL by header: whether a mark differs from the first row's."""
    return {mark.header: f"differs(mark{number}, its_mark{number})" for number, mark in enumerate(marks)}


def _count(marks: Sequence[Mark]) -> str:
    """SQL for how many marks differ."""
    return f"({' + '.join(f'{sql}::INTEGER' for sql in differing(marks).values()) or '0'})"


def _agreeing(marks: Sequence[Mark]) -> str:
    """SQL: whether a mark that no two people share is the same."""
    same = [f"agrees(mark{number}, its_mark{number})" for number, mark in enumerate(marks) if mark.is_unique]
    return f"({' OR '.join(same) or 'false'})"


def others(columns: dict[str, str], is_other: str, named: dict[str, str], words: str) -> str:
    """SQL for the rows of `theirs` that are another person's than the first of their key, and what differs."""
    firsts = ", ".join(f'arg_min({name}, "row") AS its_{name}' for name in columns)
    headers = ", ".join(f"CASE WHEN {sql} THEN '{header}' END" for header, sql in named.items())
    return f"""
        SELECT "row", key AS value,
            '{words}: row ' || first_row || ' has another ' || concat_ws(', ', {headers}) AS expected
        FROM theirs JOIN (SELECT key, min("row") AS first_row, {firsts} FROM theirs GROUP BY key) USING (key)
        WHERE "row" > first_row AND ({is_other})
    """
