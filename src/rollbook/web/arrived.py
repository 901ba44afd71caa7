"""A demo's own address for logins to return to: it shows what an application is sent, and how to go on from there."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from rollbook.web.desk import ARRIVED, Desk, Visit


def routes(desk: Desk, basic: str, district: str) -> list[Route]:
    """The route, with the demo's published Basic credentials and the name of its district."""

    def arrived(desk: Desk, visit: Visit) -> Response:
        given = dict(visit.query)
        exchange = (
            f'curl -H "Authorization: Basic {basic}" -d grant_type=authorization_code -d code={given.get("code", "")}'
            f" -d redirect_uri={desk.base}{ARRIVED} {desk.base}/oauth/tokens"
        )
        has_code = given.get("code", "").isalnum()
        return desk.page(
            visit,
            "arrived.html",
            given=visit.query,
            exchange=exchange if has_code else "",
            seconds=desk.settings.code_seconds,
            district=district,
        )

    return [Route(ARRIVED, desk.at(arrived), methods=["GET"])]
