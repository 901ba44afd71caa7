"""What only a demo has: `/demo`, where its district moves on, as a page for people and as JSON for programs.

The move itself is a process of its own, the same command that a terminal has: the engine's memory is given
back when it ends, and a server that stops meanwhile leaves either the old day or the new one.
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qsl

import anyio
import orjson
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rollbook import settings as setting_rows
from rollbook.auth.tokens import Tokens, bearer
from rollbook.contract.clever.query import LAST, Query
from rollbook.demo.faults import Faults
from rollbook.errors import (
    BadSetting,
    Busy,
    Conflict,
    MachineTrouble,
    Refused,
    RollbookError,
    Unauthorized,
    Unknown,
)
from rollbook.settings import PREFIX
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import Move, State
from rollbook.store.district.districts import District, timestamp
from rollbook.store.records import event_feed
from rollbook.store.records.reading import Reading
from rollbook.synthetic.days import DAY_MAX, FIRST_DAY
from rollbook.synthetic.stories import CALENDAR, HAPPENINGS
from rollbook.synthetic.stories import story as story_of
from rollbook.web.http.answers import as_response, failure
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.visits import Desk

BODY_BYTES_MAX = 4096
SHOWN_RUNS, SHOWN_EVENTS = 10, 20
# How far back the page looks for events of the person whom the last story is about.
EVENTS_READ = 1000
HELD = ("approve", "discard")
# What the command may be stopped by.
ERRORS = {error.__name__: error for error in (BadSetting, Unknown, Conflict, Busy, Refused, MachineTrouble)}
_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a demo stands: its state, its district, its last runs, and the end of its feed."""

    state: State
    district: District
    runs: list[Move]
    events: list[dict[str, Any]]

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
        }


