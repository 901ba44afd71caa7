"""The site is made once: at the first request that needs it, or soon after the start."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from rollbook.web import late_site
from rollbook.web.http.templates import environment
from rollbook.web.late_site import LateSite
from rollbook.web.site import Site
from tests.sso import World


def test_requests_that_need_it_at_once_make_it_once() -> None:
    made: list[Site] = []

    def make() -> Site:
        made.append(object.__new__(Site))
        return made[-1]

    async def ask() -> set[Site]:
        site = LateSite(make)
        return set(await asyncio.gather(*(site.get() for _ in range(8))))

    assert asyncio.run(ask()) == set(made)
    assert len(made) == 1


def test_it_is_made_without_a_request_unless_the_server_stops_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_site, "SOON_SECONDS", 0.0)
    is_made = threading.Event()

    def make() -> Site:
        is_made.set()
        return object.__new__(Site)

    async def start(*, stops: bool) -> bool:
        is_made.clear()
        loading = LateSite(make).load_soon()
        if stops:
            loading.cancel()
        await asyncio.sleep(0)
        return await asyncio.to_thread(is_made.wait, 0.0 if stops else 30.0)

    assert asyncio.run(start(stops=False))
    assert not asyncio.run(start(stops=True))


def test_the_data_api_answers_without_it(sso_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: LateSite) -> Site:
        raise AssertionError("a request for data waits for the pages")

    monkeypatch.setattr(LateSite, "_get", fail)
    app = sso_world.app()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://rollbook.test") as client:
            return await client.get("/v3.0/users", headers={"Authorization": "Bearer TEST_TOKEN"})

    assert asyncio.run(ask()).status_code == 401


def test_templates_are_compiled_once_in_a_process() -> None:
    one, other = (environment(in_demo=in_demo).get_template("base.html") for in_demo in (True, False))
    assert one.root_render_func.__code__ is other.root_render_func.__code__
    assert one.globals["in_demo"] != other.globals["in_demo"]
