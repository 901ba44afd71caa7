"""The texts and links of the sign-in pages: no dead end, clear messages for developers, and no leaked
names."""

from __future__ import annotations

from html import unescape

import pytest
from httpx import Response

from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.records import people_lookup
from tests.sso import BACK, OTHER, Browser, Club, World, answer, links, words


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


def _title(page: Response) -> str:
    return unescape(page.text.partition("<title>")[2].partition("</title>")[0])


# Nobody is stuck in somebody else's session ----------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(sso_world: World) -> Club:
    """An application that no district is connected to."""
    return Club(
        *applications.create(sso_world.database, NewApplication("Not Connected", redirect_uris=(BACK,)))
    )


@pytest.mark.parametrize("reason", ["wrong type", "no access"])
def test_a_pupil_on_a_shared_device_is_told_whose_session_it_is_and_can_end_it(
    world: World, browser: Browser, stranger: Club, reason: str
) -> None:
    club = world.door if reason == "wrong type" else stranger
    stopped = browser.sign_in("amy", browser.ask(club, state="kept"))
    assert stopped.status_code == 403
    assert "You are signed in as Amy Adams" in words(stopped)
    home = f"/in/{districts.slug(world.district)}"
    assert links(stopped)["Your applications"] == home
    assert "Find your school" not in words(stopped)
    assert words(browser.get(home)).startswith("Amy Adams")

    login = browser.follow(browser.press(stopped, "/logout"))
    assert f"Continue to {club.application.name}" in words(login)
    assert words(browser.get(home)).startswith("Sign in")


def test_after_signing_out_somebody_else_goes_on_where_the_application_sent_her(
    world: World, browser: Browser
) -> None:
    stopped = browser.sign_in("amy", browser.ask(world.door, state="kept"))
    login = browser.follow(browser.press(stopped, "/logout"))
    assert answer(browser.follow(browser.press(login, person=world.ids["lund"])))["state"] == "kept"


def test_a_request_that_named_its_district_only_is_kept_through_the_sign_out(
    world: World, browser: Browser
) -> None:
    query = {"client_id": world.door.client_id, "district_id": world.district.id}
    login = browser.follow(
        browser.press(browser.sign_in("amy", browser.get("/oauth/instant-login", **query)), "/logout")
    )
    assert "code" in answer(browser.follow(browser.press(login, person=world.ids["lund"])))


@pytest.mark.parametrize(
    "carried", ["https://evil.example/", "//evil.example", "x\r\nlocation: https://evil.example"]
)
def test_signing_out_leads_nowhere_but_to_our_own_sign_in(
    world: World, browser: Browser, carried: str
) -> None:
    stopped = browser.sign_in("amy", browser.ask(world.door))
    out = browser.press(stopped, "/logout", ask=carried)
    assert out.headers["location"].startswith(f"/in/{districts.slug(world.district)}?ask=")
    signed_in = browser.press(browser.follow(out), person=world.ids["lund"])
    assert signed_in.headers["location"].startswith("/oauth/authorize?")


