"""Find the API's word for each value of the kept rows.

Each reading (phones, dates, a vocabulary) gets one small table, made from distinct values only.

`normalize` joins `meaning_READING(value, meaning, is_known)`, which also says which values to report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from duckdb import DuckDBPyConnection

from rollbook.contract.clever.column_values import VALUE
from rollbook.contract.clever.columns import COLUMNS
from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever import forms
from rollbook.roster.intake.clever.vocabulary import (
    PADDED_GRADES,
    VOCABULARIES,
    Report,
    Vocabulary,
    grade_ranges,
)
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import (
    VALUE_CHARACTERS_MAX,
    BadDate,
    BadPhone,
    OtherWords,
    Problem,
    SameGrade,
    UnknownValue,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A column whose values a reading explains. `rows` is the table of kept rows to read."""

    file: str
    rows: str
    header: str

    @property
    def column(self) -> str:
        return self.header.lower()


# The kept rows of each file whose columns have readings.
_ROWS: Final = {
    "schools.csv": "kept_schools",
    "students.csv": "kept_students",
    "sections.csv": "kept_sections",
    "staff.csv": "kept_staff",
    "admins.csv": "kept_staff",
}
_FORMS: Final = ("phone", "birth_date", "term_date")


def _sources(values: str) -> tuple[Source, ...]:
    return tuple(
        Source(
            column.file,
            "kept_contacts" if column.name.startswith("contact_") else _ROWS[column.file],
            column.header,
        )
        for column in COLUMNS
        if column.values == values
    )


# Which reading explains which columns.
READ: Final[dict[str, tuple[Source, ...]]] = {
    reading: _sources(reading) for reading in (*(vocabulary.name for vocabulary in VOCABULARIES), *_FORMS)
} | {"language_code": _sources("language")}
# These would repeat the reports of another reading of the same column.
_SILENT: Final = ("language_code",)

_FOREVER: Final = date(2099, 12, 31)
_GRADES: Final = ("grade", "grade_range")

# The spelling in which a value is looked up: letters and digits alone, or a range with one dash between its
# ends.
_LOOSE: Final = r"trim(regexp_replace(lower(value), '[^\pL\pN]+', ' ', 'g'))"
_RANGE: Final = r"regexp_replace(lower({}), '\s*(-|‐|‑|‒|–|—|―|−|\bto\b|\bthrough\b|\bthru\b)\s*', '-', 'g')"

# A letter, # or ; means an extension or a second number. Eleven digits that do not begin with 1 have no form
# in the API and stay digits.
_PHONE: Final = r"""
    SELECT value, CASE
        WHEN value = '' THEN ''
        WHEN regexp_matches(value, '[\p{L}#;]') THEN NULL
        WHEN length(digits) = 10 THEN format('({}) {}-{}', digits[1:3], digits[4:6], digits[7:10])
        WHEN length(digits) = 11 AND digits[1] = '1' THEN format('1-({}) {}-{}', digits[2:4], digits[5:7], digits[8:11])
        WHEN length(digits) = 11 THEN digits
    END AS meaning
    FROM (SELECT value, regexp_replace(value, '[^0-9]', '', 'g') AS digits FROM found)
"""

# Date forms with only one reading, in the order tried. `1.8.2016`, `08-01-2016` and spreadsheet numbers have
# two.
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)
_DATE_FORMS: Final[tuple[tuple[str, tuple[str, str, str]], ...]] = (
    (r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})", ("m", "d", "y")),
    (r"(\d{4})-(\d{1,2})-(\d{1,2})", ("y", "m", "d")),
    (r"(\d{4})/(\d{1,2})/(\d{1,2})", ("y", "m", "d")),
    (r"(\d{4})(\d{2})(\d{2})", ("y", "m", "d")),
    (rf"(\d{{1,2}})[- ]{_MONTH}[- ](\d{{4}}|\d{{2}})", ("d", "m", "y")),
    (rf"{_MONTH}\.? (\d{{1,2}}),? (\d{{4}})", ("m", "d", "y")),
)
# A database or a spreadsheet adds a time to a date: midnight.
_MIDNIGHT: Final = r"[ t](0{1,2}:00(:00(\.0+)?)?|12:00(:00(\.0+)?)?(?: )?am)( ?(z|[+-]\d{2}:?\d{2}))?$"
_PARTS: Final = " ".join(
    f"WHEN regexp_full_match(written, '{form}') THEN regexp_extract(written, '^{form}$', {list(parts)})"
    for form, parts in _DATE_FORMS
)

