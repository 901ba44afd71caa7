"""The row of snapshots: what a sync compares with, and the one transaction that makes its changes the present.

A commit writes only what changed: superseded versions move to `versions`, new ones take their place, and the district's head
moves on. Whoever reads meanwhile sees the snapshot before or the one after, and a commit that is cut off at any moment leaves
nothing behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import Busy
from rollbook.store.database import Connection, Database, Row
from rollbook.store.districts import District, write_record

CHANGE_COLUMNS = "district, kind, id, since, roles, body, hidden"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is remembered of the last committed sync: its number, its moment (None before the first), its files by name."""

    sync: int
    created: str | None
    files: Mapping[str, Path]


def last_snapshot(database: Database, district: District, folder: Path) -> Snapshot:
    """Lay the last snapshot's Parquet files into a folder."""
    with database.read() as connection:
        head = _head(connection, district)
        found = connection.row("SELECT created FROM syncs WHERE district = ? AND sync = ?", (district.number, head))
        rows = connection.rows("SELECT name, data FROM snapshots WHERE district = ?", (district.number,))
    files = {name: folder / f"{name}-before.parquet" for name, _ in rows}
    for name, data in rows:
        files[name].write_bytes(data)
    return Snapshot(head, found[0] if found else None, files)


def commit(
    database: Database,
    district: District,
    before: Snapshot,
    *,
    now: str,
    changes: Iterable[Row],
    files: Mapping[str, Path],
    report: Mapping[str, object],
    keep_since: str,
) -> int:
    """Make the changes the present, in one transaction; returns the number of the sync.

    `changes` are rows of (kind, id, roles, body, hidden), body None for a record that vanishes, in order of kind and id;
    `files` are the new snapshot's; `keep_since` is the moment before which superseded versions are dropped.
    Errors: Busy when another sync of the district was committed since `before` was read.
    """
    sync = before.sync + 1
    with database.write() as connection:
        if _head(connection, district) != before.sync:
            raise Busy(f"another sync of {district.name!r} was committed meanwhile; nothing was written, run it again")
        _supersede(connection, district, sync, changes, is_first=before.sync == 0)
        connection.run("DELETE FROM snapshots WHERE district = ?", (district.number,))
        for name, path in files.items():
            connection.run(
                "INSERT INTO snapshots (district, name, data) VALUES (?, ?, ?)", (district.number, name, path.read_bytes())
            )
        connection.run(
            "INSERT INTO syncs (district, sync, state, created, report) VALUES (?, ?, 'committed', ?, ?)",
            (district.number, sync, now, json.dumps(report)),
        )
        connection.run("UPDATE districts SET head = ? WHERE number = ?", (sync, district.number))
        write_record(connection, district, sync, now)
        _prune(connection, district, keep_since)
    return sync


def _head(connection: Connection, district: District) -> int:
    found = connection.row("SELECT head FROM districts WHERE number = ?", (district.number,))
    return int(found[0]) if found else 0


def _supersede(connection: Connection, district: District, sync: int, changes: Iterable[Row], *, is_first: bool) -> None:
    """Move the versions that changed out of the way and put the new ones in."""
    if is_first:
        fresh = ((district.number, kind, id_, sync, roles, body, hidden) for kind, id_, roles, body, hidden in changes)
        connection.insert("records", CHANGE_COLUMNS, fresh)
        return
    connection.run("CREATE TEMPORARY TABLE incoming (kind TEXT, id TEXT, roles BIGINT, body TEXT, hidden TEXT)")
    connection.insert("incoming", "kind, id, roles, body, hidden", changes)
    touched = "FROM records WHERE district = ? AND (kind, id) IN (SELECT kind, id FROM incoming)"
    connection.run(
        "INSERT INTO versions (district, kind, id, since, until, roles, body, hidden)"
        f" SELECT district, kind, id, since, CAST(? AS BIGINT), roles, body, hidden {touched}",
        (sync, district.number),
    )
    connection.run(f"DELETE {touched}", (district.number,))
    connection.run(
        f"INSERT INTO records ({CHANGE_COLUMNS})"
        " SELECT CAST(? AS BIGINT), kind, id, CAST(? AS BIGINT), roles, body, hidden FROM incoming WHERE body IS NOT NULL",
        (district.number, sync),
    )
    connection.run("DROP TABLE incoming")


def _prune(connection: Connection, district: District, keep_since: str) -> None:
    """Drop the versions that no kept moment needs: those superseded by a sync before `keep_since`."""
    found = connection.row("SELECT max(sync) FROM syncs WHERE district = ? AND created < ?", (district.number, keep_since))
    if found and found[0] is not None:
        connection.run("DELETE FROM versions WHERE district = ? AND until <= ?", (district.number, found[0]))
