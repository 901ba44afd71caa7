"""The difference between two snapshots, as columns: which records appear, change and vanish.

A digest for each record remembers what each view held, so only changed records are written and published. The
dates of a record are not in its digest: a new `last_modified` alone is no change.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollbook.contract.clever.event_rows import ORDER, PLACES
from rollbook.contract.clever.versions import FORMS
from rollbook.domain.kinds import ROLE, ROLES, label
from rollbook.roster import parts
from rollbook.roster.sql_text import text
from rollbook.roster.views.projection import DATES

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

SOURCE_ROLES = {
    "students": ROLE["student"],
    "teachers": ROLE["teacher"],
    "staff": ROLE["staff"],
    "district_admins": ROLE["district_admin"],
    "contacts": ROLE["contact"],
}

DIGESTS = (
    "view BIGINT, kind VARCHAR, id VARCHAR, roles BIGINT, digest UHUGEINT, created VARCHAR, modified VARCHAR"
)
# Parquet keeps a digest as a number with 53 bits. To cast those that come from there would cost more than to write them.
_AS_KEPT = "* REPLACE (digest::DOUBLE AS digest)"
CHANGES = "view BIGINT, rank BIGINT, kind VARCHAR, id VARCHAR, verb VARCHAR, roles BIGINT"

VERBS = ("created", "updated", "deleted")

# The engine's memory for each record that is read in order, and how many records are passed on at once.
RECORD_BYTES = 5000
BATCH_ROWS = 2_000

_FIRST_ROLE = " ".join(
    f"WHEN roles & {role.bit} > 0 THEN '{source}'" for source, role in SOURCE_ROLES.items()
)
# For each source: how many records a view had before, and how many appear, change and vanish. Users count
# under their first role before. A user whose roles continue under another id was merged, and does not vanish.
_COUNTS = f"""
    SELECT view, source, {", ".join(f"coalesce(sum(n) FILTER (what = '{what}'), 0)" for what in ("before", *VERBS))}
    FROM (
        SELECT view, CASE {_FIRST_ROLE} ELSE kind END AS source, what, n
        FROM (
            SELECT view, kind, roles, 'before' AS what, count(*) AS n FROM digests_before GROUP BY ALL
            UNION ALL
            SELECT changed.view, kind, coalesce(had.roles, changed.roles), verb, 1
            FROM (FROM changes WHERE NOT (verb = 'deleted' AND id IN (SELECT id FROM merged_users))) changed
            LEFT JOIN (
                SELECT view, id, roles FROM digests_before WHERE kind = 'users'
            ) had ON had.view = changed.view AND had.id = changed.id AND changed.kind = 'users' AND verb = 'updated'
        )
        WHERE NOT contains(kind, '.')
    ) GROUP BY view, source
"""

# Records that enter a view, and were in another one or in `home`, keep the dates that they had there. Few do, so
# that dates are only looked up for those.
_KEEP_DATES = """
    UPDATE digests SET created = dates.created, modified = dates.modified
    FROM changes JOIN (
        WITH entered AS (SELECT DISTINCT kind, id FROM changes WHERE verb = 'created')
        SELECT kind, id, min(created) AS created, max(modified) AS modified
        FROM digests_before SEMI JOIN entered USING (kind, id) GROUP BY kind, id
        UNION ALL
        SELECT kind, id, min(created), max(modified)
        FROM digests_home SEMI JOIN entered USING (kind, id) ANTI JOIN digests_before USING (kind, id) GROUP BY kind, id
    ) dates USING (kind, id)
    WHERE changes.verb = 'created' AND digests.view = changes.view AND digests.kind = changes.kind AND digests.id = changes.id
