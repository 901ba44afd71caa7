"""Named changes of a district: each changes one day's files in exactly one described way.

A plain name is about the same person on every day of twelve years. `name@31` began on day 31 and continues.
It is about a person who was there on that day, and always about this person, so that a story can build on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from rollbook.errors import Refused
from rollbook.synthetic import chance
from rollbook.synthetic.days import STEPS_PER_YEAR, YEARS_MAX, Today, today
from rollbook.synthetic.occupancy import Occupant, Seat, has_no_sections, occupant
from rollbook.synthetic.seating import Layout, School, cohort_size

# After twelve school years a student is gone; then the plain scenarios are about another student.
YEARS_AT_SCHOOL = 12
SEATS_SEARCHED = 200
# A scenario that began on a day picks a student of kindergarten up to this grade, with years of school ahead.
GRADE_MAX = 3
_CHOICE = 61  # Which draw a key is for; see occupancy.


@dataclass(frozen=True)
class Edits:
    """What the scenarios change; by default nothing. A student is given by seat and number."""

    absent: Mapping[int, Seat] = field(default_factory=dict)
    moved: Mapping[int, Seat] = field(default_factory=dict)
    about: Mapping[str, int] = field(default_factory=dict)
    """The number of the pupil whom a scenario is about, by the scenario as it was named."""
    kept_of_ten: int = 10
    reused_year: int | None = None
    """The school year whose Section_ids are given to other classes."""
    staff_since: Mapping[str, Today] = field(default_factory=dict)
    """Since when a teacher is staff too, by the scenario as it was named."""
    cuts_students: bool = False


@dataclass(frozen=True)
class Began:
    """A scenario by its name as given, and the day on which it began; None for a plain name."""

    name: str
    day: int | None

    def when(self, now: Today) -> Today:
        return now if self.day is None else today(self.day)


@dataclass(frozen=True)
class Scenario:
    """A named scenario: a title, one sentence on what it changes, and the edits it makes."""

    title: str
    description: str
    edit: Callable[[Edits, Layout, Today, Began], Edits]


def edits(names: Iterable[str], plan: Layout, now: Today) -> Edits:
    """The edits of all named scenarios, `name` or `name@day`.

    Raises:
        Refused: a scenario is unknown; the message lists the known ones.
    """
    made = Edits()
    for named in names:
        name, at, day = named.partition("@")
        if name not in SCENARIOS or (at and not (day.isascii() and day.isdigit())):
            raise Refused(
                f"there is no scenario {named!r}; known are: {', '.join(SCENARIOS)}, each also as name@DAY"
            )
        made = SCENARIOS[name].edit(made, plan, now, Began(named, int(day) if at else None))
    return made


def settled_seat(plan: Layout, now: Today, skip: int = 0) -> Seat:
    """The seat whose student stays longest, from kindergarten on: the same seat on every day of twelve years.

    `skip` picks the next best ones, so that two scenarios are not about one student.
    """
    cohort = now.year // YEARS_AT_SCHOOL * YEARS_AT_SCHOOL
    seats = [Seat(cohort, number) for number in range(min(cohort_size(plan, cohort), SEATS_SEARCHED))]
    seats = [seat for seat in seats if not has_no_sections(plan, seat)]
    seats.sort(key=lambda seat: (-_years_settled(plan, seat), seat.number))
    return seats[skip]


def other_school(plan: Layout, home: School) -> School:
    """A school with the same grades; else one for the next grades, else one for the grades before."""
    level = plan.levels[home.level]
    if len(level) > 1:
        return level[(home.place + 1) % len(level)]
    return plan.schools[home.number + 1 if home.number + 1 < len(plan.schools) else home.number - 1]


def _years_settled(plan: Layout, seat: Seat) -> int:
    """How many years the student of a kindergarten seat stays in the district and at the seat's schools."""
    first = _at_end_of(plan, seat, seat.cohort)
    for years in range(1, YEARS_AT_SCHOOL + 1):
        who = _at_end_of(plan, seat, seat.cohort + years)
        if first is None or who is None or who.number != first.number or who.moved_to >= 0:
            return years
    return YEARS_AT_SCHOOL + 1


