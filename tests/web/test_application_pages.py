"""The applications of developers in the console: their own ones alone, checked, with reasons and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rollbook.domain.actors import Actor
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import acting, connecting, redirect_advice, registering, team
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.operators import operator_accounts
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import signed_in

LIST = "/console/applications"
DEVELOPER = "developer of None"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("applications")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as made:
            yield made


@pytest.fixture
def developer(hub: Hub) -> Iterator[httpx.Client]:
    with signed_in(hub, "developer") as client:
        yield client


def register(client: httpx.Client, name: str, **given: str) -> httpx.Response:
    return client.post(LIST, data={"form": form_of(client.get(LIST).text), "name": name, **given})


def page_of(hub: Hub, name: str) -> str:
    return f"{LIST}/{applications.find(hub.database, name).client_id}"


def test_a_developer_registers_an_application_and_sees_its_secret_once(
    hub: Hub, developer: httpx.Client
) -> None:
    made = register(developer, "Reading Room", redirect_uris="https://reader.example/back\nmyapp:go")
    secret = re.search(r"<span>([0-9a-f]{40})</span>", made.text)
    assert secret
    page = page_of(hub, "Reading Room")
    assert secret[1] not in developer.get(page).text
    told = developer.get(f"{page}.json").json()
    assert told["redirect_uris"] == ["https://reader.example/back", "myapp:go"]
    assert told["hints"] == ["myapp:go: opens a program on the person's device, not a page"]
    assert told["owners"] == [DEVELOPER]
    assert "Waiting for districts" in developer.get(page).text
    with hub.database.read() as transaction:
        found = applications.by_client_id(transaction, told["client_id"], in_demo=False)
        assert found
        assert applications.authenticated(transaction, told["client_id"], secret[1], in_demo=False) == found
    assert "exists already" in register(developer, "Reading Room").text


def test_settings_and_reasons_are_kept_and_districts_read_them(hub: Hub, developer: httpx.Client) -> None:
    register(developer, "Birthdays")
    page = page_of(hub, "Birthdays")
    given = {
        "act": "set",
        "redirect_uris": "https://birthdays.example/back",
        "is_live": "on",
        "has_oidc": "on",
        "role.teacher": "on",
        "scope.read:students": "on",
        "why.read:students": "to know whose day it is",
        "need.student.dob": "required",
        "need.student.email": "optional",
        "need.section.ext": "refused",
        "why.student.dob": "to wish a <b>happy</b> birthday",
    }
    form = form_of(developer.get(page).text)
    assert developer.post(page, data={"form": form, **given}).status_code == 303
    kept = applications.find(hub.database, "Birthdays")
    assert (kept.scopes, kept.user_types, kept.is_live, kept.has_oidc, kept.has_events) == (
        ("read:students",),
        ("teacher",),
        True,
        True,
        False,
    )
    assert kept.fields == {
        "required": ["student.dob"],
        "optional": ["student.email"],
        "refused": ["section.ext"],
    }
    assert kept.why["student.dob"] == "to wish a <b>happy</b> birthday"
    with signed_in(hub, "district", hub.district.number) as district:
        shown = district.get(f"/console/d/{districts.slug(hub.district)}/applications/{kept.client_id}").text
    assert "to wish a &lt;b&gt;happy&lt;/b&gt; birthday" in shown
    assert "to know whose day it is" in shown
    refused = developer.post(page, data={"form": form, **given, "redirect_uris": "http://birthdays.example"})
    assert refused.status_code == 400
    assert "a live application needs https" in refused.text
    assert developer.post(page, data={"form": form, "act": "nothing"}).status_code == 400


def test_a_developer_asks_connected_districts_for_no_more(hub: Hub, developer: httpx.Client) -> None:
    """More scopes, roles or fields would open records that the district did not agree to."""
    register(developer, "Creeping")
    page = page_of(hub, "Creeping")
    form, more = form_of(developer.get(page).text), "read:student_contacts"
    agreed = {"form": form, "act": "set", "scope.read:students": "on", "need.student.dob": "optional"}
    agreed |= {"role.student": "on"}
    assert developer.post(page, data=agreed | {"role.teacher": "on"}).status_code == 303
    connecting.connect(hub.database, hub.settings, "Creeping", hub.district.name)
    for wider in ({f"scope.{more}": "on"}, {"role.staff": "on"}, {"need.student.email": "optional"}):
        refused = developer.post(page, data=agreed | wider)
        assert (refused.status_code, "ask an operator" in refused.text) == (400, True)
    asked = {name: value for name, value in agreed.items() if name not in ("form", "act")}
    asked |= {"client": page.rpartition("/")[2], f"scope.{more}": "on"}
    (told,) = developer.get("/console/application-check.json", params=asked).json()["found"]
    assert f"than they agreed to ({more})" in told
    assert developer.post(page, data=agreed).status_code == 303
    with signed_in(hub, "operator") as operator:
        own = agreed | {"form": form_of(operator.get(page).text), f"scope.{more}": "on"}
        assert operator.post(page, data=own).status_code == 303
    assert more in applications.find(hub.database, "Creeping").scopes


def test_a_form_is_checked_before_it_is_sent(hub: Hub, developer: httpx.Client) -> None:
    register(developer, "Checked")
    client = applications.find(hub.database, "Checked").client_id

    def found(**given: str) -> list[str]:
        told: list[str] = developer.get("/console/application-check.json", params=given).json()["found"]
        return told

    assert found(name="Checked") == ["name: an application named 'Checked' exists already"]
    assert found(name="Unheard", redirect_uris="https://a.example/back") == []
    assert found(client=client, **{"scope.read:nothing": "on"})[0].startswith(
        "scopes: 'read:nothing' is not a scope"
    )
    assert found(client=client, **{"why.student.dob": "x" * 301})[0].startswith("why: expected one line")
    assert found(client=client, **{"scope.read:students": "on"}) == []
    assert developer.get("/console/application-check?redirect_uris=/back").status_code == 200
    assert developer.get("/console/application-check.json?client=none").status_code == 404
    many = " ".join(f"https://a.example/{number}" for number in range(51))
    assert developer.get("/console/application-check.json", params={"redirect_uris": many}).status_code == 400


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("https://a.example/back", ""),
        ("https://a.example", "leads to the front page"),
        ("http://localhost:3000/back", "works only on the machine"),
        ("http://a.example/back", "codes travel unencrypted"),
        ("https://a.example/*", "* is no wildcard"),
        ("javascript:alert(1)", "redirect uri: expected an absolute address"),
    ],
)
def test_an_address_has_hints(uri: str, hint: str) -> None:
    told = redirect_advice.of(uri, is_live=False)
    assert len(told) == bool(hint)
    assert hint in "".join(told)


def test_a_new_secret_works_beside_the_old_one(hub: Hub, developer: httpx.Client) -> None:
    register(developer, "Rotated")
    page = page_of(hub, "Rotated")
    form = form_of(developer.get(page).text)
    shown = developer.post(page, data={"form": form, "act": "secret", "hours": "2"}).text
    assert "The old secret works for 2 more hours." in shown
    for hours in ("", "2h", "-1", "721"):  # none of these may end the old secret at once
        refused = developer.post(page, data={"form": form, "act": "secret", "hours": hours})
        assert (refused.status_code, "expected a whole number from 0" in refused.text) == (400, True)
    ends = [each["ends"] for each in developer.get(f"{page}.json").json()["secrets"]]
    assert sorted(end is None for end in ends) == [False, True]
    developer.post(page, data={"form": form, "act": "secret", "hours": "0"})
    assert [each["ends"] for each in developer.get(f"{page}.json").json()["secrets"]] == [None]


def test_a_developer_finds_no_application_of_others(hub: Hub, developer: httpx.Client) -> None:
    registering.register(hub.database, NewApplication("Secret Rival"))
    page = page_of(hub, "Secret Rival")
    for path in (LIST, f"{LIST}.json", f"{LIST}.csv"):
        assert "Rival" not in developer.get(path).text
    form = form_of(developer.get(LIST).text)
    for path in (page, f"{page}.json"):
        assert developer.get(path).status_code == 404
    for act in ("set", "secret", "remove", "give", "take"):
        assert (
            developer.post(page, data={"form": form, "act": act, "name": "Secret Rival"}).status_code == 404
        )
    with hub.database.read() as transaction:
        person = operator_accounts.get(transaction, DEVELOPER)
    actor = Actor(person.name, person.role, None, person.number)
    unseen = "no application has the name or client id 'Secret Rival'"
    with pytest.raises(Unknown, match=unseen):
        acting.do(actor, registering.rotate_secret, hub.database, "Secret Rival", overlap_seconds=0)


def test_an_operator_gives_and_takes_an_application(hub: Hub, developer: httpx.Client) -> None:
    registering.register(hub.database, NewApplication("Handed over"))
    page = page_of(hub, "Handed over")
    with signed_in(hub, "operator") as operator:
        form = form_of(operator.get(page).text)
        for act, status in (("give", 200), ("take", 404)):
            assert operator.post(page, data={"form": form, "act": act, "owner": DEVELOPER}).status_code == 303
            assert developer.get(page).status_code == status
        assert operator.post(page, data={"form": form, "act": "take", "owner": DEVELOPER}).status_code == 404
        refused = operator.post(page, data={"form": form, "act": "give", "owner": "operator of None"})
        assert "expected a developer" in refused.text
        assert operator.post(page, data={"form": form, "act": "remove", "name": "x"}).status_code == 400
        gone = operator.post(page, data={"form": form, "act": "remove", "name": "Handed over"})
        assert gone.headers["location"] == LIST
    with hub.database.read() as transaction:
        actions = [row.action for row in audit.latest(transaction, 8)]
    assert {"application given", "application taken", "application removed"} <= set(actions)


def test_a_removed_developer_leaves_their_applications(hub: Hub) -> None:
    team.invite(hub.database, hub.settings, "Dev", "developer")
    registering.register(hub.database, NewApplication("Left behind"), owner="Dev")
    team.remove(hub.database, "Dev")
    assert registering.owners(hub.database, "Left behind") == []
    with pytest.raises(Unknown):
        registering.register(hub.database, NewApplication("Of nobody"), owner="Nobody")
    with pytest.raises(Unknown):
        applications.find(hub.database, "Of nobody")
    with pytest.raises(BadSetting, match=r"'student\.shoe' is not a scope and not a field"):
        registering.register(hub.database, NewApplication("Odd", why={"student.shoe": "size"}))
