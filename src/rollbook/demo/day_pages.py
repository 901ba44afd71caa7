"""`/demo`, which only a demo has: its district moves on, breaks and is restored, on a page for people and as
JSON.

Each act is a row of `ACTS`: a POST with JSON and the published token, or a button of the page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever.query import LAST, Query
from rollbook.demo import saves
from rollbook.demo.faults import KINDS, PATHS, Fault, Faults
from rollbook.demo.login_for import code_for
from rollbook.demo.requests_read import (
    answered,
    as_asked,
    check_names,
    check_token,
    failed,
    is_form,
    read_form,
    read_json,
    status_of,
    text_of,
)
from rollbook.demo.saves import Save
from rollbook.domain.access import Access
from rollbook.errors import BadSetting, Busy, MachineTrouble, Refused, RollbookError, Unknown
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import Move, State
from rollbook.store.district.districts import District, timestamp
from rollbook.store.records import event_feed
from rollbook.store.records.reading import Reading
from rollbook.synthetic.days import DAY_MAX, FIRST_DAY
from rollbook.synthetic.stories import CALENDAR, HAPPENINGS
from rollbook.synthetic.stories import story as story_of
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.visits import Desk

SHOWN_RUNS, SHOWN_EVENTS = 10, 20
# How many events the page searches for the person of the last story.
EVENTS_READ = 1000
HELD = ("approve", "discard")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a demo stands: its state, district, last runs, newest events, faults in force, and saves."""

    state: State
    district: District
    runs: list[Move]
    events: list[dict[str, Any]]
    faults: list[Fault]
    saves: list[Save]

    @property
    def held(self) -> Move | None:
        """The run that waits for an approval."""
        return next((run for run in self.runs if run.state == "held"), None)

    def as_json(self) -> dict[str, object]:
        state, held = self.state, self.held
        return {
            "district": {"id": self.district.id, "name": self.district.name},
            "day": state.day,
            "date": state.date,
            "moment": timestamp(state.moment),
            "seed": state.seed,
            "students": state.students,
            "in_force": list(state.in_force),
            "unfinished": state.unfinished or None,
            "held": held.sync if held else None,
            "to": _listed(CALENDAR),
            "scenarios": _listed(HAPPENINGS),
            "runs": [run.as_json() for run in self.runs],
            "faults": [fault.as_json() for fault in self.faults],
            "saves": [save.as_json() for save in self.saves],
        }


