"""Every state of every page is accessible and fits, at 1,440 and 360 px, light and dark: a table of states.

The names are long or written from right to left, one server has 31 districts, and one has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from rollbook.demo import published
from rollbook.demo.serving import Demo
from rollbook.errors import MachineTrouble
from rollbook.operations import job_control, sign_in_setup, subscribing, team
from rollbook.store.accounts import applications, credentials
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.operators import operator_accounts
from rollbook.store.records import people_lookup
from rollbook.web.app import App
from rollbook.web.http import badge_sheet, not_found
from rollbook.web.http.database_away import Away
from rollbook.web.http.static_files import static_files
from rollbook.web.http.templates import environment
from tests import demos, sso
from tests.sso import BACK, Club, World
from tests.web import crowded
from tests.web.chromium import assert_accessible, assert_light, listened, served

pytestmark = pytest.mark.browser

BEARER = {"Authorization": f"Bearer {published.DISTRICT_TOKEN}"}
SIGNED_IN = {"amy": ("amya", "apple 1"), "lund": ("lundl", "lemon 3")}


@dataclass
class Sites:
    """The servers: of a demo, of a hub with and without tokens, of a crowded hub and its demo, of nothing."""

    demo: str
    real: str
    hub: str
    crowd: str
    empty: str
    away: str
    quiet: str
    world: World
    stranger: Club
    folder: Path
    held: str

    @property
    def slug(self) -> str:
        return districts.slug(self.world.district)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path, real_address: str) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("states")
    with ExitStack() as stack:
        world = stack.enter_context(crowded.opened(folder))
        demo = stack.enter_context(demos.app_of(demo_folder, logs=True))
        (folder / "empty").mkdir()
        database = open_database(str(folder / "empty" / "rollbook.db"))
        stack.callback(database.close)
        migrate(database)
        settings = demos.settings_of(folder / "empty")
        empty = App(database, settings, limits=folder / "empty.limits")
        stack.callback(empty.close)
        facts = Demo(published.DISTRICT_TOKEN, published.BASIC, demos.NAME)
        quiet = App(
            database, settings, limits=folder / "quiet.limits", extend=facts.extend, logs_requests=True
        )
        stack.callback(quiet.close)
        stranger = Club(
            *applications.create(
                world.database, NewApplication(f"Not {crowded.APPLICATION}", redirect_uris=(BACK,))
            )
        )
        made = Sites(
            demo=stack.enter_context(served(demo)),
            real=real_address,
            hub=stack.enter_context(served(world.app(is_demo=False))),
            crowd=stack.enter_context(served(world.app())),
            empty=stack.enter_context(served(empty)),
            away=stack.enter_context(served(_away())),
            quiet=stack.enter_context(served(quiet)),
            world=world,
            stranger=stranger,
            folder=folder,
            held=crowded.held(world, folder),
        )
        _ask(made.demo, demo)
        yield made


def _away() -> Starlette:
    """A server whose database is away, with the pages of the real one for that."""
    templates = environment(in_demo=False)

    async def fail(_: Request) -> Any:
        raise MachineTrouble("database: gone")

    return Starlette(
        routes=[Route("/login", fail), static_files().route()],
        exception_handlers={MachineTrouble: not_found.waiting(Away(), templates)},
    )


def _ask(address: str, app: App) -> None:
    """Fill the request log, good and bad."""
    for path in (
        "/v3.0/users?limit=1",
        "/v3.0/user",
        "/v3.1/sections?rol=teacher&limit=2",
        "/v3.0/users?limit=x",
    ):
        httpx.get(address + path, headers=BEARER)
    httpx.get(f"{address}/v3.0/users", headers={"Authorization": f"Bearer {'0' * 40}"})
    assert app.tap
    app.tap.flush()


Prepare = Callable[[Page, Sites], Any]


def at(site: str, path: str, *, unfold: bool = False) -> Prepare:
    """A page as it is opened; with all that can be unfolded."""

    def prepare(page: Page, sites: Sites) -> None:
        page.goto(getattr(sites, site) + path.replace("HELD", sites.held).replace("SLUG", sites.slug))
        for fold in page.locator("main summary").all() if unfold else ():
            fold.click()

    return prepare


def asked(sites: Sites, club: Club, **more: str) -> str:
    given = {"client_id": club.client_id, "district_id": sites.world.district.id, **more}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    return f"{sites.hub}/oauth/authorize?response_type=code&{query}"


def sign_in(page: Page, who: str, password: str = "") -> None:
    username, known = SIGNED_IN[who]
    page.get_by_label("Username or email").fill(username)
    page.get_by_label("Password").fill(password or known)
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("button", name="Sign in").click()


def refused_password(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/in/{sites.slug}")
    sign_in(page, "amy", "wrong")
    expect(page.get_by_role("alert")).to_be_visible()


def refused_badge(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/badge")
    page.get_by_label("Letters on the badge").fill("WRONG")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def throttled(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/in/{sites.slug}")
    for _ in range(12):
        page.get_by_label("Username or email").fill("nobody")
        page.get_by_label("Password").fill("wrong")
        with page.expect_navigation() as answered:
            page.get_by_role("button", name="Sign in").click()
        if answered.value and answered.value.status == 429:
            return
    pytest.fail("nobody was slowed down")


def portal(who: str) -> Prepare:
    def prepare(page: Page, sites: Sites) -> None:
        page.goto(f"{sites.hub}/in/{sites.slug}")
        sign_in(page, who)
        expect(page.get_by_role("heading", level=1)).to_contain_text(crowded.LONG)

    return prepare


def portal_of_administrator(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/in/{sites.slug}?role=district_admin")
    page.locator("button[name=person]").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(crowded.LONG)


def confirmed(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/in/{sites.slug}")
    sign_in(page, "amy")
    page.goto(asked(sites, sites.world.reader, confirmed="false"))


def not_for_pupils(page: Page, sites: Sites) -> None:
    page.goto(asked(sites, sites.world.door))
    sign_in(page, "amy")
    expect(page.get_by_role("heading", level=1)).to_have_text("This did not work")


def not_connected(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/in/{sites.slug}")
    sign_in(page, "lund")
    page.goto(asked(sites, sites.stranger))


def teacher_asked(page: Page, sites: Sites) -> None:
    page.goto(asked(sites, sites.world.shelf))
    sign_in(page, "lund")
    expect(page.get_by_role("button", name="Allow", exact=True)).to_be_visible()


def wrong_address(page: Page, sites: Sites) -> None:
    page.goto(asked(sites, sites.world.reader, redirect_uri="https://localhost/" + "long" * 60))


def badges(page: Page, sites: Sites) -> None:
    world = sites.world
    with world.database.read() as transaction:
        access = people_lookup.whole(transaction, world.district.number)
        pupils = people_lookup.everybody(transaction, access, role="student", school="")
        schools = dict(people_lookup.schools(transaction, access))
    given = [(pupil, credentials.new_badge()) for pupil in pupils]
    file = sites.folder / "badges.html"
    file.write_text(badge_sheet.page(world.district.name, sso.HOME, schools, given), "utf-8")
    page.goto(file.as_uri())


def live_token(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/explorer")
    page.get_by_text("Use another token").click()
    page.get_by_label("Token").fill("a" * 40)
    page.get_by_role("button", name="Send with it").click()
    expect(page.locator("#kept-back-here")).to_be_visible()


def stepped_sign_in(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/explorer/sign-in")
    page.get_by_role("button", name="Sign in, exchange, show /me").click()
    expect(page.get_by_role("heading", name="3. Ask who it is")).to_be_visible()


def table(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/explorer/users/{{id}}/sections")
    page.get_by_role("link", name="As a table").click()


def logged(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/log?path=limit=1")
    page.locator("#rows a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("200 for GET")


def console_switcher(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}")
    page.locator("summary.switch").click()


def console_person(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/people?role=student")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


def console_section(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/sections")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="Its record")).to_be_visible()


def console_arrivals(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/upload")
    files = sorted((sites.folder / "held less").glob("*.csv"))
    page.get_by_label("CSV files, or one zip file").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="The files are here")).to_be_visible()
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/files")
    page.locator("main summary").first.click()
    expect(page.get_by_role("button", name="Download").first).to_be_visible()


def console_charts(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/console")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Charts").click()
    for fold in page.locator("main summary").all():
        fold.click()


def console_school(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/schools")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="What may be missing")).to_be_visible()


def console_explained(page: Page, sites: Sites) -> None:
    console_person(page, sites)
    page.get_by_role("link", name="Why?").first.click()
    expect(page.get_by_label("The chain")).to_be_visible()


def console_changed_ids(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}{sites.held.rpartition('/runs/')[0]}/ids")
    expect(page.get_by_role("checkbox").first).to_be_visible()


def console_connection(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/applications")
    page.locator("tbody a").first.click()
    for fold in page.locator("main summary").all():
        fold.click()


def console_request(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/console/log?status=404")
    page.locator("#rows a").first.click()
    expect(page.get_by_role("heading", name="Send it again")).to_be_visible()


def console_events(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.demo}/console/events")
    page.locator("tbody a").last.click()
    expect(page.get_by_text("Only the API shows the values")).to_be_visible()


def console_preview(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/applications")
    page.get_by_role("button", name="Choose its share").click()
    page.get_by_label("Everything that its scopes open").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="What it would see")).to_be_visible()


def console_portal(page: Page, sites: Sites) -> None:
    console_person(page, sites)
    page.get_by_role("button", name="See their portal").click()
    expect(page.get_by_text("You are not signed in as them.")).to_be_visible()


def console_rules(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/applications")
    page.get_by_role("button", name="Choose its share").click()
    page.get_by_text("Rules", exact=True).click()
    for kind in ("Staff", "Students"):
        page.get_by_label("Add a rule for").select_option(kind)
        page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Whose field, rule 2").select_option("own column")
    page.get_by_role("textbox", name="Header after ext.").fill(crowded.LONG)
    expect(page.get_by_role("region", name="With this share")).to_contain_text("Students")


def console_service_tested(page: Page, sites: Sites) -> None:
    """No service answers at this port, and the page says so."""
    world = sites.world
    wanted = NewProvider(crowded.LONG, "http://127.0.0.1:9", "client", "secret")
    sign_in_setup.set_provider(world.database, world.settings, world.district.id, wanted)
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/sign-in")
    page.get_by_role("button", name="Test the service").click()
    expect(page.get_by_role("heading", name="The test found something wrong")).to_be_visible()
    sign_in_setup.remove_provider(world.database, world.district.id)


def console_application(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/applications")
    page.locator("tbody a").first.click()
    for fold in page.locator("main summary").all():
        fold.click()
    page.get_by_label("Redirect addresses, one on each line").fill("http://long.example/ myapp:go")
    expect(page.get_by_text("codes travel unencrypted")).to_be_visible()


def console_new_secret(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/applications/{sites.stranger.client_id}")
    page.get_by_role("button", name="New secret").click()
    expect(page.get_by_text("You see it only now")).to_be_visible()


def console_invited(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/team")
    page.get_by_label("Name", exact=True).fill(f"Ana {crowded.LONG} {page.viewport_size} {id(page)}"[:100])
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("Send this link to")).to_be_visible()


def console_uploaded(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/upload")
    page.get_by_label("CSV files, or one zip file").set_input_files(
        sorted((sites.folder / "held less").glob("*.csv"))
    )
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Check and plan").click()
    expect(page.get_by_role("heading", name="A sync would be held")).to_be_visible()


def console_job(page: Page, sites: Sites) -> None:
    files = sites.folder / "held less"
    number = job_control.queue_sync(sites.world.database, sites.world.district.id, files)
    page.goto(f"{sites.crowd}/console/d/{sites.slug}/jobs/{number}")


def console_not_let_in(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.hub}/console/sign-in")
    for label in ("Name", "Password", "Code from your phone"):
        page.get_by_label(label).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def console_mail(page: Page, sites: Sites) -> None:
    """The page of a district's person who gets mail, some of which was not sent."""
    world, name = sites.world, f"Dee {crowded.LONG}"[:100]
    with world.database.write() as transaction:
        if operator_accounts.find(transaction, name) is None:
            operator_accounts.add(
                transaction, operator_accounts.Link("", name, "district", world.district.number)
            )
            operator_accounts.equip(transaction, name, "a hash", "", 0)
        account = operator_accounts.get(transaction, name)
        secret = operator_accounts.open_session(transaction, account, absolute_seconds=3600)
    if subscribing.chosen(world.database, name) is None:
        address = f"{'dee.' * 15}park@{'long.' * 20}example.org"
        subscribing.choose(world.database, name, address, subscribing.Choice())
        subscribing.send_test(world.database, world.settings, name)
    page.context.add_cookies([{"name": "rollbook-console-session", "value": secret, "url": sites.hub}])
    page.goto(f"{sites.hub}/console/mail")
    expect(page.get_by_role("button", name="Send me a test")).to_be_visible()


