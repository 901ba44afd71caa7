"""Reading the roster for the API: pages as bytes, single records, related lists.

A page is one range of the clustered index, joined into the bytes of the wire by SQLite itself; PostgreSQL
hands rows over, which is faster there. A related list is a walk over ids (`contract.endpoints`): each hop
reads ids from records or from stored lists, and only the page's own records are read in full. Every function
needs the `Access` of the caller's token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollbook.contract.clever import versions
from rollbook.contract.clever.endpoints import Endpoint, Hop, Ids, Route
from rollbook.contract.clever.query import LAST, Query
from rollbook.domain.access import Access
from rollbook.domain.kinds import masks_with
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import NotFound
from rollbook.store.engine.database import Connection

ID_LENGTH = 24

Pieces = tuple[bytes, ...]
# List elements in pieces, the ids of the first and the last one, and how many they are.
Joined = tuple[Pieces, str, str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """Elements of a list, the ids of its ends (None when empty), and whether more follow in its direction.

    `pieces` are the elements as joined JSON, cut so that an answer of many megabytes is put together once and
    never copied.
    """

    pieces: Pieces
    first: str | None
    last: str | None
    has_more: bool

    @property
    def elements(self) -> bytes:
        """The elements as joined JSON."""
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as JSON, and its role mask when it is a user (else 0)."""

    id: str
    body: str
    roles: int


EMPTY = Page((), None, None, False)


@dataclass(frozen=True, slots=True)
class Moment:
    """The state after run `run`, when `later` runs have followed it: current records not newer, and the
    versions they replaced.

    None stands for the present, which is the plain and faster way.
    """

    run: int
    later: tuple[int, ...]

    @staticmethod
    def after(run: int, head: int) -> Moment | None:
        return Moment(run, tuple(range(run + 1, head + 1))) if run < head else None


def named(connection: Connection, access: Access, run: int) -> SnapshotName | None:
    """A run of the caller's district; None when it is not there."""
    found = connection.row("SELECT mark FROM syncs WHERE district = ? AND sync = ?", (access.district, run))
    return SnapshotName(run, found[0]) if found else None


def get(connection: Connection, access: Access, kind: str, id_: str, prefix: str = "") -> Record:
    """One record, in the form of the version that `prefix` names, or in the first one.

    Errors: NotFound when it is not there or not the caller's to see.
    """
    found = connection.row(
        "SELECT id, body, roles FROM records WHERE view = ? AND kind = ? AND id = ?", (access.view, kind, id_)
    )
    if found is None:
        raise NotFound("Resource not found")
    form = versions.form(prefix, kind)
    own = form and connection.row(
        "SELECT body FROM records WHERE view = ? AND kind = ? AND id = ?", (access.view, form, id_)
    )
    return Record(found[0], own[0] if own else found[1], found[2] or 0)


def one(connection: Connection, access: Access, endpoint: Endpoint, id_: str) -> Record:
    """The record that a to-one path leads to. Errors: NotFound when either end is missing."""
    targets = [target for route in endpoint.routes for target in _walk(connection, access, route, id_)]
    if not targets:
        raise NotFound("Resource not found")
    return get(connection, access, endpoint.returns, targets[0])


def count(connection: Connection, access: Access, kind: str, role: str | None) -> int:
    """How many records of the kind, or users of the role, the caller sees."""
    if role:
        where = f"roles IN ({', '.join(str(mask) for mask in masks_with(role))})"
        found = connection.row(f"SELECT count(*) FROM records WHERE view = ? AND {where}", (access.view,))
    else:
        found = connection.row(
            "SELECT count(*) FROM records WHERE view = ? AND kind = ?", (access.view, kind)
        )
    return int(found[0]) if found else 0


