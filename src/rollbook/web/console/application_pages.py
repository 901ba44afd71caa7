"""The applications of developers: register one, set what it asks for and why, renew its secret, and see its districts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from rollbook.contract.clever import view_spec
from rollbook.contract.clever.tiers import TIER
from rollbook.domain.access import SCOPES, SECURE_SYNC, SENSITIVE
from rollbook.domain.actors import DEVELOPER
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import acting, redirect_advice, registering, team
from rollbook.settings import base_url
from rollbook.store.accounts import applications
from rollbook.store.accounts.application_checks import REFUSED
from rollbook.store.accounts.applications import Application, Change, NewApplication
from rollbook.web.console.console_frame import DIGITS_MAX, Ask, Console, Page, Shown

HEADS = ("application", "client id", "tier", "live", "districts")
NEEDS = ("required", "optional", REFUSED)
OVERLAP_HOURS_MAX = 24 * 30
URIS_MAX = 50


def listed(console: Console, ask: Ask) -> Shown:
    """The applications that the person may see: a developer's own ones, or all."""
    is_developer = ask.actor.role == DEVELOPER
    own = registering.of_developer(console.database, ask.actor.number) if is_developer else set()
    seen = [
        (one, names)
        for one, names in applications.list_all(console.database)
        if not is_developer or one.client_id in own
    ]
    found = [
        {"name": one.name, "client_id": one.client_id, "tier": TIER[one.tier].title, "is_live": one.is_live}
        | {"districts": names}
        for one, names in seen
    ]
    return Shown(
        "applications.html",
        {
            "applications": found,
            "tiers": [(one.name, one.title) for one in TIER.values()],
            "is_developer": is_developer,
        },
        rows=[
            HEADS,
            *((one.name, one.client_id, one.tier, one.is_live, "; ".join(names)) for one, names in seen),
        ],
        leave_out=("tiers", "is_developer"),
    )


def register(console: Console, ask: Ask) -> Shown:
    """Register an application, and show its secret once."""
    wanted = NewApplication(
        ask.asked("name"),
        redirect_uris=_lines(ask.asked("redirect_uris")),
        tier=ask.asked("tier", "secure_sync"),
    )
    owner = ask.actor.name if ask.actor.role == DEVELOPER else None
    made, secret = acting.do(ask.actor, registering.register, console.database, wanted, owner=owner)
    return _page(console, ask, made, {"secret": secret, "is_new": True})


def one(console: Console, ask: Ask) -> Shown:
    """One application: all of its settings."""
    return _page(console, ask, _found(console, ask), {})


def change(console: Console, ask: Ask) -> Shown | Response:
    """Do what the pressed button says."""
    database, settings, act = console.database, console.desk.settings, ask.asked("act")
    reader = _found(console, ask)
    client, here = reader.client_id, f"/console/applications/{reader.client_id}"
    if act == "set":
        change_it = registering.change if ask.actor.may("widen applications") else registering.change_own
        acting.do(ask.actor, change_it, database, settings, client, **_given(ask))
        return console.said(ask, f"{reader.name} is changed.", here)
    if act == "secret":
        hours = _hours(ask.asked("hours"))
        _, secret = acting.do(
            ask.actor, registering.rotate_secret, database, client, overlap_seconds=hours * 3600
        )
        return _page(console, ask, reader, {"secret": secret, "hours": hours})
    if act in ("give", "take"):
        acting.do(
            ask.actor,
            registering.give if act == "give" else registering.take,
            database,
            client,
            ask.asked("owner"),
        )
        return console.said(ask, f"The owners of {reader.name} are changed.", here)
    if act == "remove":
        if ask.asked("name") != reader.name:
            raise BadSetting(f"To remove the application, type its name: {reader.name}")
        acting.do(ask.actor, registering.remove, database, client)
        return console.said(ask, f"{reader.name} is removed.", "/console/applications")
    raise BadSetting("This button is unknown. Reload the page.")


def check(console: Console, ask: Ask) -> Shown:
    """What the server says about the settings of a form. A script asks while a person types."""
    uris, is_live = _lines(ask.asked("redirect_uris")), ask.asked("is_live") == "on"
    name, client = ask.asked("name"), ask.asked("client")
    found = [hint for uri in uris for hint in redirect_advice.of(uri, is_live=is_live)]
    if client:
        reader = acting.check_application(ask.actor, console.database, client)
        given = _given(ask)
        given["redirect_uris"] = ()
        try:
            wanted = applications.changed(reader, **given)
            if not ask.actor.may("widen applications"):
                found += filter(None, [registering.unagreed(console.database, reader, wanted)])
        except BadSetting as error:
            found.append(str(error))
    elif name and _is_taken(console, name):
        found.append(f"name: an application named {name!r} exists already")
    return Shown("application_check.html", {"found": found})


