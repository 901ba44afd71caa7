"""The pages in a real browser: no errors, no other host, marks to be seen, a request to be sent, by keyboard
and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rollbook.contract.clever import openapi
from rollbook.web import front
from rollbook.web.http.answers import Answer
from rollbook.web.http.static_files import static_files
from rollbook.web.http.templates import environment
from tests.web.chromium import FLAWS, POOR_CONTRAST, served

pytestmark = pytest.mark.browser

TOKEN, BASIC = "TEST_TOKEN", "aWQ6c2VjcmV0"
LIST_USERS = "/explorer#/Users/getUsers"
TABS_MAX = 200


@dataclass
class Site:
    """A running server; `authorizations` are the headers that came with requests to the API."""

    url: str = ""
    authorizations: list[str | None] = field(default_factory=list)

    async def page(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("authorization"))
        return JSONResponse({"data": [], "links": [{"rel": "self", "uri": request.url.path}]})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    pages = front.routes(
        environment(in_demo=True),
        front.Published(TOKEN, BASIC, "#DEMO Willow Unified"),
        lambda _: Answer(200, (), b"{}"),
    )
    pages.append(static_files().route())
    app = Starlette(routes=[Route("/v3.0/users", site.page), Route("/oauth/tokens", site.page), *pages])
    with served(app) as site.url:
        yield site


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Browser:
    return chromium


@dataclass
class Visit:
    """A page with what it did: complaints on the console, and the hosts it asked."""

    page: Page
    complaints: list[str]
    hosts: set[str]


def visit(browser: Browser, address: str, *, width: int = 1280, scheme: str = "light") -> Visit:
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    seen = Visit(page, [], set())
    page.on(
        "console",
        lambda message: (
            seen.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.hosts.add("/".join(request.url.split("/")[:3])))
    page.goto(address)
    return seen


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_explorer_has_no_complaint_and_asks_no_other_host(
    browser: Browser, site: Site, scheme: str
) -> None:
    seen = visit(browser, site.url + LIST_USERS, scheme=scheme)
    expect(seen.page.get_by_role("button", name="Execute")).to_be_visible()
    assert ([], {site.url}) == (seen.complaints, seen.hosts)
    assert seen.page.evaluate(POOR_CONTRAST) == []
    seen.page.close()


def test_the_explorer_shows_every_path(browser: Browser, site: Site) -> None:
    paths = cast(dict[str, object], openapi.document()["paths"])
    page = visit(browser, f"{site.url}/explorer").page
    for section in page.locator(".opblock-tag").all():
        section.click()
    expect(page.locator(".opblock-summary-path")).to_have_count(len(paths))
    page.close()


def test_the_explorer_shows_the_marks_of_a_field(browser: Browser, site: Site) -> None:
    page = visit(browser, site.url + LIST_USERS).page
    for name, marks in {
        "id": ["guaranteed", "validated"],
        "email": ["nullable"],
        "name": ["guaranteed"],
        "roles": [],
    }.items():
        title = page.locator(".json-schema-2020-12__title", has_text=name).filter(has_text=name)
        head = page.locator(".json-schema-2020-12-head").filter(has=title.get_by_text(name, exact=True)).first
        expect(head).to_be_visible()
        assert head.locator(".mark").all_inner_texts() == marks, name
    expect(page.get_by_text("As the SIS has it; not checked.", exact=True).first).to_be_visible()
    page.close()


@pytest.mark.parametrize(
    ("operation", "authorization"),
    [("/explorer#/Users/getUsers", f"Bearer {TOKEN}"), ("/explorer#/OAuth/getTokens", f"Basic {BASIC}")],
)
def test_a_request_is_sent_with_what_was_filled_in(
    browser: Browser, site: Site, operation: str, authorization: str
) -> None:
    seen = visit(browser, site.url + operation)
    site.authorizations.clear()
    seen.page.get_by_role("button", name="Execute").click()
    expect(seen.page.locator(".live-responses-table td.response-col_status").last).to_contain_text("200")
    expect(seen.page.locator(".curl")).to_contain_text(f"Authorization: {authorization}")
    assert site.authorizations == [authorization]
    assert ([], {site.url}) == (seen.complaints, seen.hosts)
    assert seen.page.evaluate(POOR_CONTRAST) == []
    seen.page.close()


def test_a_token_can_be_given_and_a_login_flow_is_not_offered(browser: Browser, site: Site) -> None:
    page = visit(browser, f"{site.url}/explorer").page
    page.locator(".btn.authorize").click()
    expect(page.locator(".auth-container h4")).to_have_text(["bearer (http, Bearer)", "client (http, Basic)"])
    assert page.evaluate(POOR_CONTRAST) == []
    page.close()


def test_a_request_can_be_sent_by_keyboard_alone(browser: Browser, site: Site) -> None:
    page = visit(browser, site.url + LIST_USERS).page
    expect(page.get_by_role("button", name="Execute")).to_be_visible()
    site.authorizations.clear()
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Execute":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(".live-responses-table").first).to_be_visible()
    assert [f"Bearer {TOKEN}"] == site.authorizations
    page.close()


@pytest.mark.parametrize("path", ["/explorer"])
def test_a_page_has_no_flaw_for_those_who_do_not_see_it(browser: Browser, site: Site, path: str) -> None:
    page = browser.new_context(reduced_motion="reduce").new_page()
    page.goto(site.url + path)
    if path == "/explorer":
        expect(page.get_by_text("It needs JavaScript")).not_to_be_visible()
        expect(page.get_by_label("Filter by tag or path")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("Explorer")
        expect(page.get_by_text("Each field says what is promised of it.")).to_be_visible()
    else:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate(FLAWS) == []
    page.context.close()


def test_without_javascript_the_explorer_asks_to_press_nothing(browser: Browser, site: Site) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site.url}/explorer")
    expect(page.get_by_text("It needs JavaScript")).to_be_visible()
    expect(page.get_by_text("Execute")).to_have_count(1)
    expect(page.get_by_text("Execute")).not_to_be_visible()
    page.context.close()


@pytest.mark.parametrize("path", ["/explorer", LIST_USERS])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, site: Site, path: str) -> None:
    page = visit(browser, site.url + path, width=360).page
    if path != "/":
        expect(page.locator(".opblock-tag").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()