def page(
    connection: Connection,
    access: Access,
    prefix: str | None,
    kind: str,
    query: Query,
    moment: Moment | None = None,
) -> Page:
    """One page of all records of a kind, or of all users of a role; `prefix` is the version part of the path.

    Without a prefix only the ends of the page are read.
    """
    direction = _Direction.of(query)
    if moment:
        return _page_then(connection, access, prefix, kind, query, direction, moment)
    conditions, has_more = _conditions(kind, query.role), False
    if direction.order:
        # A page read backwards begins where it ends: its first id is looked up, and it is read forwards from
        # there.
        ids, values = _in_order("id", conditions, access, direction, query.limit + 1)
        ends = connection.rows(f"{ids} OFFSET ?", (*values, query.limit - 1))
        direction, has_more = direction.forwards(ends[0][0] if ends else None), len(ends) > 1
    if prefix is None and not direction.values:
        # A first page leads on from its last record alone, which is counted off in the index.
        ids, values = _in_order("id", conditions, access, direction, query.limit)
        if last_row := connection.row(f"{ids} OFFSET ?", (*values, query.limit - 1)):
            return Page((), None, last_row[0], False)
    inner, values = _in_order("id, body", conditions, access, direction, query.limit)
    found = join(connection, prefix, kind, _in_form(access, prefix, kind, inner), values)
    if found is None:
        return EMPTY
    pieces, first, last, size = found
    if not query.before and size == query.limit and prefix is not None:
        has_more = _has_beyond(connection, access, conditions, last)
    return Page(pieces, first, last, has_more)


def related(
    connection: Connection,
    access: Access,
    prefix: str | None,
    endpoint: Endpoint,
    id_: str,
    query: Query,
    moment: Moment | None = None,
) -> Page:
    """One page of a to-many path; without a prefix only its ends. Errors: NotFound when the record in the path
    is missing."""
    if not _bodies(connection, access, endpoint.source, [id_], moment):
        raise NotFound("Resource not found")
    window = _window(query)
    ids: set[str] = set()
    for route in endpoint.routes:
        if query.role in (None, route.role) and route.primary in (None, query.primary):
            ids.update(_walk(connection, access, route, id_, window, moment))
    chosen, has_more = _slice(sorted(ids), query)
    found = _join_ids(connection, access, prefix, endpoint.returns, chosen, moment)
    is_short = (found[3] if found else 0) < len(chosen)
    if (is_short or has_more) and any(isinstance(route.hops[-1], Ids) for route in endpoint.routes):
        # A record may hold ids of what the caller does not see (a share that keeps them): a page is made of
        # what is there.
        chosen, has_more = _slice(_existing(connection, access, endpoint.returns, sorted(ids), moment), query)
        found = _join_ids(connection, access, prefix, endpoint.returns, chosen, moment)
    return Page(*found[:3], has_more) if found else EMPTY


# Lists in index order ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Direction:
    """Which way a page is read: what the cursor asks of the ids, and the order in which the index is
    walked."""

    where: str
    order: str
    values: tuple[str, ...]

    @staticmethod
    def of(query: Query) -> _Direction:
        if query.before == LAST:
            return _Direction("", " DESC", ())
        if query.before:
            return _Direction(" AND id < ?", " DESC", (query.before,))
        if query.after:
            return _Direction(" AND id > ?", "", (query.after,))
        return _Direction("", "", ())

    def beyond(self, id_: str) -> _Direction:
        """The same way, on from an id."""
        return _Direction(" AND id < ?" if self.order else " AND id > ?", self.order, (id_,))

    def forwards(self, first: str | None) -> _Direction:
        """The other way, up to where this one begins: from an id, or from the start of the list."""
        if first is None:
            return _Direction(self.where, "", self.values)
        return _Direction(f"{self.where} AND id >= ?", "", (*self.values, first))


def _conditions(kind: str, role: str | None) -> list[str]:
    """One condition for each range of an index that holds wanted records in id order."""
    if role is None:
        return [f"view = ? AND kind = '{kind}'"]
    return [f"view = ? AND roles = {mask}" for mask in masks_with(role)]


def _in_order(
    columns: str, conditions: Sequence[str], access: Access, direction: _Direction, limit: int
) -> tuple[str, list[Any]]:
    """SQL for the first rows of one range or of several, in the direction's order, and its values."""
    ranges = [f"SELECT {columns} FROM records WHERE {condition}{direction.where}" for condition in conditions]
    ending = f" ORDER BY id{direction.order} LIMIT ?"
    bound = (access.view, *direction.values, limit)
    if len(ranges) == 1:
        return f"{ranges[0]}{ending}", [*bound]
    union = " UNION ALL ".join(f"SELECT * FROM ({one}{ending}) AS one" for one in ranges)
    return f"SELECT * FROM ({union}) AS united{ending}", [*bound * len(ranges), limit]


