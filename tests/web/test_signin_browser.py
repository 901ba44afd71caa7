"""The sign-in pages in a real browser, mostly without JavaScript: read, pressed and typed on any screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.store.accounts import applications, credentials
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import people_lookup
from rollbook.web.http import badge_sheet
from tests import sso
from tests.sso import BACK, Club, World
from tests.web.chromium import FLAWS, POOR_CONTRAST, listened, served

pytestmark = pytest.mark.browser

# A desktop, the same at 200 percent, a phone, and a desktop at 400 percent (WCAG 2.2, 1.4.4 and 1.4.10).
SCREENS = ((1280, 800), (640, 400), (390, 844), (320, 256))
SIGNED_IN = {"amy": ("amya", "apple 1"), "lund": ("lundl", "lemon 3")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sso")
    address = str(folder / "rollbook.db")
    with closing(open_database(address)) as opened:
        migrate(opened)
        with closing(sso.build(opened, address, folder)) as made:
            yield made


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    with served(world.app(is_demo=False)) as address:
        yield address


@pytest.fixture(scope="module")
def demo(world: World) -> Iterator[str]:
    with served(world.app()) as address:
        yield address


@pytest.fixture(scope="module")
def stranger(world: World) -> Club:
    """An application that no district is connected to."""
    return Club(*applications.create(world.database, NewApplication("Not Connected", redirect_uris=(BACK,))))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser without JavaScript. The applications are pages that say that they were reached."""
    context = chromium.new_context(java_script_enabled=False)
    context.route(
        "https://reader.example/**", lambda route: route.fulfill(body="arrived", content_type="text/plain")
    )
    yield context.new_page()
    context.close()


def asked(site: str, club: Club, **more: str) -> str:
    query = "&".join(
        f"{name}={value}" for name, value in {"client_id": club.client_id, "state": "s", **more}.items()
    )
    return f"{site}/oauth/authorize?response_type=code&{query}"


def sign_in(page: Page, who: str) -> None:
    username, password = SIGNED_IN[who]
    page.get_by_label("Username or email").fill(username)
    page.get_by_label("Password").fill(password)
    # Wait for the next page with its styles: before that there is no page to check.
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("button", name="Sign in").click()


def refuse(page: Page, address: str, label: str, button: str) -> None:
    page.goto(address)
    if label == "Password":
        page.get_by_label("Username or email").fill("nobody")
    page.get_by_label(label).fill("wrong")
    page.get_by_role("button", name=button).last.click()


# Every page, on every screen -------------------------------------------------------------------------


def assert_fine(page: Page) -> None:
    """The page can be read on every screen, light and dark, and works for people who cannot see it."""
    complaints = listened(page)
    page.wait_for_load_state("load")
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert (width, scheme, page.evaluate(POOR_CONTRAST)) == (width, scheme, [])
        assert (width, page.evaluate(FLAWS)) == (width, [])
    assert complaints == []


@pytest.mark.parametrize("path", ["/login", "/badge", "/badge#ABCD", "/in/nowhere", "/nothing", "/"])
def test_a_page_for_everybody_can_be_used_by_everybody(page: Page, site: str, path: str) -> None:
    page.goto(site + path)
    assert_fine(page)


@pytest.mark.parametrize(
    "path", ["/login", "/login?q=ash", "/demo/arrived?code=abc&state=x&iss=http%3A%2F%2Ftestserver"]
)
def test_a_page_of_a_demo_can_be_used_by_everybody(page: Page, demo: str, path: str) -> None:
    page.goto(demo + path)
    assert_fine(page)


def test_a_list_of_people_can_be_used_by_everybody(page: Page, demo: str) -> None:
    page.goto(f"{demo}/login")
    expect(page.get_by_role("heading", level=3)).to_have_text(
        ["Students", "Teachers", "School staff", "District administrators"]
    )
    page.get_by_label("Name, email or id").fill("nobody at all")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("No one matches.")
    assert_fine(page)


def test_pages_of_somebody_signed_in_can_be_used_by_everybody(
    page: Page, site: str, world: World, stranger: Club
) -> None:
    page.goto(asked(site, world.door))
    sign_in(page, "amy")
    expect(page.get_by_role("heading", name="You are signed in as Amy Adams")).to_be_visible()
    assert_fine(page)
    for address in (asked(site, stranger), asked(site, world.reader, confirmed="false"), f"{site}/login"):
        page.goto(address)
        assert_fine(page)


def test_what_a_teacher_let_in_can_be_stopped_by_everybody(page: Page, site: str, world: World) -> None:
    page.goto(asked(site, world.shelf))
    sign_in(page, "lund")
    press(page, "Allow")
    expect(page.get_by_text("arrived")).to_be_visible()
    page.goto(f"{site}/login")
    assert_fine(page)
    press(page, "Stop letting in Shelf")
    expect(page.get_by_role("heading", name="Lars Lund")).to_be_visible()
    expect(page.get_by_text("Let in by you")).to_have_count(0)


