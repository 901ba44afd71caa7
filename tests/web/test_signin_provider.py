"""A district's own sign-in service: another server of ours acts as the service, then lies in each relevant
way."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from rollbook.auth import services
from rollbook.errors import BadSetting
from rollbook.store.accounts import audit, credentials
from rollbook.store.accounts.credentials import NewProvider
from tests.sso import Browser, World

ISSUER = "https://login.district.example"
KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
OTHER_KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": str(KEY.kid)})


class Service:
    """The service: it answers discovery, keys and the exchange; `claims` and `changes` make it lie."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.key = KEY
        self.header = {"alg": "RS256", "kid": KEY.kid}
        self.issuer = ISSUER
        self.published = KEY
        self.exchanged: dict[str, str] = {}
        self.nonce = ""
        self.asked: list[str] = []

    def __call__(self, method: str, address: str, body: dict[str, str] | None, **_: Any) -> tuple[int, bytes]:
        path = urlsplit(address).path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            endpoints = {
                name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            }
            return _json({"issuer": self.issuer, **endpoints})
        if path == "/jwks_uri":
            return _json({"keys": [self.published.as_dict(private=False)]})
        self.exchanged = dict(body or {})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "1",
            "aud": "rollbook",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
        }
        claims |= {"email": "Fay@example.org", "email_verified": True, **self.claims}
        kept = {name: value for name, value in claims.items() if value is not None}
        return _json({"id_token": jwt.encode(self.header, kept, self.key)})


