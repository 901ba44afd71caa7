"""What lies between two snapshots, as columns: which records appear, change and vanish.

What each view held is remembered by a digest for each record, so that only the records that changed are written and published.
The dates of a record are no part of its digest: a change of `last_modified` alone is no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from rollbook.contract.kinds import ROLE
from rollbook.roster.snapshot import DATES

SOURCE_ROLES = {
    "students": ROLE["student"],
    "teachers": ROLE["teacher"],
    "staff": ROLE["staff"],
    "district_admins": ROLE["district_admin"],
    "contacts": ROLE["contact"],
}

DIGESTS = "view BIGINT, kind VARCHAR, id VARCHAR, roles BIGINT, digest UHUGEINT, created VARCHAR"
CHANGES = "view BIGINT, kind VARCHAR, id VARCHAR, verb VARCHAR, roles BIGINT"

WINDOW_ROWS = 20_000

_FIRST_ROLE = " ".join(f"WHEN roles & {role.bit} > 0 THEN '{source}'" for source, role in SOURCE_ROLES.items())
# How many records of each source a view had before, and appear, change and vanish; users count under their first role.
COUNTS = f"""
    SELECT source, count(*) FILTER (what = 'before'), count(*) FILTER (what = 'created'),
           count(*) FILTER (what = 'updated'), count(*) FILTER (what = 'deleted')
    FROM (
        SELECT CASE {_FIRST_ROLE} ELSE kind END AS source, what
        FROM (
            SELECT view, kind, roles, 'before' AS what FROM digests_before UNION ALL SELECT view, kind, roles, verb FROM changes
        )
        WHERE view = ? AND NOT contains(kind, '.')
    ) GROUP BY source
"""


def load(connection: duckdb.DuckDBPyConnection, before: Path | None) -> None:
    """Create `digests_before` from the Parquet file of the last snapshot, and empty `digests` and `changes`."""
    if before is None:
        connection.execute(f"CREATE TEMP TABLE digests_before ({DIGESTS})")
    else:
        connection.execute("CREATE TEMP TABLE digests_before AS FROM read_parquet(?)", [str(before)])
    connection.execute(f"CREATE TEMP TABLE digests ({DIGESTS})")
    connection.execute(f"CREATE TEMP TABLE changes ({CHANGES})")


def between(connection: duckdb.DuckDBPyConnection, now: str) -> None:
    """Compare `after` with what the views held: fills `digests`, and `changes` with a row for each record that differs.

    verb is created, updated or deleted. `now` is when it happens, as the API writes it.
    """
    connection.execute(
        """
        INSERT INTO digests
        SELECT view, kind, id, after.roles, md5_number(core || coalesce(after.roles::VARCHAR, '')) AS digest,
               coalesce(before.created, $now) AS created
        FROM after LEFT JOIN digests_before before USING (view, kind, id)
        """,
        {"now": now},
    )
    connection.execute(
        """
        INSERT INTO changes
        SELECT view, kind, id, CASE WHEN before.id IS NULL THEN 'created' ELSE 'updated' END, today.roles
        FROM digests today LEFT JOIN digests_before before USING (view, kind, id)
        WHERE before.digest IS DISTINCT FROM today.digest
        UNION ALL
        SELECT view, kind, id, 'deleted', roles FROM digests_before ANTI JOIN digests USING (view, kind, id)
        """
    )


def keep_others(connection: duckdb.DuckDBPyConnection, before: Path) -> None:
    """Add to `digests` those of the last snapshot's other views."""
    connection.execute("INSERT INTO digests FROM read_parquet(?)", [str(before)])


def rows(connection: duckdb.DuckDBPyConnection, now: str) -> Iterator[tuple[Any, ...]]:
    """The changes as rows of (view, kind, id, roles, body), ordered by the first three; body is None for a record that is gone.

    They are read in windows of ids, so that memory does not grow with the roster.
    """
    starts = connection.execute(_WINDOWS, [WINDOW_ROWS]).fetchall()
    for (view, kind, low), following in zip(starts, [*starts[1:], (None, None, None)], strict=True):
        high = following[2] if following[:2] == (view, kind) else None
        values = {"view": view, "kind": kind, "low": low, "high": high, "now": now}
        yield from connection.execute(_WINDOW, values).fetchall()


def _ending(created: str) -> str:
    """SQL for the end of a record: its dates where its kind has them, and the closing brace; a list has no end."""
    cases = " ".join(
        f"""WHEN '{kind}' THEN ',"{first}":"' || {created} || '","{second}":"' || $now || '"}}'"""
        for kind, (first, second) in DATES.items()
    )
    return f"CASE $kind {cases} WHEN 'terms' THEN '}}' WHEN 'courses' THEN '}}' ELSE '' END"


# Where each window begins: at every so many changed ids of a view and kind.
_WINDOWS = """
    SELECT view, kind, id FROM (
        SELECT view, kind, id, row_number() OVER (PARTITION BY view, kind ORDER BY id) AS place FROM changes
    ) WHERE place % ? = 1 ORDER BY view, kind, id
"""
_WITHIN = "view = $view AND kind = $kind AND id >= $low AND ($high IS NULL OR id < $high)"
_WINDOW = f"""
    SELECT $view, $kind, id, changed.roles, core || {_ending("created")}
    FROM (FROM changes WHERE {_WITHIN}) changed
    LEFT JOIN (SELECT id, core FROM after WHERE {_WITHIN}) USING (id)
    LEFT JOIN (SELECT id, created FROM digests WHERE {_WITHIN}) USING (id)
    ORDER BY id
"""
