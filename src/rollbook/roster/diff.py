"""What lies between two snapshots, as columns: which records appear, change and vanish.

A snapshot is remembered by a digest for each record, so that only the records that changed are read, written and published.
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

COLUMNS = "kind VARCHAR, id VARCHAR, roles BIGINT, digest UHUGEINT, created VARCHAR"

_FIRST_ROLE = " ".join(f"WHEN roles & {role.bit} > 0 THEN '{source}'" for source, role in SOURCE_ROLES.items())
# How many records of each source there were before, and appear, change and vanish; users count under their first role.
COUNTS = f"""
    SELECT source, count(*) FILTER (what = 'before'), count(*) FILTER (what = 'created'),
           count(*) FILTER (what = 'updated'), count(*) FILTER (what = 'deleted')
    FROM (
        SELECT CASE {_FIRST_ROLE} ELSE kind END AS source, what
        FROM (SELECT kind, roles, 'before' AS what FROM digests_before UNION ALL SELECT kind, roles, verb FROM changes)
        WHERE NOT contains(kind, '.')
    ) GROUP BY source
"""


def load(connection: duckdb.DuckDBPyConnection, before: Path | None) -> None:
    """Create `digests_before` from the Parquet file of the last snapshot, empty without one."""
    if before is None:
        connection.execute(f"CREATE TEMP TABLE digests_before ({COLUMNS})")
    else:
        connection.execute("CREATE TEMP TABLE digests_before AS FROM read_parquet(?)", [str(before)])


def between(connection: duckdb.DuckDBPyConnection, now: str) -> None:
    """Create `digests` (the new snapshot's) and `changes` (kind, id, verb, roles, body, hidden), in order of kind and id.

    verb is created, updated or deleted; body is the finished record, NULL for a deleted one. `now` is when it happens, as the
    API writes it.
    """
    connection.execute(
        """
        CREATE TEMP TABLE digests AS
        SELECT kind, id, after.roles, md5_number(core || coalesce(hidden, '') || coalesce(after.roles::VARCHAR, '')) AS digest,
               coalesce(before.created, $now) AS created
        FROM after LEFT JOIN digests_before before USING (kind, id)
        """,
        {"now": now},
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE changes AS
        SELECT kind, id, CASE WHEN before.id IS NULL THEN 'created' ELSE 'updated' END AS verb, after.roles,
               core || {_ending("digests.created")} AS body, hidden
        FROM digests JOIN after USING (kind, id) LEFT JOIN digests_before before USING (kind, id)
        WHERE before.digest IS DISTINCT FROM digests.digest
        UNION ALL
        SELECT kind, id, 'deleted', roles, NULL, NULL FROM digests_before ANTI JOIN digests USING (kind, id)
        ORDER BY kind, id
        """,
        {"now": now},
    )


def _ending(created: str) -> str:
    """SQL for the end of a record: its dates where its kind has them, and the closing brace; a list has no end."""
    cases = " ".join(
        f"""WHEN '{kind}' THEN ',"{first}":"' || {created} || '","{second}":"' || $now || '"}}'"""
        for kind, (first, second) in DATES.items()
    )
    return f"CASE kind {cases} WHEN 'terms' THEN '}}' WHEN 'courses' THEN '}}' ELSE '' END"
