"""The checks of the OpenID Foundation's Basic OP and Config OP conformance profiles, one test for each.

Left out, because not offered: request objects by value (refused, see the refusals), the hybrid and implicit
profiles, dynamic registration, the claims of the address and phone scopes. `response_type` is read leniently,
because real links misspell it.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from httpx import Response
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from rollbook.auth import oidc
from rollbook.store.accounts import applications, logins
from rollbook.store.accounts.applications import NewApplication
from rollbook.web.site import FOR_PROGRAMS
from tests import sso
from tests.sso import BACK, Browser, World, answer


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


def _id_token(world: World, browser: Browser, who: str = "gil", **more: str) -> str:
    code = browser.arrive(world.reader, who, **more)["code"]
    return str(browser.exchange(world.reader, code).json()["id_token"])


def _claims(browser: Browser, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(browser.get("/oauth/certs").json())
    return jwt.decode(token, keys, algorithms=["RS256"]).claims


# Config OP -------------------------------------------------------------------------------------------


def test_discovery_names_everything_that_is_required(browser: Browser) -> None:
    found = browser.get("/.well-known/openid-configuration")
    document = found.json()
    assert found.headers["content-type"].startswith("application/json")
    assert document["issuer"] == sso.HOME
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert document[name].startswith(f"{sso.HOME}/")
    assert "code" in document["response_types_supported"]
    assert document["subject_types_supported"] == ["public"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["authorization_response_iss_parameter_supported"] is True


def test_issuer_and_api_base_can_be_those_that_clients_are_set_to(world: World) -> None:
    browser = world.browser(world.app(issuer="https://clever.com", api_base="https://api.clever.com"))
    document = browser.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == "https://clever.com"
    assert document["userinfo_endpoint"] == "https://api.clever.com/userinfo"


@pytest.mark.parametrize("host", ["clever.com", "api.clever.com"])
def test_both_host_names_are_served(world: World, host: str) -> None:
    browser = world.browser(base=f"http://{host}")
    assert browser.get("/.well-known/openid-configuration").status_code == 200
    assert browser.get("/v3.0/me").status_code == 401


def test_published_keys_are_public_and_named(browser: Browser) -> None:
    for key in browser.get("/oauth/certs").json()["keys"]:
        assert {"kty", "kid", "use", "alg", "n", "e"} == set(key)
        assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


def test_a_new_key_signs_and_the_old_one_verifies_on(world: World, browser: Browser) -> None:
    old = _id_token(world, browser)
    oidc.rotate(world.database, world.sealer, overlap_seconds=3600)
    later = world.browser()
    new = _id_token(world, later)
    assert _header(old)["kid"] != _header(new)["kid"]
    assert _claims(later, old)["sub"] == _claims(later, new)["sub"]


def test_a_key_that_others_may_have_is_taken_back_at_once(world: World, browser: Browser) -> None:
    stolen = _id_token(world, browser)
    kept = oidc.rotate(world.database, world.sealer, overlap_seconds=0)
    assert [key["kid"] for key in browser.get("/oauth/certs").json()["keys"]] == [kept]
    with pytest.raises(InvalidKeyIdError):
        _claims(browser, stolen)
    time.sleep(1.1)  # by now a running server signs with the new key
    later = browser.exchange(world.reader, answer(browser.ask(world.reader))["code"]).json()["id_token"]
    assert _header(later)["kid"] == kept


@pytest.mark.parametrize("path", FOR_PROGRAMS)
def test_a_page_of_another_site_may_call_the_paths_for_programs(browser: Browser, path: str) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    told = browser.client.request(
        "OPTIONS", path, headers={**asked, "Access-Control-Request-Headers": "authorization"}
    )
    assert (told.status_code, told.content) == (204, b"")
    assert told.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in told.headers["access-control-allow-headers"]
    assert browser.get(path).headers["access-control-allow-origin"] == "*"


# Basic OP --------------------------------------------------------------------------------------------


def test_id_token_is_signed_by_a_published_key_with_rs256(world: World, browser: Browser) -> None:
    token = _id_token(world, browser)
    assert _header(token)["alg"] == "RS256"
    assert _header(token)["kid"] in {key["kid"] for key in browser.get("/oauth/certs").json()["keys"]}
    assert _claims(browser, token)


def test_claims_are_those_that_are_documented(world: World, browser: Browser) -> None:
    claims = _claims(browser, _id_token(world, browser, "okoye"))
    person = browser.api("/userinfo", world.browser().token(world.reader, "okoye")).json()
    assert abs(claims["iat"] - time.time()) < 60
    assert {name: value for name, value in claims.items() if name not in ("iat", "exp")} == {
        "iss": sso.HOME,
        "aud": world.reader.client_id,
        "sub": world.ids["okoye"],
        "user_id": person["user_id"],
        "multi_role_user_id": world.ids["okoye"],
        "user_type": "teacher",
        "email": "okoye@example.org",
        "email_verified": False,
        "given_name": "Oba",
        "family_name": "Okoye",
        "district": world.district.id,
    }
    assert claims["exp"] - claims["iat"] == 3600


def test_nonce_comes_back_when_it_was_sent_and_not_otherwise(world: World, browser: Browser) -> None:
    assert _claims(browser, _id_token(world, browser, nonce="n/1 é"))["nonce"] == "n/1 é"
    assert "nonce" not in _claims(browser, _id_token(world, world.browser()))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo_takes_the_token_in_the_header(world: World, browser: Browser, method: str) -> None:
    token = browser.token(world.reader, "gil")
    got = browser.client.request(method, "/userinfo", headers={"authorization": f"Bearer {token}"})
    assert got.json()["sub"] == world.ids["gil"]


def _form(browser: Browser, body: str, **more: str) -> Response:
    headers = {"content-type": "application/x-www-form-urlencoded", **more}
    return browser.client.post("/userinfo", content=body, headers=headers)


def test_userinfo_takes_the_token_in_a_form(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "gil")
    for more in (
        {},
        {"content-type": "Application/X-WWW-Form-URLEncoded; charset=UTF-8"},
        {"authorization": "Basic eDp5"},
    ):
        assert (more, _form(browser, f"x=1&access_token={token}", **more).json()["sub"]) == (
            more,
            world.ids["gil"],
        )


def test_userinfo_takes_a_token_in_one_way_only(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "gil")
    bearer = {"authorization": f"Bearer {token}"}
    twice = (
        _form(browser, f"access_token={token}", **bearer),
        _form(browser, f"access_token={token}&access_token={token}"),
        _form(browser, "access_token=x&access_token=y"),
        browser.client.post(f"/userinfo?access_token={token}", data={"access_token": token}),
    )
    for got in twice:
        assert (got.status_code, got.json()["message"].partition(":")[0]) == (400, "access_token")
        assert got.headers["www-authenticate"] == 'Bearer realm="rollbook", error="invalid_request"'


def test_a_token_outside_of_header_and_form_is_ignored(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "gil")
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused = (
        _form(browser, "access_token="),
        _form(browser, "access_token=il%00"),
        _form(browser, f"access_token={token}", **{"content-type": "text/plain"}),
        _form(browser, f'{{"access_token": "{token}"}}', **{"content-type": "application/json"}),
        _form(browser, f"access_token={token}&x={'y' * 100_000}"),
        browser.client.post("/userinfo", files={"access_token": (None, token)}),
        browser.client.request("GET", "/userinfo", content=f"access_token={token}", headers=form),
        browser.client.get(f"/userinfo?access_token={token}"),
    )
    assert [got.status_code for got in refused] == [401] * len(refused)


def test_a_blank_token_in_a_form_is_as_good_as_absent(world: World, browser: Browser) -> None:
    bearer = {"authorization": f"Bearer {browser.token(world.reader, 'gil')}"}
    assert _form(browser, "access_token=", **bearer).json()["sub"] == world.ids["gil"]


def test_userinfo_refuses_an_unknown_token_as_the_bearer_scheme_says(browser: Browser) -> None:
    got = browser.api("/userinfo", "ilnothing")
    assert (got.status_code, got.headers["www-authenticate"]) == (401, 'Bearer realm="rollbook"')


def test_userinfo_is_no_path_for_a_district_token(world: World, browser: Browser) -> None:
    token = browser.client.get("/oauth/tokens", headers=world.reader.basic).json()["data"][0]["access_token"]
    got = browser.api("/userinfo", token)
    assert (got.status_code, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert browser.api("/v3.0/me", token).status_code == 404


@pytest.mark.parametrize(
    "more",
    [
        {"scope": "openid profile email address phone"},
        {"scope": "openid something"},
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"login_hint": "amy@example.org"},
        {"id_token_hint": "x.y.z"},
        {"extra": "foobar"},
        {"claims": '{"userinfo":{"name":{"essential":true}}}'},
        {"response_type": ""},
        {"response": "code"},
        {"skip": "1", "channel": "clever", "confirmed": "true"},
    ],
)
def test_unknown_optional_parameters_are_ignored(
    world: World, browser: Browser, more: dict[str, str]
) -> None:
    assert len(browser.arrive(world.reader, "gil", **more)["code"]) == 40


def test_an_authorization_request_by_post_works_like_get(world: World, browser: Browser) -> None:
    form = {"response_type": "code", "client_id": world.reader.client_id, "state": "s"}
    got = browser.client.post("/oauth/authorize", data=form)
    assert answer(browser.sign_in("gil", got))["state"] == "s"


def test_prompt_login_asks_again(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "gil")
    asked = browser.ask(world.reader, prompt="login")
    assert asked.headers["location"].startswith("/in/")
    assert "code" in answer(browser.sign_in("amy", asked))


def test_prompt_none_passes_silently_when_somebody_is_signed_in(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "gil")
    assert "code" in answer(browser.ask(world.reader, prompt="none"))


def test_prompt_none_does_not_ask_anything(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "amy")
    assert (
        answer(browser.ask(world.reader, prompt="none", confirmed="false"))["error"] == "interaction_required"
    )


def test_max_age_asks_again_when_the_sign_in_is_older(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    first = _claims(browser, _id_token(world, browser, max_age="10000"))
    later = logins.now() + 30
    monkeypatch.setattr(logins, "now", lambda: later)
    again = browser.ask(world.reader, max_age="1")
    assert again.headers["location"].startswith("/in/")
    code = answer(browser.sign_in("gil", again))["code"]
    second = _claims(browser, browser.exchange(world.reader, code).json()["id_token"])
    assert second["auth_time"] > first["auth_time"]
    silent = browser.ask(world.reader, max_age="10000")
    third = _claims(browser, browser.exchange(world.reader, answer(silent)["code"]).json()["id_token"])
    assert third["auth_time"] == second["auth_time"]


def _told(world: World, club: sso.Club) -> tuple[list[str], list[str]]:
    """What a login brings to the application: in the address, and in the answer to its code."""
    browser = world.browser()
    sent = browser.arrive(club, "gil", state="s")
    return sorted(sent), sorted(browser.exchange(club, sent["code"]).json())


PLAIN = (["code", "scope", "state"], ["access_token", "token_type"])
OIDC = (["code", "iss", "scope", "state"], ["access_token", "id_token", "token_type"])


def test_an_application_speaks_openid_connect_when_it_is_asked_for(world: World) -> None:
    made, secret = applications.create(world.database, NewApplication("Plain", redirect_uris=(BACK,)))
    world.connect(made)
    club = sso.Club(made, secret)
    assert _told(world, club) == PLAIN
    for has_oidc, told in ((True, OIDC), (False, PLAIN)):
        applications.change(world.database, made, has_oidc=has_oidc)
        assert _told(world, club) == told


@pytest.mark.parametrize("has_oidc", [True, False])
def test_an_older_application_keeps_its_issuer_setting_until_it_is_switched(
    world: World, has_oidc: bool
) -> None:
    club = world.club(f"Before {has_oidc}", BACK)
    with world.database.write() as transaction:
        switches = (int(has_oidc), int(not has_oidc), club.application.number)
        transaction.run("UPDATE applications SET has_oidc = ?, names_issuer = ? WHERE number = ?", switches)
    before = (OIDC if not has_oidc else PLAIN)[0], (OIDC if has_oidc else PLAIN)[1]
    assert _told(world, club) == before
    kept = applications.find(world.database, club.client_id)
    applications.change(world.database, kept, redirect_uris=(BACK, BACK + "/2"))
    assert _told(world, club) == before
    applications.change(world.database, kept, has_oidc=True)
    assert _told(world, club) == OIDC


def _header(token: str) -> dict[str, Any]:
    head = token.partition(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))))
