"""Find the API's word for each value of the kept rows.

Phones, dates and words get a small table each, made from distinct values only.

`normalize` joins `meanings(READING)`, which also says which values to report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

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
# The tables of meanings: (reading, value, meaning, is_known).
_WORDS, _PHONES, _DATES = "word_meanings", "phone_meanings", "date_meanings"

# The spelling in which a value is looked up: letters and digits alone, or a range with one dash between its
# ends.
_LOOSE: Final = r"trim(regexp_replace(lower(value), '[^\pL\pN]+', ' ', 'g'))"
_BETWEEN: Final = r"\s*(-|‐|‑|‒|–|—|―|−|\bto\b|\bthrough\b|\bthru\b)\s*"
_RANGE: Final = f"regexp_replace(lower(value), '{_BETWEEN}', '-', 'g')"

# A letter, # or ; means an extension or a second number. Eleven digits that do not begin with 1 have no form
# in the API and stay digits.
_PHONE: Final = r"""
    SELECT reading, value, CASE
        WHEN value = '' THEN ''
        WHEN regexp_matches(value, '[\p{L}#;]') THEN NULL
        WHEN length(digits) = 10 THEN format('({}) {}-{}', digits[1:3], digits[4:6], digits[7:10])
        WHEN length(digits) = 11 AND digits[1] = '1' THEN format('1-({}) {}-{}', digits[2:4], digits[5:7], digits[8:11])
        WHEN length(digits) = 11 THEN digits
    END AS meaning
    FROM (SELECT reading, value, regexp_replace(value, '[^0-9]', '', 'g') AS digits FROM found)
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

# A two-digit year is in this century, or in the last one if it would be after the latest day of its reading.
_DATE: Final = f"""
    SELECT reading, value, CASE
        WHEN value = '' THEN ''
        WHEN year(day) NOT BETWEEN 1900 AND 2100 THEN NULL
        WHEN reading = 'birth_date' THEN strftime(in_century, '%-m/%-d/%Y')
        ELSE strftime(in_century, '%Y-%m-%d')
    END AS meaning
    FROM (
        SELECT *, if(length(parts.y) = 2 AND day > if(reading = 'birth_date', $today, DATE '{_FOREVER}'),
            day - INTERVAL 100 YEAR, day) AS in_century
        FROM (
            SELECT reading, value, parts, try_cast(format('{{}}{{}}-{{}}-{{}}', if(length(parts.y) = 2, '20', ''), parts.y,
                coalesce(nullif(list_position({list(_MONTHS)}, parts.m[1:3]), 0)::VARCHAR, parts.m), parts.d) AS DATE) AS day
            FROM (
                SELECT reading, value, CASE {_PARTS} END AS parts
                FROM (SELECT reading, value, regexp_replace(lower(value), '{_MIDNIGHT}', '') AS written FROM found)
            )
        )
    )
"""


def build(tables: Tables, rules: Rules) -> None:
    """Make the table of every reading, and report unknown values."""
    connection = tables.connection
    _gather(tables)
    _build_words(connection, rules)
    _build(connection, _PHONES, ("phone",), _PHONE)
    _build(connection, _DATES, ("birth_date", "term_date"), _DATE, {"today": rules.today})
    for reading in _with_unknown(connection):
        for source in READ[reading]:
            if reading not in _SILENT and tables.has(source.file, source.column):
                _report(connection, reading, source)
    _find_same_grade(connection, rules)
    forms.report(tables)


def meanings(reading: str) -> str:
    """SQL for the values of a reading, what they mean, and whether that is known: value, meaning, is_known."""
    table = {"phone": _PHONES, "birth_date": _DATES, "term_date": _DATES}.get(reading, _WORDS)
    return f"(SELECT value, meaning, is_known FROM {table} WHERE reading = '{reading}')"


def depend_on_day(connection: DuckDBPyConnection) -> bool:
    """Whether a date of birth may have a year of two digits, whose century depends on the day."""
    ((count,),) = connection.execute(
        f"SELECT count(*) FROM {meanings('birth_date')} WHERE value <> '' AND NOT regexp_matches(value, '[0-9]{{4}}')"
    ).fetchall()
    return bool(count)


def _gather(tables: Tables) -> None:
    """Create `found_values`: the distinct values of all columns with readings, in one pass over each table of
    rows."""
    columns: dict[str, list[str]] = {}
    for source in dict.fromkeys(source for sources in READ.values() for source in sources):
        if tables.has(source.file, source.column) and source.column not in columns.setdefault(
            source.rows, []
        ):
            columns[source.rows].append(source.column)
    tables.connection.execute("CREATE TEMP TABLE found_values (place VARCHAR, value VARCHAR)")
    for rows, names in columns.items():
        numbers, places = list(range(1, len(names) + 1)), [f"{rows}.{name}" for name in names]
        tables.connection.execute(
            f"""
            INSERT INTO found_values
            SELECT {places}[number], value FROM (
                SELECT DISTINCT number, value
                FROM (SELECT unnest({numbers}) AS number, unnest([{", ".join(names)}]) AS value FROM {rows})
                WHERE value IS NOT NULL
            )
            """
        )


def _with_unknown(connection: DuckDBPyConnection) -> list[str]:
    """The readings with unknown values, in the order in which to report them."""
    found = connection.execute(
        " UNION ALL ".join(
            f"SELECT DISTINCT reading FROM {table} WHERE NOT is_known" for table in (_WORDS, _PHONES, _DATES)
        )
    ).fetchall()
    return sorted((reading for (reading,) in found), key=list(READ).index)


