"""Who has a seat, and who holds a position, on a given day.

Draws decide who comes and goes. For each school year, one hash of each family, student and employee says what
happens to them, and on which school day. So the roster of any day is computed from the day alone. A change
drawn for a day after the year's last one (a "summer" change) takes effect with the rollover.
"""

from __future__ import annotations

from typing import NamedTuple

from rollbook.synthetic import chance
from rollbook.synthetic.courses import KINDERGARTEN
from rollbook.synthetic.days import Today
from rollbook.synthetic.seating import Layout, school_of

# A draw picks one of 256 days: 180 are school days, the rest is summer. A share of 256 in 1024 is about 0.1 %
# a school day.
DRAWS = 1024
FAMILY_LEAVES = 256
FAMILY_MOVES = 90
CONTACTS_CHANGE = 400
EMAIL_CHANGES = 150
SCHEDULE_CHANGES = 700
GRADE_IS_WRONG = 12
EMPLOYEE_LEAVES = 180
EMPLOYEE_EMAIL_CHANGES = 90
CO_TEACHER_CHANGES = 400
ROOM_CHANGES = 300

SIBLING_SHARE = 140  # of 256
NO_SECTIONS_MODULUS = 97
NEVER = 1 << 30

# Which draw a key is for: any numbers that differ.
_FAMILY, _OWN, _JOINED, _PUPIL, _EMPLOYEE, _SECTION = range(21, 27)


class Seat(NamedTuple):
    """A place in a cohort, kept from pre-kindergarten to grade 12."""

    cohort: int
    number: int


class Occupant(NamedTuple):
    """The student in a seat. Numbers are unique in the district for all time; keys seed the draws about the
    student.

    `moved_to` is the index of the school that the family moved to, or -1 for the school that the seat leads
    to.
    """

    seat: Seat
    number: int
    key: int
    family_number: int
    family_key: int
    addresses: int
    """How often the family has changed its address."""
    contact_changes: int
    email_changes: int
    moved_to: int
    new_schedule_slot: int
    """The slot in which the pupil has changed to another class this year, or -1."""
    grade_error: int
    """What is added to the grade until someone corrects it."""


class Employee(NamedTuple):
    """Who holds a position. `number` is unique in the district for all time."""

    number: int
    key: int
    email_changes: int


class _History(NamedTuple):
    since: int
    away: bool
    addresses: int
    last_move: int
    contact_changes: int


NEW_DISTRICT = _History(-1, False, 0, -1, 0)


def occupant(plan: Layout, seat: Seat, now: Today) -> Occupant | None:
    """The student in a seat, or None in the few days between one who left and the next."""
    cohort, number = seat
    joined = chance.key(plan.seed, _JOINED, cohort, number) & 255 < SIBLING_SHARE
    # Four cohorts in a row are siblings, if they have joined.
    block = cohort >> 2 if joined else cohort
    first_year = 4 * block - 1 if joined else cohort - 1
    key = chance.key(plan.seed, _FAMILY, block, number, joined)
    history = _family_history(key, first_year, now)
    if history.away:
        return None
    turn = history.since - first_year + 1 if history.since >= 0 else 0
    wide = plan.seats + 1
    own_number = ((cohort + 16) * wide + number) * 32 + turn
    family_number = (((block + 16) * wide + number) * 2 + joined) * 32 + turn
    pupil_key = chance.key(plan.seed, _PUPIL, own_number)
    emails, slot, error = _pupil_changes(pupil_key, max(history.since, cohort - 1, 0), now)
    moved_to = _moved_to(plan, key, seat, history, now)
    return Occupant(
        seat,
        own_number,
        pupil_key,
        family_number,
        chance.key(key, turn),
        history.addresses,
        history.contact_changes,
        emails,
        moved_to,
        slot,
        error,
    )


def employee(plan: Layout, position: int, now: Today) -> Employee:
    """Who holds a position; a position is never vacant."""
    key = chance.key(plan.seed, _EMPLOYEE, position)
    since, emails = -1, 0
    for year in range(now.year + 1):
        draws, limit = chance.key(key, year), _limit(year, now)
        left = _step(draws, EMPLOYEE_LEAVES)
        if left <= limit:
            since, emails = year, 0
        elif _step(draws >> 20, EMPLOYEE_EMAIL_CHANGES) <= limit:
            emails += 1
    return Employee(position * 32 + since + 1, chance.key(key, 99, since), emails)


def has_no_sections(plan: Layout, seat: Seat) -> bool:
    """Whether the student of a seat is taught at home; about one in a hundred is."""
    return (seat.number * 7 + seat.cohort + plan.seed) % NO_SECTIONS_MODULUS == 3


class SectionChanges(NamedTuple):
    """What has happened to a section this year."""

    co_teacher: bool
    room: bool


def section_changes(seed: int, section: int, now: Today) -> SectionChanges:
    """Whether a section's co-teacher and its room have changed since the year began."""
    draws = chance.key(seed, _SECTION, section, now.year)
    return SectionChanges(
        _step(draws, CO_TEACHER_CHANGES) <= now.step,
        _step(draws >> 20, ROOM_CHANGES) <= now.step,
    )


def _family_history(key: int, first_year: int, now: Today) -> _History:
    """What has happened to the families of a seat since the district began, or since the eldest child came to
    school."""
    since, away, addresses, last_move, changes = NEW_DISTRICT
    for year in range(max(0, first_year), now.year + 1):
        draws, limit = chance.key(key, year), _limit(year, now)
        begins = 0
        left = _step(draws, FAMILY_LEAVES)
        if left <= limit:
            begins = left + (draws >> 18 & 7)
            since, addresses, last_move, changes = year, 0, -1, 0
            away = begins > limit and year == now.year
        if begins < _step(draws >> 21, FAMILY_MOVES) <= limit:
            addresses, last_move = addresses + 1, year
        if begins < _step(draws >> 39, CONTACTS_CHANGE) <= limit:
            changes += 1
    return _History(since, away, addresses, last_move, changes)


def _pupil_changes(key: int, since: int, now: Today) -> tuple[int, int, int]:
    """How often the email changed, the slot of a new schedule or -1, and how far the grade is wrong."""
    emails, draws = 0, 0
    for year in range(since, now.year + 1):
        draws = chance.key(key, year)
        emails += _step(draws, EMAIL_CHANGES) <= _limit(year, now)
    slot = draws >> 54 & 7 if _step(draws >> 18, SCHEDULE_CHANGES) <= now.step else -1
    error = 0
    if draws >> 36 & 1023 < GRADE_IS_WRONG and (draws >> 46 & 255) >= now.step:
        error = 1 if draws >> 58 & 1 else -1
    return emails, slot, error


def _moved_to(plan: Layout, key: int, seat: Seat, history: _History, now: Today) -> int:
    """The school that a family's last move led this child to, if the child was in the same level of schools
    then."""
    grade = now.year - seat.cohort
    if history.last_move < 0 or grade < KINDERGARTEN:
        return -1
    home = school_of(plan, seat.number, grade)
    level = plan.levels[home.level]
    if len(level) == 1 or history.last_move - seat.cohort < home.low:
        return -1
    away = 1 + chance.key(key, history.last_move, 5) % (len(level) - 1)
    return level[(home.place + away) % len(level)].number


def _limit(year: int, now: Today) -> int:
    """The last day to draw that has passed by now; for past years all days, with the summer."""
    return now.step if year == now.year else 256


def _step(draws: int, share: int) -> int:
    """The day from 1 to 256 on which 18 bits put a change, or never; `share` of 1024 have one."""
    return 1 + (draws >> 10 & 255) if draws & 1023 < share else NEVER
