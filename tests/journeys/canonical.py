"""A roster with names in place of ids and without dates: rosters of the same files are then equal on every
server."""

from __future__ import annotations

import json
import re
from typing import Any

Lists = dict[str, list[Any]]

ID = re.compile(r"[0-9a-f]{24}")
# Fields that differ between two servers, or two syncs, of the same files.
OWN = {"created", "last_modified", "updated", "last_sync", "launch_date", "portal_url", "legacy_id"}
# Lists of ids in the order of ids.
BY_ID = {"students", "schools"}


def canonical(lists: Lists) -> dict[str, list[str]]:
    """Each list by its path, with names for ids and without dates, in the order of the records' text."""
    names = _names(lists)
    assert len(set(names.values())) == len(names), "two records of one name"
    return {
        ID.sub(lambda found: f"<{names[found[0]]}>", path): sorted(
            json.dumps(_told(record, names)) for record in records
        )
        for path, records in lists.items()
    }


def _names(lists: Lists) -> dict[str, str]:
    names = {
        record["id"]: f"{kind} {record['sis_id']}"
        for kind in ("schools", "sections")
        for record in lists[f"/v3.0/{kind}"]
    }
    names |= {record["id"]: "district" for record in lists["/v3.0/districts"]}
    names |= {record["id"]: f"resource {record['resource_id']}" for record in lists["/v3.0/resources"]}
    names |= {
        course["id"]: f"course {course.get('number')} {course['name']}" for course in lists["/v3.0/courses"]
    }
    for term in lists["/v3.0/terms"]:
        names[term["id"]] = f"term {term['name']} {term.get('start_date')} {term.get('end_date')}"
    users = lists["/v3.0/users"]
    names |= {user["id"]: _person(user) for user in users if "contact" not in user["roles"]}
    # A contact without a SIS id is named by its relationship and student.
    return names | {user["id"]: _contact(user, names) for user in users if "contact" in user["roles"]}


def _person(user: Any) -> str:
    keys = {"student": "sis_id", "teacher": "sis_id", "staff": "staff_id", "district_admin": "title"}
    parts = [f"{role} {held[keys[role]]}" for role, held in sorted(user["roles"].items())]
    return " + ".join([*parts, user["email"]])


def _contact(user: Any, names: dict[str, str]) -> str:
    role = user["roles"]["contact"]
    students = sorted(names[entry["student"]] for entry in role["student_relationships"])
    return (
        f"contact {role.get('sis_id')} {user['name']['last']} {user['email']} "
        f"{role.get('phone')} of {students}"
    )


def _told(value: Any, names: dict[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _told(child, names, name) for name, child in value.items() if name not in OWN}
    if isinstance(value, list):
        told = [_told(child, names) for child in value]
        return sorted(told) if key in BY_ID else told
    return names.get(value, value) if isinstance(value, str) else value
