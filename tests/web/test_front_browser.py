"""The front page in a real browser: accessible in every variant, its values copied, its menu used by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web import test_front as pages
from tests.web.chromium import FLAWS, assert_accessible, listened, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with served(pages.DEMO) as address:
        yield address


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with served(pages.HUB) as address:
        yield address


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def unfold(page: Page) -> None:
    for fold in page.locator("main summary").all():
        fold.click()


def test_the_front_page_of_a_demo_asks_no_other_host_and_has_no_flaw(page: Page, demo: str) -> None:
    complaints = listened(page)
    hosts = set()
    page.on("request", lambda request: hosts.add("/".join(request.url.split("/")[:3])))
    page.goto(demo)
    unfold(page)
    assert (complaints, hosts, page.evaluate(FLAWS)) == ([], {demo}, [])


def test_the_front_page_of_a_real_server_has_no_flaw(page: Page, hub: str) -> None:
    complaints = listened(page)
    page.goto(hub)
    assert (complaints, page.evaluate(FLAWS)) == ([], [])


def test_the_first_tab_stop_skips_to_the_content(page: Page, demo: str) -> None:
    page.goto(demo)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_on_a_phone_the_navigation_is_one_menu_that_opens_by_keyboard(page: Page, demo: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(demo)
    entry = page.get_by_role("navigation", name="Main").get_by_role("link", name="Sign in")
    expect(entry).to_be_hidden()
    page.locator(".menu > summary").focus()
    page.keyboard.press("Enter")
    expect(entry).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert_accessible(page)
    page.set_viewport_size({"width": 1440, "height": 800})
    expect(entry).to_be_in_viewport()
    expect(page.locator(".menu > summary")).to_be_hidden()


def test_a_value_is_copied_and_said(page: Page, demo: str) -> None:
    page.goto(demo)
    unfold(page)
    for name, value in (
        ("Copy the line", f'curl -H "Authorization: Bearer {pages.TOKEN}" '),
        (f"Copy token {pages.TOKEN}", pages.TOKEN),
        ("Copy line 2", "curl -H"),
    ):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").startswith(value)


def test_a_value_that_cannot_be_copied_says_so(page: Page, demo: str) -> None:
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error())")
    page.goto(demo)
    page.get_by_role("button", name="Copy the line", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Not copied")


def test_a_link_into_a_fold_opens_it(page: Page, demo: str) -> None:
    page.goto(demo)
    page.get_by_role("link", name="Return to your own address").click()
    expect(page.get_by_role("button", name="Copy the line that registers an address")).to_be_in_viewport()


def test_the_first_view_weighs_at_most_60_kilobytes(page: Page, demo: str) -> None:
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(demo, wait_until="networkidle")
    assert len(sizes) >= 4
    assert sum(sizes) <= 60 * 1024
