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
from rollbook.store import views
from rollbook.store.database import Connection, Database, Row
from rollbook.store.districts import District, write_record
from rollbook.store.views import View

CHANGES = "view, kind, id, since, roles, body"
KEPT_SNAPSHOTS = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last committed sync: its number and moment (0 and None before the first), its Parquet files by name, the views."""

    sync: int
    created: str | None
    files: Mapping[str, Path]
    views: tuple[View, ...]


def last_snapshot(database: Database, district: District, folder: Path, names: Iterable[str] | None = None) -> Snapshot:
    """Lay files of the last snapshot into a folder: those named, or all."""
    wanted = None if names is None else set(names)
    with database.read() as connection:
        head = _head(connection, district)
        found = connection.row("SELECT created FROM syncs WHERE district = ? AND sync = ?", (district.number, head))
        stored = connection.rows("SELECT name FROM snapshots WHERE district = ? AND sync = ?", (district.number, head))
        files = {}
        for (name,) in stored:
            if wanted is None or name in wanted:
                files[name] = folder / f"{name}-{head}.parquet"
                files[name].write_bytes(_file(connection, district, head, name))
        seen = views.list_all(connection, district.number)
    return Snapshot(head, found[0] if found else None, files, tuple(seen))


def _file(connection: Connection, district: District, sync: int, name: str) -> bytes:
    found = connection.row(
        "SELECT data FROM snapshots WHERE district = ? AND sync = ? AND name = ?", (district.number, sync, name)
    )
    return bytes(found[0]) if found else b""


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

    `changes` are rows of (view, kind, id, roles, body), body None for a record that vanishes, in order of their first three;
    `files` are the new snapshot's; `keep_since` is the moment before which superseded versions are dropped.
    Errors: Busy when another sync of the district was committed, or a view made, since `before` was read.
    """
    sync = before.sync + 1
    with database.write() as connection:
        if _head(connection, district) != before.sync or tuple(views.list_all(connection, district.number)) != before.views:
            raise Busy(f"{district.name!r} was changed by another run meanwhile; nothing was written, run it again")
        _supersede(connection, sync, changes, is_first=before.sync == 0)
        for name, path in files.items():
            connection.run(
                "INSERT INTO snapshots (district, sync, name, data) VALUES (?, ?, ?, ?)",
                (district.number, sync, name, path.read_bytes()),
            )
        connection.run(
            "INSERT INTO syncs (district, sync, state, created, report) VALUES (?, ?, 'committed', ?, ?)",
            (district.number, sync, now, json.dumps(report)),
        )
        connection.run("UPDATE districts SET head = ? WHERE number = ?", (sync, district.number))
        for view in before.views:
            write_record(connection, district, view, sync, now)
            _prune_versions(connection, district, view, keep_since)
        connection.run("DELETE FROM snapshots WHERE district = ? AND sync <= ?", (district.number, sync - KEPT_SNAPSHOTS))
    return sync


def fill_view(
    connection: Connection, district: District, view: View, snapshot: Snapshot, records: Iterable[Row], digests: Path
) -> None:
    """Put the records of a new view beside those of the snapshot that it was made from.

    `records` are rows of (view, kind, id, roles, body); `digests` is the snapshot's file of that name with the view's rows added.
    """
    rows = ((number, kind, id_, snapshot.sync, roles, body) for number, kind, id_, roles, body in records)
    connection.insert("records", CHANGES, rows)
    write_record(connection, district, view, snapshot.sync, snapshot.created)
    connection.run(
        "UPDATE snapshots SET data = ? WHERE district = ? AND sync = ? AND name = 'digests'",
        (digests.read_bytes(), district.number, snapshot.sync),
    )


def _head(connection: Connection, district: District) -> int:
    found = connection.row("SELECT head FROM districts WHERE number = ?", (district.number,))
    return int(found[0]) if found else 0


def _supersede(connection: Connection, sync: int, changes: Iterable[Row], *, is_first: bool) -> None:
    """Move the versions that changed out of the way and put the new ones in."""
    if is_first:
        connection.insert("records", CHANGES, ((view, kind, id_, sync, roles, body) for view, kind, id_, roles, body in changes))
        return
    connection.run("CREATE TEMPORARY TABLE incoming (view BIGINT, kind TEXT, id TEXT, roles BIGINT, body TEXT)")
    connection.insert("incoming", "view, kind, id, roles, body", changes)
    touched = "FROM records WHERE (view, kind, id) IN (SELECT view, kind, id FROM incoming)"
    connection.run(
        "INSERT INTO versions (view, kind, id, since, until, roles, body)"
        f" SELECT view, kind, id, since, CAST(? AS BIGINT), roles, body {touched}",
        (sync,),
    )
    connection.run(f"DELETE {touched}")
    connection.run(
        f"INSERT INTO records ({CHANGES})"
        " SELECT view, kind, id, CAST(? AS BIGINT), roles, body FROM incoming WHERE body IS NOT NULL ORDER BY view, kind, id",
        (sync,),
    )
    connection.run("DROP TABLE incoming")


def _prune_versions(connection: Connection, district: District, view: View, keep_since: str) -> None:
    """Drop the versions that no kept moment needs: those superseded by a sync before `keep_since`."""
    found = connection.row("SELECT max(sync) FROM syncs WHERE district = ? AND created < ?", (district.number, keep_since))
    if found and found[0] is not None:
        connection.run("DELETE FROM versions WHERE view = ? AND until <= ?", (view.number, found[0]))
