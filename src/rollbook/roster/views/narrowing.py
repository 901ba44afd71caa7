"""Apply a share: leave out everything that the district does not share.

A share picks everything, schools, or the records that rules match. The rest follows from the picked people
and sections: their primary schools, the terms and courses of sections, the contacts of students. Each sync
applies the share to columns, before it makes records, so that ids of unshared people appear nowhere.
Source: ingest.md 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rollbook.contract.clever.view_spec import KINDS_OF_SCOPES, ROLES_OF_SCOPES
from rollbook.domain.access import SECURE_SYNC
from rollbook.domain.shares import (
    EXTENSION_PREFIX,
    FIELDS,
    KINDS,
    NEGATED,
    SEPARATOR,
    SEVERAL,
    Condition,
    Rule,
    Share,
)
from rollbook.roster import sql_text
from rollbook.roster.views.identities import SOURCES

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# In the engine ---------------------------------------------------------------------------------------


def narrow(
    connection: duckdb.DuckDBPyConnection,
    share: Share | None,
    scopes: Sequence[str] = SECURE_SYNC,
    *,
    keeps_ids: bool = False,
) -> None:
    """Make the tables from which records are built (`students_id`, `section_students`, ...) show only shared
    rows.

    `all_...` has everything: the ids of each source, the edges between them, and for `SELECTED` the ids with
    the columns that rules use. `keeps_ids` leaves ids of unshared people inside shared sections, as the
    original API does in part.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE shared (source VARCHAR, id VARCHAR)")
    for statement in _everything() if share is None else _picked(share):
        connection.execute(f"INSERT INTO shared {statement}")
    hidden = [source for scope, source in ROLES_OF_SCOPES.items() if scope not in scopes]
    shows_all = share is None and not hidden
    if hidden:
        connection.execute("DELETE FROM shared WHERE list_contains(?, source)", [hidden])
    if share is not None:
        for statement in _FOLLOWING:
            connection.execute(f"INSERT INTO shared {statement}")
    # Where all students are shared, any link shows a contact, also to a student whose own id was not loaded because
    # nothing of the student changed (`projection.begin`).
    shown_by = "all_contact_students" if shows_all else _CONTACTS_OF_SHARED
    connection.execute(
        f"DELETE FROM shared WHERE source = 'contacts' AND id NOT IN (SELECT contact FROM {shown_by})"
    )
    for source in SOURCES:
        is_in = f"SELECT id FROM shared WHERE source = '{source}'"
        # Where everybody is shared, only contacts without a student are left out.
        is_all = shows_all and source != "contacts"
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {source}_id AS FROM all_{source}_id WHERE {is_all} OR id IN ({is_in})"
        )
    if shows_all:
        for edge in (*_EDGES, *_EDGES_TO_SCHOOLS):
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {edge} AS FROM all_{edge}")
        return
    left_in = kept_ids(scopes) if keeps_ids else ()
    for edge, ends in _EDGES.items():
        kept = " AND ".join(
            f"{column} IN (SELECT id FROM shared WHERE source = '{source}')"
            for column, source in ends.items()
            if not (edge == f"section_{source}" and source in left_in)
        )
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {edge} AS FROM all_{edge} WHERE {kept or 'true'}")
    _narrow_schools_of_people(connection)


def kept_ids(scopes: Sequence[str]) -> tuple[str, ...]:
    """Sources whose unshared ids may stay in shared sections: students and teachers, if the scopes open
    them."""
    return tuple(
        source for scope, source in ROLES_OF_SCOPES.items() if scope in scopes and source in _PEOPLE_IDS
    )


def hide_kinds(connection: duckdb.DuckDBPyConnection, view: int, scopes: Sequence[str]) -> None:
    """Remove from `after` the records and lists of kinds whose scope is missing."""
    for scope, kinds in KINDS_OF_SCOPES.items():
        if scope not in scopes:
            for kind in kinds:
                connection.execute(
                    (
                        "DELETE FROM after WHERE view = ? AND (kind = ? OR starts_with(kind, ? "
                        "|| '.') OR ends_with(kind, ?))"
                    ),
                    [view, kind, kind, f".{kind}"],
                )


