"""A cloned record cut down to what a view shows; one of which nothing is hidden stays as it came, to the
byte.

What is cut is the same as in a roster of files: people and roles that are not shared, their ids inside other
records, further schools, fields. All else stays, also what Rollbook does not know. Leaves what is shared to
`sharing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollbook.contract.clever.view_spec import Shown
from rollbook.domain.kinds import ROLES, Role
from rollbook.roster.views.diff import SOURCE_ROLES
from rollbook.roster.views.narrowing import kept_ids
from rollbook.roster.views.related_ids import SCHOOLED

# Kinds of which a view shows a record or does not; in between there are hidden fields only.
_WHOLE = ("schools", "terms", "courses", "resources")
# Kinds of records that have fields to hide, and how these are named.
_NAMED = {"schools": "school", "sections": "section"}


def records(shown: Shown) -> tuple[str, ...]:
    """SQL for (kind, id, roles, body) of what a view shows, from what `sharing.narrow` left."""
    if shown.shows_everybody:
        return (*(_some(kind, shown) for kind in (*_WHOLE, "sections")), _everybody(shown))
    return (*(_some(kind, shown) for kind in _WHOLE), _sections(shown), _people(shown))


# People ----------------------------------------------------------------------------------------------


def _everybody(shown: Shown) -> str:
    """All users, without the fields that the view hides; of a role that we do not know nothing is hidden
    here."""
    roles = _roles({role: [_hidden_of(role, shown)] for role in ROLES})
    return _cut(
        [_member("roles", roles), _email(shown)],
        "SELECT kind, id, roles, body FROM cloned WHERE kind = 'users'",
    )


def _people(shown: Shown) -> str:
    """Users with a role that is shared: without their other roles, schools and students that are not, and
    hidden fields."""
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
    """SQL for what is to change in each role that a user holds."""
    return [
        f"CASE WHEN roles & {role.bit} > 0 THEN {_member(role.name, members)} END"
        for role, members in parts.items()
    ]


def _hidden(name: str, at: str, shown: Shown) -> str:
    """SQL that takes the fields out of an object that the view hides of a role, or of a kind."""
    hidden = ", ".join(f"'{field}'" for field in shown.hidden_of(name))
    return _nulls(f"json_keys(body, '{at}')", f"name IN ({hidden})") if hidden else "NULL"


def _hidden_of(role: Role, shown: Shown) -> str:
    return _hidden(role.name, f"$.roles.{role.name}", shown)


def _email(shown: Shown) -> str:
    """SQL for the email, which stands beside the roles, and is blank where one of them hides it."""
    bits = sum(role.bit for role in ROLES if shown.hides(role.name, "email"))
    return f"""CASE WHEN roles & {bits} > 0 AND json_extract_string(body, '$.email') <> '' THEN '"email":""' END"""


# Sections --------------------------------------------------------------------------------------------


def _sections(shown: Shown) -> str:
    """Sections that are shared, without ids of people who are not."""
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


# Where the primary teacher is not shared, the first of those who are takes the place.
_TEACHERS = (
    "list_filter(json_extract_string(body, '$.teachers[*]'), lambda one, place: NOT "
    "list_contains(coalesce(teaching, []), place))"
)
_PRIMARY = f"""
    CASE WHEN json_type(body, '$.teacher') <> 'NULL'
          AND NOT coalesce(list_contains({_TEACHERS}, json_extract_string(body, '$.teacher')), false)
         THEN '"teacher":' || coalesce(to_json({_TEACHERS}[1]), 'null') END
"""


# A record, and what is to change in it ---------------------------------------------------------------
#
# Changes are members of a JSON merge patch (RFC 7396) as text, or NULL where nothing is to change; `null`
# takes a member out.


def _some(kind: str, shown: Shown) -> str:
    """SQL for the records of a kind that are shared, as they came but for hidden fields."""
    came = (
        f"SELECT kind, id, NULL AS roles, body FROM cloned SEMI JOIN {kind}_id USING (id) "
        f"WHERE kind = '{kind}'"
    )
    hidden = kind in _NAMED and any(field.startswith(f"{_NAMED[kind]}.") for field in shown.hidden)
    return _cut([_hidden(_NAMED[kind], "$", shown)], came) if hidden else came


def _unseen(name: str, owner: str, owners: str, id_: str) -> str:
    """SQL for the places in lists of what a view shows where somebody or something stands that it does not,
    by owner."""
    return f"""
        (FROM all_{name} UNION ALL FROM stray_{name}) t
        SEMI JOIN {owners} o ON o.id = t.{owner} ANTI JOIN {id_}s_id i ON i.id = t.{id_} GROUP BY {owner}
    """


def _cut(members: Sequence[str], of: str) -> str:
    """SQL for records with changes applied; one without changes stays as it came."""
    return f"""
        SELECT kind, id, roles,
               CASE WHEN changes IS NULL THEN body ELSE json_merge_patch(body, '{{' || changes || '}}')::VARCHAR END AS body
        FROM (SELECT *, {_joined(members)} AS changes FROM ({of}))
    """


def _member(name: str, members: Sequence[str]) -> str:
    """SQL for changes inside of an object."""
    return f"""'"{name}":{{' || {_joined(members)} || '}}'"""


def _joined(members: Sequence[str]) -> str:
    return _listed(f"[{', '.join(members)}]")


def _listed(texts: str) -> str:
    """SQL for the texts of a list with commas between, or NULL when there are none."""
    return f"list_aggregate({texts}, 'string_agg', ',')"


def _nulls(names: str, test: str) -> str:
    """SQL that takes those members out of an object, of the names that it has, for which a test on `name`
    holds."""
    return _listed(
        f"list_transform(list_filter({names}, lambda name: {test}), lambda name: to_json(name) || ':null')"
    )


def _left(at: str, name: str, unseen: str) -> str:
    """SQL that takes the elements at some places out of a list; what is no list is not to be seen at all."""
    path = f"{at}.{name}"
    seen = (
        f"list_filter(json_extract(body, '{path}[*]'), lambda one, place: NOT list_contains({unseen}, place))"
    )
    return f"""
        CASE WHEN {unseen} IS NOT NULL THEN '"{name}":' || to_json({seen})
             WHEN json_type(body, '{path}') NOT IN ('ARRAY', 'NULL') THEN '"{name}":[]' END
    """