def _is_taken(console: Console, name: str) -> bool:
    try:
        applications.find(console.database, name)
    except Unknown:
        return False
    return True


def _found(console: Console, ask: Ask) -> Application:
    return acting.check_application(ask.actor, console.database, ask.visit.parts["client"])


def _lines(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(re.split(r"\s+", text.strip()))) if text.strip() else ()
    if len(found) > URIS_MAX:
        raise BadSetting(f"redirect uris: expected at most {URIS_MAX} addresses, got {len(found)}")
    return found


def _hours(text: str) -> int:
    """How long the old secret still works. A typing error must not end it at once, so it counts as no number."""
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    if not is_number or int(text) > OVERLAP_HOURS_MAX:
        raise BadSetting(f"hours: expected a whole number from 0 to {OVERLAP_HOURS_MAX}, got {text[:40]!r}")
    return int(text)


def _given(ask: Ask) -> Change:
    """The settings that the form holds."""
    asked = {**dict(ask.visit.query), **ask.visit.form}
    fields = {
        need: [name for name in view_spec.ASKABLE if asked.get(f"need.{name}") == need] for need in NEEDS
    }
    why = {
        name.removeprefix("why."): " ".join(text.split())
        for name, text in asked.items()
        if name.startswith("why.") and text.strip()
    }
    return Change(
        redirect_uris=_lines(ask.asked("redirect_uris")),
        scopes=tuple(name.removeprefix("scope.") for name in asked if name.startswith("scope.")),
        user_types=tuple(name.removeprefix("role.") for name in asked if name.startswith("role.")),
        has_oidc="has_oidc" in asked,
        has_events="has_events" in asked,
        is_live="is_live" in asked,
        fields={need: names for need, names in fields.items() if names or need != REFUSED},
        why=why,
    )


def _page(console: Console, ask: Ask, reader: Application, more: Mapping[str, Any]) -> Shown:
    database, tier = console.database, TIER[reader.tier]
    names = next((names for one, names in applications.list_all(database) if one.number == reader.number), [])
    with database.read() as transaction:
        secrets = applications.secrets_of(transaction, reader)
    may_give = ask.actor.may("give applications")
    offered = (*SECURE_SYNC, *SENSITIVE) if reader.tier == "secure_sync" else SCOPES
    need_of = {name: need for need in NEEDS for name in reader.fields.get(need, ())}
    content = {
        "name": reader.name,
        "client_id": reader.client_id,
        "tier": tier.title,
        "is_live": reader.is_live,
        "has_oidc": reader.has_oidc,
        "has_events": reader.has_events,
        "redirect_uris": list(reader.redirect_uris),
        "hints": [
            hint for uri in reader.redirect_uris for hint in redirect_advice.of(uri, is_live=reader.is_live)
        ],
        "scopes": [
            {"name": name, "is_asked": name in reader.scopes, "why": reader.why.get(name, "")}
            for name in offered
        ],
        "fields": [
            {"name": name, "need": need_of.get(name, ""), "why": reader.why.get(name, "")}
            for name in view_spec.ASKABLE
        ],
        "user_types": list(reader.user_types),
        "roles": tier.user_types,
        "needs": NEEDS,
        "districts": names,
        "secrets": [{"created": created, "ends": ends} for created, ends in secrets],
        "owners": registering.owners(database, reader.client_id),
        "developers": [each.name for each in team.members(database) if each.role == DEVELOPER]
        if may_give
        else [],
        "may_give": may_give,
        "secret": "",
        "base": base_url(console.desk.settings),
        **more,
    }
    hidden = ("roles", "needs", "developers", "may_give", "secret", "base")
    return Shown("application.html", content, leave_out=hidden)


PAGES = (
    Page(
        "developers-applications",
        "/console/applications",
        "see applications",
        listed,
        register,
        title="Applications",
        group="Developers",
    ),
    Page("application-check", "/console/application-check", "see applications", check),
    Page("application", "/console/applications/{client}", "see applications", one, change, is_costly=True),
)