def _everything() -> list[str]:
    return [f"SELECT '{source}', id FROM all_{source}_id" for source in SOURCES]


def _picked(share: Share) -> list[str]:
    if share.schools:
        return [*_of_schools(share.schools), _CONTACTS]
    # Students who come with a teacher come without their contacts (ingest.md 4.2), so teacher rules run after
    # the contacts.
    picked, taught = (
        [
            statement
            for rule in share.rules
            if (rule.kind == "teacher") == is_taught
            for statement in _of_rule(rule)
        ]
        for is_taught in (False, True)
    )
    return [*picked, _CONTACTS, *taught]


def _of_schools(schools: Sequence[str]) -> list[str]:
    """Schools with their sections, and the people and staff with one of them as primary or further school."""
    chosen = f"SELECT id FROM all_schools WHERE {_names_school(schools)}"
    people = (("students", "student"), ("teachers", "teacher"), ("staff", "staff"))
    return [
        f"SELECT 'schools', id FROM ({chosen})",
        f"SELECT DISTINCT 'sections', id FROM all_section_places WHERE school IN ({chosen})",
        *(
            (
                f"SELECT DISTINCT '{source}', user FROM all_user_schools WHERE role = '{role}' "
                f"AND school IN ({chosen})"
            )
            for source, role in people
        ),
    ]


def _of_rule(rule: Rule) -> list[str]:
    source, _ = KINDS[rule.kind]
    matched = f"SELECT id FROM all_{source} t WHERE {where(rule)}"
    picked = [f"SELECT DISTINCT '{source}', id FROM ({matched})"]
    sections = matched if rule.kind == "section" else ""
    if "sections" in rule.along:
        edge = "section_students" if rule.kind == "student" else "section_teachers"
        sections = f"SELECT section FROM all_{edge} WHERE {rule.kind} IN ({matched})"
        picked.append(f"SELECT DISTINCT 'sections', section FROM ({sections})")
    if sections and (rule.kind == "section" or "students" in rule.along):
        picked.append(
            f"SELECT DISTINCT 'students', student FROM all_section_students WHERE section IN ({sections})"
        )
    elif "students" in rule.along:
        taught = f"SELECT section FROM all_section_teachers WHERE teacher IN ({matched})"
        picked.append(
            f"SELECT DISTINCT 'students', student FROM all_section_students WHERE section IN ({taught})"
        )
    if rule.kind == "section":
        picked.append(
            f"SELECT DISTINCT 'teachers', teacher FROM all_section_teachers WHERE section IN ({sections})"
        )
    if rule.kind == "staff" and rule.along:
        named = (
            "true"
            if "schools" in rule.along
            else f"school IN (SELECT id FROM all_schools WHERE {_names_school(rule.along)})"
        )
        theirs = (
            "SELECT DISTINCT 'schools', school FROM all_user_schools WHERE role = 'staff' AND "
            f"user IN ({matched})"
        )
        picked.append(f"{theirs} AND {named}")
    return picked


_CONTACTS_OF_SHARED = "all_contact_students JOIN shared ON id = student AND source = 'students'"
_CONTACTS = f"SELECT DISTINCT 'contacts', contact FROM {_CONTACTS_OF_SHARED}"

# What follows from the shared people and sections.
_FOLLOWING = (
    (
        "SELECT DISTINCT 'schools', school FROM all_home_schools JOIN shared ON id = user AND "
        "source = role || 's'"
    ),
    (
        "SELECT DISTINCT 'schools', school FROM all_section_places p JOIN shared s ON s.id = "
        "p.id AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'terms', term FROM all_section_places p JOIN shared s ON s.id = p.id "
        "AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'courses', course FROM all_section_places p JOIN shared s ON s.id = "
        "p.id AND source = 'sections'"
    ),
    (
        "SELECT DISTINCT 'resources', resource FROM all_resource_courses JOIN shared ON id = "
        "course AND source = 'courses'"
    ),
)
# The edges between records, and what must be shared at each end.
_EDGES: dict[str, dict[str, str]] = {
    "section_students": {"section": "sections", "student": "students"},
    "section_teachers": {"section": "sections", "teacher": "teachers"},
    "contact_students": {"contact": "contacts", "student": "students"},
    "section_places": {"id": "sections"},
    "resource_courses": {"resource": "resources", "course": "courses"},
}
_EDGES_TO_SCHOOLS = ("user_schools", "home_schools")
_PEOPLE_IDS = ("students", "teachers")


