"""A story of the console in a real browser, without JavaScript: first upload to a held run, judged in three
clicks, approved and undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.demo.serving import Demo
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Hub
from tests.web.chromium import served
from tests.web.test_console_runs import CUT
from tests.world import FILES

pytestmark = pytest.mark.browser


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with closing(open_database(str(tmp_path / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(tmp_path / "rollbook.db"), tmp_path, district="Oak Valley")) as made:
            yield made


@pytest.fixture
def page(chromium: Browser, hub: Hub) -> Iterator[Page]:
    """A window without JavaScript at the overview of a demo, whose console is open."""
    demo = Demo("TEST_TOKEN", "", hub.district.name)
    app = App(hub.database, hub.settings, limits=hub.folder / "limits", extend=demo.extend)
    with closing(app), served(app) as address:
        context = chromium.new_context(java_script_enabled=False)
        opened = context.new_page()
        opened.goto(f"{address}/console")
        yield opened
        context.close()


def upload(page: Page, hub: Hub, name: str, files: Mapping[str, str]) -> None:
    """Upload files from the district's home, check and plan, and sync."""
    folder = world.write(hub.folder / name, files)
    page.get_by_label("CSV files, or one zip file").set_input_files(sorted(folder.glob("*.csv")))
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Check and plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "The files are ready" if name == "first" else "A sync would be held"
    )
    page.get_by_role("button", name="Sync now").click()


def test_a_district_is_run_from_its_first_upload_to_an_undo(page: Page, hub: Hub) -> None:
    page.get_by_role("link", name="Oak Valley").first.click()
    page.get_by_role("link", name="Upload the first files").click()
    upload(page, hub, "first", FILES)
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 1 is done")
    page.get_by_role("link", name="Upload", exact=True).click()
    upload(page, hub, "second", CUT)
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 2 is held")

    # J1: from the overview, three clicks.
    page.get_by_role("link", name="Overview").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 to look at")
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_role("cell", name="North High")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Alan Turing")).to_be_visible()
    page.get_by_role("link", name="Approve").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Run 2 was approved")

    page.get_by_label("Undo it in any case").check()
    page.get_by_role("button", name="Undo run 3").click()
    expect(page.get_by_role("status")).to_contain_text("Run 3 was undone")
    assert districts.find(hub.database, hub.district.id).snapshot == 4
