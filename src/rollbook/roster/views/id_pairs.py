"""Records that come back under another SIS id, as after a new SIS: pairs of an old id and a new one.

A pair is found if the records have the same name and agree in something more. `sure`: the birthday or the email
is the same, too, or for a section its school, course and period. `likely`: the school is the same. `doubtful`:
only the name is. A name that several records have gives no pair unless the rest tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollbook.errors import BadSetting
from rollbook.roster.sql_text import text

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

STRENGTHS: Final = ("sure", "likely", "doubtful")
_FULL = "trim(lower(strip_accents(concat_ws(' ', first, last))))"
# By source: the columns of a record that a pair compares: name, two that make it sure, and the school.
_MARKS: Final = {
    "students": (_FULL, "dob", "lower(email)", "school"),
    "teachers": (_FULL, "NULL", "lower(email)", "school"),
    "staff": (_FULL, "NULL", "lower(email)", "NULL"),
    "district_admins": (_FULL, "NULL", "lower(email)", "NULL"),
    "sections": (
        "trim(lower(strip_accents(name)))",
        "concat_ws(' ', school, course, term, period)",
        "NULL",
        "school",
    ),
}
SOURCES: Final = tuple(_MARKS)
# What makes a pair, strongest first: the columns that must be the same and not blank.
_RULES: Final = (
    ("sure", "name and birthday or place", ("name", "first_mark")),
    ("sure", "name and email", ("name", "second_mark")),
    ("likely", "name and school", ("name", "school")),
    ("doubtful", "name", ("name",)),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """An old SIS id, and the new one of the same record; why, and how strongly, if it was found."""

    source: str
    old: str
    new: str
    strength: str = ""
    why: str = ""
    name: str = ""


def find(
    connection: duckdb.DuckDBPyConnection, before: Mapping[str, Path], after: Mapping[str, Path]
) -> list[Pair]:
    """The pairs between two snapshots: records of the first that the second lacks, beside new ones of it."""
    found: list[Pair] = []
    for source, (name, first, second, school) in _MARKS.items():
        columns = (
            f"key, {name} AS name, CAST({first} AS VARCHAR) AS first_mark, CAST({second} AS VARCHAR) AS second_mark,"
            f" CAST({school} AS VARCHAR) AS school"
        )
        old, new = (f"read_parquet({text(str(files[f'roster_{source}']))})" for files in (before, after))
        for table, of, other in (("lost", old, new), ("fresh", new, old)):
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {columns} FROM {of} t ANTI JOIN {other} o USING (key)"
            )
        for strength, why, marks in _RULES:
            found += [
                Pair(source, old, new, strength, why, label)
                for old, new, label in _matched(connection, marks)
            ]
    return found


def _matched(connection: duckdb.DuckDBPyConnection, marks: Sequence[str]) -> list[tuple[str, str, str]]:
    """The pairs of records that agree in all marks with each other only; both leave their tables."""
    same = ", ".join(marks)
    filled = " AND ".join(f"coalesce({mark}, '') <> ''" for mark in marks)
    grouped = f"SELECT {same}, min(key) AS key FROM {{}} WHERE {filled} GROUP BY {same} HAVING count(*) = 1"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE matched_pairs AS
        SELECT l.key AS old, f.key AS new, name FROM ({grouped.format("lost")}) l
        JOIN ({grouped.format("fresh")}) f USING ({same})
        """
    )
    for table, column in (("lost", "old"), ("fresh", "new")):
        connection.execute(f"DELETE FROM {table} WHERE key IN (SELECT {column} FROM matched_pairs)")
    rows = connection.execute("SELECT old, new, name FROM matched_pairs ORDER BY name, old").fetchall()
    return [(old, new, name) for old, new, name in rows]


def apply(connection: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    """Give the ids of old SIS ids to the new ones, in what `identities.load` made. The new roster is loaded.

    Creates `kept_pairs` (source, old, new, id). Errors: BadSetting for a pair that does not fit the two runs.
    """
    connection.execute("CREATE TEMP TABLE given_pairs (source VARCHAR, old VARCHAR, new VARCHAR)")
    connection.executemany(
        "INSERT INTO given_pairs VALUES (?, ?, ?)", [(pair.source, pair.old, pair.new) for pair in pairs]
    )
    _check(connection)
    connection.execute(
        """
        CREATE TEMP TABLE kept_pairs AS SELECT g.source, old, new, coalesce(user, id) AS id
        FROM given_pairs g JOIN identity_before i ON i.source = g.source AND i.key = g.old
        """
    )
    # A new SIS id no longer belongs to the record that had it long ago.
    connection.execute(
        "DELETE FROM identity_before WHERE (source, key) IN (SELECT (source, new) FROM kept_pairs)"
    )
    for table in ("identity_before", "last_members"):
        connection.execute(
            f"UPDATE {table} SET key = new FROM kept_pairs k WHERE {table}.source = k.source AND {table}.key = k.old"
        )


def kept(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    """The pairs that were applied: source, old SIS id, new one, and the record's id."""
    found = connection.execute("SELECT source, old, new, id FROM kept_pairs ORDER BY ALL").fetchall()
    return [(source, old, new, id_) for source, old, new, id_ in found]


def _check(connection: duckdb.DuckDBPyConnection) -> None:
    """Errors: BadSetting for the first pair that does not fit."""
    rosters = " UNION ALL ".join(
        f"SELECT '{source}' AS source, key FROM roster_{source}" for source in SOURCES
    )
    before = "SELECT source, key FROM identity_before WHERE gone IS NULL"
    for is_wrong, why in (
        (f"(source, old) NOT IN ({before})", "no record of the last committed run has the old SIS id"),
        (f"(source, old) IN ({rosters})", "the held run still has the old SIS id"),
        (f"(source, new) NOT IN ({rosters})", "no record of the held run has the new SIS id"),
        (f"(source, new) IN ({before})", "a record of the last committed run has the new SIS id already"),
        (
            "(SELECT count(*) FROM given_pairs o WHERE o.source = g.source AND (o.old = g.old OR o.new = g.new)) > 1",
            "the old or the new SIS id stands in another pair, too",
        ),
    ):
        found = connection.execute(
            f"SELECT source, old, new FROM given_pairs g WHERE {is_wrong} ORDER BY ALL LIMIT 1"
        ).fetchone()
        if found:
            source, old, new = found
            raise BadSetting(f"pairs: {source} {old!r} to {new!r}: {why}; nothing was written")