def _narrow_schools_of_people(connection: duckdb.DuckDBPyConnection) -> None:
    schools = "school IN (SELECT id FROM shared WHERE source = 'schools')"
    person = (
        "user IN (SELECT id FROM shared WHERE source = CASE role WHEN 'staff' THEN 'staff' "
        "ELSE role || 's' END)"
    )
    for edge in _EDGES_TO_SCHOOLS:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {edge} AS FROM all_{edge} WHERE {schools} AND {person}"
        )


# Conditions as SQL -----------------------------------------------------------------------------------


def _listed(values: Sequence[str]) -> str:
    return ", ".join(sql_text.text(value) for value in values)


def _equals(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({_listed(values)})"


def _each(test: str) -> Callable[[str, Sequence[str]], str]:
    """SQL for whether a test holds for any value.

    It is a list, because the engine fails on thousands of ORs.
    """
    return lambda column, values: (
        f"len(list_filter([{_listed(values)}], lambda one: {test}({column}, one))) > 0"
    )


def _not(operator: Callable[[str, Sequence[str]], str]) -> Callable[[str, Sequence[str]], str]:
    return lambda column, values: f"NOT ({operator(column, values)})"


_TESTS: dict[str, Callable[[str, Sequence[str]], str]] = {
    "equals any of": _equals,
    "does not equal any of": _not(_equals),
    "contains": _each("contains"),
    "does not contain": _not(_each("contains")),
    "contains any of": _each("contains"),
    "starts with": _each("starts_with"),
    "starts with any of": _each("starts_with"),
}


def where(rule: Rule) -> str:
    """SQL for whether a row `t` of the rule's source meets all its conditions."""
    source = KINDS[rule.kind][0]
    return " AND ".join(_test(condition, rule.kind, source) for condition in rule.conditions) or "true"


def _test(condition: Condition, kind: str, source: str) -> str:
    operator = _TESTS[condition.operator]
    if condition.field == "school":
        return _of_school(condition, kind, source)
    if (kind, condition.field) in SEVERAL:
        is_not = condition.operator in NEGATED
        test = _TESTS[NEGATED.get(condition.operator, condition.operator)]("held", condition.values)
        held = f"string_split(coalesce(t.{_quoted(FIELDS[kind][condition.field])}, ''), '{SEPARATOR}')"
        return f"len(list_filter({held}, lambda held: {test})) {'=' if is_not else '>'} 0"
    if condition.field.startswith(EXTENSION_PREFIX):
        # A JSON pointer (RFC 6901): in a path, some names would be patterns.
        pointer = "/" + condition.field.removeprefix(EXTENSION_PREFIX).replace("~", "~0").replace("/", "~1")
        return operator(
            f"coalesce(json_extract_string(t.ext, {sql_text.text(pointer)}), '')", condition.values
        )
    return operator(f"coalesce(t.{_quoted(FIELDS[kind][condition.field])}, '')", condition.values)


def _of_school(condition: Condition, kind: str, source: str) -> str:
    """SQL for whether the section's school, or a school of the person, is named; with "not", whether none
    is."""
    is_not = condition.operator in NEGATED
    which = _names_school(condition.values, NEGATED.get(condition.operator, condition.operator))
    named = f"SELECT id FROM all_schools WHERE {which}"
    role = "staff" if source == "staff" else source.removesuffix("s")
    within = f"SELECT user FROM all_user_schools WHERE role = '{role}' AND school IN ({named})"
    if kind == "section":
        within = f"SELECT id FROM all_section_places WHERE school IN ({named})"
    return f"id {'NOT ' if is_not else ''}IN ({within})"


def _names_school(values: Sequence[str], operator: str = "equals any of") -> str:
    """Schools are named by SIS id, name or id."""
    return "(" + " OR ".join(_TESTS[operator](column, values) for column in ("key", "name", "id")) + ")"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