"""


def load(connection: duckdb.DuckDBPyConnection, before: Path | None, home: Path | None = None) -> None:
    """Create `digests_before` from the last snapshot's Parquet file, and empty `digests` and `changes`.

    Of the views in `followed`, `digests` has only the candidates, and `all_digests` has all. `home` is an older
    snapshot's file. A record that comes back from there, or enters another view, keeps its dates.
    """
    for name, file in (("digests_before", before), ("digests_home", home)):
        if file is None:
            connection.execute(f"CREATE TEMP TABLE {name} ({DIGESTS})")
        else:
            connection.execute(f"CREATE TEMP TABLE {name} AS FROM read_parquet(?)", [str(file)])
    connection.execute(f"CREATE TEMP TABLE digests ({DIGESTS})")
    # Where ids are given, `identities.assign` has made it.
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS merged_users (id VARCHAR)")
    connection.execute(f"CREATE TEMP TABLE changes ({CHANGES})")
    # What `view_candidates` chose: the only records of a view that can differ.
    connection.execute("CREATE TEMP TABLE candidates (view BIGINT, id VARCHAR)")
    connection.execute("CREATE TEMP TABLE followed (view BIGINT)")
    # Those of `digests_before` that belong to candidates, with their places there. A digest keeps the type of the file.
    connection.execute(
        "CREATE TEMP TABLE digests_chosen AS SELECT rowid AS place, * FROM digests_before LIMIT 0"
    )
    connection.execute(
        f"CREATE TEMP VIEW all_digests AS SELECT {_AS_KEPT} FROM digests_before WHERE view IN (SELECT view FROM followed)"
        f" AND rowid NOT IN (SELECT place FROM digests_chosen) UNION ALL SELECT {_AS_KEPT} FROM digests"
    )


def take_over(connection: duckdb.DuckDBPyConnection, source: int, target: int) -> None:
    """Compare a view as if it had held the records of another one."""
    connection.execute("DELETE FROM digests_before WHERE view = ?", [target])
    connection.execute(
        "INSERT INTO digests_before SELECT ? AS view, * EXCLUDE view FROM digests_before WHERE view = ?",
        [target, source],
    )


def leave(connection: duckdb.DuckDBPyConnection, views: Collection[int]) -> None:
    """Drop the changes of some views, so that they keep their records."""
    for view in views:
        connection.execute("DELETE FROM changes WHERE view = ?", [view])
        connection.execute("DELETE FROM digests WHERE view = ?", [view])
        connection.execute("DELETE FROM followed WHERE view = ?", [view])
        connection.execute("INSERT INTO digests FROM digests_before WHERE view = ?", [view])


def between(connection: duckdb.DuckDBPyConnection, views: Collection[int], now: str) -> None:
    """Compare `after` with what the given views held; other views stay as they are."""
    compare(connection, views, now)
    keep(connection, f"view NOT IN ({_listed(views)})")


def compare(
    connection: duckdb.DuckDBPyConnection, views: Collection[int], now: str, *, are_chosen: bool = False
) -> None:
    """Compare `after` with what the given views held. Fills `digests`, and `changes` with a row for each
    record that differs. `are_chosen`: `after` has only the views' candidates; all else stays as it is.

    verb is created, updated or deleted. rank is the place in the order of publishing, -1 for lists. `now` is
    the time of the change, as the API writes it. A record that enters a view keeps its dates from another
    view.
    """
    listed, before = _listed(views), "digests_before"
    if are_chosen:
        # Read once, not for each of the queries below.
        before = "digests_chosen"
        connection.execute(
            f"INSERT INTO {before} SELECT rowid, * FROM digests_before"
            f" SEMI JOIN candidates USING (view, id) WHERE view IN ({listed})"
        )
        connection.executemany("INSERT INTO followed VALUES (?)", [[view] for view in views])
    connection.execute(
        f"""
        INSERT INTO digests
        WITH today AS (SELECT view, kind, id, roles, digest FROM after WHERE view IN ({listed}))
        SELECT view, kind, id, today.roles, today.digest, coalesce(before.created, $now) AS created,
               CASE WHEN before.digest = today.digest THEN before.modified ELSE $now END AS modified
        FROM today LEFT JOIN {before} before USING (view, kind, id)
        """,
        {"now": now},
    )
    connection.execute(
        f"""
        INSERT INTO changes
        SELECT view, {_rank()} AS rank, kind, id, verb, roles FROM (
            SELECT view, kind, id, CASE WHEN before.id IS NULL THEN 'created' ELSE 'updated' END AS verb, today.roles
            FROM digests today LEFT JOIN {before} before USING (view, kind, id)
            WHERE before.digest IS DISTINCT FROM today.digest AND view IN ({listed})
            UNION ALL
            SELECT view, kind, id, 'deleted', roles FROM {before} before ANTI JOIN digests USING (view, kind, id)
            WHERE view IN ({listed})
        )
        """
    )
    if not _is_all_new(connection):
        connection.execute(_KEEP_DATES)


def _is_all_new(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is no record from before, so that each one is created now."""
    found = "SELECT 1 FROM digests_before UNION ALL SELECT 1 FROM digests_home LIMIT 1"
    return not connection.execute(found).fetchall()


