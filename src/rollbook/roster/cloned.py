"""A roster as another server gave it: records kept to the byte, and the lists of ids that related paths read, from the records.

The other server decided already who sees what, so every view holds the same. Leaves fetching to `clone`, comparison to `diff`.
What a snapshot of a cloned district keeps is the table `cloned` of (kind, id, roles, body): every record, the district's own
among them, and under the kind `resources.courses` the ids that no record tells (a JSON array for each resource).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from rollbook.contract.kinds import ROLE
from rollbook.errors import RemoteTrouble

TABLE = "cloned"
MAPPING = "resources.courses"

_COLUMNS = "{kind: 'VARCHAR', id: 'VARCHAR', roles: 'BIGINT', body: 'VARCHAR'}"
# Lists are packed, so nothing of another length may get into one.
_ID_LENGTH = 24
# The largest record that is taken in; as a text in a row of JSON it may take twice as much.
RECORD_BYTES_MAX = 2 * 1024 * 1024
_ROW_BYTES_MAX = 2 * RECORD_BYTES_MAX + 1024


def read(connection: duckdb.DuckDBPyConnection, pages: Sequence[Path]) -> None:
    """Create `cloned` from the pages of a pull, one JSON row a line. Errors: RemoteTrouble for a record that came twice."""
    connection.execute(
        f"""
        CREATE TEMP TABLE cloned AS SELECT kind, id, roles, body
        FROM read_json($pages, format = 'newline_delimited', columns = {_COLUMNS}, maximum_object_size = {_ROW_BYTES_MAX})
        """,
        {"pages": [str(page) for page in pages]},
    )
    twice = connection.execute("SELECT kind, id FROM cloned GROUP BY kind, id HAVING count(*) > 1 LIMIT 1").fetchall()
    if twice:
        kind, id_ = twice[0]
        raise RemoteTrouble(f"the other server sent the {kind} record {id_} twice; nothing was written")


def restore(connection: duckdb.DuckDBPyConnection, file: Path, rows: int | None = None) -> None:
    """Create `cloned` from a snapshot's file; at most `rows` of it."""
    limit = "" if rows is None else f" LIMIT {rows}"
    connection.execute(f"CREATE TEMP TABLE cloned AS FROM read_parquet(?){limit}", [str(file)])


def is_in(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the engine holds a cloned roster, and not one that was made from files."""
    return bool(connection.execute(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{TABLE}'").fetchall())


def district(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The district's own record, as the other server gave it."""
    found = connection.execute("SELECT body FROM cloned WHERE kind = 'districts'").fetchall()
    return str(found[0][0]) if found else None


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty `after` (view, kind, id, roles, core), where `core` is the whole record, and the lists all views share."""
    connection.execute("CREATE TEMP TABLE after (view BIGINT, kind VARCHAR, id VARCHAR, roles BIGINT, core VARCHAR)")
    for name, select in _edges().items():
        connection.execute(f"CREATE TEMP TABLE {name} AS {select}")
    connection.execute("CREATE TEMP TABLE cloned_lists (kind VARCHAR, id VARCHAR, core VARCHAR)")
    for name, select in lists().items():
        connection.execute(
            f"""
            INSERT INTO cloned_lists SELECT '{name}', owner, string_agg(id, '' ORDER BY id) FROM (
                SELECT DISTINCT owner, id FROM ({select})
                WHERE length(owner) = {_ID_LENGTH} AND length(id) = {_ID_LENGTH}
            ) GROUP BY owner
            """
        )


def build(connection: duckdb.DuckDBPyConnection, view: int) -> None:
    """Add a view's records and lists to `after`."""
    connection.execute(
        f"""
        INSERT INTO after
        SELECT {view}, kind, id, roles, body FROM cloned WHERE kind NOT IN ('districts', '{MAPPING}')
        UNION ALL SELECT {view}, kind, id, NULL, core FROM cloned_lists
        """
    )


# Lists from records ----------------------------------------------------------------------------------


def _each(kind: str, path: str, owner: str, id_: str) -> str:
    """SQL for a pair of columns: each record's id, and each text at a path of it."""
    return f"SELECT id AS {owner}, unnest(json_extract_string(body, '{path}')) AS {id_} FROM cloned WHERE kind = '{kind}'"


def _each_of(role: str, path: str, owner: str, id_: str) -> str:
    """The same for a path inside a role; only the records of that role are looked into."""
    return f"{_each('users', f'$.roles.{role}.{path}', owner, id_)} AND roles & {ROLE[role].bit} > 0"


def _edges() -> dict[str, str]:
    """SQL of what the records say about one another, taken from them once."""
    schools = " UNION ALL ".join(
        f"SELECT '{role}' AS role, * FROM ({_each_of(role, 'schools[*]', 'user', 'school')})"
        for role in ("student", "teacher", "staff")
    )
    homes = " UNION ALL ".join(
        f"SELECT '{role}' AS role, id AS user, json_extract_string(body, '$.roles.{role}.school') AS school"
        f" FROM cloned WHERE kind = 'users' AND roles & {ROLE[role].bit} > 0"
        for role in ("student", "teacher")
    )
    places = ", ".join(f"json_extract_string(body, '$.{name}') AS {name}" for name in ("school", "course", "term_id"))
    return {
        "section_students": _each("sections", "$.students[*]", "section", "student"),
        "section_teachers": _each("sections", "$.teachers[*]", "section", "teacher"),
        "section_places": f"SELECT id, {places} FROM cloned WHERE kind = 'sections'",
        "contact_students": _each_of("contact", "student_relationships[*].student", "contact", "student"),
        "user_schools": schools,
        "home_schools": homes,
        "resource_courses": _each(MAPPING, "$[*]", "resource", "course"),
        "resource_roles": _each("resources", "$.roles[*]", "resource", "role"),
    }


def lists() -> dict[str, str]:
    """SQL for (owner, id) of every stored list of `contract.endpoints.LISTS`."""
    found = {
        "students.sections": "SELECT student AS owner, section AS id FROM section_students",
        "teachers.sections": "SELECT teacher AS owner, section AS id FROM section_teachers",
        "students.contacts": "SELECT student AS owner, contact AS id FROM contact_students",
        "courses.resources": "SELECT course AS owner, resource AS id FROM resource_courses",
        "resources.courses": "SELECT resource AS owner, course AS id FROM resource_courses",
    }
    for role, name in (("student", "students"), ("teacher", "teachers"), ("staff", "staff")):
        found[f"schools.{name}"] = f"SELECT school AS owner, user AS id FROM user_schools WHERE role = '{role}'"
    for role in ("student", "teacher"):
        mapped = f"FROM resource_courses JOIN resource_roles USING (resource) WHERE role = '{role}'"
        found[f"schools.home_{role}s"] = f"SELECT school AS owner, user AS id FROM home_schools WHERE role = '{role}'"
        found[f"courses.{role}_resources"] = f"SELECT course AS owner, resource AS id {mapped}"
        found[f"resources.{role}_courses"] = f"SELECT resource AS owner, course AS id {mapped}"
    for kind, column in (("schools", "school"), ("terms", "term_id"), ("courses", "course")):
        found[f"{kind}.sections"] = f"SELECT {column} AS owner, id FROM section_places"
    for kind, column in (("terms", "term_id"), ("courses", "course")):
        found[f"schools.{kind}"] = f"SELECT school AS owner, {column} AS id FROM section_places"
        found[f"{kind}.schools"] = f"SELECT {column} AS owner, school AS id FROM section_places"
    return found
