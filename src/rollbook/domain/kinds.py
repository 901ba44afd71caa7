"""The seven kinds of record, and the five roles of a user.

A batch of changes is published, and ids are minted, in the order of `KINDS`: parents before children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: its path segment, its shape in `fields`, and a sentence of help."""

    name: str
    shape: str
    help: str

    @property
    def singular(self) -> str:
        return self.name[:-1]


KINDS: tuple[Kind, ...] = (
    Kind("districts", "District", "A district, or a charter network: the owner of all other records."),
    Kind("schools", "School", "A school; an office or department may appear as one."),
    Kind("terms", "Term", "A span of dates in which sections meet; made from section rows."),
    Kind("courses", "Course", "What sections teach; made from section rows."),
    Kind("resources", "Resource", "Content of an application, mapped to courses."),
    Kind("users", "User", "A person, with one to three roles."),
    Kind("sections", "Section", "A class: one school, its teachers and its students."),
)
KIND: dict[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Role:
    """One role of a user: its key under `roles`, its shape, and its bit in the store's mask of roles."""

    name: str
    shape: str
    bit: int


ROLES: tuple[Role, ...] = (
    Role("student", "Student", 1),
    Role("teacher", "Teacher", 2),
    Role("staff", "Staff", 4),
    Role("district_admin", "DistrictAdmin", 8),
    Role("contact", "Contact", 16),
)
ROLE: dict[str, Role] = {role.name: role for role in ROLES}


def masks_with(role: str) -> tuple[int, ...]:
    """All masks that hold `role` and that one person can have.

    Only teacher, staff and district_admin merge in one person; students and contacts keep one role.
    """
    bit = ROLE[role].bit
    if role in ("student", "contact"):
        return (bit,)
    merging = (ROLE["teacher"].bit, ROLE["staff"].bit, ROLE["district_admin"].bit)
    return tuple(mask for mask in range(sum(merging) + 1) if mask & bit and not mask & ~sum(merging))


def label(record: dict[str, Any]) -> str:
    """The name of a record, as people say it."""
    name = record.get("name") or record.get("title") or ""
    if isinstance(name, dict):
        return " ".join(part for part in (name.get("first"), name.get("last")) if part)
    return str(name)
