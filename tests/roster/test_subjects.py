"""The subject of a section: recorded words, the documented order of columns, and whole words, longest
first."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from rollbook.contract.clever.fields import SUBJECTS
from tests.roster.world import outcome

Texts = tuple[str, str, str]  # Subject, Name, Course_name

# Words in the course name, as recorded.
RECORDED: dict[str, tuple[str, ...]] = {
    "homeroom/advisory": ("Homeroom", "Advisory", "Group Guidance", "Class 001, Homeroom"),
    "english/language arts": ("Reading", "English", "Creative Writing", "Journalism", "English 9"),
    "math": ("Math", "Mathematics", "Integrated Algebra"),
    "science": ("Science", "Living Environment"),
    "social studies": ("Social Studies", "U.S. History", "US History"),
    "arts and music": ("Music", "Musical Theatre", "Drama", "Film", "Fine Arts", "Media Arts"),
    "PE and health": ("Physical Education", "Fitness", "Latin Dance"),
    "technology and engineering": ("Robotics", "Web Design"),
    "language": ("Spanish", "Spanish 2"),
    "other": ("School Beautification", "Set Design", "Xyzzy"),
}
CASES: list[tuple[Texts, str]] = [
    *((("", "", course), subject) for subject, courses in RECORDED.items() for course in courses),
    # A subject of the API's own is used, whatever other columns say.
    *(((subject.upper(), "Algebra", "Algebra"), subject) for subject in SUBJECTS if subject),
    # Words in Subject, as documented.
    *(
        ((word, "", ""), "english/language arts")
        for word in ("English", "Reading", "Writing", "composition", "Comp")
    ),
    *(((word, "", ""), "math") for word in ("Algebra", "Mathematics", "Calc")),
    (("Astronomy", "", ""), "science"),
    # Subject before name before course.
    (("Algebra", "Biology", "Spanish"), "math"),
    (("Nothing known", "Biology", "Spanish"), "science"),
    (("", "Period 3", "Spanish"), "language"),
    (("Nothing", "Period 3", "Xyzzy"), "other"),
    (("", "", ""), "other"),
    # Whole words, the longest phrase first, the first of two.
    (("", "", "Compassion"), "other"),
    (("", "", "Smart Choices"), "other"),
    (("", "", "Computer Science Principles"), "technology and engineering"),
    (("", "", "Art History"), "arts and music"),
    (("", "", "Music and Drama"), "arts and music"),
    (("", "", "Art / Math"), "math"),
    (("", "", "PE-Art"), "arts and music"),
    (("", "", "  LIVING   environment  "), "science"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    lines = ["School_id,Section_id,Teacher_id,Subject,Name,Course_name"]
    lines += [
        f'ash,x{number},lund,"{texts[0]}","{texts[1]}","{texts[2]}"'
        for number, (texts, _) in enumerate(CASES)
    ]
    enrollments = ["School_id,Section_id,Student_id", *(f"ash,x{number},amy" for number in range(len(CASES)))]
    changes = {"sections.csv": "\n".join(lines), "enrollments.csv": "\n".join(enrollments)}
    world = outcome(tmp_path_factory.mktemp("subjects"), changes)
    return [row["subject"] for row in world.tables["sections"]]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_subject_of_a_section(number: int, found: list[str]) -> None:
    texts, subject = CASES[number]
    assert (texts, subject) == (texts, found[number])


def test_a_section_without_any_words_is_other(tmp_path: Path) -> None:
    world = outcome(
        tmp_path,
        {
            "sections.csv": "School_id,Section_id,Teacher_id\nash,a,lund\n",
            "enrollments.csv": "School_id,Section_id,Student_id\nash,a,amy\n",
        },
    )
    assert world.column("sections", "subject") == {"a": "other"}


def test_the_list_of_words_is_clean() -> None:
    text = files("rollbook.roster").joinpath("data/subjects.csv").read_text("utf-8")
    rows = [(row["words"], row["subject"]) for row in csv.DictReader(text.splitlines())]
    assert sorted(rows, key=lambda row: (SUBJECTS.index(row[1]), row[0])) == rows
    assert len({words for words, _ in rows}) == len(rows)
    assert all(
        words == " ".join(words.lower().split()) and words.replace(" ", "").isalnum() for words, _ in rows
    )
