"""A person makes their first passkey with the link of an invitation, or with the link of the first operator."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from html import unescape
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from rollbook.auth import passkeys
from rollbook.operations import passkey_entry, team
from tests.journeys.hub import Hub
from tests.web.authenticator import Authenticator
from tests.web.chromium import assert_accessible, listened
from tests.web.test_console_entry import PASSWORD, Door, secret_of
from tests.web.test_passkeys import (
    HERE,
    door_at,
    leave,
    options,
    served_hub,
    sign_in,
    stack,
    trail,
    with_authenticator,
)

__all__ = ["served_hub", "stack"]


def second_step(at: Door, link: str, name: str = "") -> tuple[httpx.Response, dict[str, str], dict[str, Any]]:
    """The page of a link's second step, its sealed first step, and what the browser is asked."""
    page = at.client.get(team.WELCOME).text
    shown = at.post(team.WELCOME, page, link=link, name=name, password=PASSWORD)
    kept = re.search(r'name="kept" value="([^"]+)"', shown.text)
    asked = re.search(r'data-asked="([^"]+)"', shown.text)
    assert kept
    assert asked
    at.codes = re.findall(r"<code>([A-Z2-7]{32})</code>", shown.text)[0]
    return shown, {"kept": kept[1]}, json.loads(unescape(asked[1]))


def test_the_first_operator_and_an_invited_person_begin_with_a_passkey(
    small_hub: Hub, stack: ExitStack
) -> None:
    at = door_at(small_hub, stack)
    bo = team.invite(small_hub.database, small_hub.settings, "Bo", "help desk")
    links = {"Ana": team.first_link(small_hub.database, small_hub.settings), "Bo": bo}
    for name, link in links.items():
        device = Authenticator(HERE)
        shown, kept, asked = second_step(at, secret_of(link), name)
        begun = at.post(team.WELCOME, shown.text, **kept, answer=device.make(asked))
        assert (name, begun.status_code, begun.headers["location"]) == (name, 303, "/console/sign-in")
        last = trail(small_hub)[0]
        assert (last.action, last.detail["by"]) == ("console account begun", name)
        assert last.detail["passkey"] == passkey_entry.FIRST
        assert sign_in(at, device.prove(options(at, "/console/sign-in"))).status_code == 303
        leave(at)
        # The letters that the page showed are the person's second way in.
        assert at.sign_in(name).status_code == 303
        leave(at)
        again = at.post(team.WELCOME, shown.text, **kept, answer=Authenticator(HERE).make(asked))
        assert (again.status_code, "was used already" in again.text) == (409, True)


def test_a_false_answer_spends_no_link(small_hub: Hub, stack: ExitStack) -> None:
    at, other = door_at(small_hub, stack), door_at(small_hub, stack)
    link = secret_of(team.first_link(small_hub.database, small_hub.settings))
    shown, kept, asked = second_step(at, link, "Ana")
    elsewhere = second_step(other, link, "Ana")[2]
    for false, said in (
        (Authenticator("https://evil.example").make(asked), passkeys.UNPROVEN),
        (Authenticator(HERE).make(elsewhere), passkeys.LATE),
        ("{", passkeys.UNREADABLE),
    ):
        refused = at.post(team.WELCOME, shown.text, **kept, answer=false)
        assert (refused.status_code, said in unescape(refused.text)) == (400, True)
    assert team.members(small_hub.database) == []
    assert at.post(team.WELCOME, shown.text, **kept, answer=Authenticator(HERE).make(asked)).is_redirect


@pytest.mark.browser
def test_a_link_is_finished_with_a_passkey_in_a_browser(
    chromium: Browser, served_hub: tuple[Hub, str]
) -> None:
    hub, base = served_hub
    link = team.invite(hub.database, hub.settings, "Chloé", "help desk")
    with chromium.new_context(viewport={"width": 360, "height": 800}) as context:
        page = context.new_page()
        complaints = listened(page)
        with_authenticator(page)
        page.goto(f"{base}/console/welcome#{secret_of(link)}")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="Choose how you sign in")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Make a passkey").click()
        expect(page.get_by_text("Chloé may sign in now, with the passkey.")).to_be_visible()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{base}/console")
        page.goto(f"{base}/console/account")
        expect(page.get_by_role("row", name=passkey_entry.FIRST)).to_be_visible()
        assert complaints == []
