"""A roster as another server gave it: its records byte for byte, and the columns by which a share picks.

`clone` fetches the records, `clone_redaction` decides what each view shows of a record, `diff` compares. A
snapshot of a cloned district keeps the table `cloned` of (kind, id, roles, body): every record, with the
district's own. The kind `resources.courses` has the ids that no record holds (a JSON array for each
resource).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from rollbook.contract.clever.fields import SHAPES
from rollbook.contract.clever.view_spec import Shown
from rollbook.domain import shares
from rollbook.domain.kinds import KIND
from rollbook.errors import RemoteTrouble
from rollbook.roster.clone import clone_redaction
from rollbook.roster.views import made_records, narrowing, related_ids
from rollbook.roster.views.diff import SOURCE_ROLES
from rollbook.roster.views.identities import SOURCES
from rollbook.roster.views.related_ids import HOMED, SCHOOLED

TABLE = "cloned"
MAPPING = "resources.courses"

_SOURCES = {role.name: source for source, role in SOURCE_ROLES.items()}
_COLUMNS = "{kind: 'VARCHAR', id: 'VARCHAR', roles: 'BIGINT', body: 'VARCHAR'}"
# The largest accepted record; as text in a JSON row it may take twice as much.
RECORD_BYTES_MAX = 2 * 1024 * 1024
_ROW_BYTES_MAX = 2 * RECORD_BYTES_MAX + 1024


def read(connection: duckdb.DuckDBPyConnection, pages: Sequence[Path]) -> None:
    """Create `cloned` from the pages of a pull, one JSON row per line.

    Errors: RemoteTrouble for a record that came twice.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE cloned AS SELECT kind, id, roles, body
        FROM read_json($pages, format = 'newline_delimited', columns = {_COLUMNS}, maximum_object_size = {_ROW_BYTES_MAX})
        """,
        {"pages": [str(page) for page in pages]},
    )
    twice = connection.execute(
        "SELECT kind, id FROM cloned GROUP BY kind, id HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if twice:
        kind, id_ = twice[0]
        raise RemoteTrouble(f"the other server sent the {kind} record {id_} twice; nothing was written")


def restore(connection: duckdb.DuckDBPyConnection, file: Path, rows: int | None = None) -> None:
    """Create `cloned` from a snapshot's file; at most `rows` of it."""
    limit = "" if rows is None else f" LIMIT {rows}"
    connection.execute(f"CREATE TEMP TABLE cloned AS FROM read_parquet(?){limit}", [str(file)])


