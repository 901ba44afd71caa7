"""A NUL anywhere in a request: it matches nothing, and both databases answer alike (PostgreSQL text has no
NUL)."""

from __future__ import annotations

import base64
import re

import pytest
from httpx import Response

from rollbook.store.district import districts
from tests.sso import Browser, World

FORM = {"content-type": "application/x-www-form-urlencoded"}
CODE = {"grant_type": "authorization_code", "code": "x"}


def basic(text: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


GETS: dict[str, tuple[str, dict[str, str], int]] = {
    "tokens, Basic": ("/oauth/tokens", basic("a\0:b"), 401),
    "tokens, Basic in percent": ("/oauth/tokens", basic("a%00:b"), 401),
    "tokens, district": ("/oauth/tokens?district=%00", basic("a:b"), 401),
    "client and district": ("/oauth/authorize?client_id=a%00b&district_id=%00", {}, 400),
    "login page": ("/in/a%00b", {}, 404),
    "provider": ("/in/a%00b/provider", {}, 404),
    "search": ("/login?q=ab%00c", {}, 302),
    "what was asked": ("/login?ask=client_id%3Da%2500b", {}, 302),
    "what was asked of a district": ("/in/{slug}?ask=client_id%3Da%2500b", {}, 200),
    "district's cookie": ("/badge", {"cookie": 'rollbook-district="a\\000b"'}, 200),
    "session's cookie": ("/login", {"cookie": 'rollbook-session="a\\000b"'}, 302),
    "record": ("/v3.0/users/%00", {"authorization": "Bearer x"}, 401),
    "bearer": ("/userinfo", {"authorization": "Bearer il%00"}, 401),
}
POSTS: dict[str, tuple[str, dict[str, str], int]] = {
    "badge": ("/badge", {"code": "ab\0c"}, 401),
    "name and password": ("/in/{slug}", {"username": "a\0b", "password": "x\0"}, 401),
    "person": ("/in/{slug}", {"person": "a\0b"}, 400),
    "slug": ("/in/a%00b", {"username": "a"}, 404),
    **{path: (f"/oauth/{path}", {"ask": "client_id=a%00b"}, 400) for path in ("confirm", "allow", "deny")},
    "withdraw": ("/oauth/withdraw", {"client_id": "a\0b"}, 303),
    "logout": ("/logout", {"ask": "client_id=a%00b"}, 303),
}


@pytest.fixture
def browser(sso_world: World) -> Browser:
    return sso_world.browser()


@pytest.mark.parametrize("case", GETS)
def test_an_address_or_header_with_a_nul_is_answered(sso_world: World, browser: Browser, case: str) -> None:
    address, headers, status = GETS[case]
    got = browser.client.get(address.format(slug=districts.slug(sso_world.district)), headers=headers)
    assert got.status_code == status


@pytest.mark.parametrize("case", POSTS)
def test_a_form_with_a_nul_is_answered(sso_world: World, browser: Browser, case: str) -> None:
    address, values, status = POSTS[case]
    token = re.search(r'name="form" value="([^"]+)"', browser.get("/badge").text)
    assert token
    got = browser.client.post(
        address.format(slug=districts.slug(sso_world.district)), data={"form": token.group(1), **values}
    )
    assert got.status_code == status


@pytest.mark.parametrize("way", ["form", "json", "basic"])
def test_a_client_id_with_a_nul_is_unknown(browser: Browser, way: str) -> None:
    def post() -> Response:
        if way == "form":
            body = "grant_type=authorization_code&code=x&client_id=a%00b&client_secret=x"
            return browser.client.post("/oauth/tokens", content=body, headers=FORM)
        if way == "json":
            return browser.client.post(
                "/oauth/tokens", json={**CODE, "client_id": "a\0b", "client_secret": "x"}
            )
        return browser.client.post("/oauth/tokens", data=CODE, headers=basic("a\0:b"))

    got = post()
    assert (got.status_code, got.json()["error"]) == (401, "invalid_client")
