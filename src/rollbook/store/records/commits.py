"""The history of snapshots: what a sync compares with, and the one transaction that makes its changes
current.

A commit writes only changes. Superseded versions move to `versions`, new ones take their place, events are
published, and the district's head moves on. Readers see the snapshot before or after, and an interrupted
commit leaves nothing behind. A held sync keeps its snapshot, and changes only the district's own record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from rollbook.contract.clever.event_rows import rank
from rollbook.domain.kinds import label as label_of
from rollbook.domain.snapshot_names import new_mark
from rollbook.errors import Busy, Unknown
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database, Row, Transaction
from rollbook.store.records import body_references, event_feed, record_search
from rollbook.store.records.retention import Keep, drop_snapshots, prune
from rollbook.store.records.shared_bodies import current

RECORDS = "view, form, kind, id, since, roles, body"
INCOMING = "view, form, rank, kind, id, roles, body"
# The columns of `syncs` that `as_run` reads.
RUN = "sync, cause, state, created, report, is_short"
LAST_OF_BATCH = 0xFFFF_FFFF
_DISTRICT_RANK = rank("districts", 0, "updated")
# In an outcome's columns: stands for the run's own number.
THIS_RUN = object()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The snapshot of a sync: its number and time (0 and None before the first), its Parquet files by name,
    the district's views.

    `head` is the district's last run when the snapshot was read. A commit is refused if it has moved on
    since.
    """

    sync: int
    created: str | None
    files: Mapping[str, Path]
    views: tuple[View, ...]
    head: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run on a district, from `syncs`. `is_short`: the report has lost its examples."""

    number: int
    cause: str
    state: str
    created: str
    report: dict[str, Any]
    is_short: bool = False


def snapshot(
    database: Database,
    district: District,
    folder: Path,
    names: Iterable[str] | None = None,
    sync: int | None = None,
) -> Snapshot:
    """Copy a snapshot's files into a folder: the named ones or all, of the given sync or of the last
    committed one."""
    wanted = None if names is None else set(names)
    with database.read() as transaction:
        current = districts.reread(transaction, district)
        number = current.snapshot if sync is None else sync
        found = transaction.row(
            "SELECT created FROM syncs WHERE district = ? AND sync = ?", (district.number, number)
        )
        stored = transaction.rows(
            "SELECT name FROM snapshots WHERE district = ? AND sync = ?", (district.number, number)
        )
        files = {}
        for (name,) in stored:
            if wanted is None or name in wanted:
                files[name] = folder / f"{name}-{number}.parquet"
                files[name].write_bytes(_file(transaction, district, number, name))
        seen = tuple(views.list_all(transaction, district.number))
    return Snapshot(number, found[0] if found else None, files, seen, current.head)


def _file(transaction: Transaction, district: District, sync: int, name: str) -> bytes:
    found = transaction.row(
        "SELECT data FROM snapshots WHERE district = ? AND sync = ? AND name = ?",
        (district.number, sync, name),
    )
    return bytes(found[0]) if found else b""


def kept_file(database: Database, district: District, sync: int, name: str) -> bytes:
    """A small file of a snapshot; empty if it has none of that name."""
    with database.read() as transaction:
        return _file(transaction, district, sync, name)


def runs(database: Database, district: District, states: tuple[str, ...] = (), most: int = 20) -> list[Run]:
    """The last runs on a district, newest first; only those in the given states, or all."""
    among = f"AND state IN ({', '.join('?' for _ in states)})" if states else ""
    with database.read() as transaction:
        found = transaction.rows(
            (f"SELECT {RUN} FROM syncs WHERE district = ? {among} ORDER BY sync DESC LIMIT ?"),
            (district.number, *states, most),
        )
    return [as_run(row) for row in found]


def run(database: Database, district: District, number: int) -> Run:
    """One run on a district. Errors: Unknown."""
    with database.read() as transaction:
        found = transaction.row(
            f"SELECT {RUN} FROM syncs WHERE district = ? AND sync = ?",
            (district.number, number),
        )
    if found is None:
        raise Unknown(f"{district.name!r} has no run {number}; `rollbook history` lists them")
    return as_run(found)


def as_run(row: Row) -> Run:
    """A run from its columns, as `RUN` names them."""
    number, cause, state, created, report, is_short = row
    return Run(number, cause, state, created, json.loads(report), bool(is_short))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run: its cause and time, its report, and the changed columns of the district."""

    cause: str
    moment: float
    report: Mapping[str, object]
    columns: Mapping[str, object]
    state: str = "committed"
    held_becomes: str | None = "replaced"