class Storyboard:
    """The pages of one demo; `token` is the published one."""

    def __init__(self, desk: Desk, token: str, faults: Faults) -> None:
        self._database = desk.database
        self._settings = desk.settings
        self._folder = Path(desk.settings.database).parent
        self._desk = desk
        self._token = token
        self._faults = faults
        self._is_moving = False

    def routes(self) -> list[Route]:
        return [
            Route("/demo", self._show, methods=["GET"]),
            Route("/demo/faults", self._told(self.faults), methods=["GET"]),
            Route("/demo/faults", self._told(self.clear_faults), methods=["DELETE"]),
            Route("/demo/faults/{id}", self._told(self.remove_fault), methods=["DELETE"]),
            Route("/demo/saves", self._told(self.saves), methods=["GET"]),
            Route("/demo/saves/{name}", self._told(self.delete_save), methods=["DELETE"]),
            *(Route(f"/demo/{act.path}", self._acting(act), methods=["POST"]) for act in ACTS),
        ]

    # Answers ---------------------------------------------------------------------------------------

    async def _show(self, request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return await self._page(request)
        return await self._answer(request, lambda _: self._scene().as_json(), {})

    def _told(self, work: Work) -> Callable[[Request], Any]:
        """A request without a body; the parts of the path are its parameters."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, work, request.path_params)

        return endpoint

    async def _answer(self, request: Request, work: Work, asked: Mapping[str, Any]) -> Response:
        try:
            check_token(request, self._token)
            return answered(await to_thread.run_sync(work, asked))
        except RollbookError as error:
            return failed(error, request)

    def _acting(self, act: Act) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            if is_form(request):
                return await self._act_by_form(request, act)
            try:
                check_token(request, self._token)
                asked = await read_json(request)
                return answered(await to_thread.run_sync(act.work, self, asked))
            except RollbookError as error:
                return failed(error, request)

        return endpoint

    async def _act_by_form(self, request: Request, act: Act) -> Response:
        """A button of the page: one of our forms leads back to the page, any other to an error."""
        form = await read_form(request)
        if not self._desk.jar.is_ours(request.cookies.get(self._desk.jar.form, ""), form.pop("form", "")):
            return await self._page(request, "This form has expired: press the button again.", 403)
        try:
            await to_thread.run_sync(act.work, self, as_asked(form))
        except RollbookError as error:
            return await self._page(request, str(error), status_of(error))
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(f"/demo#{act.anchor}", 303, headers)

    # Acts ------------------------------------------------------------------------------------------

    def advance(self, asked: Mapping[str, Any]) -> dict[str, object]:
        """Move on, one move at a time. Errors: Busy, and those of the move."""
        target = _target(asked)
        if self._is_moving:
            raise Busy("the demo is being moved already; wait until that is done")
        self._is_moving = True
        try:
            # Loaded only here: a server that never moves does not spend memory on the engine.
            moved = import_module("rollbook.demo.advance").advance(self._folder, target, self._settings)
        except Unknown as error:
            raise Refused(str(error)) from None
        except RollbookError:
            raise
        except Exception:
            _log.exception("the demo could not be moved")
            raise MachineTrouble("the demo could not be moved; the server's output says why") from None
        finally:
            self._is_moving = False
        return {"runs": [each.as_json() for each in moved]}

    def ask_fault(self, asked: Mapping[str, Any]) -> dict[str, object]:
        fault = self._faults.ask(asked)
        return {**asked, **({"id": fault.id} if fault.id else {})}

    def faults(self, _: Mapping[str, Any] = {}) -> dict[str, object]:
        return {"faults": [fault.as_json() for fault in self._faults.in_force()]}

    def remove_fault(self, asked: Mapping[str, Any]) -> dict[str, object]:
        self._faults.remove(text_of(asked, "id"))
        return self.faults()

    def clear_faults(self, _: Mapping[str, Any]) -> dict[str, object]:
        self._faults.clear()
        return self.faults()

    def saves(self, _: Mapping[str, Any] = {}) -> dict[str, object]:
        return {"saves": [save.as_json() for save in saves.listed(self._folder)]}

    def save(self, asked: Mapping[str, Any]) -> dict[str, object]:
        check_names(asked, "name")
        return saves.save(self._folder, text_of(asked, "name"), self._settings).as_json()

    def restore(self, asked: Mapping[str, Any]) -> dict[str, object]:
        check_names(asked, "name")
        return saves.restore(self._folder, text_of(asked, "name"), self._settings).as_json()

    def delete_save(self, asked: Mapping[str, Any]) -> dict[str, object]:
        saves.delete(self._folder, text_of(asked, "name"))
        return self.saves()

    def code(self, asked: Mapping[str, Any]) -> dict[str, object]:
        return code_for(self._desk, asked)

    # The page --------------------------------------------------------------------------------------

    async def _page(self, request: Request, message: str = "", status: int = 200) -> Response:
        try:
            scene = await to_thread.run_sync(self._scene)
        except RollbookError as error:
            return HTMLResponse(self._rendered("", None, str(error)), status_of(error), self._headers())
        cookie = None if request.cookies.get(self._desk.jar.form) else self._desk.jar.new_form()
        kept = cookie.value if cookie else request.cookies[self._desk.jar.form]
        response = HTMLResponse(
            self._rendered(self._desk.jar.form_token(kept), scene, message), status, self._headers()
        )
        if cookie:
            response.headers.append("set-cookie", cookie.header())
        return response

    def _rendered(self, form: str, scene: Scene | None, message: str) -> str:
        return self._desk.templates.get_template("demo/days.html").render(
            form=form,
            scene=scene,
            message=message,
            is_moving=self._is_moving,
            happenings=HAPPENINGS,
            fault_kinds=KINDS,
            fault_paths=PATHS,
            first_day=FIRST_DAY,
            long_date=_long_date,
            moment=_moment,
            titles=_title,
            total=_total,
        )

    def _headers(self) -> dict[str, str]:
        return {**safety("'self'"), "Cache-Control": "no-store"}

    def access(self) -> Access | None:
        """What the published token opens; None in a demo that has it no more."""
        with self._database.read() as transaction:
            return connections.resolve(transaction, self._token, in_demo=True)

    def _scene(self) -> Scene:
        tokens = Tokens(in_demo=True)
        with self._database.read() as transaction:
            access = tokens.resolve(transaction, f"Bearer {self._token}")
            state = demo_state.state(transaction, access.district)
            newest = Query(limit=EVENTS_READ, before=LAST)
            last = event_feed.page(Reading(transaction, access), newest, floor="")
            runs = demo_state.moves(transaction, access, SHOWN_RUNS)
        feed = [element["data"] for element in orjson.loads(b"[%b]" % last.elements)]
        return Scene(
            state,
            districts.find(self._database, access.district_id),
            runs,
            [_event(one) for one in _told_first([*reversed(feed)], runs)],
            self._faults.in_force(),
            saves.listed(self._folder),
        )


Work = Callable[[Mapping[str, Any]], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Act:
    """An act on a demo: the path under `/demo/`, the method that does it, and where the page shows its
    result."""

    path: str
    work: Callable[[Storyboard, Mapping[str, Any]], Mapping[str, object]]
    anchor: str


ACTS = (
    Act("advance", Storyboard.advance, "happened"),
    Act("faults", Storyboard.ask_fault, "faults"),
    Act("faults/remove", Storyboard.remove_fault, "faults"),
    Act("faults/clear", Storyboard.clear_faults, "faults"),
    Act("save", Storyboard.save, "saves"),
    Act("restore", Storyboard.restore, "happened"),
    Act("saves/remove", Storyboard.delete_save, "saves"),
    Act("code", Storyboard.code, "happened"),
)


# The possible targets, by key, with the command's names.
TARGETS: dict[str, Callable[[Any], bool]] = {
    "days": lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= DAY_MAX,
    "to": lambda value: value in CALENDAR,
    "scenario": lambda value: value in HAPPENINGS,
    "held": lambda value: value in HELD,
}
EXPECTED = {
    "days": f"a whole number from 1 to {DAY_MAX}",
    "to": f"one of {', '.join(CALENDAR)}",
    "scenario": f"one of {', '.join(HAPPENINGS)}",
    "held": f"one of {', '.join(HELD)}",
}


def _target(asked: Mapping[str, Any]) -> str:
    """The target for the command. Errors: BadSetting says what was expected."""
    if len(asked) != 1 or not {*asked} <= {*TARGETS}:
        raise BadSetting(f"expected one of {', '.join(TARGETS)}")
    ((name, value),) = asked.items()
    if isinstance(value, list | dict) or not TARGETS[name](value):
        raise BadSetting(f"{name}: expected {EXPECTED[name]}")
    return str(value)


# Shapes --------------------------------------------------------------------------------------------


def _listed(stories: Any) -> list[dict[str, str]]:
    return [
        {"name": name, "title": told.title, "description": told.description} for name, told in stories.items()
    ]


def _title(name: str) -> str:
    """The title of a finished story; the first run of a demo has none."""
    return story_of(name).title if name else "The demo begins"


def _total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def _long_date(day: str) -> str:
    return f"{date.fromisoformat(day):%A, %-d %B %Y}"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%-d %B %Y, %H:%M} UTC"


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """One event as the page shows it: the type, its record, and the names of changed fields."""
    record = data["data"]["object"]
    name = record.get("name") or record.get("title") or ""
    if isinstance(name, dict):
        name = " ".join(part for part in (name.get("first"), name.get("last")) if part)
    changed = data["data"].get("previous_attributes", {})
    return {
        "type": data["type"],
        "created": data["created"],
        "id": record["id"],
        "name": name,
        "changed": _changed(changed),
    }


def _told_first(feed: list[dict[str, Any]], runs: list[Move]) -> list[dict[str, Any]]:
    """The newest events that fit on the page; those about the last story's person come first."""
    after = runs[0].after if runs else None
    person = after.person if after else None
    about = [one for one in feed if person and one["data"]["object"]["id"] == person.id]
    others = [one for one in feed[: SHOWN_EVENTS + len(about)] if one not in about]
    return [*about, *others][:SHOWN_EVENTS]


def _changed(previous: dict[str, Any]) -> list[str]:
    """Paths of the changed attributes, such as `roles.student.schools`."""
    found = []
    for name, old in previous.items():
        inner = (
            [f".{role}.{leaf}" for role, leaves in old.items() for leaf in leaves or ("",)]
            if name == "roles"
            else [""]
        )
        found += [f"{name}{path}".rstrip(".") for path in inner]
    return found
