"""An invented district on one day, school by school, as plain values.

`District(students, seed, day)` knows its schools. `roster(school)` makes all rows of one school, so a
district of a million students is never in memory as a whole. The same arguments make the same rows, on any
machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from rollbook.synthetic.courses import PREK
from rollbook.synthetic.days import NO_TERM, Today, calendar_year, today
from rollbook.synthetic.employees import Employees, school_id, staff_of_teacher
from rollbook.synthetic.occupancy import Occupant, Seat, has_no_sections, occupant, section_changes
from rollbook.synthetic.people import People
from rollbook.synthetic.rows import Administrator, Enrollment, SchoolRoster, Section, Staff, Teacher
from rollbook.synthetic.scenarios import Edits, edits, other_school
from rollbook.synthetic.seating import Layout, School, cohort_size, layout, school_of, seats_of
from rollbook.synthetic.timetable import Planned, Timetable, classes_of, timetable

# Of 100 classes, how many have at least one, two and three teachers besides the first.
CO_TEACHER_SHARES = (12, 5, 2)
# One in eight students of grade 8 takes mathematics, the class of this slot, at the high school.
GUESTS_MODULUS = 8
GUEST_GRADE, GUEST_SLOT = 8, 1
# One in three schools gives its homerooms no term.
TERMLESS_MODULUS = 3


class Pupil(NamedTuple):
    """A student of a school: the grade, and the seat within the grade."""

    who: Occupant
    grade: int
    place: int


class District:
    """The district of (students, seed) on a day, with the changes of the named scenarios.

    Raises:
        BadSetting: students or day are out of range.
        Refused: a scenario is unknown.
    """

    def __init__(
        self,
        students: int,
        seed: int = 1,
        day: int = 0,
        scenarios: Iterable[str] = (),
        name: str = "Example Unified",
    ) -> None:
        self.plan: Layout = layout(students, seed)
        self.now: Today = today(day)
        self.edits: Edits = edits(scenarios, self.plan, self.now)
        self.people = People(self.plan)
        self.employees = Employees(self.plan, self.now, self.people, name)
        self._named_teachers: dict[str, str] = {}

    @property
    def schools(self) -> tuple[School, ...]:
        """The schools, in the order of the files."""
        return self.plan.schools

    def rosters(self) -> Iterator[SchoolRoster]:
        """All rows of the schools, one school at a time."""
        return map(self.roster, self.schools)

    def roster(self, school: School) -> SchoolRoster:
        """All rows of one school."""
        table = timetable(self.plan, school, self.now)
        pupils = list(self._pupils(school))
        ids = self._section_ids(table)
        enrollments = [*self._enrollments(table, ids, pupils), *self._guest_enrollments(table, ids)]
        sections = self._sections(table, ids, {row.section_id for row in enrollments})
        teachers = self.employees.teachers(table)
        return SchoolRoster(
            self.employees.school(school),
            [self.people.student(pupil.who, pupil.grade, school_id(school.number)) for pupil in pupils],
            teachers,
            sections,
            enrollments,
            self._staff(table, teachers),
        )

    def office_staff(self) -> list[Staff]:
        """The staff who work at the district's office and not at one school."""
        return self.employees.office_staff()

    def administrators(self) -> list[Administrator]:
        """The people who administer the rostering."""
        return self.employees.administrators()

    def named_people(self) -> dict[str, str]:
        """The Student_id or Teacher_id of the person in each scenario, by the scenario's name as given.

        Teachers are known only after the roster of their school was made.
        """
        students = {name: self.people.student_id_of(number) for name, number in self.edits.about.items()}
        return {**students, **self._named_teachers}

    def _occupant(self, seat: Seat) -> Occupant | None:
        """The student in a seat today, with the scenarios applied."""
        who = occupant(self.plan, seat, self.now)
        if who is None or who.number in self.edits.absent:
            return None
        if (seat.number + seat.cohort * self.plan.seats) % 10 >= self.edits.kept_of_ten:
            return None
        if who.number not in self.edits.moved:
            return who
        home = school_of(self.plan, seat.number, self.now.year - seat.cohort)
        return who._replace(moved_to=other_school(self.plan, home).number)

    def _pupils(self, school: School) -> Iterator[Pupil]:
        """The students of a school: those of its seats, and those whose families moved into its area."""
        for grade in range(school.low, school.high + 1):
            for number in seats_of(self.plan, school, grade, self.now.year):
                who = self._occupant(Seat(self.now.year - grade, number))
                if who and who.moved_to < 0:
                    yield Pupil(who, grade, number - school.first)
        yield from self._arrivals.get(school.number, ())

    @cached_property
    def _arrivals(self) -> dict[int, list[Pupil]]:
        """The students who go to another school than their seats lead to, by that school's number."""
        found: dict[int, list[Pupil]] = {}
        for seat in self._seats_that_may_have_moved():
            who = self._occupant(seat)
            if who and who.moved_to >= 0:
                pupil = Pupil(who, self.now.year - seat.cohort, who.key % 997)
                found.setdefault(who.moved_to, []).append(pupil)
        return found

    def _seats_that_may_have_moved(self) -> Iterator[Seat]:
        if self.now == (0, 0):
            return iter(self.edits.moved.values())
        return (
            Seat(self.now.year - grade, number)
            for grade in range(PREK, 13)
            for number in range(
                self.plan.prek_seats if grade == PREK else cohort_size(self.plan, self.now.year - grade)
            )
        )

    def _section_ids(self, table: Timetable) -> list[str]:
        """The Section_id of each class: new in each school year, semester and quarter."""
        own = [_section_id(table.school, self.now.year, planned) for planned in table.sections]
        return (
            own
            if self.edits.reused_year is None
            else self._reused_ids(table.school, own, self.edits.reused_year)
        )

    def _reused_ids(self, school: School, own: list[str], year: int) -> list[str]:
        """The ids of an earlier year, each for another class.

        If that year had fewer classes, the last classes keep their own ids.
        """
        then = Today(year, self.now.step)
        used = [
            _section_id(school, then.year, planned) for planned in timetable(self.plan, school, then).sections
        ]
        shift = max(1, len(used) // 2)
        return (used[shift:] + used[:shift] + own[len(used) :])[: len(own)]

    def _enrollments(self, table: Timetable, ids: list[str], pupils: Iterable[Pupil]) -> Iterator[Enrollment]:
        school = school_id(table.school.number)
        for who, grade, place in pupils:
            if not has_no_sections(self.plan, who.seat):
                student = self.people.student_id(who)
                numbers = classes_of(table, grade, place, who.new_schedule_slot)
                if self._guest_school(who, grade):
                    del numbers[GUEST_SLOT]
                for number in numbers:
                    yield Enrollment(school, ids[number], student)

    def _guest_enrollments(self, table: Timetable, ids: list[str]) -> Iterator[Enrollment]:
        """Students of another school who come for one class.

        They use seats of this school that are meant for later.
        """
        school = table.school
        if school.low <= GUEST_GRADE:
            return
        for number in seats_of(self.plan, school, GUEST_GRADE, self.now.year):
            who = self._occupant(Seat(self.now.year - GUEST_GRADE, number))
            if (
                who
                and self._guest_school(who, GUEST_GRADE) == school
                and not has_no_sections(self.plan, who.seat)
            ):
                classes = classes_of(table, school.low, number - school.first)
                yield Enrollment(
                    school_id(school.number), ids[classes[GUEST_SLOT]], self.people.student_id(who)
                )

    def _guest_school(self, who: Occupant, grade: int) -> School | None:
        """The high school where one in eight students of grade 8 takes mathematics; None for the others."""
        rule = (who.seat.number + 3 * who.seat.cohort + self.plan.seed) % min(GUESTS_MODULUS, self.plan.seats)
        if grade != GUEST_GRADE or rule or who.moved_to >= 0:
            return None
        return school_of(self.plan, who.seat.number, GUEST_GRADE + 1)

    def _sections(self, table: Timetable, ids: list[str], attended: set[str]) -> list[Section]:
        """The classes with at least one student."""
        teachers = {place: self.employees.teacher_id(place) for place in {*table.positions}}
        support = [self.employees.teacher_id(place) for place in self.employees.support_positions(table)]
        return [
            self._section(
                table, planned, ids[planned.number], teachers[table.positions[planned.number]], support
            )
            for planned in table.sections
            if ids[planned.number] in attended
        ]

    def _section(
        self, table: Timetable, planned: Planned, section: str, teacher: str, support: list[str]
    ) -> Section:
        school, course = table.school, planned.course
        changes = section_changes(self.plan.seed, school.number << 16 | planned.number, self.now)
        beside = self._co_teachers(school, planned, support, changes.co_teacher)
        homeroom = planned.period == "HR"
        term = NO_TERM if homeroom and school.place % TERMLESS_MODULUS == 0 else planned.term
        named = course.name or ("Homeroom" if homeroom else "Advisory")
        return Section(
            school_id(school.number),
            section,
            teacher,
            *beside,
            f"{named} ({planned.period}-{planned.place + 1})",
            f"{planned.place + 1:03d}",
            planned.grade,
            course.name,
            course.number,
            "Open to several grades, no entry test" if planned.slot.mixed else "",
            planned.period,
            course.subject,
            term.name,
            term.start,
            term.end,
            _room(school, planned, changes.room),
        )

    def _co_teachers(
        self, school: School, planned: Planned, support: list[str], changed: bool
    ) -> tuple[str, str, str]:
        """Teacher_2_id to Teacher_4_id; blank without a co-teacher."""
        place = (planned.number * 37 + school.number * 11 + self.plan.seed) % 100
        count = min(sum(place < share for share in CO_TEACHER_SHARES), len(support))
        first = planned.number + changed
        found = [support[(first + n) % len(support)] for n in range(count)] + ["", "", ""]
        return found[0], found[1], found[2]

    def _staff(self, table: Timetable, teachers: list[Teacher]) -> list[Staff]:
        rows = self.employees.staff(table, teachers)
        if table.school.number == 0:
            today = {teacher.teacher_id: teacher for teacher in teachers}
            for name, since in self.edits.staff_since.items():
                chosen = self._teacher_on(since, table.school)
                if chosen:
                    self._named_teachers[name] = chosen
                # A teacher who has left is not on the staff, either.
                if chosen in today and today[chosen].teacher_email not in {row.staff_email for row in rows}:
                    rows.append(staff_of_teacher(today[chosen], "Coach"))
        return rows

    def _teacher_on(self, since: Today, school: School) -> str:
        """The Teacher_id of a teacher of that day who was not on the staff yet; blank if all were."""
        table = timetable(self.plan, school, since)
        employees = Employees(self.plan, since, self.people, "")
        teachers = employees.teachers(table)
        known = {row.staff_email for row in employees.staff(table, teachers)}
        named = {*self._named_teachers.values()}
        candidates = (each for each in teachers if each.teacher_email and each.teacher_email not in known)
        return next((each.teacher_id for each in candidates if each.teacher_id not in named), "")


def _section_id(school: School, year: int, planned: Planned) -> str:
    """Two digits of the year, then the school, the class and the part of the year."""
    part = planned.term.number + 1 if planned.slot.terms > 1 else 0
    return f"{(calendar_year(0) + year) % 100:02d}{school.number + 1:04d}{planned.number:04d}{part}"


def _room(school: School, planned: Planned, changed: bool) -> str:
    room = 100 + (planned.number * 13 + school.number) % 80 + (100 if changed else 0)
    return f"{room}" if planned.number % 15 else ""
