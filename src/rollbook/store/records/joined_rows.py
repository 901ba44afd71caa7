"""Rows of records, joined into the elements of a list, as bytes.

SQLite joins them itself. PostgreSQL returns the rows, which is faster there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.store.records.reading import Reading

ID_LENGTH = 24

Pieces = tuple[bytes, ...]
# List elements in pieces, the first and the last id, and the number of elements.
Joined = tuple[Pieces, str, str, int]
# Joins the rows (id, body) of a SELECT in the order of ids; None if there are no rows.
Join = Callable[[Reading, str, str, Sequence[Any]], Joined | None]


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
    """The rows as elements of a list, each with its address in the reading's dialect.

    `most`: join no more of the rows than this; the number tells how many there are.
    """
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


def ends(reading: Reading, _: str, inner: str, values: Sequence[Any]) -> Joined | None:
    """The end ids of the rows, without their elements."""
    found = reading.transaction.row(f"SELECT min(id), max(id), count(*) FROM ({inner}) AS listed", values)
    return ((), *found) if found and found[2] else None


def in_form(reading: Reading, kind: str, inner: str) -> str:
    """SQL for the rows (id, body) of `inner` in the dialect's form.

    A record's own form, if it has one, replaces the first form.
    """
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
    return f"SELECT id, coalesce({', '.join(own)}, body) AS body FROM ({inner}) AS shared ORDER BY id"
