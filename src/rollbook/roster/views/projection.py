"""A roster in the API's form: keyed tables in, records as JSON and lists of ids out, all as columns.

`files`, `checks` and `normalize` parse and judge, `identities` gives ids, `diff` compares. `record_json`
writes the SQL of the records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.contract.clever.versions import VERSIONS
from rollbook.contract.clever.view_spec import Shown
from rollbook.domain import shares
from rollbook.domain.kinds import ROLE
from rollbook.roster import parts, sql_text
from rollbook.roster.views import (
    made_records,
    merging,
    narrowing,
    record_json,
    related_ids,
    roster_changes,
    view_candidates,
)
from rollbook.roster.views.identities import SOURCES
from rollbook.roster.views.related_ids import HOMED, SCHOOLED

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# The dates at the end of a record. They follow from the history, so they are not compared.
DATES: dict[str, tuple[str, str]] = {
    "schools": ("created", "last_modified"),
    "sections": ("created", "last_modified"),
    "users": ("created", "last_modified"),
    "resources": ("created", "updated"),
}
_OF_PEOPLE: Final = ("students", "contacts", *merging.SOURCES)
# The roster tables with links, by the names in `roster_changes`.
_ROSTER: Final = {name: f"roster_{name}" for name in roster_changes.LINKS}


def tables() -> tuple[str, ...]:
    """The keyed tables that `normalize` makes and a snapshot keeps: one for each source of ids, and the
    edges."""
    edges = (
        "user_schools",
        "enrollments",
        "section_teachers",
        "contact_students",
        "resource_courses",
        "credentials",
    )
    return tuple(f"roster_{name}" for name in (*SOURCES, *edges))


def restore(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, Path],
    rows: int | None = None,
    only: Mapping[str, str] | None = None,
) -> None:
    """Load the roster tables from a snapshot's Parquet files, in the form that `normalize` gives them.

    At most `rows` of each; of a table in `only`, the rows that meet its condition, and none of other tables.
    """
    limit = "" if rows is None else f" LIMIT {rows}"
    for table in tables():
        which = "true" if only is None else only.get(table, "false")
        connection.execute(
            f"CREATE TEMP TABLE {table} AS FROM read_parquet(?) WHERE {which}{limit}", [str(files[table])]
        )
    for kind, (source, _) in shares.KINDS.items():
        # A snapshot of an earlier version lacks columns that rules use today.
        for column in shares.FIELDS[kind].values():
            connection.execute(f'ALTER TABLE roster_{source} ADD COLUMN IF NOT EXISTS "{column}" VARCHAR')


def lay_out(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path]) -> None:
    """Show the roster tables of a snapshot where they lie: each query reads only the columns that it needs.

    For work that reads little, and while the files stay; `restore` loads them.
    """
    used = {f"roster_{source}": shares.FIELDS[kind].values() for kind, (source, _) in shares.KINDS.items()}
    for table in tables():
        read = f"FROM read_parquet({sql_text.text(str(files[table]))})"
        there = {name for name, *_ in connection.execute(f"DESCRIBE {read}").fetchall()}
        missing = "".join(f', NULL::VARCHAR AS "{name}"' for name in used.get(table, ()) if name not in there)
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT *{missing} {read}")


def forget_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the files' own tables once the roster tables are made: they take most of the memory."""
    kept = {*tables(), "problems"}
    made = connection.execute(
        """
        SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal
        UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables()
        """
    ).fetchall()
    connection.execute("; ".join(f'DROP {what} "{name}"' for what, name in made if name not in kept))


