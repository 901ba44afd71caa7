"""What a page of the request log shows, for a person who may read some of its requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from markupsafe import Markup

from rollbook.errors import BadSetting
from rollbook.operations.watching import ALL, Readable
from rollbook.store.records.request_log import Batch, Entry, now_ms
from rollbook.web.http.explorer_address import address
from rollbook.web.http.kept_parts import CLIENT, HIDDEN
from rollbook.web.http.request_tap import RequestTap
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


class LogView:
    """The log as one person sees it. `place` is the address of its page, `base` that of the server."""

    def __init__(
        self,
        tap: RequestTap,
        templates: Environment,
        *,
        readable: Readable = ALL,
        place: str = "/log",
        base: str = "",
    ) -> None:
        self._tap, self._templates, self._readable = tap, templates, readable
        self._place, self._base = place, base
        templates.filters["code_words"] = _code_words

    def listed(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The content of the page: the rows of a query, the figures above them, and `wrong`, which says what is
        wrong with the query."""
        now, wrong = now_ms(), ""
        try:
            wanted = wanted_of(asked)
        except BadSetting as error:
            wanted, wrong = Wanted(), str(error)
        batches, reading = self.read(), self._reading()
        before = whole(asked.get("before", ""))
        older = [entry for entry in newest_first(batches, wanted) if not before or entry.at < before]
        figured = figures(batches, now)
        return {
            "place": self._place,
            "wrong": wrong,
            "wanted": wanted,
            "query": _query(wanted),
            "rows": self._shown(older[:ROWS], reading),
            "older": _query(wanted, before=older[ROWS - 1].at) if len(older) > ROWS else "",
            "is_newest": not before,
            "has_any": any(batch.entries for batch in batches),
            "figures": figured,
            "room": self._tap.room,
            "bars": _bars(figured.bars, now, RECENT_SECONDS),
            "error_bars": _bars(figured.error_bars, now, HOUR_SECONDS),
            "groups": groups((entry for batch in batches for entry in batch.entries), now),
            "applications": self._readable.applications(reading.applications.values()),
            "statuses": STATUSES,
            "curl": f'curl -H "Authorization: Bearer {self._token}" "{self._base}{PREFIX}/users?limit=1"',
        }

    def one(self, id_: str) -> dict[str, Any] | None:
        """The content of one request's page; None if it is not in the log, or not for this person."""
        found = [entry for batch in self.read() for entry in batch.entries if entry.id == id_]
        if not found:
            return None
        [row] = self._shown(found[:1], self._reading())
        return {
            "place": self._place,
            "row": row,
            "curl": curl(row.entry, self._base),
            "explorer": explorer_address(row.entry),
        }

    def newer(self, asked: Mapping[str, str], after: int) -> str:
        """The rows after a moment (Unix ms), as HTML, for a script that asks again and again."""
        try:
            wanted = wanted_of(asked)
        except BadSetting:
            return ""
        batches = self.read(since_ms=after)
        return self.rows([entry for entry in newest_first(batches, wanted) if entry.at > after])

    def read(self, *, since_ms: int = 0, without: Collection[int] = ()) -> list[Batch]:
        """The batches with what the person may read of them. Errors: those of the database."""
        found, shows = self._tap.log.read(since_ms=since_ms, without=without), self._readable.shows
        if self._readable == ALL:
            return found
        return [
            replace(
                batch,
                entries=tuple(each for each in batch.entries if shows(client_of(each), each.district_id)),
            )
            for batch in found
        ]

    def rows(self, entries: list[Entry]) -> str:
        """The first of these requests as rows of HTML; blank if there are none."""
        if not entries:
            return ""
        shown = self._shown(entries[:ROWS], self._reading())
        return self._templates.get_template("log/rows.html").render(rows=shown, place=self._place)

    @property
    def _token(self) -> str:
        return "TEST_TOKEN" if self._place == "/log" else "$TOKEN"

    def _reading(self) -> Reading:
        return Reading(self._tap.database, is_operator=self._readable.is_operator)

    def _shown(self, entries: list[Entry], reading: Reading) -> list[Row]:
        return [Row(entry, reading.name(client_of(entry)), hints(entry, reading)) for entry in entries]


def wanted_of(asked: Mapping[str, str]) -> Wanted:
    """Errors: BadSetting for an unknown status."""
    return Wanted.of(asked.get("application", ""), asked.get("status", ""), asked.get("path", ""))


def whole(text: str) -> int:
    """A moment of a query in Unix ms; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _query(wanted: Wanted, **more: object) -> str:
    """The filters as a query, to return to them."""
    given = {"application": wanted.client_id, "status": wanted.status, "path": wanted.path, **more}
    return urlencode({name: value for name, value in given.items() if value})


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