def _has_beyond(connection: Connection, access: Access, conditions: Sequence[str], last: str) -> bool:
    return any(
        connection.row(f"SELECT 1 FROM records WHERE {condition} AND id > ? LIMIT 1", (access.view, last))
        for condition in conditions
    )


def _in_form(access: Access, prefix: str | None, kind: str, inner: str, moment: Moment | None = None) -> str:
    """SQL for the rows (id, body) of `inner` in the form of the version that `prefix` names: where a record
    has one of its own, that one takes its place."""
    form = versions.form(prefix, kind)
    if form is None:
        return inner
    key = f"view = {access.view} AND kind = '{form}' AND id = shared.id"
    own = [f"(SELECT body FROM records WHERE {key}{f' AND since <= {moment.run}' if moment else ''})"]
    if moment:
        runs = ", ".join(str(run) for run in moment.later)
        own.append(f"(SELECT body FROM versions WHERE {key} AND until IN ({runs}) AND since <= {moment.run})")
    return f"SELECT id, coalesce({', '.join(own)}, body) AS body FROM ({inner}) AS shared ORDER BY id"


def join(
    connection: Connection, prefix: str | None, kind: str, inner: str, values: Sequence[Any]
) -> Joined | None:
    """Join rows of (id, body), in id order, into list elements, or into nothing without a prefix; None without
    any row."""
    if prefix is None:
        ends = connection.row(f"SELECT min(id), max(id), count(*) FROM ({inner}) AS listed", values)
        return ((), *ends) if ends and ends[2] else None
    before, between, after = '{"data":', f',"uri":"{prefix}/{kind}/', '"}'
    if connection.dialect == "sqlite":
        # What stands between two elements is the separator, so that a row has little to be put together, and
        # ends with its id.
        element, separator = f"body || '{between}' || id", f"{after},{before}"
        found = connection.row(
            f"SELECT CAST(group_concat({element}, '{separator}') AS BLOB), min(id), count(*) FROM ({inner})",
            values,
        )
        if not found or not found[2]:
            return None
        middle, first, size = found
        last = middle[-ID_LENGTH:].decode()
    else:
        rows = connection.rows(inner, values)
        if not rows:
            return None
        middle = f"{after},{before}".join([f"{body}{between}{id_}" for id_, body in rows]).encode()
        first, last, size = rows[0][0], rows[-1][0], len(rows)
    return (before.encode(), middle, after.encode()), first, last, size


# Related lists: walks over ids ---------------------------------------------------------------------

Window = Callable[[str], Iterable[str]]


def _walk(
    connection: Connection,
    access: Access,
    route: Route,
    id_: str,
    window: Window | None = None,
    moment: Moment | None = None,
) -> Iterable[str]:
    """Ids at the end of a route; the last hop's stored lists are cut to the window, so that long lists cost
    what a page costs."""
    ids: Iterable[str] = [id_]
    for hop in route.hops[:-1]:
        ids = _hop(connection, access, hop, ids, _unpack, moment)
    return _hop(connection, access, route.hops[-1], ids, window or _unpack, moment)


def _hop(
    connection: Connection,
    access: Access,
    hop: Hop,
    ids: Iterable[str],
    unpack: Window,
    moment: Moment | None,
) -> set[str]:
    reached: set[str] = set()
    if isinstance(hop, Ids):
        for body in _bodies(connection, access, hop.kind, ids, moment):
            reached.update(_ids_at(orjson.loads(body), hop.path))
    else:
        for body in _bodies(connection, access, hop.name, ids, moment):
            reached.update(unpack(body))
    return reached


def _bodies(
    connection: Connection, access: Access, kind: str, ids: Iterable[str], moment: Moment | None
) -> list[str]:
    if moment:
        return [
            body for id_ in ids if (body := _body_then(connection, access, kind, id_, moment)) is not None
        ]
    statement = "SELECT body FROM records WHERE view = ? AND kind = ? AND id = ?"
    rows = (connection.row(statement, (access.view, kind, id_)) for id_ in ids)
    return [row[0] for row in rows if row]


def _ids_at(value: Any, path: Sequence[str]) -> list[str]:
    """The ids at a path of a decoded record: a list on the way is walked through, a missing key or null ends
    the way."""
    if isinstance(value, list):
        return [id_ for item in value for id_ in _ids_at(item, path)]
    if not path:
        return [value] if value and isinstance(value, str) else []
    return _ids_at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _unpack(packed: str) -> Iterable[str]:
    """The ids of a stored list: 24 characters each, ascending, without separators."""
    return [packed[at : at + ID_LENGTH] for at in range(0, len(packed), ID_LENGTH)]