def students_by_grade(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many students each grade has; a blank grade counts those without one."""
    rows = connection.execute(
        "SELECT coalesce(grade, ''), count(*) FROM roster_students GROUP BY ALL"
    ).fetchall()
    return {str(grade): int(count) for grade, count in sorted(rows)}


def begin(connection: duckdb.DuckDBPyConnection, *, only_touched: bool = False) -> None:
    """Create an empty `after`, and the ids and edges that all views share.

    `only_touched`: only the ids of touched records (`roster_changes`) and the edges at them, for views that show
    everybody. The other end of such an edge may be a record that was not touched.
    """
    made_records.begin(connection)
    _resolve_references(connection, only_touched=only_touched)


def build(
    connection: duckdb.DuckDBPyConnection,
    view: int,
    district_id: str,
    shown: Shown,
    changed: str | None = None,
) -> None:
    """Add a view's records and lists to `after`: shared records, of the kinds and with the fields that the
    view shows.

    `changed`: add only what can differ from the last snapshot's view, by the ids of this query
    (`view_candidates`).
    """
    narrowing.narrow(connection, shown.share, shown.scopes, keeps_ids=shown.keeps_ids)
    if changed:
        moves = shown.share is not None or changed != view_candidates.IN_ROSTER
        view_candidates.choose(connection, view, changed, moves=moves)
    values = {"district": f"'\"{district_id}\"'"}
    for records in RECORDS:
        _add(connection, view, records, values, shown)
    _add_forms(connection, view, values, shown)
    related_ids.add(connection, view)
    narrowing.hide_kinds(connection, view, shown.scopes)
    if changed:
        view_candidates.done(connection, view)


def build_alike(
    connection: duckdb.DuckDBPyConnection,
    seen: Mapping[int, Shown],
    district_id: str,
    whole: tuple[int, Shown],
) -> None:
    """Add what can differ in views that show all records of the whole view, and hide other fields (`is_alike`).

    `seen` are the views, and `whole` is the whole view; its records are in `after` already. Lists, and records without
    a field that only one of both views hides, are the whole view's.
    """
    of, shown_there = whole
    narrowing.narrow(connection, shown_there.share, shown_there.scopes)
    values = {"district": f"'\"{district_id}\"'"}
    for place, (view, shown) in enumerate(seen.items()):
        # All of these views have the same candidates.
        view_candidates.choose(connection, view, view_candidates.in_view(of), moves=False, narrows=place == 0)
        same = ["contains(kind, '.') AND NOT contains(kind, '@')"]
        for records in RECORDS:
            if all(_hidden(shown, name) == _hidden(shown_there, name) for name in records.hides):
                same.append(records.which)
            else:
                _add(connection, view, records, values, shown)
        connection.execute(
            f"INSERT INTO after SELECT {view}, * EXCLUDE view FROM after"
            f" WHERE view = {of} AND within(id) AND ({' OR '.join(same)})"
        )
        _add_forms(connection, view, values, shown)
        view_candidates.done(connection, view)


def is_alike(shown: Shown) -> bool:
    """Whether a view shows every record and role of the whole view, and no more."""
    return shown.shows_everybody and view_candidates.follows(shown)


def _hidden(shown: Shown, name: str) -> tuple[str, ...]:
    """The hidden fields of a role or kind. The email of a role stands beside it."""
    return (*shown.hidden_of(name), *(("email",) if shown.hides(name, "email") else ()))


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one query: SQL by the values and the spec, SQL for which records of `after` these are, and for
    which roles or kinds it hides fields. `table` and its column `id` say in which parts it runs, if not in one."""

    select: Callable[[Mapping[str, str], Shown], str]
    which: str
    hides: tuple[str, ...] = ()
    table: str = ""
    id: str = "id"
    gathers_ids: bool = False


_ALONE = ROLE["student"].bit | ROLE["contact"].bit
RECORDS: Final = (
    Records(record_json.schools, "kind = 'schools'", ("school",)),
    Records(lambda values, _: record_json.terms(values), "kind = 'terms'"),
    Records(lambda values, _: record_json.courses(values), "kind = 'courses'"),
    Records(lambda values, _: record_json.resources(values), "kind = 'resources'"),
    Records(
        record_json.sections,
        "kind = 'sections'",
        ("section",),
        "all_section_students",
        "section",
        gathers_ids=True,
    ),
    Records(
        lambda values, shown: record_json.single("student", values, shown),
        f"kind = 'users' AND roles = {ROLE['student'].bit}",
        ("student",),
        "all_students_id",
    ),
    Records(
        lambda values, shown: record_json.single("contact", values, shown),
        f"kind = 'users' AND roles = {ROLE['contact'].bit}",
        ("contact",),
        "all_contact_students",
        "contact",
    ),
    Records(
        record_json.merged,
        f"kind = 'users' AND roles & {_ALONE} = 0",
        ("teacher", "staff", "district_admin"),
        record_json.MERGING_IDS,
    ),
)


def _add(
    connection: duckdb.DuckDBPyConnection,
    view: int,
    records: Records,
    values: Mapping[str, str],
    shown: Shown,
) -> None:
    select = records.select(values, shown)
    if not records.table:
        made_records.add(connection, view, select)
        return
    for _ in parts.each(connection, records.table, records.id, gathers_ids=records.gathers_ids):
        made_records.add(connection, view, select)


def _add_forms(
    connection: duckdb.DuckDBPyConnection, view: int, values: Mapping[str, str], shown: Shown
) -> None:
    for version in VERSIONS:
        if "users" in version.forms and shown.differs_in(version.number):
            select = record_json.single("student", values, shown, version.number)
            _add_form(connection, view, f"users@{version.number}", select)


def _add_form(connection: duckdb.DuckDBPyConnection, view: int, form: str, select: str) -> None:
    """Add the records in a version's own form that differ from those of the first version."""
    for _ in parts.each(connection, "all_students_id", "id"):
        made_records.add(
            connection,
            view,
            f"""
            SELECT '{form}', id, NULL, core FROM ({select}) own (kind, id, bit, core)
            ANTI JOIN (SELECT id, core FROM after WHERE view = {view} AND kind = 'users') shared USING (id, core)
            """,
        )


# From keys to ids ------------------------------------------------------------------------------------


def _resolve_references(connection: duckdb.DuckDBPyConnection, *, only_touched: bool) -> None:
    """Create the ids of every source by key, and the edges between records as pairs of ids: `all_...`, before
    any share."""
    rows = roster_changes.near_links(connection) if only_touched else _ROSTER
    known = {}
    for source in SOURCES:
        columns = "coalesce(user, id) AS id, legacy_id" if source in _OF_PEOPLE else "id"
        ids = f"(SELECT key, {columns} FROM identity WHERE source = '{source}' AND gone IS NULL)"
        which = " WHERE id IN (FROM touched)" if only_touched else ""
        connection.execute(f"CREATE TEMP TABLE all_{source}_id AS FROM {ids}{which}")
        known[source] = ids if only_touched else f"all_{source}_id"
    for source in shares.SELECTED:
        connection.execute(
            f"CREATE TEMP VIEW all_{source} AS SELECT i.id, t.* FROM all_{source}_id i "
            f"JOIN roster_{source} t USING (key)"
        )
    edges = {
        "section_students": f"SELECT s.id AS section, p.id AS student FROM {rows['enrollments']} e"
        f" JOIN {known['sections']} s ON s.key = e.section JOIN {known['students']} p ON p.key = e.student",
        "section_teachers": f"SELECT s.id AS section, p.id AS teacher, position FROM {rows['section_teachers']} e"
        f" JOIN {known['sections']} s ON s.key = e.section JOIN {known['teachers']} p ON p.key = e.teacher",
        "contact_students": "SELECT c.id AS contact, p.id AS student, relationship, type, position"
        f" FROM {rows['contact_students']} e JOIN {known['contacts']} c ON c.key = e.contact"
        f" JOIN {known['students']} p ON p.key = e.student",
        "section_places": f"SELECT i.id, h.id AS school, c.id AS course, t.id AS term FROM {rows['sections']} s"
        f" JOIN {known['sections']} i USING (key) JOIN {known['schools']} h ON h.key = s.school"
        f" LEFT JOIN {known['courses']} c ON c.key = s.course LEFT JOIN {known['terms']} t ON t.key = s.term",
        "resource_courses": f"SELECT r.id AS resource, c.id AS course, roles FROM {rows['resource_courses']} e"
        f" JOIN roster_resources o ON o.key = e.resource JOIN {known['resources']} r ON r.key = e.resource"
        f" JOIN {known['courses']} c ON c.key = e.course",
        "user_schools": " UNION ALL ".join(
            f"SELECT '{role}' AS role, p.id AS user, h.id AS school FROM {rows['user_schools']} e"
            f" JOIN {known[source]} p ON p.key = e.key JOIN {known['schools']} h ON h.key = e.school WHERE e.role = '{role}'"
            for role, source in SCHOOLED.items()
        ),
        "home_schools": " UNION ALL ".join(
            f"SELECT '{role}' AS role, p.id AS user, h.id AS school FROM {rows[source]} r JOIN {known[source]} p USING (key)"
            f" JOIN {known['schools']} h ON h.key = r.school"
            for role, source in HOMED.items()
        ),
    }
    for name, select in edges.items():
        connection.execute(f"CREATE TEMP TABLE all_{name} AS {select}")
