"""`/demo/edits` and `/demo/person`: edit a person of the demo by hand, over HTTP and in a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rollbook.demo import demo_folder, person_edits
from rollbook.demo.control import Control
from rollbook.demo.day_pages import Storyboard
from rollbook.demo.json_requests import check_names, status_of
from rollbook.demo.person_edits import Sheet
from rollbook.demo.requests_read import (
    answered,
    check_token,
    failed,
    is_form,
    read_form,
    read_json,
)
from rollbook.errors import RollbookError
from rollbook.store.records import people_lookup
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.visits import Desk

FOUND_MAX = 20
# The prefix of a column's name in the form.
FIELD = "field."
EXPIRED = "This form has expired: press the button again."


class EditPages:
    """The pages of one demo; `control` moves it on."""

    def __init__(self, desk: Desk, token: str, days: Storyboard, control: Control) -> None:
        self._desk, self._token, self._days, self._control = desk, token, days, control
        self._folder = demo_folder.of(desk.settings)

    def routes(self) -> list[Route]:
        return [
            Route("/demo/edits", self._list, methods=["GET"]),
            Route("/demo/edits", self._clear, methods=["DELETE"]),
            Route("/demo/edits", self._edit, methods=["POST"]),
            Route("/demo/person", self._show, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        return await self._answer(request, lambda: None)

    async def _clear(self, request: Request) -> Response:
        return await self._answer(request, lambda: person_edits.clear(self._desk.database))

    async def _answer(self, request: Request, work: Any) -> Response:
        def done() -> dict[str, object]:
            work()
            with self._desk.database.read() as transaction:
                return person_edits.read(transaction).as_json()

        try:
            check_token(request, self._token)
            return answered(await to_thread.run_sync(done))
        except RollbookError as error:
            return failed(error, request)

    async def _edit(self, request: Request) -> Response:
        if is_form(request):
            return await self._edit_by_form(request)
        try:
            check_token(request, self._token)
            asked = await read_json(request)
            check_names(asked, "person", "role", "fields")
            return answered(await to_thread.run_sync(self._kept, asked))
        except RollbookError as error:
            return failed(error, request)

    def _kept(self, asked: Mapping[str, Any]) -> dict[str, object]:
        return person_edits.edit(self._desk.database, self._folder, asked)

    async def _edit_by_form(self, request: Request) -> Response:
        """Keep the changed cells; one of the two buttons also starts the next night."""
        form = await read_form(request, with_blanks=True)
        asked = {"person": form.get("person", ""), "role": form.get("role", "")}
        if not self._desk.jar.is_ours(request.cookies.get(self._desk.jar.form, ""), form.get("form", "")):
            return await self._page(request, asked, EXPIRED, 403)
        fields = {name.removeprefix(FIELD): value for name, value in form.items() if name.startswith(FIELD)}
        try:
            await to_thread.run_sync(self._kept, {**asked, "fields": fields})
            if form.get("then") == "night":
                await to_thread.run_sync(self._control.advance, {"days": 1})
        except RollbookError as error:
            return await self._page(request, asked, str(error), status_of(error))
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse("/demo#happened", 303, headers)

    async def _show(self, request: Request) -> Response:
        return await self._page(request, dict(request.query_params))

    async def _page(
        self, request: Request, asked: Mapping[str, str], message: str = "", status: int = 200
    ) -> Response:
        cookie = None if request.cookies.get(self._desk.jar.form) else self._desk.jar.new_form()
        kept = cookie.value if cookie else request.cookies[self._desk.jar.form]
        shown, code = await to_thread.run_sync(
            self._rendered, asked, self._desk.jar.form_token(kept), message, status
        )
        response = HTMLResponse(shown, code, {**safety("'self'"), "Cache-Control": "no-store"})
        if cookie:
            response.headers.append("set-cookie", cookie.header())
        return response

    def _rendered(self, asked: Mapping[str, str], form: str, message: str, status: int) -> tuple[str, int]:
        text, shown = asked.get("person", "").strip(), None
        search = asked.get("search", "").strip()
        found = [] if text and not search else self._search(search)
        try:
            shown = self._sheet(text, asked.get("role", "")) if text else None
        except RollbookError as error:
            message, status = str(error), status_of(error)
        page = self._desk.templates.get_template("demo/person.html").render(
            form=form, sheet=shown, found=found, search=search, message=message, field=FIELD
        )
        return page, status

    def _sheet(self, text: str, role: str) -> Sheet:
        return person_edits.sheet(self._desk.database, self._folder, text, role)

    def _search(self, text: str) -> list[people_lookup.Person]:
        """People of the first district by name, email or SIS id; the first ones for a blank search."""
        access = self._days.access()
        if access is None:
            return []
        with self._desk.database.read() as transaction:
            whole = people_lookup.whole(transaction, access.district)
            return people_lookup.search(transaction, whole, text=text, role="", school="", limit=FOUND_MAX)