class Storyboard:
    """The pages of one demo; `token` is the published one."""

    def __init__(self, desk: Desk, token: str, faults: Faults) -> None:
        self._database = desk.database
        self._settings = desk.settings
        self._desk = desk
        self._token = token
        self._faults = faults
        self._is_moving = False

    def routes(self) -> list[Route]:
        return [
            Route("/demo", self._show, methods=["GET"]),
            Route("/demo/advance", self._advance, methods=["POST"]),
            Route("/demo/faults", self._ask_faults, methods=["POST"]),
        ]

    # Answers ---------------------------------------------------------------------------------------

    async def _show(self, request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return await self._page(request)
        try:
            self._check_token(request)
            return _json((await to_thread.run_sync(self._scene)).as_json())
        except RollbookError as error:
            return _failed(error, request)

    async def _advance(self, request: Request) -> Response:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return await self._advance_by_form(request)
        try:
            self._check_token(request)
            target = _target(await _read_json(request))
            return _json(await self._move(target))
        except RollbookError as error:
            return _failed(error, request)

    async def _advance_by_form(self, request: Request) -> Response:
        """A button of the page: a form that is ours leads back to the page, anything else to what went
        wrong."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
        if not self._desk.jar.is_ours(request.cookies.get(self._desk.jar.form, ""), form.pop("form", "")):
            return await self._page(request, "This form has expired: press the button again.", 403)
        try:
            await self._move(
                _target({name: int(text) if text.isdigit() else text for name, text in form.items()})
            )
        except RollbookError as error:
            return await self._page(request, str(error), _status(error))
        return RedirectResponse(
            "/demo#happened", 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        )

    async def _ask_faults(self, request: Request) -> Response:
        try:
            self._check_token(request)
            asked = await _read_json(request)
            self._faults.ask(asked)
        except RollbookError as error:
            return _failed(error, request)
        return _json(asked)

    def _check_token(self, request: Request) -> None:
        """Errors: Unauthorized without the published token; no other one opens these paths."""
        given = bearer(request.headers.get("authorization", ""))
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Unauthorized("Unrecognized token string")

    # The page --------------------------------------------------------------------------------------

    async def _page(self, request: Request, message: str = "", status: int = 200) -> Response:
        try:
            scene = await to_thread.run_sync(self._scene)
        except RollbookError as error:
            return HTMLResponse(self._rendered("", None, str(error)), _status(error), self._headers())
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
            first_day=FIRST_DAY,
            long_date=_long_date,
            moment=_moment,
            titles=_title,
            total=_total,
        )

    def _headers(self) -> dict[str, str]:
        return {**safety("'self'"), "Cache-Control": "no-store"}

    def _scene(self) -> Scene:
        tokens = Tokens(in_demo=True)
        with self._database.read() as connection:
            access = tokens.resolve(connection, f"Bearer {self._token}")
            state = demo_state.state(connection, access.district)
            newest = Query(limit=EVENTS_READ, before=LAST)
            last = event_feed.page(Reading(connection, access), newest, floor="")
            runs = demo_state.moves(connection, access, SHOWN_RUNS)
        feed = [element["data"] for element in orjson.loads(b"[%b]" % last.elements)]
        return Scene(
            state,
            districts.find(self._database, access.district_id),
            runs,
            [_event(one) for one in _told_first([*reversed(feed)], runs)],
        )

    # The move --------------------------------------------------------------------------------------

    async def _move(self, target: str) -> dict[str, Any]:
        """Move on in a process of its own, one at a time. Errors: Busy, and what the command is stopped
        by."""
        if self._is_moving:
            raise Busy("the demo is being moved already; wait until that is done")
        self._is_moving = True
        try:
            done = await anyio.run_process(
                self._command(target), check=False, stdout=PIPE, stderr=PIPE, env=self._environment()
            )
        finally:
            self._is_moving = False
        try:
            told: dict[str, Any] = orjson.loads(done.stdout)
        except orjson.JSONDecodeError:
            told = {}
        if done.returncode or "runs" not in told:
            sys.stderr.write(done.stderr.decode("utf-8", "replace"))
            stopped = ERRORS.get(told.get("kind", ""), MachineTrouble)
            raise stopped(told.get("message", "the demo could not be moved; the server's output says why"))
        return told

    def _command(self, target: str) -> list[str]:
        folder = str(Path(self._settings.database).parent)
        return [sys.executable, "-m", "rollbook", "demo", "--folder", folder, "--advance", target, "--json"]

    def _environment(self) -> dict[str, str]:
        in_force = {
            PREFIX + name.upper(): str(getattr(self._settings, name)) for name in setting_rows.names()
        }
        return {**os.environ, **in_force}


# Requests ------------------------------------------------------------------------------------------


async def _read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Errors: BadSetting."""
    try:
        asked = orjson.loads(await _body(request))
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise BadSetting(f"expected a JSON object of at most {BODY_BYTES_MAX} bytes")
    return asked


async def _body(request: Request) -> bytes:
    """The body, empty when it is larger than anything we ask for."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return b""
    return body


# What may be asked for, by its key, as the command names it.
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


def _target(asked: dict[str, Any]) -> str:
    """What the command is told. Errors: BadSetting says what was expected."""
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
    """The title of a story that was told; the first run of a demo has none."""
    return story_of(name).title if name else "The demo begins"


def _total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def _long_date(day: str) -> str:
    return f"{date.fromisoformat(day):%A, %-d %B %Y}"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%-d %B %Y, %H:%M} UTC"


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """One event as the page shows it: the type, whom or what it is about, and the names of what changed."""
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
    """The newest events, as many as the page shows; those of the person whom the last story is about come first."""
    after = runs[0].after if runs else None
    person = after.person if after else None
    about = [one for one in feed if person and one["data"]["object"]["id"] == person.id]
    others = [one for one in feed[: SHOWN_EVENTS + len(about)] if one not in about]
    return [*about, *others][:SHOWN_EVENTS]


def _changed(previous: dict[str, Any]) -> list[str]:
    """Paths of the attributes that changed, as `roles.student.schools`."""
    found = []
    for name, old in previous.items():
        inner = (
            [f".{role}.{leaf}" for role, leaves in old.items() for leaf in leaves or ("",)]
            if name == "roles"
            else [""]
        )
        found += [f"{name}{path}".rstrip(".") for path in inner]
    return found


def _json(body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type=_JSON, headers={"Cache-Control": "no-store"})


def _failed(error: RollbookError, request: Request) -> Response:
    if isinstance(error, Unauthorized):
        return as_response(failure(error, request.method, request.url.path, "html"))
    body = orjson.dumps({"message": str(error), "error": str(error)})
    return Response(body, _status(error), {"Cache-Control": "no-store"}, media_type=_JSON)


def _status(error: RollbookError) -> int:
    """400 for what was asked wrongly, 409 for what cannot be done as things stand, 500 for what is our own
    trouble."""
    if isinstance(error, BadSetting):
        return 400
    return 409 if isinstance(error, Refused | Unauthorized) else 500
