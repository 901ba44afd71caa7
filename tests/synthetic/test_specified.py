"""A generated district follows the file specification: its columns, the spelling of its words, its forms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever import checks
from rollbook.roster.intake.csv import files
from tests.contract import facts
from tests.contract.test_columns import LATER_COLUMNS, LATER_FILES
from tests.synthetic.written import Rows, written

FORMS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "phone": r"\d{10,11}",
    "birth_date": r"\d{2}/\d{2}/\d{4}",
    "term_date": r"\d{2}/\d{2}/\d{4}",
    "state": "[A-Z]{2}",
    "zip": r"\d{5}",
    # Any words are allowed.
    "relationship": ".+",
    "contact_type": ".+",
}


def test_columns_are_those_of_the_specification_and_of_help_articles(first_day: dict[str, Rows]) -> None:
    known = {(fact.file, fact.header) for fact in facts.columns()} | LATER_COLUMNS
    for file, rows in first_day.items():
        if file not in LATER_FILES:
            assert {(file, header) for header in rows[0] if not header.startswith("ext.")} <= known
    assert "Middle_name" not in first_day["staff.csv"][0]


@pytest.mark.parametrize("day", ["first_day", "any_day"])
def test_words_and_forms_are_those_of_the_specification(day: str, request: pytest.FixtureRequest) -> None:
    district: dict[str, Rows] = request.getfixturevalue(day)
    accepted: dict[str, set[str]] = {}
    for word in facts.words():
        if word.kind == "accepted":
            accepted.setdefault(word.values, set()).add(word.word)
    for column in facts.columns():
        cells = {row.get(column.header, "") for row in district.get(column.file, [])} - {""}
        if column.values in FORMS:
            assert [cell for cell in cells if not re.fullmatch(FORMS[column.values], cell)] == []
        elif column.values:
            assert cells <= accepted[column.values], column.header


def test_a_sync_reports_nothing_about_a_district_without_problems(tmp_path: Path) -> None:
    written(tmp_path, students=400)
    with files.open_all(tmp_path, memory_limit="256MB") as tables:
        assert list(checks.check(tables, Rules())) == []


def test_each_school_has_a_national_id_of_no_state(
    first_day: dict[str, Rows], any_day: dict[str, Rows]
) -> None:
    ids = [row["Nces_id"] for row in first_day["schools.csv"]]
    assert len({*ids}) == len(ids)
    assert all(re.fullmatch(r"99\d{10}", each) for each in ids)
    assert {row["School_id"]: row["Nces_id"] for row in any_day["schools.csv"]}.keys() >= {"0001", "0002"}
