"""People of a district: the list with its filters, one person from all sides, and why an application does not
see them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from rollbook.contract.clever.fields import SHAPES
from rollbook.domain.kinds import ROLES
from rollbook.operations import acting, explaining, people_access, people_browsing, portals, searching
from rollbook.operations.people_browsing import ALONE, CHANGED
from rollbook.store.accounts import connections
from rollbook.store.district import districts
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

GRADES = tuple(filter(None, next(field.enum for field in SHAPES["Student"] if field.name == "grade")))
HEADS = ("id", "name", "roles", "schools")
DISTRICTS_MAX = 50
HITS_OF_EACH = 5
# What a person needs to find a hit of a kind, beside people, schools and sections.
NEEDS = {"run": "see runs"}


def people(console: Console, ask: Ask) -> Shown:
    """The people who meet all filters, page by page."""
    wanted = {name: ask.asked(name) for name in ("text", "role", "school", "grade", "only")}
    found, after = people_browsing.people(
        console.database, ask.district.id, **wanted, after=ask.asked("after")
    )
    query = {name: value for name, value in wanted.items() if value}
    return Shown(
        "people.html",
        {
            "people": found,
            "after": after,
            "wanted": wanted,
            "query": urlencode(query),
            "roles": [role.name for role in ROLES],
            "schools": people_browsing.schools(console.database, ask.district.id),
            "grades": GRADES,
            "choices": (CHANGED, ALONE),
            "place": f"{ask.place}/people",
        },
        rows=[HEADS, *((one.id, one.name, one.detail, ", ".join(one.schools)) for one in found)],
        leave_out=("schools", "roles", "grades", "choices", "place", "query"),
    )


def person(console: Console, ask: Ask) -> Shown:
    """One person: the record, who sees it, what happened, and what can be done."""
    found = people_browsing.person(console.database, ask.district.id, ask.visit.parts["id"])
    shown_to = ask.asked("as")
    record = found.seen_by.get(shown_to) if shown_to else found.record
    return Shown(
        "person.html",
        {
            "person": asdict(found),
            "shown_to": shown_to,
            "json": orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() if record else "",
            "place": ask.place,
            "may_help": ask.actor.may("help people", ask.district.number),
        },
        leave_out=("json", "place", "may_help"),
    )


def help_person(console: Console, ask: Ask) -> Response:
    """Sign a person out everywhere."""
    id_ = ask.visit.parts["id"]
    found, ended = acting.do(ask.actor, people_access.sign_out, console.database, ask.district.id, id_)
    sessions = f"{ended} session{'' if ended == 1 else 's'} and tokens"
    return console.said(ask, f"{found.name} was signed out: {sessions} ended.", f"{ask.place}/people/{id_}")


def portal(console: Console, ask: Ask) -> Shown:
    """The portal as the person sees it. The trail names who looked."""
    id_ = ask.visit.parts["id"]
    found = acting.do(
        ask.actor, portals.as_person, console.database, ask.district.id, id_, in_demo=console.desk.in_demo
    )
    return Shown(
        "portal_as.html",
        {
            "name": found.person.name,
            "applications": [(one.name, one.is_live) for one in found.applications],
            "of_others": found.of_others,
            "let_in": [one.name for one in found.let_in],
            "place": ask.place,
            "id": id_,
        },
    )


def explain(console: Console, ask: Ask) -> Shown:
    """Why an application does not see a person: the question, and the chain that answers it."""
    asked = {name: ask.asked(name) for name in ("person", "application", "field")}
    content: dict[str, Any] = {
        "asked": asked,
        "applications": sorted(connections.views_of(console.database, ask.district)),
        "place": ask.place,
        "found": None,
        "links": (),
    }
    if asked["person"] and asked["application"]:
        found = explaining.explain(
            console.database,
            console.desk.settings,
            ask.district.id,
            asked["person"],
            asked["application"],
            asked["field"] or None,
        )
        content |= {"found": found.as_json(), "links": found.links, "stop": found.stop}
    return Shown("explain.html", content, leave_out=("links", "stop", "place", "applications"))


def search(console: Console, ask: Ask) -> Shown:
    """Hits in all districts that the person sees."""
    text, actor = ask.asked("q"), ask.actor
    seen = [one for one in districts.list_all(console.database) if actor.may("see people", one.number)]
    found = []
    for owner in seen[:DISTRICTS_MAX] if text else ():
        place = f"/console/d/{districts.slug(owner)}"
        found += [
            {**hit.as_json(), "district": owner.name, "address": _address(place, hit)}
            for hit in searching.find(console.database, owner.id, text, HITS_OF_EACH)
            if actor.may(NEEDS.get(hit.kind, "see people"), owner.number)
        ]
    return Shown("found.html", {"text": text, "hits": found})


def _address(place: str, hit: searching.Hit) -> str:
    """The page of a hit."""
    paths = {
        "person": f"/people/{hit.id}",
        "school": f"/schools/{hit.id}",
        "section": f"/sections/{hit.id}",
        "run": f"/runs/{hit.id}",
    }
    return place + paths.get(hit.kind, "")


PAGES = (
    Page("people", "/console/d/{slug}/people", "see people", people, title="People", group="District"),
    Page("person", "/console/d/{slug}/people/{id}", "see people", person, help_person),
    Page("portal", "/console/d/{slug}/people/{id}/portal", "help people", send=portal),
    Page(
        "explain",
        "/console/d/{slug}/explain",
        "see people",
        explain,
        title="Explain",
        group="Sharing",
        is_costly=True,
    ),
    Page("search", "/console/search", "see people", search),
)
