"""How a district's files are read: the choices of a district, with the documented defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final


def _switch(text: str, *, default: bool = False) -> Any:
    """A choice that is on or off; `text` says what it does when it is on."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class Rules:
    """The choices of a district; the defaults follow the documented behaviour of the original API.

    `admin_roles`   titles of the district's own administrator roles that administrators.csv may name
    `problems_max`  how many problems a report lists one by one; the report counts all of them
    `today`         the day on which two-digit years of birth are read: no birthday lies after it
    """

    lenient_headers: bool = _switch(
        "Unknown columns are ignored with a warning; otherwise they stop the sync."
    )
    lenient_grades: bool = _switch(
        "`01` is read as `1`; otherwise a leading zero makes the grade `Other`, with a warning."
    )
    sis_section_names: bool = _switch(
        "Sections keep the name of the SIS; otherwise it is `Course - teacher - period` "
        "where there is a course."
    )
    majority_grades: bool = _switch(
        "A section's grade is always the one most of its students are in; otherwise only "
        "where its own is not known."
    )
    derive_student_school: bool = _switch(
        "A student's primary school is where most of the sections are; otherwise the row's School_id.",
        default=True,
    )
    derive_teacher_school: bool = _switch(
        "A teacher's primary school is where most of the sections are; otherwise the row's School_id.",
        default=True,
    )
    courses_by_number: bool = _switch(
        "Course_number alone tells courses apart; otherwise number and name together."
    )
    admin_roles: tuple[str, ...] = ()
    problems_max: int = 1000
    today: date = field(default_factory=date.today)

    def switches(self) -> dict[str, bool]:
        """The choices that are on or off, by name."""
        return {name: getattr(self, name) for name in SWITCHES}

    def own(self) -> dict[str, bool]:
        """The choices that differ from the defaults."""
        return {name: is_on for name, is_on in self.switches().items() if is_on != DEFAULTS[name]}

    def switched(self, choices: Mapping[str, bool]) -> Rules:
        """These rules with other choices.

        Unknown names are ignored: another version may have written them.
        """
        known: dict[str, Any] = {name: is_on for name, is_on in choices.items() if name in SWITCHES}
        return replace(self, **known)


# The choices by name, each with its help.
SWITCHES: Final[Mapping[str, str]] = MappingProxyType(
    {entry.name: entry.metadata["help"] for entry in fields(Rules) if "help" in entry.metadata}
)
DEFAULTS: Final[Mapping[str, bool]] = MappingProxyType(Rules().switches())
