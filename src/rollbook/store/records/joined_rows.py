"""Rows of records, joined into the elements of a list, as bytes.

SQLite joins them itself. PostgreSQL returns the rows, which is faster there. Bodies that are spans of other bodies
(`shared_bodies`) are cut after they were joined, all in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.store.engine import text_spans
from rollbook.store.records import shared_bodies
from rollbook.store.records.reading import Reading

ID_LENGTH = 24

Pieces = tuple[bytes, ...]
# List elements in pieces, the first and the last id, and the number of elements.
Joined = tuple[Pieces, str, str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """Elements of a list, the first and last id (None if empty), and whether more follow in the page's
    direction.

    `pieces` are the elements as joined JSON. They are cut so that an answer of many megabytes is joined once
    and never copied.
    """

    pieces: Pieces
    first: str | None
    last: str | None
    has_more: bool

    @property
    def elements(self) -> bytes:
        """The elements as joined JSON."""
        return b"".join(self.pieces)


EMPTY = Page((), None, None, False)


def elements(
    reading: Reading, kind: str, inner: str, values: Sequence[Any], most: int | None = None
) -> Joined | None:
    """The rows (id, body) of a SELECT in the order of ids, as elements of a list, each with its address in the reading's
    dialect; None if there are no rows. If the reading's view refers to another one's bodies, the rows have spans, too.

    `most`: join no more of the rows than this; the number tells how many there are.
    """
    return (_cut if reading.access.base else whole_elements)(reading, kind, inner, values, most)


def whole_elements(
    reading: Reading, kind: str, inner: str, values: Sequence[Any], most: int | None = None
) -> Joined | None:
    """The same of rows (id, body) that have their bodies themselves."""
    before, between, after = reading.dialect.around(kind)
    if reading.transaction.engine == "sqlite":
        # The constant text between two elements is the separator, so that each row adds only its body and its
        # id.
        element, separator = f"body || '{between}' || id", f"{after},{before}"
        found = reading.transaction.row(
            f"SELECT CAST(group_concat({element}, '{separator}') AS BLOB), min(id), count(*) FROM ({inner})",
            values,
        )
        if not found or not found[2]:
            return None
        middle, first, size = found
        last = middle[-ID_LENGTH:].decode()
    else:
        listed = f"SELECT body || '{between}' || id FROM ({inner}) AS listed"
        rows = reading.transaction.texts(listed, values)
        if not rows:
            return None
        size, rows = len(rows), rows[:most]
        middle = f"{after},{before}".encode().join(rows)
        first, last = (row[-ID_LENGTH:].decode() for row in (rows[0], rows[-1]))
    return (before.encode(), middle, after.encode()), first, last, size


def _cut(reading: Reading, kind: str, inner: str, values: Sequence[Any], most: int | None) -> Joined | None:
    """The same of rows (id, body, spans).

    What stands between two bodies is kept, so the spans of a page are those of its rows, with its size between them.
    """
    before, between, after = reading.dialect.around(kind)
    separator = f"{after},{before}"
    end = len(between.encode()) + ID_LENGTH
    next_, last_ = f"{end + len(separator.encode())}s", f"{end}s"
    spans = "coalesce(spans, octet_length(body) || 's')"
    if reading.transaction.engine == "sqlite":
        found = reading.transaction.row(
            f"SELECT CAST(group_concat(body || '{between}' || id, '{separator}') AS BLOB),"
            f" group_concat({spans}, '{next_}'), min(id), count(*) FROM ({inner})",
            values,
        )
        if not found or not found[3]:
            return None
        joined, cuts, first, size = found
    else:
        listed = f"SELECT {spans} || ' ' || body || '{between}' || id FROM ({inner}) AS listed"
        rows = reading.transaction.texts(listed, values)
        if not rows:
            return None
        size, parted = len(rows), [row.split(b" ", 1) for row in rows[:most]]
        joined = separator.encode().join([text for _, text in parted])
        cuts = next_.join([cut.decode() for cut, _ in parted])
        first = rows[0][-ID_LENGTH:].decode()
    middle = text_spans.cut(joined, f"{cuts}{last_}")
    return (before.encode(), middle, after.encode()), first, middle[-ID_LENGTH:].decode(), size


def in_form(reading: Reading, kind: str, inner: str) -> str:
    """SQL for the rows of `inner`, as `shared_bodies.columns` names them, with their bodies in the dialect's form.

    A record's own form, if it has one, replaces the first form.
    """
    inner = shared_bodies.with_bodies(reading, kind, inner)
    form, moment = reading.dialect.forms.get(kind), reading.moment
    if form is None:
        return inner
    key = f"view = {reading.access.view} AND form = {form} AND kind = '{kind}' AND id = shared.id"
    own = [
        f"(SELECT body FROM records WHERE {key}{f' AND since <= {moment.run}' if reading.is_past else ''})"
    ]
    if reading.is_past:
        runs = ", ".join(str(run) for run in moment.later)
        own.append(f"(SELECT body FROM versions WHERE {key} AND until IN ({runs}) AND since <= {moment.run})")
    if not reading.access.base:
        return f"SELECT id, coalesce({', '.join(own)}, body) AS body FROM ({inner}) AS shared ORDER BY id"
    listed = f"SELECT id, body, spans, coalesce({', '.join((*own, 'NULL'))}) AS own FROM ({inner}) AS shared"
    spans = "CASE WHEN own IS NULL THEN spans END AS spans"
    return f"SELECT id, coalesce(own, body) AS body, {spans} FROM ({listed}) AS formed ORDER BY id"