def keep(connection: duckdb.DuckDBPyConnection, which: str) -> None:
    """Let the digests from before that meet a condition stay as they are."""
    connection.execute(f"INSERT INTO digests FROM digests_before WHERE {which}")


def _listed(views: Collection[int]) -> str:
    return ", ".join(str(view) for view in views) or "NULL"


def leaving(connection: duckdb.DuckDBPyConnection, view: int) -> set[str]:
    """The ids of the records that leave a view."""
    found = connection.execute(
        "SELECT DISTINCT id FROM changes WHERE view = ? AND verb = 'deleted' AND NOT contains(kind, '.')",
        [view],
    ).fetchall()
    return {id_ for (id_,) in found}


def losing(connection: duckdb.DuckDBPyConnection, view: int) -> dict[str, list[str]]:
    """The roles that people lose who stay in a view, by their ids."""
    found = connection.execute(
        "SELECT id, before.roles & ~today.roles FROM digests today JOIN digests_before before USING (view, kind, id)"
        " WHERE view = ? AND kind = 'users' AND before.roles & ~today.roles <> 0",
        [view],
    ).fetchall()
    return {id_: [role.name for role in ROLES if mask & role.bit] for id_, mask in found}


def counts(connection: duckdb.DuckDBPyConnection) -> dict[int, dict[str, tuple[int, int, int, int]]]:
    """For each view and source: how many records a view had before, and how many appear, change and vanish."""
    found: dict[int, dict[str, tuple[int, int, int, int]]] = {}
    for view, source, *counted in connection.execute(_COUNTS).fetchall():
        existing, created, updated, deleted = map(int, counted)
        found.setdefault(view, {})[source] = (existing, created, updated, deleted)
    return found


def samples(
    connection: duckdb.DuckDBPyConnection, view: int, each: int = 3, *, is_whole: bool = False
) -> list[dict[str, str]]:
    """The first few changes of each kind and verb in a view: kind, verb, id and a label for people (blank for
    deleted records).

    `is_whole`: the records in `after` already have their dates and closing brace, as in a cloned district.
    """
    found = connection.execute(
        """
        WITH first AS (
            SELECT kind, verb, unnest(min(id, $each)) AS id FROM changes
            WHERE view = $view AND NOT contains(kind, '.') GROUP BY kind, verb
        )
        SELECT kind, verb, id, coalesce(core || $end, '{}') AS record
        FROM first LEFT JOIN (
            FROM after WHERE view = $view AND id IN (SELECT id FROM first)
        ) USING (kind, id) ORDER BY kind, verb, id
        """,
        {"view": view, "each": each, "end": "" if is_whole else "}"},
    ).fetchall()
    return [
        {"kind": kind, "verb": verb, "id": id_, "label": label(json.loads(record))}
        for kind, verb, id_, record in found
    ]


def changed(
    connection: duckdb.DuckDBPyConnection, view: int, most: int, *, is_whole: bool = False
) -> Iterator[tuple[str, str, str, str | None]]:
    """The changes of a view as rows of (kind, verb, id, record as JSON), at most so many; deletions come first.

    The record is None for a deleted one, and without dates unless `is_whole`.
    """
    found = connection.execute(
        f"""
        SELECT kind, verb, id, CASE WHEN verb <> 'deleted' THEN core || $end END
        FROM (FROM changes WHERE view = $view AND NOT contains(kind, '.') AND NOT contains(kind, '@')
              ORDER BY verb <> 'deleted', kind, id LIMIT {most}) changed
        LEFT JOIN (FROM after WHERE view = $view) USING (kind, id)
        """,
        {"view": view, "end": "" if is_whole else "}"},
    )
    while batch := found.fetchmany(BATCH_ROWS):
        yield from batch


