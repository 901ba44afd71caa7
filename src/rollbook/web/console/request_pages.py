"""What applications do, for those who run or write them: the request log, and the events of a connection."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from rollbook.errors import Unknown
from rollbook.operations import watching
from rollbook.operations.watching import Readable
from rollbook.settings import base_url
from rollbook.store.accounts.connections import Watched
from rollbook.store.records import event_feed
from rollbook.store.records.event_feed import Told
from rollbook.web.console.console_frame import Ask, Console, Page, Shown
from rollbook.web.http.explorer_address import address
from rollbook.web.http.safety_headers import safety
from rollbook.web.log.log_views import LogView, whole

LOG, EVENTS = "/console/log", "/console/events"
HEADS = ("time", "status", "method", "address", "application", "token", "bytes", "ms", "hints")
EVENT_HEADS = ("created", "type", "id", "record", "changed")
OFFER_HEADS = ("application", "client_id", "district", "district_id", "events")
EVENTS_SHOWN = 100


def requests(console: Console, ask: Ask) -> Shown:
    """The requests that the person may read, newest first."""
    content = _view(console, ask).listed(_query(ask))
    rows = content["rows"]
    facts = [
        (
            row.moment.isoformat(timespec="milliseconds"),
            *(row.entry.status, row.entry.method, row.entry.address, row.name, row.entry.token),
            *(row.entry.size, row.entry.micros / 1000, " ".join(hint.text for hint in row.hints)),
        )
        for row in rows
    ]
    told = {"requests": [dict(zip(HEADS, fact, strict=True)) for fact in facts]}
    return Shown(
        "requests.html",
        {**told, **content},
        400 if content["wrong"] else 200,
        rows=[HEADS, *facts],
        leave_out=tuple(content),
    )


def newer_requests(console: Console, ask: Ask) -> Response:
    """The rows after a moment, for the page's script."""
    return _fragment(_view(console, ask).newer(_query(ask), whole(ask.asked("after"))))


def request(console: Console, ask: Ask) -> Shown:
    """One request, with its hints and a line to send it again."""
    content = _view(console, ask).one(ask.visit.parts["id"])
    if content is None:
        return Shown("request_gone.html", {"place": LOG}, 404)
    return Shown("request.html", content, leave_out=("row",))


def events(console: Console, ask: Ask) -> Shown:
    """The connections that the person may watch; of a chosen one the newest events."""
    if not ask.asked("application"):
        offers = [_offer(one) for one in watching.watchable(_allowed(console, ask), console.database)]
        offered = [dict(zip(OFFER_HEADS, each, strict=True)) for each in offers]
        content = {"connections": offered, "place": EVENTS}
        return Shown("watch.html", content, rows=[OFFER_HEADS, *offers], leave_out=("place",))
    watched, found = _events(console, ask)
    return Shown(
        "events.html",
        {
            "application": watched.application,
            "district": watched.district,
            "is_on": watched.events_after is not None,
            "events": [dict(zip(EVENT_HEADS, _facts(one), strict=True)) for one in found],
            "rows": [_row(one) for one in found],
            "query": {"application": watched.client_id, "district": watched.district_id},
            "place": EVENTS,
        },
        rows=[EVENT_HEADS, *(_facts(one) for one in found)],
        leave_out=("rows", "place"),
    )


def newer_events(console: Console, ask: Ask) -> Response:
    """The events after an id, for the page's script."""
    _, found = _events(console, ask, after=ask.asked("after"))
    template = console.desk.templates.get_template("console/event_rows.html")
    return _fragment(template.render(rows=[_row(one) for one in found]) if found else "")


def _events(console: Console, ask: Ask, *, after: str = "") -> tuple[Watched, list[Told]]:
    floor = event_feed.floor_now(console.desk.settings.event_days, in_demo=console.desk.in_demo)
    watched = watching.find(
        _allowed(console, ask), console.database, ask.asked("application"), ask.asked("district")
    )
    found = watching.events(console.database, watched, after=max(after, floor), count=EVENTS_SHOWN)
    return watched, found


def _allowed(console: Console, ask: Ask) -> Readable:
    return watching.readable(ask.actor, console.database)


def _view(console: Console, ask: Ask) -> LogView:
    """Errors: Unknown if the server keeps no log; Forbidden."""
    tap, settings = console.tap, console.desk.settings
    if tap is None or not tap.is_on:
        raise Unknown("This server keeps no request log: ROLLBOOK_REQUEST_LOG_ROWS_MAX is 0.")
    allowed, base = _allowed(console, ask), base_url(settings)
    return LogView(tap, console.desk.templates, readable=allowed, place=LOG, base=base)


def _query(ask: Ask) -> dict[str, str]:
    return {name: ask.asked(name) for name in ("application", "status", "path", "before")}


def _facts(one: Told) -> tuple[Any, ...]:
    return (f"{one.moment:%Y-%m-%dT%H:%M:%SZ}", one.type, one.id, one.record, "; ".join(one.changed))


def _row(one: Told) -> dict[str, Any]:
    explorer = address(quote("/events/{id}"), f"id={one.id}")
    return {"told": one, "moment": one.moment, "explorer": explorer}


def _offer(one: Watched) -> tuple[str, str, str, str, bool]:
    return (one.application, one.client_id, one.district, one.district_id, one.events_after is not None)


def _fragment(rows: str) -> Response:
    return HTMLResponse(rows, headers=safety())


PAGES = (
    Page("requests", LOG, watching.PERMISSION, requests, title="Request log", group="Developers"),
    Page("requests-rows", f"{LOG}/rows", watching.PERMISSION, newer_requests),
    Page("request", f"{LOG}/{{id}}", watching.PERMISSION, request),
    Page("events", EVENTS, watching.PERMISSION, events, title="Events", group="Developers"),
    Page("events-rows", f"{EVENTS}/rows", watching.PERMISSION, newer_events),
    Page("explorer", "/explorer", watching.PERMISSION, title="Explorer", group="Developers"),
)
