"""Under which names a server answers, over HTTP: a demo refuses names that an attacker could lead to it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from rollbook.web.app import App
from tests.sso import World

BEARER = {"Authorization": "Bearer TEST_TOKEN"}


def ask(app: App, host: str, path: str = "/v3.0/users?limit=1") -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path, headers={**BEARER, "Host": host})

    return asyncio.run(send())


@pytest.fixture
def demo(sso_world: World) -> App:
    return sso_world.app(
        issuer="https://clever.com:8443",
        api_base="https://api.clever.com:8443",
        host="roll.example.org",
        server_names="proxy.example.org, Other.Example.Org",
    )


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1:8400",
            "localhost:8400",
            "LOCALHOST",
            "[::1]:8400",
            "[::1]",
            "192.168.1.7",
            "app.localhost:3000",
        ),
        *(
            "rollbook:8400",
            "host.docker.internal:8400",
            "rollbook.default.svc.cluster.local",
            "rollbook.test",
        ),
        *("roll.example.org:8400", "clever.com:8443", "api.clever.com", "api.clever.com."),
        *("proxy.example.org", "other.example.org:443"),
    ],
)
def test_a_demo_answers_under_addresses_local_names_and_its_own(demo: App, host: str) -> None:
    assert ask(demo, host).status_code != 421


@pytest.mark.parametrize("path", ["/v3.0/users?limit=1", "/demo", "/console", "/", "/nowhere"])
@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8400",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "xlocalhost.com",
        ),
        *("proxy.example.org.evil.example", "[::1", "evil.example.", "user@evil.example"),
    ],
)
def test_a_demo_refuses_a_foreign_name_on_every_path(demo: App, host: str, path: str) -> None:
    answer = ask(demo, host, path)
    assert answer.status_code == 421
    assert repr(host) in answer.json()["message"]
    assert "ROLLBOOK_SERVER_NAMES" in answer.json()["message"]
    assert not any(name.lower() == "set-cookie" for name in answer.headers)


def test_a_demo_answers_under_every_name_if_it_is_told_to(sso_world: World) -> None:
    assert ask(sso_world.app(server_names="*"), "evil.example").status_code != 421


@pytest.mark.parametrize(
    ("listed", "host", "is_refused"),
    [
        ("", "anything.example.org", False),
        ("roll.example.org", "roll.example.org", False),
        ("roll.example.org", "127.0.0.1:8400", False),
        ("roll.example.org", "anything.example.org", True),
        ("roll.example.org", "rollbook", True),
    ],
)
def test_a_real_server_refuses_names_only_if_some_are_listed(
    sso_world: World, listed: str, host: str, is_refused: bool
) -> None:
    answer = ask(sso_world.app(is_demo=False, server_names=listed), host)
    assert (answer.status_code == 421) == is_refused
