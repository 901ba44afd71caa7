"""What schools teach: the slots of a student's week in each wing of a school, and the courses in them."""

from __future__ import annotations

from typing import NamedTuple

PREK, KINDERGARTEN = -1, 0
GRADES = ("PreKindergarten", "Kindergarten", *(str(number) for number in range(1, 13)))

DEPARTMENTS = (
    "homeroom",
    "english",
    "math",
    "science",
    "social studies",
    "language",
    "arts",
    "PE",
    "electives",
    "advisory",
    "support",
    "library",
    "office",
)


class Course(NamedTuple):
    """A course as section rows name it.

    `subject` is the value of the Subject column, blank if the SIS leaves it blank.
    """

    name: str
    number: str
    subject: str


class Slot(NamedTuple):
    """One of a student's classes in a week.

    `terms` is the number of parts of the year: 1 the year, 2 semesters, 4 quarters, 0 no term given. `mixed`
    puts neighbouring grades together. `courses` has a row of choices for each grade; a class takes the choice
    at its place in the slot.
    """

    department: str
    terms: int
    mixed: bool
    courses: dict[int, tuple[Course, ...]]


NO_COURSE = Course("", "", "")


def grade_text(grade: int) -> str:
    """The Grade cell: -1 is `PreKindergarten`, 0 `Kindergarten`, 12 `12`."""
    return GRADES[grade + 1]


def _graded(name: str, code: str, subject: str, grades: range) -> dict[int, tuple[Course, ...]]:
    """One course for each grade, with the grade in its name and number."""
    return {
        grade: (
            Course(
                f"{name}, {grade_text(grade)}" if grade < 1 else f"{name} {grade}",
                f"{code}{grade:02d}",
                subject,
            ),
        )
        for grade in grades
    }


def _for_all(grades: range, *courses: Course) -> dict[int, tuple[Course, ...]]:
    return dict.fromkeys(grades, courses)


_PRIMARY = range(PREK, 6)
_MIDDLE = range(6, 9)
_HIGH = range(9, 13)

# A pre-kindergarten homeroom has only a section name: small districts give it no course.
PRIMARY_SLOTS = (
    Slot(
        "homeroom",
        1,
        False,
        _graded("Homeroom", "HR", "Homeroom/advisory", range(6)) | {PREK: (NO_COURSE,)},
    ),
    Slot(
        "homeroom",
        1,
        False,
        _graded("Reading, Writing and Spelling", "RW", "English/language arts", range(6)),
    ),
    Slot("homeroom", 1, False, _graded("Mathematics", "MA", "Math", range(6))),
    Slot(
        "arts",
        2,
        False,
        _for_all(range(6), Course("Art", "ART1", "Arts and music"), Course("Music", "MUS1", "")),
    ),
    Slot("PE", 1, False, _for_all(_PRIMARY, Course("Physical Education", "PE1", "PE and health"))),
)

_MIDDLE_ENGLISH = Slot(
    "english", 1, False, _graded("English Language Arts", "ELA", "English/language arts", _MIDDLE)
)
_MIDDLE_MATH = Slot(
    "math",
    1,
    False,
    {
        6: (Course("Mathematics 6", "MA06", "Math"), Course("Mathematics 6 Accelerated", "MA06A", "Math")),
        7: (Course("Mathematics 7", "MA07", "Math"), Course("Pre-Algebra", "MA07A", "Math")),
        8: (Course("Mathematics 8", "MA08", "Math"), Course("Algebra I", "MA09", "Math")),
    },
)
_MIDDLE_SCIENCE = Slot(
    "science",
    1,
    False,
    {
        6: (Course("Earth Science", "SC06", "Science"),),
        7: (Course("Life Science", "SC07", "Science"),),
        8: (Course("Physical Science", "SC08", "Science"),),
    },
)
_MIDDLE_SOCIAL = Slot(
    "social studies",
    1,
    False,
    {
        6: (Course("World Regions", "SS06", "Social studies"),),
        7: (Course("State History", "SS07", "Social studies"),),
        8: (Course("U.S. History to 1877", "SS08", "Social studies"),),
    },
)
_MIDDLE_PE = Slot(
    "PE",
    2,
    False,
    _for_all(_MIDDLE, Course("Physical Education 6-8", "PE2", "PE and health"), Course("Health", "HE2", "")),
)
_MIDDLE_WHEEL = Slot(
    "arts",
    4,
    False,
    _for_all(
        _MIDDLE,
        Course("Studio Art", "ART2", "Arts and music"),
        Course("Choir", "MUS2", "Arts and music"),
        Course("Robotics", "TEC2", "Technology and engineering"),
        Course("Drama", "DRA2", ""),
    ),
)
_MIDDLE_LANGUAGE = Slot(
    "language",
    1,
    True,
    _for_all(
        _MIDDLE,
        Course("Spanish Exploratory", "LG20", "Language"),
        Course("French Exploratory", "LG21", "Language"),
        Course("Reading Intervention", "INT2", "Interventions/online learning"),
    ),
)
# An advisory period has no course in many timetables: its section has a name of its own.
_ADVISORY = Slot("advisory", 1, False, _for_all(range(6, 13), NO_COURSE))

