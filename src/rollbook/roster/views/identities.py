"""Which id belongs to which SIS key: kept while the key is used, given back if the key returns in time,
otherwise new.

Each row of a teacher, staff member or administrator keeps two ids for good: `id`, the user that it would be
alone, and `legacy_id`, the role itself. `merging` decides which rows are one user, and under which id. If
that is not the row's own id, `user` stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.roster.views import merging

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb


# All sources of ids, in the order in which new ids are minted: parents first, so ids rise in publishing
# order.
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
# Sources whose records have the id of the role beside the id of the user.
ROLES_WITH_LEGACY_ID: tuple[str, ...] = ("contacts", "teachers", "staff", "district_admins")
# Terms and courses are made from section rows; one that comes back is new (data-model.md 2.7).
FORGOTTEN_AT_ONCE: tuple[str, ...] = ("terms", "courses")

COLUMNS = "source VARCHAR, key VARCHAR, id VARCHAR, legacy_id VARCHAR, gone VARCHAR, user VARCHAR"


def load(
    connection: duckdb.DuckDBPyConnection, before: Mapping[str, Path], home: Mapping[str, Path] | None = None
) -> None:
    """Create `identity_before`, with the user of each row, from the last snapshot's Parquet files; empty
    without them.

    `home` has the files of an older snapshot that comes back: its rows come with the ids and users that they
    had then.
    """
    connection.execute(f"CREATE TEMP TABLE identity_before ({COLUMNS})")
    home = home or {}
    known = [
        (files["identity"], when)
        for files, when in ((home, "gone IS NULL"), (before, "true"), (home, "true"))
        if files
    ]
    for file, when in known:
        connection.execute(
            f"""
            INSERT INTO identity_before BY NAME
            FROM (FROM read_parquet(?) WHERE {when}) known ANTI JOIN identity_before USING (source, key)
            """,
            [str(file)],
        )
    merging.load(connection, home or before)


def assign(connection: duckdb.DuckDBPyConnection, *, prefix: str, now: str, forget_before: str) -> None:
    """Create `identity`: every key of the new roster and every remembered key, each with its ids.

    `prefix` is the first 16 characters of the new ids. `now` and `forget_before` are times as the API writes
    them: a key that was last seen before `forget_before` is forgotten. Also creates `merged_users` (id):
    the users of the last snapshot whose roles continue under another id.
    """
    connection.execute(f"CREATE TEMP TABLE seen AS {_seen()}")
    forget_rivals(connection, forget_before)
    legacy = ", ".join(f"'{source}'" for source in ROLES_WITH_LEGACY_ID)
    forgotten = ", ".join(f"'{source}'" for source in FORGOTTEN_AT_ONCE)
    connection.execute(
        f"""
        CREATE TEMP TABLE identity AS
        WITH kept AS (
            SELECT * FROM identity_before WHERE coalesce(gone, $now) >= $forget_before
        ), numbered AS (
            -- On most nights few rows are new, and only these are sorted.
            SELECT source, key, row_number() OVER (ORDER BY place, row) AS new FROM seen ANTI JOIN kept USING (source, key)
        ), size AS (SELECT count(*) AS fresh FROM numbered)
        SELECT source, key, id, legacy_id, CASE WHEN place IS NULL THEN coalesce(gone, $now) END AS gone, user
        FROM kept LEFT JOIN (SELECT source, key, place FROM seen) USING (source, key)
        WHERE place IS NOT NULL OR source NOT IN ({forgotten})
        UNION ALL
        SELECT source, key, $prefix || printf('%08x', new),
               CASE WHEN source IN ({legacy}) THEN $prefix || printf('%08x', new + fresh) END, NULL, NULL
        FROM numbered, size
        """,
        {"prefix": prefix, "now": now, "forget_before": forget_before},
    )
    merging.assign(connection, f"'{prefix}' || printf('%08x', {_GIVEN} + number)")


# How many ids of this prefix were given to new keys and their roles.
_GIVEN = "(SELECT 2 * count(*) FROM seen)"


def forget_rivals(connection: duckdb.DuckDBPyConnection, forget_before: str) -> None:
    """Let only one of two keys in `seen` remember an id: after an undo of a run that kept ids, two keys can.

    The record that is there keeps the id, and the other one is new. A key that is forgotten by now, because it was last
    seen before `forget_before`, takes no id from another one.
    """
    connection.execute(
        """
        DELETE FROM identity_before WHERE gone IS NOT NULL AND (source, key) IN (
            SELECT (r.source, r.key) FROM (FROM identity_before WHERE gone IS NOT NULL) r
            JOIN seen ON seen.source = r.source AND seen.key = r.key
            JOIN identity_before other ON other.source = r.source AND other.id = r.id AND other.key <> r.key
            JOIN seen its ON its.source = other.source AND its.key = other.key
            WHERE other.gone IS NULL OR (other.key < r.key AND other.gone >= $forget_before)
        )
        """,
        {"forget_before": forget_before},
    )


def restore(connection: duckdb.DuckDBPyConnection, file: Path, which: str = "true") -> None:
    """Create `identity` from a snapshot's Parquet file, as `assign` left them.

    `which` is SQL for the rows to load.
    """
    connection.execute(f"CREATE TEMP TABLE identity ({COLUMNS})")
    connection.execute(f"INSERT INTO identity BY NAME FROM read_parquet(?) WHERE {which}", [str(file)])
    if not merging.remembers_users(connection, file):
        merging.recall_users(
            connection, "identity", {source: f"roster_{source}" for source in merging.SOURCES}
        )


def _seen() -> str:
    parts = (
        f"SELECT '{source}' AS source, {place} AS place, key, row FROM roster_{source}"
        for place, source in enumerate(SOURCES)
    )
    return " UNION ALL ".join(parts)
