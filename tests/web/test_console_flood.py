"""A flood of sign-ins to the console is bounded, and stops none of its acts."""

from __future__ import annotations

import threading
from contextlib import closing

import anyio
import httpx
import pytest

from rollbook.demo.serving import Demo
from rollbook.errors import Refused
from rollbook.operations import console_entry, share_previews
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.web.app import App
from rollbook.web.console import console_frame
from tests.journeys.hub import Hub
from tests.web.test_console import HOME, form_of


async def flood(app: App, path: str, act: str) -> tuple[httpx.Response, httpx.Response]:
    """Send more forms to a page than may wait; the first refusal, and what an act at another page answers meanwhile."""
    given = {"act": "preview", "kind": "everything"}
    transport = httpx.ASGITransport(app, client=("192.0.2.9", 1))
    refused: list[httpx.Response] = []
    async with (
        httpx.AsyncClient(transport=transport, base_url=HOME) as client,
        anyio.create_task_group() as tasks,
    ):
        form = form_of((await client.get("/console/new-district")).text)
        came = anyio.Event()

        async def send() -> None:
            answered = await client.post(path, data={"form": form, **given})
            if answered.status_code == 503:
                refused.append(answered)
                came.set()

        for _ in range(console_frame.WAITING_MAX + 3):
            tasks.start_soon(send)
        await came.wait()
        acted = await client.post(act, data={"form": form, **given})
        GATE.set()
    return refused[0], acted


GATE = threading.Event()


@pytest.mark.parametrize("what", ["sign-ins", "previews"])
def test_a_flood_is_refused_and_stops_nothing_else(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def wait(*_: object) -> str:
        assert GATE.wait(60)
        raise Refused("waited")

    GATE.clear()
    reader, _ = applications.create(small_hub.database, NewApplication("Reading Room"))
    connection = f"/console/d/{districts.slug(small_hub.district)}/applications/{reader.client_id}"
    demo = Demo("TEST_TOKEN", "", small_hub.district.name)
    app = App(small_hub.database, small_hub.settings, limits=small_hub.folder / "limits", extend=demo.extend)
    with closing(app):
        if what == "sign-ins":
            monkeypatch.setattr(console_entry, "sign_in", wait)
            refused, acted = anyio.run(flood, app, "/console/sign-in", connection)
            assert acted.status_code == 200
        else:
            monkeypatch.setattr(share_previews, "preview", wait)
            refused, acted = anyio.run(flood, app, connection, "/console/sign-in")
            assert acted.status_code == 401
    assert refused.headers["retry-after"] == "10"
    assert refused.text == "The console is busy. Nothing was done. Send it again in 10 seconds.\n"
