"""More requests in one turn of the event loop than it can answer: the later ones are refused at once, and the next turn
answers again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
import uvloop

from rollbook.web.http import overload
from tests.journeys.hub import Hub

CROWD = 20


async def crowd(hub: Hub, token: str) -> list[list[httpx.Response]]:
    """The answers to three crowds: each of its requests is reached in the same turn."""
    transport = httpx.ASGITransport(hub.app(page_cache_bytes=0))
    bearer = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://hub", headers=bearer) as client:
        return [
            await asyncio.gather(*(client.get(path) for _ in range(CROWD)))
            for path in ("/v3.0/users", "/v3.0/schools", "/health")
        ]


def test_requests_that_a_turn_reaches_too_late_are_refused_with_retry_after(
    small_synced_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "TURN_SECONDS", 0.0)
    users, schools, health = uvloop.run(crowd(small_synced_hub, small_synced_hub.connect()))
    for answers in (users, schools):
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert refused[0].json()["message"] == "The server has too many requests; try again in a second."
    assert {answer.status_code for answer in health} == {200}


def test_a_turn_that_stands_still_refuses_nobody(
    small_synced_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is busy with other programs is not a crowd: the process itself works little."""
    real: Any = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 60)
    users, *_ = uvloop.run(crowd(small_synced_hub, small_synced_hub.connect()))
    assert {answer.status_code for answer in users} == {200}
