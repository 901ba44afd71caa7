"""Properties of normalisation: results are in the enums of the wire, it is idempotent, and the order of rows
is irrelevant."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.contract.clever.fields import (
    CONTACT_TYPES,
    DISABILITIES,
    DOB,
    FRL,
    GENDERS,
    GRADES,
    LANGUAGES,
    PHONE_TYPES,
    RACES,
    RELATIONSHIPS,
    SUBJECTS,
    YES_NO,
)
from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever.vocabulary import VOCABULARIES
from tests.roster.world import Outcome, outcome

QUICK = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TODAY = date(2026, 3, 1)

# Column of students.csv, table and column of the roster, and the allowed values.
READINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "Grade": ("students", "grade", GRADES),
    "Gender": ("students", "gender", GENDERS),
    "Race": ("students", "race", RACES),
    "Hispanic_Latino": ("students", "hispanic_ethnicity", YES_NO),
    "Ell_status": ("students", "ell_status", YES_NO),
    "IEP_status": ("students", "iep_status", YES_NO),
    "Frl_status": ("students", "frl_status", (*FRL, "Other")),
    "Home_language": ("students", "home_language", (*(language.name for language in LANGUAGES), "")),
    "Disability_code": ("students", "disability_code", (*DISABILITIES, "")),
    "Disability_type": ("students", "disability_type", (*DISABILITIES.values(), "")),
    "Contact_phone_type": ("contacts", "phone_type", PHONE_TYPES),
    "Contact_relationship": ("contact_students", "relationship", RELATIONSHIPS),
}
WORDS = sorted(
    {word for vocabulary in VOCABULARIES for word in (*vocabulary.words, *vocabulary.words.values())}
)

words = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
phones = st.from_regex(re.compile(r"[-+0-9() .x]{0,16}", re.ASCII), fullmatch=True) | words
dates = (
    st.dates(date(1890, 1, 1), date(2120, 1, 1)).map(lambda day: f"{day.month}/{day.day}/{day.year}")
    | st.dates(date(1950, 1, 1), date(2049, 1, 1)).map(lambda day: day.strftime("%m/%d/%y"))
    | st.dates(date(1890, 1, 1), date(2120, 1, 1)).map(date.isoformat)
    | st.from_regex(re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{1,4}", re.ASCII), fullmatch=True)
    | words
)
people = st.lists(
    st.fixed_dictionaries({**dict.fromkeys(READINGS, words), "Contact_phone": phones, "DOB": dates}),
    min_size=1,
    max_size=20,
)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _read(folder: Path, written: list[dict[str, str]]) -> Outcome:
    headers = list(written[0])
    lines = [
        ",".join(
            ["School_id,Student_id,First_name,Last_name,Contact_name,Contact_type,Contact_sis_id", *headers]
        )
    ]
    for number, values in enumerate(written):
        cells = [
            "ash",
            f"s{number}",
            "A",
            "B",
            "Pat",
            "Primary",
            f"c{number}",
            *(values[header] for header in headers),
        ]
        lines.append(",".join(map(_cell, cells)))
    enrollments = "School_id,Section_id,Student_id\nash,algebra,s0\n"
    changes = {"students.csv": "\n".join(lines), "enrollments.csv": enrollments}
    return outcome(folder, changes, Rules(today=TODAY, problems_max=100_000))


def _shown(world: Outcome) -> list[dict[str, Any]]:
    """What the roster shows of each person, under the headers of the file."""
    contacts = {row["key"]: row for row in world.tables["contacts"]}
    edges = {row["student"]: row for row in world.tables["contact_students"]}
    shown = []
    for student in world.tables["students"]:
        edge = edges[student["key"]]
        rows = {"students": student, "contact_students": edge, "contacts": contacts[edge["contact"]]}
        values = {header: rows[table][column] for header, (table, column, _) in READINGS.items()}
        shown.append({**values, "Contact_phone": rows["contacts"]["phone"], "DOB": student["dob"]})
    return shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


@QUICK
@given(written=people)
def test_every_value_lands_in_what_the_wire_allows_and_means_itself_when_it_is_sent_back(
    written: list[dict[str, str]], folder: Path
) -> None:
    once = _shown(_read(folder, written))
    for sent, shown in zip(written, once, strict=True):
        assert [header for header, (_, _, allowed) in READINGS.items() if shown[header] not in allowed] == []
        # Eleven digits that do not begin with 1 have no form in the API: they stay digits.
        assert re.fullmatch(r"(1-)?\(\d{3}\) \d{3}-\d{4}|[02-9]\d{10}|", shown["Contact_phone"])
        assert not shown["DOB"] or re.fullmatch(DOB, shown["DOB"])
        if re.fullmatch(r"\s*[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}\s*", sent["DOB"]) and shown["DOB"]:
            assert datetime.strptime(shown["DOB"], "%m/%d/%Y").date() <= TODAY
    again = _read(folder, once)
    assert once == _shown(again)
    assert [problem for problem in again.problems if problem.file == "students.csv"] == []


# --- order of rows --------------------------------------------------------------------------------------------------------

FEW = 6
keys = st.integers(0, FEW - 1)
districts = st.fixed_dictionaries(
    {
        "home": st.lists(keys, min_size=FEW, max_size=FEW),
        "grades": st.lists(st.sampled_from(["1", "2", "K", "?", ""]), min_size=FEW, max_size=FEW),
        "sections": st.lists(
            st.tuples(keys, keys, st.sampled_from(["", "Art", "Math"]), st.sampled_from(["", "Y1"])),
            min_size=FEW,
            max_size=FEW,
        ),
        "seats": st.lists(st.tuples(keys, keys), min_size=1, max_size=30),
        "contacts": st.lists(st.tuples(keys, keys), max_size=10, unique=True),
        "shuffle": st.randoms(use_true_random=False),
    }
)


def _files(district: dict[str, Any], *, is_shuffled: bool) -> dict[str, str]:
    def text(headers: str, rows: list[str]) -> str:
        if is_shuffled:
            district["shuffle"].shuffle(rows)
        return "\n".join([headers, *rows])

    students = [
        f"h{home},s{n},A,B,{grade},,,"
        for n, (home, grade) in enumerate(zip(district["home"], district["grades"], strict=True))
    ]
    further = [
        f"h{district['home'][s]},s{s},A,B,{district['grades'][s]},Pat,Primary,c{c}"
        for s, c in district["contacts"]
    ]
    # The first row of a student has no contact only if no contact row comes before; both are the same
    # student.
    with_contact = {row.split(",")[1] for row in further}
    students = [row for row in students if row.split(",")[1] not in with_contact]
    return {
        "schools.csv": text("School_id,School_name,School_number", [f"h{n},H,{n}" for n in range(FEW)]),
        "teachers.csv": text(
            "School_id,Teacher_id,First_name,Last_name", [f"h{n},t{n},T,L{n}" for n in range(FEW)]
        ),
        "students.csv": text(
            "School_id,Student_id,First_name,Last_name,Grade,Contact_name,Contact_type,Contact_sis_id",
            students + further,
        ),
        "sections.csv": text(
            "School_id,Section_id,Teacher_id,Teacher_2_id,Course_name,Term_name",
            [
                f"h{home},x{n},t{t},t{(t + n) % FEW},{course},{term}"
                for n, (home, t, course, term) in enumerate(district["sections"])
            ],
        ),
        "enrollments.csv": text(
            "School_id,Section_id,Student_id",
            [f"h{district['sections'][x][0]},x{x},s{s}" for x, s in district["seats"]],
        ),
    }


def _without_order(world: Outcome) -> dict[str, list[str]]:
    hidden = {"row"}
    return {
        table: sorted(
            str(
                {
                    c: v
                    for c, v in row.items()
                    if c not in hidden and not (table == "contact_students" and c == "position")
                }
            )
            for row in rows
        )
        for table, rows in world.tables.items()
    }


@QUICK
@given(district=districts)
def test_the_order_of_rows_changes_nothing_but_the_order(district: dict[str, Any], folder: Path) -> None:
    one = outcome(folder, _files(district, is_shuffled=False))
    other = outcome(folder, _files(district, is_shuffled=True))
    assert _without_order(one) == _without_order(other)
    assert one.errors == other.errors
    _assert_is_consistent(other)


def _assert_is_consistent(world: Outcome) -> None:
    """Sections, schools and lists agree with one another."""
    tables = world.tables
    people = {
        (role, row["key"]): row["school"] for role in ("student", "teacher") for row in tables[f"{role}s"]
    }
    schools = {(row["role"], row["key"], row["school"]) for row in tables["user_schools"]}
    assert all((role, key, school) in schools for (role, key), school in people.items())
    seats = {row["section"] for row in tables["enrollments"]}
    assert seats == {row["key"] for row in tables["sections"]}
    assert {row["term"] for row in tables["sections"]} - {None} == {row["key"] for row in tables["terms"]}
    assert {row["course"] for row in tables["sections"]} - {None} == {row["key"] for row in tables["courses"]}
    assert all(row["subject"] in SUBJECTS and row["name"] for row in tables["sections"])
    assert {(row["section"], 0) for row in tables["section_teachers"]} >= {(section, 0) for section in seats}
    assert all(CONTACT_TYPES.index(row["type"]) >= 0 for row in tables["contact_students"])