# A two-digit year is in this century, or in the last one if it would be after $latest.
_DATE: Final = f"""
    SELECT value, CASE
        WHEN value = '' THEN ''
        WHEN year(day) NOT BETWEEN 1900 AND 2100 THEN NULL
        WHEN length(parts.y) = 2 AND day > $latest THEN strftime(day - INTERVAL 100 YEAR, $form)
        ELSE strftime(day, $form)
    END AS meaning
    FROM (
        SELECT value, parts, try_cast(format('{{}}{{}}-{{}}-{{}}', if(length(parts.y) = 2, '20', ''), parts.y,
            coalesce(nullif(list_position({list(_MONTHS)}, parts.m[1:3]), 0)::VARCHAR, parts.m), parts.d) AS DATE) AS day
        FROM (
            SELECT value, CASE {_PARTS} END AS parts
            FROM (SELECT value, regexp_replace(lower(value), '{_MIDNIGHT}', '') AS written FROM found)
        )
    )
"""


def build(tables: Tables, rules: Rules) -> None:
    """Make the table of every reading, and report unknown values."""
    connection = tables.connection
    _gather(tables)
    for vocabulary in VOCABULARIES:
        _build_words(connection, vocabulary, rules)
    _build(connection, "phone", _PHONE)
    _build(connection, "birth_date", _DATE, {"form": "%-m/%-d/%Y", "latest": rules.today})
    _build(connection, "term_date", _DATE, {"form": "%Y-%m-%d", "latest": _FOREVER})
    for reading in _with_unknown(connection):
        for source in READ[reading]:
            if reading not in _SILENT and tables.has(source.file, source.column):
                _report(connection, reading, source)
    _find_same_grade(connection, rules)
    forms.report(tables)


def depend_on_day(connection: DuckDBPyConnection) -> bool:
    """Whether a date of birth may have a year of two digits, whose century depends on the day."""
    ((count,),) = connection.execute(
        "SELECT count(*) FROM meaning_birth_date WHERE value <> '' AND NOT regexp_matches(value, '[0-9]{4}')"
    ).fetchall()
    return bool(count)


def _gather(tables: Tables) -> None:
    """Create `found_values`: the distinct values of all columns with readings, in one pass over each table of
    rows.

    `loose_values` has the loose spelling of the values that need it, because a character class is slow to
    prepare.
    """
    columns: dict[str, list[str]] = {}
    for source in dict.fromkeys(source for sources in READ.values() for source in sources):
        if tables.has(source.file, source.column) and source.column not in columns.setdefault(
            source.rows, []
        ):
            columns[source.rows].append(source.column)
    tables.connection.execute("CREATE TEMP TABLE found_values (place VARCHAR, value VARCHAR)")
    for rows, names in columns.items():
        listed, sets = ", ".join(names), ", ".join(f"({name})" for name in names)
        # The engine sets a bit for each column that a row does not represent; the first column's bit is the
        # highest.
        places = " ".join(
            f"WHEN {(1 << len(names)) - 1 - (1 << place)} THEN '{rows}.{name}'"
            for place, name in enumerate(reversed(names))
        )
        tables.connection.execute(
            f"""
            INSERT INTO found_values
            FROM (
                SELECT CASE grouping({listed}) {places} END AS place, coalesce({listed}) AS value
                FROM {rows} GROUP BY GROUPING SETS ({sets})
            ) WHERE value IS NOT NULL
            """
        )
    loose = (source for vocabulary in VOCABULARIES if vocabulary.is_loose for source in READ[vocabulary.name])
    tables.connection.execute(
        f"""
        CREATE TEMP TABLE loose_values AS
        SELECT value, {_LOOSE} AS spelled FROM (SELECT DISTINCT value FROM found_values WHERE place IN ({_places(loose)}))
        """
    )


def _places(sources: Iterable[Source]) -> str:
    return ", ".join(f"'{source.rows}.{source.column}'" for source in sources)


def _with_unknown(connection: DuckDBPyConnection) -> list[str]:
    """The readings with unknown values, in the order in which to report them."""
    found = connection.execute(
        " UNION ALL ".join(
            f"SELECT '{reading}' FROM meaning_{reading} HAVING NOT bool_and(is_known)" for reading in READ
        )
    ).fetchall()
    return sorted((reading for (reading,) in found), key=list(READ).index)