def console_webhook(page: Page, sites: Sites) -> None:
    page.goto(f"{sites.crowd}/console/webhooks")
    page.get_by_label("Address").fill(
        f"http://127.0.0.1:9/{'long' * 30}/{page.viewport_size}{id(page)}".replace(" ", "")
    )
    page.get_by_role("button", name="Add the webhook").click()
    expect(page.get_by_text("It is shown only now.")).to_be_visible()


def console_codes(page: Page, sites: Sites) -> None:
    secret = (team.first_link(sites.world.database, sites.world.settings) or "").partition("#")[2]
    page.goto(f"{sites.hub}/console/welcome#{secret}")
    page.get_by_label("Name").fill(crowded.LONG)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Add the console to your phone")).to_be_visible()


STATES: dict[str, Prepare] = {
    "front of a demo": at("demo", "/"),
    "front of a demo, unfolded": at("demo", "/", unfold=True),
    "front of a server": at("hub", "/", unfold=True),
    "front of an empty server": at("empty", "/"),
    "an empty server's login": at("empty", "/login"),
    "31 districts": at("hub", "/login"),
    "districts searched": at("hub", "/login?q=oak"),
    "districts, none found": at("hub", "/login?q=nowhere"),
    "password": at("hub", "/in/SLUG"),
    "password, refused": refused_password,
    "password, slowed": throttled,
    "badge": at("hub", "/badge"),
    "badge, refused": refused_badge,
    "people to choose": at("crowd", "/in/SLUG"),
    "people to choose, none found": at("crowd", "/in/SLUG?q=nobody"),
    "no district here": at("hub", "/in/nowhere"),
    "portal of a pupil": portal("amy"),
    "portal of a teacher": portal("lund"),
    "portal of an administrator": portal_of_administrator,
    "are you this person": confirmed,
    "a pupil may not enter": not_for_pupils,
    "application not connected": not_connected,
    "unknown application": at("hub", "/oauth/authorize?client_id=none"),
    "address not registered": wrong_address,
    "teacher is asked": teacher_asked,
    "badge sheet": badges,
    "callback": at("crowd", "/demo/arrived?code=abc&state=x"),
    "callback, refused": at("crowd", "/demo/arrived?error=access_denied&state=x"),
    "demo days": at("demo", "/demo", unfold=True),
    "a rehearsal's report card": at("demo", "/demo/rehearsal"),
    "a person to edit": at("demo", "/demo/person"),
    "database away": at("away", "/login"),
    "no such page": at("hub", "/nothing/" + "long" * 40),
    "no such page of the Explorer": at("demo", "/explorer/nothing"),
    "Explorer, answered": at("demo", "/explorer?version=3.1", unfold=True),
    "Explorer, an id": at("demo", "/explorer/users/{id}/sections"),
    "Explorer, as a table": table,
    "Explorer, refused": at("demo", "/explorer/users?rol=teacher&role=pilot&version=2"),
    "Explorer, a person": at("demo", "/explorer/me"),
    "Explorer, no event yet": at("demo", "/explorer/events/{id}"),
    "Explorer, a form": at("demo", "/explorer/oauth/tokens/post"),
    "Explorer, a link": at("demo", "/explorer/oauth/authorize"),
    "Explorer, live token": live_token,
    "Explorer, no token": at("real", "/explorer", unfold=True),
    "Explorer, application's secret": at("real", "/explorer/oauth/tokens"),
    "Explorer, record": at("demo", "/explorer/records/users?version=3.1", unfold=True),
    "Explorer, record of events": at("demo", "/explorer/records/events"),
    "Explorer, sign-in": stepped_sign_in,
    "Explorer, sign-in on a server": at("real", "/explorer/sign-in"),
    "docs": at("demo", "/docs"),
    "docs, guide": at("demo", "/docs/guide/demo"),
    "docs, tables": at("demo", "/docs/reference/settings"),
    "docs, drawing": at("demo", "/docs/reference/records"),
    "docs, code": at("demo", "/docs/examples/python/web_login.py"),
    "docs, found": at("demo", "/docs/search?q=rate+limit"),
    "docs, nothing found": at("demo", "/docs/search?q=" + "studnets" * 8),
    "docs, no such page": at("demo", "/docs/reference/feilds"),
    "log": at("demo", "/log", unfold=True),
    "log, wrong filter": at("demo", "/log?status=many"),
    "log, nothing like that": at("demo", "/log?path=nowhere"),
    "log, a request": logged,
    "log, gone": at("demo", "/log/999999999.1"),
    "log, empty": at("quiet", "/log"),
    "console, 31 districts": at("crowd", "/console"),
    "console, no district": at("quiet", "/console"),
    "console, none like that": at("crowd", "/console?name=nowhere"),
    "console, switcher": console_switcher,
    "console, new district": at("crowd", "/console/new-district"),
    "console, home": at("crowd", "/console/d/SLUG"),
    "console, runs": at("crowd", "/console/d/SLUG/runs"),
    "console, first run": at("crowd", "/console/d/SLUG/runs/1"),
    "console, problems of a run": at("crowd", "/console/d/SLUG/runs/1/problems"),
    "console, every problem of a run": at("crowd", "HELD/problems?what=all"),
    "console, files that came": console_arrivals,
    "console, no files of a run": at("crowd", "/console/d/SLUG/files?run=1"),
    "console, applications of a run": at("crowd", "/console/d/SLUG/runs/1/applications"),
    "console, held run": at("crowd", "HELD"),
    "console, held run, filtered": at("crowd", "HELD?q=nobody"),
    "console, held run on the overview": at("crowd", "/console?state=held"),
    "console, applications": at("crowd", "/console/d/SLUG/applications"),
    "console, a connection": console_connection,
    "console, a share's preview": console_preview,
    "console, a share's rules": console_rules,
    "console, changed ids": at("crowd", "/console/d/SLUG/ids"),
    "console, changed ids of a held run": console_changed_ids,
    "console, people": at("crowd", "/console/d/SLUG/people"),
    "console, nobody like that": at("crowd", "/console/d/SLUG/people?text=nobody"),
    "console, a person": console_person,
    "console, the portal as a person": console_portal,
    "console, schools": at("crowd", "/console/d/SLUG/schools"),
    "console, a school": console_school,
    "console, sections": at("crowd", "/console/d/SLUG/sections"),
    "console, no section like that": at("crowd", "/console/d/SLUG/sections?text=nobody"),
    "console, a section": console_section,
    "console, charts": at("crowd", "/console/d/SLUG/charts", unfold=True),
    "console, charts of a demo": console_charts,
    "console, explained": console_explained,
    "console, to explain": at("crowd", "/console/d/SLUG/explain"),
    "console, found": at("crowd", "/console/search?q=a"),
    "console, nothing found": at("crowd", "/console/search?q=nobody"),
    "console, upload": at("crowd", "/console/d/SLUG/upload"),
    "console, uploaded": console_uploaded,
    "console, a job": console_job,
    "console, limits and rules": at("crowd", "/console/d/SLUG/limits"),
    "console, schedule": at("crowd", "/console/d/SLUG/schedule"),
    "console, sign-in of a district": at("crowd", "/console/d/SLUG/sign-in"),
    "console, sign-in service tested": console_service_tested,
    "console, badges": at("crowd", "/console/d/SLUG/badges"),
    "console, trail": at("crowd", "/console/audit", unfold=True),
    "console, trail of a district": at("crowd", "/console/d/SLUG/audit?what=nothing"),
    "console, server": at("crowd", "/console/server"),
    "console, mail": at("crowd", "/console/mail"),
    "console, own mail": console_mail,
    "console, no webhook": at("quiet", "/console/webhooks"),
    "console, a webhook": console_webhook,
    "console, team": at("crowd", "/console/team"),
    "console, team of a district": at("crowd", "/console/d/SLUG/team"),
    "console, invited": console_invited,
    "console, request log": at("demo", "/console/log", unfold=True),
    "console, a request": console_request,
    "console, a request that is gone": at("demo", "/console/log/999999999.1"),
    "console, no request yet": at("quiet", "/console/log"),
    "console, connections to watch": at("demo", "/console/events"),
    "console, nothing to watch": at("quiet", "/console/events"),
    "console, events": console_events,
    "console, applications of the server": at("crowd", "/console/applications"),
    "console, applications, none": at("quiet", "/console/applications"),
    "console, an application": console_application,
    "console, an application's new secret": console_new_secret,
    "console, settings checked": at("crowd", "/console/application-check?redirect_uris=http:x"),
    "console, account": at("crowd", "/console/account"),
    "console, sign in": at("hub", "/console"),
    "console, not let in": console_not_let_in,
    "console, welcome": at("hub", "/console/welcome#secret"),
    "console, codes": console_codes,
    "console, no district here": at("crowd", "/console/d/" + "nowhere" * 20),
}


