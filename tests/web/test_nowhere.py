"""Paths that do not exist: a page for people who follow a link, the recorded answer for programs."""

from __future__ import annotations

import pytest

from tests.sso import Browser, World, links, words


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


LINK = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BARE = "<pre>Cannot {} {}</pre>"


@pytest.mark.parametrize(
    "path", ["/nothing", "/in", "/login/x", "/demo/nothing", "/oauth/nothing", "/%3Cscript%3E", "/logout"]
)
def test_a_person_who_follows_a_wrong_link_gets_a_page(browser: Browser, path: str) -> None:
    got = browser.client.get(path, headers=LINK)
    assert (got.status_code, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert words(got).startswith("This page is not here Nothing is at /")
    assert {"Find your school and sign in", "Sign in with a badge", "What this server is"} <= set(links(got))
    assert "<script" not in got.text
    assert "frame-ancestors 'none'" in got.headers["content-security-policy"]
    assert got.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        *("/v3.0", "/v3.0/nothing", "/v3.0/students", "/oauth/token", "/oauth/tokens/x"),
        *("/oauth/tokeninfo/x", "/oauth/certs/x", "/userinfo/x", "/me/x", "/.well-known/x", "/openapi.yaml"),
    ],
)
def test_paths_of_programs_answer_a_browser_as_recorded(browser: Browser, path: str) -> None:
    got = browser.client.get(path, headers=LINK)
    assert (got.status_code, BARE.format("GET", path) in got.text) == (404, True)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "image/avif,image/webp,*/*", ""])
def test_a_program_gets_the_recorded_answer(browser: Browser, accept: str) -> None:
    assert BARE.format("GET", "/nothing") in browser.client.get("/nothing", headers={"accept": accept}).text


def test_other_methods_get_the_recorded_answer(browser: Browser) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (
            BARE.format(method, "/nothing") in browser.client.request(method, "/nothing", headers=LINK).text
        )


def test_where_json_is_set_everybody_gets_json(world: World) -> None:
    got = world.browser(world.app(wrong_token="json")).client.get("/nothing", headers=LINK)
    assert (got.status_code, got.json()["message"]) == (404, "Cannot GET /nothing")