def _json(body: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps(body).encode()


@pytest.fixture
def told(sso_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    told = Service()
    monkeypatch.setattr(services, "ask", told)
    with sso_world.database.write() as transaction:
        credentials.set_provider(
            transaction,
            sso_world.sealer,
            sso_world.district.number,
            NewProvider(
                name="District Login",
                issuer=ISSUER,
                client_id="rollbook",
                secret="kept secret",
            ),
        )
    yield told
    with sso_world.database.write() as transaction:
        credentials.drop_provider(transaction, sso_world.district.number)


def _leave(browser: Browser, told: Service) -> dict[str, str]:
    page = browser.follow(browser.ask(browser.world.reader, state="mine"))
    link = re.search(r'href="([^"]+/provider[^"]*)"', page.text)
    assert link
    sent = browser.client.get(unescape(link[1]))
    assert sent.headers["location"].startswith(f"{ISSUER}/authorization_endpoint?")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    told.nonce = asked["nonce"]
    return asked


def test_a_person_of_the_roster_comes_back_signed_in(sso_world: World, told: Service) -> None:
    browser = sso_world.browser()
    asked = _leave(browser, told)
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid email", "S256")
    end = browser.follow(browser.get("/oauth/callback", code="c", state=asked["state"]))
    assert end.headers["location"].startswith("https://reader.example/back?code=")
    assert "state=mine" in end.headers["location"]
    assert told.exchanged["client_secret"] == "kept secret"
    assert told.exchanged["redirect_uri"] == asked["redirect_uri"]
    assert len(told.exchanged["code_verifier"]) >= 43
    with sso_world.database.read() as transaction:
        stored = str(transaction.rows("SELECT * FROM providers")) + str(audit.latest(transaction))
    assert "kept secret" not in stored


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody"},
    "several audiences without us as party": {"aud": ["rollbook", "other"], "azp": "other"},
    "one audience, and another party": {"azp": "other"},
    "several audiences, and no party": {"aud": ["rollbook", "other"]},
    "another nonce": {"nonce": "x"},
    "a list of nonces": {"nonce": ["x"]},
    "a nonce that is a number": {"nonce": 0},
    "an empty nonce": {"nonce": ""},
    "a nonce that is no text": {"nonce": "\ud800"},
    "a list of issuers": {"iss": [ISSUER]},
    "a long time ago": {"iat": int(time.time()) - 100_000},
    "a moment that is text": {"iat": "now"},
    "a moment that is true": {"iat": True},
    "a moment that is no number": {"iat": float("nan")},
    "an end that is no number": {"exp": float("nan")},
    "an end that never comes": {"exp": float("inf")},
    "an end before the beginning": {"exp": int(time.time()) - 30, "iat": int(time.time())},
    "not yet": {"nbf": int(time.time()) + 10_000},
    "a time beyond all numbers": {"exp": 10**400},
    "a subject that is a number": {"sub": 1},
    "an empty subject": {"sub": ""},
    "a long subject": {"sub": "x" * 256},
    "an email with a NUL": {"email": "fay@example.org\0"},
    "an email that is no text": {"email": "fay\ud800@example.org"},
    "an email without end": {"email": "fay@" + "e" * 1000},
    "a list of emails": {"email": ["fay@example.org"]},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "from the future": {"iat": int(time.time()) + 10_000},
    "no subject": {"sub": None},
    "an email that it does not vouch for": {"email_verified": False},
    "an email of which it does not say so": {"email_verified": None},
    "an email that is another one in small letters": {
        "email": "fay@example.org".replace("y", "Y") + "\u212a"
    },
    "no email": {"email": None},
    "nobody's email": {"email": "stranger@example.org"},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_unverified_token_signs_nobody_in(sso_world: World, told: Service, lie: str) -> None:
    browser = sso_world.browser()
    asked = _leave(browser, told)
    told.claims = LIES[lie]
    _assert_stopped(browser, browser.get("/oauth/callback", code="c", state=asked["state"]))
    with sso_world.database.read() as transaction:
        last = audit.latest(transaction, 1)[0]
    assert (last.action, last.detail["method"], bool(last.detail["why"])) == (
        "sign-in failed",
        "provider",
        True,
    )


ISSUERS = (
    "",
    "id.example",
    "http://id.example",
    "ftp://id.example",
    "https://",
    "https://id.example:x",
    "http://[::1",
)


@pytest.mark.parametrize("issuer", ISSUERS)
def test_a_service_whose_word_could_be_changed_on_the_way_is_no_service(
    sso_world: World, told: Service, issuer: str
) -> None:
    number = sso_world.district.number
    asked: Any = {"name": "L", "issuer": issuer, "client_id": "rollbook", "secret": "s"}
    with (
        pytest.raises(BadSetting, match="issuer: expected an https address"),
        sso_world.database.write() as transaction,
    ):
        credentials.set_provider(transaction, sso_world.sealer, number, NewProvider(**asked))
    # An older service with such an address is not asked.
    with sso_world.database.write() as transaction:
        transaction.run("UPDATE providers SET issuer = ? WHERE district = ?", (issuer, number))
    browser = sso_world.browser()
    page = browser.follow(browser.get("/login"))
    stopped = browser.client.get(unescape(re.findall(r'href="([^"]+/provider[^"]*)"', page.text)[0]))
    assert (stopped.status_code, told.asked) == (403, [])


@pytest.mark.parametrize(
    ("domain", "trusts", "lie", "status"),
    [
        ("", True, {"email_verified": None}, 303),
        ("", True, {"email_verified": False}, 403),
        ("example.org", False, {}, 303),
        ("other.example", False, {}, 403),
        ("Example.ORG", True, {"email_verified": None}, 303),
    ],
)
def test_a_district_says_which_emails_it_believes(
    sso_world: World, told: Service, domain: str, trusts: bool, lie: dict[str, Any], status: int
) -> None:
    with sso_world.database.write() as transaction:
        asked: Any = {"name": "L", "issuer": ISSUER, "client_id": "rollbook", "secret": "s"}
        number = sso_world.district.number
        credentials.set_provider(
            transaction, sso_world.sealer, number, NewProvider(trusts_email=trusts, domain=domain, **asked)
        )
    browser = sso_world.browser()
    sent = _leave(browser, told)
    told.claims = lie
    assert browser.get("/oauth/callback", code="c", state=sent["state"]).status_code == status


def test_a_signature_of_another_key_is_refused(sso_world: World, told: Service) -> None:
    browser = sso_world.browser()
    asked = _leave(browser, told)
    told.key = OTHER_KEY
    _assert_stopped(browser, browser.get("/oauth/callback", code="c", state=asked["state"]))


def test_a_service_is_asked_for_its_keys_once_not_at_each_login(sso_world: World, told: Service) -> None:
    app = sso_world.app()
    for _ in range(3):
        browser = sso_world.browser(app)
        asked = _leave(browser, told)
        assert browser.get("/oauth/callback", code="c", state=asked["state"]).status_code == 303
    assert sorted(told.asked) == ["/.well-known/openid-configuration", "/jwks_uri", *["/token_endpoint"] * 3]


def test_keys_that_a_service_has_changed_are_fetched_anew(sso_world: World, told: Service) -> None:
    app = sso_world.app()
    for key in (KEY, OTHER_KEY):
        told.key = told.published = key
        browser = sso_world.browser(app)
        asked = _leave(browser, told)
        assert browser.get("/oauth/callback", code="c", state=asked["state"]).status_code == 303
    assert told.asked.count("/jwks_uri") == 2


def test_a_service_that_changes_its_name_is_refused(
    sso_world: World, told: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sso_world.browser()
    asked = _leave(browser, told)
    monkeypatch.setattr(services, "REMEMBERED_SECONDS", -1)
    told.issuer = "https://other.example"
    _assert_stopped(browser, browser.get("/oauth/callback", code="c", state=asked["state"]))


@pytest.mark.parametrize(
    "query", [{}, {"code": "c"}, {"code": "c", "state": "x"}, {"error": "access_denied"}]
)
def test_an_answer_that_was_not_asked_for_is_refused(
    sso_world: World, told: Service, query: dict[str, str]
) -> None:
    browser = sso_world.browser()
    _assert_stopped(browser, browser.get("/oauth/callback", **query))
    _leave(browser, told)
    _assert_stopped(browser, browser.get("/oauth/callback", **query))


def test_an_answer_of_another_service_is_refused(sso_world: World, told: Service) -> None:
    browser = sso_world.browser()
    asked = _leave(browser, told)
    _assert_stopped(
        browser, browser.get("/oauth/callback", code="c", state=asked["state"], iss="https://evil.example")
    )


def test_another_browser_cannot_use_the_answer(sso_world: World, told: Service) -> None:
    asked = _leave(sso_world.browser(), told)
    thief = sso_world.browser()
    _assert_stopped(thief, thief.get("/oauth/callback", code="c", state=asked["state"]))


def _assert_stopped(browser: Browser, got: Response) -> None:
    assert got.status_code in (400, 403)
    assert "rollbook-session=" not in str(got.headers.get_list("set-cookie"))
    assert "Who can fix it" in got.text
