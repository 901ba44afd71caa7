"""The classes of one school in one school year, and the classes of each seat.

Classes follow from seats, never from the students in them: when a student leaves, nobody else changes class.
The seats of a grade are dealt to classes of at most 30. Classes with the same residue share their periods. In
each slot their students are dealt anew, so a student has other neighbours in mathematics than in English.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rollbook.synthetic.courses import (
    DEPARTMENTS,
    HIGH_SLOTS,
    MIDDLE_SLOTS,
    PREK,
    PRIMARY_SLOTS,
    Course,
    Slot,
    grade_text,
)
from rollbook.synthetic.days import Term, Today, term
from rollbook.synthetic.seating import Layout, School, seats_of

CLASS_SIZE_MAX = 30
POOL_SIZE_MIN = 12
SECTIONS_PER_TEACHER = 11 / 2
POSITIONS_PER_DEPARTMENT = 512
HOMEROOMS_MAX = 64  # of one pool
# In every third school, a teacher of the school before comes for one class of this department.
SHARED_DEPARTMENT = "PE"


class Pool(NamedTuple):
    """Grades that are taught together: one grade, or several if one alone is too small for a class."""

    number: int
    grades: tuple[int, ...]
    starts: tuple[int, ...]
    """Where each grade's seats begin among the pool's."""
    size: int
    classes: int
    residues: int


class Planned(NamedTuple):
    """A class on the timetable.

    `number` counts within the school and year, `place` within the classes of its slot, grades and period.
    """

    number: int
    slot: Slot
    course: Course
    term: Term
    grade: str
    period: str
    place: int
    owner: int
    """The number of the homeroom whose teacher teaches it, or -1."""


class Wing(NamedTuple):
    """Grades with one kind of timetable. `mixing` is 1 if each slot deals the students anew."""

    pools: tuple[Pool, ...]
    slots: tuple[Slot, ...]
    mixing: int


class Timetable(NamedTuple):
    """All classes of a school.

    `places` finds the classes of a pool, a slot and a residue, with the pool's first place.
    """

    school: School
    taught: dict[int, tuple[Wing, Pool]]
    """Where each grade is taught; a grade the school does not have, with the nearest one."""
    sections: tuple[Planned, ...]
    places: dict[tuple[int, int, int], tuple[int, tuple[int, ...]]]
    positions: tuple[int, ...]
    """The position that teaches each class, by class number."""


def timetable(plan: Layout, school: School, now: Today) -> Timetable:
    """The classes of a school today; their numbers stay the same for a whole school year."""
    wings = _wings(plan, school, now.year)
    draft = _Draft(now, school.periods)
    for wing in wings:
        for slot, described in enumerate(wing.slots):
            for pools in _scopes(wing, described):
                draft.add(wing, slot, pools)
    taught = {grade: _nearest(wings, grade) for grade in range(PREK, 13)}
    return Timetable(school, taught, tuple(draft.sections), draft.places, _positions(school, draft.sections))


def classes_of(table: Timetable, grade: int, seat: int, new_schedule_slot: int = -1) -> list[int]:
    """The class numbers of the `seat`th student of a grade, slot by slot.

    If the school has no such grade, those of the nearest grade.
    """
    wing, pool = table.taught[grade]
    position = (
        seat + pool.starts[pool.grades.index(grade)] if grade in pool.grades else seat % max(1, pool.size)
    )
    turn, own = divmod(position, pool.classes)
    place, residue = divmod(own, pool.residues)
    numbers: list[int] = []
    for slot in range(len(wing.slots)):
        first, listed = table.places[pool.number, slot, residue]
        other = new_schedule_slot == slot or (not wing.mixing and new_schedule_slot >= 0)
        if listed:
            numbers.append(listed[(first + place + turn * slot * wing.mixing + other) % len(listed)])
    return numbers


def position(school: int, department: str, number: int) -> int:
    """The index of a position, unique in the district."""
    return (school * len(DEPARTMENTS) + DEPARTMENTS.index(department)) * POSITIONS_PER_DEPARTMENT + number


def _wings(plan: Layout, school: School, year: int) -> tuple[Wing, ...]:
    sizes = {grade: len(seats_of(plan, school, grade, year)) for grade in range(school.low, school.high + 1)}
    wings: list[Wing] = []
    for low, high, slots in ((PREK, 5, PRIMARY_SLOTS), (6, 8, MIDDLE_SLOTS), (9, 12, HIGH_SLOTS)):
        grades = [grade for grade in sizes if low <= grade <= high]
        if grades:
            taken = slots if low == PREK else slots[: school.periods]
            residues = 1 if low == PREK else len(taken)
            number = sum(len(wing.pools) for wing in wings)
            pools = tuple(
                _pool(number + n, part, sizes, residues) for n, part in enumerate(_parts(grades, sizes))
            )
            wings.append(Wing(pools, taken, int(low != PREK)))
    return tuple(wings)


def _parts(grades: Sequence[int], sizes: dict[int, int]) -> list[tuple[int, ...]]:
    """Grades grouped until each group has enough students for a class."""
    parts: list[tuple[int, ...]] = []
    open_part: tuple[int, ...] = ()
    for grade in grades:
        open_part += (grade,)
        if sum(sizes[each] for each in open_part) >= POOL_SIZE_MIN:
            parts.append(open_part)
            open_part = ()
    if open_part:
        parts[-1:] = [(parts[-1] if parts else ()) + open_part]
    return parts


def _pool(number: int, grades: tuple[int, ...], sizes: dict[int, int], residues_max: int) -> Pool:
    starts = tuple(sum(sizes[before] for before in grades[:place]) for place in range(len(grades)))
    size = sum(sizes[grade] for grade in grades)
    classes = max(1, -(-size // CLASS_SIZE_MAX))
    return Pool(number, grades, starts, size, classes, min(residues_max, classes))


def _scopes(wing: Wing, slot: Slot) -> list[tuple[Pool, ...]]:
    """The pools that are taught together in a slot: each alone, or grouped (6-8, 9-10, 11-12)."""
    if not slot.mixed:
        return [(pool,) for pool in wing.pools]
    lower = tuple(pool for pool in wing.pools if pool.grades[0] < 11)
    upper = tuple(pool for pool in wing.pools if pool.grades[0] >= 11)
    return [scope for scope in (lower, upper) if scope]


class _Draft:
    """A timetable in the making."""

    def __init__(self, now: Today, periods: int) -> None:
        self.sections: list[Planned] = []
        self.places: dict[tuple[int, int, int], tuple[int, tuple[int, ...]]] = {}
        self._now = now
        self._periods = periods

    def add(self, wing: Wing, slot: int, pools: tuple[Pool, ...]) -> None:
        """Add the classes of one slot for pools that are taught together."""
        for residue in range(max(pool.residues for pool in pools)):
            counts = [_classes_at(pool, residue) for pool in pools]
            numbers = self._add_classes(wing, slot, pools, residue, sum(counts))
            for place, pool in enumerate(pools):
                self.places[pool.number, slot, residue] = (sum(counts[:place]), numbers)

    def _add_classes(
        self, wing: Wing, slot: int, pools: tuple[Pool, ...], residue: int, count: int
    ) -> tuple[int, ...]:
        """The numbers of new classes with one residue; empty if no grade has a course in this slot."""
        described, first = wing.slots[slot], len(self.sections)
        grades = [grade for pool in pools for grade in pool.grades]
        choices = next((described.courses[grade] for grade in grades if grade in described.courses), ())
        running = term(described.terms, self._now)
        grade = grade_text(grades[0]) if len(grades) == 1 else ""
        for place in range(count if choices else 0):
            course = choices[(place + residue + running.number) % len(choices)]
            period = _period(wing, slot, pools[0], residue, place, self._periods)
            owner = pools[0].number * HOMEROOMS_MAX + place if described.department == "homeroom" else -1
            self.sections.append(
                Planned(first + place, described, course, running, grade, period, place, owner)
            )
        return tuple(range(first, len(self.sections)))


def _classes_at(pool: Pool, residue: int) -> int:
    """How many classes of a pool have a residue."""
    return len(range(residue, pool.classes, pool.residues)) if residue < pool.residues else 0


def _period(wing: Wing, slot: int, pool: Pool, residue: int, place: int, periods: int) -> str:
    if not wing.mixing:
        return _primary_period(wing.slots[slot].department, slot, place + 2 * pool.number)
    if not wing.slots[slot].mixed:
        # Each grade orders the slots that it does not share in its own way, so that a department's teachers
        # are needed all day. A slot that several grades share stays in place.
        own = [number for number, each in enumerate(wing.slots) if not each.mixed]
        slot = own[(own.index(slot) + pool.number * pool.residues) % len(own)]
    return str((slot + residue) % periods + 1)


def _primary_period(department: str, slot: int, turn: int) -> str:
    """The homeroom teacher has the first period; specialists then see the classes one after another."""
    if department == "homeroom":
        return str(slot) if slot else "HR"
    return str((slot + turn) % 5 + 3)


def _positions(school: School, sections: Sequence[Planned]) -> tuple[int, ...]:
    """Who teaches each class: each department deals its classes in the order of periods, so nobody has two at
    once."""
    found = [0] * len(sections)
    for department in DEPARTMENTS:
        own = [section for section in sections if section.slot.department == department]
        numbers = _homeroom_numbers(own) if department == "homeroom" else _specialist_numbers(own)
        for section, number in zip(own, numbers, strict=True):
            found[section.number] = position(school.number, department, number)
        if department == SHARED_DEPARTMENT and school.number % 3 == 1:
            for section in own[:1]:
                found[section.number] = position(school.number - 1, department, 0)
    return tuple(found)


def _homeroom_numbers(sections: Sequence[Planned]) -> list[int]:
    homerooms: dict[int, int] = {}
    return [homerooms.setdefault(section.owner, len(homerooms)) for section in sections]


def _specialist_numbers(sections: list[Planned]) -> list[int]:
    """Sort the sections by period, and give each the number of its teacher."""
    sections.sort(key=lambda section: (section.period, section.number))
    teachers = _teachers_needed(sections)
    return [place % teachers for place in range(len(sections))]


def _teachers_needed(sections: Sequence[Planned]) -> int:
    periods = [section.period for section in sections]
    at_once = max((periods.count(period) for period in set(periods)), default=1)
    return max(1, at_once, -int(-len(sections) // SECTIONS_PER_TEACHER))


def _nearest(wings: tuple[Wing, ...], grade: int) -> tuple[Wing, Pool]:
    return min(
        ((wing, pool) for wing in wings for pool in wing.pools),
        key=lambda found: (min(abs(grade - each) for each in found[1].grades), found[1].number),
    )
