"""Which columns of a district's files fill which field of a record."""

from __future__ import annotations

from rollbook.contract.clever.columns import COLUMNS, FILES, Column
from rollbook.contract.clever.fields import Field

# The roster tables that fill the fields of each shape.
TABLES: dict[str, tuple[str, ...]] = {
    "School": ("schools",),
    "Location": ("schools", "students"),
    "Principal": ("schools",),
    "Term": ("terms",),
    "Course": ("courses",),
    "Section": ("sections",),
    "User": ("students", "teachers", "staff", "district_admins", "contacts"),
    "Name": ("students", "teachers", "staff", "district_admins"),
    "Student": ("students",),
    "Teacher": ("teachers",),
    "Staff": ("staff",),
    "DistrictAdmin": ("district_admins",),
    "Contact": ("contacts",),
    "StudentRelationship": ("contact_students",),
    "Credentials": ("students", "teachers", "staff"),
    "Resource": ("resources",),
    "Disability": ("students",),
    "PreferredName": ("students",),
}
_OLD = {file.name for file in FILES if file.deprecated}


def columns_of_field(shape: str, field: Field) -> list[Column]:
    """The columns of the current files that fill the field; empty for a derived field."""
    if field.of:
        return []
    fed = {f"roster_{table}.{field.column or field.name}" for table in TABLES.get(shape, ())}
    return [column for column in COLUMNS if column.feeds in fed and column.file not in _OLD]
