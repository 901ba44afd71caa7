"""Events: the verbs, the order in which a batch is published, and the form of a record in an event.

The documented order (events API): created and updated records are published parents first, deleted records
children first. A person with several roles stands at the first role in `ORDER` that has schools, so no event
names a school before that school exists.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rollbook.domain.kinds import KINDS, ROLE

VERBS = ("created", "updated", "deleted")
TYPES = tuple(f"{kind.name}.{verb}" for kind in KINDS for verb in VERBS)

# The order of publishing: a kind and, for users, a role.
ORDER: tuple[tuple[str, str | None], ...] = (
    ("districts", None),
    ("users", "district_admin"),
    ("schools", None),
    ("terms", None),
    ("courses", None),
    ("resources", None),
    ("users", "student"),
    ("users", "contact"),
    ("users", "teacher"),
    ("sections", None),
    ("users", "staff"),
)
# The order in which a record's place is looked for. An administrator who also teaches has schools, and stands
# with the teachers.
PLACES = tuple(sorted(enumerate(ORDER), key=lambda entry: entry[1][1] == "district_admin"))
DATES = ("created", "last_modified", "updated")
CONTACT = "district_contact"


def rank(kind: str, roles: int, verb: str) -> int:
    """The place of an event in its batch: a smaller rank is published first.

    People without a known role come last.
    """
    fits = (
        place for place, (name, role) in PLACES if name == kind and (role is None or ROLE[role].bit & roles)
    )
    place = next(fits, len(ORDER) - 1)
    return VERBS.index(verb) * 100 + (len(ORDER) - place if verb == "deleted" else place)


def shown(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record as an event shows it. The recorded events differ from the Data API (data-model.md 1.6).

    A student's role has no inner email, and a contact's role has the keys of version 2 as well. A cloned
    record may lack fields that ours always have, or hold null.
    """
    if kind != "users" or not record.get("roles"):
        return record
    roles = dict(record["roles"])
    if roles.get("student"):
        roles["student"] = {name: value for name, value in roles["student"].items() if name != "email"}
    if roles.get("contact"):
        related = roles["contact"].get("student_relationships") or []
        first = related[0] if related else {}
        roles["contact"] = {
            **roles["contact"],
            "relationship": first.get("relationship", ""),
            "type": first.get("type", ""),
            "students": [entry.get("student", "") for entry in related],
        }
    return {**record, "roles": roles}


def previous_attributes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The old values of the fields that differ; empty if only dates differ.

    Only `ext` and a user's `roles.<role>` are nested. `name`, `location` and lists, also a resource's list of
    roles, are given whole (recorded). A field that was absent before is "", [] or {}, by the type of its new
    value; the wire never has null.
    """
    nested = {name for name in ("ext", "roles") if _is_map(before.get(name)) and _is_map(after.get(name))}
    changed = _old_leaves(before, after, without=(*DATES, *nested))
    if "ext" in nested and before.get("ext") != after.get("ext"):
        changed["ext"] = _old_leaves(before.get("ext") or {}, after.get("ext") or {})
    roles = _old_roles(before.get("roles") or {}, after.get("roles") or {}) if "roles" in nested else {}
    return {**changed, "roles": roles} if roles else changed


def _is_map(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _old_roles(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    old: dict[str, Any] = {}
    for role in {**before, **after}:
        was, now = before.get(role), after.get(role)
        if was is None or now is None:
            old[role] = was or {}
        elif was != now:
            old[role] = _old_leaves(was, now, without=("ext",))
            if was.get("ext") != now.get("ext"):
                old[role]["ext"] = _old_leaves(was.get("ext") or {}, now.get("ext") or {})
    return old


def _old_leaves(
    before: dict[str, Any], after: dict[str, Any], without: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        name: before.get(name, type(after.get(name, ""))())
        for name in {**before, **after}
        if name not in without and before.get(name) != after.get(name)
    }


def veiled(
    kind: str, previous: dict[str, Any], hidden: Collection[str], hidden_roles: Collection[str] = ()
) -> dict[str, Any]:
    """The previous attributes, with the values of hidden fields (such as `student.dob`) made blank.

    Values of `hidden_roles` are blanked as well, with the name and email that came with such a role. So is a
    district's former contact: this person may no longer be shared.
    """
    if kind == "districts" and CONTACT in previous:
        return {**previous, CONTACT: {}}
    if kind != "users":
        return _blanked(kind.removesuffix("s"), previous, hidden)
    roles = {
        role: {} if role in hidden_roles else _blanked(role, held, hidden)
        for role, held in previous.get("roles", {}).items()
        if role not in hidden
    }
    email = (
        {"email": ""} if "email" in previous and _hides_email(roles or ("student", "contact"), hidden) else {}
    )
    others = {
        name: type(value)() if hidden_roles else value for name, value in previous.items() if name != "roles"
    }
    return {**others, **email, **({"roles": roles} if roles else {})}


def roles_gone(kind: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The roles that a person had before and has no longer."""
    return (
        [role for role in before.get("roles") or {} if role not in (after.get("roles") or {})]
        if kind == "users"
        else []
    )


def _blanked(role: str, held: dict[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    return {name: type(value)() if f"{role}.{name}" in hidden else value for name, value in held.items()}


def cut(kind: str, record: dict[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    """An earlier record, without the fields that are hidden now."""
    if kind != "users":
        return {
            name: value for name, value in record.items() if f"{kind.removesuffix('s')}.{name}" not in hidden
        }
    if not record.get("roles"):
        return record
    roles = {
        role: {name: value for name, value in (held or {}).items() if f"{role}.{name}" not in hidden}
        for role, held in record["roles"].items()
        if role not in hidden
    }
    email = {"email": ""} if "email" in record and _hides_email(roles, hidden) else {}
    return {**record, **email, "roles": roles}


def _hides_email(roles: Collection[str], hidden: Collection[str]) -> bool:
    """Whether the email beside the roles is hidden.

    Only a person with a single role has fields that can hide it.
    """
    return any(f"{role}.email" in hidden for role in roles)


def schools_of(kind: str, record: dict[str, Any]) -> list[str]:
    """The school ids by which an event is found: the record's own school, or all schools of a person.

    Other kinds have none.
    """
    if kind == "schools":
        return [record["id"]]
    if kind == "sections":
        return [record["school"]] if record.get("school") else []
    if kind != "users":
        return []
    held = [role for role in (record.get("roles") or {}).values() if role]
    return sorted({school for role in held for school in role.get("schools") or [] if school})
