"""Moves what earlier versions kept in JSON texts into tables and columns; steps of `migrations`, and like them
never edited.
"""

from __future__ import annotations

import json
from typing import Any, Final

from rollbook.store.engine.database import Connection, Row

CONNECTED: Final = "connected"
HELD: Final = "share changed, held by a freeze"
SHARING: Final = (CONNECTED, "share changed", HELD)
EVERYTHING: Final = "everything"


def shares(connection: Connection) -> None:
    """Read the shares of every connection since it began out of the audit trail."""
    for number, application, district in connection.rows(
        "SELECT number, application, district FROM connections ORDER BY number"
    ):
        trail = connection.rows(
            "SELECT action, created, detail FROM audit WHERE application = ? AND district = ?"
            " AND action IN (?, ?, ?) ORDER BY number",
            (application, district, *SHARING),
        )
        begun = max((place for place, row in enumerate(trail) if row[0] == CONNECTED), default=0)
        connection.insert(
            "share_history",
            "connection, created, is_held, share, scopes, withheld, sensitive, unasked, keeps_ids",
            [_share(number, *row) for row in trail[begun:]],
        )


def _share(number: int, action: str, created: str, detail: str) -> Row:
    told: dict[str, Any] = json.loads(detail)
    share = told.get("share", EVERYTHING)
    return (
        number,
        created,
        int(action == HELD),
        None if share == EVERYTHING else json.dumps(share),
        *(" ".join(told.get(name, ())) for name in ("scopes", "withheld", "sensitive", "unasked")),
        int(bool(told.get("keeps_ids"))),
    )