def _window(query: Query) -> Window:
    """Cut a stored list to the part that a page can show, plus one id that tells whether more follow."""

    def cut(packed: str) -> Iterable[str]:
        size = len(packed) // ID_LENGTH
        if query.before:
            end = size if query.before == LAST else _position(packed, query.before, 0)
            start = max(0, end - query.limit - 1)
        else:
            start = _position(packed, query.after, 1) if query.after else 0
            end = min(size, start + query.limit + 1)
        return _unpack(packed[start * ID_LENGTH : end * ID_LENGTH])

    return cut


def _position(packed: str, id_: str, past_equal: int) -> int:
    """Index of the first id that is not less than `id_` (or, with `past_equal`, that is greater), by
    halving."""
    low, high = 0, len(packed) // ID_LENGTH
    while low < high:
        middle = (low + high) // 2
        found = packed[middle * ID_LENGTH : (middle + 1) * ID_LENGTH]
        if found < id_ or (past_equal and found == id_):
            low = middle + 1
        else:
            high = middle
    return low


def _slice(ids: Sequence[str], query: Query) -> tuple[Sequence[str], bool]:
    """The page's ids out of ascending ids, and whether more follow in its direction."""
    if query.before:
        ids = [id_ for id_ in ids if query.before == LAST or id_ < query.before]
        return ids[-query.limit :], len(ids) > query.limit
    if query.after:
        ids = [id_ for id_ in ids if id_ > query.after]
    return ids[: query.limit], len(ids) > query.limit


def _existing(
    connection: Connection, access: Access, kind: str, ids: Sequence[str], moment: Moment | None
) -> Sequence[str]:
    """Those of the ids, which ascend, whose records the caller sees."""
    if moment:
        return [id_ for id_ in ids if _body_then(connection, access, kind, id_, moment) is not None]
    among, value = _among(connection, ids)
    rows = connection.rows(
        f"SELECT id FROM records WHERE view = ? AND kind = ? AND id {among} ORDER BY id",
        (access.view, kind, value),
    )
    return [id_ for (id_,) in rows]


def _among(connection: Connection, ids: Sequence[str]) -> tuple[str, Any]:
    """SQL for being one of many ids, and the one value that it binds."""
    if connection.dialect == "sqlite":
        return "IN (SELECT value FROM json_each(?))", orjson.dumps(ids).decode()
    return "= ANY(?)", list(ids)


def _join_ids(
    connection: Connection,
    access: Access,
    prefix: str | None,
    kind: str,
    ids: Sequence[str],
    moment: Moment | None = None,
) -> Joined | None:
    if not ids:
        return None
    among, value = _among(connection, ids)
    inner = f"SELECT id, body FROM records WHERE view = ? AND kind = ? AND id {among}"
    values: list[Any] = [access.view, kind, value]
    if moment:
        replaced = (
            f"SELECT id, body FROM versions WHERE {_superseded(moment)} AND view = ? AND kind "
            f"= ? AND id {among}"
        )
        inner += f" AND since <= ? UNION ALL {replaced}"
        values += [moment.run, moment.run, access.view, kind, value]
        inner = f"SELECT * FROM ({inner}) AS pinned"
    inner = _in_form(access, prefix, kind, f"{inner} ORDER BY id", moment)
    return join(connection, prefix, kind, inner, values)


# The state after an earlier run ----------------------------------------------------------------------

_SPARE_ROWS = 16


def _superseded(moment: Moment) -> str:
    """SQL for the versions that were in force at the moment and have been replaced since; it binds the
    moment's run."""
    return f"until IN ({', '.join(str(run) for run in moment.later)}) AND since <= ?"