def commit(
    database: Database,
    district: District,
    before: Snapshot,
    outcome: Outcome,
    *,
    changes: Iterable[Row] = (),
    files: Mapping[str, Path] | None = None,
    keep: Keep | None = None,
    also: Callable[[Transaction], None] | None = None,
) -> int:
    """Make the changes current, in one transaction; returns the number of the run.

    `changes` are rows of (view, form, rank, kind, id, roles, body), in order of view, kind and id; body is
    None for a deleted record. `files` are those of a new snapshot. `also` runs first, in the same
    transaction. A held or failed run changes only the district's own record. Errors: Busy if another run
    changed the district after `before` was read.
    """
    ids = districts.reserve(database, outcome.moment)
    with database.write() as transaction:
        number = _next_number(transaction, district, before)
        columns = {name: number if value is THIS_RUN else value for name, value in outcome.columns.items()}
        # This is the first write: if two runs commit at once, PostgreSQL refuses one here.
        changed = districts.update(transaction, district, head=number, **columns)
        if also:
            also(transaction)
        if outcome.held_becomes:
            _settle_held(transaction, district, outcome.held_becomes)
        _keep_files(transaction, district, number, files or {})
        published = [view for view in before.views if event_feed.is_published(transaction, view)]
        is_first = before.sync == 0 and not published
        _take_in(
            transaction, changes, [view.number for view in before.views if view.is_whole and is_first], number
        )
        _keep_findable(transaction, district, before.views, number, is_first=is_first)
        _take_in_district(transaction, changed, before.views)
        for view in published:
            # Each view has its own ids: gaps would reveal changes that the view does not show.
            event_feed.publish(transaction, view, ids, number)
        _move_in(transaction, before.views, number)
        transaction.run(
            (
                "INSERT INTO syncs (district, sync, cause, state, created, report, last_event, "
                "mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            (
                district.number,
                number,
                outcome.cause,
                outcome.state,
                districts.timestamp(outcome.moment),
                json.dumps(outcome.report),
                ids.id(LAST_OF_BATCH),
                new_mark(),
            ),
        )
        drop_snapshots(transaction, district)
        if keep:
            prune(transaction, district, before.views, keep)
    return number


def held(database: Database, district: District) -> Run:
    """The run that waits for an approval. Errors: Unknown if none does."""
    found = runs(database, district, ("held",), 1)
    if not found:
        raise Unknown(f"no sync of {district.name!r} is held")
    return found[0]


def present(database: Database, district: District) -> Snapshot:
    """The last committed sync without its files, for runs that change only the district's own record."""
    with database.read() as transaction:
        current = districts.reread(transaction, district)
        seen = tuple(views.list_all(transaction, district.number))
    return Snapshot(current.snapshot, current.last_sync, {}, seen, current.head)


def label(transaction: Transaction, view: int, kind: str, id_: str) -> str:
    """The name of a record in a view (by number); blank if the view does not show it."""
    body = present_body(transaction, views.by_number(transaction, view), kind, id_)
    return label_of(json.loads(body)) if body else ""


def fill_view(
    transaction: Transaction,
    district: District,
    view: View,
    snapshot: Snapshot,
    records: Iterable[Row],
    digests: Path,
) -> None:
    """Add the records of a new view to the snapshot that it was made from.

    `records` are rows of (view, form, rank, kind, id, roles, body). `digests` is the snapshot's file of that
    name, with the view's rows. Errors: Busy if the district was changed after the snapshot was read.
    """
    hold_on(transaction, district, snapshot)
    _take_in(transaction, records, (), snapshot.sync)
    _move_in(transaction, [view], snapshot.sync)
    districts.insert_record(transaction, districts.reread(transaction, district), view, snapshot.sync)
    replace_digests(transaction, district, snapshot.sync, digests)


def hold_on(transaction: Transaction, district: District, snapshot: Snapshot) -> None:
    """Let no run commit between the snapshot that was read and the end of this transaction.

    Errors: Busy if one already did.
    """
    if districts.reread(transaction, district).head != snapshot.head:
        raise Busy(f"{district.name!r} was changed by a sync meanwhile; nothing was written, run it again")
    # If a view and a sync commit at once, PostgreSQL refuses one here: a sync that does not know the view
    # would leave it behind.
    districts.update(transaction, district, head=snapshot.head)


def replace_digests(transaction: Transaction, district: District, sync: int, digests: Path) -> None:
    """Replace the digests of a snapshot after a view has changed without it."""
    transaction.run(
        "UPDATE snapshots SET data = ? WHERE district = ? AND sync = ? AND name = 'digests'",
        (digests.read_bytes(), district.number, sync),
    )


