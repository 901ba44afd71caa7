"""`/log` of a demo: the last requests as a live page, and a page for each request.

Other servers have no such page yet, because only an operator account can decide whose requests a person may
see.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, urlencode

import anyio
from anyio import to_thread
from jinja2 import Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from rollbook.errors import BadSetting, MachineTrouble, RollbookError
from rollbook.store.records.request_log import LATE_SECONDS, Batch, Entry, now_ms
from rollbook.web.http.explorer_address import address
from rollbook.web.http.kept_parts import CLIENT, HIDDEN
from rollbook.web.http.page_compression import compressing
from rollbook.web.http.request_tap import RequestTap
from rollbook.web.http.safety_headers import safety
from rollbook.web.log.log_hints import Reading, Told, client_of, hints
from rollbook.web.log.log_reading import (
    BARS,
    HOUR_SECONDS,
    RECENT_SECONDS,
    Wanted,
    figures,
    groups,
    newest_first,
)
from rollbook.web.log.near_paths import PREFIX, prefix_of, row_of

ROWS = 100
# A stream ends by itself, and the browser opens the next one; this also happens when the server stops.
STREAM_SECONDS, POLL_SECONDS, QUIET_SECONDS = 600.0, 0.5, 15.0
STREAMS_MAX = 20
STATUSES = ("2xx", "3xx", "4xx", "5xx", "401", "404", "429")
_CODE = re.compile("`([^`]*)`")
_SPARK_HEIGHT, _BAR_STEP, _BAR_WIDTH = 28, 8, 7


@dataclass(frozen=True, slots=True)
class Row:
    """A request, as the page shows it."""

    entry: Entry
    name: str
    hints: list[Told]

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.entry.at / 1000, UTC)

    @property
    def clock(self) -> str:
        return f"{self.moment:%H:%M:%S.%f}"[:-3]

    @property
    def is_error(self) -> bool:
        return self.entry.status >= 400


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a small chart, with its count; `since` is the start of its span."""

    x: int
    y: float
    height: float
    count: int
    since: datetime


