"""Which id belongs to which SIS key: kept while the key is used, given back when it returns in time, new otherwise.

Teachers, staff and administrators of one email (equal to the letter) are one user. Each of their rows keeps two ids for good:
`id`, the user it would be alone, and `legacy_id`, the role itself. The user of a group is the oldest `id` among its members,
so who is merged depends on today's rows alone: when a group splits, each part returns to an id it had or could have had.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a server that only serves need not load the engine
    import duckdb


# Every source of ids, in the order in which new ids are minted: parents first, so that ids rise in publishing order.
SOURCES: tuple[str, ...] = (
    "schools",
    "terms",
    "courses",
    "resources",
    "students",
    "contacts",
    "teachers",
    "staff",
    "district_admins",
    "sections",
)
# Sources whose records carry the id of the role beside the id of the user.
ROLES_WITH_LEGACY_ID: tuple[str, ...] = ("contacts", "teachers", "staff", "district_admins")
# Sources whose rows merge into one user by email, in the order in which their name and email win.
MERGING: tuple[str, ...] = ("teachers", "staff", "district_admins")
# Terms and courses are made from section rows; one that comes back is a new one (data-model.md 2.7).
FORGOTTEN_AT_ONCE: tuple[str, ...] = ("terms", "courses")

COLUMNS = "source VARCHAR, key VARCHAR, id VARCHAR, legacy_id VARCHAR, gone VARCHAR"


def load(connection: duckdb.DuckDBPyConnection, before: Path | None, home: Path | None = None) -> None:
    """Create `identity_before` from the Parquet file of the last snapshot, empty without one.

    Keys that only an older snapshot's file knows (`home`) come with the ids they had.
    """
    connection.execute(f"CREATE TEMP TABLE identity_before ({COLUMNS})")
    for file in (before, home):
        if file is not None:
            connection.execute(
                "INSERT INTO identity_before FROM read_parquet(?) known ANTI JOIN identity_before USING (source, key)",
                [str(file)],
            )


def assign(connection: duckdb.DuckDBPyConnection, *, prefix: str, now: str, forget_before: str) -> None:
    """Create `identity`: every key of the new roster and every remembered one, each with its ids.

    `prefix` is the first 16 characters of the new ids; `now` and `forget_before` are moments as the API writes them: a key
    not seen since before `forget_before` is forgotten. Also creates `people` (source, key, user): who is which user.
    """
    connection.execute(f"CREATE TEMP TABLE seen AS {_seen()}")
    legacy = ", ".join(f"'{source}'" for source in ROLES_WITH_LEGACY_ID)
    forgotten = ", ".join(f"'{source}'" for source in FORGOTTEN_AT_ONCE)
    connection.execute(
        f"""
        CREATE TEMP TABLE identity AS
        WITH kept AS (
            SELECT * FROM identity_before WHERE coalesce(gone, $now) >= $forget_before
        ), found AS (
            SELECT seen.source, seen.key, kept.id, kept.legacy_id,
                   CASE WHEN kept.id IS NULL THEN row_number() OVER (PARTITION BY kept.id IS NULL ORDER BY place, row) END AS new
            FROM seen LEFT JOIN kept USING (source, key)
        ), size AS (SELECT count(new) AS fresh FROM found)
        SELECT source, key,
               coalesce(id, $prefix || printf('%08x', new)) AS id,
               CASE WHEN source IN ({legacy}) THEN coalesce(legacy_id, $prefix || printf('%08x', new + fresh)) END AS legacy_id,
               NULL::VARCHAR AS gone
        FROM found, size
        UNION ALL
        SELECT source, key, id, legacy_id, coalesce(gone, $now) FROM kept ANTI JOIN seen USING (source, key)
        WHERE source NOT IN ({forgotten})
        """,
        {"prefix": prefix, "now": now, "forget_before": forget_before},
    )
    group(connection)


def restore(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Create `identity` and `people` from a snapshot's Parquet file, as `assign` left them."""
    connection.execute("CREATE TEMP TABLE identity AS FROM read_parquet(?)", [str(file)])
    group(connection)


def group(connection: duckdb.DuckDBPyConnection) -> None:
    """Create `people` (source, key, user): who is which user, from `identity` and today's emails."""
    connection.execute(f"CREATE TEMP TABLE people AS {_people()}")


def _seen() -> str:
    parts = (
        f"SELECT '{source}' AS source, {place} AS place, key, row FROM roster_{source}" for place, source in enumerate(SOURCES)
    )
    return " UNION ALL ".join(parts)


def _people() -> str:
    """SQL for (source, key, user) of everybody; a user has at most one role of each
    kind, so a second row of one email stays alone."""
    emails = " UNION ALL ".join(f"SELECT '{source}' AS source, key, email FROM roster_{source}" for source in MERGING)
    return f"""
        WITH member AS (
            SELECT source, key, id, email,
                   email <> '' AND row_number() OVER (PARTITION BY source, email ORDER BY id) = 1 AS merges
            FROM ({emails}) JOIN identity USING (source, key) WHERE gone IS NULL
        )
        SELECT source, key, CASE WHEN merges THEN min(id) OVER (PARTITION BY email, merges) ELSE id END AS user FROM member
        UNION ALL
        SELECT source, key, id FROM identity WHERE gone IS NULL AND source IN ('students', 'contacts')
    """
