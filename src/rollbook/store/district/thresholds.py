"""A district's own limits for holding a sync: those that differ from the defaults."""

from __future__ import annotations

from rollbook.domain.guard import GUARDED, Threshold
from rollbook.errors import BadSetting
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database

DELETED_MAX = {"terms": 100}
DELETED_MAX_OTHERS = 90


def read(database: Database, district: District) -> dict[str, Threshold]:
    """The limits of every guarded kind."""
    with database.read() as transaction:
        rows = transaction.rows(
            "SELECT kind, updated_percent, deleted_percent FROM thresholds WHERE district = ?",
            (district.number,),
        )
    own = {kind: Threshold(updated, deleted) for kind, updated, deleted in rows}
    return {kind: own.get(kind, Threshold()) for kind in GUARDED}


def write(database: Database, district: District, kind: str, threshold: Threshold) -> None:
    """Set the limits of one kind.

    Errors: BadSetting for a kind without limits, or a percentage that the API does not allow: updates 0 (off)
    to 100, deletions 0 to 90 (terms: to 100). The limit on deletions cannot be switched off.
    """
    if kind not in GUARDED:
        raise BadSetting(f"kind: expected one of {', '.join(GUARDED)}, got {kind!r}")
    most = DELETED_MAX.get(kind, DELETED_MAX_OTHERS)
    if not 0 <= threshold.updated <= 100:
        raise BadSetting(f"updated: expected 0 to 100 percent, got {threshold.updated}")
    if not 0 <= threshold.deleted <= most:
        raise BadSetting(f"deleted: expected 0 to {most} percent, got {threshold.deleted}")
    with database.write() as transaction:
        transaction.run(
            "INSERT INTO thresholds (district, kind, updated_percent, deleted_percent) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (district, kind) DO UPDATE"
            " SET updated_percent = excluded.updated_percent, deleted_percent = excluded.deleted_percent",
            (district.number, kind, threshold.updated, threshold.deleted),
        )
