"""Redact a cloned record to what a view shows. A record with nothing to hide is kept byte for byte.

The same is cut as in a roster from files: unshared people and roles, their ids in other records, further
schools, and fields. All else stays, also fields that Rollbook does not know. `narrowing` decides what is
shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollbook.contract.clever.view_spec import Shown
from rollbook.domain.kinds import ROLES, Role
from rollbook.roster.views.diff import SOURCE_ROLES
from rollbook.roster.views.narrowing import kept_ids
from rollbook.roster.views.related_ids import SCHOOLED

# Kinds whose records a view shows or does not; besides that, only fields are hidden.
_WHOLE = ("schools", "terms", "courses", "resources")
# Kinds of records with fields to hide, and how the fields' names begin.
_NAMED = {"schools": "school", "sections": "section"}


def records(shown: Shown) -> tuple[str, ...]:
    """SQL for (kind, id, roles, body) of what a view shows, from the result of `narrowing.narrow`."""
    if shown.shows_everybody:
        return (*(_some(kind, shown) for kind in (*_WHOLE, "sections")), _everybody(shown))
    return (*(_some(kind, shown) for kind in _WHOLE), _sections(shown), _people(shown))


# People ----------------------------------------------------------------------------------------------


def _everybody(shown: Shown) -> str:
    """All users, without the fields that the view hides.

    Roles that we do not know have no hidden fields here.
    """
    roles = _roles({role: [_hidden_of(role, shown)] for role in ROLES})
    return _cut(
        [_member("roles", roles), _email(shown)],
        "SELECT kind, id, roles, body FROM cloned WHERE kind = 'users'",
    )


def _people(shown: Shown) -> str:
    """Users with a shared role, without their other roles, unshared schools and students, and hidden
    fields."""
    parts = {role: [_hidden_of(role, shown), *_lists_of(role)] for role in ROLES}
    is_held = " ".join(f"WHEN '{role.name}' THEN roles & {role.bit} > 0" for role in ROLES)
    roles = [_nulls("json_keys(body, '$.roles')", f"NOT CASE name {is_held} ELSE false END"), *_roles(parts)]
    held = (f"SELECT id, {role.bit} AS bit FROM {source}_id" for source, role in SOURCE_ROLES.items())
    schools = (f"list(position) FILTER (role = '{role}') AS {role}_schools" for role in SCHOOLED)
    people = f"""
        WITH held AS (SELECT id, bit_or(bit) AS roles FROM ({" UNION ALL ".join(held)}) GROUP BY id)
        SELECT * FROM (SELECT kind, id, body FROM cloned WHERE kind = 'users') JOIN held USING (id)
        LEFT JOIN (SELECT user AS id, {", ".join(schools)}
                   FROM {_unseen("user_schools", "user", "held", "school")}) USING (id)
        LEFT JOIN (SELECT user AS id, list(position) AS enrolled
                   FROM {_unseen("enrollments", "user", "held", "school")}) USING (id)
        LEFT JOIN (SELECT contact AS id, list(position) AS related
                   FROM {_unseen("contact_students", "contact", "held", "student")}) USING (id)
    """
    return _cut([_member("roles", roles), _email(shown)], people)


def _lists_of(role: Role) -> list[str]:
    """SQL for the lists inside a role that name schools and students."""
    at = f"$.roles.{role.name}"
    schools = [_left(at, "schools", f"{role.name}_schools")] if role.name in SCHOOLED else []
    if role.name == "student":
        return [*schools, _left(at, "enrollments", "enrolled")]
    if role.name == "contact":
        return [_left(at, "student_relationships", "related")]
    return schools


def _roles(parts: Mapping[Role, Sequence[str]]) -> list[str]:
    """SQL for the changes in each role of a user."""
    return [
        f"CASE WHEN roles & {role.bit} > 0 THEN {_member(role.name, members)} END"
        for role, members in parts.items()
    ]


def _hidden(name: str, at: str, shown: Shown) -> str:
    """SQL that removes a role's or a kind's hidden fields from an object."""
    hidden = ", ".join(f"'{field}'" for field in shown.hidden_of(name))
    return _nulls(f"json_keys(body, '{at}')", f"name IN ({hidden})") if hidden else "NULL"


def _hidden_of(role: Role, shown: Shown) -> str:
    return _hidden(role.name, f"$.roles.{role.name}", shown)


def _email(shown: Shown) -> str:
    """SQL for the email beside the roles; blank if one of the roles hides it."""
    bits = sum(role.bit for role in ROLES if shown.hides(role.name, "email"))
    return f"""CASE WHEN roles & {bits} > 0 AND json_extract_string(body, '$.email') <> '' THEN '"email":""' END"""


# Sections --------------------------------------------------------------------------------------------


def _sections(shown: Shown) -> str:
    """Shared sections, without ids of unshared people."""
    left_in = kept_ids(shown.scopes) if shown.keeps_ids else ()
    students = () if "students" in left_in else (_left("$", "students", "learning"),)
    teachers = () if "teachers" in left_in else (_left("$", "teachers", "teaching"), _PRIMARY)
    if not (students or teachers):
        return _some("sections", shown)
    sections = f"""
        SELECT * FROM ({_some("sections", shown)})
        LEFT JOIN (SELECT section AS id, list(position) AS learning
                   FROM {_unseen("section_students", "section", "sections_id", "student")}) USING (id)
        LEFT JOIN (SELECT section AS id, list(position) AS teaching
                   FROM {_unseen("section_teachers", "section", "sections_id", "teacher")}) USING (id)
    """
    return _cut([*students, *teachers], sections)


# If the primary teacher is not shared, the first shared teacher takes the place.
_TEACHERS = (
    "list_filter(json_extract_string(body, '$.teachers[*]'), lambda one, place: NOT "
    "list_contains(coalesce(teaching, []), place))"
)
_PRIMARY = f"""
    CASE WHEN json_type(body, '$.teacher') <> 'NULL'
          AND NOT coalesce(list_contains({_TEACHERS}, json_extract_string(body, '$.teacher')), false)
         THEN '"teacher":' || coalesce(to_json({_TEACHERS}[1]), 'null') END
