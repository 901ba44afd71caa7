"""The expected content of every list, computed in plain Python from the whole lists of records and
resources.csv.

It follows the documented rules (who is in which section, who belongs to which school), not the contract's
rows. A test with those rows would repeat their mistakes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.hub import Client

Record = dict[str, Any]

KINDS = ("courses", "districts", "resources", "schools", "sections", "terms", "users")
SCHOOL_ROLES = ("student", "teacher", "staff")


@dataclass(frozen=True)
class Roster:
    """All records by kind and id, and the courses of each resource."""

    records: dict[str, dict[str, Record]]
    courses_of: dict[str, set[str]]

    def with_role(self, role: str) -> set[str]:
        return {id_ for id_, user in self.records["users"].items() if role in user["roles"]}

    def related(self, path: str, id_: str, *, role: str | None = None, primary: bool = False) -> set[str]:
        """Ids in the list at a path such as `/schools/{id}/users`."""
        _, kind, _, tail = path.split("/")
        record = self.records[kind][id_]
        match kind, tail:
            case "schools", "users":
                return {
                    user
                    for user in self.records["users"]
                    if id_ in self._schools(user, role, primary=primary)
                }
            case "sections", "users":
                return _people(record, role)
            case "resources", "users":
                return self._users_of_resource(record, role)
            case "users", "schools":
                # A contact's schools are those of the students.
                people = {id_} | self._related_students(id_)
                return {
                    school for person in people for school in self._schools(person, None, primary=primary)
                }
            case "users", "mycontacts":
                return {
                    contact for contact in self.with_role("contact") if id_ in self._related_students(contact)
                }
            case "users", "mystudents":
                taught = self._sections(lambda section: id_ in section["teachers"])
                return {
                    student for section in taught for student in section["students"]
                } | self._related_students(id_)
            case "users", "myteachers":
                learned = self._sections(lambda section: id_ in section["students"])
                return {teacher for section in learned for teacher in section["teachers"]}
            case "users", "resources":
                return {
                    resource
                    for resource, shown in self.records["resources"].items()
                    for role in shown["roles"]
                    if id_ in self._users_of_resource(shown, role)
                }
            case "courses" | "sections", "resources":
                course = id_ if kind == "courses" else record.get("course")
                return {resource for resource, courses in self.courses_of.items() if course in courses}
            case "resources", "courses":
                return self.courses_of[id_]
        sections = self._sections(lambda section: self._holds(section, kind, id_))
        field = {"schools": "school", "terms": "term_id", "courses": "course", "sections": "id"}[tail]
        return {section[field] for section in sections if section.get(field)}

    def _holds(self, section: Record, kind: str, id_: str) -> bool:
        """Whether a section belongs to a school, a term, a course, a user or a resource."""
        if kind == "users":
            return id_ in _people(section, None)
        if kind == "resources":
            return section.get("course") in self.courses_of[id_]
        return bool(section.get({"schools": "school", "terms": "term_id", "courses": "course"}[kind]) == id_)

    def _sections(self, wanted: Any) -> list[Record]:
        return [section for section in self.records["sections"].values() if wanted(section)]

    def _related_students(self, contact: str) -> set[str]:
        role = self.records["users"][contact]["roles"].get("contact", {})
        return {relationship["student"] for relationship in role.get("student_relationships", ())}

    def _schools(self, user: str, only: str | None, *, primary: bool) -> set[str]:
        """Schools of a user, or of one role of the user. Staff have no primary school, so they keep all."""
        roles = self.records["users"][user]["roles"]
        found: set[str] = set()
        for role in (only,) if only else SCHOOL_ROLES:
            if role in roles:
                found.update(
                    [roles[role]["school"]] if primary and role != "staff" else roles[role]["schools"]
                )
        return found

    def _users_of_resource(self, resource: Record, only: str | None) -> set[str]:
        courses = self.courses_of[resource["id"]]
        sections = self._sections(lambda section: section.get("course") in courses)
        roles = [role for role in resource["roles"] if only in (None, role)]
        return {user for section in sections for role in roles for user in section[f"{role}s"]}


def read_roster(client: Client, resources_csv: Path) -> Roster:
    """The whole district as its seven lists show it."""
    records = {kind: {record["id"]: record for record in client.records(f"/v3.0/{kind}")} for kind in KINDS}
    ids = {record["resource_id"]: id_ for id_, record in records["resources"].items()}
    courses_of: dict[str, set[str]] = {id_: set() for id_ in records["resources"]}
    with resources_csv.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            name, number = row["Course_name"], row["Course_number"]
            for id_, course in records["courses"].items():
                if (name or number) and name in ("", course["name"]) and number in ("", course["number"]):
                    courses_of[ids[row["Resource_id"]]].add(id_)
    return Roster(records, courses_of)


def _people(section: Record, role: str | None) -> set[str]:
    roles: Iterable[str] = ("student", "teacher") if role is None else (role,)
    return {user for name in roles for user in section[f"{name}s"]}
