"""Whether rows with the same key are of one person: an id that two people share never merges them.

A row is of another person in two cases. The name differs, and so does another mark that distinguishes people.
Or the name is very different, and no mark that identifies a person agrees. If both names are very different,
an equal birthday is not enough. Letter case, accents, an initial and swapped names do not make a different
name; a typing error does not make a very different one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rollbook.roster.intake.clever.checking import Check, table_of
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import SharedId

# Names below this similarity (Jaro's; 1 means equal) are very different: Ana and Anna are similar, Rob and
# Robert too, Tim and Tom are not. A measure that favours equal beginnings would make Jamal and Jamie similar.
_ALIKE: Final = 0.8
_DATE_FORMS: Final = (
    *(
        "%m/%d/%Y",
        "%Y-%m-%d",
        "%m/%d/%y",
        "%Y/%m/%d",
        "%Y%m%d",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%b %d, %Y",
        "%B %d, %Y",
    ),
    *(
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
    ),
)
# Birthdays that programs write if they have none.
_NO_BIRTHDAYS: Final = "0.*|1[0-8].*|190[01].*|1970-01-01|9999.*"

MACROS: Final = (
    # A name or mark without differences of spelling: letter case, accents, blanks, dashes, apostrophes.
    r"CREATE MACRO folded(name) AS regexp_replace(lower(strip_accents(name)), '[^\p{L}\p{N}]', '', 'g')",
    # The words of a full name in one order, so that `Moss, Pat` equals `Pat Moss`.
    r"""CREATE MACRO name_words(name) AS list_sort(list_distinct(
        regexp_extract_all(regexp_replace(lower(strip_accents(name)), '[''’`]', '', 'g'), '[\p{L}\p{N}]+')))""",
    # A birthday in one spelling; blank if it says nothing (`withheld`, 1/1/1900).
    f"""CREATE MACRO birthday(date) AS regexp_replace(
        coalesce(strftime(try_strptime(date, {list(_DATE_FORMS)}), '%Y-%m-%d'),
            if(regexp_matches(date, '[1-9]'), folded(date), '')),
        '^({_NO_BIRTHDAYS})$', '')""",
    "CREATE MACRO digits(phone) AS regexp_replace(phone, '[^0-9]', '', 'g')",
    # Both values exist, and they differ.
    "CREATE MACRO differs(one, other) AS coalesce(one <> '' AND other <> '' AND one <> other, false)",
    # Both values exist, and they agree.
    "CREATE MACRO agrees(one, other) AS coalesce(one <> '' AND one = other, false)",
    # Equal names, or one is the initial of the other.
    """CREATE MACRO is_same_name(one, other) AS
        one = other OR (least(length(one), length(other)) = 1 AND left(one, 1) = left(other, 1))""",
    # Very different names, as texts and as words. Shared words are ignored, and a name with one word more is
    # similar (Garcia Lopez).
    (
        "CREATE MACRO is_far(one, other) AS NOT is_same_name(one, other) AND "
        f"jaro_similarity(one, other) < {_ALIKE}"
    ),
    (
        "CREATE MACRO rest(words, others) AS array_to_string(list_filter(words, lambda word: "
        "NOT list_contains(others, word)), '')"
    ),
    """CREATE MACRO has_far_words(words, others) AS rest(words, others) <> '' AND rest(others, words) <> ''
        AND is_far(rest(words, others), rest(others, words))""",
    # Juan Carlos and Juan Pablo are very different in the words that differ; Jean-Luc and Jeanluc are the
    # same text.
    """CREATE MACRO is_far_name(one, words, other, others) AS
        has_far_words(words, others) AND (list_has_any(words, others) OR is_far(one, other))""",
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A column that distinguishes people, as SQL `{}` of its cell.

    Equal values show that two rows are of one person (`tells`), even if both names differ (`is_unique`).
    """

    header: str
    form: str = "folded(said({}))"
    tells: bool = True
    is_unique: bool = True

    def of(self, cell: str) -> str:
        return self.form.format(cell)


# An email that identifies nobody counts as blank.
EMAIL_FORM: Final = "CASE WHEN tells_who({0}) THEN folded({0}) ELSE '' END"
_STUDENT_MARKS: Final = (
    Mark("DOB", "birthday(said({}))", is_unique=False),
    Mark("Gender", "left(folded(said({})), 1)", tells=False),
    *(Mark("Student_number"), Mark("State_id"), Mark("Student_email", EMAIL_FORM)),
)
_TEACHER_MARKS: Final = (Mark("Teacher_number"), Mark("State_teacher_id"), Mark("Teacher_email", EMAIL_FORM))
# For each file: what its people are called, their key, and the marks that distinguish them.
_PEOPLE: Final = (
    ("students.csv", "children", "Student_id", _STUDENT_MARKS),
    ("teachers.csv", "teachers", "Teacher_id", _TEACHER_MARKS),
    ("staff.csv", "people", "Staff_id", (Mark("Staff_email", EMAIL_FORM),)),
    ("admins.csv", "people", "Staff_id", (Mark("Admin_email", EMAIL_FORM),)),
    ("administrators.csv", "people", "Admin_id", (Mark("Admin_email", EMAIL_FORM),)),
)
# If so many other marks differ, equal names are two people's.
_MARKS_ENOUGH: Final = 2


