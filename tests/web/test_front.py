"""The front page, the document and the static files, over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from rollbook.contract.clever import versions
from rollbook.contract.clever.openapi import document
from rollbook.demo import published
from rollbook.demo.access_sheet import Entrance, Handout, Key
from rollbook.store.district.districts import District
from rollbook.web import front
from rollbook.web.data.data_request import Request as Read
from rollbook.web.docs import doc_pages
from rollbook.web.http.answers import Answer
from rollbook.web.http.demo_lines import curl_lines
from rollbook.web.http.static_files import static_files
from rollbook.web.http.templates import environment

BASE = "http://rollbook.test"
STATIC = Path(front.__file__).parent / "static"
TOKEN, BASIC = "TEST_TOKEN", "aWQ6c2VjcmV0"
NAME = "#DEMO <Willow> & Sons"


def told(base: str) -> Handout:
    district = District(1, "6a82a360ccfc7fac00000000", NAME, "2026-08-17T06:00:00.000Z")
    client = published.APPLICATION
    entrance = Entrance(
        client,
        ("http://localhost:3000/back",),
        False,
        f"{base}oauth/authorize?a=b&c=d",
        "/oauth/authorize?a=b&c=d",
    )
    keys = (
        Key(TOKEN, f"all of {NAME}", district, client.client_id),
        Key("ilc_A", "Amy", district, client.client_id, "student"),
    )
    return Handout(base, "rollbook-demo/rollbook.db", (entrance,), keys)


def reads(asked: Read) -> Answer:
    """The API's answer, as far as the front page asks."""
    assert (asked.path, asked.query, asked.authorization) == (
        "/v3.0/users",
        "role=teacher&limit=1",
        f"Bearer {TOKEN}",
    )
    return Answer(200, (), b'{"data":[{"data":{"id":"0a","email":"<amy>@example.org"}}]}')


def elsewhere(_: object) -> PlainTextResponse:
    """A page of another part of the server."""
    return PlainTextResponse("")


# Targets of the pages' links that other modules serve.
OTHERS = [
    Route(path, elsewhere)
    for path in ("/login", "/badge", "/console", "/demo", "/log", "/explorer", "/oauth/authorize")
]
DOCS = doc_pages.routes(environment(in_demo=False))
DEMO = Starlette(
    routes=[
        *OTHERS,
        *front.routes(environment(in_demo=True), front.Published(TOKEN, BASIC, NAME, told), reads),
        *DOCS,
        static_files().route(),
    ]
)
HUB = Starlette(
    routes=[
        *OTHERS,
        *front.routes(environment(in_demo=False), None, reads),
        *DOCS,
        static_files().route(),
    ]
)
PAGES = ("/",)


def ask(app: Starlette, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]*)"', html)


