"""One person of a snapshot, with the records on which their place in a share depends: their sections, the
teachers of these, and all schools.

`narrowing` applies a share to these few rows exactly as to the whole roster, so that an explanation cannot
differ from what a sync does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rollbook.domain.shares import EXTENSION_PREFIX, FIELDS, KINDS, Rule, Share
from rollbook.roster.clone import clone_roster
from rollbook.roster.sql_text import text
from rollbook.roster.views import identities, narrowing, projection
from rollbook.roster.views.diff import SOURCE_ROLES
from rollbook.roster.views.related_ids import SCHOOLED

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

PEOPLE: Final = tuple(SOURCE_ROLES)
# By source: the columns beside the SIS id that name one person.
_NAMES: Final = {
    "students": ("email", "district_username", "student_number"),
    "teachers": ("email", "district_username", "teacher_number"),
    "staff": ("email", "district_username"),
    "district_admins": ("email",),
    "contacts": ("email", "sis_id"),
}
# The same in the records of a copied district.
_PATHS: Final = (
    "$.email",
    "$.roles.student.sis_id",
    "$.roles.student.student_number",
    "$.roles.student.credentials.district_username",
    "$.roles.teacher.sis_id",
    "$.roles.teacher.teacher_number",
    "$.roles.teacher.credentials.district_username",
    "$.roles.staff.staff_id",
    "$.roles.staff.credentials.district_username",
    "$.roles.contact.sis_id",
)
# Files that a snapshot keeps and that these functions read.
FILES: Final = ("identity", clone_roster.TABLE, *projection.tables())


@dataclass(frozen=True, slots=True)
class Role:
    """A row of a person: its source and SIS key, the schools of the role, and how many sections it has.

    `row` is the row's place in its file; None in a copied district.
    """

    source: str
    key: str
    row: int | None
    schools: tuple[str, ...]
    sections: int


@dataclass(frozen=True, slots=True)
class Test:
    """A condition of a rule beside a person's value."""

    field: str
    operator: str
    values: tuple[str, ...]
    value: str
    is_met: bool


def find(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], given: str
) -> dict[str, str | None]:
    """The ids of the people with this id, SIS id, username, number or email, and since when each is gone."""
    if clone_roster.TABLE in files:
        named = " OR ".join(
            f"lower(json_extract_string(body, '{path}')) = lower({text(given)})" for path in _PATHS
        )
        found = connection.execute(
            f"SELECT id, NULL FROM read_parquet(?) WHERE kind = 'users' AND (id = lower(?) OR {named}) LIMIT 20",
            [str(files[clone_roster.TABLE]), given],
        ).fetchall()
        return dict(found)
    named = " UNION ALL ".join(
        f"SELECT '{source}' AS source, key FROM read_parquet({text(str(files[f'roster_{source}']))})"
        f" WHERE {' OR '.join(f'lower({column}) = lower({text(given)})' for column in ('key', *columns))}"
        for source, columns in _NAMES.items()
    )
    found = connection.execute(
        f"""
        SELECT DISTINCT coalesce(user, id), gone FROM read_parquet(?) identity
        LEFT JOIN ({named}) named USING (source, key)
        WHERE list_contains(?, source)
            AND (named.key IS NOT NULL OR lower(identity.key) = lower(?) OR coalesce(user, id) = lower(?))
        -- A person who is there counts before one who has gone.
        ORDER BY gone NULLS LAST LIMIT 20
        """,
        [str(files["identity"]), list(PEOPLE), given, given],
    ).fetchall()
    every: dict[str, str | None] = dict(found)
    return {id_: gone for id_, gone in every.items() if gone is None} or every


def lay_out(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], id_: str) -> None:
    """Load a person (by id) and the records around them, and make the tables that `narrowing` reads."""
    if clone_roster.TABLE in files:
        _near_in_copy(connection, files, id_)
        clone_roster.begin(connection)
        return
    _near(connection, files, id_)
    keys = {
        source: f"key IN (SELECT key FROM near WHERE source = '{source}')"
        for source in ("students", "teachers", "staff", "district_admins", "contacts", "sections")
    }
    only = {f"roster_{source}": which for source, which in keys.items()}
    only |= {
        "roster_schools": "true",
        "roster_user_schools": "key IN (SELECT key FROM near)",
        "roster_enrollments": "student IN (SELECT key FROM near WHERE source = 'students')",
        "roster_section_teachers": "section IN (SELECT key FROM near WHERE source = 'sections')",
        "roster_contact_students": "contact IN (SELECT key FROM near WHERE source = 'contacts')",
    }
    projection.restore(connection, files, only=only)
    near = "(source, key) IN (FROM near)"
    identities.restore(connection, files["identity"], f"source = 'schools' OR {near}")
    projection.begin(connection)


