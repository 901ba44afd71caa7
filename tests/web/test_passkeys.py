"""Passkeys of the console: added, used and removed in a real browser; and each answer that must be refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.auth import passkeys
from rollbook.operations import passkey_entry, team
from rollbook.store.accounts import audit
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.web.app import App
from tests.journeys.hub import Hub
from tests.sso import Direct
from tests.web.authenticator import PRESENT, Authenticator
from tests.web.chromium import assert_accessible, listened, served
from tests.web.test_console_entry import PASSWORD, Door, secret_of

HERE = "http://localhost:8400"


def door_at(hub: Hub, stack: ExitStack, base: str = HERE, **settings: Any) -> Door:
    """A browser at a server whose public address is `base`."""
    asked = replace(hub.settings, public_url=base, **settings)
    app = App(hub.database, asked, limits=hub.folder / "limits")
    stack.enter_context(closing(app))
    return Door(stack.enter_context(httpx.Client(transport=Direct(app, "192.0.2.9"), base_url=base)))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def at(small_hub: Hub, stack: ExitStack) -> Door:
    """Ana's browser; she is signed in by password and code."""
    made = door_at(small_hub, stack)
    made.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
    assert made.sign_in("Ana").status_code == 303
    return made


def options(at: Door, path: str) -> dict[str, Any]:
    told: dict[str, Any] = at.client.get(f"{path}.json").json()["passkey"]
    return told


def add(at: Door, device: Authenticator, answer: str = "", **given: str) -> httpx.Response:
    page = at.client.get("/console/account").text
    answer = answer or device.make(options(at, "/console/account"))
    return at.post(
        "/console/account", page, **{"name": "My laptop", "code": at.code(1), "answer": answer, **given}
    )


def sign_in(at: Door, answer: str) -> httpx.Response:
    return at.post("/console/sign-in/passkey", at.client.get("/console/sign-in").text, answer=answer)


def leave(at: Door) -> None:
    at.post("/console/sign-out", at.client.get("/console/account").text)


def trail(hub: Hub) -> list[audit.Entry]:
    with hub.database.read() as transaction:
        return audit.latest(transaction, 3)


@pytest.fixture
def device(at: Door) -> Authenticator:
    """A device with Ana's passkey; she is signed out."""
    made = Authenticator(HERE)
    assert add(at, made).status_code == 303
    leave(at)
    return made


def test_a_passkey_signs_in_alone_and_leads_on(at: Door, device: Authenticator, small_hub: Hub) -> None:
    entered = sign_in(at, device.prove(options(at, "/console/sign-in")))
    assert (entered.status_code, entered.headers["location"]) == (303, "/console")
    [one] = at.client.get("/console/account.json").json()["passkeys"]
    assert one["name"] == "My laptop"
    assert one["used"] >= one["created"] > 0
    last = trail(small_hub)[0]
    assert (last.action, last.detail) == (
        "signed in to the console",
        {"by": "Ana", "passkey": "My laptop"},
    )


LIES: dict[str, dict[str, Any]] = {
    "origin": {"origin": "https://evil.example"},
    "port": {"origin": "http://localhost:8401"},
    "site": {"host": "evil.example"},
    "nobody was asked": {"flags": PRESENT},
    "key": {"key": Authenticator("").key},
}


def test_an_answer_for_another_site_or_without_the_person_is_refused(at: Door, device: Authenticator) -> None:
    for lie, told in LIES.items():
        refused = sign_in(at, replace(device, **told).prove(options(at, "/console/sign-in")))
        assert (lie, refused.status_code) == (lie, 401)
        assert passkeys.UNPROVEN.split("'")[0] in unescape(refused.text)
    assert at.client.get("/console").status_code == 303


def test_a_replayed_answer_is_refused(at: Door, device: Authenticator) -> None:
    answer = device.prove(options(at, "/console/sign-in"))
    assert sign_in(at, answer).status_code == 303
    leave(at)
    again = sign_in(at, answer)
    assert again.status_code == 401
    assert passkeys.LATE in again.text


