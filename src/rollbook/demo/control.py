"""`/demo/...` for programs: a demo moves on, breaks, is saved and restored, by JSON with the published token.

These paths answer from the start, so that a test suite need not wait for the site. The buttons of the demo's page
(`rollbook.demo.day_pages`) do the same acts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rollbook.demo import demo_folder, saves
from rollbook.demo.faults import Fault, Faults
from rollbook.demo.json_requests import (
    FORM_TYPE,
    answered,
    check_names,
    check_token,
    failed,
    read_json,
    text_of,
)
from rollbook.errors import Busy, MachineTrouble, Refused, RollbookError, Unknown
from rollbook.settings import Settings
from rollbook.web.data.api import Receive, Scope, Send

_log = logging.getLogger(__name__)


class Control:
    """The acts of one demo; `token` is the published one."""

    def __init__(self, settings: Settings, token: str, faults: Faults) -> None:
        self._settings, self._token = settings, token
        self._folder = demo_folder.of(settings)
        self._faults = faults
        self.is_moving = False

    async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a program's request; returns whether it was answered. Forms and pages are the site's."""
        found = _found(scope)
        if found is None:
            return False
        act, asked = found
        try:
            check_token(_header(scope, b"authorization"), self._token)
            if act.takes_json:
                asked = await read_json(receive)
            # A thread of the loop's own: it needs no more modules, unlike those of `anyio`.
            answer = answered(await asyncio.to_thread(act.work, self, asked))
        except RollbookError as error:
            answer = failed(error, scope["method"], scope["path"])
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})
        return True

    # Acts ------------------------------------------------------------------------------------------

    def advance(self, asked: Mapping[str, Any]) -> dict[str, object]:
        """Move on, one move at a time. Errors: Busy, and those of the move."""
        # Loaded only here: a server that never moves does not spend memory on stories and the engine.
        target = import_module("rollbook.demo.move_targets").target(asked)
        if self.is_moving:
            raise Busy("the demo is being moved already; wait until that is done")
        self.is_moving = True
        try:
            moved = import_module("rollbook.demo.advance").advance(self._folder, target, self._settings)
        except Unknown as error:
            raise Refused(str(error)) from None
        except RollbookError:
            raise
        except Exception:
            _log.exception("the demo could not be moved")
            raise MachineTrouble("the demo could not be moved; the server's output says why") from None
        finally:
            self.is_moving = False
        return {"runs": [each.as_json() for each in moved]}

    def ask_fault(self, asked: Mapping[str, Any]) -> dict[str, object]:
        fault = self._faults.ask(asked)
        return {**asked, **({"id": fault.id} if fault.id else {})}

    def faults(self, _: Mapping[str, Any] = {}) -> dict[str, object]:
        return {"faults": [fault.as_json() for fault in self.faults_in_force()]}

    def faults_in_force(self) -> list[Fault]:
        return self._faults.in_force()

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


Work = Callable[[Control, Mapping[str, Any]], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Act:
    """An act on a demo: the request, and the method that does it.

    `names` is the parameter that stands in the path's last part; without it, a POST has JSON.
    """

    method: str
    path: str
    work: Work
    names: str = ""

    @property
    def takes_json(self) -> bool:
        return self.method == "POST"


ACTS = (
    Act("POST", "/demo/advance", Control.advance),
    Act("GET", "/demo/faults", Control.faults),
    Act("POST", "/demo/faults", Control.ask_fault),
    Act("DELETE", "/demo/faults", Control.clear_faults),
    Act("DELETE", "/demo/faults/", Control.remove_fault, names="id"),
    Act("POST", "/demo/faults/remove", Control.remove_fault),
    Act("POST", "/demo/faults/clear", Control.clear_faults),
    Act("POST", "/demo/save", Control.save),
    Act("POST", "/demo/restore", Control.restore),
    Act("GET", "/demo/saves", Control.saves),
    Act("DELETE", "/demo/saves/", Control.delete_save, names="name"),
    Act("POST", "/demo/saves/remove", Control.delete_save),
)
_ACT = {(act.method, act.path): act for act in ACTS}


def _found(scope: Scope) -> tuple[Act, Mapping[str, Any]] | None:
    """The act that a program asks for, with the parameter in its path; None if it asks for none."""
    path: str = scope["path"]
    if not path.startswith("/demo/"):
        return None
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if act := _ACT.get((method, path)):
        is_form = act.takes_json and _header(scope, b"content-type").startswith(FORM_TYPE)
        return None if is_form else (act, {})
    above, _, last = path.rpartition("/")
    if last and (act := _ACT.get((method, f"{above}/"))):
        return act, {act.names: last}
    return None


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in scope["headers"] if known == name), "")
