"""What can happen next: stories, and steps of the calendar."""

from __future__ import annotations

import pytest

from rollbook.errors import BadSetting
from rollbook.synthetic import days
from rollbook.synthetic.scenarios import SCENARIOS
from rollbook.synthetic.stories import HAPPENINGS, STORIES, story


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_a_title_and_sentences_and_goes_forward(name: str) -> None:
    told = story(name)
    assert told.title
    assert told.description.endswith(".")
    day = 30
    for night in told.nights:
        assert (day := night.day_after(day)) > 30


def test_every_scenario_is_in_a_story() -> None:
    used = {
        name for told in HAPPENINGS.values() for night in told.nights for name in (*night.begins, *night.only)
    }
    assert used == {*SCENARIOS}


@pytest.mark.parametrize(("name", "day"), [("1", 31), ("365", 395), ("0012", 42)])
def test_a_number_is_a_story_of_so_many_days(name: str, day: int) -> None:
    assert [night.day_after(30) for night in story(name).nights] == [day]


@pytest.mark.parametrize("name", ["", "0", "-1", "1.5", "\u0661", "tomorrow"])
def test_a_story_that_is_not_there_is_refused_with_the_names_of_those_there_are(name: str) -> None:
    with pytest.raises(BadSetting, match="number of days, or one of term, rollover"):
        story(name)


def test_the_person_who_comes_back_was_away_for_exactly_so_long() -> None:
    for many in (299, 301):
        gone, back = story(f"back-after-{many}-days").nights
        assert back.day_after(gone.day_after(30)) - gone.day_after(30) == many


@pytest.mark.parametrize("start", [0, 3, 146, 200, 364, 365, 500, 1460])
def test_a_term_begins_where_sections_change(start: int) -> None:
    found = days.next_term(start)
    assert found > start
    before, after = days.today(found - 1), days.today(found)
    assert after.step % days.STEPS_PER_QUARTER == 0
    assert before != after
    assert days.term(4, before) != days.term(4, after)


@pytest.mark.parametrize(("start", "found"), [(0, 365), (364, 365), (365, 730)])
def test_a_school_year_begins_every_365_days(start: int, found: int) -> None:
    assert days.next_year(start) == found
    assert days.date_of(365).isoformat() == "2027-08-17"