def is_in(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the engine holds a cloned roster, not one from files."""
    return bool(connection.execute(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{TABLE}'").fetchall())


def district(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The district's own record, as the other server gave it."""
    found = connection.execute("SELECT body FROM cloned WHERE kind = 'districts'").fetchall()
    return str(found[0][0]) if found else None


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty `after`, and the tables that views share."""
    made_records.begin(connection)
    for source in SOURCES:
        connection.execute(
            f"CREATE TEMP TABLE all_{source}_id AS SELECT id FROM cloned WHERE {_is_of(source)}"
        )
    for name, (select, end) in _edges().items():
        _split(connection, name, select, end)
    connection.execute(f"CREATE TEMP TABLE all_section_places AS {_PLACES}")
    connection.execute(f"CREATE TEMP VIEW all_resource_courses AS {_MAPPED}")
    for source in shares.SELECTED:
        connection.execute(f"CREATE TEMP VIEW all_{source} AS {_columns_of(source)}")


def build(connection: duckdb.DuckDBPyConnection, view: int, shown: Shown) -> None:
    """Add a view's records and lists to `after`: shared records, of the kinds and with the fields that the
    view shows."""
    narrowing.narrow(connection, shown.share, shown.scopes, keeps_ids=shown.keeps_ids)
    for select in clone_redaction.records(shown):
        made_records.add(connection, view, select)
    related_ids.add(connection, view)
    narrowing.hide_kinds(connection, view, shown.scopes)


def _is_of(source: str) -> str:
    """SQL for whether a record is of a source: of its kind, or a user with its role."""
    if source in KIND:
        return f"kind = '{source}'"
    return f"kind = 'users' AND roles & {SOURCE_ROLES[source].bit} > 0"


# Edges from records ----------------------------------------------------------------------------------


def _edges() -> dict[str, tuple[str, str]]:
    """SQL for the links between records, read from them once, each with the source of its target."""
    schools = (
        f"SELECT '{role}' AS role, * FROM ({_each_of(role, 'schools', 'user', 'school')})"
        for role in SCHOOLED
    )
    homes = (
        f"SELECT '{role}' AS role, id AS user, json_extract_string(body, '$.roles.{role}.school') AS school"
        f" FROM cloned WHERE {_is_of(source)}"
        for role, source in HOMED.items()
    )
    return {
        "section_students": (_each(_is_of("sections"), "$.students", "section", "student"), "student"),
        "section_teachers": (_each(_is_of("sections"), "$.teachers", "section", "teacher"), "teacher"),
        "contact_students": (
            _each_of("contact", "student_relationships", "contact", "student", "student"),
            "student",
        ),
        "user_schools": (" UNION ALL ".join(schools), "school"),
        "home_schools": (" UNION ALL ".join(homes), "school"),
        "enrollments": (_each_of("student", "enrollments", "user", "school", "school"), "school"),
        "mapping": (_each(f"kind = '{MAPPING}'", "$", "resource", "course"), "course"),
    }


def _split(connection: duckdb.DuckDBPyConnection, name: str, select: str, end: str) -> None:
    """Create `all_NAME`, with both ends in the roster, and `stray_NAME`, where one end is missing."""
    connection.execute(f"CREATE TEMP TABLE told AS {select}")
    for table, join in (("all", "SEMI"), ("stray", "ANTI")):
        connection.execute(
            f"CREATE TEMP TABLE {table}_{name} AS FROM told {join} JOIN all_{end}s_id i ON i.id = told.{end}"
        )
    connection.execute("DROP TABLE told")


def _each(records: str, path: str, owner: str, id_: str, inner: str = "") -> str:
    """SQL for a row (owner, id, position) for each id in the list at `path` of some records.

    If the list holds objects, `inner` is the path of the id in each. Positions count all elements, also those
    without an id, so that `clone_redaction` finds the same element.
    """
    elements = f"json_extract_string(body, '{path}[*]')"
    if inner:
        elements = (
            f"list_transform(json_extract(body, '{path}[*]'), lambda one: "
            f"json_extract_string(one, '$.{inner}'))"
        )
    return f"""
        SELECT id AS {owner}, unnest(elements) AS {id_}, generate_subscripts(elements, 1) AS position
        FROM (SELECT id, {elements} AS elements FROM cloned WHERE {records})
    """


def _each_of(role: str, path: str, owner: str, id_: str, inner: str = "") -> str:
    """The same for a list inside a role; only records with that role are read."""
    return _each(_is_of(_SOURCES[role]), f"$.roles.{role}.{path}", owner, id_, inner)


_PLACES = """
    SELECT s.id, h.id AS school, c.id AS course, t.id AS term FROM cloned s
    LEFT JOIN all_schools_id h ON h.id = json_extract_string(body, '$.school')
    LEFT JOIN all_courses_id c ON c.id = json_extract_string(body, '$.course')
    LEFT JOIN all_terms_id t ON t.id = json_extract_string(body, '$.term_id')
    WHERE kind = 'sections'
"""
_MAPPED = """
    SELECT resource, course, json_extract_string(body, '$.roles[*]') AS roles
    FROM all_mapping JOIN cloned ON id = resource AND kind = 'resources'
"""


# Columns of rules from records -----------------------------------------------------------------------


def _columns_of(source: str) -> str:
    """SQL for the ids of a source with the columns that shares use; a column that no record has is NULL."""
    if source in KIND:
        at, found = "$", _paths(KIND[source].shape, "$")
    else:
        role = SOURCE_ROLES[source]
        at = f"$.roles.{role.name}"
        # Names and emails stand beside the roles. For staff, the wire has a list with one role.
        found = {
            **_paths(role.shape, at),
            **_paths("Name", "$.name"),
            "email": "$.email",
            "role": f"{at}.roles[0]",
        }
    asked = {
        column
        for kind, (name, _) in shares.KINDS.items()
        if name == source
        for column in shares.FIELDS[kind].values()
    }
    columns = (
        f"json_extract_string(body, '{found[name]}') AS {name}"
        if name in found
        else f"NULL::VARCHAR AS {name}"
        for name in sorted(asked | {"key", "name"})
    )
    return (
        f"SELECT id, {', '.join(columns)}, json_extract(body, '{at}.ext') AS ext FROM cloned "
        f"WHERE {_is_of(source)}"
    )


def _paths(shape: str, at: str) -> dict[str, str]:
    """Where each roster column stands in a record of a shape, also inside its objects."""
    found: dict[str, str] = {}
    for field in SHAPES[shape]:
        path = f"{at}.{field.name}"
        if field.type == "object" and field.of:
            found |= _paths(field.of, path)
        elif field.is_on_wire and field.column:
            found[field.column] = path
    return found
