"""The request log and the events in the console: an operator sees all, a developer their own applications alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from rollbook.commands.connection_events import events
from rollbook.domain.actors import DEVELOPER, DISTRICT, HELP_DESK, OPERATOR, Actor
from rollbook.errors import Forbidden
from rollbook.operations import registering, watching
from rollbook.store.accounts import applications
from rollbook.store.engine.database import open_database
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import Link
from rollbook.store.records import event_feed
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Hub
from tests.templates import Template
from tests.web.chromium import listened, served
from tests.web.test_console_settings import COOKIE

LOG, EVENTS = "/console/log", "/console/events"
PEOPLE = {"Olga": OPERATOR, "Ann": DEVELOPER, "Bob": DEVELOPER, "Dora": DISTRICT, "Hal": HELP_DESK}


class Place(NamedTuple):
    """A real server with two applications of two developers, after a night with events. `tokens` are those of the
    applications, `secrets` the sessions of the people, each by name."""

    hub: Hub
    app: App
    address: str
    tokens: dict[str, str]
    secrets: dict[str, str]

    def browser(self, who: str) -> httpx.Client:
        return httpx.Client(base_url=self.address, cookies={COOKIE: self.secrets[who]} if who else None)

    def asks(self, name: str, path: str) -> httpx.Response:
        """A request of an application, which stands in the log at once."""
        answer = httpx.get(self.address + path, headers={"authorization": f"Bearer {self.tokens[name]}"})
        assert self.app.tap
        self.app.tap.flush()
        return answer

    def events(self) -> list[dict[str, Any]]:
        """The events of Arcade, as its API has them."""
        return [each["data"] for each in self.asks("Arcade", "/v3.0/events?limit=1000").json()["data"]]

    def watch(self, name: str) -> str:
        """The address of an application's events."""
        client = applications.find(self.hub.database, name).client_id
        return f"{EVENTS}?application={client}&district={self.hub.district.id}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest,
    empty_databases: Callable[[str], Template],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("watching")
    with ExitStack() as stack:
        address = stack.enter_context(empty_databases(request.param).copy(folder))
        database = stack.enter_context(closing(open_database(address)))
        hub = stack.enter_context(closing(Hub(database, address, folder)))
        secrets = {who: _entered(hub, who, role) for who, role in PEOPLE.items()}
        tokens = {}
        for name, owner in (("Arcade", "Ann"), ("Bookshelf", "Bob")):
            tokens[name] = hub.connect(name=name)
            registering.give(database, name, owner)
        event_feed.switch(database, applications.find(database, "Arcade").number, on=True)
        hub.sync(world.FILES)
        hub.sync(world.changed(("students.csv", "Noether,Emmy", "Noether,Amalie")), days_on=0.01)
        app = App(database, hub.settings, limits=folder / "limits", logs_requests=True)
        stack.callback(app.close)
        with served(app) as base:
            made = Place(hub, app, base, tokens, secrets)
            for name, path in (("Arcade", "/v3.0/users?rol=student"), ("Bookshelf", "/v3.0/scools")):
                made.asks(name, path)
            yield made


def _entered(hub: Hub, name: str, role: str) -> str:
    """The secret of a new person's session."""
    with hub.database.write() as transaction:
        operator_accounts.add(
            transaction, Link("", name, role, None if role != DISTRICT else hub.district.number)
        )
        account = operator_accounts.get(transaction, name)
        return operator_accounts.open_session(transaction, account, absolute_seconds=3600)


def test_a_developer_reads_the_requests_of_their_own_applications_alone(place: Place) -> None:
    for who, own, other in (("Ann", "/v3.0/users", "/v3.0/scools"), ("Bob", "/v3.0/scools", "/v3.0/users?")):
        with place.browser(who) as browser:
            for path in (LOG, f"{LOG}.json", f"{LOG}.csv", f"{LOG}/rows?after=0"):
                shown = browser.get(path).text
                assert own in shown
                assert other not in shown, path
            assert ("Arcade" in browser.get(LOG).text) == (who == "Ann")


def test_an_operator_reads_all_requests_with_their_hints(place: Place) -> None:
    with place.browser("Olga") as browser:
        page = browser.get(LOG).text
        found = browser.get(f"{LOG}.json").json()["requests"]
    assert "Did you mean <code>/v3.0/schools</code>?" in page
    assert {(each["application"], each["status"]) for each in found} >= {("Arcade", 200), ("Bookshelf", 404)}
    assert any("`rol` is not known here" in each["hints"] for each in found)


def test_one_request_of_another_developer_is_not_in_the_log(place: Place) -> None:
    with place.browser("Bob") as bob, place.browser("Ann") as ann:
        [one] = re.findall(rf'href="({LOG}/[0-9.]+)">/v3.0/scools', bob.get(LOG).text)
        assert "Send it again" in bob.get(one).text
        assert bob.get(f"{one}.json").json()["curl"].endswith('/v3.0/scools"')
        for path in (one, f"{one}.json"):
            refused = ann.get(path)
            assert (refused.status_code, "scools" in refused.text) == (404, False)