def test_the_page_about_a_wrong_address_can_be_used_by_everybody(page: Page, site: str, world: World) -> None:
    page.goto(asked(site, world.reader, redirect_uri="https://localhost/" + "long" * 60))
    expect(page.get_by_text("rollbook application set Reader")).to_be_visible()
    assert_fine(page)


# What a form that was refused does -------------------------------------------------------------------


@pytest.mark.parametrize(("label", "path"), [("Password", "/login"), ("Letters on the badge", "/badge")])
def test_a_form_that_was_refused_says_why_where_one_types_on(
    page: Page, site: str, label: str, path: str
) -> None:
    refuse(page, site + path, label, "Sign in")
    field = page.get_by_label(label)
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(field).to_have_accessible_description(page.get_by_role("alert").inner_text())
    assert page.title().startswith("Error: ")
    assert_fine(page)


def test_a_badge_held_before_a_camera_needs_one_key_and_leaves_nothing_behind(
    chromium: Browser, site: str, world: World
) -> None:
    """Its letters are only in the form, never in an address that a server, a log or the next student could
    see."""
    code = credentials.new_badge()
    with world.database.write() as transaction:
        credentials.give_badges(transaction, world.district.number, {world.ids["cem"]: code})
    with chromium.new_context() as context:
        page = context.new_page()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url + str(request.headers)))
        page.goto(f"{site}/badge#{code}")
        assert_fine(page)
        expect(page.get_by_label("Letters on the badge")).to_be_hidden()
        assert page.url == f"{site}/badge"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Cem Celik")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="Sign in with a badge")).to_be_visible()
        expect(page.get_by_label("Letters on the badge")).to_have_value("")
    assert sent
    assert not any(code in one for one in sent)


def test_below_a_list_of_people_the_reason_is_seen_as_well(page: Page, demo: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    refuse(page, f"{demo}/login", "Password", "Sign in")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_role("alert")).to_be_in_viewport()


# From an application and back ------------------------------------------------------------------------


def test_a_shared_device_changes_hands_by_keyboard_alone(page: Page, site: str, world: World) -> None:
    page.goto(asked(site, world.door))
    type_in(page, *SIGNED_IN["amy"])
    expect(page.get_by_role("heading", name="You are signed in as Amy Adams")).to_be_visible()
    press(page, "Sign out")
    expect(page.get_by_text("Continue to Badge Door")).to_be_visible()
    type_in(page, *SIGNED_IN["lund"])
    expect(page.get_by_text("arrived")).to_be_visible()
    assert re.search(r"[?&]code=\w+&.*state=s", page.url)


def type_in(page: Page, username: str, password: str) -> None:
    reach(page, "username")
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def press(page: Page, text: str) -> None:
    reach(page, text)
    page.keyboard.press("Enter")


def reach(page: Page, name: str) -> None:
    """Go to a field or button by Tab; each stop must be visible."""
    page.wait_for_load_state("load")  # with its styles
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        if page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()") == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


@pytest.mark.parametrize(
    ("button", "sent"), [("Do not allow", r"[?&]error=access_denied&state=s"), ("Allow", r"[?&]code=\w+")]
)
def test_a_teachers_answer_gets_to_the_application(
    page: Page, site: str, world: World, button: str, sent: str
) -> None:
    page.goto(asked(site, world.shelf))
    sign_in(page, "lund")
    assert_fine(page)
    # The page's content policy must let the form lead on to the application.
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text("arrived")).to_be_visible()
    assert re.search(sent, page.url)


def test_the_line_that_exchanges_a_code_can_be_copied(chromium: Browser, demo: str) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints = listened(page)
    page.goto(f"{demo}/demo/arrived?code=abc123&state=x")
    page.get_by_role("button", name="Copy the line that exchanges the code").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    line = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        (
            r'curl -H "Authorization: Basic \S*" -d grant_type=authorization_code -d '
            r"code=abc123 -d \S+ \S+/oauth/tokens"
        ),
        line,
    )
    assert (complaints, page.evaluate(FLAWS)) == ([], [])
    context.close()


# Paper -----------------------------------------------------------------------------------------------


def test_badges_fit_a_phone_and_begin_a_new_sheet_for_each_class(
    page: Page, world: World, tmp_path: Path
) -> None:
    with world.database.read() as transaction:
        access = people_lookup.whole(transaction, world.district.number)
        pupils = people_lookup.everybody(transaction, access, role="student", school="")
        schools = dict(people_lookup.schools(transaction, access))
    given = [(pupil, credentials.new_badge()) for pupil in pupils]
    file = tmp_path / "badges.html"
    file.write_text(
        badge_sheet.page(districts.find(world.database, world.district.id).name, sso.HOME, schools, given),
        "utf-8",
    )
    page.goto(file.as_uri())
    assert_fine(page)
    paper = page.pdf(format="A4", prefer_css_page_size=True)
    sheets = page.get_by_role("heading", level=2).count()
    assert (sheets, paper.count(b"/Type /Page\n")) == (2, 2)
    page.emulate_media(media="print")
    expect(page.get_by_text("Print this page")).not_to_be_visible()
    expect(page.get_by_role("heading", level=2).first).to_be_visible()
