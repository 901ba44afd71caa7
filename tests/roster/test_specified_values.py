"""Every accepted value of the file specification, in every column that takes it, in any letter case, from
real files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rollbook.contract.clever.columns import columns_of
from tests.contract import facts
from tests.contract.facts import ColumnFact, Word
from tests.roster.world import Outcome, outcome

# Where the roster shows a column, if not under the column's name.
SHOWN = {
    "Hispanic_Latino": "hispanic_ethnicity",
    "Contact_phone_type": "phone_type",
    "Contact_relationship": "relationship",
    "Contact_type": "type",
}
IDS = {
    "schools.csv": "School_id",
    "students.csv": "Student_id",
    "sections.csv": "Section_id",
    "staff.csv": "Staff_id",
}
REQUIRED = {
    "schools.csv": {"School_name": "A", "School_number": "1"},
    "students.csv": {"School_id": "ash", "First_name": "A", "Last_name": "B"},
    "sections.csv": {"School_id": "ash", "Teacher_id": "lund", "Name": "Plain"},
    "staff.csv": {"School_id": "ash", "First_name": "A", "Last_name": "B"},
}
Case = tuple[ColumnFact, Word, str]


def _spellings(word: str) -> list[str]:
    return list(dict.fromkeys((word, word.lower(), word.upper(), word.title(), word.swapcase())))


CASES: list[Case] = [
    (column, word, spelling)
    for column in facts.columns()
    if column.file in IDS
    for word in facts.words()
    if word.values == column.values
    for spelling in _spellings(word.word)
]


def _rows(file: str) -> Iterator[tuple[str, dict[str, str]]]:
    """One row for each case of the file, by its id, with only that value."""
    for number, (column, _, spelling) in enumerate(CASES):
        if column.file == file:
            row = {**REQUIRED[file], IDS[file]: f"v{number}", column.header: spelling}
            if file == "staff.csv":
                row["Staff_email"] = f"v{number}@example.org"
            if column.header.startswith("Contact_"):
                row = {"Contact_type": "family", "Contact_name": "Pat", "Contact_sis_id": f"v{number}"} | row
            yield f"v{number}", row


def _text(file: str, more: str = "") -> str:
    headers = [column.header for column in columns_of(file)]
    lines = [",".join(headers)]
    if more:
        lines.append(
            ",".join(more if header == IDS[file] else REQUIRED[file].get(header, "") for header in headers)
        )
    lines += [",".join(f'"{row.get(header, "")}"' for header in headers) for _, row in _rows(file)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    sections = [key for key, _ in _rows("sections.csv")]
    return outcome(
        tmp_path_factory.mktemp("specified"),
        {
            "schools.csv": _text("schools.csv", more="ash"),
            "students.csv": _text("students.csv", more="amy"),
            "teachers.csv": "School_id,Teacher_id,First_name,Last_name\nash,lund,Lars,Lund\n",
            "sections.csv": _text("sections.csv"),
            "enrollments.csv": "School_id,Section_id,Student_id\n"
            + "".join(f"ash,{key},amy\n" for key in sections),
            "staff.csv": _text("staff.csv"),
        },
    )


def _shown(world: Outcome, column: ColumnFact) -> dict[Any, Any]:
    """What the roster shows in a column, by the key of the row's case."""
    name = SHOWN.get(column.header, column.header.lower())
    if column.header in ("Contact_relationship", "Contact_type"):
        return {row["student"]: row[name] for row in world.tables["contact_students"]}
    if column.header.startswith("Contact_"):
        return {row["sis_id"]: row[name] for row in world.tables["contacts"]}
    return world.column(column.file.removesuffix(".csv"), name)


@pytest.mark.parametrize(
    "column", list(dict.fromkeys(column for column, *_ in CASES)), ids=lambda column: column.header
)
def test_each_accepted_value_is_read_in_any_letter_case(column: ColumnFact, world: Outcome) -> None:
    shown = _shown(world, column)
    expected = {
        (f"v{number}", case[2]): case[1].shown for number, case in enumerate(CASES) if case[0] == column
    }
    assert expected == {(key, spelling): shown[key] for key, spelling in expected}


def test_no_accepted_value_is_reported(world: Outcome) -> None:
    # `Neighbor` stands for free words, which are counted in one line.
    spellings = len(_spellings("Neighbor"))
    assert [(found.code, found.column, found.value) for found in world.problems] == [
        ("other-words", "Contact_relationship", str(spellings))
    ]


def test_every_kind_of_words_is_tried() -> None:
    assert {word.values for word in facts.words()} == {column.values for column, *_ in CASES}
