"""Which schools a district of a given size has, and which seats of each cohort belong to each school.

A cohort is all students who start kindergarten in one school year; cohort 0 starts on day 0. Its seats are
numbered. A seat belongs to one elementary, one middle and one high school, so a student's way through the
schools needs no memory. Thirteen consecutive cohorts, and some pre-kindergarteners, add up to exactly the
number of students asked for.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from typing import NamedTuple

from rollbook.errors import BadSetting
from rollbook.synthetic import chance, places
from rollbook.synthetic.courses import PREK

STUDENTS_MIN, STUDENTS_MAX = 50, 1_000_000
COHORTS = 13
PREK_SHARE = 0.022


class Level(NamedTuple):
    """A level of schools: their grades, their names, and their size in a small and a big district."""

    low: int
    high: int
    suffix: str
    size_small: int
    size_big: int
    growth: int
    """The usual size grows by one pupil for each so many pupils of the district."""


class School(NamedTuple):
    """One school: `number` in the district from 0, `place` in its level, and its seats from `first` up to
    `end`."""

    number: int
    level: int
    place: int
    low: int
    high: int
    first: int
    end: int
    name: str
    periods: int


class Layout(NamedTuple):
    """The plan of a whole district, the same on every day."""

    students: int
    seed: int
    seats: int
    """Seats of the smaller cohorts; `wider` of any thirteen in a row have one more."""
    wider: int
    prek_seats: int
    schools: tuple[School, ...]
    levels: tuple[tuple[School, ...], ...]


SMALL_DISTRICT = (Level(PREK, 8, "School", 240, 480, 100), Level(9, 12, "High School", 500, 1600, 25))
FULL_DISTRICT = (
    Level(PREK, 5, "Elementary School", 230, 480, 100),
    Level(6, 8, "Middle School", 300, 850, 50),
    Level(9, 12, "High School", 500, 1600, 25),
)
SMALL_DISTRICT_MAX = 400


def layout(students: int, seed: int) -> Layout:
    """The schools and seats of the district of `students` and `seed`.

    Raises:
        BadSetting: fewer than 50 or more than 1,000,000 students.
    """
    if not STUDENTS_MIN <= students <= STUDENTS_MAX:
        raise BadSetting(f"students must be from {STUDENTS_MIN} to {STUDENTS_MAX}, not {students}")
    prek_seats = round(students * PREK_SHARE)
    seats, wider = divmod(students - prek_seats, COHORTS)
    levels = _levels(students, seed, seats, prek_seats)
    return Layout(
        students, seed, seats, wider, prek_seats, tuple(s for level in levels for s in level), levels
    )


def cohort_size(plan: Layout, cohort: int) -> int:
    """How many seats a cohort has."""
    return plan.seats + (cohort % COHORTS < plan.wider)


def seats_of(plan: Layout, school: School, grade: int, year: int) -> range:
    """The seats of a school's grade in a school year, in the cohort `year - grade`."""
    last = plan.prek_seats if grade == PREK else cohort_size(plan, year - grade)
    return range(school.first, max(school.first, min(school.end, last)))


def school_of(plan: Layout, seat: int, grade: int) -> School:
    """The school that a seat leads to in a grade."""
    for level in plan.levels:
        if level[0].high >= grade:
            return level[bisect_right(level, seat, key=lambda school: school.end)]
    raise ValueError(f"no school has grade {grade}")


def _levels(students: int, seed: int, seats: int, prek_seats: int) -> tuple[tuple[School, ...], ...]:
    levels: list[tuple[School, ...]] = []
    for number, level in enumerate(SMALL_DISTRICT if students < SMALL_DISTRICT_MAX else FULL_DISTRICT):
        index = sum(map(len, levels))
        rng = random.Random(chance.key(seed, 11, number))
        levels.append(tuple(_schools(students, rng, number, level, index, seats, prek_seats)))
    return tuple(levels)


def _schools(
    students: int, rng: random.Random, number: int, level: Level, index: int, seats: int, prek_seats: int
) -> list[School]:
    usual = min(level.size_big, level.size_small + students // level.growth)
    pupils = (level.high - max(level.low, 0) + 1) * seats
    ends = _ends(rng, max(1, round(pupils / usual)), seats)
    named = int(rng.random() * len(places.SCHOOL_NAMES))
    schools: list[School] = []
    for place, end in enumerate(ends):
        first = ends[place - 1] if place else 0
        low = max(level.low, 0) if first >= prek_seats else level.low
        name = places.school_name(named + place, level.suffix)
        periods = 6 + int(rng.random() * 3)
        schools.append(School(index + place, number, place, low, level.high, first, end, name, periods))
    return schools


def _ends(rng: random.Random, count: int, seats: int) -> list[int]:
    """Where each school's seats end.

    Sizes differ by up to about a third; the last school takes the wider cohorts' seat.
    """
    weights = [0.65 + 0.7 * rng.random() for _ in range(count)]
    total, so_far = sum(weights), 0.0
    ends: list[int] = []
    for weight in weights:
        so_far += weight
        ends.append(int(so_far / total * seats))
    ends[-1] = seats + 1
    return ends
