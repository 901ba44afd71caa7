"""The Explorer in a real browser: with and without JavaScript, by mouse and by keyboard, and a pasted token
that never leaves its page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.demo import published
from tests.web.chromium import assert_accessible, listened

pytestmark = pytest.mark.browser

TABS_MAX = 120
LIVE = "a" * 40


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def status(page: Page) -> str:
    return page.locator("#status b").inner_text()


def test_the_first_minutes(page: Page, demo_address: str) -> None:
    complaints = listened(page)
    page.goto(f"{demo_address}/explorer")
    expect(page.locator("#status")).to_contain_text("200")
    page.get_by_role("link", name="next page").click()
    page.wait_for_url("**/explorer/users?*starting_after=*")
    page.get_by_role("link", name="List the sections of a user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("List the sections of a user")
    page.wait_for_url("**/sections?id=*")
    page.get_by_label("limit", exact=True).fill("1")
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url("**/sections?id=*&limit=1")
    expect(page.locator("#history a")).to_have_count(4)
    page.get_by_role("link", name="As a table").click()
    expect(page.locator("#as-table")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()
    page.get_by_role("link", name="Python").click()
    expect(page.locator("#python")).to_contain_text("urllib.request")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert "limit=1" in page.evaluate("navigator.clipboard.readText()")
    page.go_back()
    expect(page.locator("#status")).to_contain_text("200")
    assert complaints == []


def test_a_shared_address_shows_the_same_request(page: Page, demo_address: str) -> None:
    page.goto(f"{demo_address}/explorer/users/{{id}}/sections")
    page.get_by_role("button", name="Copy the address of this page").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    address = page.evaluate("navigator.clipboard.readText()")
    shown = page.locator("#answer").inner_text()
    assert "token" not in address.lower()
    page.goto(address)
    assert page.locator("#answer").inner_text() == shown


def test_the_chosen_person_stays_chosen(page: Page, demo_address: str) -> None:
    page.goto(f"{demo_address}/explorer/me")
    person = page.locator("#as optgroup").nth(1).locator("option").first
    page.locator("#as").select_option(value=person.get_attribute("value") or "")
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url("**/explorer/me?as=*")
    page.locator("#answer a", has_text="/v3.0/users/").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Get one user")
    assert (status(page), "as=" in page.url) == ("200", True)


def test_a_token_of_real_data_leaves_the_page_only_after_a_yes(page: Page, demo_address: str) -> None:
    sent: list[str] = []
    page.goto(f"{demo_address}/explorer")
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    page.get_by_text("Use another token").click()
    page.get_by_label("Token").fill(LIVE)
    page.get_by_role("button", name="Send with it").click()
    expect(page.locator("#kept-back-here")).to_be_visible()
    assert_accessible(page)
    assert [each for each in sent if "/static/" not in each] == []
    page.get_by_label("Yes, this is real data").check()
    page.get_by_role("button", name="Send with it").click()
    expect(page.locator("#status")).to_contain_text("401")
    assert LIVE not in page.url
    assert LIVE not in page.content()
    assert not any(LIVE in each.partition(" ")[0] for each in sent)


def test_a_published_token_that_is_pasted_goes_along_with_links(page: Page, demo_address: str) -> None:
    page.goto(f"{demo_address}/explorer")
    page.get_by_text("Use another token").click()
    page.get_by_label("Token").fill(published.SECOND_TOKEN)
    page.get_by_role("button", name="Send with it").click()
    expect(page.locator("#answer")).to_contain_text("Birch Lake")
    page.get_by_role("link", name="next page").click()
    page.wait_for_url("**starting_after=*")
    expect(page.locator("#answer")).to_contain_text("Birch Lake")
    assert published.SECOND_TOKEN not in page.url
    assert (
        page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
        == '[{},{},""]'
    )
    page.reload()
    expect(page.locator("#answer")).not_to_contain_text("Birch Lake")


def test_a_request_can_be_sent_by_keyboard_alone(page: Page, demo_address: str) -> None:
    page.goto(f"{demo_address}/explorer")
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Send":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#answer-panel")).to_be_focused()


def test_a_sign_in_is_shown_step_by_step(page: Page, demo_address: str) -> None:
    page.goto(f"{demo_address}/explorer/sign-in")
    page.get_by_role("button", name="Sign in, exchange, show /me").click()
    expect(page.get_by_role("heading", name="3. Ask who it is")).to_be_visible()
    assert_accessible(page)


def test_without_javascript_the_form_and_the_links_answer(chromium: Browser, demo_address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{demo_address}/explorer")
    expect(page.locator("#answer")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_label("role", exact=True).select_option("student")
    page.get_by_label("limit", exact=True).fill("2")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#answer")).to_contain_text('"student"')
    page.get_by_role("link", name="next page").click()
    expect(page.locator("#status")).to_contain_text("200")
    page.get_by_role("link", name="As a table").click()
    expect(page.locator("#as-table")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()
    page.get_by_role("link", name="Go", exact=True).click()
    expect(page.locator("#go")).to_be_visible()
    page.locator("#answer a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Get one user")
    page.goto(f"{demo_address}/explorer/users?limit=1")
    page.get_by_text("Use another token").click()
    page.get_by_label("Token").fill(LIVE)
    page.get_by_role("button", name="Send with it").click()
    expect(page.get_by_text("Nothing was sent: this opens real data")).to_be_visible()
    assert LIVE not in unquote(page.url)
    context.close()
