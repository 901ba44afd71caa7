"""Names can be written in an address, and no list is empty."""

from __future__ import annotations

import re

import pytest

from rollbook.synthetic.chance import base36, key, mix, scrambled
from rollbook.synthetic.names import Culture, cultures, latin, wheel
from rollbook.synthetic.places import SCHOOL_NAMES, SIDES, school_name


@pytest.mark.parametrize("culture", cultures(), ids=lambda culture: culture.code)
def test_every_name_can_be_written_in_an_address(culture: Culture) -> None:
    for names in (culture.girls, culture.boys, culture.surnames):
        assert len(names) > 5
        assert len({name.text for name in names}) == len(names)
        assert all(re.fullmatch("[a-z]+", name.latin) for name in names)


def test_the_wheel_has_each_culture_as_often_as_it_says() -> None:
    assert len(wheel()) == 128
    assert {culture.code: culture.slots for culture in cultures()} == {
        culture.code: wheel().count(culture) for culture in cultures()
    }


@pytest.mark.parametrize(
    ("text", "spelled"), [("Łucja", "lucja"), ("O'Neill", "oneill"), ("Großmann", "grossmann"), ("Đỗ", "do")]
)
def test_accents_are_taken_off(text: str, spelled: str) -> None:
    assert latin(text) == spelled


def test_no_two_schools_of_a_level_have_one_name() -> None:
    count = 3 * len(SCHOOL_NAMES) * len(SIDES)
    assert len({school_name(number, "School") for number in range(count)}) == count


def test_scrambled_ids_never_collide() -> None:
    assert sorted(scrambled(number, 1000, seed=-5) for number in range(1000)) == list(range(1000))


def test_keys_depend_on_every_number_and_on_their_order() -> None:
    assert len({key(), key(1), key(1, 0), key(0, 1), key(-1), key(1, 2), key(2, 1)}) == 7
    assert 0 <= mix(2**64 - 1) < 2**64


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (35, "z"), (36, "10")])
def test_base_36_has_digits_and_small_letters(number: int, text: str) -> None:
    assert base36(number) == text
