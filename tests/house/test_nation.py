"""The arithmetic for a nation uses figures that the benchmarks measured, and multiplies them rightly."""

from __future__ import annotations

import re

from tests.house.sources import ROOT

PAGE = (ROOT / "docs" / "guide" / "nation.md").read_text("utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
LOGINS = 50_000_000 / 3_600


def _cell(row: str, column: int = -1) -> float:
    """A number of the row that begins with a text."""
    cells = re.findall(rf"^\| {re.escape(row)}.*$", PAGE, re.MULTILINE)[0].strip("| ").split("|")
    return float(re.sub(r"[^\d.]", "", cells[column]))


def test_each_measured_figure_is_in_the_benchmarks() -> None:
    table = PAGE.partition("## What was measured")[2].partition("\n## ")[0]
    figures = re.findall(r"^\| .* \| ([\d.,]+) \|", table, re.MULTILINE)
    assert len(figures) == 9
    assert [figure for figure in figures if figure not in BENCHMARKS] == []


def test_the_products_are_right() -> None:
    login = 2 / 2_495 + 1 / 1_128 + 2 / 8_946
    hashed = 0.024
    right = {
        "together |": 1000 * login,
        "all people sign in": 2 * login * LOGINS,
        "a tenth of them types": 2 * login * LOGINS + hashed * LOGINS / 10,
        "all of them type": (2 * login + hashed) * LOGINS,
        "all districts": 13_000 * 2.0 / 3_600,
        "the same students": 50 * 103 / 3_600,
        "disk, one view": 50 * 3.2,
        "a full pull of 125 million": 125_000_000 / 960_199,
        "full pulls by 1,000": 1_000 * 130 / 3_600,
        "catch-ups by events": 36 * 0.016,
    }
    wrong = {
        row: (value, _cell(row)) for row, value in right.items() if abs(_cell(row) - value) > 0.02 * value
    }
    assert wrong == {}
    for row, share in (("the average of fifty", 1 / 50), ("one with an eighth", 1 / 8)):
        logins = LOGINS * share
        expected = (50_000_000 * share, logins, 2 * login * logins + hashed * logins / 10, 3 * logins)
        found = [_cell(row, column) for column in (1, 2, 3, 4)]
        assert all(abs(a - b) <= 0.03 * b for a, b in zip(found, expected, strict=True)), (found, expected)
