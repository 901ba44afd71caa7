"""The SQL that makes a roster's records as JSON, from the rows of `contract.clever.fields`.

A column that the district does not send is NULL in the roster tables, and its key is left out; a blank cell
gives "". Emails and credentials are always present, because clients in use fail without them
(protocol.md 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollbook.contract.clever.fields import FIRST, SHAPES
from rollbook.contract.clever.view_spec import SCOPE_OF, Shown
from rollbook.domain.kinds import ROLE
from rollbook.roster.views import merging


def schools(values: Mapping[str, str], shown: Shown) -> str:
    members = {**values, "location": _whole("Location"), "principal": _whole("Principal"), "ext": _EXT}
    core = _core("School", members, without=shown.hidden_of("school"))
    return f"SELECT 'schools', i.id, NULL, {core} FROM roster_schools t JOIN schools_id i USING (key)"


def terms(values: Mapping[str, str]) -> str:
    return (
        f"SELECT 'terms', i.id, NULL, {_core('Term', values)} FROM roster_terms t JOIN terms_id i USING (key)"
    )


def courses(values: Mapping[str, str]) -> str:
    return (
        f"SELECT 'courses', i.id, NULL, {_core('Course', values)} FROM roster_courses t JOIN "
        "courses_id i USING (key)"
    )


def resources(values: Mapping[str, str]) -> str:
    shown = {**values, "roles": "to_json(t.roles)"}
    core = _core("Resource", shown)
    return f"SELECT 'resources', i.id, NULL, {core} FROM roster_resources t JOIN resources_id i USING (key)"


def sections(values: Mapping[str, str], shown: Shown) -> str:
    members = {
        **values,
        "school": _quoted("i.school"),
        "course": _quoted("i.course"),
        "term_id": _quoted("i.term"),
        "teacher": _quoted("p.teacher"),
        "teachers": "coalesce(p.teachers, '[]')",
        "students": "coalesce(m.students, '[]')",
        "ext": _EXT,
    }
    return f"""
        WITH m AS (SELECT section, {_id_array("student", "student")} AS students
                   FROM section_students WHERE within(section) GROUP BY section),
             p AS (SELECT section, {_id_array("teacher", "position")} AS teachers, arg_min(teacher, position) AS teacher
                   FROM section_teachers WHERE within(section) GROUP BY section)
        SELECT 'sections', i.id, NULL, {_core("Section", members, without=shown.hidden_of("section"))}
        FROM roster_sections t JOIN sections_id s USING (key) JOIN section_places i ON i.id = s.id
        LEFT JOIN m ON m.section = s.id LEFT JOIN p ON p.section = s.id WHERE within(s.id)
    """


def _id_array(column: str, order: str) -> str:
    """SQL aggregate for a JSON array of ids. To sort a list costs half of an aggregate in order."""
    if column == order:
        return f"""'["' || array_to_string(list_sort(list({column})), '","') || '"]'"""
    return f"""'["' || string_agg({column}, '","' ORDER BY {order}) || '"]'"""


# Tables about people besides their own columns.
# Most contacts belong to one student, and need no order.
_RELATIONSHIP = """
    '{' || concat_ws(',', '"student":"' || student || '"', '"relationship":' || to_json(relationship),
        '"type":' || to_json(type)) || '}'
"""
_PEOPLE = f"""
    WITH school_lists AS (
        SELECT role, user, {_id_array("school", "school")} AS schools FROM user_schools WHERE within(user) GROUP BY role, user
    ), several AS (
        SELECT contact FROM contact_students WHERE within(contact) GROUP BY contact HAVING count(*) > 1
    ), relationships AS (
        -- A district that does not send the column of one part still says who belongs to whom.
        SELECT contact, '[' || {_RELATIONSHIP} || ']' AS relationships
        FROM contact_students ANTI JOIN several USING (contact) WHERE within(contact)
        UNION ALL
        SELECT contact, '[' || string_agg({_RELATIONSHIP}, ','
            -- Not by the place of the rows: where they change places, nothing is published.
            ORDER BY student, type, relationship, position) || ']'
        FROM contact_students SEMI JOIN several USING (contact) GROUP BY contact
    )
