"""What lies between two snapshots, as columns: which records appear, change and vanish.

What each view held is remembered by a digest for each record, so that only the records that changed are written and published.
The dates of a record are no part of its digest: a change of `last_modified` alone is no change.
"""

from __future__ import annotations

from pathlib import Path

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
CHANGES = "view BIGINT, kind VARCHAR, id VARCHAR, verb VARCHAR, roles BIGINT, body VARCHAR"

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


def between(connection: duckdb.DuckDBPyConnection, view: int, now: str) -> None:
    """Compare `after` with what the view held: adds its rows to `digests`, and what differs to `changes`, by kind and id.

    verb is created, updated or deleted; body is the finished record, NULL for a deleted one. `now` is when it happens, as the
    API writes it.
    """
    values = {"view": view, "now": now}
    connection.execute(
        """
        INSERT INTO digests
        SELECT $view, kind, id, after.roles, md5_number(core || coalesce(after.roles::VARCHAR, '')) AS digest,
               coalesce(before.created, $now) AS created
        FROM after LEFT JOIN (FROM digests_before WHERE view = $view) before USING (kind, id)
        """,
        values,
    )
    connection.execute(
        f"""
        INSERT INTO changes
        WITH before AS (FROM digests_before WHERE view = $view), today AS (FROM digests WHERE view = $view)
        SELECT $view, kind, id, CASE WHEN before.id IS NULL THEN 'created' ELSE 'updated' END, after.roles,
               core || {_ending("today.created")}
        FROM today JOIN after USING (kind, id) LEFT JOIN before USING (kind, id)
        WHERE before.digest IS DISTINCT FROM today.digest
        UNION ALL
        SELECT $view, kind, id, 'deleted', roles, NULL FROM before ANTI JOIN today USING (kind, id)
        ORDER BY kind, id
        """,
        values,
    )


def _ending(created: str) -> str:
    """SQL for the end of a record: its dates where its kind has them, and the closing brace; a list has no end."""
    cases = " ".join(
        f"""WHEN '{kind}' THEN ',"{first}":"' || {created} || '","{second}":"' || $now || '"}}'"""
        for kind, (first, second) in DATES.items()
    )
    return f"CASE kind {cases} WHEN 'terms' THEN '}}' WHEN 'courses' THEN '}}' ELSE '' END"
