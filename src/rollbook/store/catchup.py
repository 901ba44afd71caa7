"""The full difference from any kept snapshot to now, for whoever slept longer than events are kept.

It is made from the versions of records: what was in force after the snapshot's run, against what is in force now. A snapshot is
kept as long as `history_days` says.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollbook.contract.access import Access
from rollbook.contract.events import rank
from rollbook.contract.query import Query
from rollbook.errors import NotFound, Unknown
from rollbook.store import districts, events, views
from rollbook.store.database import Connection, Database
from rollbook.store.districts import District, IdBatch
from rollbook.store.records import EMPTY, Page
from rollbook.store.views import View

Difference = tuple[int, str, str]


def since(database: Database, district: District, snapshot: int) -> Iterator[str]:
    """Every difference since a sync as one event of JSON. Errors: Unknown for a snapshot that is not kept."""
    with database.read() as connection:
        current = districts.reread(connection, district)
        _check(connection, current, snapshot)
        view = views.list_all(connection, current.number)[0]
        ids = _ids(connection, current)
        for counter, (_, kind, id_) in enumerate(_differences(connection, view.number, snapshot)):
            made = _event(connection, view, snapshot, ids.id(counter), kind, id_)
            if made:
                yield made


def page(connection: Connection, access: Access, prefix: str, query: Query, snapshot: int) -> Page:
    """One page of the difference, by ids that end where the feed goes on: a client follows the links, then polls as always.

    A snapshot from before the connection began is not its to ask for; since one from before its share was edited, what left is
    told by its id alone, and a role that left by its name. Errors: NotFound for a snapshot that is not kept.
    """
    district = districts.by_number(connection, access.district)
    try:
        if snapshot < access.connected_since:
            raise Unknown(f"snapshot {snapshot} is from before this connection began, with {access.connected_since}")
        _check(connection, district, snapshot)
    except Unknown as error:
        raise NotFound(str(error)) from None
    ids, view = _ids(connection, district), views.by_number(connection, access.view)
    elements: list[tuple[str, str]] = []
    for counter, (_, kind, id_) in enumerate(_differences(connection, access.view, snapshot)):
        event_id = ids.id(counter)
        if query.after and event_id <= query.after:
            continue
        made = _event(connection, view, snapshot, event_id, kind, id_, is_bare=snapshot < access.shown_since)
        if made:
            elements.append((event_id, made))
        if len(elements) > query.limit:
            break
    has_more, shown = len(elements) > query.limit, elements[: query.limit]
    if not shown:
        return EMPTY
    joined = ",".join(f'{{"data":{body},"uri":"{prefix}/events/{id_}"}}' for id_, body in shown)
    return Page((joined.encode(),), shown[0][0], shown[-1][0], has_more)


def _check(connection: Connection, district: District, snapshot: int) -> None:
    found = connection.row("SELECT 1 FROM syncs WHERE district = ? AND sync = ?", (district.number, snapshot))
    oldest = connection.row(
        "SELECT min(until) FROM versions v JOIN views w ON w.number = v.view WHERE w.district = ?", (district.number,)
    )
    kept_from = oldest[0] - 1 if oldest and oldest[0] is not None else 0
    if found is None or snapshot < kept_from:
        raise Unknown(f"snapshot {snapshot} of {district.name!r} is not kept; kept are {max(kept_from, 1)} to {district.head}")


def _ids(connection: Connection, district: District) -> IdBatch:
    """Ids above all events of the district so far, and below all that follow: the second after its last run's, lowest range."""
    found = connection.row("SELECT last_event FROM syncs WHERE district = ? AND sync = ?", (district.number, district.head))
    second = int(found[0][:8], 16) + 1 if found else 0
    return IdBatch(f"{second:08x}{'0' * 8}")


def _differences(connection: Connection, view: int, snapshot: int) -> list[Difference]:
    """(rank, kind, id) of every record that differs from what was in force at the snapshot, in the order of publishing."""
    rows = connection.rows(
        "SELECT kind, id, max(was), max(now), max(roles) FROM ("
        " SELECT kind, id, 1 AS was, 0 AS now, coalesce(roles, 0) AS roles FROM versions"
        " WHERE view = ? AND since <= ? AND until > ?"
        " UNION ALL"
        " SELECT kind, id, 0, 1, coalesce(roles, 0) FROM records WHERE view = ? AND since > ?"
        ") AS changed WHERE kind NOT LIKE '%.%' GROUP BY kind, id",
        (view, snapshot, snapshot, view, snapshot),
    )
    verbs = {(0, 1): "created", (1, 1): "updated", (1, 0): "deleted"}
    return sorted((rank(kind, roles, verbs[was, now]), kind, id_) for kind, id_, was, now, roles in rows)


def _event(
    connection: Connection, view: View, snapshot: int, event_id: str, kind: str, id_: str, *, is_bare: bool = False
) -> str | None:
    """One difference as an event; a bare one says of a record or a role that is gone no more than its id and its roles' names."""
    before = connection.row(
        "SELECT body FROM versions WHERE view = ? AND kind = ? AND id = ? AND since <= ? AND until > ?",
        (view.number, kind, id_, snapshot, snapshot),
    )
    after = connection.row("SELECT body FROM records WHERE view = ? AND kind = ? AND id = ?", (view.number, kind, id_))
    was = before[0] if before else None
    if was and is_bare and after is None:
        was = events.bare(was)
    made = events.event(event_id, kind, was, after[0] if after else None, view.spec.hidden, is_edit=is_bare)
    return made[3] if made else None
