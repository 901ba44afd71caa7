"""The school calendar: the school year and the school day of a day number, and the terms in force.

Day 0 is the first school day, Monday 2026-08-17. A new school year begins every 365 days. A year has 180
school days ("steps"). Weekends, three breaks and the summer have none, and nothing changes on them.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from rollbook.errors import BadSetting

FIRST_DAY = date(2026, 8, 17)
DAYS_PER_YEAR = 365
STEPS_PER_YEAR = 180
STEPS_PER_QUARTER = STEPS_PER_YEAR // 4
YEARS_MAX = 30
DAY_MAX = YEARS_MAX * DAYS_PER_YEAR

# Days after the year's first day, both ends included: late November, the turn of the year, spring.
BREAKS = ((98, 102), (126, 139), (217, 223))


class Today(NamedTuple):
    """A day in the district's calendar: the school year (0 is the first), and how many of its school days
    have passed."""

    year: int
    step: int


class Term(NamedTuple):
    """A year, a semester or a quarter; `number` counts within the year from 0, dates are `MM/DD/YYYY`."""

    name: str
    start: str
    end: str
    number: int


NO_TERM = Term("", "", "", 0)


def today(day: int) -> Today:
    """The school year and step of a day number.

    Raises:
        BadSetting: the day is negative or more than 30 years ahead.
    """
    if not 0 <= day <= DAY_MAX:
        raise BadSetting(f"day must be from 0 to {DAY_MAX}, not {day}")
    year, offset = divmod(day, DAYS_PER_YEAR)
    return Today(year, max(0, bisect_right(school_days(year), offset) - 1))


@cache
def school_days(year: int) -> tuple[int, ...]:
    """The 180 school days of a year, as days after its first day."""
    first = first_day(year)
    days: list[int] = []
    offset = 0
    while len(days) < STEPS_PER_YEAR:
        if is_school_day(first, offset):
            days.append(offset)
        offset += 1
    return tuple(days)


def is_school_day(first: date, offset: int) -> bool:
    """Whether the day `offset` days after a school year's first day is a school day."""
    return (first.weekday() + offset) % 7 < 5 and not any(start <= offset <= end for start, end in BREAKS)


def date_of(day: int) -> date:
    """The date of a day number."""
    return FIRST_DAY + timedelta(days=day)


def next_term(day: int) -> int:
    """The next day on which a term begins: a quarter, a semester with every second quarter, or the school
    year."""
    year = today(day).year
    quarters = range(STEPS_PER_QUARTER, STEPS_PER_YEAR, STEPS_PER_QUARTER)
    starts = (DAYS_PER_YEAR * year + school_days(year)[first] for first in quarters)
    return next((start for start in starts if start > day), next_year(day))


def next_year(day: int) -> int:
    """The next day on which a school year begins."""
    return DAYS_PER_YEAR * (day // DAYS_PER_YEAR + 1)


def first_day(year: int) -> date:
    """The first day of a school year, on which the rollover happens."""
    return FIRST_DAY + timedelta(days=DAYS_PER_YEAR * year)


def calendar_year(year: int) -> int:
    """The calendar year in which a school year begins."""
    return first_day(year).year


@cache
def term(parts: int, now: Today) -> Term:
    """The current term of a year with `parts` terms: 1 is the year, 2 semesters, 4 quarters, 0 none."""
    if not parts:
        return NO_TERM
    steps = STEPS_PER_YEAR // parts
    number = min(now.step // steps, parts - 1)
    days = school_days(now.year)
    letter = {1: "", 2: f"S{number + 1} ", 4: f"Q{number + 1} "}[parts]
    begins = calendar_year(now.year)
    return Term(
        f"{letter}{begins}-{begins + 1}",
        _us_date(first_day(now.year) + timedelta(days=days[number * steps])),
        _us_date(first_day(now.year) + timedelta(days=days[(number + 1) * steps - 1])),
        number,
    )


def _us_date(day: date) -> str:
    return day.strftime("%m/%d/%Y")
