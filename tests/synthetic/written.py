"""Written districts, read back, and the difference of two."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollbook.synthetic.lines import COLUMNS
from rollbook.synthetic.writer import write

Rows = list[dict[str, str]]
District = Mapping[str, Rows]

# The columns by which two rows of a file are the same row.
KEYS = {
    "schools.csv": ("School_id",),
    "students.csv": ("Student_id", "Contact_name", "Contact_email", "Contact_phone"),
    "teachers.csv": ("Teacher_id",),
    "sections.csv": ("Section_id",),
    "enrollments.csv": ("Section_id", "Student_id"),
    "staff.csv": ("Staff_id", "School_id"),
    "administrators.csv": ("Admin_id", "Role"),
    "resources.csv": ("Resource_id", "Course_number"),
}


def read(folder: Path) -> dict[str, Rows]:
    """All files of a folder, as rows by column."""
    found: dict[str, Rows] = {}
    for file in COLUMNS:
        with (folder / file).open(encoding="utf-8", newline="") as opened:
            found[file] = list(csv.DictReader(opened, strict=True))
    return found


def written(folder: Path, **arguments: Any) -> dict[str, Rows]:
    """The district of some arguments, written and read back."""
    write(folder, **arguments)
    return read(folder)


def digest(folder: Path) -> str:
    """A fingerprint of the bytes of all files."""
    return hashlib.sha256(b"".join((folder / file).read_bytes() for file in COLUMNS)).hexdigest()


def students(district: District) -> dict[str, dict[str, str]]:
    """The first row of each student, by Student_id."""
    return {row["Student_id"]: row for row in reversed(district["students.csv"])}


def changed(before: District, after: District) -> dict[str, int]:
    """How many rows came, went or changed, by file name; files without changes are left out."""
    counts = {file: _changed_rows(before[file], after[file], KEYS[file]) for file in COLUMNS}
    return {file: count for file, count in counts.items() if count}


def differing_files(before: District, after: District) -> set[str]:
    """The files that are not equal."""
    return {file for file in COLUMNS if before[file] != after[file]}


def _changed_rows(before: Rows, after: Rows, key: tuple[str, ...]) -> int:
    old = {tuple(row[column] for column in key): row for row in before}
    new = {tuple(row[column] for column in key): row for row in after}
    return len(old.keys() ^ new.keys()) + sum(old[same] != new[same] for same in old.keys() & new.keys())
