"""Unmodified npm clients sign people in at a running server and read lists; only addresses are changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from rollbook.demo import published
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from tests import machine
from tests.journeys import node, program
from tests.journeys.node import Site
from tests.journeys.program import Server
from tests.sso import Browser, Club, World

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("clients")]

BACK = "http://site.example/callback"
BEARER = {"authorization": "Bearer TEST_TOKEN"}


@pytest.fixture(scope="module")
def clients() -> None:
    """The clients, installed."""
    if reason := node.missing():
        machine.lacks(reason)
    node.install()


@pytest.fixture(scope="module")
def club(sso_world: World, sso_server: str) -> Club:
    return sso_world.club(f"npm {sso_server}", BACK)


def relying_party(
    club: Club, server: str, method: str = "client_secret_basic"
) -> AbstractContextManager[Site]:
    return _site("relying_party.mjs", club, server, METHOD=method)


def passport(club: Club, server: str, strategy: str = "clever-passport") -> AbstractContextManager[Site]:
    return _site("passport_app.cjs", club, server, STRATEGY=strategy)


def _site(name: str, club: Club, server: str, **more: str) -> AbstractContextManager[Site]:
    return node.site(
        name, SERVER=server, CLIENT_ID=club.client_id, CLIENT_SECRET=club.secret, REDIRECT_URI=BACK, **more
    )


def changed(address: str, name: str, value: str) -> str:
    """The address with another value of a parameter, or without the parameter if the value is blank."""
    query = dict(parse_qsl(urlsplit(address).query)) | {name: value}
    return (
        urlsplit(address)
        ._replace(query=urlencode({key: text for key, text in query.items() if text}))
        .geturl()
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_openid_client_logs_in_by_discovery_and_checks_all_that_it_is_sent(
    sso_world: World, sso_server: str, person: Browser, club: Club, method: str
) -> None:
    with relying_party(club, sso_server, method) as site:
        begun = site.login()
        outcome = site.callback(person.log_in(begun, "gil"))

    who = {
        "sub": sso_world.ids["gil"],
        "user_id": ANY,
        "multi_role_user_id": sso_world.ids["gil"],
        "user_type": "district_admin",
        "email": "gil@example.org",
        "email_verified": False,
        "given_name": "Gil",
        "family_name": "Gold",
        "district": sso_world.district.id,
    }
    more = {
        "district_id": sso_world.district.id,
        "name": {"first": "Gil", "middle": "", "last": "Gold"},
        "schools": [],
        "authorized_by": "district",
    }
    (nonce,) = parse_qs(urlsplit(begun).query)["nonce"]
    verified = {"iss": sso_server, "aud": club.client_id, "iat": ANY, "exp": ANY, "nonce": nonce}
    assert outcome == {"claims": who | verified, "userinfo": who | more}


@pytest.mark.parametrize(
    ("name", "value", "code", "reason"),
    [
        ("nonce", "another", "OAUTH_JWT_CLAIM_COMPARISON_FAILED", 'unexpected ID Token "nonce" claim value'),
        ("code_challenge", "x" * 43, "OAUTH_RESPONSE_BODY_ERROR", "invalid_grant"),
    ],
    ids=["nonce", "challenge"],
)
def test_openid_client_refuses_a_login_whose_beginning_was_changed(
    sso_server: str, person: Browser, club: Club, name: str, value: str, code: str, reason: str
) -> None:
    with relying_party(club, sso_server) as site:
        outcome = site.callback(person.log_in(changed(site.login(), name, value), "lund"))
    assert outcome == {"code": code, "reason": reason}


@pytest.mark.parametrize(
    ("name", "value", "code", "reason"),
    [
        ("state", "another", "OAUTH_INVALID_RESPONSE", 'unexpected "state" response parameter value'),
        (
            "iss",
            "https://other.example",
            "OAUTH_INVALID_RESPONSE",
            'unexpected "iss" (issuer) response parameter value',
        ),
        ("iss", "", "OAUTH_INVALID_RESPONSE", 'response parameter "iss" (issuer) missing'),
        ("code", "another", "OAUTH_RESPONSE_BODY_ERROR", "invalid_grant"),
    ],
    ids=["state", "issuer", "no issuer", "code"],
)
def test_openid_client_refuses_a_login_whose_end_was_changed(
    sso_server: str, person: Browser, club: Club, name: str, value: str, code: str, reason: str
) -> None:
    with relying_party(club, sso_server) as site:
        outcome = site.callback(changed(person.log_in(site.login(), "lund"), name, value))
    assert outcome == {"code": code, "reason": reason}


AUTH_JS = {
    "@auth/core": "http://site.example/auth/callback/rollbook",
    "next-auth": "http://site.example/api/auth/callback/rollbook",
}


@pytest.mark.parametrize("library", AUTH_JS)
@pytest.mark.parametrize(("provider", "has_oidc"), [("oauth", None), ("oidc", True)])
def test_auth_js_logs_in_with_the_defaults_of_its_providers(
    sso_world: World, sso_server: str, person: Browser, library: str, provider: str, has_oidc: bool | None
) -> None:
    back = AUTH_JS[library]
    switched: Any = {} if has_oidc is None else {"has_oidc": has_oidc}
    made, secret = applications.create(
        sso_world.database,
        NewApplication(f"{library} {provider} {sso_server}", redirect_uris=(back,), **switched),
    )
    sso_world.connect(made)
    settings = {
        "SERVER": sso_server,
        "CLIENT_ID": made.client_id,
        "CLIENT_SECRET": secret,
        "REDIRECT_URI": back,
    }
    with node.site("authjs.mjs", **settings, LIBRARY=library, PROVIDER=provider) as site:
        outcome = site.callback(person.log_in(site.login(), "lund"))
    assert outcome == {"user": {"name": "Lars", "email": "lund@example.org"}, "problems": []}


@pytest.mark.parametrize("strategy", ["clever-passport", "passport-clever"])
def test_a_passport_strategy_logs_a_teacher_in(
    sso_world: World, sso_server: str, person: Browser, club: Club, strategy: str
) -> None:
    with passport(club, sso_server, strategy) as site:
        outcome = site.callback(person.log_in(site.login(), "lund"))

    assert outcome == {
        "user": {
            "id": sso_world.ids["lund"],
            "district": sso_world.district.id,
            "type": "user",
            "authorized_by": "district",
            "email": "lund@example.org",
            "name": {"first": "Lars", "middle": "", "last": "Lund"},
        }
    }


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("state", {"user": False, "reason": "Invalid authorization request state."}),
        ("code", {"code": "invalid_grant", "reason": "invalid code"}),
    ],
    ids=["state", "code"],
)
def test_a_passport_strategy_refuses_a_login_whose_end_was_changed(
    sso_server: str, person: Browser, club: Club, name: str, outcome: dict[str, Any]
) -> None:
    with passport(club, sso_server) as site:
        assert outcome == site.callback(changed(person.log_in(site.login(), "lund"), name, "another"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo on its second day, so that there are events."""
    with program.serving("demo", "--students", "60", folder=tmp_path_factory.mktemp("demo")) as server:
        httpx.post(
            f"{server.base}/demo/advance", json={"scenario": "student-changes-school"}, headers=BEARER
        ).raise_for_status()
        yield server