def write(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> Path:
    """Write a table of the engine into a Parquet file."""
    path = folder / f"{name}.parquet"
    table = "(FROM all_digests)" if name == "digests" else name
    connection.execute(
        f"COPY {table} TO {text(str(path))} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )
    return path


def _rank() -> str:
    """SQL for `contract.clever.event_rows.rank`."""
    places = " ".join(
        f"WHEN kind = '{kind}'{f' AND roles & {ROLE[role].bit} > 0' if role else ''} THEN {place}"
        for place, (kind, role) in PLACES
    )
    # A person without a known role, which only another server can give, comes last.
    place = f"(CASE {places} ELSE {len(ORDER) - 1} END)"
    return f"""CASE WHEN contains(kind, '.') THEN -1 ELSE CASE verb
        WHEN 'created' THEN {place} WHEN 'updated' THEN 100 + {place} ELSE 200 + {len(ORDER)} - {place} END END"""


def rows(connection: duckdb.DuckDBPyConnection, *, is_whole: bool = False) -> Iterator[tuple[Any, ...]]:
    """The changes as rows of (view, form, rank, kind, id, roles, body), ordered by view, kind and id.

    body is None for deleted records. `is_whole`: the records in `after` already have their dates and closing
    brace, as in a cloned district. Records are read in ranges of ids, so memory does not grow with the
    roster.
    """
    ending = "''" if is_whole else _ending()
    is_all_new = _is_all_new(connection)
    windows = {
        has_form: _new_window(ending) if is_all_new else _window(ending, has_form=has_form)
        for has_form in (False, True)
    }
    counted = connection.execute(
        "SELECT view, kind, count(*) FROM changes GROUP BY view, kind ORDER BY view, kind"
    ).fetchall()
    for view, kind, count in counted:
        of, form = FORMS.get(kind, (kind, 0))
        changed = f"(FROM changes WHERE view = {view} AND kind = '{kind}')"
        for low, high in parts.ranges(connection, changed, "id", RECORD_BYTES, count):
            found = connection.execute(
                windows[form > 0],
                {"view": view, "kind": kind, "of": of, "form": form, "low": low, "high": high},
            )
            while batch := found.fetchmany(BATCH_ROWS):
                yield from batch


def _ending() -> str:
    """SQL for the end of a record: its dates, if its kind has them, and the closing brace.

    Lists have no end.
    """
    cases = " ".join(
        f"""WHEN '{kind}' THEN ',"{first}":"' || created || '","{second}":"' || modified || '"}}'"""
        for kind, (first, second) in (
            DATES | {name: DATES[kind] for name, (kind, _) in FORMS.items()}
        ).items()
    )
    return f"CASE $kind {cases} WHEN 'terms' THEN '}}' WHEN 'courses' THEN '}}' ELSE '' END"


_WITHIN = "view = $view AND kind = $kind AND id >= $low AND ($high IS NULL OR id < $high)"


def _new_window(ending: str) -> str:
    """The same as `_window` if all records are new: their dates are one, and nothing is looked up."""
    return f"""
        SELECT $view, $form, {_rank()}, $of, id, roles, core || {ending}
        FROM (SELECT kind, id, roles, core, 'created' AS verb FROM after WHERE {_WITHIN})
        CROSS JOIN (SELECT created, modified FROM digests LIMIT 1)
        ORDER BY id
    """


def _window(ending: str, *, has_form: bool) -> str:
    # A version's own form of a record was created when the record was.
    created = f"""
        LEFT JOIN (SELECT id, created FROM digests WHERE {_WITHIN.replace("$kind", "$of")}) USING (id)
    """
    return f"""
        SELECT $view, $form, rank, $of, id, changed.roles, core || {ending}
        FROM (FROM changes WHERE {_WITHIN}) changed
        LEFT JOIN (SELECT id, core FROM after WHERE {_WITHIN}) USING (id)
        LEFT JOIN (SELECT id, modified{"" if has_form else ", created"} FROM digests WHERE {_WITHIN}) USING (id)
        {created if has_form else ""}
        ORDER BY id
    """
