"""Every answer of Identity and OAuth, checked against the OpenAPI document of the same server."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from rollbook.contract.clever.openapi import address
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS
from tests.sso import Browser, Club, World

OPERATION = {row.operation: row for row in SIGN_IN_OPERATIONS}
USER_TOKEN = ("getMe", "getMeUnversioned", "getUserInfo")


@pytest.fixture
def browser(sso_world: World) -> Browser:
    return sso_world.browser()


def flaws(browser: Browser, operation: str, answer: Response) -> list[str]:
    """Where an answer differs from the document; [] if it fits."""
    document: Any = browser.get("/openapi.json").json()
    row = OPERATION[operation]
    responses = document["paths"][address(row, "3.0")][row.method]["responses"]
    response = responses[str(answer.status_code)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "headers" in response:
        missing = [name for name in response["headers"] if name.lower() not in answer.headers]
        assert missing == [], (operation, answer.status_code)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    schema = response.get("content", {}).get(kind, {}).get("schema")
    assert schema is not None or not answer.content, (operation, kind)
    if kind != "application/json":
        return []
    validator = Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [
        *(error.message for error in validator.iter_errors(answer.json())),
        *(f"{key} is not in the schema" for key in _unknown(document, schema, answer.json())),
    ]


def _unknown(document: Any, schema: Any, value: Any) -> list[str]:
    """Keys on the wire that the shape does not have."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [key for each in value for key in _unknown(document, schema["items"], each)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    below = [key for name in value if name in known for key in _unknown(document, known[name], value[name])]
    return [*(name for name in value if name not in known), *below]


def clubs(world: World) -> tuple[tuple[Club, str], ...]:
    """An application with whole records and one of District SSO, each with a person who may enter it."""
    return (world.reader, "amy"), (world.door, "okoye")


@pytest.mark.parametrize("operation", USER_TOKEN)
def test_who_is_signed_in_fits_the_document(sso_world: World, browser: Browser, operation: str) -> None:
    path = address(OPERATION[operation], "3.0")
    for club, person in clubs(sso_world):
        token = sso_world.browser().token(club, person)
        answer = browser.api(path, token)
        assert (answer.status_code, flaws(browser, operation, answer)) == (200, [])
    assert flaws(browser, operation, browser.api(path, "nothing")) == []


def test_an_exchange_and_its_refusals_fit_the_document(sso_world: World, browser: Browser) -> None:
    for club, person in clubs(sso_world):
        code = sso_world.browser().arrive(club, person)["code"]
        refused = browser.exchange(club, code, "https://elsewhere.example")
        answer = browser.exchange(club, code)
        assert [refused.status_code, answer.status_code] == [400, 200]
        assert [] == flaws(browser, "exchangeCode", refused) == flaws(browser, "exchangeCode", answer)
    stranger = Club(sso_world.reader.application, "wrong")
    answer = browser.exchange(stranger, "x")
    assert (answer.status_code, flaws(browser, "exchangeCode", answer)) == (401, [])


def test_tokens_of_an_application_fit_the_document(sso_world: World, browser: Browser) -> None:
    basic = sso_world.reader.basic
    answer = browser.client.get("/oauth/tokens", headers=basic)
    assert (answer.status_code, flaws(browser, "getTokens", answer)) == (200, [])
    token = answer.json()["data"][0]["access_token"]
    info = browser.api("/oauth/tokeninfo", token)
    assert (info.status_code, flaws(browser, "getTokenInfo", info)) == (200, [])
    for operation, refused in (
        ("getTokens", browser.client.get("/oauth/tokens")),
        ("getTokenInfo", browser.api("/oauth/tokeninfo", "nothing")),
    ):
        assert (refused.status_code, flaws(browser, operation, refused)) == (401, [])


@pytest.mark.parametrize("operation", ["getOpenidConfiguration", "getCerts"])
def test_what_everybody_may_read_fits_the_document(browser: Browser, operation: str) -> None:
    answer = browser.get(OPERATION[operation].path)
    assert (answer.status_code, flaws(browser, operation, answer)) == (200, [])


def test_a_sign_in_link_is_answered_as_the_document_says(sso_world: World, browser: Browser) -> None:
    for answer in (
        browser.ask(sso_world.reader, district_id=sso_world.district.id),
        browser.ask(sso_world.reader, redirect_uri="https://elsewhere.example"),
    ):
        assert flaws(browser, "authorize", answer) == []
