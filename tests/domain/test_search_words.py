"""The words of a name, an id or an address, as they are stored and typed."""

from __future__ import annotations

import pytest

from rollbook.domain.search_words import CHARACTERS_MAX, WORDS_MAX, words


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Noether", "", "noether"], ["noether"]),
        (["S-101", "emmy@north.example"], ["s-101", "emmy@north.example"]),
        (["Jean-Luc O'Brien"], ["jean", "luc", "obrien"]),
        (["Room 12!"], ["room", "12"]),
        (["Đặng Łukasz Müller"], ["dang", "lukasz", "muller"]),
        (["Straße №7"], ["strasse", "no7"]),
        (["Эмми-7"], ["=" + "эмми-7".encode().hex()]),
        (["王 · 李"], ["=" + "王".encode().hex(), "=" + "李".encode().hex()]),
        (["a" * 100], ["a" * CHARACTERS_MAX]),
    ],
)
def test_letter_case_accents_and_marks_do_not_count(texts: list[str], expected: list[str]) -> None:
    assert words(texts) == expected


def test_the_first_words_of_a_long_text_count() -> None:
    assert len(words([" ".join(f"w{number}" for number in range(100))])) == WORDS_MAX
