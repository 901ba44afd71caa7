"""Nights by a clock of the test's own: each accident happens once, and each morning is right."""

from __future__ import annotations

import pytest

from bench import soak


@pytest.mark.needs("faketime", package="faketime")
def test_three_nights_of_three_districts_with_every_accident_are_right() -> None:
    assert soak.run(3, 3) == []


def test_every_accident_happens_and_the_server_stays_in_the_end() -> None:
    found = [*soak.accidents(10)]
    assert set(found[:3]) == {soak.KILL_JOB, soak.KILL_ALL, soak.RESTART}
    assert set(found[5:]) == {soak.KILL_JOB}