_NAMES: Final = {
    "first": "folded(first_name)",
    "last": "folded(last_name)",
    "first_words": "name_words(first_name)",
    "last_words": "name_words(last_name)",
}
_HAS_OTHER_NAME: Final = """NOT (is_same_name(first, its_first) AND is_same_name(last, its_last)
    OR (first = its_last AND last = its_first))"""
_IS_SWAPPED: Final = "(NOT is_far(first, its_last) AND NOT is_far(last, its_first))"


def shared_ids(tables: Tables) -> tuple[Check, ...]:
    """A row has the id of another person's earlier row."""
    return tuple(_shared_id(tables, *people) for people in _PEOPLE)


def _shared_id(tables: Tables, file: str, people: str, key: str, marks: Sequence[Mark]) -> Check:
    """The first row of an id is the person; each further row is compared with it."""
    sent = [mark for mark in marks if tables.has(file, mark.header.lower())]
    headers = ("First_name", "Last_name", *(mark.header for mark in sent))
    columns = {**_NAMES, **columns_for(sent)}
    has_far_first = "is_far_name(first, first_words, its_first, its_first_words)"
    has_far_last = "is_far_name(last, last_words, its_last, its_last_words)"
    has_far_name = f"(({has_far_first} OR {has_far_last}) AND NOT {_IS_SWAPPED})"
    has_far_names = f"({has_far_first} AND {has_far_last} AND NOT {_IS_SWAPPED})"
    unique = [mark for mark in sent if mark.is_unique]
    is_another = f"""{is_other(sent, _HAS_OTHER_NAME, has_far_name)} OR ({has_far_names} AND NOT {_agreeing(sent, unique)})
        OR {_count(sent)} >= {_MARKS_ENOUGH}"""
    named = {"First_name": "first <> its_first", "Last_name": "last <> its_last", **differing(sent)}
    disagreeing = f"""
        SELECT key FROM (SELECT {key.lower()} AS key, hash({", ".join(headers).lower()}) AS said FROM usable_{table_of(file)})
        WHERE key <> '' GROUP BY key HAVING min(said) <> max(said)
    """
    query = f"""
        WITH theirs AS MATERIALIZED (
            SELECT "row", key, {selected(columns)}
            FROM usable_{table_of(file)} JOIN suspects ON key = {key.lower()}
        )
        {others(columns, is_another, named, f"two {people} share this id")}
    """
    return Check(
        SharedId,
        file,
        key,
        query,
        suspects=disagreeing,
        repeats=key.lower(),
        compares=tuple(map(str.lower, headers)),
    )


def is_other(marks: Sequence[Mark], has_other_name: str, has_far_name: str) -> str:
    """SQL: whether a row is not of the person in its key's first row."""
    return f"({has_other_name} AND {_count(marks)} > 0) OR ({has_far_name} AND NOT {_agreeing(marks, marks)})"


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


def _agreeing(sent: Sequence[Mark], telling: Iterable[Mark]) -> str:
    """SQL: whether an identifying mark agrees. A mark that repeats the id adds nothing."""
    numbers = [number for number, mark in enumerate(sent) if mark.tells and mark in telling]
    same = [f"(agrees(mark{n}, its_mark{n}) AND alike(mark{n}) <> alike(folded(key)))" for n in numbers]
    return f"({' OR '.join(same) or 'false'})"


def others(columns: dict[str, str], is_other: str, named: dict[str, str], words: str) -> str:
    """SQL for the rows of `theirs` about another person than the key's first row, with the columns that differ."""
    firsts = ", ".join(f'arg_min({name}, "row") AS its_{name}' for name in columns)
    headers = ", ".join(f"CASE WHEN {sql} THEN '{header}' END" for header, sql in named.items())
    return f"""
        SELECT "row", key AS value,
            '{words}: row ' || first_row || ' has another ' || concat_ws(', ', {headers}) AS expected
        FROM theirs JOIN (SELECT key, min("row") AS first_row, {firsts} FROM theirs GROUP BY key) USING (key)
        WHERE "row" > first_row AND ({is_other})
    """