def _build_words(connection: DuckDBPyConnection, vocabulary: Vocabulary, rules: Rules) -> None:
    """A value means what its word means, else what the first matching pattern says."""
    words = vocabulary.words
    if vocabulary.name in _GRADES and rules.lenient_grades:
        words = {**words, **PADDED_GRADES}
    if vocabulary.name == "grade_range":
        words = {**grade_ranges(words), **words}
    spelled = (
        _RANGE if vocabulary.name == "grade_range" else "spelled" if vocabulary.is_loose else "lower({})"
    )
    spell = _spell_loose if vocabulary.is_loose else str.lower
    own = "word" if vocabulary.name != "grade_range" else spelled.format("word")
    parameters: dict[str, object] = {
        "words": list(map(spell, words)),
        "means": list(words.values()),
        "blank": vocabulary.blank,
    }
    cases = []
    for number, (pattern, meaning) in enumerate(vocabulary.patterns):
        cases.append(f"WHEN regexp_matches(lower(value), $pattern{number}) THEN $meaning{number}")
        parameters |= {f"pattern{number}": pattern, f"meaning{number}": meaning}
    matched = f"CASE {' '.join(cases)} END" if cases else "NULL"
    query = f"""
        SELECT value, CASE WHEN value = '' THEN $blank ELSE coalesce(means, {matched}) END AS meaning
        FROM {"found JOIN loose_values USING (value)" if vocabulary.is_loose else "found"}
        LEFT JOIN (
            SELECT DISTINCT {own} AS word, means
            FROM (SELECT unnest($words) AS word, unnest($means) AS means)
        ) ON word = {spelled.format("value")}
    """
    _build(connection, vocabulary.name, query, parameters, otherwise=vocabulary.otherwise)


def _spell_loose(word: str) -> str:
    """The loose spelling of a word, as `_LOOSE` makes it."""
    return re.sub(r"[\W_]+", " ", word.lower()).strip()


def _build(
    connection: DuckDBPyConnection,
    reading: str,
    query: str,
    parameters: Mapping[str, object] | None = None,
    *,
    otherwise: str = "",
) -> None:
    """Run `query` over the distinct values `found`.

    If it gives NULL, the value is unknown and means `otherwise`.
    """
    connection.execute(
        f"""
        CREATE TABLE meaning_{reading} AS
        WITH found AS (SELECT DISTINCT value FROM found_values WHERE place IN ({_places(READ[reading])}))
        SELECT value, coalesce(meaning, $otherwise) AS meaning, meaning IS NOT NULL AS is_known FROM ({query})
        """,
        {"otherwise": otherwise, **(parameters or {})},
    )


def _report(connection: DuckDBPyConnection, reading: str, source: Source) -> None:
    """Report the unknown values: row by row, each different value once, or all in one line."""
    vocabulary = _VOCABULARY.get(reading)
    report = vocabulary.report if vocabulary else "rows"
    problem = OtherWords if report == "count" else _PROBLEMS.get(reading, UnknownValue)
    expected = (
        VALUE[reading].expected
        if vocabulary is None or report != "count"
        else vocabulary.otherwise or "no value"
    )
    place, value, group = _REPORTED[report]
    connection.execute(
        f"""
        INSERT INTO problems
        SELECT ?, ?, {place}, ?, left({value}, {VALUE_CHARACTERS_MAX}), ?
        FROM {source.rows} JOIN (SELECT value FROM meaning_{reading} WHERE NOT is_known) ON value = {source.column}
        {group}
        """,
        [problem.code, source.file, source.header, expected],
    )


def _find_same_grade(connection: DuckDBPyConnection, rules: Rules) -> None:
    """Make `same_grade(grade)`: one row if every section has the same own grade, which then has no meaning
    (documented)."""
    connection.execute(
        """
        CREATE TABLE same_grade AS
        SELECT any_value(grade) AS grade, min("row") AS "row", count(*) AS sections
        FROM (SELECT "row", coalesce(meaning, '') AS grade FROM kept_sections LEFT JOIN meaning_grade_range ON value = grade)
        HAVING min(grade) = max(grade) AND min(grade) NOT IN ('', 'Other')
        """
    )
    if not rules.majority_grades:
        connection.execute(
            f"""
            INSERT INTO problems
            SELECT '{SameGrade.code}', 'sections.csv', "row", 'Grade', sections::VARCHAR, grade FROM same_grade
            """
        )


_VOCABULARY: Final = {vocabulary.name: vocabulary for vocabulary in VOCABULARIES}
_PROBLEMS: Final[dict[str, type[Problem]]] = {"phone": BadPhone, "birth_date": BadDate, "term_date": BadDate}
# The row that a report names, its value, and how rows are grouped.
_REPORTED: Final[dict[Report, tuple[str, str, str]]] = {
    "rows": ('"row"', "value", ""),
    "values": ('min("row")', "value", "GROUP BY value"),
    "count": ('min("row")', "count(*)::VARCHAR", "HAVING count(*) > 0"),
}
