"""Draws about people: names, birthdays, addresses, contacts, programs.

All follow from the keys in `occupancy`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

from rollbook.synthetic import chance, places
from rollbook.synthetic.courses import PREK, grade_text
from rollbook.synthetic.days import FIRST_DAY, calendar_year
from rollbook.synthetic.names import Culture, Name, wheel
from rollbook.synthetic.occupancy import Employee, Occupant
from rollbook.synthetic.rows import Contact, Student, Teacher
from rollbook.synthetic.seating import Layout

T = TypeVar("T")

STUDENT_DOMAIN = "example.edu"
EMPLOYEE_DOMAIN = "example.org"
CONTACT_DOMAIN = "example.net"

DISABILITIES = (
    ("sld", "Specific learning disability"),
    ("sli", "Speech or language impairment"),
    ("ohi", "Other health impairment"),
    ("aut", "Autism"),
    ("dd", "Developmental delay"),
    ("emn", "Emotional disturbance"),
    ("id", "Intellectual Disability"),
    ("hi", "Hearing impairment"),
    ("vi", "Visual impairment"),
    ("other", "Other"),
)

# A row of a family's contacts, in order of calling: relationship, type, and the names to draw from (girls' or
# boys'). Any words may stand here: real files mix the API's words with those of enrolment forms.
CONTACT_ROWS = (
    ("Mother", "Primary", True),
    ("Parent", "Parent/Guardian", True),
    ("Father", "Parent/Guardian", False),
    ("Parent", "Secondary", False),
    ("Grandparent", "Family", True),
    ("Aunt/Uncle", "Family", False),
    ("Sibling", "Emergency", True),
    ("Other", "Emergency", False),
    ("Other", "Other", True),
)
FIRST_CONTACTS, SECOND_CONTACTS, LATER_CONTACTS = CONTACT_ROWS[:2], CONTACT_ROWS[2:4], CONTACT_ROWS[4:]
# The file specification asks for 10 or 11 digits; `flaws` has the forms that people type.
PHONE_STYLES = ("{}555{}",) * 9 + ("1{}555{}",)
PHONE_TYPES = ("Cell", "Cell", "Cell", "Home", "Home", "Work", "")
MEALS = ("F", "F", "F", "R", "N", "N", "N", "N", "N", "")
TITLES = {"F": ("Ms.", "Ms.", "Ms.", "Mrs.", "Dr.", ""), "M": ("Mr.", "Mr.", "Mr.", "Dr.", "")}


class Surroundings(NamedTuple):
    """What all people of a district share."""

    state: str
    towns: tuple[str, ...]
    zip_start: int
    area_codes: tuple[str, ...]


class Family(NamedTuple):
    """What siblings share."""

    culture: Culture
    surname: Name
    race: str
    is_hispanic: bool
    language: str
    meals: str
    street: str
    city: str
    zip_code: str
    contacts: tuple[Contact, ...]


class Names(NamedTuple):
    """A child's names and gender."""

    first: Name
    middle: str
    last: Name
    preferred_first: str
    preferred_last: str
    gender: str


class Programs(NamedTuple):
    """The programs of a child besides the lessons."""

    is_learner_of_english: bool
    has_iep: bool
    is_gifted: bool
    has_504_plan: bool
    disability: str
    disability_code: str


class Person(NamedTuple):
    """The name of an adult, and the address made from it."""

    title: str
    first: Name
    middle: str
    last: Name
    email: str
    username: str
    password: str