def _first_records(rows: Iterable[Row], sync: int) -> Iterator[Row]:
    """The records of a view that had none, from rows of changes."""
    return ((view, form, kind, id_, sync, roles, body) for view, form, _, kind, id_, roles, body in rows)


# Inside the transaction ------------------------------------------------------------------------------


def _next_number(transaction: Transaction, district: District, before: Snapshot) -> int:
    current = districts.reread(transaction, district)
    if current.head != before.head or tuple(views.list_all(transaction, district.number)) != before.views:
        raise Busy(
            f"{district.name!r} was changed by another run meanwhile; nothing was written, run it again"
        )
    return current.head + 1


def _keep_files(transaction: Transaction, district: District, number: int, files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        transaction.run(
            "INSERT INTO snapshots (district, sync, name, data) VALUES (?, ?, ?, ?)",
            (district.number, number, name, path.read_bytes()),
        )


def _take_in_district(transaction: Transaction, district: District, seen: Iterable[View]) -> None:
    """Add the district's own record to `incoming`, as a change of every view in which it differs.

    Its contact is the person as `incoming` leaves them. Events never show a former contact.
    """
    body = districts.body(transaction, district, ("records", "incoming"))
    # A list, read before anything is written: PostgreSQL answers nothing else while rows are copied into it.
    before = {view.number: present_body(transaction, view, "districts", district.id) for view in seen}
    rows = [
        (view, 0, _DISTRICT_RANK, "districts", district.id, None, body)
        for view, was in before.items()
        if was != body
    ]
    for view, *_ in rows:
        event_feed.forget_contact(transaction, view, before[view], body)
    transaction.insert("incoming", INCOMING, rows)


def present_body(transaction: Transaction, view: View, kind: str, id_: str) -> str | None:
    """The current record of a view, as JSON."""
    found = current(transaction, view, 0, kind, id_)
    return found.body if found else None


def _keep_findable(
    transaction: Transaction, district: District, seen: Iterable[View], number: int, *, is_first: bool
) -> None:
    """Let the search follow the run."""
    whole = next(view.number for view in seen if view.is_whole)
    record_search.note(transaction, district.number, whole, number, is_first=is_first)


def _take_in(
    transaction: Transaction, changes: Iterable[Row], straight: Collection[int], number: int
) -> None:
    """Create `incoming` with the changes. Those of the views `straight` become records at once.

    The rank of a list is -1, because a list publishes nothing. So is that of a later form: its record
    publishes it.
    """
    transaction.run(
        "CREATE TEMPORARY TABLE incoming (view BIGINT, form BIGINT, rank BIGINT, kind TEXT, id TEXT, "
        "roles BIGINT, body TEXT)"
    )
    for view, rows in groupby(changes, key=itemgetter(0)):
        if view in straight:
            transaction.insert("records", RECORDS, _first_records(rows, number))
        else:
            transaction.insert("incoming", INCOMING, rows)
    transaction.run("CREATE INDEX incoming_by_rank ON incoming (view, rank, id)")


def _move_in(transaction: Transaction, seen: Sequence[View], number: int) -> None:
    """Move the versions of these views that `incoming` supersedes to `versions`, and put the new ones in."""
    body_references.begin(transaction)
    for view in seen:
        body_references.mend(transaction, view)
    for view in seen:
        body_references.refer_to_base(transaction, view, number)
    touched = "FROM records WHERE (view, form, kind, id) IN (SELECT view, form, kind, id FROM incoming)"
    transaction.run(
        "INSERT INTO versions (view, form, kind, id, since, until, roles, body, spans)"
        f" SELECT view, form, kind, id, since, CAST(? AS BIGINT), roles, body, spans {touched}",
        (number,),
    )
    transaction.run(f"DELETE {touched}")
    transaction.run(
        f"INSERT INTO records ({RECORDS})"
        " SELECT view, form, kind, id, CAST(? AS BIGINT), roles, body FROM incoming"
        f" WHERE body IS NOT NULL AND {body_references.others(seen)} ORDER BY view, form, kind, id",
        (number,),
    )
    body_references.put_in(transaction)
    for table in ("incoming", "referring"):
        transaction.run(f"DROP TABLE {table}")


def _settle_held(transaction: Transaction, district: District, state: str) -> None:
    transaction.run(
        "UPDATE syncs SET state = ? WHERE district = ? AND state = 'held'", (state, district.number)
    )
