"""The page of badges to print: for each person a name, a QR code to the sign-in page, and the letters to type
instead.

Badges are cut apart, so each names its school and district, and the address at which to type its letters. The
pages go to classrooms, so each school and grade begins a new sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import segno
from markupsafe import Markup

from rollbook.contract.clever.fields import GRADES
from rollbook.store.records.people_lookup import Person
from rollbook.web.http.static_files import ROOT
from rollbook.web.http.templates import environment

_GROUP = 4
TITLES = {
    "student": "Student",
    "teacher": "Teacher",
    "staff": "School staff",
    "district_admin": "District administrator",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """One badge, as the page shows it."""

    name: str
    what: str
    school: str
    square: Markup
    letters: str


def page(district: str, base: str, schools: Mapping[str, str], given: list[tuple[Person, str]]) -> str:
    """The page as HTML that needs no other file.

    `schools` has the school names by id, `base` is the server's address.
    """
    badges = [
        _badge(base, schools, person, code)
        for person, code in sorted(given, key=lambda one: _sheet(schools, one[0]))
    ]
    sheets = [
        (school, what, list(found)) for (school, what), found in groupby(badges, attrgetter("school", "what"))
    ]
    style = Markup((ROOT / "signin/badges.css").read_text("utf-8"))  # noqa: S704 - our own file
    address = base.partition("://")[2]
    return (
        environment(in_demo=False)
        .get_template("signin/badges.html")
        .render(district=district, address=address, sheets=sheets, style=style)
    )


def _sheet(schools: Mapping[str, str], person: Person) -> tuple[str, int, str, str]:
    """The sheet and order of a badge: by school, then by grade or role, then by name."""
    return _school(schools, person), GRADES.index(_grade(person)), _what(person), person.name.casefold()


def _badge(base: str, schools: Mapping[str, str], person: Person, code: str) -> Badge:
    return Badge(
        person.name, _what(person), _school(schools, person), _square(f"{base}/badge#{code}"), _grouped(code)
    )


def _what(person: Person) -> str:
    grade = _grade(person)
    return f"Grade {grade}" if grade else TITLES[person.roles[0]]


def _grade(person: Person) -> str:
    grade = person.record["roles"].get("student", {}).get("grade") or ""
    return grade if grade in GRADES else ""


def _school(schools: Mapping[str, str], person: Person) -> str:
    """The name of the person's primary school, else of their first school.

    Blank for people of the whole district.
    """
    held = person.record["roles"][person.roles[0]]
    ids = [held.get("school"), *held.get("schools", ())]
    return next((schools[id_] for id_ in ids if id_ in schools), "")


def _square(address: str) -> Markup:
    """A QR code (ISO/IEC 18004) as SVG. Level M still reads when a badge is scratched or creased."""
    svg = segno.make(address, error="m", micro=False).svg_inline(scale=3, border=4, omitsize=True)
    return Markup(svg)  # noqa: S704 - made of an address of ours


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