MIDDLE_SLOTS = (
    _MIDDLE_ENGLISH,
    _MIDDLE_MATH,
    _MIDDLE_SCIENCE,
    _MIDDLE_SOCIAL,
    _MIDDLE_PE,
    _MIDDLE_WHEEL,
    _MIDDLE_LANGUAGE,
    _ADVISORY,
)

HIGH_SLOTS = (
    Slot(
        "english",
        1,
        False,
        {
            9: (
                Course("English 9", "EN09", "English/language arts"),
                Course("English 9 Honors", "EN09H", "English/language arts"),
            ),
            10: (
                Course("English 10", "EN10", "English/language arts"),
                Course("English 10 Honors", "EN10H", "English/language arts"),
            ),
            11: (
                Course("English 11", "EN11", "English/language arts"),
                Course("AP Language and Composition", "EN11A", "English/language arts"),
            ),
            12: (
                Course("English 12", "EN12", "English/language arts"),
                Course("Creative Writing", "EN12C", "English/language arts"),
            ),
        },
    ),
    Slot(
        "math",
        1,
        False,
        {
            9: (Course("Algebra I", "MA09", "Math"), Course("Geometry", "MA10", "Math")),
            10: (Course("Geometry", "MA10", "Math"), Course("Algebra II", "MA11", "Math")),
            11: (Course("Algebra II", "MA11", "Math"), Course("Precalculus", "MA12", "Math")),
            12: (Course("Statistics", "MA13", "Math"), Course("Calculus", "MA14", "Math")),
        },
    ),
    Slot(
        "science",
        1,
        False,
        {
            9: (Course("Biology", "SC09", "Science"),),
            10: (Course("Chemistry", "SC10", "Science"), Course("Environmental Science", "SC10E", "Science")),
            11: (Course("Physics", "SC11", "Science"), Course("Astronomy", "SC11A", "")),
            12: (
                Course("Anatomy and Physiology", "SC12", "Science"),
                Course("Forensic Science", "SC12F", "Science"),
            ),
        },
    ),
    Slot(
        "social studies",
        1,
        False,
        {
            9: (Course("World History", "SS09", "Social studies"),),
            10: (Course("Geography", "SS10", "Social studies"), Course("Civics", "SS10C", "")),
            11: (Course("U.S. History since 1877", "SS11", "Social studies"),),
            12: (
                Course("Government", "SS12", "Social studies"),
                Course("Economics", "SS12E", "Social studies"),
            ),
        },
    ),
    Slot(
        "PE",
        2,
        True,
        _for_all(
            _HIGH, Course("Fitness", "PE3", "PE and health"), Course("Health 9-12", "HE3", "PE and health")
        ),
    ),
    Slot(
        "language",
        1,
        True,
        _for_all(
            _HIGH,
            Course("Spanish I", "LG31", "Language"),
            Course("French I", "LG41", "Language"),
            Course("Spanish II", "LG32", ""),
            Course("Mandarin I", "LG51", "Language"),
        ),
    ),
    Slot(
        "electives",
        1,
        True,
        _for_all(
            _HIGH,
            Course("Ceramics", "EL31", "Arts and music"),
            Course("Web Design", "EL32", "Technology and engineering"),
            Course("Concert Band", "EL33", "Arts and music"),
            Course("Culinary Arts", "EL34", "other"),
            Course("Computer Science Principles", "EL35", "Technology and engineering"),
            Course("Personal Finance", "EL36", ""),
        ),
    ),
    _ADVISORY,
)
