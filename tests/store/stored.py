"""The texts that a view's rows stand for, read row by row without the store's own queries."""

from __future__ import annotations

from rollbook.store.district import views
from rollbook.store.engine.database import Transaction
from rollbook.store.engine.text_spans import text_of

Text = tuple[str, str, str, int | None]  # kind, id, text, roles


def texts(transaction: Transaction, view: int, form: int = 0) -> list[Text]:
    """The current records and lists of a view (by number)."""
    return _texts(transaction, "records", "0", view, form, "since >= ?", (0,))


def texts_then(transaction: Transaction, view: int, run: int, form: int = 0) -> list[Text]:
    """The records and lists of a view as they were after a run."""
    return [
        *_texts(transaction, "records", "0", view, form, "since <= ?", (run,)),
        *_texts(transaction, "versions", "until", view, form, "since <= ? AND until > ?", (run, run)),
    ]


def _texts(
    transaction: Transaction,
    table: str,
    until: str,
    view: int,
    form: int,
    where: str,
    values: tuple[int, ...],
) -> list[Text]:
    base = views.by_number(transaction, view).base
    bodies: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for kind, id_, since, end, body in transaction.rows(
        "SELECT kind, id, since, 999999999, body FROM records WHERE view = ? AND form = ?"
        " UNION ALL SELECT kind, id, since, until, body FROM versions WHERE view = ? AND form = ?",
        (base, form, base, form),
    ):
        bodies.setdefault((kind, id_), []).append((since, end, body))

    def body_at(kind: str, id_: str, end: int) -> str | None:
        """The base's body now (0), or until the run that ended a version."""
        at = end or 999_999_999
        return next((body for since, until, body in bodies.get((kind, id_), ()) if since < at <= until), None)

    found = transaction.rows(
        f"SELECT kind, id, {until}, body, spans, roles FROM {table} WHERE view = ? AND form = ? AND {where}",
        (view, form, *values),
    )
    return [
        (kind, id_, text_of(body_at(kind, id_, end), body, spans), roles)
        for kind, id_, end, body, spans, roles in found
    ]
