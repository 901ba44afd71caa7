"""The whole story of a real server in a browser: from the link of the first operator to an undo, and what a help desk
and a district see of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook import settings as setting_rows
from rollbook.jobs.performing import perform
from rollbook.operations import team
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue
from rollbook.web.app import App
from tests import world
from tests.web.chromium import listened, served

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"
DISTRICT, APPLICATION, BACK = "Oak Valley", "Reading Room", "https://reader.example/callback"
PEOPLE = {"emmy": ("emmyn", "apple 1"), "alan": ("alant", "banana 2"), "katherine": ("kjohnson", "cherry 3")}
RULE = '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "10", "11"]], "with": ["sections"]}]}'


def students(*kept: str, more: str = "") -> dict[str, str]:
    """The small world with passwords, with these students alone."""
    head, *rows = world.FILES["students.csv"].splitlines()
    named = {row.split(",")[1]: row for row in rows}
    lines = [f"{head},Username,Password", *(f"{named[who]},{','.join(PEOPLE[who])}" for who in kept)]
    return {**world.FILES, "students.csv": "\n".join(lines) + "\n" + more}


# A student whose school does not exist.
FIRST = students(*PEOPLE, more="nowhere,eve,Ertel,Eve" + "," * 16 + "\n")
# The limits hold a night without two of three students.
CUT = students("emmy")


@dataclass
class Server:
    """A real server that nobody has entered yet. `codes` are the secrets of people's one-time codes, by name."""

    database: Database
    settings: Settings
    folder: Path
    address: str = ""
    codes: dict[str, str] = field(default_factory=dict)

    def first_link(self) -> str:
        link = team.first_link(self.database, self.settings)
        assert link
        return self.here(link)

    def here(self, link: str) -> str:
        """The link with this server's port."""
        return f"{self.address}{team.WELCOME}#{link.partition('#')[2]}"

    def work(self) -> None:
        """Do what a worker would do next."""
        job = job_queue.lease(self.database, "worker")
        assert job
        perform(self.database, self.settings, job)


@pytest.fixture
def server(database: Database, database_address: str, tmp_path: Path) -> Iterator[Server]:
    settings = setting_rows.read(
        {}, database=database_address, key_file=str(tmp_path / "key"), upload_folder=str(tmp_path / "uploads")
    )
    app = App(database, settings, limits=tmp_path / "limits", logs_requests=True)
    with closing(app), served(app) as address:
        yield Server(database, settings, tmp_path, address)


