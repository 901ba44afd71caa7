"""Schools and sections of a district: lists with counts, and who is in a section."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlencode

import orjson

from rollbook.operations import people_browsing, places_browsing
from rollbook.operations.places_browsing import Place
from rollbook.store.records.school_lists import LACKS
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

SCHOOL_HEADS = ("id", "name", "sis id", "grades", "students", "teachers", "staff", "sections")
SECTION_HEADS = ("id", "name", "sis id", "school", "term", "teachers", "students", "lacks")
MEMBER_HEADS = ("role", "id", "name", "roles")


def schools(console: Console, ask: Ask) -> Shown:
    """All schools, with their numbers of people and sections; those that have none stand out."""
    found = places_browsing.schools(console.database, ask.district.id)
    return Shown(
        "schools.html",
        {"schools": [asdict(one) for one in found], "place": ask.place},
        rows=[SCHOOL_HEADS, *(tuple(asdict(one).values()) for one in found)],
    )


def school(console: Console, ask: Ask) -> Shown:
    """One school: its numbers, with links to its people and sections, and its record."""
    found = places_browsing.school(console.database, ask.district.id, ask.visit.parts["id"])
    return Shown("school.html", {"school": asdict(found), **_beside(ask, found)}, leave_out=("json", "place"))


def sections(console: Console, ask: Ask) -> Shown:
    """The sections that meet all filters, page by page."""
    wanted = {name: ask.asked(name) for name in ("text", "school", "only")}
    found, after = places_browsing.sections(
        console.database,
        ask.district.id,
        text=wanted["text"],
        school=wanted["school"],
        lacks=wanted["only"],
        after=ask.asked("after"),
    )
    rows = [(*list(asdict(one).values())[:-1], ", ".join(one.lacks)) for one in found]
    return Shown(
        "sections.html",
        {
            "sections": [asdict(one) for one in found],
            "after": after,
            "wanted": wanted,
            "query": urlencode({name: value for name, value in wanted.items() if value}),
            "schools": people_browsing.schools(console.database, ask.district.id),
            "choices": tuple(LACKS),
            "place": ask.place,
        },
        rows=[SECTION_HEADS, *rows],
        leave_out=("schools", "choices", "place", "query"),
    )


def section(console: Console, ask: Ask) -> Shown:
    """One section: when and where it is, its teachers and students, and its record."""
    found = places_browsing.section(console.database, ask.district.id, ask.visit.parts["id"])
    members = [
        (role, *each)
        for role, people in (("teacher", found.teachers), ("student", found.students))
        for each in people
    ]
    return Shown(
        "section.html",
        {"section": asdict(found), **_beside(ask, found)},
        rows=[MEMBER_HEADS, *members],
        leave_out=("json", "place"),
    )


def _beside(ask: Ask, found: Place) -> dict[str, str]:
    return {"json": orjson.dumps(found.record, option=orjson.OPT_INDENT_2).decode(), "place": ask.place}


_AT = "/console/d/{slug}"
PAGES = (
    Page("schools", f"{_AT}/schools", "see people", schools, title="Schools", group="District"),
    Page("school", f"{_AT}/schools/{{id}}", "see people", school),
    Page("sections", f"{_AT}/sections", "see people", sections, title="Sections", group="District"),
    Page("section", f"{_AT}/sections/{{id}}", "see people", section),
)
