"""The audit trail, of a district or of the whole server, and the server itself."""

from __future__ import annotations

import orjson

from rollbook import __version__
from rollbook.operations import readiness
from rollbook.settings import PREFIX, masked
from rollbook.store.accounts import audit
from rollbook.store.work import measures
from rollbook.web.console.console_frame import CSV, Ask, Console, Page, Shown

ROWS, ROWS_CSV = 200, 100_000
HEADS = ("when", "what", "who", "district", "application", "address", "details")


def trail(console: Console, ask: Ask) -> Shown:
    """Who did what, newest first; selected by a part of what was done, or of who did it."""
    what, who = ask.asked("what")[:100], ask.asked("who")[:100]
    number = ask.found.number if ask.found else None
    most = ROWS_CSV if ask.form == CSV else ROWS
    with console.database.read() as transaction:
        found = audit.latest(transaction, most, district=number, action=what, by=who)
    told = [
        {
            "created": entry.created,
            "action": entry.action,
            "by": str(entry.detail.get("by") or entry.user_id),
            "district": entry.district,
            "application": entry.application,
            "address": entry.address,
            "detail": {name: value for name, value in entry.detail.items() if name != "by"},
        }
        for entry in found
        if who.casefold() in str(entry.detail.get("by") or entry.user_id).casefold()
    ]
    rows = [
        (
            *(each[name] for name in ("created", "action", "by", "district", "application", "address")),
            _text(each["detail"]),
        )
        for each in told
    ]
    return Shown(
        "trail.html",
        {
            "entries": told,
            "details": [_text(each["detail"]) for each in told],
            "wanted": {"what": what, "who": who},
            "place": f"{ask.place}/audit" if ask.found else "/console/audit",
            "most": ROWS,
        },
        rows=[HEADS, *rows],
        leave_out=("details",),
    )


def _text(detail: object) -> str:
    return orjson.dumps(detail).decode() if detail else ""


def server(console: Console, _: Ask) -> Shown:
    """The version, the database, the key, and the settings in force, with secrets masked."""
    settings = console.desk.settings
    ready = readiness.look(console.database)
    with console.database.read() as transaction:
        size = measures.bytes_of_database(transaction)
    return Shown(
        "server.html",
        {
            "version": __version__,
            "ready": ready.as_json(),
            "bytes": size,
            "engine": "SQLite" if "://" not in settings.database else "PostgreSQL",
            "has_key": console.desk.sealer.is_there,
            "settings": {f"{PREFIX}{name.upper()}": value for name, value in masked(settings).items()},
        },
        rows=[
            ("setting", "value"),
            *((f"{PREFIX}{name.upper()}", str(value)) for name, value in masked(settings).items()),
        ],
    )


PAGES = (
    Page(
        "district-audit",
        "/console/d/{slug}/audit",
        "see the audit trail",
        trail,
        title="Audit trail",
        group="Settings",
    ),
    Page(
        "audit",
        "/console/audit",
        "see the server",
        trail,
        title="Audit trail of the server",
        group="Settings",
    ),
    Page("server", "/console/server", "see the server", server, title="Server", group="Settings"),
)
