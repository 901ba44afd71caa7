"""Words for nothing, by the SQL of every rule: a fast test runs before the exact one, and must pass every
such word."""

from __future__ import annotations

import duckdb
import pytest

from rollbook.roster.words_for_nothing import is_nothing

WORDS = [
    *(
        "NULL",
        "null null",
        "(none)",
        "N/A",
        "n.a.",
        "na",
        "n·a",
        "not on file",
        "Not_Set",
        "no e-mail",
        "No Email",
        "no phone",
    ),
    *(
        "-",
        "—",
        "...",
        "\u00a0",
        "🙂",
        "none – tbd",
        "<blank>",
        "TBA!",
        "UNKNOWN, unknown",
        "#REF!",
        "#div/0!",
        "#N/A",
        "nİl",
    ),
]
OTHERS = [
    *(
        "",
        "0",
        "1",
        "Anna",
        "Nona",
        "Noah",
        "nan1",
        "null@x.org",
        "é",
        "三",
        "Ⅷ",
        "null 三",
        "no",
        "not",
        "id",
        "e mail",
        "Naé",
    ),
    *("#REF", "ref!", "#REF!!", "data", "n a b", "nothings", "No One", "unſet", "Van Null", "null-0"),
]


@pytest.mark.parametrize(("cells", "expected"), [(WORDS, True), (OTHERS, False)], ids=["words", "others"])
def test_words_for_nothing_are_told_from_all_other_cells(cells: list[str], expected: bool) -> None:
    with duckdb.connect(":memory:") as engine:
        found = engine.execute(
            f"SELECT cell, {is_nothing('cell')} FROM (SELECT unnest(?) AS cell)", [cells]
        ).fetchall()
    assert [(cell, expected) for cell in cells] == found
