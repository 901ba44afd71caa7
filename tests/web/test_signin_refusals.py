"""Refusals of bad sign-in requests: RFC 6749, RFC 7636, RFC 9700 and RFC 9207, one failing request for each
point."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from rollbook.errors import Conflict
from rollbook.store.accounts import applications, audit, logins
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.keys import digest
from tests import sso
from tests.sso import BACK, OTHER, Browser, Club, World, answer

VERIFIER = "abcdefghijklmnopqrstuvwxyz-0123456789._~ABCD"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


# Before the redirect address is known to be good, nothing is sent anywhere --------------------------

PAGES = {
    "no client": {},
    "unknown client (RFC 6749, 4.1.2.1)": {"client_id": "0" * 20},
    "foreign address (RFC 9700, 4.1)": {"redirect_uri": "https://evil.example/back"},
    "address with something added (RFC 9700, 2.1)": {"redirect_uri": BACK + "/more"},
    "address with a query added": {"redirect_uri": BACK + "?x=1"},
    "address in other letters": {"redirect_uri": BACK.upper()},
    "address without its path": {"redirect_uri": "https://reader.example"},
    "address with a fragment": {"redirect_uri": BACK + "#x"},
    "address with user information": {"redirect_uri": "https://reader.example@evil.example/back"},
    "address of another scheme": {"redirect_uri": "javascript:alert(1)"},
    "address over plain http": {"redirect_uri": BACK.replace("https", "http")},
    "address with a traversal": {"redirect_uri": "https://reader.example/back/../evil"},
    "address with a trailing slash": {"redirect_uri": BACK + "/"},
    "address with a NUL at its end": {"redirect_uri": BACK + "\0"},
    "address with a NUL within": {"redirect_uri": BACK[:-2] + "\0" + BACK[-2:]},
    "address with a port": {"redirect_uri": "https://reader.example:444/back"},
    "too long": {"state": "x" * 3000},
}


@pytest.mark.parametrize("case", PAGES)
def test_an_untrusted_request_gets_a_page_and_no_redirect(world: World, browser: Browser, case: str) -> None:
    client = {} if case == "no client" else {"client_id": world.reader.client_id}
    got = browser.get("/oauth/authorize", **{"response_type": "code", **client, **PAGES[case]})
    assert got.status_code == 400
    assert "location" not in got.headers
    assert "Who can fix it" in got.text


def test_a_parameter_that_stands_twice_is_refused(world: World, browser: Browser) -> None:
    pairs = [("client_id", world.reader.client_id), ("redirect_uri", BACK), ("redirect_uri", OTHER)]
    assert browser.client.get(f"/oauth/authorize?{urlencode(pairs)}").status_code == 400


def test_a_state_comes_back_with_blanks_that_every_client_reads(world: World, browser: Browser) -> None:
    location = browser.ask(world.reader, state="a b+c", prompt="none").headers["location"]
    assert "state=a%20b%2Bc&" in location


def test_an_application_without_openid_connect_does_not_get_the_issuer(
    world: World, browser: Browser
) -> None:
    club = world.club("Without Issuer", BACK, has_oidc=False)
    assert sorted(browser.arrive(club, "amy", state="s")) == ["code", "scope", "state"]
    assert answer(browser.ask(club, prompt="none login", state="s")) == {
        "error": "invalid_request",
        "state": "s",
    }


# Errors that an application is told ------------------------------------------------------------------

TOLD: dict[str, tuple[dict[str, str], str]] = {
    "implicit grant (RFC 9700, 2.1.2)": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "unknown challenge method (RFC 7636, 4.4.1)": (
        {"code_challenge": CHALLENGE, "code_challenge_method": "S512"},
        "invalid_request",
    ),
    "short challenge (RFC 7636, 4.2)": (
        {"code_challenge": "abc", "code_challenge_method": "S256"},
        "invalid_request",
    ),
    "request object (OpenID Connect Core, 6)": ({"request": "e30.e30."}, "request_not_supported"),
    "the address of one (OpenID Connect Core, 6)": (
        {"request_uri": "https://a.example"},
        "request_uri_not_supported",
    ),
    "nobody signed in, and no page wanted": ({"prompt": "none"}, "login_required"),
    "contradicting prompts": ({"prompt": "none login"}, "invalid_request"),
}


@pytest.mark.parametrize("case", TOLD)
def test_an_application_is_told_what_is_wrong(world: World, browser: Browser, case: str) -> None:
    more, code = TOLD[case]
    got = browser.ask(world.reader, state="s", **more)
    assert answer(got) == {"error": code, "state": "s", "iss": sso.HOME}
    assert got.headers["location"].startswith(BACK + "?")


def test_a_person_without_access_is_told_who_can_give_it(world: World, browser: Browser) -> None:
    stranger = _club(world, "Stranger")
    got = browser.sign_in("amy", browser.ask(stranger))
    assert got.status_code == 403
    assert f"administrator of {world.district.name}" in got.text


def test_a_person_without_access_is_sent_back_when_asked_for(world: World, browser: Browser) -> None:
    got = browser.sign_in("amy", browser.ask(_club(world, "Stranger 2"), return_unshared="true", state="s"))
    assert answer(got) == {"error": "unauthorized-user", "state": "s", "iss": sso.HOME}


def test_the_wrong_type_of_person_gets_a_page(world: World, browser: Browser) -> None:
    got = browser.sign_in("amy", browser.ask(world.door, return_unshared="true"))
    assert got.status_code == 403
    assert "Badge Door is not made for students" in got.text


# The token endpoint ----------------------------------------------------------------------------------

BAD_CODE = (400, "invalid_grant", "invalid code")
BAD_REDIRECT = (400, "invalid_grant", "invalid redirect")
BAD_CLIENT = (401, "invalid_client", "unknown client id, or wrong client secret")
REFUSED: dict[str, tuple[dict[str, Any], tuple[int, str, str | None]]] = {
    "unknown code": ({"code": "0" * 40}, BAD_CODE),
    "blank code (RFC 6749, 4.1.3)": ({"code": ""}, (400, "invalid_request", None)),
    "another registered address (RFC 6749, 4.1.3)": ({"redirect_uri": OTHER}, BAD_REDIRECT),
    "no address": ({"redirect_uri": ""}, BAD_REDIRECT),
    "address in other letters": ({"redirect_uri": BACK.upper()}, BAD_REDIRECT),
    "no grant type": ({"grant_type": ""}, (400, "invalid_request", None)),
    "refresh token": ({"grant_type": "refresh_token"}, (400, "unsupported_grant_type", None)),
    "client credentials": ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type", None)),
    "password grant (RFC 9700, 2.4)": ({"grant_type": "password"}, (400, "unsupported_grant_type", None)),
    "verifier without a challenge (RFC 9700, 4.8.2)": (
        {"code_verifier": VERIFIER},
        (400, "invalid_grant", None),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_exchange_is_refused_as_tabled(world: World, browser: Browser, case: str) -> None:
    changed, expected = REFUSED[case]
    code = browser.arrive(world.reader, "amy")["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changed}
    got = browser.client.post("/oauth/tokens", json=body, headers=world.reader.basic)
    _assert_refused(got, expected)
    assert browser.exchange(world.reader, code).status_code == 200, (
        "a refused request must not use the code up"
    )


@pytest.mark.parametrize(
    ("case", "headers"),
    [
        ("no credentials", {}),
        ("wrong secret", {"authorization": "Basic " + base64.b64encode(b"x:y").decode()}),
        ("broken header", {"authorization": "Basic %%%"}),
        ("bearer", {"authorization": "Bearer abc"}),
    ],
)
def test_a_client_that_does_not_authenticate_is_refused(
    world: World, browser: Browser, case: str, headers: dict[str, str]
) -> None:
    code = browser.arrive(world.reader, "amy")["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    got = browser.client.post("/oauth/tokens", data=body, headers=headers)
    _assert_refused(got, BAD_CLIENT)
    assert got.headers["www-authenticate"] == 'Basic realm="rollbook"'


def test_a_code_is_good_for_its_own_client_only(world: World, browser: Browser) -> None:
    code = browser.arrive(world.reader, "amy")["code"]
    _assert_refused(browser.exchange(world.door, code), BAD_CODE)
    assert browser.exchange(world.reader, code).status_code == 200


def test_a_code_that_comes_twice_takes_its_token_along(world: World, browser: Browser) -> None:
    code = browser.arrive(world.reader, "amy")["code"]
    token = browser.exchange(world.reader, code).json()["access_token"]
    assert browser.api("/v3.0/me", token).status_code == 200
    _assert_refused(browser.exchange(world.reader, code), BAD_CODE)
    assert browser.api("/v3.0/me", token).status_code == 401
    with world.database.read() as transaction:
        assert "code used twice, token revoked" in [entry.action for entry in audit.latest(transaction, 3)]


def test_access_lost_since_the_code_was_made_is_not_granted(world: World, browser: Browser) -> None:
    club = world.club("Narrowed", BACK)
    code, token = browser.arrive(club, "amy")["code"], world.browser().token(club, "ben")
    assert browser.api("/v3.0/me", token).status_code == 200
    applications.change(world.database, club.application, user_types=("teacher",))
    _assert_refused(browser.exchange(club, code), BAD_CODE)
    assert browser.api("/v3.0/me", token).status_code == 401


def test_a_stranger_is_refused_before_anything_is_written(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = world.app()

    def must_not_write(*_: object, **__: object) -> None:
        raise AssertionError("a write for somebody who is not known")

    monkeypatch.setattr(type(world.database), "write", must_not_write)
    got = world.browser(app).client.post(
        "/oauth/tokens", data={"grant_type": "authorization_code", "code": "x"}
    )
    _assert_refused(got, BAD_CLIENT)


def test_a_code_ends_after_its_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    code = browser.arrive(world.reader, "amy")["code"]
    later = logins.now() + 61
    monkeypatch.setattr(logins, "now", lambda: later)
    _assert_refused(browser.exchange(world.reader, code), BAD_CODE)


def test_a_user_token_ends_after_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    token = browser.token(world.reader, "amy")
    later = logins.now() + 24 * 3600 + 1
    monkeypatch.setattr(logins, "now", lambda: later)
    assert browser.api("/v3.0/me", token).status_code == 401


@pytest.mark.parametrize(
    ("challenge", "method", "verifier", "status"),
    [
        (CHALLENGE, "S256", VERIFIER, 200),
        (VERIFIER, "plain", VERIFIER, 200),
        (VERIFIER, "", VERIFIER, 200),
        (CHALLENGE, "S256", "", 400),
        (CHALLENGE, "S256", VERIFIER + "x", 400),
        (CHALLENGE, "S256", CHALLENGE, 400),
        (VERIFIER, "plain", VERIFIER[:-1] + "x", 400),
        (CHALLENGE, "S256", "short", 400),
    ],
)
def test_a_challenge_is_honoured(
    world: World, browser: Browser, challenge: str, method: str, verifier: str, status: int
) -> None:
    more = {"code_challenge": challenge} | ({"code_challenge_method": method} if method else {})
    code = browser.arrive(world.reader, "amy", **more)["code"]
    got = browser.exchange(world.reader, code, **({"code_verifier": verifier} if verifier else {}))
    assert got.status_code == status
    if status == 400:
        assert got.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/xml"])
def test_other_content_types_are_refused(world: World, browser: Browser, kind: str) -> None:
    headers = world.reader.basic | {"content-type": kind}
    got = browser.client.post("/oauth/tokens", content="grant_type=authorization_code", headers=headers)
    _assert_refused(got, (400, "invalid_request", "invalid content-type"))


@pytest.mark.parametrize("body", [b"[]", b"{", b"1"])
def test_json_that_is_no_object_is_refused(world: World, browser: Browser, body: bytes) -> None:
    headers = world.reader.basic | {"content-type": "application/json"}
    _assert_refused(
        browser.client.post("/oauth/tokens", content=body, headers=headers), (400, "invalid_request", None)
    )


def test_a_parameter_twice_in_the_body_is_refused(world: World, browser: Browser) -> None:
    headers = world.reader.basic | {"content-type": "application/x-www-form-urlencoded"}
    got = browser.client.post(
        "/oauth/tokens", content="code=a&code=b&grant_type=authorization_code", headers=headers
    )
    _assert_refused(got, (400, "invalid_request", None))


def test_two_different_credentials_in_one_request_are_refused(world: World, browser: Browser) -> None:
    body = {
        "grant_type": "authorization_code",
        "client_id": world.door.client_id,
        "client_secret": world.door.secret,
    }
    got = browser.client.post("/oauth/tokens", data=body, headers=world.reader.basic)
    _assert_refused(got, (400, "invalid_request", None))


def test_an_old_secret_works_on_through_the_overlap_and_no_longer(world: World, browser: Browser) -> None:
    club = _club(world, "Rotating")
    new = applications.rotate_secret(world.database, club.application, overlap_seconds=3600)
    assert _may_list(browser, club)
    assert _may_list(browser, Club(club.application, new))
    applications.rotate_secret(world.database, club.application, overlap_seconds=0)
    assert not _may_list(browser, Club(club.application, new))


# Forms, frames, caches, cookies ----------------------------------------------------------------------


FORMS = (
    *("/in/{slug}", "/badge", "/badges", "/logout"),
    *("/oauth/confirm", "/oauth/allow", "/oauth/deny", "/oauth/withdraw"),
)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_is_not_ours_is_refused(world: World, path: str) -> None:
    browser = world.browser()
    browser.sign_in("amy")
    slug = browser.get("/login").headers["location"].removeprefix("/in/")
    other = world.browser()
    foreign = {"form": "0" * 64, "person": world.ids["ben"], "username": "amya", "password": "apple 1"}
    for form in ({}, {"form": ""}, foreign, {"form": _form_of(other)}):
        got = browser.client.post(path.format(slug=slug), data=form)
        assert got.status_code == 403
        assert "set-cookie" not in got.headers


def test_every_page_stays_out_of_frames_and_caches(world: World, browser: Browser) -> None:
    pages = [
        browser.follow(browser.get("/login")),
        browser.get("/badge"),
        browser.get("/oauth/authorize"),
        browser.sign_in("amy"),
    ]
    for page in pages:
        assert page.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert [script for script in scripts if ' src="/static/' not in script] == []


def test_forms_may_only_lead_here_and_to_the_application_that_asked(world: World, browser: Browser) -> None:
    page = browser.follow(browser.ask(world.reader))
    assert "form-action 'self' https://reader.example;" in page.headers["content-security-policy"]
    assert "form-action 'self';" in browser.follow(browser.get("/login")).headers["content-security-policy"]


def test_the_parameters_of_a_page_lead_only_back(world: World, browser: Browser) -> None:
    for carried in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "x\r\nlocation: https://evil.example",
    ):
        page = browser.follow(browser.get("/login", ask=carried))
        got = browser.press(page, person=world.ids["amy"])
        assert got.status_code == 303
        assert got.headers["location"].startswith("/oauth/authorize?")
        browser = world.browser()


@pytest.mark.parametrize("path", ["/static", "/static/", "/login//", "/in", "/oauth/authorize/"])
def test_no_path_redirects_to_a_host_that_a_client_names(browser: Browser, path: str) -> None:
    got = browser.client.get(path, headers={"host": "evil.example"})
    assert "evil.example" not in got.headers.get("location", "")


def test_cookies_are_bound_to_the_host_over_https(world: World) -> None:
    browser = world.browser(world.app(public_url="https://testserver"), base="https://testserver")
    page = browser.follow(browser.get("/login"))
    put = page.headers.get_list("set-cookie") + browser.press(page, person=world.ids["amy"]).headers.get_list(
        "set-cookie"
    )
    assert len(put) == 3
    for cookie in put:
        assert cookie.startswith("__Host-rollbook-")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


def test_each_sign_in_has_a_session_of_its_own(world: World, browser: Browser) -> None:
    browser.client.cookies.set("rollbook-session", "planted-by-somebody-else")
    browser.sign_in("amy")
    first = _session(browser)
    assert first != "planted-by-somebody-else"
    page = browser.follow(browser.ask(world.reader, prompt="login"))
    browser.press(page, person=world.ids["ben"])
    assert _session(browser) != first
    with world.database.read() as transaction:
        assert logins.session(transaction, first, idle_seconds=100) is None


@pytest.mark.parametrize(("seconds", "is_in"), [(7190, True), (7300, False)])
def test_an_idle_browser_is_signed_out(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: int, is_in: bool
) -> None:
    browser = world.browser()
    browser.sign_in("amy")
    later = logins.now() + seconds
    monkeypatch.setattr(logins, "now", lambda: later)
    assert ("code" in browser.ask(world.reader).headers["location"].partition("?")[2][:4]) is is_in


@pytest.mark.parametrize("page", ["portal", "application"])
def test_using_any_page_keeps_a_session_from_being_idle(
    world: World, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    browser = world.browser(world.app(session_idle_seconds=60))
    browser.sign_in("amy")
    start = logins.now()
    for seconds in range(13, 150, 13):
        monkeypatch.setattr(logins, "now", lambda later=start + seconds: later)
        if page == "portal":
            assert "Sign out" in browser.follow(browser.get("/login")).text
        else:
            assert browser.ask(world.reader).headers["location"].startswith(BACK)
    monkeypatch.setattr(logins, "now", lambda: start + 143 + 61)
    assert "Sign out" not in browser.follow(browser.get("/login")).text


def test_a_busy_browser_is_signed_out_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    browser.sign_in("amy")
    start = logins.now()
    for hours in range(1, 12):
        later = start + hours * 3600
        monkeypatch.setattr(logins, "now", lambda later=later: later)
        assert browser.ask(world.reader).headers["location"].startswith(BACK)
    later = start + 12 * 3600 + 1
    monkeypatch.setattr(logins, "now", lambda: later)
    assert browser.ask(world.reader).headers["location"].startswith("/in/")


def test_signing_out_ends_the_session(world: World, browser: Browser) -> None:
    page = browser.sign_in("amy")
    secret = _session(browser)
    browser.press(page, "/logout")
    with world.database.read() as transaction:
        assert logins.session(transaction, secret, idle_seconds=7200) is None


TABLES = ("codes", "user_tokens", "sessions", "application_secrets", "audit")


def test_secrets_are_stored_as_hashes_and_never_in_the_trail(world: World, browser: Browser) -> None:
    code = browser.arrive(world.reader, "amy")["code"]
    token = browser.exchange(world.reader, code).json()["access_token"]
    session = _session(browser)
    with world.database.read() as transaction:
        stored = str([transaction.rows(f"SELECT * FROM {table}") for table in TABLES])
    for secret in (code, token, session, world.reader.secret):
        assert secret not in stored
    for secret in (code, token, session):
        assert digest(secret) in stored


def test_only_a_demo_lets_people_choose_who_to_be(world: World) -> None:
    browser = world.browser(world.app(is_demo=False))
    page = browser.follow(browser.get("/login"))
    assert "Who do you want to be" not in page.text
    got = browser.press(page, "/in/", person=world.ids["amy"]) if "/in/" in page.text else page
    assert "rollbook-session" not in got.headers.get("set-cookie", "")


def _club(world: World, name: str) -> Club:
    try:
        return Club(
            *applications.create(world.database, NewApplication(name, redirect_uris=(BACK,), has_oidc=True))
        )
    except Conflict:
        found = applications.find(world.database, name)
        return Club(found, applications.rotate_secret(world.database, found, overlap_seconds=0))


def _may_list(browser: Browser, club: Club) -> bool:
    return browser.client.get("/oauth/tokens", headers=club.basic).status_code == 200


def _form_of(browser: Browser) -> str:
    page = browser.get("/badge")
    return page.text.partition('name="form" value="')[2].partition('"')[0]


def _session(browser: Browser) -> str:
    return [cookie.value or "" for cookie in browser.client.cookies.jar if cookie.name == "rollbook-session"][
        -1
    ]


def _assert_refused(got: Any, expected: tuple[int, str, str | None]) -> None:
    status, code, message = expected
    assert (got.status_code, got.json()["error"]) == (status, code)
    assert sorted(got.json()) == ["error", "error_description"]
    if message:
        assert got.json()["error_description"] == message
    assert got.headers["cache-control"] == "no-store"