def test_clever_js_streams_counts_and_reads_lists_from_their_end(demo: Server) -> None:
    with httpx.Client(base_url=f"{demo.base}/v3.0", headers=BEARER) as client:
        kinds = ("districts", "schools", "sections", "users", "events")
        lists = {
            kind: [row["data"] for row in client.get(f"/{kind}?limit=1000").json()["data"]] for kind in kinds
        }
    students = [user for user in lists["users"] if "student" in user["roles"]]
    assert min(map(len, (lists["schools"], lists["sections"], students, lists["events"]))) > 1

    found = node.printed("lists.cjs", SERVER=demo.base, TOKEN="TEST_TOKEN")

    assert found == {
        "districts": lists["districts"],
        "school": lists["schools"][0],
        "schools": lists["schools"],
        "sections": lists["sections"],
        "students": students,
        "count": len(students),
        "last": students[-2:],
        "events": lists["events"],
    }


def test_a_typescript_client_from_the_served_document_pulls_all_and_logs_in(
    demo: Server, tmp_path: Path
) -> None:
    node.run(
        "node",
        "node_modules/openapi-typescript/bin/cli.js",
        f"{demo.base}/openapi.json",
        "-o",
        str(tmp_path / "schema.d.ts"),
    )
    shutil.copy(node.FOLDER / "typed_client.ts", tmp_path)
    (tmp_path / "node_modules").symlink_to(node.FOLDER / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    strict = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "esnext"]
    node.run(
        "node",
        "node_modules/typescript/bin/tsc",
        *strict,
        "--moduleResolution",
        "bundler",
        str(tmp_path / "typed_client.ts"),
    )
    with httpx.Client(base_url=demo.base, headers=BEARER) as client:
        kinds = ("schools", "terms", "courses", "sections", "users", "resources", "events")
        lists = {
            kind: [row["data"] for row in client.get(f"/v3.0/{kind}?limit=10000").json()["data"]]
            for kind in kinds
        }
        login = client.post("/demo/code", json={"person": "teacher"}).json()
        classes = client.get(f"/v3.0/users/{login['person']['id']}/sections").json()["data"]
    settings = {"SERVER": demo.base, "TOKEN": "TEST_TOKEN", "CLIENT_ID": published.APPLICATION.client_id}
    code = {"CODE": login["code"], "REDIRECT_URI": login["redirect_uri"]}
    found = node.printed(
        str(tmp_path / "typed_client.js"), **settings, **code, CLIENT_SECRET=published.APPLICATION.secret
    )

    assert all(lists.values())
    assert found == {
        **lists,
        "teachers": [
            f"{user['name']['first']} {user['name']['last']} {user['roles']['teacher']['sis_id']}"
            for user in lists["users"]
            if "teacher" in user["roles"]
        ],
        "who": login["person"]["id"],
        "classes": [element["data"]["name"] for element in classes],
        "missing": [404, "Resource not found"],
    }
