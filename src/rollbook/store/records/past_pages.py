"""Lists and records as they were after an earlier run: current records that are old enough, merged with
replaced versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.query import Query
from rollbook.store.records.index_ranges import Direction, conditions
from rollbook.store.records.joined_rows import EMPTY, Joined, Page, elements, in_form
from rollbook.store.records.reading import Moment, Reading
from rollbook.store.records.shared_bodies import columns, current, superseded

_SPARE_ROWS = 16


def page(reading: Reading, kind: str, query: Query, direction: Direction) -> Page:
    """A page of a kind at the reading's moment, merged from current records and from the versions that later
    runs replaced.

    Each step reads no source beyond the first id at which one source has given a full page of rows, plus some
    spare ones. So a step costs what a page costs, however much has changed. Usually one step is enough.
    """
    sources = _sources(kind, query.role, reading.moment)
    parts: list[Joined] = []
    missing, at = query.limit, direction
    while missing:
        end = _end_of_step(reading, sources, at, missing + _SPARE_ROWS)
        inner, values = _step(reading, sources, at, end, missing)
        found = elements(reading, kind, in_form(reading, kind, inner), values)
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
        reading.transaction.row(
            f"SELECT 1 FROM {source.table} WHERE {source.where}{beyond.where} AND {source.fits} LIMIT 1",
            values,
        )
        for source in sources
        for values in [(reading.access.view, *beyond.values)]
    )
    pieces = tuple(piece for part in parts for piece in (b",", *part[0]))[1:]
    return Page(pieces, first, last, has_more)


def body(reading: Reading, kind: str, id_: str) -> str | None:
    """The stored first form of a record or list at the reading's moment; None if it did not exist."""
    moment, of = reading.moment, (reading.transaction, reading.access)
    found = current(*of, 0, kind, id_, written_by=moment.run) or superseded(
        *of, (0, kind, id_), f"{_later(moment)} AND since <= ?", (moment.run,)
    )
    return found.body if found else None


def rows(reading: Reading, where: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """SQL for the rows of a condition at the reading's moment, as `columns` names them, and its values."""
    moment = reading.moment
    present = f"SELECT {columns(reading)} FROM records WHERE {where} AND since <= ?"
    replaced = f"SELECT {columns(reading, 'versions')} FROM versions WHERE until {_later(moment)} AND since <= ? AND {where}"
    union = f"SELECT * FROM ({present} UNION ALL {replaced}) AS pinned"
    return union, [*values, moment.run, moment.run, *values]


def _later(moment: Moment) -> str:
    """SQL for being one of the runs that followed the moment."""
    return f"IN ({', '.join(str(run) for run in moment.later)})"


@dataclass(frozen=True, slots=True)
class _Source:
    """One index range, in id order, with records of the moment. `fits` says which of its rows count."""

    table: str
    where: str
    fits: str


def _sources(kind: str, role: str | None, moment: Moment) -> list[_Source]:
    """The index ranges that hold the wanted records of a moment."""
    ranges = conditions(kind, role)
    current = [_Source("records", condition, f"since <= {moment.run}") for condition in ranges]
    replaced = [
        _Source("versions", f"{condition} AND until = {run}", f"since <= {moment.run}")
        for condition in ranges
        for run in moment.later
    ]
    return [*current, *replaced]


def _end_of_step(reading: Reading, sources: Sequence[_Source], at: Direction, size: int) -> str | None:
    """The first id at which a source has given `size` rows, fitting or not; None if no source has as many
    left."""
    ends = []
    for source in sources:
        statement = (
            f"SELECT id FROM {source.table} WHERE {source.where}{at.where} ORDER BY "
            f"id{at.order} LIMIT 1 OFFSET ?"
        )
        found = reading.transaction.row(statement, (reading.access.view, *at.values, size - 1))
        if found:
            ends.append(str(found[0]))
    if not ends:
        return None
    return max(ends) if at.order else min(ends)


def _step(
    reading: Reading,
    sources: Sequence[_Source],
    at: Direction,
    end: str | None,
    size: int,
) -> tuple[str, list[Any]]:
    """SQL for the rows of a step, in ascending order of ids, and its values."""
    until = f" AND id {'>=' if at.order else '<='} ?" if end else ""
    selects, values = [], []
    for source in _with_rows(reading, sources, at, until, end):
        selects.append(
            f"SELECT {columns(reading, source.table)} FROM {source.table}"
            f" WHERE {source.where}{at.where}{until} AND {source.fits}"
        )
        values += [reading.access.view, *at.values, *([end] if end else [])]
    union = f"{' UNION ALL '.join(selects)} ORDER BY id{at.order} LIMIT ?"
    inner = f"SELECT * FROM ({union}) AS ordered ORDER BY id" if at.order else union
    return inner, [*values, size]


def _with_rows(
    reading: Reading,
    sources: Sequence[_Source],
    at: Direction,
    until: str,
    end: str | None,
) -> Sequence[_Source]:
    """The sources with rows in a step: joining the rows of one source costs half as much as merging two."""
    values = (reading.access.view, *at.values, *([end] if end else []))
    found = [
        source
        for source in sources
        if reading.transaction.row(
            f"SELECT 1 FROM {source.table} WHERE {source.where}{at.where}{until} AND {source.fits} LIMIT 1",
            values,
        )
    ]
    return found or sources[:1]