def test_a_challenge_is_for_one_browser_one_purpose_and_five_minutes(
    at: Door, device: Authenticator, small_hub: Hub, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = door_at(small_hub, stack)
    elsewhere.client.get("/console/sign-in")
    assert passkeys.LATE in sign_in(at, device.prove(options(elsewhere, "/console/sign-in"))).text
    guessed = {"challenge": "A" * 75}
    assert passkeys.LATE in sign_in(at, device.prove(guessed)).text
    asked = options(at, "/console/sign-in")
    monkeypatch.setattr(passkeys, "CHALLENGE_SECONDS", -1)
    assert passkeys.LATE in sign_in(at, device.prove(asked)).text
    monkeypatch.undo()
    assert sign_in(at, device.prove(options(at, "/console/sign-in"))).status_code == 303
    to_add = options(at, "/console/account")
    leave(at)
    assert passkeys.LATE in sign_in(at, device.prove(to_add)).text


def test_a_copied_passkey_is_refused_and_noted(at: Door, device: Authenticator, small_hub: Hub) -> None:
    copy = replace(device)
    for _ in range(2):
        assert sign_in(at, device.prove(options(at, "/console/sign-in"))).status_code == 303
        leave(at)
    refused = sign_in(at, copy.prove(options(at, "/console/sign-in")))
    assert refused.status_code == 401
    assert "its counter went back" in refused.text
    last = trail(small_hub)[0]
    assert (last.action, last.detail["passkey"]) == ("console sign-in failed", "My laptop")


def test_a_passkey_without_a_counter_works_again_and_again(at: Door) -> None:
    device = Authenticator(HERE, uses=-1)
    device.uses = 0
    add(at, device)
    for _ in range(2):
        leave(at)
        device.uses = -1
        assert sign_in(at, device.prove(options(at, "/console/sign-in"))).status_code == 303


@pytest.mark.parametrize("end", ["removed by its owner", "reset", "account removed"])
def test_a_removed_passkey_opens_nothing(at: Door, device: Authenticator, small_hub: Hub, end: str) -> None:
    hub = small_hub
    if end == "removed by its owner":
        passkey_entry.remove(hub.database, "Ana", "My laptop")
    elif end == "reset":
        team.reset(hub.database, hub.settings, "Ana")
    else:
        team.invite(hub.database, hub.settings, "Op", "operator")
        with hub.database.write() as transaction:
            transaction.run("UPDATE operators SET password = 'x' WHERE name = 'Op'")
        team.remove(hub.database, "Ana")
    refused = sign_in(at, device.prove(options(at, "/console/sign-in")))
    assert refused.status_code == 401
    assert "This passkey is not valid here" in refused.text


UNREADABLE = (
    "",
    "{",
    "[]",
    "null",
    '{"id": 1}',
    '{"id": "a", "response": {"clientDataJSON": "e30"}}',
    "9" * 4000,
    "[" * 5_000,
)


def test_an_unreadable_answer_is_said(at: Door, device: Authenticator) -> None:
    for answer in UNREADABLE:
        refused = sign_in(at, answer)
        assert (answer, refused.status_code) == (answer, 401)
        assert passkeys.UNREADABLE in unescape(refused.text)


def test_a_handle_of_another_person_is_refused(at: Door, device: Authenticator) -> None:
    device.handle = bytes(32)
    assert "is not valid here" in sign_in(at, device.prove(options(at, "/console/sign-in"))).text


def test_to_add_a_passkey_takes_a_name_a_code_and_a_true_answer(at: Door) -> None:
    device = Authenticator(HERE)
    assert "expected 1 to 60 characters" in add(at, device, name=" ").text
    assert "Code: it is wrong" in add(at, device, code="000000").text
    assert passkeys.UNPROVEN.split("'")[0] in unescape(add(at, Authenticator("https://evil.example")).text)
    assert passkeys.UNREADABLE in unescape(add(at, device, answer="{").text)
    assert add(at, device).status_code == 303
    assert "device has" not in at.client.get("/console/account").text
    [known] = options(at, "/console/account")["excludeCredentials"]
    assert known["id"] == json.loads(device.prove({"challenge": ""}))["id"]


def test_a_passkey_that_is_added_while_its_account_is_reset_does_not_stay(
    at: Door, small_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = passkey_entry._spend_code

    def spend(*given: Any) -> None:
        plain(*given)
        team.reset(small_hub.database, small_hub.settings, "Ana")

    monkeypatch.setattr(passkey_entry, "_spend_code", spend)
    refused = add(at, Authenticator(HERE))
    assert (refused.status_code, passkey_entry.RESET in unescape(refused.text)) == (400, True)
    assert passkey_entry.list_of(small_hub.database, "Ana") == []


def test_a_server_at_a_number_says_what_passkeys_need(small_hub: Hub, stack: ExitStack) -> None:
    at = door_at(small_hub, stack, "http://127.0.0.1:8400")
    assert "passkey" not in at.client.get("/console/sign-in").text
    at.begin(secret_of(team.first_link(small_hub.database, small_hub.settings)), "Ana")
    at.sign_in("Ana")
    assert "an operator sets it with ROLLBOOK_PUBLIC_URL" in at.client.get("/console/account").text
    leave(at)
    refused = sign_in(at, Authenticator(HERE).prove({"challenge": ""}))
    assert refused.status_code == 401
    assert "Passkeys need an address with https" in refused.text


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("https://rollbook.example", "https://rollbook.example"),
        ("https://rollbook.example:8443/", "https://rollbook.example:8443"),
        ("https://Rollbook.example:443", "https://rollbook.example"),
        ("http://localhost:8400", "http://localhost:8400"),
        ("http://rollbook.example", None),
        ("https://192.0.2.1", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_the_site_is_the_public_address(base: str, origin: str | None) -> None:
    found = passkeys.site(base)
    assert (found.origin if found else None) == origin


# In a real browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, str]]:
    """A server at localhost, where browsers allow passkeys without https."""
    folder = tmp_path_factory.mktemp("passkeys")
    with ExitStack() as stack:
        database = stack.enter_context(closing(open_database(str(folder / "rollbook.db"))))
        migrate(database)
        hub = stack.enter_context(closing(Hub(database, str(folder / "rollbook.db"), Path(folder))))
        opened = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        base = f"http://localhost:{opened.getsockname()[1]}"
        app = App(database, replace(hub.settings, public_url=base), limits=folder / "limits")
        stack.enter_context(closing(app))
        stack.enter_context(served(app, opened))
        yield hub, base


def with_authenticator(page: Page) -> None:
    """Plug a device into the browser that makes passkeys and says yes at once."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@pytest.mark.browser
def test_a_passkey_is_added_used_and_removed_in_a_browser(
    chromium: Browser, served_hub: tuple[Hub, str]
) -> None:
    hub, base = served_hub
    link = team.first_link(hub.database, hub.settings)
    with chromium.new_context() as context:
        page = context.new_page()
        complaints = listened(page)
        with_authenticator(page)
        phone = Door(httpx.Client())
        page.goto(f"{base}/console/welcome#{secret_of(link)}")
        page.get_by_label("Name").fill("Ana")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        phone.codes = page.locator("code").inner_text()
        page.get_by_label("Code that the app shows now").fill(phone.code(-1))
        page.get_by_role("button", name="Finish").click()
        page.get_by_label("Name").fill("Ana")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Code from your phone").fill(phone.code())
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.goto(f"{base}/console/account")
        page.get_by_label("Name of the new passkey").fill("My laptop")
        page.get_by_label("Code from your phone").fill(phone.code(1))
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("The passkey My laptop is added.")).to_be_visible()
        expect(page.get_by_role("row", name="My laptop")).to_be_visible()
        assert_accessible(page)
        # The browser itself refuses a second passkey for the same account.
        page.get_by_label("Name of the new passkey").fill("Again")
        page.get_by_label("Code from your phone").fill("000000")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("has a passkey for your account already")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{base}/console/account")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Sign in with a passkey").click()
        # It leads on to the page that was asked for.
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()
        page.get_by_role("button", name="Remove My laptop").click()
        expect(page.get_by_text("The passkey My laptop is removed.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("This passkey is not valid here")
        assert complaints == []
        phone.client.close()
