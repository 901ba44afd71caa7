"""The audit trail: sign-ins, and acts on tokens, secrets and shares.

It never holds a secret, a password or a code.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from rollbook.store.district.districts import timestamp
from rollbook.store.engine import text_parts
from rollbook.store.engine.database import Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail.

    `detail` says more, in words that are safe to keep. A value that does not apply is blank.
    """

    created: str
    action: str
    district: str
    application: str
    user_id: str
    address: str
    detail: dict[str, object]


def record(
    transaction: Transaction,
    action: str,
    *,
    district: int | None = None,
    application: int | None = None,
    user_id: str = "",
    address: str = "",
    **detail: object,
) -> int:
    """Write one row, in the transaction of the act: both are stored, or neither. Returns the row's number."""
    made = transaction.row(
        "INSERT INTO audit (created, action, district, application, user_id, address, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING number",
        (timestamp(), action, district, application, user_id, address, orjson.dumps(detail).decode()),
    )
    return made[0] if made else 0


def add_detail(transaction: Transaction, number: int, **detail: object) -> None:
    """Say more in a row, while its act goes on."""
    found = transaction.row("SELECT detail FROM audit WHERE number = ?", (number,)) if detail else None
    if found:
        told = orjson.dumps({**orjson.loads(found[0]), **detail}).decode()
        transaction.run("UPDATE audit SET detail = ? WHERE number = ?", (told, number))


# How many rows of the trail's end are counted; a busy day of a large server has more.
COUNTED_MAX = 100_000


def by_hour(
    transaction: Transaction, action: str, district: int, since: str
) -> list[tuple[str, dict[str, object], int]]:
    """How often an act was done in a district (by number) since a moment: the hour, such as `2026-11-30T07`, the
    detail, and the count. Only the last `COUNTED_MAX` rows of the trail count."""
    rows = transaction.rows(
        "SELECT substr(created, 1, 13) AS hour, detail, count(*) FROM audit"
        " WHERE number > (SELECT coalesce(max(number), 0) FROM audit) - ? AND created >= ? AND action = ? AND district = ?"
        " GROUP BY substr(created, 1, 13), detail ORDER BY hour",
        (COUNTED_MAX, since, action, district),
    )
    return [(hour, orjson.loads(detail), int(count)) for hour, detail, count in rows]


def latest(
    transaction: Transaction,
    limit: int = 100,
    *,
    district: int | None = None,
    application: int | None = None,
    user_id: str = "",
    action: str = "",
    by: str = "",
) -> list[Entry]:
    """The newest rows, newest first; only those of a district, an application (by their numbers) or a
    person; or with a part of an action, or of the name of who acted."""
    wanted = {"t.district": district, "t.application": application, "t.user_id": user_id or None}
    filters = {column: value for column, value in wanted.items() if value is not None}
    parts = {column: like for column, like in (("t.action", action), ("t.user_id || t.detail", by)) if like}
    conditions = [*(f"{column} = ?" for column in filters), *map(text_parts.contains, parts), "1 = 1"]
    rows = transaction.rows(
        "SELECT t.created, t.action, coalesce(d.name, ''), coalesce(a.name, ''), t.user_id, t.address, t.detail FROM audit t"
        " LEFT JOIN districts d ON d.number = t.district LEFT JOIN applications a ON a.number = t.application"
        f" WHERE {' AND '.join(conditions)}"
        " ORDER BY t.number DESC LIMIT ?",
        (*filters.values(), *(text_parts.in_json(like) for like in parts.values()), limit),
    )
    return [Entry(*(*told, orjson.loads(detail))) for *told, detail in rows]