def _at_end_of(plan: Layout, seat: Seat, year: int) -> Occupant | None:
    return occupant(plan, seat, Today(min(year, YEARS_MAX), STEPS_PER_YEAR - 1))


def _chosen(made: Edits, plan: Layout, day: int) -> Occupant | None:
    """A student who was there when a scenario began, and whose family does not move for at least a year."""
    taken = {*made.about.values()}
    settled = [who for who in _young(plan, day) if who.number not in taken]
    return settled[chance.key(plan.seed, _CHOICE, day) % len(settled)] if settled else None


def _young(plan: Layout, day: int) -> Iterator[Occupant]:
    """The settled students of the first grades, who were there on a day and on the day before."""
    now, before = today(day), today(max(0, day - 1))
    for cohort in range(now.year - GRADE_MAX, now.year + 1):
        for number in range(min(cohort_size(plan, cohort), SEATS_SEARCHED)):
            seat = Seat(cohort, number)
            found = [occupant(plan, seat, when) for when in (before, now)] + [
                _at_end_of(plan, seat, now.year + 1)
            ]
            who = found[1]
            if who and not has_no_sections(plan, seat) and _is_settled(who, found):
                yield who


def _is_settled(who: Occupant, found: list[Occupant | None]) -> bool:
    return all(each and each.number == who.number and each.moved_to < 0 for each in found)


def _pupil(made: Edits, plan: Layout, now: Today, began: Began, skip: int = 0) -> Occupant | None:
    """The student in a scenario; None if there is none today."""
    if began.day is not None:
        return _chosen(made, plan, began.day)
    return occupant(plan, settled_seat(plan, now, skip), now)


def _person_leaves(made: Edits, plan: Layout, now: Today, began: Began) -> Edits:
    who = _pupil(made, plan, now, began)
    if who is None:
        return made
    return replace(
        made, absent={**made.absent, who.number: who.seat}, about={**made.about, began.name: who.number}
    )


def _student_changes_school(made: Edits, plan: Layout, now: Today, began: Began) -> Edits:
    who = _pupil(made, plan, now, began, skip=1)
    if who is None:
        return made
    return replace(
        made, moved={**made.moved, who.number: who.seat}, about={**made.about, began.name: who.number}
    )


def _section_ids_reused(made: Edits, _: Layout, now: Today, began: Began) -> Edits:
    # If the scenario began twice, the first ids stay in use.
    if made.reused_year is not None:
        return made
    return replace(made, reused_year=max(0, began.when(now).year - 1))


def _teacher_becomes_staff(made: Edits, _: Layout, now: Today, began: Began) -> Edits:
    return replace(made, staff_since={**made.staff_since, began.name: began.when(now)})


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "student-changes-school": Scenario(
            "A student changes school",
            (
                "One student is at another school: the rows in students.csv name it, and the "
                "enrollments are in its sections."
            ),
            _student_changes_school,
        ),
        "teacher-becomes-staff": Scenario(
            "A teacher becomes staff too",
            "One teacher has a row in staff.csv as well, with the same email.",
            _teacher_becomes_staff,
        ),
        "section-ids-reused": Scenario(
            "Section ids are reused",
            (
                "The classes have the Section_ids that other classes had a year before; in the "
                "first year, each other's."
            ),
            _section_ids_reused,
        ),
        "half-a-file": Scenario(
            "Half a file arrives",
            "students.csv ends in the middle, after a whole row.",
            lambda made, _plan, _now, _began: replace(made, cuts_students=True),
        ),
        "mass-deletion": Scenario(
            "Most students are gone",
            (
                "Nine of ten students are absent, with their enrollments and with the sections "
                "that are left empty."
            ),
            lambda made, _plan, _now, _began: replace(made, kept_of_ten=1),
        ),
        "person-leaves": Scenario(
            "A person leaves",
            (
                "One student is absent, with all rows; any day without the scenario brings the "
                "same student back."
            ),
            _person_leaves,
        ),
    }
)
