"""The overview: what to look at first, then all districts, with filter, order, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from rollbook.operations import acting, district_setup, districts_overview
from rollbook.operations.districts_overview import STATES, Line
from rollbook.store.district import districts
from rollbook.web.console import chart_pages
from rollbook.web.console.console_frame import CSV, Ask, Console, Page, Shown
from rollbook.web.console.sparklines import spark

LOOK_MAX, PAGE = 7, 50
ORDERS = ("need", "name", "files", "changes", "problems", "students", "applications")
HEADS = ("state", "district", "id", "last files", "changes", "problems", "students", "applications", "why")


def overview(console: Console, ask: Ask) -> Shown:
    """All districts that the person sees."""
    every = districts_overview.lines(console.database, ask.actor)
    looked = [line for line in every if line.asks]
    name, state, order = ask.asked("name"), ask.asked("state"), ask.asked("order", "need")
    found = _ordered([line for line in every if _takes(line, name, state)], order)
    if ask.form == CSV:
        return Shown("overview.html", {}, rows=_rows(found))
    first = ask.number("from", most=max(len(found) - 1, 0)) // PAGE * PAGE
    shown = found[first : first + PAGE]
    nights = districts_overview.with_nights(console.database, shown)
    return Shown(
        "overview.html",
        {
            "count": len(every),
            "to_look_at": len(looked),
            "empty": sum(line.state == "empty" and not line.asks for line in every),
            "look": looked[:LOOK_MAX],
            "last": max((line for line in every if line.last_files), key=_files, default=None),
            "districts": [_told(line, each) for line, each in zip(shown, nights, strict=True)],
            "sparks": [spark(each, asks=line.asks) for line, each in zip(shown, nights, strict=True)],
            "chart": chart_pages.last_runs(every),
            "found": len(found),
            "first": first,
            "wanted": {"name": name, "state": state, "order": order},
            "states": STATES,
            "may_make": ask.actor.may("make districts"),
        },
        leave_out=("sparks", "may_make", "states", "chart"),
    )


def _told(line: Line, nights: list[int]) -> dict[str, Any]:
    """A district for the page; a run that failed has no count of students, so the last one before it counts."""
    students = line.students if line.students is not None else next(reversed(nights), None)
    return {**asdict(line), "students": students, "nights": nights}


def _takes(line: Line, name: str, state: str) -> bool:
    return (not name or name.casefold() in line.name.casefold()) and (not state or line.state == state)


def _files(line: Line) -> str:
    return line.last_files or ""


def _ordered(lines: list[Line], order: str) -> list[Line]:
    """The lines in an order; numbers and times begin with the greatest."""
    if order == "name":
        return sorted(lines, key=lambda line: line.name.casefold())
    if order == "files":
        return sorted(lines, key=_files, reverse=True)
    if order in ORDERS[3:]:
        return sorted(lines, key=lambda line: getattr(line, order) or 0, reverse=True)
    return lines


def _rows(lines: Iterable[Line]) -> Iterator[Sequence[object]]:
    yield HEADS
    for line in lines:
        yield (
            *(line.state, line.name, line.id, line.last_files or "", line.changes, line.problems),
            *(line.students, line.applications, line.why),
        )


def new_district(_: Console, __: Ask) -> Shown:
    """The form for a new district."""
    return Shown("new_district.html", {})


def make_district(console: Console, ask: Ask) -> Response:
    """Make a district, and lead to its upload."""
    made = acting.do(ask.actor, district_setup.create, console.database, ask.asked("name"))
    name = made.district.name
    return console.said(ask, f"{name} was made.", f"/console/d/{districts.slug(made.district)}")


PAGES = (
    Page("overview", "/console", "see districts", overview, title="Overview"),
    Page("new-district", "/console/new-district", "make districts", new_district, make_district),
)
