"""Bodies that views share: a view's row has a body, or refers to the body of the same record in the whole view.

A row with `spans` refers. The spans cut its text from the whole view's body and the row's own body, which is mostly
empty (`store.engine.text_spans`). A current row refers to the current row of the whole view. A superseded row refers to
the row that was in force until then. `body_references` keeps these references right. Only the rows of the view decide
which records exist, so a read never reaches a body without a reference.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rollbook.domain.access import Access
from rollbook.store.district.views import View
from rollbook.store.engine.database import Transaction
from rollbook.store.engine.text_spans import text_of
from rollbook.store.records.reading import Reading


class Stored(NamedTuple):
    """One stored record or list, with its whole text."""

    id: str
    body: str
    roles: int | None
    since: int


def columns(reading: Reading, table: str = "records") -> str:
    """The columns that `with_bodies` needs of the rows of a view."""
    if not reading.access.base:
        return "id, body"
    until = f", {'until' if table == 'versions' else '0 AS until'}" if reading.is_past else ""
    return f"id, body, spans{until}"


def with_bodies(reading: Reading, kind: str, inner: str) -> str:
    """SQL for rows of a kind, in the order of ids, with the bodies to which they refer: (id, body, spans)."""
    base = reading.access.base
    if not base:
        return inner
    key = f"view = {base} AND {{0}}.form = 0 AND {{0}}.kind = '{kind}' AND {{0}}.id = {{1}}"
    # Nothing is looked up for a row with a body of its own, and no version for a current row.
    refers, is_old = "own.spans IS NOT NULL", "own.spans IS NOT NULL AND own.until > 0"
    joins = f"LEFT JOIN records base ON base.{key.format('base', f'CASE WHEN {refers} THEN own.id END')}"
    bodies = "base.body"
    if reading.is_past:
        later = ", ".join(str(run) for run in reading.moment.later)
        joins += (
            " AND (own.until = 0 OR base.since < own.until)"
            f" LEFT JOIN versions past ON past.{key.format('past', f'CASE WHEN {is_old} THEN own.id END')}"
            f" AND past.until IN ({later}) AND past.until >= own.until AND past.since < own.until"
        )
        bodies = "base.body, past.body"
    return (
        f"SELECT own.id AS id, coalesce({bodies}, '') || own.body AS body, own.spans AS spans"
        f" FROM ({inner}) AS own {joins} ORDER BY own.id"
    )


# A row and its base, by (base, view, form, kind, id). A row without a base costs one look-up that finds nothing.
_ONE = (
    "SELECT r.id, base.body, r.body, r.spans, r.roles, r.since FROM records r LEFT JOIN records base ON base.view = ?"
    " AND base.form = r.form AND base.kind = r.kind AND base.id = r.id AND r.spans IS NOT NULL"
    " WHERE r.view = ? AND r.form = ? AND r.kind = ? AND r.id = ?"
)
_WHOLE = "SELECT id, NULL, body, NULL, roles, since FROM records WHERE view = ? AND form = ? AND kind = ? AND id = ?"
# The record of a view that was in force until a run, by (view, form, kind, id, run) and again (view, run).
_UNTIL = (
    "SELECT body FROM versions WHERE view = ? AND form = ? AND kind = ? AND id = ? AND since < ? AND until IN"
    " (SELECT sync FROM syncs JOIN views ON views.district = syncs.district WHERE views.number = ? AND sync >= ?)"
)


def current(
    transaction: Transaction, of: Access | View, form: int, kind: str, id_: str, written_by: int | None = None
) -> Stored | None:
    """A current record of a view in a form; None if it has none. `written_by`: only if no later run wrote it."""
    view = of.view if isinstance(of, Access) else of.number
    key = (view, form, kind, id_)
    found = transaction.row(_ONE, (of.base, *key)) if of.base else transaction.row(_WHOLE, key)
    if found is None or (written_by is not None and found[5] > written_by):
        return None
    return _stored(found)


def superseded(
    transaction: Transaction,
    of: Access | View,
    key: tuple[int, str, str],
    until: str,
    values: tuple[int, ...],
) -> Stored | None:
    """A superseded version of a view, by (form, kind, id) and a condition on the run that superseded it."""
    view = of.view if isinstance(of, Access) else of.number
    found = transaction.row(
        "SELECT id, body, spans, roles, since, until FROM versions"
        f" WHERE view = ? AND form = ? AND kind = ? AND id = ? AND until {until}",
        (view, *key, *values),
    )
    if found is None:
        return None
    id_, body, spans, roles, since, end = found
    base = _body_until(transaction, of.base, key, end) if spans is not None else None
    return Stored(id_, text_of(base, body, spans), roles, since)


def _body_until(transaction: Transaction, base: int, key: tuple[int, str, str], run: int) -> str | None:
    """The body of a base, by (form, kind, id), that was in force until a run."""
    found = transaction.row(_WHOLE, (base, *key))
    if found and found[5] < run:
        return str(found[2])
    past = transaction.row(_UNTIL, (base, *key, run, base, run))
    return past[0] if past else None


def _stored(row: tuple[Any, ...]) -> Stored:
    id_, base, body, spans, roles, since = row
    return Stored(id_, text_of(base, body, spans), roles, since)
