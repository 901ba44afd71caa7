"""The trail of who did what: sign-ins, tokens, secrets and shares; never a secret, a password or a code."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from rollbook.store.database import Connection
from rollbook.store.districts import timestamp


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail; `detail` says more in words that are safe to keep."""

    created: str
    action: str
    district: int | None
    application: int | None
    user_id: str
    address: str
    detail: dict[str, object]


def record(
    connection: Connection,
    action: str,
    *,
    district: int | None = None,
    application: int | None = None,
    user_id: str = "",
    address: str = "",
    **detail: object,
) -> None:
    """Write one row, in the transaction of what it tells of: neither is there without the other."""
    connection.run(
        "INSERT INTO audit (created, action, district, application, user_id, address, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (timestamp(), action, district, application, user_id, address, orjson.dumps(detail).decode()),
    )


def latest(connection: Connection, limit: int = 100) -> list[Entry]:
    """The newest rows, newest first."""
    rows = connection.rows(
        "SELECT created, action, district, application, user_id, address, detail FROM audit ORDER BY number DESC LIMIT ?",
        (limit,),
    )
    return [Entry(*(*told, orjson.loads(detail))) for *told, detail in rows]