def _body_then(connection: Connection, access: Access, kind: str, id_: str, moment: Moment) -> str | None:
    key = (access.view, kind, id_)
    found = connection.row(
        "SELECT body FROM records WHERE view = ? AND kind = ? AND id = ? AND since <= ?", (*key, moment.run)
    )
    if found is None:
        where = f"{_superseded(moment)} AND view = ? AND kind = ? AND id = ?"
        found = connection.row(f"SELECT body FROM versions WHERE {where}", (moment.run, *key))
    return str(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class _Source:
    """One range of an index, in id order, that holds records of the moment; `fits` says which of its rows
    do."""

    table: str
    where: str
    fits: str


def _page_then(
    connection: Connection,
    access: Access,
    prefix: str | None,
    kind: str,
    query: Query,
    direction: _Direction,
    moment: Moment,
) -> Page:
    """A page of an earlier state: merged from the current records and from the versions that each later run
    replaced.

    In a step no source is read beyond the first id at which one of them has given a page full of rows, and
    some to spare for those that do not fit, so that a step costs what a page costs, however much has changed;
    one step is enough as a rule.
    """
    sources = _sources_then(kind, query.role, moment)
    parts: list[Joined] = []
    missing, at = query.limit, direction
    while missing:
        end = _end_of_step(connection, access, sources, at, missing + _SPARE_ROWS)
        inner, values = _step(connection, access, sources, at, end, missing)
        found = join(connection, prefix, kind, _in_form(access, prefix, kind, inner, moment), values)
        if found:
            parts.append(found)
            missing -= found[3]
        if end is None:
            break
        at = at.beyond(end)
    if not parts:
        return EMPTY
    if direction.order:
        parts.reverse()
    first, last = parts[0][1], parts[-1][2]
    beyond = direction.beyond(first if direction.order else last)
    has_more = not missing and any(
        connection.row(
            f"SELECT 1 FROM {source.table} WHERE {source.where}{beyond.where} AND {source.fits} LIMIT 1",
            values,
        )
        for source in sources
        for values in [(access.view, *beyond.values)]
    )
    pieces = tuple(piece for part in parts for piece in (b",", *part[0]))[1:]
    return Page(pieces, first, last, has_more)


def _sources_then(kind: str, role: str | None, moment: Moment) -> list[_Source]:
    """The ranges of the indexes that hold the wanted records of a moment."""
    conditions = _conditions(kind, role)
    current = [_Source("records", condition, f"since <= {moment.run}") for condition in conditions]
    replaced = [
        _Source("versions", f"{condition} AND until = {run}", f"since <= {moment.run}")
        for condition in conditions
        for run in moment.later
    ]
    return [*current, *replaced]


def _end_of_step(
    connection: Connection, access: Access, sources: Sequence[_Source], at: _Direction, size: int
) -> str | None:
    """The first id at which a source has given `size` rows, fitting or not; None when no source has as many
    left."""
    ends = []
    for source in sources:
        statement = (
            f"SELECT id FROM {source.table} WHERE {source.where}{at.where} ORDER BY "
            f"id{at.order} LIMIT 1 OFFSET ?"
        )
        found = connection.row(statement, (access.view, *at.values, size - 1))
        if found:
            ends.append(str(found[0]))
    if not ends:
        return None
    return max(ends) if at.order else min(ends)


def _step(
    connection: Connection,
    access: Access,
    sources: Sequence[_Source],
    at: _Direction,
    end: str | None,
    size: int,
) -> tuple[str, list[Any]]:
    """SQL for the rows of a step, in ascending order of ids, and its values."""
    until = f" AND id {'>=' if at.order else '<='} ?" if end else ""
    selects, values = [], []
    for source in _with_rows(connection, access, sources, at, until, end):
        selects.append(
            f"SELECT id, body FROM {source.table} WHERE {source.where}{at.where}{until} AND {source.fits}"
        )
        values += [access.view, *at.values, *([end] if end else [])]
    union = f"{' UNION ALL '.join(selects)} ORDER BY id{at.order} LIMIT ?"
    inner = f"SELECT * FROM ({union}) AS ordered ORDER BY id" if at.order else union
    return inner, [*values, size]


def _with_rows(
    connection: Connection,
    access: Access,
    sources: Sequence[_Source],
    at: _Direction,
    until: str,
    end: str | None,
) -> Sequence[_Source]:
    """The sources that have anything within a step: joining the rows of one costs half of merging those of
    two."""
    values = (access.view, *at.values, *([end] if end else []))
    found = [
        source
        for source in sources
        if connection.row(
            f"SELECT 1 FROM {source.table} WHERE {source.where}{at.where}{until} AND {source.fits} LIMIT 1",
            values,
        )
    ]
    return found or sources[:1]
