"""The adults of a district: who holds which position, and their rows in teachers.csv, staff.csv and
administrators.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rollbook.synthetic import chance
from rollbook.synthetic.courses import DEPARTMENTS, grade_text
from rollbook.synthetic.days import Today
from rollbook.synthetic.occupancy import employee
from rollbook.synthetic.people import People, Person
from rollbook.synthetic.rows import Administrator, Staff, Teacher
from rollbook.synthetic.rows import School as SchoolRow
from rollbook.synthetic.seating import Layout, School
from rollbook.synthetic.timetable import POSITIONS_PER_DEPARTMENT, Timetable, position

OFFICE = "DEFAULT_DISTRICT_OFFICE"
ALL_SCHOOLS = "district"
SECTIONS_PER_SUPPORT_TEACHER = 18
SECTIONS_WITH_LIBRARY = 60
STUDENTS_PER_OFFICE_POSITION = 5000
# The first of every 25 teachers of a school has a second post.
TEACHERS_PER_SECOND_POST = 25
REGIONS = ("North", "South", "East", "West", "Central")


class Post(NamedTuple):
    """A post outside the classroom: title, department, role, and the number of sections from which a school
    has it."""

    title: str
    department: str
    role: str
    sections_min: int


PRINCIPAL = Post("Principal", "Administration", "", 0)
SCHOOL_POSTS = (
    PRINCIPAL,
    Post("School Secretary", "Front Office", "", 0),
    Post("Technology Coordinator", "Technology", "School Tech Lead", 0),
    Post("School Nurse", "Health Services", "", 0),
    Post("Counselor", "Student Services", "", 40),
    Post("Assistant Principal", "Administration", "", 90),
    Post("Attendance Clerk", "Front Office", "", 120),
    Post("Cafeteria Manager", "", "", 150),
)
NURSE = 3
OFFICE_POSTS = (
    Post("Superintendent", "Superintendent's Office", "", 0),
    Post("Director of Technology", "Technology", "", 0),
    Post("Business Manager", "Finance, Payroll and Purchasing", "", 0),
    Post("Registrar", "Enrollment", "", 0),
    Post("Analyst", "", "", 0),
)
TECHNOLOGY = 1
# Who administers the rostering: the office post (0 is the superintendent), a title, and the roles with one
# row each.
ADMINISTRATORS = (
    (TECHNOLOGY, "Director of Technology", ("Clever Administrator",)),
    (500, "Systems Analyst", ("CA",)),
    (501, "Rostering Specialist", ("CleverAdministrator", "DistrictHelpDesk")),
    (502, "Curriculum Director", ("District Curriculum Lead",)),
    (503, "Literacy Coordinator", ("DCL",)),
    (504, "Help Desk Technician", ("DHD",)),
    (505, "Help Desk Manager", ("District Help Desk", "DistrictCurriculumLead")),
)


class Employees:
    """The employees of one district on one day."""

    def __init__(self, plan: Layout, now: Today, people: People, district_name: str) -> None:
        self.plan = plan
        self.now = now
        self.people = people
        self.district_name = district_name

    def school(self, school: School) -> SchoolRow:
        """The row of a school, with its principal."""
        key = chance.key(self.plan.seed, 41, school.number)
        street, city, zip_code = self.people.address(key)
        principal = self._person(position(school.number, "office", 0))
        return SchoolRow(
            school_id(school.number),
            school.name,
            f"{school.number + 1:03d}",
            f"{chance.scrambled(school.number, 10**6, self.plan.seed):06d}",
            nces_id(self.plan.seed, school.number),
            grade_text(school.low),
            grade_text(school.high),
            f"{principal.first.text} {principal.last.text}",
            principal.email,
            street,
            city,
            self.people.around.state,
            zip_code,
            self.people.phone((key & 255) / 256, (key >> 8 & 1023) / 1024, 0.1)
            if school.number % 9 != 8
            else "",
            REGIONS[school.number % len(REGIONS)],
            self.district_name,
        )

    def teachers(self, table: Timetable) -> list[Teacher]:
        """The teachers of a home school: those with sections, the support teachers and the librarian."""
        school = table.school
        own = {place for place in table.positions if _school_index(place) == school.number}
        own.update(self.support_positions(table))
        if len(table.sections) >= SECTIONS_WITH_LIBRARY:
            own.add(position(school.number, "library", 0))
        return [
            self.people.teacher(
                employee(self.plan, place, self.now),
                school_id(school.number),
                always_mail=number % TEACHERS_PER_SECOND_POST == 0,
            )
            for number, place in enumerate(sorted(own))
        ]

    def support_positions(self, table: Timetable) -> list[int]:
        """The positions of co-teachers."""
        count = max(1, len(table.sections) // SECTIONS_PER_SUPPORT_TEACHER)
        return [position(table.school.number, "support", number) for number in range(count)]

    def teacher_id(self, place: int) -> str:
        """The Teacher_id of the person in a position today."""
        return self.people.teacher_id(employee(self.plan, place, self.now))

    def staff(self, table: Timetable, teachers: Iterable[Teacher]) -> list[Staff]:
        """The staff of a home school, and the teachers who have a second post there."""
        return [*self._school_staff(table), *self._teaching_staff(table.school, teachers)]

    def office_staff(self) -> list[Staff]:
        """The staff of the district's office, and those responsible for all schools."""
        count = len(OFFICE_POSTS) + self.plan.students // STUDENTS_PER_OFFICE_POSITION
        rows: list[Staff] = []
        for number in range(count):
            post = OFFICE_POSTS[min(number, len(OFFICE_POSTS) - 1)]
            where = ALL_SCHOOLS if number == TECHNOLOGY else OFFICE
            rows.append(self._staff(self._office_position(number), post, where))
        return rows

    def administrators(self) -> list[Administrator]:
        """The people who administer the rostering. One of them is also on the staff, with the same email."""
        return [
            self._administrator(self._office_position(number), title, role)
            for number, title, roles in ADMINISTRATORS
            for role in roles
        ]

    def _school_staff(self, table: Timetable) -> Iterator[Staff]:
        school = table.school
        for number, post in enumerate(SCHOOL_POSTS):
            # Every third school has no nurse of its own and shares the nurse of the school before it.
            if post.sections_min <= len(table.sections) and not (number == NURSE and school.number % 3 == 1):
                row = self._staff(position(school.number, "office", number), post, school_id(school.number))
                yield row
                if number == NURSE and school.number % 3 == 0 and school.number + 1 < len(self.plan.schools):
                    yield row._replace(school_id=school_id(school.number + 1))

    def _teaching_staff(self, school: School, teachers: Iterable[Teacher]) -> Iterator[Staff]:
        for number, teacher in enumerate(teachers):
            if number % TEACHERS_PER_SECOND_POST == 0:
                yield staff_of_teacher(teacher, "Department Chair" if school.low > 5 else "Lead Teacher")

    def _person(self, place: int) -> Person:
        return self.people.person(employee(self.plan, place, self.now), always_mail=True)

    def _office_position(self, number: int) -> int:
        return position(len(self.plan.schools), "office", number)

    def _staff(self, place: int, post: Post, where: str) -> Staff:
        who = employee(self.plan, place, self.now)
        person = self.people.person(who, always_mail=True)
        return Staff(
            where,
            f"S{chance.scrambled(who.number, 10**9, self.plan.seed):09d}",
            person.email,
            person.first.text,
            person.last.text,
            post.department,
            post.title,
            person.username,
            person.password,
            post.role,
            f"x{100 + place % 900}" if place % 4 else "",
        )

    def _administrator(self, place: int, title: str, role: str) -> Administrator:
        who = employee(self.plan, place, self.now)
        person = self.people.person(who, always_mail=True)
        number = chance.scrambled(who.number, 10**9, self.plan.seed)
        return Administrator(f"A{number:09d}", person.email, person.first.text, person.last.text, title, role)


def staff_of_teacher(teacher: Teacher, title: str) -> Staff:
    """The staff row of a teacher: the same email, and an id of its own."""
    return Staff(
        teacher.school_id,
        f"S{teacher.teacher_id[1:]}",
        teacher.teacher_email,
        teacher.first_name,
        teacher.last_name,
        "Instruction",
        title,
        teacher.username,
        "",
        "",
        "",
    )


def school_id(index: int) -> str:
    """The School_id of a school; its leading zeros matter."""
    return f"{index + 1:04d}"


def nces_id(seed: int, index: int) -> str:
    """The twelve digits of a school: state, district, school.

    No state has the number 99, so no real school has this id.
    """
    return f"99{chance.key(seed, 43) % 10**5:05d}{index + 1:05d}"


def _school_index(place: int) -> int:
    return place // (len(DEPARTMENTS) * POSITIONS_PER_DEPARTMENT)
