"""The shares of each connection, edit by edit.

They have their own rows, so pruning the audit trail loses none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from rollbook.domain import shares
from rollbook.store.accounts import audit
from rollbook.store.accounts.applications import Application
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Row, Transaction

# The trail's names for acts that set what an application sees.
CONNECTED: Final = "connected"
EDITED: Final = "share changed"
HELD: Final = "share changed, held by a freeze"
_EVERYTHING: Final = "everything"


@dataclass(frozen=True, slots=True)
class PastShare:
    """What an application saw of a district from a moment on.

    If `is_held`, a freeze held the edit back, and it would have seen this.
    """

    created: str
    told: Mapping[str, Any]
    is_held: bool

    def again(self, now: Spec) -> Spec:
        """The district's part of it, with what the application asks for today.

        Errors: BadSetting for a share that can no longer be read.
        """
        share = None if self.told["share"] == _EVERYTHING else shares.parse(self.told["share"])
        withheld, sensitive = (tuple(self.told[name]) for name in ("withheld", "sensitive"))
        return replace(
            now, share=share, withheld=withheld, sensitive=sensitive, keeps_ids=bool(self.told["keeps_ids"])
        )


def note(
    transaction: Transaction,
    number: int,
    application: Application,
    district: District,
    spec: Spec,
    *,
    action: str = EDITED,
) -> None:
    """Store what a connection (by number) sees from now on, in its history and in the trail.

    If the action is `HELD`, the connection sees it once its view is thawed.
    """
    told = _told(spec)
    transaction.run(
        "INSERT INTO share_history (connection, created, is_held, share, scopes, withheld, sensitive, unasked, keeps_ids)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            timestamp(),
            int(action == HELD),
            None if spec.share is None else orjson.dumps(told["share"]).decode(),
            *(" ".join(told[name]) for name in ("scopes", "withheld", "sensitive", "unasked")),
            int(spec.keeps_ids),
        ),
    )
    audit.record(transaction, action, district=district.number, application=application.number, **told)


def past_shares(transaction: Transaction, number: int) -> list[PastShare]:
    """All shares of a connection (by number) since it began, oldest first, today's last."""
    rows = transaction.rows(
        "SELECT created, is_held, share, scopes, withheld, sensitive, unasked, keeps_ids FROM share_history"
        " WHERE connection = ? ORDER BY number",
        (number,),
    )
    return [_past_share(row) for row in rows]


def forget(transaction: Transaction, application: int, district: int) -> None:
    """Drop the history of a connection that ends; the trail keeps its own rows."""
    transaction.run(
        "DELETE FROM share_history WHERE connection IN"
        " (SELECT number FROM connections WHERE application = ? AND district = ?)",
        (application, district),
    )


def _told(spec: Spec) -> dict[str, Any]:
    return {
        "share": shares.as_json(spec.share) or _EVERYTHING,
        "scopes": spec.scopes,
        "withheld": spec.withheld,
        "sensitive": spec.sensitive,
        "unasked": spec.unasked,
        "keeps_ids": spec.keeps_ids,
    }


def _past_share(row: Row) -> PastShare:
    created, is_held, share, scopes, withheld, sensitive, unasked, keeps_ids = row
    told = {
        "share": orjson.loads(share) if share else _EVERYTHING,
        "scopes": scopes.split(),
        "withheld": withheld.split(),
        "sensitive": sensitive.split(),
        "unasked": unasked.split(),
        "keeps_ids": bool(keeps_ids),
    }
    return PastShare(created, told, bool(is_held))
