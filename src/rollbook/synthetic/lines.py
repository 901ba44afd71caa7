"""The eight files and their columns, in Clever's spelling, and the line of a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from rollbook.synthetic import rows

# Words that are not written with just one capital letter in front.
SPELLINGS = MappingProxyType({"dob": "DOB", "iep_status": "IEP_status"})

_ROWS: dict[str, tuple[str, ...]] = {
    "schools.csv": rows.School._fields,
    "students.csv": (*rows.Student._fields[:-1], *rows.Contact._fields),
    "teachers.csv": rows.Teacher._fields,
    "sections.csv": rows.Section._fields,
    "enrollments.csv": rows.Enrollment._fields,
    "staff.csv": rows.Staff._fields,
    "administrators.csv": rows.Administrator._fields,
    "resources.csv": rows.Resource._fields,
}


def header(field: str) -> str:
    """The column name of a field: `school_id` is `School_id`, `last_name` is `Last_name`, `ext_room` is
    `ext.room`."""
    if field.startswith("ext_"):
        return f"ext.{field[4:]}"
    spelled = SPELLINGS.get(field, field.capitalize())
    # In a few names, Clever writes both parts with capitals.
    return {"Hispanic_latino": "Hispanic_Latino"}.get(spelled, spelled)


COLUMNS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {file: tuple(header(field) for field in fields) for file, fields in _ROWS.items()}
)


def line(cells: Sequence[str]) -> str:
    """One row of a file without its line end, quoted where it must be (RFC 4180, section 2)."""
    joined = "\x1f".join(cells)
    if "," in joined or '"' in joined or "\n" in joined or "\r" in joined:
        return ",".join(_quoted(cell) for cell in cells)
    return joined.replace("\x1f", ",")


def student_rows(students: Iterable[rows.Student]) -> Iterator[tuple[str, ...]]:
    """The rows of students.csv: one for each contact of a student, or one if the student has no contact."""
    for student in students:
        pupil = student[:-1]
        for contact in student.contacts or (rows.NO_CONTACT,):
            yield pupil + contact


def _quoted(cell: str) -> str:
    if "," in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell
