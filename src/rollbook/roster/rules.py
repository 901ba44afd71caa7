"""A district's choices in how its files are read, each with the default that the documentation names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Rules:
    """What a district may choose; the defaults follow the documented behaviour of the API's original.

    `lenient_headers`      unknown headers are ignored with a warning instead of stopping the sync
    `lenient_grades`       `01` is read as `1`; otherwise a leading zero makes the grade `Other`, with a warning
    `sis_section_names`    sections keep the name of the SIS; otherwise `Course - teacher - period` where there is a course
    `majority_grades`      a section's grade is always the one most of its students are in, whatever its Grade says
    `derive_student_school`, `derive_teacher_school`
                           the primary school is where most of the person's sections are; otherwise the row's School_id
    `courses_by_number`    Course_number alone tells courses apart; otherwise number and name together
    `admin_roles`          titles of the district's own administrator roles that administrators.csv may name
    `problems_max`         how many problems a report lists one by one; all of them are counted
    `today`                the day two-digit years of birth are read on: none of them lies in the future
    """

    lenient_headers: bool = False
    lenient_grades: bool = False
    sis_section_names: bool = False
    majority_grades: bool = False
    derive_student_school: bool = True
    derive_teacher_school: bool = True
    courses_by_number: bool = False
    admin_roles: tuple[str, ...] = ()
    problems_max: int = 1000
    today: date = field(default_factory=date.today)
