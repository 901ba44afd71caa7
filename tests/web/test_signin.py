"""The code grant from an application's link to a token, one behaviour each; both databases."""

from __future__ import annotations

import pytest

from rollbook.store.records import people_lookup
from tests import sso
from tests.sso import BACK, OTHER, Browser, World, answer


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


def test_a_login_ends_at_the_first_address_with_code_scope_state_and_issuer(
    world: World, browser: Browser
) -> None:
    end = browser.sign_in("amy", browser.ask(world.reader, state="a b&c"))
    assert end.headers["location"].startswith(f"{BACK}?code=")
    sent = answer(end)
    assert sorted(sent) == ["code", "iss", "scope", "state"]
    assert len(sent["code"]) == 40
    assert (sent["state"], sent["iss"]) == ("a b&c", sso.HOME)
    assert sent["scope"].split() == list(world.reader.application.scopes)


def test_a_registered_address_keeps_its_own_query(world: World, browser: Browser) -> None:
    end = browser.sign_in("amy", browser.ask(world.reader, redirect_uri=OTHER))
    assert end.headers["location"].startswith(f"{OTHER}&code=")


def test_no_state_is_sent_when_none_was_given(world: World, browser: Browser) -> None:
    assert "state" not in browser.arrive(world.reader, "amy")


def test_a_second_request_passes_silently(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "amy")
    again = browser.ask(world.reader, state="own")
    assert answer(again)["state"] == "own"


def test_an_exchange_answers_to_the_letter(world: World, browser: Browser) -> None:
    sent = browser.arrive(world.reader, "lund")
    got = browser.exchange(world.reader, sent["code"])
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert got.headers["cache-control"] == "no-store"
    assert sorted(got.json()) == ["access_token", "id_token", "token_type"]
    assert got.json()["token_type"] == "bearer"
    assert got.json()["access_token"].startswith("il")
    assert len(got.json()["access_token"]) == 40


@pytest.mark.parametrize(
    "way", ["form", "form with misspelt type", "form and body secrets", "json", "grant type in the address"]
)
def test_every_way_that_real_clients_exchange_works(world: World, browser: Browser, way: str) -> None:
    code = browser.arrive(world.reader, "amy")["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "scope": "anything"}
    secrets = {"client_id": world.reader.client_id, "client_secret": world.reader.secret}
    client, basic = browser.client, world.reader.basic
    if way == "form":
        got = client.post("/oauth/tokens", data=body, headers=basic)
    elif way == "form with misspelt type":
        kind = {"content-type": "application/x-www-form-url-encoded"}
        got = client.post(
            "/oauth/tokens",
            content=f"grant_type=authorization_code&code={code}&redirect_uri={BACK}",
            headers=basic | kind,
        )
    elif way == "form and body secrets":
        got = client.post("/oauth/tokens", data=body | secrets)
    elif way == "json":
        got = client.post("/oauth/tokens/", json=body | secrets)
    else:
        del body["grant_type"]
        got = client.post("/oauth/tokens?grant_type=authorization_code", data=body, headers=basic)
    assert got.status_code == 200, got.text


def test_me_has_one_shape_for_everybody(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "gil")
    id_, district = world.ids["gil"], world.district.id
    expected = {
        "type": "user",
        "data": {"id": id_, "district": district, "type": "user", "authorized_by": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/v3.0/users/{id_}"},
            {"rel": "district", "uri": f"/v3.0/districts/{district}"},
        ],
    }
    assert browser.api("/v3.0/me", token).json() == expected
    assert browser.api("/me", token).json() == expected
    (of_district,) = browser.client.get("/oauth/tokens", headers=world.reader.basic).json()["data"]
    refused = browser.api("/me", of_district["access_token"])
    assert (refused.status_code, "Cannot GET /me<" in refused.text) == (404, True)
    assert browser.api(f"{sso.HOME}//v3.0/users/{id_}", token).json()["data"]["id"] == id_


def test_userinfo_tells_the_role_of_the_login(world: World, browser: Browser) -> None:
    got = browser.api("/userinfo", browser.token(world.reader, "okoye")).json()
    assert got["user_type"] == "teacher"
    assert got["sub"] == got["multi_role_user_id"] == world.ids["okoye"]
    assert got["user_id"] != got["sub"]
    assert (got["district"], got["district_id"]) == (world.district.id, world.district.id)
    assert got["name"] == {"first": "Oba", "last": "Okoye", "middle": ""}
    assert (got["given_name"], got["family_name"], got["email"]) == ("Oba", "Okoye", "okoye@example.org")
    assert got["email_verified"] is False


def test_a_user_token_reaches_its_own_and_nothing_else(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "ben")
    own = browser.api(f"/v3.0/users/{world.ids['ben']}?limit=99999&starting_after=x", token)
    assert own.status_code == 200
    assert [link["rel"] for link in own.json()["links"]] == ["self"]
    school = own.json()["data"]["roles"]["student"]["school"]
    other = next(
        id_ for id_ in _schools(world) if id_ not in own.json()["data"]["roles"]["student"]["schools"]
    )
    assert browser.api(f"/v3.0/districts/{world.district.id}", token).status_code == 200
    assert browser.api(f"/v3.0/schools/{school}", token).status_code == 200
    for path in (f"/v3.0/schools/{other}", f"/v3.0/users/{world.ids['amy']}"):
        got = browser.api(path, token)
        assert (got.status_code, got.json()["message"]) == (404, "Resource not found")
    for path in ("/v3.0/users", "/v3.0/courses", f"/v3.0/users/{world.ids['ben']}/sections", "/v3.0/events"):
        got = browser.api(path, token)
        assert (got.status_code, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert f"Cannot GET {path}" in got.text


def _schools(world: World) -> list[str]:
    with world.database.read() as transaction:
        return [
            id_
            for id_, _ in people_lookup.schools(
                transaction, people_lookup.whole(transaction, world.district.number)
            )
        ]
