"""Each commit makes the references to bodies of the whole view (`shared_bodies`), and keeps them right.

The base is the whole view's row of the same record. A new row of a view may refer to the base's new row. A row that
stays while its base changes is written again, with the same text. A superseded row refers to its base of that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rollbook.store.district.views import View
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.engine.text_spans import refer, text_of

BATCH_ROWS = 2_000
ROWS = "view, form, kind, id, since, roles, body, spans"
# Only rows of the first form refer. The district's own record never does: each view has its own.
_MAY_REFER = "{0}.form = 0 AND {0}.kind <> 'districts'"
_SAME = "{0}.view = {1} AND {0}.form = {2}.form AND {0}.kind = {2}.kind AND {0}.id = {2}.id"


def begin(transaction: Transaction) -> None:
    """Create `referring`, for rows of `records` that are ready to be put in."""
    transaction.run(
        "CREATE TEMPORARY TABLE referring (view BIGINT, form BIGINT, kind TEXT, id TEXT, since BIGINT, roles BIGINT,"
        " body TEXT, spans TEXT)"
    )
    transaction.run("CREATE INDEX incoming_by_key ON incoming (view, form, kind, id)")


def put_in(transaction: Transaction) -> None:
    """Put the rows of `referring` into `records`, in place of those with the same key."""
    transaction.run(
        f"INSERT INTO records ({ROWS}) SELECT {ROWS} FROM referring WHERE true ORDER BY view, form, kind, id"
        " ON CONFLICT (view, form, kind, id) DO UPDATE SET body = excluded.body, spans = excluded.spans"
    )
    transaction.run("DELETE FROM referring")


def mend(transaction: Transaction, view: View) -> None:
    """Keep the text of a view's rows that stay while their bases change or go; the changes are in `incoming`."""
    if not view.base:
        return
    base, number = view.base, view.number
    _each(
        transaction,
        "SELECT r.kind, r.id, r.since, r.roles, base.body, r.body, r.spans, changed.body FROM incoming changed"
        f" JOIN records r ON {_SAME.format('r', number, 'changed')}"
        f" JOIN records base ON {_SAME.format('base', base, 'changed')}"
        f" WHERE changed.view = {base} AND {_MAY_REFER.format('changed')} AND r.spans IS NOT NULL"
        f" AND NOT EXISTS (SELECT 1 FROM incoming own WHERE {_SAME.format('own', number, 'changed')})",
        "changed",
        lambda kind, id_, since, roles, was, body, spans, now: _row(
            number, kind, id_, since, roles, text_of(was, body, spans), now
        ),
    )
    put_in(transaction)


def others(seen: Iterable[View]) -> str:
    """SQL for the rows of `incoming` that `refer_to_base` does not put into `referring`."""
    referring = [str(view.number) for view in seen if view.base]
    return f"NOT ({_MAY_REFER.format('incoming')} AND view IN ({', '.join(referring) or '-1'}))"


def refer_to_base(transaction: Transaction, view: View, run: int) -> None:
    """Put a view's new rows from `incoming` into `referring`: each refers to its base, or has a body."""
    if not view.base:
        return
    _each(
        transaction,
        "SELECT own.kind, own.id, own.roles, own.body, CASE WHEN changed.id IS NULL THEN base.body ELSE changed.body END"
        " FROM incoming own"
        f" LEFT JOIN incoming changed ON {_SAME.format('changed', view.base, 'own')}"
        f" LEFT JOIN records base ON {_SAME.format('base', view.base, 'own')}"
        f" WHERE own.view = {view.number} AND {_MAY_REFER.format('own')} AND own.body IS NOT NULL",
        "own",
        lambda kind, id_, roles, body, base: _row(view.number, kind, id_, run, roles, body, base),
    )


def _row(view: int, kind: str, id_: str, since: int, roles: int | None, text: str, base: str | None) -> Row:
    body, spans = (refer(base, text) if base else None) or (text, None)
    return view, 0, kind, id_, since, roles, body, spans


def _each(transaction: Transaction, select: str, of: str, made: Callable[..., Row]) -> None:
    """Make a row of `referring` from each row of a query, whose first columns are kind and id."""
    last = ("", "")
    while True:
        found = transaction.rows(
            f"{select} AND ({of}.kind, {of}.id) > (?, ?) ORDER BY {of}.kind, {of}.id LIMIT ?",
            (*last, BATCH_ROWS),
        )
        transaction.insert("referring", ROWS, [made(*row) for row in found])
        if len(found) < BATCH_ROWS:
            return
        last = found[-1][:2]