def _near(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], id_: str) -> None:
    """Create `near` (source, key): the person, their students, sections, and the teachers of these."""
    table = {name: f"read_parquet({text(str(path))})" for name, path in files.items()}
    of = "SELECT key FROM near WHERE source ="
    connection.execute(
        f"CREATE TEMP TABLE near AS SELECT source, key FROM {table['identity']}"
        " WHERE gone IS NULL AND coalesce(user, id) = ? AND list_contains(?, source)",
        [id_, list(PEOPLE)],
    )
    for statement in (
        f"SELECT 'students', student FROM {table['roster_contact_students']} WHERE contact IN ({of} 'contacts')",
        f"SELECT 'sections', section FROM {table['roster_enrollments']} WHERE student IN ({of} 'students')",
        f"SELECT 'sections', section FROM {table['roster_section_teachers']} WHERE teacher IN ({of} 'teachers')",
        f"SELECT 'teachers', teacher FROM {table['roster_section_teachers']} WHERE section IN ({of} 'sections')",
    ):
        connection.execute(f"INSERT INTO near SELECT DISTINCT * FROM ({statement})")


def _near_in_copy(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], id_: str) -> None:
    """Create `cloned` with the same records of a copied district."""
    cloned = f"read_parquet({text(str(files[clone_roster.TABLE]))})"
    relations = "json_extract_string(body, '$.roles.contact.student_relationships[*].student')"
    connection.execute(
        f"CREATE TEMP TABLE near AS SELECT id FROM {cloned} WHERE kind = 'users' AND id = ?", [id_]
    )
    for statement in (
        f"SELECT unnest({relations}) FROM {cloned} WHERE id IN (FROM near)",
        f"""SELECT id FROM {cloned} WHERE kind = 'sections' AND list_has_any(
            list_concat(json_extract_string(body, '$.students[*]'), json_extract_string(body, '$.teachers[*]')),
            (SELECT list(id) FROM near))""",
        f"""SELECT unnest(json_extract_string(body, '$.teachers[*]')) FROM {cloned}
            WHERE kind = 'sections' AND id IN (FROM near)""",
    ):
        connection.execute(f"INSERT INTO near {statement}")
    connection.execute(
        f"CREATE TEMP TABLE cloned AS FROM {cloned} WHERE kind = 'schools' OR id IN (FROM near)"
    )


def roles(connection: duckdb.DuckDBPyConnection, id_: str) -> list[Role]:
    """The rows of the person, one for each role."""
    is_cloned = clone_roster.is_in(connection)
    found = []
    for source in PEOPLE:
        what = "NULL, NULL" if is_cloned else 'key, "row"'
        join = "" if is_cloned else f" JOIN roster_{source} USING (key)"
        for key, row in connection.execute(
            f"SELECT {what} FROM all_{source}_id t{join} WHERE t.id = ?", [id_]
        ).fetchall():
            found.append(Role(source, key or "", row, *_places(connection, source, id_)))
    return found


def _places(connection: duckdb.DuckDBPyConnection, source: str, id_: str) -> tuple[tuple[str, ...], int]:
    """The names of the schools of a role, and how many sections it has."""
    schools: list[tuple[Any, ...]] = []
    sections = 0
    for role, of in SCHOOLED.items():
        if of == source:
            schools = connection.execute(
                """SELECT DISTINCT coalesce(name, '') || ' (' || coalesce(key, id) || ')' FROM all_user_schools
                JOIN all_schools ON id = school WHERE role = ? AND user = ? ORDER BY ALL""",
                [role, id_],
            ).fetchall()
    if source in ("students", "teachers"):
        ((sections,),) = connection.execute(
            f"SELECT count(DISTINCT section) FROM all_section_{source} WHERE {source[:-1]} = ?", [id_]
        ).fetchall()
    return tuple(name for (name,) in schools), sections


def shared(connection: duckdb.DuckDBPyConnection, id_: str, share: Share | None) -> set[str]:
    """The sources of the person's rows that a share picks, before scopes."""
    narrowing.narrow(connection, share)
    found = connection.execute(
        "SELECT DISTINCT source FROM shared WHERE id = ? AND list_contains(?, source)", [id_, list(PEOPLE)]
    ).fetchall()
    return {source for (source,) in found}


def tests(connection: duckdb.DuckDBPyConnection, id_: str, rule: Rule) -> list[Test] | None:
    """Each condition of a rule beside the person's value; None if they have no row of the rule's kind."""
    source = KINDS[rule.kind][0]
    found = connection.execute(f"FROM all_{source} WHERE id = ?", [id_])
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    if row is None:
        return None
    told = dict(zip(names, row, strict=True))
    return [
        Test(
            condition.field,
            condition.operator,
            condition.values,
            _value(connection, rule, id_, condition.field, told),
            bool(
                connection.execute(
                    f"SELECT 1 FROM all_{source} t WHERE id = ? AND {narrowing.where(replace(rule, conditions=(condition,)))}",
                    [id_],
                ).fetchall()
            ),
        )
        for condition in rule.conditions
    ]


def _value(
    connection: duckdb.DuckDBPyConnection, rule: Rule, id_: str, field: str, told: Mapping[str, Any]
) -> str:
    """The person's value of a field, as a rule compares it."""
    if field == "school":
        return ", ".join(_places(connection, KINDS[rule.kind][0], id_)[0])
    if field.startswith(EXTENSION_PREFIX):
        own = json.loads(told.get("ext") or "{}")
        return str(own.get(field.removeprefix(EXTENSION_PREFIX), ""))
    return str(told.get(FIELDS[rule.kind][field]) or "")
