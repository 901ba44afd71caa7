"""Paths of unknown API versions: a sentence that says what to ask, for clients and for people."""

from __future__ import annotations

import pytest

from rollbook.contract.clever import versions
from tests.sso import Browser, World

ASKED = {
    "/v3.2/users": ("v3.2", "/v3.0/users"),
    "/V3.1/users": ("V3.1", "/v3.1/users"),
    "/v2.0/me": ("v2.0", "/v3.0/me"),
    "/v1.2/events": ("v1.2", "/v3.0/events"),
    "/V3.0/me": ("V3.0", "/v3.0/me"),
    "/v3/users/5f/sections": ("v3", "/v3.0/users/5f/sections"),
    "/v4.0.1/schools": ("v4.0.1", "/v3.0/schools"),
    "/v2.1/students": ("v2.1", "/v3.0/users?role=student"),
    "/v2.0/teachers/5f": ("v2.0", "/v3.0/users/5f"),
    "/v1.1/school_admins": ("v1.1", "/v3.0/users?role=staff"),
    "/v1.1/students/5f/sections": ("v1.1", "/v3.0/users/5f/sections"),
    "/v2.1": ("v2.1", "a path of /openapi.json"),
    "//v2.1//users/": ("v2.1", "/v3.0/users"),
}


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


@pytest.mark.parametrize("path", ASKED)
def test_an_unknown_version_is_answered_with_the_path_to_ask(
    world: World, browser: Browser, path: str
) -> None:
    version, instead = ASKED[path]
    sentence = (
        f"Version {version} is not spoken by this server, which speaks v3.0, v3.1: ask {instead} instead"
    )
    for authorization in ("", "Bearer nothing", f"Bearer {browser.token(world.reader, 'gil')}"):
        for accept in ("*/*", "text/html"):
            headers = {"authorization": authorization, "accept": accept}
            got = browser.client.get(f"http://testserver{path}", headers=headers)
            assert (got.status_code, got.headers["content-type"]) == (404, "application/json; charset=utf-8")
            assert got.json() == {"message": sentence, "error": sentence}
            assert got.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_told_the_same(browser: Browser, method: str) -> None:
    got = browser.client.request(method, "/v2.1/users")
    assert (got.status_code, got.json()["message"].partition(" is")[0]) == (404, "Version v2.1")


@pytest.mark.parametrize(
    "path", ["/v3.0/students", "/v3.0", "/vx/users", "/v/users", "/users", "/v3.0x/users"]
)
def test_other_unknown_paths_are_answered_as_recorded(browser: Browser, path: str) -> None:
    assert f"<pre>Cannot GET {path}</pre>" in browser.client.get(path).text


def test_an_answer_repeats_only_so_much_of_a_path(browser: Browser) -> None:
    for path in (f"/v1{'1' * 5_000}/users", f"/v1/{'x' * 5_000}"):
        assert len(browser.client.get(path).json()["message"]) < 600


def test_each_version_answers_under_its_own_name(world: World, browser: Browser) -> None:
    token = browser.client.get("/oauth/tokens", headers=world.reader.basic).json()["data"][0]["access_token"]
    for version in versions.SPOKEN:
        links = browser.api(f"/{version}/schools?limit=1", token).json()["links"]
        assert [link["uri"].split("?")[0] for link in links] == [f"/{version}/schools"] * 2
    assert (
        browser.api("/V3.0/users", token)
        .json()["message"]
        .endswith("speaks v3.0, v3.1: ask /v3.0/users instead")
    )
    assert (
        browser.api("/v2.1/users", token)
        .json()["message"]
        .endswith("speaks v3.0, v3.1: ask /v3.0/users instead")
    )


def test_a_document_describes_the_version_asked_for(browser: Browser) -> None:
    plain, later = (browser.client.get(f"/openapi.json{query}") for query in ("", "?version=3.1"))
    assert [path for path in plain.json()["paths"] if path.startswith("/v3.1")] == []
    assert "/v3.1/users" in later.json()["paths"]
    student = later.json()["components"]["schemas"]["Student"]["properties"]
    assert student["frl_status"]["enum"] == ["Free", "Reduced", "Paid", "Other", ""]
    assert {"disability", "gifted_status", "home_language_code"} <= set(student)
    assert plain.headers["etag"] != later.headers["etag"]
    unknown = browser.client.get("/openapi.json?version=2.1")
    assert (unknown.status_code, unknown.json()["message"]) == (400, "version: expected one of 3.0, 3.1")
