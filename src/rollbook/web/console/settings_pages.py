"""A district's settings: limits and reading rules, schedule and pauses, and its own sign-in service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from starlette.responses import Response

from rollbook.domain.reading_rules import SWITCHES, Rules
from rollbook.domain.school_days import DAYS, RULES, Schedule, spans
from rollbook.errors import BadSetting
from rollbook.operations import acting, district_setup, run_decisions, scheduling
from rollbook.store.district import choices, thresholds
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

# What else than its text a form may change of a schedule.
_TEXTS = ("folder", "rule", "marker", "at", "late_after", "zone")


def limits(console: Console, ask: Ask) -> Shown:
    """The page of the limits that hold a sync, and of the rules for reading files."""
    found = thresholds.read(console.database, ask.district)
    rules, defaults = choices.read(console.database, ask.district).switches(), Rules().switches()
    return Shown(
        "limits.html",
        {
            "limits": {
                kind: {"updated": each.updated, "deleted": each.deleted} for kind, each in found.items()
            },
            "rules": [
                {
                    "name": name,
                    "help": text,
                    "is_on": rules[name],
                    "is_default": rules[name] == defaults[name],
                }
                for name, text in SWITCHES.items()
            ],
            "is_copy": bool(ask.district.given),
            "place": ask.place,
        },
        rows=[
            ("kind", "updated", "deleted"),
            *((kind, each.updated, each.deleted) for kind, each in found.items()),
        ],
    )


def set_limits(console: Console, ask: Ask) -> Response:
    """Set all limits, or all rules, by the button that was pressed."""
    database, district, given = console.database, ask.district, ask.visit.form
    if ask.asked("act") == "rules":
        changed = {name: given.get(name) == "on" for name in SWITCHES}
        acting.do(ask.actor, district_setup.set_rules, database, district.id, changed)
        return console.said(ask, "The rules are set. They apply from the next sync on.", ask.visit.path)
    now = thresholds.read(database, district)
    wanted = {kind: (_percent(ask, kind, "updated"), _percent(ask, kind, "deleted")) for kind in now}
    for kind, (updated, deleted) in wanted.items():
        if (updated, deleted) != (now[kind].updated, now[kind].deleted):
            acting.do(
                ask.actor,
                district_setup.set_limits,
                database,
                district.id,
                kind,
                updated=updated,
                deleted=deleted,
            )
    return console.said(ask, "The limits are set. They apply from the next sync on.", ask.visit.path)


def _percent(ask: Ask, kind: str, verb: str) -> int:
    text = ask.asked(f"{kind} {verb}")
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise BadSetting(f"{kind} {verb}: expected a whole number of percent, got {text[:20]!r}")
    return int(text)


def schedule(console: Console, ask: Ask) -> Shown:
    """When files come and are late, and pauses."""
    found, district = scheduling.read(console.database, ask.district.id), ask.district
    now = found or Schedule()
    may_name_folder = _may_name_folder(console, ask)
    shown = [name for name in _TEXTS if may_name_folder or name != "folder"]
    told: dict[str, Any] = {name: getattr(now, name) for name in shown}
    told |= {
        "days": list(now.days),
        "quiet_minutes": now.quiet_minutes,
        "keep_days": now.keep_days,
        "off": [f"{first}..{last}" if first != last else str(first) for first, last in now.off],
    }
    pause = {"from": district.pause_start, "until": district.pause_end} if district.pause_start else None
    return Shown(
        "schedule.html",
        {
            "has_schedule": found is not None,
            "schedule": told,
            "rules": RULES,
            "all_days": DAYS,
            "pause": pause,
            "place": ask.place,
            "may_name_folder": may_name_folder,
        },
        leave_out=("rules", "all_days", "may_name_folder"),
    )


def set_schedule(console: Console, ask: Ask) -> Response:
    """Set or drop the schedule, pause or resume, by the button that was pressed."""
    acts: dict[str, Callable[[Console, Ask], str]] = {
        "schedule": _set,
        "drop": _drop,
        "pause": _pause,
        "resume": _resume,
    }
    act = acts.get(ask.asked("act"))
    if act is None:
        raise BadSetting(f"act: expected one of {', '.join(acts)}")
    return console.said(ask, act(console, ask), ask.visit.path)


def _set(console: Console, ask: Ask) -> str:
    given: dict[str, Any] = {name: ask.asked(name) for name in _TEXTS}
    if not _may_name_folder(console, ask):
        del given["folder"]
    given |= {name: _whole(ask, name) for name in ("quiet_minutes", "keep_days")}
    given["days"] = tuple(day for day in DAYS if ask.visit.form.get(f"day {day}"))
    given["off"] = spans(ask.asked("off").split())
    given = {
        name: value for name, value in given.items() if value != "" or name in ("at", "late_after", "folder")
    }

    def edit(now: Schedule) -> Schedule:
        return replace(now, **given)

    acting.do(ask.actor, scheduling.change, console.database, ask.district.id, edit)
    return "The schedule is set."


def _may_name_folder(console: Console, ask: Ask) -> bool:
    """A folder is a path of this machine, and its files are moved away: only an operator may name one, and no
    visitor of a demo."""
    return ask.actor.may("see the server") and not console.desk.in_demo


def _whole(ask: Ask, name: str) -> int:
    text = ask.asked(name)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 5):
        raise BadSetting(f"{name}: expected a whole number, got {text[:20]!r}")
    return int(text)


def _drop(console: Console, ask: Ask) -> str:
    acting.do(ask.actor, scheduling.remove, console.database, ask.district.id)
    return "The schedule is dropped."


def _pause(console: Console, ask: Ask) -> str:
    first, last = _day(ask, "from"), _day(ask, "until")
    first = first or date.today()
    acting.do(ask.actor, run_decisions.pause, console.database, ask.district.id, first, last)
    return f"Paused from {first} until {last or 'it is resumed'}."


def _day(ask: Ask, name: str) -> date | None:
    text = ask.asked(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadSetting(f"{name}: expected a day such as 2026-12-24, got {text[:20]!r}") from None


def _resume(console: Console, ask: Ask) -> str:
    acting.do(ask.actor, run_decisions.resume, console.database, ask.district.id)
    return "The pause has ended."


_AT = "/console/d/{slug}"
PAGES = (
    Page(
        "limits",
        f"{_AT}/limits",
        "change settings",
        limits,
        set_limits,
        title="Limits and rules",
        group="Settings",
    ),
    Page(
        "schedule",
        f"{_AT}/schedule",
        "change settings",
        schedule,
        set_schedule,
        title="Schedule and pauses",
        group="Settings",
    ),
)
