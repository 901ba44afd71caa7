"""Learning resources, each mapped to the courses that it is made for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rollbook.synthetic.rows import Resource


class Shelf(NamedTuple):
    """A resource: its title, its users, and the first characters of its courses' numbers."""

    title: str
    roles: str
    numbers: tuple[str, ...]


SHELVES = (
    Shelf("Counting Meadow", "student;teacher", ("MA00", "MA01", "MA02")),
    Shelf("Fractions Without Tears", "student;teacher", ("MA03", "MA04", "MA05", "MA06")),
    Shelf("Algebra Workbench", "student", ("MA07", "MA08", "MA09")),
    Shelf("First Readers' Library", "student", ("RW00", "RW01", "RW02")),
    Shelf("Essays, Step by Step", "student;teacher", ("ELA", "EN")),
    Shelf("Laboratory Notebook", "student;teacher", ("SC",)),
    Shelf("Lesson Plans: Social Studies", "teacher", ("SS",)),
    Shelf("Spanish Every Day", "student;teacher", ("LG31", "LG32")),
)


def resources(courses: Iterable[tuple[str, str]]) -> list[Resource]:
    """The rows of resources.csv for a district's courses, given as (name, number)."""
    sorted_courses = sorted(set(courses), key=lambda course: (course[1], course[0]))
    return [
        Resource(f"RES-{place:03d}", shelf.title, shelf.roles, name, number)
        for place, shelf in enumerate(SHELVES, start=1)
        for name, number in sorted_courses
        if number.startswith(shelf.numbers)
    ]
