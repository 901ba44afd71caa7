"""What the role of a person in the console lets them do."""

from __future__ import annotations

import pytest

from rollbook.domain.actors import DISTRICT, HELP_DESK, OPERATOR, Actor


@pytest.mark.parametrize(
    ("actor", "here", "elsewhere", "server"),
    [
        (Actor("Olu", OPERATOR), True, True, True),
        (Actor("Dee", DISTRICT, 1), True, False, False),
        (Actor("Dee without a district", DISTRICT), False, False, False),
        (Actor("Hal", HELP_DESK, 1), False, False, False),
    ],
)
def test_a_person_acts_in_their_district_alone(
    actor: Actor, here: bool, elsewhere: bool, server: bool
) -> None:
    found = [actor.may("change sharing", district) for district in (1, 2, None)]
    assert found == [here, elsewhere, server]


def test_a_page_is_offered_to_a_person_who_may_do_something_on_it_somewhere() -> None:
    assert Actor("Hal", HELP_DESK, 1).may_somewhere("help people")
    assert not Actor("Hal", HELP_DESK, 1).may_somewhere("change sharing")