def test_an_unknown_status_is_named_and_changes_nothing(place: Place) -> None:
    with place.browser("Olga") as browser:
        answer = browser.get(LOG, params={"status": "many"})
    assert answer.status_code == 400
    assert "expected one such as 404, or 4xx for all of them" in answer.text


@pytest.mark.parametrize("path", [LOG, f"{LOG}.json", f"{LOG}/rows", f"{LOG}/1.0", EVENTS, f"{EVENTS}.csv"])
def test_people_of_a_district_and_strangers_watch_nothing(place: Place, path: str) -> None:
    for who in ("Dora", "Hal"):
        with place.browser(who) as browser:
            assert browser.get(path).status_code == 403
    with place.browser("") as browser:
        answer = browser.get(path)
    assert answer.status_code == 401 if path.endswith((".json", ".csv")) else answer.is_redirect


def test_a_role_that_watches_nothing_is_refused_by_the_operations_too(place: Place) -> None:
    for role in (DISTRICT, HELP_DESK):
        actor = Actor("Somebody", role, place.hub.district.number)
        with pytest.raises(Forbidden):
            watching.readable(actor, place.hub.database)


def test_a_person_of_one_district_reads_its_requests_alone(place: Place) -> None:
    allowed = watching.readable(Actor("Olga", OPERATOR, place.hub.district.number), place.hub.database)
    assert allowed.shows("any", place.hub.district.id)
    assert not allowed.shows("any", "another district")


def test_events_tell_types_ids_and_names_of_fields_and_no_value(place: Place) -> None:
    with place.browser("Ann") as browser:
        page = browser.get(place.watch("Arcade")).text
        [updated, *_] = [
            each
            for each in browser.get(place.watch("Arcade").replace("?", ".json?")).json()["events"]
            if each["type"] == "users.updated"
        ]
    assert "users.updated" in page
    assert updated["changed"] == "name"
    [event] = [each for each in place.events() if each["id"] == updated["id"]]
    assert (event["type"], event["data"]["object"]["id"]) == ("users.updated", updated["record"])
    for value in ("Amalie", "Noether", "Emmy", "emmy@north.example"):
        assert value not in page


def test_the_script_gets_the_events_after_an_id(place: Place) -> None:
    newest = place.events()[-1]["id"]
    with place.browser("Olga") as browser:
        rows = place.watch("Arcade").replace("?", "/rows?")
        assert f'data-at="{newest}"' in browser.get(f"{rows}&after=0").text
        assert browser.get(f"{rows}&after={newest}").text == ""


def test_the_command_prints_the_same_events(place: Place) -> None:
    settings = place.hub.settings
    env = {"ROLLBOOK_DATABASE": settings.database, "ROLLBOOK_KEY_FILE": settings.key_file}
    run = partial(CliRunner(env=env).invoke, events, catch_exceptions=False)
    asked = ["of", "Arcade", place.hub.district.name]
    told = [orjson.loads(line) for line in run([*asked, "--json"]).output.splitlines()]
    with place.browser("Olga") as browser:
        shown = browser.get(place.watch("Arcade").replace("?", ".json?")).json()["events"]
    assert [each["id"] for each in told] == [each["id"] for each in reversed(shown)]
    last = run([*asked, "--last", "1"]).output
    assert last.count("\n") == 1
    assert shown[0]["id"] in last
    off = ["of", "Bookshelf", place.hub.district.name]
    assert "rollbook application set 'Bookshelf' --events" in run(off).output


def test_events_that_are_off_name_the_next_step(place: Place) -> None:
    with place.browser("Bob") as browser:
        page = browser.get(place.watch("Bookshelf")).text
    assert "Events are off" in page
    assert 'rollbook application set "Bookshelf" --events' in page


def test_a_developer_watches_no_events_of_others(place: Place) -> None:
    with place.browser("Bob") as browser:
        assert "Arcade" not in browser.get(EVENTS).text
        for path in (place.watch("Arcade"), place.watch("Arcade").replace("?", "/rows?")):
            refused = browser.get(path)
            assert (refused.status_code, "users.updated" in refused.text) == (404, False)


def test_a_server_without_a_log_says_so(place: Place) -> None:
    silent = App(place.hub.database, place.hub.settings, limits=place.hub.folder / "silent")
    with closing(silent), served(silent) as address:
        answer = httpx.get(address + LOG, cookies={COOKIE: place.secrets["Olga"]})
    assert "ROLLBOOK_REQUEST_LOG_ROWS_MAX is 0" in answer.text


def test_the_pages_go_on_by_themselves(place: Place, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 900})
    context.add_cookies([{"name": COOKIE, "value": place.secrets["Ann"], "url": place.address}])
    with closing(context):
        page = context.new_page()
        complaints = listened(page)
        page.goto(place.address + LOG)
        expect(page.locator("#live")).to_have_text("Live")
        place.asks("Arcade", "/v3.0/terms?limit=7")
        expect(page.locator("#rows")).to_contain_text("/v3.0/terms?limit=7")
        page.goto(place.address + place.watch("Arcade"))
        expect(page.locator("#live")).to_have_text("Live")
        place.hub.sync(world.changed(("students.csv", "Noether,Emmy", "Noether,Emilie")), days_on=0.02)
        expect(page.locator("#rows tr").first).to_contain_text("updated")
        assert not complaints