def _build_words(connection: DuckDBPyConnection, rules: Rules) -> None:
    """A value means what its word means, else what the first matching pattern of its vocabulary says.

    One statement for all vocabularies: preparing one for each costs more than running it.
    """
    places = ", ".join(f"'{source.rows}.{source.column}'" for source in READ["grade_range"])
    has_ranges = connection.execute(
        f"""
        SELECT count(*) > 0 FROM found_values
        WHERE place IN ({places}) AND regexp_matches(lower(value), '{_BETWEEN}')
        """
    ).fetchall()[0][0]
    words = [
        (vocabulary.name, word, meaning)
        for vocabulary in VOCABULARIES
        for word, meaning in _spelled(vocabulary, rules, has_ranges=has_ranges)
    ]
    parameters: dict[str, object] = {
        name: list(column)
        for name, column in zip(("of_word", "words", "means"), zip(*words, strict=True), strict=True)
    }
    cases = []
    patterns = ((vocabulary.name, *pattern) for vocabulary in VOCABULARIES for pattern in vocabulary.patterns)
    for number, (name, pattern, meaning) in enumerate(patterns):
        cases.append(
            f"WHEN reading = '{name}' AND regexp_matches(lower(value), $pattern{number}) THEN $meaning{number}"
        )
        parameters |= {f"pattern{number}": pattern, f"meaning{number}": meaning}
    loose = ", ".join(f"'{vocabulary.name}'" for vocabulary in VOCABULARIES if vocabulary.is_loose)
    query = f"""
        SELECT reading, value, CASE WHEN value = '' THEN {_case("blank")} ELSE coalesce(means, CASE {" ".join(cases)} END) END
            AS meaning
        FROM (
            SELECT *, CASE WHEN reading IN ({loose}) THEN {_LOOSE} WHEN reading = 'grade_range' THEN {_RANGE} ELSE lower(value)
                END AS word FROM found
        )
        LEFT JOIN (
            SELECT DISTINCT unnest($of_word) AS reading, unnest($words) AS word, unnest($means) AS means
        ) USING (reading, word)
    """
    names = tuple(vocabulary.name for vocabulary in VOCABULARIES)
    _build(connection, _WORDS, names, query, parameters, otherwise=_case("otherwise"))


def _case(attribute: Literal["blank", "otherwise"]) -> str:
    """SQL for what a value of a vocabulary means if it is blank or unknown; '' unless its row says more."""
    said = {vocabulary.name: getattr(vocabulary, attribute) for vocabulary in VOCABULARIES}
    cases = " ".join(f"WHEN '{name}' THEN '{meaning}'" for name, meaning in said.items() if meaning)
    return f"CASE reading {cases} ELSE '' END"


def _spelled(vocabulary: Vocabulary, rules: Rules, *, has_ranges: bool) -> Iterable[tuple[str, str]]:
    """The words of a vocabulary in the spelling in which values are looked up, and what they mean."""
    words = vocabulary.words
    if vocabulary.name in _GRADES and rules.lenient_grades:
        words = {**words, **PADDED_GRADES}
    if vocabulary.name == "grade_range":
        words = {**(grade_ranges(words) if has_ranges else {}), **words}
        return {(re.sub(_BETWEEN, "-", word.lower()), meaning) for word, meaning in words.items()}
    spell = _spell_loose if vocabulary.is_loose else str.lower
    return {(spell(word), meaning) for word, meaning in words.items()}


def _spell_loose(word: str) -> str:
    """The loose spelling of a word, as `_LOOSE` makes it."""
    return re.sub(r"[\W_]+", " ", word.lower()).strip()


def _build(
    connection: DuckDBPyConnection,
    table: str,
    readings: tuple[str, ...],
    query: str,
    parameters: Mapping[str, object] | None = None,
    *,
    otherwise: str = "''",
) -> None:
    """Run `query` over the distinct values `found` of some readings (reading, value), into one table.

    If it gives NULL, the value is unknown and means `otherwise`.
    """
    places = [(f"{source.rows}.{source.column}", reading) for reading in readings for source in READ[reading]]
    listed = ", ".join(f"('{place}', '{reading}')" for place, reading in places)
    connection.execute(
        f"""
        CREATE TABLE {table} AS
        WITH found AS (
            SELECT DISTINCT reading, value FROM found_values JOIN (VALUES {listed}) AS places(place, reading) USING (place)
        )
        SELECT reading, value, coalesce(meaning, {otherwise}) AS meaning, meaning IS NOT NULL AS is_known FROM ({query})
        """,
        dict(parameters or {}),
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
        FROM {source.rows} JOIN (SELECT value FROM {meanings(reading)} WHERE NOT is_known) ON value = {source.column}
        {group}
        """,
        [problem.code, source.file, source.header, expected],
    )


def _find_same_grade(connection: DuckDBPyConnection, rules: Rules) -> None:
    """Make `same_grade(grade)`: one row if every section has the same own grade, which then has no meaning
    (documented)."""
    connection.execute(
        f"""
        CREATE TABLE same_grade AS
        SELECT any_value(grade) AS grade, min("row") AS "row", count(*) AS sections
        FROM (
            SELECT "row", coalesce(meaning, '') AS grade FROM kept_sections LEFT JOIN {meanings("grade_range")} ON value = grade
        )
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
