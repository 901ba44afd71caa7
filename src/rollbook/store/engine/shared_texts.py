"""Let the rows of views refer to the bodies of the whole view. A step of `migrations`.

Before this step each view held a copy of every body. `text_spans` may find other spans later; the old ones stay true.
"""

from __future__ import annotations

from typing import Final

from rollbook.store.engine.database import Transaction
from rollbook.store.engine.text_spans import refer

BATCH_ROWS: Final = 2_000
# Each table's key behind view and form, which a row and the one that it refers to have in common.
KEYS: Final = {"records": ("kind", "id"), "versions": ("kind", "until", "id")}


def share(transaction: Transaction) -> None:
    """Replace the body of every row by spans, where that is shorter; the district's own record stays."""
    found = transaction.rows(
        "SELECT v.number, base.number FROM views v JOIN views base ON base.district = v.district AND base.is_whole = 1"
        " WHERE v.is_whole = 0 AND v.owner >= 0"
    )
    for view, base in found:
        for table, key in KEYS.items():
            _share(transaction, table, key, view, base)


def _share(transaction: Transaction, table: str, key: tuple[str, ...], view: int, base: int) -> None:
    columns = ", ".join(f"r.{name}" for name in key)
    same = " AND ".join(f"base.{name} = r.{name}" for name in key)
    last = tuple(-1 if name == "until" else "" for name in key)
    at = " AND ".join(f"{name} = ?" for name in key)
    while True:
        found = transaction.rows(
            f"SELECT {columns}, base.body, r.body FROM {table} r"
            f" JOIN {table} base ON base.view = ? AND base.form = 0 AND {same}"
            f" WHERE r.view = ? AND r.form = 0 AND r.kind <> 'districts' AND ({columns}) > ({', '.join('?' for _ in key)})"
            f" ORDER BY {columns} LIMIT ?",
            (base, view, *last, BATCH_ROWS),
        )
        for *place, whole, body in found:
            if referred := refer(whole, body):
                transaction.run(
                    f"UPDATE {table} SET body = ?, spans = ? WHERE view = ? AND form = 0 AND {at}",
                    (*referred, view, *place),
                )
        if len(found) < BATCH_ROWS:
            return
        last = tuple(found[-1][: len(key)])
