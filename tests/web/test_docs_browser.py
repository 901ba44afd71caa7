"""The documentation in a real browser, complete without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette

from rollbook.web.docs import doc_pages
from rollbook.web.http.static_files import static_files
from rollbook.web.http.templates import environment
from tests.web.chromium import served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    routes = [*doc_pages.routes(environment(in_demo=True)), static_files().route()]
    with served(Starlette(routes=routes)) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=site, viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def plain(chromium: Browser, site: str) -> Iterator[Page]:
    """A browser without JavaScript, on a phone."""
    context = chromium.new_context(
        base_url=site, viewport={"width": 360, "height": 800}, java_script_enabled=False
    )
    yield context.new_page()
    context.close()


def test_a_reader_searches_and_reads_on_without_a_script(plain: Page) -> None:
    plain.goto("/docs")
    plain.get_by_label("Search the documentation").fill("graduation_year")
    plain.get_by_role("button", name="Search").click()
    expect(plain.get_by_role("heading", level=1)).to_contain_text("graduation_year")
    plain.get_by_role("link", name="Student · graduation_year").click()
    expect(plain).to_have_url("/docs/reference/fields#student.graduation_year")
    expect(plain.locator(":target")).to_be_in_viewport()
    plain.get_by_text("Contents", exact=True).click()
    plain.get_by_role("navigation", name="Contents").get_by_role("link", name="Settings").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Settings")
    plain.get_by_role("navigation", name="Next and previous page").get_by_role(
        "link", name="Commands"
    ).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Commands")


def test_the_drawing_leads_to_the_fields_of_a_record(page: Page) -> None:
    page.goto("/docs/reference/records")
    page.get_by_label("Drawing of the records").get_by_role("link", name="Section").click()
    expect(page).to_have_url("/docs/reference/fields#section")
    expect(page.get_by_role("heading", name="Section", exact=True)).to_be_in_viewport()
