"""Which records can differ from the last snapshot's, found from the rows of the neutral roster.

A record shows the row of its own key, and the ids at the other ends of its links. So only three groups can differ:
records whose own row differs, both ends of a link that differs, and all that is linked with a record that appears,
vanishes or gets another id. The rows are compared with those that the last snapshot keeps, column by column.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.roster.sql_text import text
from rollbook.roster.views import merging
from rollbook.roster.views.identities import SOURCES

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# If a larger share of the records is touched, it costs less to make all of them.
SHARE_MAX: Final = 0.4
# The links in the roster tables: for each column with a key, SQL for the source of the key.
_OF_ROLE: Final = "CASE role WHEN 'staff' THEN 'staff' ELSE role || 's' END"
LINKS: Final[dict[str, dict[str, str]]] = {
    "enrollments": {"section": "'sections'", "student": "'students'"},
    "section_teachers": {"section": "'sections'", "teacher": "'teachers'"},
    "contact_students": {"contact": "'contacts'", "student": "'students'"},
    "resource_courses": {"resource": "'resources'", "course": "'courses'"},
    "user_schools": {"key": _OF_ROLE, "school": "'schools'"},
    "sections": {"key": "'sections'", "school": "'schools'", "course": "'courses'", "term": "'terms'"},
    "students": {"key": "'students'", "school": "'schools'"},
    "teachers": {"key": "'teachers'", "school": "'schools'"},
}
# What a link shows besides its ends. The order of a contact's rows shows nowhere.
_SHOWN: Final = {
    "section_teachers": ("position",),
    "contact_students": ("relationship", "type"),
    "user_schools": ("role",),
}
# The place of a row in its file shows nowhere.
_UNSEEN: Final = ("row",)
# Resources show their roles in the lists of their courses.
_SHOWN_BY_OTHERS: Final = ("resources",)


def find(connection: duckdb.DuckDBPyConnection, before: Mapping[str, Path]) -> bool:
    """Create `touched` (id): the records that can differ from the snapshot with these files.

    Call it after `identities.assign`. False: the tables have other columns, or too many records are touched.
    """
    connection.execute("CREATE TEMP TABLE touched_keys (source VARCHAR, key VARCHAR, is_other BOOLEAN)")
    tables = {name: f"read_parquet({text(str(before[f'roster_{name}']))})" for name in (*SOURCES, *LINKS)}
    identity = f"read_parquet({text(str(before['identity']))})"
    for source in SOURCES:
        columns = _columns(connection, f"roster_{source}")
        if columns != _columns(connection, tables[source]):
            return False
        _compare_rows(connection, source, tables[source], columns)
    _compare_ids(connection, identity)
    for name in LINKS:
        _compare_links(connection, name, tables[name])
        _touch_linked(connection, name)
    connection.execute(
        f"""
        CREATE TEMP TABLE touched AS
        WITH keys AS (SELECT DISTINCT source, key FROM touched_keys)
        SELECT coalesce(user, id) AS id FROM identity SEMI JOIN keys USING (source, key) WHERE gone IS NULL
        UNION SELECT coalesce(user, id) FROM {identity} SEMI JOIN keys USING (source, key) WHERE gone IS NULL
        """
    )
    ((touched, known),) = connection.execute(
        "SELECT (SELECT count(*) FROM touched), (SELECT count(*) FROM identity)"
    ).fetchall()
    return bool(touched <= SHARE_MAX * known)


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The columns of a table that a record can show, sorted."""
    described = connection.execute(f"DESCRIBE FROM {table}").fetchall()
    return sorted(name for name, *_ in described if name not in _UNSEEN)


def _compare_rows(
    connection: duckdb.DuckDBPyConnection, source: str, before: str, columns: list[str]
) -> None:
    """Touch the keys whose rows differ.

    The join carries 128 bits for each row: rows of 40 columns would not stay in memory.
    """
    cells = [f'CAST("{column}" AS VARCHAR)' for column in columns]
    said = ", ".join(f"hash({', '.join(order)})" for order in (cells, cells[::-1]))
    connection.execute(
        f"""
        INSERT INTO touched_keys
        SELECT '{source}', coalesce(now.key, was.key), {source in _SHOWN_BY_OTHERS} OR now.key IS NULL OR was.key IS NULL
        FROM (SELECT key, ({said}) AS said FROM roster_{source}) now
        FULL JOIN (SELECT key, ({said}) AS said FROM {before}) was ON now.key = was.key
        WHERE now.said IS DISTINCT FROM was.said
        """
    )


def _compare_ids(connection: duckdb.DuckDBPyConnection, identity: str) -> None:
    """Touch the rows that now belong to another user or role. Rows of other sources keep their ids."""
    listed = ", ".join(f"'{source}'" for source in merging.SOURCES)
    connection.execute(
        f"""
        INSERT INTO touched_keys
        SELECT source, key, true FROM identity now JOIN {identity} was USING (source, key)
        WHERE source IN ({listed}) AND now.gone IS NULL AND was.gone IS NULL
            AND (now.id, now.legacy_id, now.user) IS DISTINCT FROM (was.id, was.legacy_id, was.user)
        """
    )


def _compare_links(connection: duckdb.DuckDBPyConnection, name: str, before: str) -> None:
    """Touch all ends of the links that appear, change or vanish."""
    ends = LINKS[name]
    columns = (*ends, *_SHOWN.get(name, ()))
    same = " AND ".join(f"now.{column} IS NOT DISTINCT FROM was.{column}" for column in columns)
    first = columns[0]
    found = ", ".join(
        f"if(now.{first} IS NULL, was.{column}, now.{column}) AS {column}" for column in columns
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE other_links AS
        SELECT {found} FROM roster_{name} now FULL JOIN {before} was ON {same}
        WHERE now.{first} IS NULL OR was.{first} IS NULL
        """
    )
    for end, source in ends.items():
        connection.execute(
            f"INSERT INTO touched_keys SELECT {source}, {end}, false FROM other_links WHERE {end} IS NOT NULL"
        )


def near_links(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """SQL for the links that touched records have, by the name of their roster table. Call it after `find`."""
    connection.execute(
        """
        CREATE TEMP TABLE near_keys AS
        SELECT source, key FROM identity WHERE gone IS NULL AND coalesce(user, id) IN (FROM touched)
        """
    )
    found = {}
    for name, ends in LINKS.items():
        is_near = " OR ".join(_is_near(source, end) for end, source in ends.items())
        found[name] = f"(FROM roster_{name} WHERE {is_near})"
    return found


def _is_near(source: str, end: str) -> str:
    """SQL for whether the end of a link is among `near_keys`; `source` is SQL, and may depend on the row."""
    if source.startswith("'"):
        return f"{end} IN (SELECT key FROM near_keys WHERE source = {source})"
    return f"({source}, {end}) IN (SELECT (source, key) FROM near_keys)"


def _touch_linked(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Touch what is linked with records that appear, vanish or get another id.

    A link that appeared or vanished with its record has touched its ends already.
    """
    ends = LINKS[name]
    is_other = " OR ".join(
        f"({source}, {end}) IN (SELECT (source, key) FROM touched_keys WHERE is_other)"
        for end, source in ends.items()
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE other_links AS FROM roster_{name} WHERE {is_other}")
    for end, source in ends.items():
        connection.execute(
            f"INSERT INTO touched_keys SELECT {source}, {end}, false FROM other_links WHERE {end} IS NOT NULL"
        )
