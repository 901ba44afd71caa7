"""Mail and webhooks in the console: each person chooses and tests their own; an operator sees what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rollbook.demo import published
from rollbook.demo.serving import Demo
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.operators import operator_accounts
from tests import mailboxes
from tests.journeys.hub import Hub
from tests.mailboxes import Mailbox, Receiver
from tests.web.test_console import form_of
from tests.web.test_console_settings import signed_in

PLACE, HOOKS = "/console/mail", "/console/webhooks"


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mailboxes.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("mail")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as made:
            yield made


def ready(hub: Hub, role: str, district: int | None = None) -> str:
    """An account that `signed_in` uses, with a password."""
    name = f"{role} of {district}"
    with hub.database.write() as transaction:
        if operator_accounts.find(transaction, name) is None:
            operator_accounts.add(transaction, operator_accounts.Link("", name, role, district))
        operator_accounts.equip(transaction, name, "a hash", "", 0)
    return name


def press(client: httpx.Client, place: str, act: str, **given: str) -> httpx.Response:
    """Press a button of a page, and follow to the page that says what happened."""
    sent = client.post(place, data={"form": form_of(client.get(place).text), "act": act, **given})
    return client.get(sent.headers["location"]) if sent.status_code == 303 else sent


def test_a_district_person_chooses_tests_and_ends_their_mail(hub: Hub, box: Mailbox) -> None:
    name = ready(hub, "district", hub.district.number)
    with signed_in(hub, "district", hub.district.number) as client:
        assert "You get no mail" in client.get(PLACE).text
        assert "Ask its operators to set a mail server" in client.get(PLACE).text
        given = {"address": "dee@example.org", "topic held": "on", "at": "06:45", "zone": "America/Chicago"}
        page = press(client, PLACE, "choose", **given).text
        assert "Your choice is kept. It counts from now on." in page
        assert "You get mail at <bdi>dee@example.org</bdi>" in page
        told = client.get(f"{PLACE}.json").json()
        assert (told["choice"]["topics"], told["people"]) == (["held"], [])
        # The mail server is away, and this person is not told where it is.
        page = press(client, PLACE, "test").text
        assert "The test was not sent. The operators of this server see the reason." in page
        wrong = press(client, PLACE, "choose", **{**given, "address": "dee"})
        assert (wrong.status_code, "expected one mail address" in wrong.text) == (400, True)
        assert press(client, PLACE, "again", number="1").status_code == 403
        assert client.get(HOOKS).status_code == 403
        assert "You get no mail any more." in press(client, PLACE, "stop").text
    with hub.database.read() as transaction:
        assert operator_accounts.get(transaction, name).is_ready


def test_an_operator_sends_a_test_and_sees_all(hub: Hub, box: Mailbox) -> None:
    ready(hub, "operator")
    with signed_in(hub, "operator") as client:
        assert "No mail server is set; set ROLLBOOK_MAIL_HOST and" in client.get(PLACE).text
    hub.settings = type(hub.settings)(**{**_known(hub), **box.settings()})
    with signed_in(hub, "operator") as client:
        given = {"address": "ola@example.org", "topic night": "on", "at": "07:00", "zone": "UTC"}
        press(client, PLACE, "choose", **given)
        assert "The test was sent." in press(client, PLACE, "test").text
        (mail,) = box.mails
        assert (mail["To"], mail["Subject"]) == ("ola@example.org", "A test of Rollbook's mail")
        again = press(client, PLACE, "test")
        assert "A test was sent less than a minute ago" in again.text
        page = client.get(PLACE).text
        assert "Who gets mail" in page
        assert "ola@example.org" in client.get(f"{PLACE}.json").text
        assert client.get(f"{PLACE}.csv").text.splitlines()[1].split(",")[2:5] == [
            "test",
            "operator of None",
            "sent",
        ]
        trail = client.get("/console/audit").text
        assert "mail chosen" in trail
        assert "test mail sent" in trail


def _known(hub: Hub) -> dict[str, object]:
    return {name: getattr(hub.settings, name) for name in hub.settings.__slots__}


def test_an_operator_adds_tests_and_removes_a_webhook(hub: Hub) -> None:
    ready(hub, "operator")
    with mailboxes.receiving() as receiver, signed_in(hub, "operator") as client:
        _add(client, receiver)
        (hook,) = client.get(f"{HOOKS}.json").json()["webhooks"]
        assert (hook["address"], hook["topics"]) == (receiver.address, ["held"])
        assert "The test was sent." in press(client, HOOKS, "test", number=str(hook["number"])).text
        assert receiver.calls[0][0]["webhook-signature"].startswith("v1,")
        assert "Rollbook no longer calls" in press(client, HOOKS, "remove", number=str(hook["number"])).text
        assert "No webhook yet" in client.get(HOOKS).text
        assert press(client, HOOKS, "remove", number="x").status_code == 400


def _add(client: httpx.Client, receiver: Receiver) -> None:
    page = press(client, HOOKS, "add", **{"address": receiver.address, "topic held": "on"}).text
    assert "whsec_" in page
    assert "whsec_" not in client.get(HOOKS).text
    assert (
        "a webhook calls"
        in press(client, HOOKS, "add", **{"address": receiver.address, "topic held": "on"}).text.lower()
    )


def test_the_visitor_of_a_demo_is_told_that_they_have_no_account(hub: Hub) -> None:

    client = hub.client(demo=Demo(published.DISTRICT_TOKEN, published.BASIC, "Springfield"))
    assert "has no account" in client.get(PLACE).text
