"""Which applications read a district, and one connection: its share with a preview, fields, token, history."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import HTMLResponse, Response

from rollbook.contract.clever import versions, view_spec
from rollbook.domain import shares as share_rules
from rollbook.domain.shares import Share
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.operations import acting, connecting, people_browsing, share_edits, share_previews
from rollbook.operations.share_edits import ShareEdit
from rollbook.settings import base_url
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application
from rollbook.store.district import views
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.records import people_lookup, roster_overview
from rollbook.web.console import rule_forms
from rollbook.web.console.console_frame import Ask, Console, Page, Shown
from rollbook.web.console.rule_forms import RuleFields
from rollbook.web.http.safety_headers import safety

HEADS = ("application", "client id", "share", "people", "frozen")
# The kinds of share that the form offers.
KINDS = ("everything", "schools", "rules", "text", "nothing")


def connected(console: Console, ask: Ask) -> Shown:
    """The applications that read the district, and those that could."""
    database, owner = console.database, ask.district
    seen = views.by_application(database, owner.number)
    every = {one.name: one for one, _ in applications.list_all(database)}
    found = [
        {
            "name": name,
            "client_id": every[name].client_id,
            "share": in_words(view.spec),
            "people": roster_overview.count_people(database, view.number),
            "frozen": list(view.frozen),
        }
        for name, view in seen.items()
    ]
    return Shown(
        "connected.html",
        {
            "applications": found,
            "possible": sorted(name for name in every if name not in seen),
            "may_change": ask.actor.may("change sharing", owner.number),
            "place": f"{ask.place}/applications",
        },
        rows=[
            HEADS,
            *(
                (*(one[name] for name in ("name", "client_id", "share", "people")), bool(one["frozen"]))
                for one in found
            ),
        ],
        leave_out=("may_change", "place"),
    )


def choose(console: Console, ask: Ask) -> Response:
    """Lead to the page of an application, where it is connected."""
    chosen = applications.find(console.database, ask.asked("application"))
    return console.redirect(f"{ask.place}/applications/{chosen.client_id}")


def connection(console: Console, ask: Ask) -> Shown:
    """One application in the district."""
    return _connection(console, ask, {})


def change(console: Console, ask: Ask) -> Shown | Response:
    """Do what the pressed button says; a preview changes nothing."""
    database, settings, act = console.database, console.desk.settings, ask.asked("act")
    reader = _reader(console, ask)
    pair, here = (reader.client_id, ask.district.id), ask.visit.path
    if act.partition(".")[0] in rule_forms.BUTTONS:
        return _connection(console, ask, {"is_edited": True})
    if act in ("preview", "share", "connect"):
        try:
            edit = replace(_edit(ask), seen_as=ask.asked("seen"))
            found = share_previews.preview(database, settings, *pair, edit)
        except (BadSetting, Unknown, Refused) as error:
            # The form stays as the person filled it in.
            return replace(_connection(console, ask, {"wrong": str(error)}), status=400)
        if act == "preview":
            return _connection(console, ask, {"preview": found})
        if found.needs_yes and not ask.asked("yes"):
            return _connection(console, ask, {"preview": found, "asks_yes": True})
        if act == "connect":
            made = acting.do(ask.actor, connecting.connect_new, database, settings, *pair, edit)
            return _connection(console, ask, {"token": made.token})
        done = acting.do(ask.actor, share_edits.share, database, settings, *pair, edit)
        word = "was frozen, so nothing was applied" if done.is_held else "is in force"
        return console.said(ask, f"The share of {reader.name} {word}.", here)
    if act == "token":
        made = acting.do(ask.actor, connecting.connect, database, settings, *pair, renews_token=True)
        return _connection(console, ask, {"token": made.token})
    if act == "thaw":
        acting.do(ask.actor, share_edits.thaw, database, settings, *pair)
        return console.said(ask, f"{reader.name} sees the present state again.", here)
    if act == "revert":
        line = ask.number("line", least=1)
        acting.do(ask.actor, share_edits.revert, database, settings, *pair, line, ShareEdit())
        return console.said(ask, f"Line {line} of the history is in force again.", here)
    if act == "disconnect":
        if ask.asked("name") != ask.district.name:
            raise BadSetting(f"To disconnect {reader.name}, type the district's name: {ask.district.name}")
        acting.do(ask.actor, connecting.disconnect, database, *pair)
        return console.said(ask, f"{reader.name} reads nothing of it any more.", f"{ask.place}/applications")
    raise BadSetting("This button is unknown. Reload the page.")


def live(console: Console, ask: Ask) -> Response:
    """What the application would see with the share of the form: a part of a page, for the live preview."""
    told: dict[str, object] = {}
    try:
        pair = (_reader(console, ask).client_id, ask.district.id)
        told["preview"] = share_previews.preview(console.database, console.desk.settings, *pair, _edit(ask))
    except (BadSetting, Unknown, Refused) as error:
        told["wrong"] = str(error)
    part = console.desk.templates.get_template("console/share_preview.html").render(told)
    return HTMLResponse(part, headers=safety())


def _reader(console: Console, ask: Ask) -> Application:
    return applications.find(console.database, ask.visit.parts["client"])


def _edit(ask: Ask) -> ShareEdit:
    """The share that the form describes. Errors: BadSetting."""
    given = ask.visit.form
    kind = given.get("kind", "nothing")
    schools = sorted(name.removeprefix("school.") for name in given if name.startswith("school."))
    shared = {
        "schools": orjson.dumps({"schools": schools}).decode(),
        "text": given.get("rules", "").strip() or '{"rules": []}',
    }.get(kind, kind)
    if kind == "rules":
        shared = orjson.dumps(rule_forms.as_json(rule_forms.check(rule_forms.read(given)))).decode()
    if kind == "schools" and not schools:
        raise BadSetting("Choose one school at least, or share nothing.")
    fields = {
        option: tuple(
            sorted(name.removeprefix(f"{option}.") for name in given if name.startswith(f"{option}."))
        )
        for option in ("withhold", "sensitive")
    }
    return ShareEdit(shared, fields["withhold"], fields["sensitive"], "keep_ids" in given, "freezes" in given)


def _connection(console: Console, ask: Ask, more: Mapping[str, Any]) -> Shown:
    database, owner = console.database, ask.district
    reader = _reader(console, ask)
    seen = views.by_application(database, owner.number)
    view = seen.get(reader.name)
    spec = view.spec if view else reader.asks
    # The form may begin with the share of another application of the district; nothing is shared until it is sent.
    like = seen.get(ask.asked("like"), view)
    asks_again = bool(ask.visit.form) and "token" not in more
    given = (
        dict(ask.visit.form)
        if asks_again
        else _as_form(
            like.spec if like else spec, _school_ids(console, owner), freezes=bool(like and like.freezes)
        )
    )
    rules = _rules(ask, given, (like.spec if like else spec).share, asks_again=asks_again)
    content = {
        "application": {
            "name": reader.name,
            "client_id": reader.client_id,
            "scopes": list(reader.scopes),
            "why": dict(reader.why),
        },
        "is_connected": view is not None,
        "frozen": list(view.frozen) if view else [],
        "share": in_words(spec),
        "people": roster_overview.count_people(database, view.number) if view else 0,
        "history": [
            {"line": line, "created": one.created, "is_held": one.is_held, **one.told}
            for line, one in enumerate(connections.past_shares(database, reader, owner), 1)
        ]
        if view
        else [],
        "api": f"{base_url(console.desk.settings)}/{versions.DEFAULT}",
        "district": {"name": owner.name, "id": owner.id},
        "seen": ask.asked("seen") if asks_again else views.share_mark(view),
        "form_of_share": given,
        "rules": rules,
        "rule_kinds": rule_forms.TITLES,
        "operators": share_rules.OPERATORS,
        "own": rule_forms.OWN,
        "others": [name for name in seen if name != reader.name],
        "like": ask.asked("like") if like is not view else "",
        "fields": _fields(reader),
        "schools": people_browsing.schools(database, owner.id),
        "kinds": KINDS,
        "place": ask.place,
        "may_change": ask.actor.may("change sharing", owner.number),
        "preview": None,
        "wrong": "",
        "token": "",
        **more,
    }
    ours = ("form_of_share", "fields", "schools", "kinds", "place", "may_change", "token", "api", "seen")
    hidden = (*ours, "others", "like", "rules", "rule_kinds", "operators", "own", "wrong", "is_edited")
    return Shown("connection.html", content, leave_out=hidden)


def _rules(ask: Ask, given: dict[str, str], share: Share | None, *, asks_again: bool) -> list[RuleFields]:
    """The rules of the editor. Editor and text say the same: what the chosen one of them says."""
    if not asks_again:
        return rule_forms.of(share) or []
    rules = rule_forms.read(given)
    if ask.asked("act").partition(".")[0] in rule_forms.BUTTONS:
        rules, given["kind"] = rule_forms.changed(rules, ask.asked("act"), ask.asked("new_kind")), "rules"
    if given.get("kind") == "text":
        with suppress(BadSetting):
            return rule_forms.of(share_edits.read_share(given.get("rules", ""))) or rules
    elif rules:
        given["rules"] = orjson.dumps(rule_forms.as_json(rules), option=orjson.OPT_INDENT_2).decode()
    return rules


def in_words(spec: Spec) -> str:
    """A share in a few words."""
    share = spec.share
    if share is None:
        return "everything"
    if share.schools:
        return f"{len(share.schools)} school{'' if len(share.schools) == 1 else 's'}"
    count = len(share.rules)
    return f"{count} rule{'' if count == 1 else 's'}" if count else "nothing"


def _school_ids(console: Console, owner: District) -> Mapping[str, str]:
    """The ids of the district's schools, by all that a share may call them."""
    with console.database.read() as transaction:
        return people_lookup.school_names(transaction, people_lookup.whole(transaction, owner.number))


