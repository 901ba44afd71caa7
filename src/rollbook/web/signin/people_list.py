"""A demo's people to choose from: filtered by search, role and school, with a heading for each role."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass

from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.domain.access import Access
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person
from rollbook.web.http.badge_sheet import TITLES

FIRST_OF_EACH = 4
SHOWN_MAX = 30
MATCHED_MAX = 2000
# The first grades of middle and high schools.
_LEVELS = (6, 9)

HEADINGS = {
    "student": "Students",
    "teacher": "Teachers",
    "staff": "School staff",
    "district_admin": "District administrators",
}


@dataclass(frozen=True, slots=True)
class Group:
    """People of one role, each as (id, name, titles, schools)."""

    title: str
    people: list[tuple[str, str, str, str]]


def choice(transaction: Transaction, access: Access, text: str, role: str, school: str) -> dict[str, object]:
    """The content of the page: the people, how many more there are, and the filters."""
    text, role = text[:100], role if role in LOGIN_ROLES else ""
    names = dict(people_lookup.schools(transaction, access))
    found = {
        each: _found(transaction, access, text, each, school, is_only=bool(role)) for each in _asked(role)
    }
    each_max = SHOWN_MAX if text or role else FIRST_OF_EACH
    shown = _shared_out({each: matched[:each_max] for each, matched in found.items()})
    return {
        "groups": [
            Group(HEADINGS[each], [_line(person, names) for person in chosen])
            for each, chosen in shown.items()
            if chosen
        ],
        "tally": _tally(sum(map(len, shown.values())), found, is_search=bool(text or role or school)),
        "schools": list(names.items()),
        "roles": list(TITLES.items()),
        "q": text,
        "role": role,
        "school": school,
    }


def titles(person: Person) -> list[str]:
    """What a person is, in words."""
    grade = person.record["roles"].get("student", {}).get("grade")
    return [
        f"{TITLES[role]}, grade {grade}" if role == "student" and grade else TITLES[role]
        for role in person.roles
    ]


def _asked(role: str) -> tuple[str, ...]:
    return (role,) if role else LOGIN_ROLES


def _found(
    transaction: Transaction, access: Access, text: str, role: str, school: str, *, is_only: bool
) -> list[Person]:
    """The people who match.

    A person with two roles stands under the first, unless only the other one was asked for.
    """
    matched = people_lookup.search(
        transaction, access, text=text, role=role, school=school, limit=MATCHED_MAX
    )
    if is_only:
        return matched
    matched = [person for person in matched if person.roles[0] == role]
    return matched if text else _levels_first(matched)


def _levels_first(matched: list[Person]) -> list[Person]:
    """The same people, with one of each level of school in front: first-graders and seniors have different
    sections."""
    first = {_level(person): person for person in reversed(matched)}
    front = {person.id: person for _, person in sorted(first.items())}
    return [*front.values(), *(person for person in matched if person.id not in front)]


def _level(person: Person) -> int:
    grade = person.record["roles"].get("student", {}).get("grade", "")
    return bisect(_LEVELS, int(grade)) if grade.isdecimal() else 0


def _shared_out(matched: dict[str, list[Person]]) -> dict[str, list[Person]]:
    """As many people as the page may show, taken from all roles in turn."""
    turns = sorted(
        (place, order, role) for order, role in enumerate(matched) for place in range(len(matched[role]))
    )
    taken = [role for _, _, role in turns[:SHOWN_MAX]]
    return {role: found[: taken.count(role)] for role, found in matched.items()}


def _tally(shown: int, found: dict[str, list[Person]], *, is_search: bool) -> str:
    """How many people are not shown; blank if all are."""
    total = sum(map(len, found.values()))
    if shown == total:
        return ""
    most = "more than " if any(len(matched) == MATCHED_MAX for matched in found.values()) else ""
    return f"{shown} of {most}{total:,} " + (
        "match; narrow the search." if is_search else "people; search for the others."
    )


def _line(person: Person, names: dict[str, str]) -> tuple[str, str, str, str]:
    return person.id, person.name, ", ".join(titles(person)), _where(person, names)


def _where(person: Person, names: dict[str, str]) -> str:
    ids = [id_ for role in person.roles for id_ in person.record["roles"][role].get("schools", ())]
    known = list(dict.fromkeys(names[id_] for id_ in ids if id_ in names))
    # Each name keeps its own direction (U+2068, U+2069), so that the comma stays between them.
    return ", ".join(name if name.isascii() else f"\u2068{name}\u2069" for name in known[:2]) + (
        " and others" if len(known) > 2 else ""
    )