@pytest.fixture(scope="module")
def context(chromium: Browser, sites: Sites) -> Iterator[BrowserContext]:
    """One window for all states, closed before the servers. The applications say that they were reached."""
    opened = chromium.new_context()
    opened.route("https://reader.example/**", lambda route: route.fulfill(body="arrived"))
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    context.clear_cookies()
    opened = context.new_page()
    yield opened
    opened.close()


@pytest.mark.parametrize("state", STATES)
def test_it_is_accessible_fits_and_asks_no_other_host(page: Page, sites: Sites, state: str) -> None:
    complaints, hosts = listened(page), set[str]()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    STATES[state](page, sites)
    if "/console" in page.url or "/explorer" in page.url:
        assert_light(page)
    assert_accessible(page)
    assert complaints == []
    assert all(host.startswith("127.0.0.1:") for host in hosts - {""})


def test_on_a_phone_a_request_of_the_log_is_a_block_that_fits(page: Page, sites: Sites) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{sites.demo}/log")
    table = page.get_by_role("region", name="Table of requests")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    assert table.evaluate("(part) => part.scrollWidth <= part.clientWidth")


def test_on_a_phone_the_pairs_of_changed_ids_can_be_chosen(page: Page, sites: Sites) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    console_changed_ids(page, sites)
    button = page.get_by_role("button", name="ticked records keep their ids")
    expect(button).to_be_visible()
    place = button.bounding_box()
    assert place
    assert place["x"] + place["width"] <= 360 - 16
    table = page.get_by_role("region", name="Table of pairs")
    assert table.evaluate("(part) => part.scrollWidth <= part.clientWidth")


def test_a_page_with_flaws_is_refused(page: Page) -> None:
    page.set_content(
        '<html lang="en"><title>Flaws</title><main><h1>Flaws</h1><img src="x"><p style="color: #bbb">pale</p></main>'
    )
    with pytest.raises(AssertionError, match=r"(?s)color-contrast: <p.*image-alt: <img"):
        assert_accessible(page)
