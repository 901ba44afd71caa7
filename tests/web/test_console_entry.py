"""How people enter the console: the first link, invitations, codes, throttling, and sessions that end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx
import pyotp
import pytest

from rollbook.auth import one_time_codes, throttle
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.operations import console_entry, team
from rollbook.store.accounts import audit
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.operators import operator_accounts
from rollbook.web.app import App
from tests.journeys.hub import Hub
from tests.sso import Direct
from tests.web.test_console import HOME, form_of

PASSWORD = "correct horse battery"


@dataclass
class Door:
    """A browser at a server's console, and the phone that makes its person's codes."""

    client: httpx.Client
    codes: str = ""
    step: int = 0

    def post(self, path: str, shown: str, **given: str) -> httpx.Response:
        return self.client.post(path, data={"form": form_of(shown), **given})

    def begin(self, link: str, name: str = "", password: str = PASSWORD) -> httpx.Response:
        """Both steps of a link."""
        path = team.WELCOME
        first = self.post(path, self.client.get(path).text, link=link, name=name, password=password)
        if first.status_code != 200:
            return first
        found = re.search(r"<code>([A-Z2-7]{32})</code>", first.text)
        kept = re.search(r'name="kept" value="([^"]+)"', first.text)
        assert found
        assert kept
        self.codes = found[1]
        return self.post(path, first.text, kept=kept[1], code=self.code(-1))

    def code(self, later: int = 0) -> str:
        """A code of the present step of time, or of one before or after it."""
        # Each code works once, and the test does not wait for the next one.
        step = one_time_codes.step_of(self.codes, pyotp.TOTP(self.codes).now(), _now()) or 0
        return pyotp.TOTP(self.codes).generate_otp(step + later)

    def sign_in(
        self, name: str, password: str = PASSWORD, *, later: int = 0, onward: str = ""
    ) -> httpx.Response:
        path = "/console/sign-in"
        shown = self.client.get(path).text
        return self.post(path, shown, name=name, password=password, code=self.code(later), next=onward)


def _now() -> float:
    return float(pyotp.TOTP("A" * 32).timecode(datetime.now())) * 30


@contextmanager
def door(hub: Hub, address: str = "192.0.2.9", codes: str = "") -> Iterator[Door]:
    app = App(hub.database, hub.settings, limits=hub.folder / "limits")
    with closing(app), httpx.Client(transport=Direct(app, address), base_url=HOME) as client:
        yield Door(client, codes)


def secret_of(link: str | None) -> str:
    assert link
    address, _, secret = link.partition("#")
    assert address.endswith(team.WELCOME)
    return secret


def test_the_first_link_makes_an_operator_who_then_signs_in(synced_hub: Hub) -> None:
    hub = synced_hub
    link = secret_of(team.first_link(hub.database, hub.settings))
    with door(hub) as at:
        begun = at.begin(link, "Ana Ruiz")
        assert (begun.status_code, begun.headers["location"]) == (303, "/console/sign-in")
        # It is good once.
        assert "was used already" in at.begin(link, "Eve").text
        entered = at.sign_in("Ana Ruiz", onward=f"/console/d/{districts.slug(hub.district)}")
        assert entered.headers["location"] == f"/console/d/{districts.slug(hub.district)}"
        cookie = next(each for each in entered.headers.get_list("set-cookie") if "console-session" in each)
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        page = at.client.get("/console")
        assert page.status_code == 200
        assert "Ana Ruiz" in page.text
        assert "This is a demo" not in page.text
    assert team.first_link(hub.database, hub.settings) is None
    with hub.database.read() as transaction:
        told = [row.action for row in audit.latest(transaction, 3)]
    assert told[:2] == ["signed in to the console", "console account begun"]


def test_a_new_first_link_ends_the_one_before(hub: Hub) -> None:
    old = secret_of(team.first_link(hub.database, hub.settings))
    new = secret_of(team.first_link(hub.database, hub.settings))
    with door(hub) as at:
        assert "was used already" in at.begin(old, "Ana").text
        assert at.begin(new, "Ana").status_code == 303


def test_a_wrong_name_password_or_code_gets_the_same_words_and_is_slowed(hub: Hub) -> None:
    with door(hub) as at:
        at.begin(secret_of(team.first_link(hub.database, hub.settings)), "Ana")
        wrong = [
            at.sign_in("Nobody"),
            at.sign_in("Ana", "not the password"),
            at.sign_in("Ana", later=5),
        ]
        said = {re.sub(r"value=\"[^\"]*\"", "", each.text) for each in wrong}
        assert {each.status_code for each in wrong} == {401}
        assert len(said) == 1
        # The account's own failures count, up to the limit of the portal.
        for _ in range(hub.settings.login_failures):
            last = at.sign_in("Ana", "not the password")
        assert last.status_code == 429
        assert at.sign_in("Ana").status_code == 429


def test_codes_guessed_from_many_addresses_with_the_right_password_are_limited(small_hub: Hub) -> None:
    hub = small_hub
    with door(hub) as at:
        at.begin(secret_of(team.first_link(hub.database, hub.settings)), "Ana")
        assert at.sign_in("Ana").status_code == 303
    # An outsider without the password counts for nothing, however often they try.
    for number in range(throttle.CODES_MAX + 1):
        with door(hub, f"198.51.100.{number}", at.codes) as outside:
            outside.sign_in("Ana", "not the password")
    with door(hub, "198.51.100.50", at.codes) as new:
        assert new.sign_in("Ana", later=1).status_code == 303
    wrong = []
    for number in range(throttle.CODES_MAX):
        with door(hub, f"203.0.113.{number}", at.codes) as guessing:
            wrong.append(guessing.sign_in("Ana", later=5))
    with hub.database.read() as transaction:
        told = audit.latest(transaction, 1)[0]
    assert (told.action, told.detail["by"]) == ("console code refused", "Ana")
    with hub.database.write() as transaction:
        transaction.run("UPDATE operators SET last_code = 0")
    # From a new address even a right code is refused now, in the same words: they reveal no right password.
    with door(hub, "203.0.113.50", at.codes) as new:
        refused = new.sign_in("Ana", later=1)
        assert {each.status_code for each in (*wrong, refused)} == {401}
        assert console_entry.MISFIT in refused.text
    # Where Ana signed in before, she gets in as ever.
    with door(hub, codes=at.codes) as at:
        assert at.sign_in("Ana", later=1).status_code == 303


def test_a_code_works_once(hub: Hub) -> None:
    with door(hub) as at:
        at.begin(secret_of(team.first_link(hub.database, hub.settings)), "Ana")
        assert at.sign_in("Ana").status_code == 303
        at.client.cookies.clear()
        assert at.sign_in("Ana").status_code == 401
        assert at.sign_in("Ana", later=1).status_code == 303


def test_a_session_ends_with_its_account_and_with_signing_out(hub: Hub) -> None:
    with door(hub) as at:
        at.begin(secret_of(team.first_link(hub.database, hub.settings)), "Ana")
        at.sign_in("Ana")
        assert at.client.get("/console").status_code == 200
        left = at.post("/console/sign-out", at.client.get("/console/account").text)
        assert left.headers["location"] == "/console/sign-in"
        assert at.client.get("/console").status_code == 303
        at.sign_in("Ana", later=1)
        assert at.client.get("/console").status_code == 200
        team.reset(hub.database, hub.settings, "Ana")
        assert at.client.get("/console").status_code == 303


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/console//evil", "/in/x", "/console\\x"]
)
def test_a_sign_in_leads_to_the_console_only(small_hub: Hub, onward: str) -> None:
    with door(small_hub) as at:
        at.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
        assert at.sign_in("Ana", onward=onward).headers["location"] == "/console"


def test_a_short_password_and_a_wrong_code_are_said(small_hub: Hub) -> None:
    link = secret_of(team.first_link(small_hub.database, small_hub.settings))
    with door(small_hub) as at:
        short = at.begin(link, "Ana", "too short")
        assert short.status_code == 400
        assert "expected 12 to 256 characters" in short.text
        assert "too short" not in short.text
        nameless = at.begin(link, "")
        assert "Name: expected 1 to 100 characters" in nameless.text


def test_a_district_person_sees_one_district_and_invites_into_it(synced_hub: Hub) -> None:
    hub = synced_hub
    other = districts.create(hub.database, "Other Unified")
    own = districts.slug(hub.district)
    link = secret_of(team.invite(hub.database, hub.settings, "Dee", "district", hub.district.name))
    with door(hub) as at:
        assert at.begin(link).status_code == 303
        assert at.sign_in("Dee").status_code == 303
        told = at.client.get("/console.json").json()
        assert [line["name"] for line in told["districts"]] == [hub.district.name]
        assert "Other Unified" not in at.client.get("/console").text
        assert at.client.get(f"/console/d/{districts.slug(other)}").status_code == 404
        for path in ("/console/team", "/console/new-district"):
            assert at.client.get(path).status_code == 403
        page = at.client.get(f"/console/d/{own}/team").text
        path = f"/console/d/{own}/team"
        invited = at.post(path, page, act="invite", name="Hal", role="help desk")
        assert "/console/welcome#" in invited.text
        for given in ({"role": "operator"}, {"role": "developer"}):
            assert at.post(path, page, act="invite", name="Eve", **given).status_code == 400
        # People of the whole server, or of another district, are not found.
        team.invite(hub.database, hub.settings, "Op", "operator")
        assert at.post(path, page, act="remove", name="Op").status_code == 404
    assert [each.name for each in team.members(hub.database)] == ["Dee", "Hal", "Op"]


def test_the_team_is_kept_by_command_and_by_page_alike(small_database: Database, small_hub: Hub) -> None:
    database, settings = small_database, small_hub.settings
    team.invite(database, settings, "Ana", "operator")
    with pytest.raises(Conflict, match="named 'Ana' already"):
        team.invite(database, settings, " Ana ", "operator")
    with pytest.raises(BadSetting, match="needs the district"):
        team.invite(database, settings, "Dee", "district")
    with pytest.raises(BadSetting, match="expected one of operator"):
        team.invite(database, settings, "Dee", "boss")
    with pytest.raises(Unknown, match="no person of the console has the name 'Eve'"):
        team.remove(database, "Eve")
    team.remove(database, "Ana")
    assert team.members(database) == []


def test_what_another_page_sealed_is_no_first_step(small_hub: Hub) -> None:
    with door(small_hub) as at:
        at.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
        sealed = at.client.cookies["rollbook-console-said"]
        for kept in (sealed, "é", f"{sealed}x"):
            answered = at.post(team.WELCOME, at.client.get(team.WELCOME).text, kept=kept, code="000000")
            assert answered.status_code == 400
            assert "Begin again with your link" in answered.text


def test_the_first_link_ends_once_an_operator_came_by_another_way(small_hub: Hub) -> None:
    hub = small_hub
    first = secret_of(team.first_link(hub.database, hub.settings))
    with door(hub) as at:
        assert (
            at.begin(secret_of(team.invite(hub.database, hub.settings, "Ana", "operator"))).status_code == 303
        )
        late = at.begin(first, "Eve")
        assert late.status_code == 409
        assert "There is an operator already" in late.text
    assert [member.name for member in team.members(hub.database)] == ["Ana"]


def test_the_last_operator_stays(small_hub: Hub) -> None:
    with door(small_hub) as at:
        at.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
    with pytest.raises(Refused, match="last operator"):
        team.remove(small_hub.database, "Ana")


def test_the_database_alone_reveals_no_password_and_no_code(small_hub: Hub) -> None:
    with door(small_hub) as at:
        at.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
        with small_hub.database.read() as transaction:
            kept = operator_accounts.get(transaction, "Ana")
        assert kept.password.startswith("$argon2id$")
        assert at.codes not in kept.codes_sealed
