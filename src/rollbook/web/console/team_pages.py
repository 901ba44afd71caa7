"""The people of the console: of the whole server, or of one district."""

from __future__ import annotations

from starlette.responses import Response

from rollbook.domain.actors import DISTRICT, HELP_DESK, ROLES
from rollbook.operations import acting, team
from rollbook.store.district import districts
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

HEADS = ("name", "role", "district", "is ready")


def team_page(console: Console, ask: Ask) -> Shown:
    """Who may enter the console, and the form to invite one more."""
    return _team(console, ask, "", "")


def _team(console: Console, ask: Ask, link: str, of: str) -> Shown:
    own = ask.found.id if ask.found else None
    found = team.members(console.database, own)
    roles = (DISTRICT, HELP_DESK) if own else ROLES
    return Shown(
        "team.html",
        {
            "members": found,
            "roles": roles,
            "place": f"{ask.place}/team" if own else "/console/team",
            "district": ask.district.name if own else "",
            "districts": [] if own else [each.name for each in districts.list_all(console.database)],
            "link": link,
            "link_of": of,
        },
        rows=[HEADS, *((each.name, each.role, each.district, each.is_ready) for each in found)],
        leave_out=("roles", "districts", "link", "link_of"),
    )


def change_team(console: Console, ask: Ask) -> Shown | Response:
    """Invite, reset or remove a person, by the button that was pressed."""
    database, settings = console.database, console.desk.settings
    own = ask.found.id if ask.found else None
    act, name = ask.asked("act"), ask.asked("name")
    if act == "remove":
        acting.do(ask.actor, team.remove, database, name, own)
        return console.said(ask, f"{name} is no longer in the console.", ask.visit.path)
    if act == "reset":
        return _team(console, ask, acting.do(ask.actor, team.reset, database, settings, name, own), name)
    of = own or ask.asked("district") or None
    link = acting.do(ask.actor, team.invite, database, settings, name, ask.asked("role"), of)
    return _team(console, ask, link, name)


PAGES = (
    Page("team", "/console/team", "see the server", team_page, change_team, title="Team", group="Settings"),
    Page(
        "district-team",
        "/console/d/{slug}/team",
        "see the team",
        team_page,
        change_team,
        title="Team of the district",
        group="Settings",
    ),
)
