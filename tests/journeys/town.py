"""An invented district in which every list of the API has elements, and most have two: for tests over all
rows."""

from __future__ import annotations

import csv
from pathlib import Path

from rollbook.synthetic import writer


def write(folder: Path) -> None:
    """Write its files: one course is taught in both schools, and has a second resource."""
    writer.write(folder, students=60, seed=3)
    mapped = next(row for row in read(folder / "resources.csv") if row["Course_name"])
    course = {name: mapped[name] for name in ("Course_name", "Course_number")}
    sections = read(folder / "sections.csv")
    (school,) = {row["School_id"] for row in sections if row["Course_name"] == course["Course_name"]}
    other = next(row["School_id"] for row in read(folder / "schools.csv") if row["School_id"] != school)
    student = read(folder / "students.csv")[0]["Student_id"]
    append(folder / "resources.csv", Resource_id="RES-TOWN", Title="Town Map", **course)
    append(
        folder / "sections.csv",
        School_id=other,
        Section_id="town",
        Teacher_id=sections[0]["Teacher_id"],
        **course,
    )
    append(folder / "enrollments.csv", School_id=other, Section_id="town", Student_id=student)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by header."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def append(path: Path, **cells: str) -> None:
    """Add a row to a CSV file, with blank cells where none are given."""
    with path.open("r+", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, next(csv.reader(file)), restval="")
        file.seek(0, 2)
        rows.writerow(cells)
