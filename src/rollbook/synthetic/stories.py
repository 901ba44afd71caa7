"""What can happen next to a demo's district, night by night: some days pass, a term or a school year begins,
or a scenario happens.

A story is a row of nights on which files arrive. It can be told from any day, and the district can go on from
its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rollbook.errors import BadSetting
from rollbook.synthetic import days
from rollbook.synthetic.scenarios import SCENARIOS


@dataclass(frozen=True)
class Night:
    """One night's files: their day, given the day before, and their scenarios.

    `begins` continue from then on; `only` are for this night. `is_trusted`: the sync is committed even if it
    changes very much, as when a district knows that its year is over. Otherwise it may be held.
    """

    day_after: Callable[[int], int]
    begins: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    is_trusted: bool = True

    def scenarios(self, day: int) -> tuple[str, ...]:
        """The scenarios that are new in the files of a night on that day."""
        return tuple(f"{name}@{day}" for name in (*self.begins, *self.only))


@dataclass(frozen=True)
class Story:
    """A title, a sentence or two on what happens, and the nights."""

    title: str
    description: str
    nights: tuple[Night, ...]


def later(days_on: int) -> Callable[[int], int]:
    """A function that adds a number of days."""
    return lambda day: day + days_on


def story(name: str) -> Story:
    """The story of a name, or of a number of days.

    Raises:
        BadSetting: no story has the name; the message lists the stories.
    """
    if name.isascii() and name.isdigit() and int(name) > 0:
        many = int(name)
        return Story(
            f"{many:,} day{'s' * (many > 1)} later", "The files of that day arrive.", (Night(later(many)),)
        )
    if name not in STORIES:
        raise BadSetting(f"expected a number of days, or one of {', '.join(STORIES)}; got {name!r}")
    return STORIES[name]


def _of_scenario(name: str, description: str, *nights: Night) -> Story:
    return Story(SCENARIOS[name].title, description, nights)


_NEXT_NIGHT = later(1)

# Stories in which only time passes.
CALENDAR: Mapping[str, Story] = MappingProxyType(
    {
        "term": Story(
            "The next term",
            "The next quarter, semester or school year begins. Its sections and terms replace the old ones.",
            (Night(days.next_term),),
        ),
        "rollover": Story(
            "The next school year",
            "The next school year begins. Every student is one grade higher, and all sections are new.",
            (Night(days.next_year),),
        ),
    }
)

# Stories in which something happens.
HAPPENINGS: Mapping[str, Story] = MappingProxyType(
    {
        "student-changes-school": _of_scenario(
            "student-changes-school",
            "The next day one student is at another school, in its sections, and stays there.",
            Night(_NEXT_NIGHT, begins=("student-changes-school",)),
        ),
        "teacher-becomes-staff": _of_scenario(
            "teacher-becomes-staff",
            "The next day one teacher is also on the staff: one user with two roles.",
            Night(_NEXT_NIGHT, begins=("teacher-becomes-staff",)),
        ),
        "section-ids-reused": _of_scenario(
            "section-ids-reused",
            "The next school year begins, and sections get SIS ids that other sections had last year. The API updates these"
            " sections instead of deleting and creating.",
            Night(days.next_year, begins=("section-ids-reused",)),
        ),
        "half-a-file": _of_scenario(
            "half-a-file",
            "The next night students.csv is cut off in the middle. The sync is held, and no record changes. The files of the"
            " night after are complete.",
            Night(_NEXT_NIGHT, only=("half-a-file",), is_trusted=False),
        ),
        "mass-deletion": _of_scenario(
            "mass-deletion",
            "The next night nine of ten students are missing. The sync is held until you approve it, discard it or move on.",
            Night(_NEXT_NIGHT, only=("mass-deletion",), is_trusted=False),
        ),
        "person-leaves": _of_scenario(
            "person-leaves",
            "The next day one student is gone, for good.",
            Night(_NEXT_NIGHT, begins=("person-leaves",)),
        ),
        "back-after-299-days": Story(
            "A person comes back after 299 days",
            "One student is gone the next day, and returns 299 days later with the same id. Ids are kept for 300 days.",
            (Night(_NEXT_NIGHT, only=("person-leaves",)), Night(later(299))),
        ),
        "back-after-301-days": Story(
            "A person comes back after 301 days",
            "One student is gone the next day, and returns 301 days later with a new id. Ids are kept for 300 days.",
            (Night(_NEXT_NIGHT, only=("person-leaves",)), Night(later(301))),
        ),
    }
)
STORIES: Mapping[str, Story] = MappingProxyType({**CALENDAR, **HAPPENINGS})