def surroundings(plan: Layout) -> Surroundings:
    """The state, the towns and the area codes of a district."""
    rng = random.Random(chance.key(plan.seed, 31))
    town = int(rng.random() * len(places.TOWNS))
    count = min(len(places.TOWNS), 2 + plan.students // 4000)
    towns = tuple(places.TOWNS[(town + n) % len(places.TOWNS)] for n in range(count))
    area = int(rng.random() * len(places.AREA_CODES))
    codes = (places.AREA_CODES[area], places.AREA_CODES[area - 1])
    return Surroundings(_pick(places.STATES, rng.random()), towns, 1000 + int(rng.random() * 90000), codes)


class People:
    """Draws the people of one district; the same keys give the same people, in any order of calls."""

    def __init__(self, plan: Layout) -> None:
        self.plan = plan
        self.around = surroundings(plan)
        self._rng = random.Random()
        self._wheel = wheel()

    def student(self, who: Occupant, grade: int, school_id: str) -> Student:
        """The row of a student in a grade of a school."""
        family = self._family(who)
        self._rng.seed(who.key)
        draw = self._rng.random
        names, programs = self._names(family), self._programs(family)
        school_year = calendar_year(0) + who.seat.cohort
        number = chance.scrambled(who.number, 10**9, self.plan.seed)
        local = f"{names.first.latin}.{names.last.latin}"
        average = 4 - 2.2 * draw() * draw()
        # All draws are made for each student, so that a new grade changes only the grade's own columns.
        birthday, state, email, username, word, digits, honors, bus, locker = [draw() for _ in range(9)]
        return Student(
            school_id,
            f"{number:09d}",
            f"{chance.scrambled(who.number, 10**9, self.plan.seed, 1):09d}",
            f"{chance.scrambled(who.number, 10**10, self.plan.seed, 2):010d}" if state < 0.97 else "",
            names.last.text,
            names.middle,
            names.first.text,
            grade_text(max(PREK, min(12, grade + who.grade_error))),
            names.gender,
            str(school_year + 13),
            _birthday(school_year, birthday, draw()),
            family.race,
            _yes_no(family.is_hispanic),
            family.language,
            _yes_no(programs.is_learner_of_english),
            family.meals,
            _yes_no(programs.has_iep),
            _yes_no(programs.is_gifted),
            _yes_no(programs.has_504_plan),
            _yes_no(programs.has_iep),
            programs.disability,
            programs.disability_code,
            names.preferred_first,
            "",
            names.preferred_last,
            family.street,
            family.city,
            self.around.state,
            family.zip_code,
            _student_email(local, number, who.email_changes, grade, email),
            f"{names.first.latin[:1]}{names.last.latin[:10]}{chance.base36(who.number)}"
            if grade > 2 or username < 0.3
            else "",
            f"{_pick(places.PASSWORD_WORDS, word)}{int(digits * 90) + 10}" if 0 <= grade <= 5 else "",
            f"{average:.2f}" if grade > 8 else "",
            f"{min(5.0, average * (1 + 0.25 * honors)):.2f}" if grade > 8 else "",
            f"R{1 + who.family_number % 40:02d}" if bus < 0.55 else "",
            str(100 + int(locker * 900)) if grade > 5 else "",
            family.contacts,
        )

    def student_id(self, who: Occupant) -> str:
        """The Student_id alone, for enrollments at another school."""
        return self.student_id_of(who.number)

    def student_id_of(self, number: int) -> str:
        """The Student_id for a student's number."""
        return f"{chance.scrambled(number, 10**9, self.plan.seed):09d}"

    def person(self, who: Employee, *, always_mail: bool = False) -> Person:
        """The name and address of an adult in a position."""
        self._rng.seed(who.key)
        draw = self._rng.random
        culture = self._wheel[chance.mix(who.key) & 127]
        gender = "F" if draw() < 0.66 else "M"
        first, last = _given(culture, gender, draw()), _pick(culture.surnames, draw())
        title, middle = (
            _pick(TITLES[gender], draw()),
            _given(culture, gender, draw()).text[:1] if draw() < 0.3 else "",
        )
        tail = chance.base36(who.number) + ("" if not who.email_changes else f".{who.email_changes + 1}")
        email = f"{first.latin}.{last.latin}.{tail}@{EMPLOYEE_DOMAIN}"
        username = f"{first.latin[:1]}{last.latin}{chance.base36(who.number)}" if draw() < 0.9 else ""
        password = (
            f"{_pick(places.PASSWORD_WORDS, draw())}-{int(draw() * 9000) + 1000}" if draw() < 0.1 else ""
        )
        return Person(
            title, first, middle, last, email if always_mail or draw() > 0.04 else "", username, password
        )

    def teacher(self, who: Employee, school_id: str, *, always_mail: bool) -> Teacher:
        """The row of a teacher with this home school."""
        person = self.person(who, always_mail=always_mail)
        draw = self._rng.random
        number = chance.scrambled(who.number, 10**9, self.plan.seed)
        return Teacher(
            school_id,
            f"T{number:09d}",
            f"{chance.scrambled(who.number, 10**9, self.plan.seed, 1):09d}" if draw() < 0.95 else "",
            f"{chance.scrambled(who.number, 10**9, self.plan.seed, 2):09d}" if draw() < 0.8 else "",
            person.email,
            person.first.text,
            person.middle,
            person.last.text,
            person.title,
            person.username,
            person.password,
            _pick(("General", "Special Education", "Bilingual", "National Board", ""), draw()),
        )

    def teacher_id(self, who: Employee) -> str:
        """The Teacher_id alone, for sections with a teacher from another school."""
        return f"T{chance.scrambled(who.number, 10**9, self.plan.seed):09d}"

    def address(self, key: int) -> tuple[str, str, str]:
        """A street with number, a town and a zip code."""
        rng = random.Random(key)
        return self._address(rng.random(), rng.random(), rng.random())

    def phone(self, first: float, second: float, style: float) -> str:
        """A phone number from the range that is reserved for fiction."""
        line = f"{100 + int(second * 100):04d}"
        return _pick(PHONE_STYLES, style).format(_pick(self.around.area_codes, first), line)

    def _names(self, family: Family) -> Names:
        draw, culture = self._rng.random, family.culture
        gender = _pick(("F", "M"), draw()) if draw() > 0.012 else _pick(("X", "X", ""), draw())
        first = _given(culture, gender, draw())
        middle = _given(culture, gender, draw()).text if draw() < 0.7 else ""
        last = family.surname if draw() > 0.08 else _pick(culture.surnames, draw())
        preferred = _given(culture, gender, draw()).text if draw() < 0.04 else ""
        preferred_last = _pick(culture.surnames, draw()).text if preferred and draw() < 0.2 else ""
        return Names(first, middle, last, preferred, preferred_last, gender)

    def _programs(self, family: Family) -> Programs:
        draw = self._rng.random
        is_learner = draw() < (0.4 if family.language not in ("English", "") else 0.01)
        has_iep, is_gifted, has_504_plan = draw() < 0.14, draw() < 0.07, draw() < 0.04
        code, disability = _pick(DISABILITIES, draw() * draw()) if has_iep else ("", "")
        return Programs(is_learner, has_iep, is_gifted, has_504_plan, disability, code)

    def _family(self, who: Occupant) -> Family:
        self._rng.seed(who.family_key)
        draw = self._rng.random
        culture = self._culture(
            who.seat.number, who.family_number // 32 // (self.plan.seats + 1), who.family_number % 32
        )
        surname, language = _pick(culture.surnames, draw()), _pick(culture.languages, draw())
        race, is_hispanic = _pick(culture.races, draw()), draw() < culture.hispanic_share
        meals = _pick(MEALS, draw())
        address = self._address(draw(), draw(), draw())
        contacts = self._contacts(who, culture, surname, draw())
        if who.addresses:
            self._rng.seed(who.family_key + who.addresses)
            address = self._address(draw(), draw(), draw())
        return Family(culture, surname, race, is_hispanic, language, meals, *address, contacts)

    def _contacts(
        self, who: Occupant, culture: Culture, surname: Name, how_many: float
    ) -> tuple[Contact, ...]:
        """Up to 4 contacts, most often two."""
        draw = self._rng.random
        count = (
            0
            if how_many < 0.05
            else 1
            if how_many < 0.28
            else 2
            if how_many < 0.74
            else 3
            if how_many < 0.92
            else 4
        )
        # In some families, every second change adds or removes a contact.
        count += who.contact_changes % 2 if who.family_key & 3 == 0 and count < 4 else 0
        rows = [_pick(FIRST_CONTACTS, draw()), _pick(SECOND_CONTACTS, draw())]
        later = int(draw() * len(LATER_CONTACTS))
        rows += [LATER_CONTACTS[later], LATER_CONTACTS[later - 1]]
        # Some families were typed in by hand and have no ids: only their names and emails identify them.
        has_ids = draw() < 0.78
        return tuple(
            self._contact(who, culture, surname, has_ids, place, rows[place]) for place in range(count)
        )

    def _contact(
        self,
        who: Occupant,
        culture: Culture,
        surname: Name,
        has_id: bool,
        place: int,
        row: tuple[str, str, bool],
    ) -> Contact:
        draw = self._rng.random
        relationship, kind, female = row
        first = _pick(culture.girls if female else culture.boys, draw())
        last = surname if draw() < 0.75 else _pick(culture.surnames, draw())
        index = who.family_number * 4 + place
        email = f"{first.latin}.{last.latin}{chance.base36(index)}@{CONTACT_DOMAIN}" if draw() < 0.85 else ""
        has_phone, area, line, style, phone_type = draw() < 0.93, draw(), draw(), draw(), draw()
        # A changed phone is 29 numbers further on; only the first contact's phone changes.
        line = (line + 0.29 * who.contact_changes) % 1 if place == 0 else line
        return Contact(
            relationship,
            kind,
            f"{first.text} {last.text}",
            self.phone(area, line, style) if has_phone or not email else "",
            _pick(PHONE_TYPES, phone_type) if has_phone else "",
            email,
            f"C{chance.scrambled(index, 10**10, self.plan.seed):010d}" if has_id else "",
        )

    def _culture(self, first: int, second: int, third: int) -> Culture:
        # Neighbouring seats and cohorts get different places, so that a small district has many scripts, too.
        return self._wheel[(first * 37 + second * 53 + third * 29 + self.plan.seed) & 127]

    def _address(self, house: float, street: float, town: float) -> tuple[str, str, str]:
        place = int(town * town * len(self.around.towns))
        zip_code = f"{(self.around.zip_start + place) % 100000:05d}"
        return f"{1 + int(house * 998)} {_pick(places.STREETS, street)}", self.around.towns[place], zip_code


def _given(culture: Culture, gender: str, draw: float) -> Name:
    names = culture.girls if gender == "F" or (gender != "M" and draw < 0.5) else culture.boys
    return _pick(names, draw)


def _student_email(local: str, number: int, changes: int, grade: int, draw: float) -> str:
    if draw < (0.6 if grade < 3 else 0.05):
        return ""
    change = f".{changes + 1}" if changes else ""
    return f"{local}{chance.base36(number)}{change}@{STUDENT_DOMAIN}"


def _yes_no(claim: bool) -> str:
    return "Y" if claim else "N"


def _birthday(school_year: int, day: float, odd: float) -> str:
    """`MM/DD/YYYY` of a child who is five on 1 September of the kindergarten year.

    Three in a hundred are a year off.
    """
    off = -1 if odd < 0.02 else 1 if odd > 0.99 else 0
    latest = FIRST_DAY.replace(year=school_year - 5 + off, month=9, day=1)
    return (latest - timedelta(days=int(day * 365))).strftime("%m/%d/%Y")


def _pick(choices: Sequence[T], draw: float) -> T:
    return choices[int(draw * len(choices))]
