"""Cells of an invented district's files that a person edited, kept from night to night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rollbook.synthetic.lines import COLUMNS

# The file with a role's people, and the column that identifies them.
FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "student": ("students.csv", "Student_id"),
        "teacher": ("teachers.csv", "Teacher_id"),
        "staff": ("staff.csv", "Staff_id"),
        "district_admin": ("administrators.csv", "Admin_id"),
    }
)
Edits = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By file and the person's SIS id: the new values, by column."""


def editable(file: str) -> tuple[str, ...]:
    """The columns of a person's file that may be edited: no id, no password, no contact of a student."""
    fixed = {*(key for _, key in FILES.values()), "Password"}
    return tuple(name for name in COLUMNS[file] if name not in fixed and not name.startswith("Contact_"))


def applied(file: str, rows: Sequence[Sequence[str]], edits: Edits) -> list[Sequence[str]]:
    """The rows of a file, with the edits."""
    known = edits.get(file, {})
    place = next((COLUMNS[file].index(key) for of, key in FILES.values() if of == file), None)
    if not known or place is None:
        return [*rows]
    return [_edited(file, row, known[row[place]]) if row[place] in known else row for row in rows]


def _edited(file: str, row: Sequence[str], values: Mapping[str, str]) -> Sequence[str]:
    return [values.get(name, cell) for name, cell in zip(COLUMNS[file], row, strict=True)]
