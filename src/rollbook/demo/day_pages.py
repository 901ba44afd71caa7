"""`/demo`, which only a demo has: where it stands, on a page for people and as JSON.

Each button of the page is a row of `BUTTONS`; `rollbook.demo.control` does its act, and answers programs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rollbook.auth.tokens import Tokens
from rollbook.contract.clever.query import LAST, Query
from rollbook.demo import demo_folder, saves
from rollbook.demo.control import Control, Work
from rollbook.demo.faults import KINDS, PATHS, Fault
from rollbook.demo.json_requests import status_of
from rollbook.demo.login_for import code_for
from rollbook.demo.requests_read import answered, as_asked, check_token, failed, read_form, read_json
from rollbook.demo.saves import Save
from rollbook.domain.access import Access
from rollbook.errors import RollbookError
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import Move, State
from rollbook.store.district.districts import District, timestamp
from rollbook.store.records import event_feed
from rollbook.store.records.reading import Reading
from rollbook.synthetic.days import FIRST_DAY
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

    def __init__(self, desk: Desk, token: str, control: Control) -> None:
        self._database = desk.database
        self._folder = demo_folder.of(desk.settings)
        self._desk = desk
        self._token = token
        self._control = control

    def routes(self) -> list[Route]:
        return [
            Route("/demo", self._show, methods=["GET"]),
            Route("/demo/code", self._code, methods=["POST"]),
            *(Route(button.path, self._pressed(button), methods=["POST"]) for button in BUTTONS),
        ]

    # Answers ---------------------------------------------------------------------------------------

    async def _show(self, request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return await self._page(request)
        try:
            check_token(request, self._token)
            return answered((await to_thread.run_sync(self._scene)).as_json())
        except RollbookError as error:
            return failed(error, request)

    async def _code(self, request: Request) -> Response:
        try:
            check_token(request, self._token)
            return answered(await to_thread.run_sync(code_for, self._desk, await read_json(request)))
        except RollbookError as error:
            return failed(error, request)

    def _pressed(self, button: Button) -> Callable[[Request], Any]:
        """A button of the page: one of our forms leads back to the page, any other to an error."""

        async def endpoint(request: Request) -> Response:
            form = await read_form(request)
            if not self._desk.jar.is_ours(request.cookies.get(self._desk.jar.form, ""), form.pop("form", "")):
                return await self._page(request, "This form has expired: press the button again.", 403)
            try:
                await to_thread.run_sync(button.work, self._control, as_asked(form))
            except RollbookError as error:
                return await self._page(request, str(error), status_of(error))
            headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
            return RedirectResponse(f"/demo#{button.anchor}", 303, headers)

        return endpoint

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
            is_moving=self._control.is_moving,
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
            self._control.faults_in_force(),
            saves.listed(self._folder),
        )


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the page: its request, the method that does it, and where the page shows its result."""

    path: str
    work: Work
    anchor: str


BUTTONS = (
    Button("/demo/advance", Control.advance, "happened"),
    Button("/demo/faults", Control.ask_fault, "faults"),
    Button("/demo/faults/remove", Control.remove_fault, "faults"),
    Button("/demo/faults/clear", Control.clear_faults, "faults"),
    Button("/demo/save", Control.save, "saves"),
    Button("/demo/restore", Control.restore, "happened"),
    Button("/demo/saves/remove", Control.delete_save, "saves"),
)


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