"""
# All people of the roles that merge into one person.
MERGING_IDS = f"({' UNION ALL '.join(f'SELECT id FROM all_{source}_id' for source in merging.SOURCES)})"
_PERSON = {"email": "to_json(coalesce(i.email, ''))", "name": "i.name", "roles": "'{' || i.role_json || '}'"}


def single(role: str, values: Mapping[str, str], shown: Shown, version: str = FIRST) -> str:
    """All people of a role that never merges with another."""
    return (
        f"{_PEOPLE} SELECT 'users', i.id, i.bit, {_core('User', {**values, **_PERSON})} FROM "
        f"({_part(role, shown, version)}) i"
    )


def merged(values: Mapping[str, str], shown: Shown) -> str:
    """All other people: one part for each role, then one record for each person.

    The first role in order gives name and email.
    """
    parts = " UNION ALL ".join(_part(role, shown) for role in ("teacher", "staff", "district_admin"))
    return f"""
        {_PEOPLE}, person AS (
            SELECT id, sum(bit) AS roles, arg_min(email, bit) AS email, arg_min(name, bit) AS name,
                   string_agg(role_json, ',' ORDER BY bit) AS role_json
            FROM ({parts}) GROUP BY id)
        SELECT 'users', i.id, i.roles, {_core("User", {**values, **_PERSON})} FROM person i
    """


@dataclass(frozen=True, slots=True)
class _Part:
    """One role's rows in the roster tables: its source, the JSON that does not come from its columns, and the
    joins."""

    source: str
    values: Mapping[str, str]
    joins: str = ""
    name: str = ""


_EXT = "coalesce(t.ext, '{}')"
_CREDENTIALS = "'{\"district_username\":' || to_json(coalesce(t.district_username, '')) || '}'"
_SCHOOLS = "coalesce(k.schools, '[]')"


def _home(role: str) -> str:
    return f" JOIN home_schools h ON h.role = '{role}' AND h.user = i.id"


def _school_lists(role: str) -> str:
    return f" LEFT JOIN school_lists k ON k.role = '{role}' AND k.user = i.id"


def _parts() -> dict[str, _Part]:
    homed = {"credentials": _CREDENTIALS, "school": _quoted("h.school"), "schools": _SCHOOLS, "ext": _EXT}
    # Derived spans of enrollment need a later setting; the recorded wire shows an empty list (data-model.md
    # 2.9).
    return {
        "student": _Part(
            "students",
            {**homed, "email": "to_json(coalesce(t.email, ''))", "enrollments": "'[]'"},
            _home("student") + _school_lists("student"),
        ),
        "teacher": _Part("teachers", homed, _home("teacher") + _school_lists("teacher")),
        "staff": _Part(
            "staff",
            {"credentials": _CREDENTIALS, "roles": "to_json([t.role])", "schools": _SCHOOLS, "ext": "t.ext"},
            _school_lists("staff"),
        ),
        "district_admin": _Part(
            "district_admins",
            {},
            name=_object(["'\"first\":' || to_json(t.first)", "'\"last\":' || to_json(t.last)"]),
        ),
        # A contact has only one name, the full one (data-model.md 1.6).
        "contact": _Part(
            "contacts",
            {"student_relationships": "coalesce(r.relationships, '[]')"},
            " LEFT JOIN relationships r ON r.contact = i.id",
            name=_object(["'\"last\":' || to_json(t.name)"]),
        ),
    }


def _part(name: str, shown: Shown, version: str = FIRST) -> str:
    """SQL for all people with a role: (id, bit, email, name, role_json)."""
    role, part = ROLE[name], _parts()[name]
    values = {
        **part.values,
        "legacy_id": _quoted("i.legacy_id"),
        "location": _whole("Location"),
        **_sensitive(version),
    }
    members = _members(role.shape, values, without=shown.hidden_of(name), version=version)
    role_json = f"""'"{name}":' || {_object(members)}"""
    email = "NULL::VARCHAR" if shown.hides(name, "email") else "t.email"
    return f"""
        SELECT i.id, {role.bit} AS bit, {email} AS email, {part.name or _whole("Name")} AS name, {role_json} AS role_json
        FROM roster_{part.source} t JOIN {part.source}_id i USING (key){part.joins} WHERE within(i.id)
    """


def _sensitive(version: str) -> dict[str, str]:
    """SQL by field: a value that a version has no word for is blank there (data-model.md 4.6 and 4.10)."""
    words = {
        field.name: _known(f"t.{_quote_name(field.column)}", field.words(version))
        for field in SHAPES["Student"]
        if field.later and field.enum
    }
    return {
        **words,
        # An unknown part is left out: its enum has no blank value (data-model.md 4.9).
        "disability": _known_parts("Disability"),
        "preferred_name": _whole("PreferredName"),
    }


def _core(shape: str, values: Mapping[str, str], *, without: Sequence[str] = ()) -> str:
    """SQL for a record without its dates and closing brace. Its id is in `i.id`, its columns are in `t`."""
    # Sensitive fields belong to roles.
    left_out = ("created", "last_modified", "updated", *SCOPE_OF, *without)
    members = _members(shape, {**values, "id": _quoted("i.id")}, without=left_out)
    return f"'{{' || concat_ws(',', {', '.join(members)})"


def _members(
    shape: str, values: Mapping[str, str], *, without: tuple[str, ...] = (), version: str = FIRST
) -> list[str]:
    """SQL for each member of a shape, as `"name":value`, or NULL if the record lacks the key.

    `values` gives the JSON of fields that are not simply their column in `t`.
    """
    return [
        f"'\"{field.name}\":' || {values.get(field.name) or f'to_json(t.{_quote_name(field.column)})'}"
        for field in SHAPES[shape]
        if field.is_on_wire
        and field.is_in(version)
        and field.name not in without
        and (field.name in values or field.column)
    ]


def _object(members: list[str]) -> str:
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"


def _whole(shape: str) -> str:
    """SQL for an object with all its parts, blank ones as ""; the object is left out if none of its columns
    is sent."""
    fields = [field for field in SHAPES[shape] if field.is_on_wire and field.column]
    columns = [f"t.{_quote_name(field.column)}" for field in fields]
    parts = [
        f"'\"{field.name}\":' || to_json(coalesce({column}, ''))"
        for field, column in zip(fields, columns, strict=True)
    ]
    return f"CASE WHEN coalesce({', '.join(columns)}) IS NOT NULL THEN {_object(parts)} END"


def _known_parts(shape: str) -> str:
    """SQL for an object with its parts that are not blank; the object is left out if all are blank."""
    columns = {field.name: f"nullif(t.{_quote_name(field.column)}, '')" for field in SHAPES[shape]}
    parts = [f"'\"{name}\":' || to_json({column})" for name, column in columns.items()]
    return f"CASE WHEN coalesce({', '.join(columns.values())}) IS NOT NULL THEN {_object(parts)} END"


def _known(column: str, words: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return (
        f"CASE WHEN {column} IN ({listed}) THEN to_json({column}) WHEN {column} IS NOT NULL THEN '\"\"' END"
    )


def _quoted(column: str) -> str:
    """SQL for an id, or another text without characters to escape, as a JSON string; NULL stays NULL."""
    return f"'\"' || {column} || '\"'"


def _quote_name(column: str | None) -> str:
    return f'"{column}"'
