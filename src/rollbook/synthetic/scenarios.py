"""Named things that happen to a district: each changes one day's files in exactly one described way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rollbook.errors import Refused
from rollbook.synthetic.days import STEPS_PER_YEAR, YEARS_MAX, Today
from rollbook.synthetic.occupancy import Occupant, Seat, has_no_sections, occupant
from rollbook.synthetic.seating import Layout, School, cohort_size, school_of

# Twelve school years after kindergarten a pupil is gone; then the scenarios are about somebody else.
YEARS_AT_SCHOOL = 12
SEATS_SEARCHED = 200


@dataclass(frozen=True)
class Edits:
    """What the scenarios change; nothing, as it stands."""

    absent: Seat | None = None
    moved: Seat | None = None
    moved_to: int = -1
    kept_of_ten: int = 10
    reuses_section_ids: bool = False
    adds_staff: bool = False
    cuts_students: bool = False


@dataclass(frozen=True)
class Scenario:
    """A named scenario: a title, one sentence on what it changes, and the edits it makes."""

    title: str
    description: str
    edit: Callable[[Edits, Layout, Today], Edits]


def edits(names: Iterable[str], plan: Layout, now: Today) -> Edits:
    """The edits of all scenarios named.

    Raises:
        Refused: there is no scenario of that name; the message lists those there are.
    """
    made = Edits()
    for name in names:
        if name not in SCENARIOS:
            raise Refused(f"there is no scenario {name!r}; known are: {', '.join(SCENARIOS)}")
        made = SCENARIOS[name].edit(made, plan, now)
    return made


def settled_seat(plan: Layout, now: Today, skip: int = 0) -> Seat:
    """A seat whose pupil stays longest, from kindergarten on: the same one on every day of twelve years.

    The `skip`th best, so that two scenarios are not about one pupil.
    """
    cohort = now.year // YEARS_AT_SCHOOL * YEARS_AT_SCHOOL
    seats = [Seat(cohort, number) for number in range(min(cohort_size(plan, cohort), SEATS_SEARCHED))]
    seats = [seat for seat in seats if not has_no_sections(plan, seat)]
    seats.sort(key=lambda seat: (-_years_settled(plan, seat), seat.number))
    return seats[skip]


def _years_settled(plan: Layout, seat: Seat) -> int:
    """How many years the pupil of a kindergarten seat stays, and stays at the schools the seat leads to."""
    first = _at_end_of(plan, seat, seat.cohort)
    for years in range(1, YEARS_AT_SCHOOL + 1):
        who = _at_end_of(plan, seat, seat.cohort + years)
        if first is None or who is None or who.number != first.number or who.moved_to >= 0:
            return years
    return YEARS_AT_SCHOOL + 1


def _at_end_of(plan: Layout, seat: Seat, year: int) -> Occupant | None:
    return occupant(plan, seat, Today(min(year, YEARS_MAX), STEPS_PER_YEAR - 1))


def _person_leaves(made: Edits, plan: Layout, now: Today) -> Edits:
    return replace(made, absent=settled_seat(plan, now))


def _student_changes_school(made: Edits, plan: Layout, now: Today) -> Edits:
    seat = settled_seat(plan, now, skip=1)
    home = school_of(plan, seat.number, now.year - seat.cohort)
    return replace(made, moved=seat, moved_to=_other_school(plan, home).number)


def _other_school(plan: Layout, home: School) -> School:
    """A school of the same grades, or where there is none, the one for the next grades, else for those before."""
    level = plan.levels[home.level]
    if len(level) > 1:
        return level[(home.place + 1) % len(level)]
    return plan.schools[home.number + 1 if home.number + 1 < len(plan.schools) else home.number - 1]


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "student-changes-school": Scenario(
            "A student changes school",
            "One student is at another school: the rows in students.csv name it, and the enrollments are in its sections.",
            _student_changes_school,
        ),
        "teacher-becomes-staff": Scenario(
            "A teacher becomes staff too",
            "One teacher has a row in staff.csv as well, with the same email.",
            lambda made, _plan, _now: replace(made, adds_staff=True),
        ),
        "section-ids-reused": Scenario(
            "Section ids are reused",
            "The classes have the Section_ids that other classes had a year before; in the first year, each other's.",
            lambda made, _plan, _now: replace(made, reuses_section_ids=True),
        ),
        "half-a-file": Scenario(
            "Half a file arrives",
            "students.csv ends in the middle, after a whole row.",
            lambda made, _plan, _now: replace(made, cuts_students=True),
        ),
        "mass-deletion": Scenario(
            "Most students are gone",
            "Nine of ten students are absent, with their enrollments and with the sections that are left empty.",
            lambda made, _plan, _now: replace(made, kept_of_ten=1),
        ),
        "person-leaves": Scenario(
            "A person leaves",
            "One student is absent, with all rows; any day without the scenario brings the same student back.",
            _person_leaves,
        ),
    }
)
