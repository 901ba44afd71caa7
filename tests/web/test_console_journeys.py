"""The journeys of the console in a real browser: their clicks are counted, and each also works by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from rollbook.demo.serving import Demo
from rollbook.operations import share_edits
from rollbook.operations.share_edits import ShareEdit
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.web.app import App
from tests.journeys.hub import Hub
from tests.web.chromium import served
from tests.web.test_console_runs import CUT, sync

pytestmark = pytest.mark.browser

# How many times a person may press Tab to reach a part of a page.
TABS_MAX = 120
# Tells each click, also one that a key makes.
COUNT = "addEventListener('click', () => window.clicked(), true)"
GRADE = '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "10", "11"]], "with": ["sections"]}]}'


@dataclass
class Walker:
    """A person at a page, with a mouse or only a keyboard."""

    page: Page
    by_keyboard: bool
    clicks: list[str] = field(default_factory=list)

    def reach(self, part: Locator) -> None:
        """Move the focus to a part of the page, as a person without a mouse does."""
        expect(part).to_be_visible()
        for _ in range(TABS_MAX):
            if part.evaluate("(part) => part === document.activeElement"):
                # The person must see where they are.
                assert part.evaluate("(part) => part.matches(':focus-visible')")
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {part}")

    def press(self, role: str, name: str, *, exact: bool = False) -> None:
        part = self.page.get_by_role(role, name=name, exact=exact).first  # type: ignore[arg-type]
        if not self.by_keyboard:
            part.click()
            return
        self.reach(part)
        self.page.keyboard.press("Enter")

    def type(self, name: str, text: str) -> None:
        """Type into a field, and send its form with Enter."""
        part = self.page.get_by_role("searchbox", name=name)
        if self.by_keyboard:
            self.reach(part)
        else:
            part.focus()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")


@pytest.fixture
def address(small_synced_hub: Hub) -> Iterator[str]:
    """A demo's server, whose console is open: a held run, a connected application that sees two grades, and one that
    is not connected."""
    hub = small_synced_hub
    hub.connect(name="Reading Room")
    share_edits.share(hub.database, hub.settings, "Reading Room", hub.district.id, ShareEdit(GRADE))
    applications.create(hub.database, NewApplication("Grade Book"))
    sync(hub, CUT)
    demo = Demo("TEST_TOKEN", "", hub.district.name)
    app = App(hub.database, hub.settings, limits=hub.folder / "limits", extend=demo.extend)
    with closing(app), served(app) as found:
        yield found


@pytest.fixture(params=[False, True], ids=["mouse", "keyboard"])
def walker(request: pytest.FixtureRequest, chromium: Browser, address: str) -> Iterator[Walker]:
    """A person at the overview."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)  # a slow machine is not a failure
    context.set_default_navigation_timeout(120_000)
    clicks: list[str] = []
    context.expose_function("clicked", lambda: clicks.append("click"))
    context.add_init_script(COUNT)
    page = context.new_page()
    page.goto(f"{address}/console")
    yield Walker(page, request.param, clicks)
    context.close()


def test_a_held_sync_is_judged_and_approved_with_three_clicks(walker: Walker, small_synced_hub: Hub) -> None:
    page, hub = walker.page, small_synced_hub
    expect(page.get_by_role("heading", level=1)).to_have_text("1 to look at")
    walker.press("link", "Review")
    # All that the judgement needs stands there: why, a guess, who would go, and where they are.
    expect(page.get_by_text("1 of 3 students (33 %) would be deleted").first).to_be_visible()
    expect(page.get_by_text("One school may be missing")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Alan Turing")).to_be_visible()
    expect(page.get_by_role("cell", name="North High").first).to_be_visible()
    walker.press("link", "Approve")
    walker.press("button", "Approve")
    expect(page.get_by_text("Run 3 was approved")).to_be_visible()
    assert len(walker.clicks) == 3
    assert districts.find(hub.database, hub.district.id).snapshot == 4


def test_a_missing_student_is_explained_with_two_clicks(walker: Walker) -> None:
    page = walker.page
    walker.type("Find people, schools, applications, runs", "katherine johnson")
    walker.press("link", "Katherine Johnson")
    walker.press("link", "Why?")
    expect(page.get_by_label("The chain")).to_contain_text("grade")
    expect(page.get_by_text("Reading Room does not see Katherine Johnson").first).to_be_visible()
    assert len(walker.clicks) == 2


def test_an_application_is_connected_with_four_clicks_on_one_page(walker: Walker) -> None:
    page = walker.page
    walker.press("link", "Springfield", exact=True)
    walker.press("link", "Applications", exact=True)
    walker.press("button", "Choose its share")
    expect(page.get_by_role("region", name="With this share")).to_contain_text("Emmy Noether")
    walker.press("button", "Connect, and show the token")
    expect(page.get_by_text("This is the district token. You see it only now: copy it.")).to_be_visible()
    assert len(walker.clicks) == 4
    token = page.get_by_text("Authorization: Bearer").inner_text().partition("Bearer ")[2][:40]
    answer = httpx.get(
        f"{page.url.split('/console')[0]}/v3.0/users", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200
