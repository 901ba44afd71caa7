"""A redirect address of the demo itself: its page shows what an application receives, and how to continue."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response
from starlette.routing import Route

from rollbook.demo import published
from rollbook.store.accounts import applications, logins
from rollbook.store.district import districts
from rollbook.web.http.demo_lines import ARRIVED
from rollbook.web.http.visits import Desk, Visit


def routes(desk: Desk, district_name: str) -> list[Route]:
    """The route. `district_name` is the page's district if nothing else tells."""
    return [Route(ARRIVED, desk.at(partial(arrived, district_name=district_name)), methods=["GET"])]


def arrived(desk: Desk, visit: Visit, *, district_name: str) -> Response:
    """What was sent.

    For a code of a demo's application, the page has the line that exchanges it, with the published secret.
    """
    code = dict(visit.query).get("code", "")
    portal, name = "/login", district_name
    exchange = _exchange(desk, published.APPLICATION.client_id, code) if code.isalnum() else ""
    with desk.database.read() as transaction:
        if found := logins.grant_of(transaction, code):
            grant, _, _ = found
            client_id = applications.by_number(transaction, grant.application).client_id
            exchange = _exchange(desk, client_id, code)
            district = districts.by_number(transaction, grant.district)
            portal, name = f"/in/{districts.slug(district)}", district.name
    seconds = desk.settings.code_seconds
    return desk.page(
        visit,
        "demo/arrived.html",
        given=visit.query,
        exchange=exchange,
        portal=portal,
        seconds=seconds,
        district=name,
    )


def _exchange(desk: Desk, client_id: str, code: str) -> str:
    basic = next((client.basic for client in published.CLIENTS if client.client_id == client_id), "")
    return basic and (
        f'curl -H "Authorization: Basic {basic}" -d grant_type=authorization_code -d code={code}'
        f" -d redirect_uri={desk.base}{ARRIVED} {desk.base}/oauth/tokens"
    )
