"""People and sections of a held run that come back under other SIS ids: review the pairs, and keep their ids."""

from __future__ import annotations

from starlette.responses import Response

from rollbook.errors import BadSetting, Unknown
from rollbook.operations import acting, keeping_ids
from rollbook.roster.views.id_pairs import Pair
from rollbook.store.records import commits
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

SHOWN_MAX = 500
# Begins the name of a ticked pair in the form.
TICK = "pair."


def pairs(console: Console, ask: Ask) -> Shown:
    """The pairs of the held run, the sure ones ticked."""
    found, run, needs_name = [], None, False
    try:
        held = commits.held(console.database, ask.district)
        run, needs_name = held.number, bool(held.report.get("needs_name"))
        found = keeping_ids.find(console.database, console.desk.settings, ask.district.id)
    except Unknown:
        pass
    return Shown(
        "ids.html",
        {
            "run": run,
            "needs_name": needs_name,
            "pairs": found[:SHOWN_MAX],
            "found": len(found),
            "sure": sum(pair.strength == "sure" for pair in found),
            "tick": TICK,
            "place": ask.place,
            "may_change": ask.actor.may("change the roster", ask.district.number),
        },
        rows=keeping_ids.rows(found),
        leave_out=("tick", "place", "may_change"),
    )


def keep(console: Console, ask: Ask) -> Response:
    """Apply the held run; the ticked pairs, or all sure ones, keep their ids."""
    found = keeping_ids.find(console.database, console.desk.settings, ask.district.id)
    given = ask.visit.form
    if ask.asked("act") == "sure":
        chosen = [pair for pair in found if pair.strength == "sure"]
    else:
        chosen = [pair for pair in found if given.get(_name(pair)) == pair.new]
    if not chosen:
        raise BadSetting("Tick one pair at least, or approve the run on its own page.")
    done = acting.do(
        ask.actor,
        keeping_ids.keep,
        console.database,
        console.desk.settings,
        ask.district.id,
        chosen,
        name=ask.asked("name") or None,
        run=ask.number("run"),
    )
    kept = f"{len(chosen):,} record{'' if len(chosen) == 1 else 's'}"
    return console.said(
        ask,
        f"The sync was applied as run {done.number}; {kept} kept their ids.",
        f"{ask.place}/runs/{done.number}",
    )


def _name(pair: Pair) -> str:
    return f"{TICK}{pair.source}.{pair.old}"


PAGES = (
    Page(
        "ids",
        "/console/d/{slug}/ids",
        "see runs",
        pairs,
        keep,
        title="Changed ids",
        group="District",
        is_costly=True,
    ),
)
