"""`/demo/rehearsal`: the report card of an application from the request log, without playing scenes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from rollbook.demo import published, rehearsal
from rollbook.errors import Unknown
from rollbook.store.accounts import applications
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.visits import Desk


@dataclass(frozen=True, slots=True)
class RehearsalPage:
    """The page of one demo."""

    desk: Desk

    def routes(self) -> list[Route]:
        return [Route("/demo/rehearsal", self._show, methods=["GET"])]

    async def _show(self, request: Request) -> Response:
        asked = request.query_params.get("application", published.APPLICATION.client_id)
        return await to_thread.run_sync(self._page, asked)

    def _page(self, asked: str) -> Response:
        status, message = 200, ""
        try:
            application = applications.find(self.desk.database, asked)
        except Unknown as error:
            status, message = 404, str(error)
            application = applications.find(self.desk.database, published.APPLICATION.client_id)
        shown = self.desk.templates.get_template("demo/rehearsal.html").render(
            application=application,
            applications=[one for one, _ in applications.list_all(self.desk.database)],
            judged=rehearsal.judge(self.desk.database, self.desk.settings, application),
            message=message,
            moment=lambda at: datetime.fromtimestamp(at / 1000, UTC),
        )
        return HTMLResponse(shown, status, {**safety("'self'"), "Cache-Control": "no-store"})