def _as_form(spec: Spec, ids: Mapping[str, str], *, freezes: bool) -> dict[str, str]:
    """A share as the form's fields."""
    share = spec.share
    kind = (
        "everything"
        if share is None
        else "schools"
        if share.schools
        else "nothing"
        if not share.rules
        else "text"
        if rule_forms.of(share) is None
        else "rules"
    )
    told = (
        orjson.dumps(share_rules.as_json(share), option=orjson.OPT_INDENT_2).decode()
        if kind in ("rules", "text")
        else ""
    )
    switches = {"keep_ids": spec.keeps_ids, "freezes": freezes}
    return {
        "kind": kind,
        "rules": told,
        **{f"school.{ids.get(name, name)}": "on" for name in (share.schools if share else ())},
        **{f"withhold.{name}": "on" for name in spec.withheld},
        **{f"sensitive.{name}": "on" for name in spec.sensitive},
        **{name: "on" for name, is_on in switches.items() if is_on},
    }


def _fields(reader: Application) -> list[dict[str, object]]:
    """Each field that a district decides about: what the application asks, and what the district may choose."""
    asked = [name for need in ("required", "optional") for name in reader.fields.get(need, ())]
    return [
        {
            "name": name,
            "why": reader.why.get(name, ""),
            "need": "required" if name in reader.requires else "optional" if name in asked else "",
            "is_sensitive": name in view_spec.SENSITIVE_FIELDS,
            "may_withhold": name in view_spec.WITHHOLDABLE and name not in reader.requires,
            "has_scope": view_spec.SENSITIVE_FIELDS.get(name) in (None, *reader.scopes),
        }
        for name in view_spec.ASKABLE
    ]


PAGES = (
    Page(
        "applications",
        "/console/d/{slug}/applications",
        "see sharing",
        connected,
        choose,
        title="Applications",
        group="Sharing",
    ),
    Page(
        "connection",
        "/console/d/{slug}/applications/{client}",
        "see sharing",
        connection,
        change,
        is_costly=True,
    ),
    Page(
        "preview",
        "/console/d/{slug}/applications/{client}/preview",
        "change sharing",
        send=live,
        is_costly=True,
    ),
)
