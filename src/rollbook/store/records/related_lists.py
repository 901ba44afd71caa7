"""The lists of related paths, as walks over ids (`contract.clever.endpoints`).

Each hop reads ids from records or from stored lists. Only the page's own records are read in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from rollbook.contract.clever.endpoints import Endpoint, Hop, Ids, Route
from rollbook.contract.clever.query import LAST, Query
from rollbook.errors import NotFound
from rollbook.store.engine.database import Transaction
from rollbook.store.records import past_pages, record_pages
from rollbook.store.records.joined_rows import EMPTY, ID_LENGTH, Joined, Page, elements, in_form
from rollbook.store.records.reading import Reading
from rollbook.store.records.record_pages import Record
from rollbook.store.records.shared_bodies import columns, current


def one(reading: Reading, endpoint: Endpoint, id_: str) -> Record:
    """The record that a to-one path leads to. Errors: NotFound if either end is missing."""
    known: Known = {}
    targets = [target for route in endpoint.routes for target in _walk(reading, known, route, id_)]
    if not targets:
        raise NotFound("Resource not found")
    return record_pages.get(reading, endpoint.returns, targets[0])


def related(reading: Reading, endpoint: Endpoint, id_: str, query: Query) -> Page:
    """One page of a to-many path. Errors: NotFound if the record in the path is missing."""
    known: Known = {}
    if not _records(reading, known, endpoint.source, [id_]):
        raise NotFound("Resource not found")
    window = _window(query)
    ids: set[str] = set()
    for route in endpoint.routes:
        if query.role in (None, route.role) and route.primary in (None, query.primary):
            ids.update(_walk(reading, known, route, id_, window))
    chosen, has_more = _slice(sorted(ids), query)
    found = _join_ids(reading, endpoint.returns, chosen)
    is_short = (found[3] if found else 0) < len(chosen)
    if (is_short or has_more) and any(isinstance(route.hops[-1], Ids) for route in endpoint.routes):
        # A record may have ids that the caller does not see (a share that keeps them), so only existing
        # records count.
        chosen, has_more = _slice(_existing(reading, endpoint.returns, sorted(ids)), query)
        found = _join_ids(reading, endpoint.returns, chosen)
    return Page(*found[:3], has_more) if found else EMPTY


# Related lists: walks over ids ---------------------------------------------------------------------

Window = Callable[[str], Iterable[str]]
# Records of a walk, decoded, by kind and id: the routes of a path begin at the same record.
Known = dict[tuple[str, str], list[Any]]


def _walk(
    reading: Reading, known: Known, route: Route, id_: str, window: Window | None = None
) -> Iterable[str]:
    """The ids at the end of a route.

    The last hop's stored lists are cut to the window, so long lists cost what a page costs.
    """
    ids: Iterable[str] = [id_]
    for hop in route.hops[:-1]:
        ids = _hop(reading, known, hop, ids, _unpack)
    return _hop(reading, known, route.hops[-1], ids, window or _unpack)


def _hop(reading: Reading, known: Known, hop: Hop, ids: Iterable[str], unpack: Window) -> set[str]:
    reached: set[str] = set()
    if isinstance(hop, Ids):
        for record in _records(reading, known, hop.kind, ids):
            reached.update(_ids_at(record, hop.path))
    else:
        for body in _bodies(reading, hop.name, ids):
            reached.update(unpack(body))
    return reached


def _records(reading: Reading, known: Known, kind: str, ids: Iterable[str]) -> list[Any]:
    found: list[Any] = []
    for id_ in ids:
        if (key := (kind, id_)) not in known:
            known[key] = [orjson.loads(body) for body in _bodies(reading, kind, (id_,))]
        found += known[key]
    return found


def _bodies(reading: Reading, kind: str, ids: Iterable[str]) -> list[str]:
    if reading.is_past:
        return [body for id_ in ids if (body := past_pages.body(reading, kind, id_)) is not None]
    found = (current(reading.transaction, reading.access, 0, kind, id_) for id_ in ids)
    return [stored.body for stored in found if stored]


def _ids_at(value: Any, path: Sequence[str]) -> list[str]:
    """The ids at a path of a decoded record.

    Lists on the way are walked through; a missing key or null ends the way.
    """
    if isinstance(value, list):
        if not path:
            return [id_ for id_ in value if id_ and isinstance(id_, str)]
        return [id_ for item in value for id_ in _ids_at(item, path)]
    if not path:
        return [value] if value and isinstance(value, str) else []
    return _ids_at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _unpack(packed: str) -> Iterable[str]:
    """The ids of a stored list: 24 characters each, ascending, without separators."""
    return [packed[at : at + ID_LENGTH] for at in range(0, len(packed), ID_LENGTH)]


def _window(query: Query) -> Window:
    """Cut a stored list to the part that a page can show, plus one id that shows whether more follow."""

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
    """Index of the first id that is not less than `id_` (with `past_equal`: that is greater), by binary
    search."""
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
    """The page's ids from ascending ids, and whether more follow in its direction."""
    if query.before:
        ids = [id_ for id_ in ids if query.before == LAST or id_ < query.before]
        return ids[-query.limit :], len(ids) > query.limit
    if query.after:
        ids = [id_ for id_ in ids if id_ > query.after]
    return ids[: query.limit], len(ids) > query.limit


def _existing(reading: Reading, kind: str, ids: Sequence[str]) -> Sequence[str]:
    """The ids, of ascending ones, whose records the caller sees."""
    if reading.is_past:
        return [id_ for id_ in ids if past_pages.body(reading, kind, id_) is not None]
    among, value = _among(reading.transaction, ids)
    rows = reading.transaction.rows(
        f"SELECT id FROM records WHERE view = ? AND form = 0 AND kind = ? AND id {among} ORDER BY id",
        (reading.access.view, kind, value),
    )
    return [id_ for (id_,) in rows]


def _among(transaction: Transaction, ids: Sequence[str]) -> tuple[str, Any]:
    """SQL for being one of many ids, and the one value that it binds."""
    if transaction.engine == "sqlite":
        return "IN (SELECT value FROM json_each(?))", orjson.dumps(ids).decode()
    return "= ANY(?)", list(ids)


def _join_ids(reading: Reading, kind: str, ids: Sequence[str]) -> Joined | None:
    if not ids:
        return None
    among, value = _among(reading.transaction, ids)
    where, values = f"view = ? AND form = 0 AND kind = ? AND id {among}", [reading.access.view, kind, value]
    if reading.is_past:
        inner, values = past_pages.rows(reading, where, values)
    else:
        inner = f"SELECT {columns(reading)} FROM records WHERE {where}"
    # SQLite looks the ids up in their order. To ask for it would copy each row once more.
    ordered = (
        inner if reading.transaction.engine == "sqlite" and not reading.is_past else f"{inner} ORDER BY id"
    )
    return elements(reading, kind, in_form(reading, kind, ordered), values)
