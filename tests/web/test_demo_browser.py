"""The pages that control a demo, in a real browser: faults, saves, a person edited by hand, and the report card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import demos
from tests.web.chromium import assert_accessible, listened, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(made_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = Path(shutil.copytree(made_demo, tmp_path_factory.mktemp("pressed") / "demo"))
    with demos.app_of(folder, logs=True) as app, served(app) as address:
        yield address


def test_faults_and_saves_are_set_and_removed_by_buttons(chromium: Browser, site: str) -> None:
    page = chromium.new_page()
    complaints = listened(page)
    page.goto(f"{site}/demo")
    page.get_by_label("Requests").fill("3")
    page.get_by_role("button", name="Too many requests").click()
    page.wait_for_url(f"{site}/demo#faults")
    expect(page.get_by_text("for the next 3 requests")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("before-lunch")
    page.get_by_role("button", name="Save the demo as it is").click()
    page.wait_for_url(f"{site}/demo#saves")
    expect(page.get_by_text("before-lunch, of day 0")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("listitem").filter(has_text="for the next 3").get_by_role(
        "button", name="Remove"
    ).click()
    page.wait_for_url(f"{site}/demo#faults")
    expect(page.get_by_text("No fault is in force")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="before-lunch").get_by_role("button", name="Restore").click()
    page.wait_for_url(f"{site}/demo#happened")
    expect(page.get_by_text("for the next 3 requests")).to_be_visible()
    assert complaints == []
    page.close()


def test_a_person_is_found_and_edited(chromium: Browser, site: str) -> None:
    page = chromium.new_page()
    complaints = listened(page)
    page.goto(f"{site}/demo/person")
    page.get_by_label("Name, email or SIS id").fill("a")
    page.get_by_role("button", name="Search").click()
    assert_accessible(page)
    page.get_by_role("main").get_by_role("listitem").first.get_by_role("link").click()
    name = page.get_by_role("heading", level=1).inner_text().removeprefix("Edit ")
    page.get_by_label("First_name", exact=True).fill("Zoë")
    assert_accessible(page)
    page.get_by_role("button", name="Keep, and let the night come").click()
    page.wait_for_url(f"{site}/demo#happened", timeout=60_000)
    # The run names people as they were before it, and the feed as they are.
    expect(page.locator("#happened").get_by_text(f"The person is {name}")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="users.updated").first).to_contain_text("Zoë")
    assert complaints == []
    page.close()


def test_the_report_card_reads_well(chromium: Browser, site: str) -> None:
    page = chromium.new_page()
    complaints = listened(page)
    page.goto(f"{site}/demo/rehearsal")
    expect(page.get_by_role("row").filter(has_text="Checked state")).to_contain_text("not seen")
    assert_accessible(page)
    assert complaints == []
    page.close()