"""


# A record, and its changes ---------------------------------------------------------------------------
# Changes are members of a JSON merge patch (RFC 7396) as text, or NULL if nothing changes; `null` removes a
# member.


def _some(kind: str, shown: Shown) -> str:
    """SQL for the shared records of a kind, unchanged except for hidden fields."""
    came = (
        f"SELECT kind, id, NULL AS roles, body FROM cloned SEMI JOIN {kind}_id USING (id) "
        f"WHERE kind = '{kind}'"
    )
    hidden = kind in _NAMED and any(field.startswith(f"{_NAMED[kind]}.") for field in shown.hidden)
    return _cut([_hidden(_NAMED[kind], "$", shown)], came) if hidden else came


def _unseen(name: str, owner: str, owners: str, id_: str) -> str:
    """SQL for the positions in lists of shown records at which an unshared record stands, by owner."""
    return f"""
        (FROM all_{name} UNION ALL FROM stray_{name}) t
        SEMI JOIN {owners} o ON o.id = t.{owner} ANTI JOIN {id_}s_id i ON i.id = t.{id_} GROUP BY {owner}
    """


def _cut(members: Sequence[str], of: str) -> str:
    """SQL for records with changes applied; a record without changes stays the same text."""
    return f"""
        SELECT kind, id, roles,
               CASE WHEN changes IS NULL THEN body ELSE json_merge_patch(body, '{{' || changes || '}}')::VARCHAR END AS body
        FROM (SELECT *, {_joined(members)} AS changes FROM ({of}))
    """


def _member(name: str, members: Sequence[str]) -> str:
    """SQL for changes inside an object."""
    return f"""'"{name}":{{' || {_joined(members)} || '}}'"""


def _joined(members: Sequence[str]) -> str:
    return _listed(f"[{', '.join(members)}]")


def _listed(texts: str) -> str:
    """SQL for the texts of a list, separated by commas; NULL if there are none."""
    return f"list_aggregate({texts}, 'string_agg', ',')"


def _nulls(names: str, test: str) -> str:
    """SQL that removes the given members from an object if a test on `name` holds."""
    return _listed(
        f"list_transform(list_filter({names}, lambda name: {test}), lambda name: to_json(name) || ':null')"
    )


def _left(at: str, name: str, unseen: str) -> str:
    """SQL that removes the elements at some positions from a list.

    A value that is not a list is hidden entirely.
    """
    path = f"{at}.{name}"
    seen = (
        f"list_filter(json_extract(body, '{path}[*]'), lambda one, place: NOT list_contains({unseen}, place))"
    )
    return f"""
        CASE WHEN {unseen} IS NOT NULL THEN '"{name}":' || to_json({seen})
             WHEN json_type(body, '{path}') NOT IN ('ARRAY', 'NULL') THEN '"{name}":[]' END
    """