# --- pages


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_that_no_cache_keeps(path: str) -> None:
    answer = ask(DEMO, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
def test_every_answer_is_guarded(path: str) -> None:
    headers = ask(DEMO, path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == ("'none'" if path == "/openapi.json" else "'self'")
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
def test_head_has_the_headers_of_get(path: str) -> None:
    get, head = ask(DEMO, path), ask(DEMO, path, "HEAD")
    assert head.status_code == 200
    assert {name: get.headers[name] for name in ("content-type", "content-length")} == {
        name: head.headers[name] for name in ("content-type", "content-length")
    }


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("app", [DEMO, HUB], ids=["demo", "hub"])
def test_every_address_on_a_page_is_on_this_server_and_there(app: Starlette, path: str) -> None:
    html = ask(app, path).text
    found = [address for address in addresses(html) if not address.startswith("#")]
    assert [one for one in addresses(html) if one[0] == "#" and f'id="{one[1:]}"' not in html] == []
    assert [address for address in found if not re.match(r"/(?!/)", address)] == []
    assert {200} == {ask(app, address).status_code for address in found}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_script_or_style(path: str) -> None:
    html = ask(DEMO, path).text
    assert re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html) is None


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_without_a_mouse_or_a_screen(path: str) -> None:
    html = ask(DEMO, path).text
    assert '<html lang="en">' in html
    assert html.index('class="skip" href="#main"') < html.index("<header") < html.index(' id="main"')
    assert html.count("<h1>") == 1
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


def test_the_front_page_says_what_the_server_is_and_what_it_is_not() -> None:
    text = " ".join(ask(HUB, "/").text.split())
    assert f"speaks the Clever API {' and '.join(versions.SPOKEN)}:" in text
    assert "not affiliated with or endorsed by Clever Inc." in text
    assert {"/explorer", "/openapi.json"} <= set(addresses(text))


def test_a_demo_shows_its_tokens_its_applications_and_lines_to_paste() -> None:
    html = ask(DEMO, "/").text
    assert "#DEMO &lt;Willow&gt; &amp; Sons" in html
    text = re.sub(r"<[^>]+>", "", html)
    for shown in (
        TOKEN,
        "ilc_A",
        published.APPLICATION.client_id,
        published.APPLICATION.secret,
        "http://localhost:3000/back",
        f"{BASE}/oauth/authorize?a=b&amp;c=d",
        "rollbook application set ",
    ):
        assert f"{shown}" in text
    assert '<a href="/oauth/authorize?a=b&amp;c=d">' in html
    copies = re.findall(r'aria-label="(Copy [^"]+)" hidden>', html)
    assert (len(copies), len({*copies})) == (11, 11)


def test_a_demo_shows_its_doors_and_a_line_with_its_answer_before_its_keys() -> None:
    html = ask(DEMO, "/").text
    doors = ("Try the API</a></h3>", "Sign in as a person</a></h3>", "Let time pass</a></h3>")
    places = [html.index(one) for one in ("One line in your terminal", "200 OK", *doors)]
    assert places == sorted(places)
    assert places[-1] < html.index("Client secret")
    assert (
        f'curl -H "Authorization: Bearer {TOKEN}" "{BASE}/v3.0/users?role=teacher&amp;limit=1"'
        in unquoted(html)
    )
    assert "&lt;amy&gt;@example.org" in html
    keys = html.partition('id="keys"')[2]
    assert all("<details" in part for part in keys.split("Client secret")[:-1])


def test_a_real_server_speaks_to_a_pupil_a_district_and_an_operator_before_a_developer() -> None:
    html = ask(HUB, "/").text
    assert '<form class="seek" method="get" action="/login"' in html
    places = [
        html.index(one)
        for one in ("I go to school", "I work for a district", "I run this server", "For developers")
    ]
    assert places == sorted(places)


def unquoted(html: str) -> str:
    return html.replace("&#34;", '"')


@pytest.mark.parametrize("path", PAGES)
def test_a_server_that_is_no_demo_shows_no_token(path: str) -> None:
    html = ask(HUB, path).text
    assert re.search(r"data-token|Bearer|Basic|curl|/oauth/authorize|Client id", html) is None


def test_the_lines_name_the_host_that_was_asked() -> None:
    assert f"{BASE}/v3.0/users" in ask(DEMO, "/").text


def test_curl_lines() -> None:
    bearer, base = 'curl -H "Authorization: Bearer abc"', "http://127.0.0.1:8400"
    users, sections = (
        f'{bearer} "{base}/v3.0/users?role=teacher&limit=3"',
        f'{bearer} "{base}/v3.0/sections?limit=1"',
    )
    assert curl_lines(f"{base}/", "abc") == (
        users,
        sections,
        f'{bearer} "{base}/v3.0/users?count=true"',
    )
    tokens = f'curl -H "Authorization: Basic xyz" "{base}/oauth/tokens?owner_type=district"'
    assert curl_lines(base, "abc", "xyz") == (users, sections, tokens)


# --- the document


def test_the_document_is_served_as_it_is_made() -> None:
    answer = ask(HUB, "/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert json.loads(answer.content) == document()


def test_a_document_that_is_known_is_not_sent_again() -> None:
    etag = ask(HUB, "/openapi.json").headers["etag"]
    assert etag.startswith("W/"), "it was compressed"
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        answer = ask(HUB, "/openapi.json", **{"If-None-Match": known})
        assert (304, b"", etag) == (answer.status_code, answer.content, answer.headers["etag"])
    assert ask(HUB, "/openapi.json", **{"If-None-Match": '"other"'}).status_code == 200