def test_somebody_who_left_the_roster_can_still_sign_out(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = browser.sign_in("amy").url.path
    with monkeypatch.context() as patched:
        patched.setattr(people_lookup, "get", lambda *_: None)
        gone = browser.get(home)
    assert (gone.status_code, "You are still signed in" in words(gone)) == (403, True)
    assert browser.press(gone, "/logout").headers["location"] == home


def test_a_person_who_is_not_signed_in_is_led_to_their_school(browser: Browser) -> None:
    stopped = browser.get("/in/nowhere")
    assert (stopped.status_code, words(stopped)) == (
        404,
        "This did not work There is no district at this address. Find your school",
    )
    assert links(stopped)["Find your school"] == "/login"
    assert 'action="/logout"' not in stopped.text


# A wrong address to return to ------------------------------------------------------------------------


def test_a_developer_is_told_which_address_was_asked_for_and_how_to_register_it(
    world: World, browser: Browser
) -> None:
    stopped = browser.ask(world.reader, redirect_uri="http://localhost:3000/cb?a=1")
    told = words(stopped)
    assert "Asked for http://localhost:3000/cb?a=1" in told
    assert f"Registered {BACK} {OTHER}" in told
    command = f"--redirect-uri {BACK} --redirect-uri '{OTHER}' --redirect-uri 'http://localhost:3000/cb?a=1'"
    assert f"rollbook application set Reader {command}" in told
    # The database address of a real server may contain a password.
    assert "--database" not in told


def test_the_demos_own_application_is_named_with_its_database(world: World, browser: Browser) -> None:
    made, _ = applications.create(world.database, NewApplication("Demo's own", is_demo=True))
    told = words(
        browser.get("/oauth/authorize", client_id=made.client_id, redirect_uri="http://localhost:3000/")
    )
    assert "Registered http://testserver/demo/arrived" in told
    assert """application set 'Demo'"'"'s own' --redirect-uri http://localhost:3000/ --database """ in told


def test_a_developer_who_registered_nothing_is_told_how(world: World, browser: Browser) -> None:
    made, _ = applications.create(world.database, NewApplication("Bare"))
    told = words(browser.get("/oauth/authorize", client_id=made.client_id))
    assert "Registered no address yet" in told
    assert "rollbook application set Bare --redirect-uri https://your.application/callback" in told


@pytest.mark.parametrize(
    "asked",
    ["https://evil.example/<script>alert(1)</script>", "https://x.example/'; rm -rf ~", "a\x1b[201~b"],
)
def test_the_requested_address_is_shown_only_as_text(world: World, browser: Browser, asked: str) -> None:
    stopped = browser.ask(world.reader, redirect_uri=asked)
    assert "<script" not in stopped.text
    if " " in asked or "\x1b" in asked:
        assert "rollbook application set" not in words(stopped)


def test_a_live_application_gets_no_hints(world: World, browser: Browser) -> None:
    made, _ = applications.create(
        world.database, NewApplication("Live", redirect_uris=("https://live.example/back",))
    )
    applications.change(world.database, made, is_live=True)
    stopped = browser.get("/oauth/authorize", client_id=made.client_id, redirect_uri="https://evil.example/")
    assert stopped.status_code == 400
    assert "has not registered" in words(stopped)
    for told in ("live.example", "evil.example", "rollbook application"):
        assert told not in stopped.text


# A form that was refused -----------------------------------------------------------------------------


def _field(page: Response, name: str) -> str:
    return page.text.partition(f'id="{name}"')[2].partition(">")[0]


def test_a_wrong_password_is_told_at_the_fields(world: World) -> None:
    browser = world.browser(world.app(is_demo=False, login_failures=2))
    login = browser.follow(browser.ask(world.reader))
    assert _title(login) == f"Sign in – {world.district.name}"
    assert "aria-invalid" not in login.text
    for status, is_wrong in ((401, True), (401, True), (429, False)):
        page = browser.press(login, "/in/", username="cemc", password="no")
        assert page.status_code == status
        assert _title(page) == f"Error: Sign in – {world.district.name}"
        assert 'id="message" role="alert"' in page.text
        for name in ("username", "password"):
            assert 'aria-describedby="message"' in _field(page, name)
            assert ('aria-invalid="true"' in _field(page, name)) is is_wrong
        assert ("autofocus" in _field(page, "username"), "autofocus" in _field(page, "password")) == (
            False,
            True,
        )
        assert "Continue to Reader" in words(page)


def test_a_wrong_badge_is_told_at_its_field_with_what_was_typed(world: World) -> None:
    browser = world.browser(world.app(is_demo=False))
    page = browser.press(browser.get("/badge"), code="abcd-efgh<")
    assert page.status_code == 401
    assert _title(page).startswith("Error: Sign in with a badge – ")
    assert "This code does not work. Check the letters, or ask your teacher for a new badge." in words(page)
    field = _field(page, "code")
    assert 'value="abcd-efgh&lt;"' in field
    assert 'aria-describedby="message" aria-invalid="true" autofocus' in field


def test_a_badge_page_leads_back_to_name_and_password(world: World) -> None:
    browser = world.browser(world.app(is_demo=False))
    page = browser.get(links(browser.follow(browser.ask(world.reader, state="s")))["Sign in with a badge"])
    back = browser.follow(browser.get(links(page)["Sign in with name and password"]))
    assert "Continue to Reader" in words(back)
    end = browser.follow(browser.press(back, "/in/", username="amya", password="apple 1"))
    assert answer(end)["state"] == "s"


def test_clevers_address_for_badges_is_the_same_page(browser: Browser) -> None:
    ours, theirs = (words(browser.get(f"/badge{s}")) for s in ("", "s"))
    assert ours == theirs
    assert "Sign in with a badge" in ours
    assert browser.press(browser.get("/badges"), code="x").status_code == 401


# Titles, names, ways ---------------------------------------------------------------------------------


def test_every_page_says_in_which_language_what_and_where_it_is(world: World, browser: Browser) -> None:
    where = world.district.name
    pages = {
        "Sign in": browser.follow(browser.get("/login")),
        "Sign in with a badge": browser.get("/badge"),
        "Arrived": browser.get("/demo/arrived"),
        "This did not work": browser.sign_in("amy", browser.ask(world.door)),
        "Applications": browser.follow(browser.get("/login")),
        "Is this you?": browser.ask(world.reader, confirmed="false"),
    }
    other = world.browser()
    pages["Allow Shelf?"] = other.sign_in("lund", other.ask(world.shelf))
    for title, page in pages.items():
        assert _title(page) == f"{title} – {where}"
        assert '<html lang="en">' in page.text
        assert page.text.count("<h1>") == 1


def test_names_are_kept_apart_from_the_words_around_them(world: World, browser: Browser) -> None:
    login = browser.follow(browser.ask(world.reader, confirmed="false"))
    where = "<bdi>Ash School, Birch School</bdi>"
    assert f"<strong><bdi>Amy Adams</bdi></strong><span>Student, grade 4 · {where}</span>" in login.text
    assert "Continue to <strong><bdi>Reader</bdi></strong>" in login.text
    question = browser.follow(browser.press(login, person=world.ids["amy"]))
    assert "Are you <bdi>Amy Adams</bdi>?" in question.text
    portal = browser.follow(browser.get("/login"))
    assert "<h1><bdi>Amy Adams</bdi></h1>" in portal.text
    assert "<strong><bdi>Reader</bdi></strong>" in portal.text


def test_pages_of_sign_in_lead_to_the_ways_in_and_keep_the_request(world: World, browser: Browser) -> None:
    login = browser.follow(browser.ask(world.reader, state="s"))
    ways = links(login)
    assert {"Sign in", "Sign in with a badge", "Demo days", "Explorer"} <= set(ways)
    assert "Continue to Reader" in words(browser.follow(browser.get(ways["Sign in"])))
    real = world.browser(world.app(is_demo=False))
    ways = links(real.follow(real.ask(world.reader)))
    assert {"Sign in", "Sign in with a badge"} <= set(ways)
    assert "Demo days" not in ways
    assert links(real.get("/"))["Sign in"] == "/login"
    assert links(browser.get("/demo/arrived"))["Demo days"] == "/demo"
    assert "Applications" in words(browser.sign_in("amy"))
