"""Keys that sign id tokens: private halves sealed with the server's key, public halves as JWKs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from rollbook.store.accounts import audit
from rollbook.store.district.districts import timestamp
from rollbook.store.engine.database import Transaction


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; `public` is its JWK."""

    id: str
    private_sealed: str
    public: dict[str, str]


def published(transaction: Transaction) -> list[SigningKey]:
    """The keys that are not retired, newest first; the newest one signs."""
    rows = transaction.rows(
        "SELECT id, private_sealed, public FROM signing_keys WHERE retires IS NULL OR retires > ?"
        " ORDER BY CASE WHEN retires IS NULL THEN 0 ELSE 1 END, created DESC",
        (int(time.time()),),
    )
    return [SigningKey(id_, sealed, json.loads(public)) for id_, sealed, public in rows]


def add(transaction: Transaction, key: SigningKey, *, overlap_seconds: int) -> None:
    """Make a key the signing key; earlier keys retire after the overlap at the latest."""
    ends = int(time.time()) + overlap_seconds
    transaction.run("UPDATE signing_keys SET retires = ? WHERE retires IS NULL OR retires > ?", (ends, ends))
    transaction.run(
        "INSERT INTO signing_keys (id, private_sealed, public, created) VALUES (?, ?, ?, ?)",
        (key.id, key.private_sealed, json.dumps(key.public), timestamp()),
    )
    audit.record(transaction, "signing key rotated", key=key.id)
