"""Bad rows on purpose: every kind of problem that a row of a real SIS file has.

If a flaw makes a sync reject the whole row, it goes into a copy after the good row, with its own id if
needed. So all good records stay, and so do the rows that refer to them. If a flaw costs only a value, it goes
into the row itself. No flaw here stops a whole file.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rollbook.synthetic import chance
from rollbook.synthetic.lines import COLUMNS

Row = Sequence[str]
Cells = dict[str, str]


class Flaw(NamedTuple):
    """A kind of bad row: its file, its problem code in a sync, a title, whether it needs a copy, and the
    change.

    `change` takes the good cells by column, and a number that no other bad row of the file has. `needs` is a
    column that must be filled in the good row, or `SINGLE_ROW` or `LATER_ROW`.
    """

    file: str
    code: str
    title: str
    in_copy: bool
    change: Callable[[Cells, int], Cells]
    needs: str = ""


# A student with several contacts has several rows. The first counts; a later row that differs is a flaw of
# its own.
SINGLE_ROW = "single row"
LATER_ROW = "later row"


def _set(**cells: str) -> Callable[[Cells, int], Cells]:
    """A change to these cells; `{}` stands for the number of the bad row."""
    return lambda _good, number: {column: cell.format(number) for column, cell in cells.items()}


def _same(_good: Cells, _number: int) -> Cells:
    return {}


def _other_school(good: Cells, _number: int) -> Cells:
    # Every district has at least these two schools.
    return {"School_id": "0001" if good["School_id"] != "0001" else "0002"}


NEW_SCHOOL = {"School_id": "X{}", "School_number": "X{}"}
NEW_STUDENT = {"Student_id": "X{}", "Student_number": "X{}"}
NEW_TEACHER = {"Teacher_id": "X{}", "Teacher_email": ""}
NEW_STAFF = {"Staff_id": "X{}", "Staff_email": "x{}@example.org"}
NEW_ADMIN = {"Admin_id": "X{}", "Admin_email": "x{}@example.org"}
NO_CONTACT = {column: "" for column in COLUMNS["students.csv"] if column.startswith("Contact_")}
NO_SCHOOL = {"School_id": "NO-SUCH-SCHOOL"}

# Spellings that are not in the specification, and that a sync reads without a warning.
OTHER_SPELLING = "other-spelling"

FLAWS: tuple[Flaw, ...] = (
    Flaw(
        "schools.csv",
        OTHER_SPELLING,
        "Phone with its punctuation",
        False,
        _set(School_phone="(303) 555-0142"),
    ),
    Flaw("schools.csv", OTHER_SPELLING, "Grade in short", False, _set(Low_grade="KG")),
    Flaw("schools.csv", "duplicate-id", "School_id used twice", True, _set(School_name="Another School {}")),
    Flaw("schools.csv", "missing-value", "School without a name", True, _set(**NEW_SCHOOL, School_name="")),
    Flaw("schools.csv", "bad-phone", "Phone that is no number", False, _set(School_phone="see website")),
    Flaw("schools.csv", "unknown-value", "Unknown grade", False, _set(Low_grade="first")),
    Flaw(
        "students.csv",
        "duplicate-id",
        "Student_id used twice",
        True,
        _set(**NO_CONTACT, Last_name="Otherwise"),
    ),
    Flaw(
        "students.csv",
        "conflicting-repeat",
        "Repeated row that says otherwise",
        False,
        _set(Student_city="Elsewhere"),
        LATER_ROW,
    ),
    Flaw(
        "students.csv",
        "missing-value",
        "Student without a last name",
        True,
        _set(**NEW_STUDENT, Last_name=""),
    ),
    Flaw("students.csv", "missing-value", "Student without an id", True, _set(Student_id="")),
    Flaw(
        "students.csv", "unknown-school", "School not in schools.csv", True, _set(**NEW_STUDENT, **NO_SCHOOL)
    ),
    Flaw("students.csv", "unknown-value", "Unknown grade", False, _set(Grade="Senior"), SINGLE_ROW),
    Flaw("students.csv", "unknown-value", "Unknown gender", False, _set(Gender="unknown"), SINGLE_ROW),
    Flaw("students.csv", "unknown-value", "Unknown race", False, _set(Race="Q"), SINGLE_ROW),
    Flaw(
        "students.csv",
        "unknown-value",
        "Neither yes nor no",
        False,
        _set(Hispanic_Latino="maybe"),
        SINGLE_ROW,
    ),
    Flaw(
        "students.csv",
        "unknown-value",
        "Unknown language",
        False,
        _set(Home_language="Klingon"),
        SINGLE_ROW,
    ),
    Flaw(
        "students.csv", "bad-date", "Birthday that is not a date", False, _set(DOB="13/32/2015"), SINGLE_ROW
    ),
    Flaw(
        "students.csv",
        "bad-phone",
        "Phone that is no number",
        False,
        _set(Contact_phone="call the office"),
        "Contact_name",
    ),
    Flaw(
        "students.csv",
        "incomplete-contact",
        "Contact without a name",
        False,
        _set(Contact_name=""),
        "Contact_name",
    ),
    Flaw(
        "students.csv",
        "incomplete-contact",
        "Contact without a type",
        False,
        _set(Contact_type=""),
        "Contact_name",
    ),
    Flaw("students.csv", OTHER_SPELLING, "Lunch in words", False, _set(Frl_status="Free Lunch"), SINGLE_ROW),
    Flaw("students.csv", OTHER_SPELLING, "Race in words", False, _set(Race="Two or more races"), SINGLE_ROW),
    Flaw(
        "students.csv",
        OTHER_SPELLING,
        "Date with a time",
        False,
        _set(DOB="8/1/2016 12:00:00 AM"),
        SINGLE_ROW,
    ),
    Flaw("students.csv", OTHER_SPELLING, "Language as a code", False, _set(Home_language="ger"), SINGLE_ROW),
    Flaw(
        "students.csv",
        OTHER_SPELLING,
        "Phone type in other words",
        False,
        _set(Contact_phone_type="Mobile"),
        "Contact_name",
    ),
    Flaw(
        "students.csv",
        "bad-phone",
        "Phone with an extension",
        False,
        _set(Contact_phone="303-555-0142 x204"),
        "Contact_name",
    ),
    Flaw("teachers.csv", "duplicate-id", "Teacher_id used twice", True, _set(First_name="Another")),
    Flaw(
        "teachers.csv",
        "missing-value",
        "Teacher without a last name",
        True,
        _set(**NEW_TEACHER, Last_name=""),
    ),
    Flaw(
        "teachers.csv", "unknown-school", "School not in schools.csv", True, _set(**NEW_TEACHER, **NO_SCHOOL)
    ),
    Flaw("sections.csv", "duplicate-id", "Section_id used twice", True, _set(Name="Another class {}")),
    Flaw("sections.csv", "no-students", "Section that nobody attends", True, _set(Section_id="X{}")),
    Flaw(
        "sections.csv",
        "missing-value",
        "Section without a teacher",
        True,
        _set(Section_id="X{}", Teacher_id=""),
    ),
    Flaw(
        "sections.csv",
        "unknown-school",
        "School not in schools.csv",
        True,
        _set(Section_id="X{}", **NO_SCHOOL),
    ),
    Flaw(
        "sections.csv",
        "unknown-teacher",
        "Teacher not in teachers.csv",
        True,
        _set(Section_id="X{}", Teacher_id="X{}"),
    ),
    Flaw(
        "sections.csv",
        "unknown-co-teacher",
        "Co-teacher not in teachers.csv",
        False,
        _set(Teacher_4_id="X{}"),
    ),
    Flaw(
        "sections.csv",
        "own-subject",
        "Subject in words of its own",
        False,
        _set(Subject="Underwater Basketry"),
    ),
    Flaw("sections.csv", "unknown-value", "Unknown grade", False, _set(Grade="all")),
    Flaw(
        "sections.csv",
        "bad-date",
        "Term that begins on no date",
        False,
        _set(Term_start="first Monday"),
        "Term_start",
    ),
    Flaw("enrollments.csv", "unknown-student", "Student not in students.csv", True, _set(Student_id="X{}")),
    Flaw(
        "enrollments.csv",
        "unknown-section",
        "Section not in sections.csv",
        True,
        _set(Section_id="NO-SUCH-SECTION-{}"),
    ),
    Flaw("enrollments.csv", "equal-rows", "The same row twice", True, _same),
    Flaw("enrollments.csv", "missing-value", "Enrollment without a student", True, _set(Student_id="")),
    Flaw("enrollments.csv", "unknown-school", "School not in schools.csv", True, _set(**NO_SCHOOL)),
    Flaw("enrollments.csv", "other-school", "School other than the section's", False, _other_school),
    Flaw("staff.csv", "missing-value", "Staff without an email", True, _set(Staff_id="X{}", Staff_email="")),
    Flaw("staff.csv", "unknown-school", "School not in schools.csv", True, _set(**NEW_STAFF, **NO_SCHOOL)),
    Flaw(
        "administrators.csv",
        "unknown-admin-role",
        "Unknown role",
        True,
        _set(**NEW_ADMIN, Role="Wizard"),
    ),
    Flaw(
        "administrators.csv",
        "missing-value",
        "Administrator without an email",
        True,
        _set(Admin_id="X{}", Admin_email=""),
    ),
    Flaw(
        "resources.csv", "missing-value", "Resource without a title", True, _set(Resource_id="X{}", Title="")
    ),
    Flaw(
        "resources.csv",
        "unknown-course",
        "Course that nobody takes",
        True,
        _set(Course_name="Alchemy", Course_number="X{}"),
    ),
)


class Spoiler:
    """Makes a share of one file's rows bad, with each of the file's flaws in turn. `found` counts the bad
    rows by code.

    Args:
        file: the name of the file.
        share: of the good rows, 0..1; bad rows are spread evenly.
        seed: where the first bad row is.
    """

    def __init__(self, file: str, share: float, seed: int) -> None:
        self.found: Counter[str] = Counter()
        self._columns = COLUMNS[file]
        self._share = share
        self._debt = chance.mix(chance.key(seed, len(file))) / 2**64
        self._waiting = deque(flaw for flaw in FLAWS if flaw.file == file)

    def spoiled(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows, with the bad ones among them. The rows of one student must be consecutive."""
        for place, row in enumerate(rows):
            self._debt += self._share
            if self._debt < 1:
                yield row
            else:
                self._debt -= 1
                yield from self._bad(row, _place_in_group(rows, place))

    def _bad(self, row: Row, group: str) -> list[Row]:
        good = dict(zip(self._columns, row, strict=True))
        flaw = next(
            flaw for flaw in self._waiting if not flaw.needs or flaw.needs == group or good.get(flaw.needs)
        )
        # A flaw that did not fit stays in front, so none is skipped for long.
        self._waiting.remove(flaw)
        self._waiting.append(flaw)
        bad = tuple((good | flaw.change(good, self.found.total() + 1)).values())
        self.found[flaw.code] += 1
        return [row, bad] if flaw.in_copy else [bad]


def _place_in_group(rows: Sequence[Row], place: int) -> str:
    """Where a row stands among rows with the same first two cells, the school and the id."""
    key = rows[place][:2]
    if place and rows[place - 1][:2] == key:
        return LATER_ROW
    return "" if rows[place + 1 : place + 2] and rows[place + 1][:2] == key else SINGLE_ROW
