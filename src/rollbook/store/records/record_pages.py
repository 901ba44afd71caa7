"""Reads of the roster for the API: pages of a kind as bytes, single records, counts.

A page is one range of the clustered index. `related_lists` reads the lists of related paths, `past_pages`
lists as they were after an earlier run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.contract.clever.query import Query
from rollbook.domain.kinds import masks_with
from rollbook.errors import NotFound
from rollbook.store.records import past_pages
from rollbook.store.records.index_ranges import Direction, conditions, in_order
from rollbook.store.records.joined_rows import EMPTY, Page, elements, in_form
from rollbook.store.records.reading import Reading
from rollbook.store.records.shared_bodies import columns, current


@dataclass(frozen=True, slots=True)
class Record:
    """One record as JSON, with its role mask if it is a user (else 0)."""

    id: str
    body: str
    roles: int


def get(reading: Reading, kind: str, id_: str) -> Record:
    """One record, in the form of the reading's dialect.

    Errors: NotFound if it does not exist or the caller may not see it.
    """
    found = current(reading.transaction, reading.access, 0, kind, id_)
    if found is None:
        raise NotFound("Resource not found")
    form = reading.dialect.forms.get(kind)
    own = current(reading.transaction, reading.access, form, kind, id_) if form else None
    return Record(found.id, (own or found).body, found.roles or 0)


def count(reading: Reading, kind: str, role: str | None) -> int:
    """How many records of the kind, or users of the role, the caller sees."""
    where, values = "form = 0 AND kind = ?", [kind]
    if role:
        where, values = f"roles IN ({', '.join(str(mask) for mask in masks_with(role))})", []
    found = reading.transaction.row(
        f"SELECT count(*) FROM records WHERE view = ? AND {where}", (reading.access.view, *values)
    )
    return int(found[0]) if found else 0


def page(reading: Reading, kind: str, query: Query) -> Page:
    """One page of all records of a kind, or of all users of a role."""
    direction = Direction.of(query)
    if reading.is_past:
        return past_pages.page(reading, kind, query, direction)
    ranges, has_more = conditions(kind, query.role), False
    if direction.order:
        # A page backwards is read in two steps: find its first id, then read forwards from there.
        ids, values = in_order("id", ranges, reading.access, direction, query.limit + 1)
        found_ends = reading.transaction.rows(f"{ids} OFFSET ?", (*values, query.limit - 1))
        direction, has_more = (
            direction.forwards(found_ends[0][0] if found_ends else None),
            len(found_ends) > 1,
        )
    # A server is asked for one row more, instead of asking it again whether more follow.
    looks_ahead = reading.transaction.engine == "postgresql" and not query.before
    inner, values = in_order(columns(reading), ranges, reading.access, direction, query.limit + looks_ahead)
    inner = in_form(reading, kind, inner)
    found = elements(reading, kind, inner, values, query.limit)
    if found is None:
        return EMPTY
    pieces, first, last, size = found
    if looks_ahead:
        has_more = size > query.limit
    elif not query.before and size == query.limit:
        has_more = _has_beyond(reading, ranges, last)
    return Page(pieces, first, last, has_more)


def _has_beyond(reading: Reading, ranges: Sequence[str], last: str) -> bool:
    return any(
        reading.transaction.row(
            f"SELECT 1 FROM records WHERE {condition} AND id > ? LIMIT 1", (reading.access.view, last)
        )
        for condition in ranges
    )
