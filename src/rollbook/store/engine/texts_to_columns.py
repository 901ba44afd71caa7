"""Move facts that earlier versions kept in JSON texts into tables and columns.

Steps of `migrations`, and never edited, either.
"""

from __future__ import annotations

import json
from typing import Any, Final

from rollbook.store.engine.database import Row, Transaction

CONNECTED: Final = "connected"
HELD: Final = "share changed, held by a freeze"
SHARING: Final = (CONNECTED, "share changed", HELD)
EVERYTHING: Final = "everything"
NIGHT: Final = (
    "district, sync, students, seed, first, day, date, in_force, story, unfinished, nights,"
    " person_sis_id, person_name, person_id"
)


def shares(transaction: Transaction) -> None:
    """Read the shares of each connection, since it began, from the audit trail."""
    for number, application, district in transaction.rows(
        "SELECT number, application, district FROM connections ORDER BY number"
    ):
        trail = transaction.rows(
            "SELECT action, created, detail FROM audit WHERE application = ? AND district = ?"
            " AND action IN (?, ?, ?) ORDER BY number",
            (application, district, *SHARING),
        )
        begun = max((place for place, row in enumerate(trail) if row[0] == CONNECTED), default=0)
        transaction.insert(
            "share_history",
            "connection, created, is_held, share, scopes, withheld, sensitive, unasked, keeps_ids",
            [_share(number, *row) for row in trail[begun:]],
        )


def runs(transaction: Transaction) -> None:
    """Move the mark of a shortened report, and the note of a demo, out of the reports of all runs."""
    for district, sync in transaction.rows("SELECT district, sync FROM syncs"):
        (text,) = transaction.row(
            "SELECT report FROM syncs WHERE district = ? AND sync = ?", (district, sync)
        ) or ("{}",)
        report: dict[str, Any] = json.loads(text)
        if "note" not in report and "is_short" not in report:
            continue
        note, is_short = report.pop("note", None), bool(report.pop("is_short", False))
        values = (json.dumps(report), int(is_short), district, sync)
        transaction.run("UPDATE syncs SET report = ?, is_short = ? WHERE district = ? AND sync = ?", values)
        if note and note.get("demo"):
            transaction.insert("demo_nights", NIGHT, [(district, sync, *_night(note))])


def _night(note: dict[str, Any]) -> Row:
    person = note.get("person") or {}
    return (
        *(int(note[name]) for name in ("students", "seed", "first", "day")),
        note["date"],
        " ".join(note.get("in_force", ())),
        note.get("story", ""),
        note.get("unfinished", ""),
        int(note.get("nights", 0)),
        *(person.get(name) for name in ("sis_id", "name", "id")),
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