@pytest.fixture
def window(chromium: Browser) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, chromium: Browser) -> tuple[Page, list[str]]:
    """A page of a new browser, and its complaints."""
    context = stack.enter_context(closing(chromium.new_context()))
    context.route("https://reader.example/**", lambda route: route.fulfill(body="arrived"))
    page = context.new_page()
    return page, listened(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()


def titled(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def unfold(page: Page) -> None:
    page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")


def enter(server: Server, page: Page, link: str, name: str, *, is_invited: bool = False) -> None:
    """Follow a link good once, choose a password, take the codes, and sign in."""
    page.goto(link)
    expect(page.get_by_label("Link")).not_to_have_value("")
    page.get_by_label("Name").fill("" if is_invited else name)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Continue")
    server.codes[name] = page.locator("main p code").first.inner_text()
    page.get_by_label("Code that the app shows now").fill(code(server, name))
    press(page, "Finish")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code from your phone").fill(code(server, name, later=1))
    press(page, "Sign in")


def code(server: Server, name: str, later: int = 0) -> str:
    return pyotp.TOTP(server.codes[name]).at(int(time.time()), counter_offset=later)


def upload(server: Server, page: Page, name: str, files: Mapping[str, str]) -> None:
    folder = world.write(server.folder / name, files)
    page.get_by_label("CSV files, or one zip file").set_input_files(sorted(folder.glob("*.csv")))
    press(page, "Upload")
    press(page, "Check and plan")
    press(page, "Sync now")
    server.work()


def register(server: Server, page: Page) -> tuple[str, str]:
    """Register the application, and let it receive events; its client id and secret."""
    page.goto(f"{server.address}/console")
    page.get_by_role("link", name="Applications", exact=True).click()
    page.get_by_label("Name", exact=True).fill(APPLICATION)
    page.get_by_label("Redirect addresses, one on each line").fill(BACK)
    press(page, "Register, and show the secret")
    secret = page.get_by_label("The client secret").locator("code").inner_text()
    page.get_by_label("It receives events").check()
    press(page, "Save")
    expect(page.get_by_role("status").first).to_contain_text(f"{APPLICATION} is changed")
    return page.url.rpartition("/")[2], secret


def connect(server: Server, page: Page) -> str:
    """Share by a rule, look at the preview, and connect; the district token."""
    page.goto(f"{server.address}/console")
    page.get_by_role("link", name=DISTRICT).first.click()
    page.get_by_role("link", name="Applications").first.click()
    press(page, "Choose its share")
    page.get_by_label("The rules below as text").check()
    unfold(page)
    page.locator("#rules-text").fill(RULE)
    press(page, "Preview")
    expect(page.get_by_role("row", name="Students")).to_contain_text("Alan Turing")
    expect(page.get_by_role("row", name="Students")).not_to_contain_text("Katherine")
    press(page, "Connect, and show the token")
    return page.get_by_label("The district token").locator("code").first.inner_text()


def try_in_the_explorer(server: Server, page: Page, token: str) -> None:
    """A token of real data is sent after a yes alone."""
    page.goto(f"{server.address}/explorer/users?role=student&limit=3")
    page.get_by_label("Token").fill(token)
    page.get_by_label("Yes, this is real data").check()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#status")).to_contain_text("200")
    expect(page.locator("#answer")).to_contain_text("Turing")
    expect(page.locator("#answer")).not_to_contain_text("Johnson")


def log_in(server: Server, page: Page, client: tuple[str, str]) -> None:
    """A student signs in, and the application learns who it is."""
    username, password = PEOPLE["alan"]
    asked = {"client_id": client[0], "redirect_uri": BACK, "state": "s"}
    asked["district_id"] = districts.find(server.database, DISTRICT).id
    page.goto(f"{server.address}/oauth/authorize?response_type=code&{urlencode(asked)}")
    page.get_by_label("Username or email").fill(username)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")
    page.wait_for_url(f"{BACK}**")
    code = dict(parse_qsl(urlsplit(page.url).query))["code"]
    exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    with httpx.Client(base_url=server.address) as application:
        token = application.post("/oauth/tokens", json=exchange, auth=client).json()["access_token"]
        me = application.get("/v3.0/me", headers={"authorization": f"Bearer {token}"}).json()
    assert me["data"]["type"] == "user"


def see_the_events(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/console/events")
    page.get_by_role("link", name=APPLICATION).click()
    expect(page.get_by_role("row", name="users.deleted")).to_have_count(1)
    page.goto(f"{server.address}/console/log")
    expect(page.locator("#rows")).to_contain_text("/v3.0/me")


def invite(server: Server, page: Page, role: str) -> str:
    page.goto(f"{server.address}/console/team")
    page.get_by_label("Name", exact=True).fill(f"One of {role}")
    page.get_by_label("Role").select_option(role)
    page.get_by_label("District", exact=True).select_option(DISTRICT)
    press(page, "Invite")
    return server.here(page.get_by_label("The link").locator("code").inner_text())


def as_help_desk(server: Server, page: Page) -> None:
    """A help desk finds people and explains; it shares nothing, and sees no run."""
    titled(page, "The district is well")
    page.get_by_role("link", name=DISTRICT).first.click()
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Katherine Johnson").click()
    page.get_by_role("link", name="Why?").first.click()
    expect(page.get_by_label("The chain")).to_contain_text("grade")
    for name in ("Upload", "Runs", "Applications", "Team", "Request log"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    refused(page, server, "runs", "applications", "upload")


def as_district(server: Server, page: Page) -> None:
    """A person of the district runs it, and sees nothing of the server."""
    page.get_by_role("link", name=DISTRICT).first.click()
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="5 ·").first.click()
    expect(page.get_by_role("button", name="Undo run 5")).to_be_visible()
    for name in ("Server", "Request log", "Webhooks"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    for path in ("/console/server", "/console/log", "/console/events", "/console/team"):
        page.goto(server.address + path)
        expect(page.get_by_text("Your role is district")).to_be_visible()


def refused(page: Page, server: Server, *names: str) -> None:
    place = urlsplit(page.url).path.partition("/explain")[0]
    for name in names:
        page.goto(f"{server.address}{place}/{name}")
        expect(page.get_by_text("Your role is help desk")).to_be_visible()


def test_a_server_is_run_from_the_first_link_to_an_undo(
    server: Server, chromium: Browser, window: ExitStack
) -> None:
    page, complaints = opened(window, chromium)
    enter(server, page, server.first_link(), "Olga")
    titled(page, "No district yet")

    page.get_by_role("link", name="New district").click()
    page.get_by_label("Name of the district").fill(DISTRICT)
    press(page, "Make the district")
    page.get_by_role("link", name="Upload the first files").click()
    upload(server, page, "first", FIRST)
    page.reload()
    page.get_by_role("link", name="Run 1").first.click()
    titled(page, "Run 1 is done")
    page.get_by_role("link", name="Problems").click()
    expect(page.get_by_role("main")).to_contain_text("School not in schools.csv")

    client = register(server, page)
    token = connect(server, page)
    try_in_the_explorer(server, page, token)
    log_in(server, opened(window, chromium)[0], client)

    page.goto(f"{server.address}/console")
    page.get_by_role("link", name=DISTRICT).first.click()
    page.get_by_role("link", name="Upload", exact=True).click()
    upload(server, page, "second", CUT)
    page.goto(f"{server.address}/console")
    titled(page, "1 to look at")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.get_by_role("link", name="Review").click()
    titled(page, "Run 3 is held")
    expect(page.get_by_role("rowheader", name="Alan Turing")).to_be_visible()
    page.get_by_role("link", name="Approve").click()
    page.get_by_role("button", name=re.compile("Approve [0-9]+ deletions")).click()
    expect(page.get_by_role("status")).to_contain_text("Run 3 was approved")

    see_the_events(server, page)
    page.goto(f"{server.address}/console")
    page.get_by_role("link", name=DISTRICT).first.click()
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="4 ·").first.click()
    page.get_by_label("Undo it in any case").check()
    press(page, "Undo run 4")
    expect(page.get_by_role("status")).to_contain_text("Run 4 was undone")
    assert not complaints

    for role, sees in {"help desk": as_help_desk, "district": as_district}.items():
        link, (theirs, said) = invite(server, page, role), opened(window, chromium)
        enter(server, theirs, link, f"One of {role}", is_invited=True)
        sees(server, theirs)
        assert not said
