"""A district's home: its state in one sentence with one button, its numbers, and who reads it."""

from __future__ import annotations

from typing import Any

from rollbook.domain.school_days import RULES, Schedule
from rollbook.operations import districts_overview, scheduling
from rollbook.operations.districts_overview import NIGHTS, Line
from rollbook.store.accounts import connections
from rollbook.store.district import districts
from rollbook.store.records import commits, runs_overview
from rollbook.sync import standing
from rollbook.web.console.console_frame import Ask, Console, Page, Shown
from rollbook.web.console.sparklines import spark

# The counts of the page. People count once, with their first role.
COUNTS = ("students", "teachers", "staff", "contacts", "schools", "sections")


def home(console: Console, ask: Ask) -> Shown:
    """A district as it stands now."""
    database, district = console.database, ask.district
    line = districts_overview.line(database, district)
    has_runs = ask.actor.may("see runs", district.number)
    schedule = scheduling.read(database, district.name)
    with database.read() as transaction:
        nights = runs_overview.students(transaction, district.number, NIGHTS)
        sign_in = districts.portal_url(transaction, district)
    return Shown(
        "home.html",
        {
            "district": {"id": district.id, "name": district.name, "sign_in": sign_in},
            "state": line.state,
            "asks": line.asks,
            "why": line.why,
            "reasons": list(line.reasons),
            "last_files": line.last_files,
            "run": line.run,
            "counts": _counts(console, ask),
            "nights": nights,
            "spark": spark(nights, asks=line.asks),
            "schedule": _schedule(schedule),
            "applications": sorted(connections.views_of(database, district)) if has_runs else [],
            "troubles": standing.troubles(standing.of(database, district)) if has_runs else [],
            "act": _act(line, ask) if has_runs else None,
            "place": ask.place,
        },
        leave_out=("spark", "act"),
    )


def _counts(console: Console, ask: Ask) -> dict[str, int]:
    """The records of each kind after the last run, from its report: to count them anew takes too long."""
    last = ask.district.snapshot
    kinds = (commits.run(console.database, ask.district, last).report.get("kinds") or {}) if last else {}
    told = {name: kinds.get(name, {}) for name in COUNTS}
    return {
        name.capitalize(): each.get("existing", 0) + each.get("created", 0) - each.get("deleted", 0)
        for name, each in told.items()
    }


def _schedule(schedule: Schedule | None) -> dict[str, Any] | None:
    if schedule is None:
        return None
    return {
        "rule": RULES[schedule.rule],
        "zone": schedule.zone,
        "at": schedule.at,
        "days": list(schedule.days),
        "late_after": schedule.late_after,
    }


def _act(line: Line, ask: Ask) -> tuple[str, str] | None:
    """The title and the address of the page's button: the next step."""
    if line.state in ("held", "failed") and line.run:
        return (
            "Review the run" if line.state == "held" else "See what is wrong"
        ), f"{ask.place}/runs/{line.run}"
    if line.state == "empty" and not ask.district.given and ask.actor.may("change the roster", line.number):
        return "Upload the first files", f"{ask.place}/upload"
    return None


PAGES = (Page("home", "/console/d/{slug}", "see districts", home, title="Home", group="District"),)
