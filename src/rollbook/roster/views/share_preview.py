"""Count which records a new share would let in and leave out. Only `narrowing` runs, for the share of today and
for the new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.contract.clever.view_spec import KINDS_OF_SCOPES, Shown
from rollbook.roster.clone import clone_roster
from rollbook.roster.views import identities, narrowing, projection
from rollbook.roster.views.neighbourhood import PEOPLE

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# What a preview counts, in the order in which people read it.
COUNTED: Final = (*PEOPLE, "sections", "schools", "terms", "courses", "resources")
NAMES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Count:
    """Records of one source: in the roster, seen today, seen with the new share, and the difference.

    `entering` and `leaving` are the names of the first few people.
    """

    source: str
    roster: int
    today: int
    then: int
    enter: int
    leave: int
    entering: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


def load(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path]) -> None:
    """Load what shares pick from."""
    if clone_roster.TABLE in files:
        clone_roster.restore(connection, files[clone_roster.TABLE])
        clone_roster.begin(connection)
        return
    projection.lay_out(connection, files)
    identities.restore(connection, files["identity"])
    projection.begin(connection)


def compare(connection: duckdb.DuckDBPyConnection, today: Shown | None, then: Shown) -> list[Count]:
    """What changes with the new share, by source; `today` is None if nothing is seen yet."""
    for name, shown in (("seen_today", today), ("seen_then", then)):
        connection.execute(f"CREATE TEMP TABLE {name} (source VARCHAR, id VARCHAR)")
        if shown is not None:
            narrowing.narrow(connection, shown.share, shown.scopes)
            closed = [
                kind
                for scope, kinds in KINDS_OF_SCOPES.items()
                if scope not in shown.scopes
                for kind in kinds
            ]
            connection.execute(
                f"INSERT INTO {name} SELECT DISTINCT source, id FROM shared WHERE NOT list_contains(?, source)",
                [closed],
            )
    return _counts(connection)


def in_no_section(connection: duckdb.DuckDBPyConnection) -> int:
    """How many students the new share shows in no section."""
    ((found,),) = connection.execute(
        """
        SELECT count(*) FROM seen_then WHERE source = 'students' AND id NOT IN (
            SELECT student FROM all_section_students JOIN seen_then ON id = section AND source = 'sections')
        """
    ).fetchall()
    return int(found)


def _counts(connection: duckdb.DuckDBPyConnection) -> list[Count]:
    """All counts, in one pass over what is seen today and then."""
    rosters = " UNION ALL ".join(
        f"SELECT '{source}', count(DISTINCT id) FROM all_{source}_id" for source in COUNTED
    )
    roster = dict(connection.execute(rosters).fetchall())
    connection.execute(
        """
        CREATE TEMP TABLE seen AS SELECT source, id, bool_or(is_then) AS is_then, bool_or(NOT is_then) AS is_today
        FROM (SELECT *, false AS is_then FROM seen_today UNION ALL SELECT *, true FROM seen_then)
        WHERE id IS NOT NULL  -- a section without a course or term
        GROUP BY source, id
        """
    )
    found = connection.execute(
        """
        SELECT source, count(*) FILTER (is_today), count(*) FILTER (is_then), count(*) FILTER (NOT is_today),
            count(*) FILTER (NOT is_then) FROM seen GROUP BY source
        """
    ).fetchall()
    seen = {source: numbers for source, *numbers in found}
    counts = []
    for source in COUNTED:
        today, then, enter, leave = seen.get(source, (0, 0, 0, 0))
        names = [
            _names(connection, source, f"(SELECT id FROM seen WHERE source = '{source}' AND NOT {other})")
            if count
            else ()
            for count, other in ((enter, "is_today"), (leave, "is_then"))
        ]
        counts.append(Count(source, int(roster[source]), today, then, enter, leave, *names))
    return counts


def _names(connection: duckdb.DuckDBPyConnection, source: str, ids: str) -> tuple[str, ...]:
    """The first few names of people."""
    if source not in ("students", "teachers", "staff", "district_admins"):
        return ()
    name = "concat_ws(' ', first, last)"
    if clone_roster.is_in(connection):
        name = "concat_ws(' ', json_extract_string(body, '$.name.first'), json_extract_string(body, '$.name.last'))"
        table = "cloned"
    else:
        table = f"all_{source}"
    found = connection.execute(
        f"SELECT {name} FROM {table} WHERE id IN {ids} ORDER BY id LIMIT {NAMES_MAX}"
    ).fetchall()
    return tuple(one for (one,) in found)
