"""Random places of a district for requests, drawn through the API, so that both databases get the same
requests."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from bench.load import Ask, Load, fetch
from bench.material import SEED

ADDRESSES = 5_000
PAGE, LARGE_PAGE = 100, 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """Ids of a district in order: its users, its sections, and the students of each school."""

    users: list[str]
    sections: list[str]
    students: dict[str, list[str]]

    def user_pages(self, limit: int) -> list[Ask]:
        """Full pages of users from random places of the list; a small district has only one page."""
        cursors = _some(self.users[:-limit] or self.users[:1])
        return [Ask(f"/v3.0/users?limit={limit}&starting_after={cursor}") for cursor in cursors]

    def single_users(self) -> list[Ask]:
        return [Ask(f"/v3.0/users/{id_}") for id_ in _some(self.users)]

    def section_users(self) -> list[Ask]:
        return [Ask(f"/v3.0/sections/{id_}/users") for id_ in _some(self.sections)]

    def school_students(self) -> list[Ask]:
        """Full pages of a school's students from random places of the list."""
        cursors = [(school, id_) for school, ids in self.students.items() for id_ in ids[:-PAGE] or ids[:1]]
        path = "/v3.0/schools/{}/users?role=student&limit=" + str(PAGE) + "&starting_after={}"
        return [Ask(path.format(school, cursor)) for school, cursor in _some(cursors)]


def draw(load: Load) -> Sample:
    """Read the district once."""
    users, students = [], defaultdict(list)
    for user in records(load, "users"):
        users.append(user["id"])
        for school in user["roles"].get("student", {}).get("schools", ()):
            students[school].append(user["id"])
    return Sample(users, [section["id"] for section in records(load, "sections")], students)


def records(load: Load, kind: str) -> Iterator[dict[str, Any]]:
    """All records of a list, in order."""
    path: str | None = f"/v3.0/{kind}?limit={LARGE_PAGE}"
    while path:
        body, _ = fetch(load, Ask(path))
        page = orjson.loads(body)
        yield from (element["data"] for element in page["data"])
        path = next((link["uri"] for link in page["links"] if link["rel"] == "next"), None)


def _some(places: list[T]) -> list[T]:
    return random.Random(SEED).choices(places, k=ADDRESSES)