class LogPages:
    """The pages for one worker's tap."""

    def __init__(self, tap: RequestTap, templates: Environment) -> None:
        self._tap, self._templates = tap, templates
        self._streams = 0
        templates.filters["code_words"] = _code_words

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/log", compressing(self._show), methods=["GET"]),
            Route("/log/live", self._live, methods=["GET"]),
            Route("/log/rows", self._rows, methods=["GET"]),
            Route("/log/{id}", compressing(self._one), methods=["GET"]),
        ]

    # Answers -----------------------------------------------------------------------------------------

    async def _show(self, request: Request) -> Response:
        return await to_thread.run_sync(
            self._list, dict(request.query_params), str(request.base_url).rstrip("/")
        )

    def _list(self, asked: Mapping[str, str], base: str) -> Response:
        now, wrong = now_ms(), ""
        try:
            wanted = _wanted(asked)
        except BadSetting as error:
            wanted, wrong = Wanted(), str(error)
        batches, reading = self._tap.log.read(), self._reading()
        chosen = newest_first(batches, wanted)
        before = _whole(asked.get("before", ""))
        older = [entry for entry in chosen if not before or entry.at < before]
        figured = figures(batches, now)
        return self._page(
            "log/list.html",
            400 if wrong else 200,
            wrong=wrong,
            wanted=wanted,
            query=_query(wanted),
            rows=self._shown(older[:ROWS], reading),
            older=_query(wanted, before=older[ROWS - 1].at) if len(older) > ROWS else "",
            is_newest=not before,
            has_any=any(batch.entries for batch in batches),
            figures=figured,
            room=self._tap.room,
            bars=_bars(figured.bars, now, RECENT_SECONDS),
            error_bars=_bars(figured.error_bars, now, HOUR_SECONDS),
            groups=groups((entry for batch in batches for entry in batch.entries), now),
            applications=sorted(reading.applications.values(), key=lambda one: one.name),
            statuses=STATUSES,
            curl=f'curl -H "Authorization: Bearer TEST_TOKEN" "{base}{PREFIX}/users?limit=1"',
        )

    async def _one(self, request: Request) -> Response:
        return await to_thread.run_sync(
            self._entry, request.path_params["id"], str(request.base_url).rstrip("/")
        )

    def _entry(self, id_: str, base: str) -> Response:
        found = [entry for batch in self._tap.log.read() for entry in batch.entries if entry.id == id_]
        if not found:
            return self._page("log/gone.html", 404)
        [row] = self._shown(found[:1], self._reading())
        return self._page(
            "log/entry.html", row=row, curl=curl(row.entry, base), explorer=explorer_address(row.entry)
        )

    async def _rows(self, request: Request) -> Response:
        """The rows after a moment, for a script whose stream was refused."""
        after = _whole(request.query_params.get("after", ""))
        shown = await to_thread.run_sync(self._newer, dict(request.query_params), after)
        return HTMLResponse(shown, headers={**safety(), "Cache-Control": "no-store"})

    def _newer(self, asked: Mapping[str, str], after: int) -> str:
        try:
            wanted = _wanted(asked)
        except BadSetting:
            return ""
        entries = [
            entry for entry in newest_first(self._tap.log.read(since_ms=after), wanted) if entry.at > after
        ]
        return self._fragment(self._shown(entries[:ROWS], self._reading()))

    async def _live(self, request: Request) -> Response:
        if self._streams >= STREAMS_MAX:
            return Response("too many pages watch the log", 503, safety(), "text/plain")
        try:
            wanted = _wanted(request.query_params)
        except BadSetting as error:
            return Response(str(error), 400, safety(), "text/plain")
        headers = {**safety(), "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._stream(wanted, lambda: "is_ending" in request.scope.get("state", ())),
            headers=headers,
            media_type="text/event-stream",
        )

    async def _stream(self, wanted: Wanted, is_ending: Callable[[], bool]) -> AsyncIterator[str]:
        """New rows as server-sent events. A quiet stream sends a sign of life from time to time."""
        self._streams += 1
        try:
            begun = told = time.monotonic()
            shown: set[int] = set()
            yield "retry: 1000\n\n"
            first = True
            while time.monotonic() - begun < STREAM_SECONDS and not is_ending():
                text, numbers = await to_thread.run_sync(self._next, wanted, frozenset(shown), first)
                shown, first = shown | numbers, False
                if text:
                    yield "event: rows\n" + "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
                    told = time.monotonic()
                elif time.monotonic() - told > QUIET_SECONDS:
                    yield ": still here\n\n"
                    told = time.monotonic()
                await anyio.sleep(POLL_SECONDS)
        finally:
            self._streams -= 1

    def _next(self, wanted: Wanted, shown: frozenset[int], is_first: bool) -> tuple[str, set[int]]:
        """The new rows, and the numbers of their batches.

        If the database is away, the next call tries again.
        """
        try:
            batches: list[Batch] = self._tap.log.read(since_ms=now_ms() - LATE_SECONDS * 1000, without=shown)
            numbers = {batch.number for batch in batches}
            entries = [] if is_first else newest_first(batches, wanted)[:ROWS]
            return (self._fragment(self._shown(entries, self._reading())) if entries else ""), numbers
        except (RollbookError, MachineTrouble):
            return "", set()

    # What is shown -----------------------------------------------------------------------------------

    def _reading(self) -> Reading:
        return Reading(self._tap.database, is_operator=True)  # everything in a demo is invented

    def _shown(self, entries: list[Entry], reading: Reading) -> list[Row]:
        return [Row(entry, reading.name(client_of(entry)), hints(entry, reading)) for entry in entries]

    def _fragment(self, rows: list[Row]) -> str:
        return self._templates.get_template("log/rows.html").render(rows=rows)

    def _page(self, name: str, status: int = 200, **context: object) -> Response:
        shown = self._templates.get_template(name).render(**context)
        return HTMLResponse(shown, status, {**safety("'self'"), "Cache-Control": "no-store"})


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """Errors: BadSetting for an unknown status."""
    return Wanted.of(asked.get("application", ""), asked.get("status", ""), asked.get("path", ""))


def _query(wanted: Wanted, **more: object) -> str:
    """The filters as a query, to return to them."""
    given = {"application": wanted.client_id, "status": wanted.status, "path": wanted.path, **more}
    return urlencode({name: value for name, value in given.items() if value})


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _bars(counts: tuple[int, ...], now: int, seconds: int) -> list[Bar]:
    most, span = max(*counts, 1), seconds / BARS
    begun = now / 1000 - seconds
    heights = [max((_SPARK_HEIGHT - 2) * count / most, 1) for count in counts]
    return [
        Bar(
            place * _BAR_STEP,
            _SPARK_HEIGHT - height,
            height,
            count,
            datetime.fromtimestamp(begun + place * span, UTC),
        )
        for place, (count, height) in enumerate(zip(counts, heights, strict=True))
    ]


def _code_words(text: str) -> Markup:
    """A sentence with the words between backquotes as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S704 - escaped before


def curl(entry: Entry, base: str) -> str:
    """The request as a line to paste, with $TOKEN in place of its token; parts that were not kept stay
    `…`."""
    words = ["curl"]
    if entry.method == "HEAD":
        words.append("--head")
    elif entry.method != "GET":
        words.append(f"-X {entry.method}")
    if entry.token == CLIENT:
        words.append('-u "$CLIENT_ID:$CLIENT_SECRET"')
    elif entry.token:
        words.append('-H "Authorization: Bearer $TOKEN"')
    return " ".join((*words, f'"{base}{entry.address}"'))


def explorer_address(entry: Entry) -> str:
    """The Explorer's page for the same request; blank if there is none, or if a part was not kept."""
    row = row_of(entry.path)
    if row is None or entry.method != "GET" or HIDDEN in entry.address:
        return ""
    [*ids] = re.findall(r"[0-9a-fA-F]{24}", entry.path)
    named = [f"id={id_}" for id_ in ids]
    return address(quote(row.path), *named, entry.query, version=prefix_of(entry.path)[1:])
