"""An application is connected on one page: share, preview, token, edits, history, end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rollbook.demo.serving import Demo
from rollbook.operations import share_edits, share_previews
from rollbook.operations.share_edits import ShareEdit
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts, views
from rollbook.web.app import App
from tests.journeys.hub import Hub
from tests.sso import Direct
from tests.web.test_console import HOME, form_of

RULE = (
    '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "5", "11"]], "with": ["sections"]}]}'
)


class Desk:
    """The page of one connection, as a person uses it."""

    def __init__(self, client: httpx.Client, hub: Hub) -> None:
        self.client, self.hub = client, hub
        self.place = f"/console/d/{districts.slug(hub.district)}/applications"
        made, _ = applications.create(hub.database, NewApplication("Reading Room"))
        self.page = f"{self.place}/{made.client_id}"

    def press(self, act: str, **given: str) -> httpx.Response:
        form = form_of(self.client.get(self.page).text)
        return self.client.post(self.page, data={"form": form, "act": act, **given})

    def told(self) -> dict[str, object]:
        found: dict[str, object] = self.client.get(f"{self.page}.json").json()
        return found


@pytest.fixture
def desk(synced_hub: Hub) -> Iterator[Desk]:
    hub = synced_hub
    app = App(
        hub.database,
        hub.settings,
        limits=hub.folder / "demo.limits",
        extend=Demo("TEST_TOKEN", "", hub.district.name).extend,
    )
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as client:
        yield Desk(client, hub)


def test_an_application_is_connected_on_one_page_and_its_token_shown_once(desk: Desk) -> None:
    assert "No application reads this district" in desk.client.get(desk.place).text
    chosen = desk.client.post(
        desk.place,
        data={"form": form_of(desk.client.get(desk.place).text), "application": "Reading Room"},
    )
    assert chosen.headers["location"] == desk.page
    seen = desk.press("preview", kind="text", rules=RULE).text
    assert "Emmy Noether" in seen
    assert desk.told()["is_connected"] is False
    made = desk.press("connect", kind="text", rules=RULE).text
    token = re.search(r"Bearer ([0-9a-f]{40})", made)
    assert token
    assert token[1] not in desk.client.get(desk.page).text
    shown = desk.hub.client(token[1]).records("/v3.0/users?role=student")
    names = {user["name"]["last"] for user in shown}
    assert names == {"Noether", "Johnson"}
    (line,) = desk.client.get(f"{desk.place}.json").json()["applications"]
    assert (line["name"], line["share"]) == ("Reading Room", "1 rule")


def test_an_edit_that_takes_much_away_needs_a_yes(desk: Desk) -> None:
    desk.press("connect", kind="everything")
    refused = desk.press("share", kind="nothing").text
    assert "It would lose more than 10 %" in refused
    assert desk.told()["share"] == "everything"
    desk.press("share", kind="nothing", yes="on")
    assert desk.told()["share"] == "nothing"
    history = desk.told()["history"]
    assert isinstance(history, list)
    (line,) = [one["line"] for one in history if one["share"] == "everything"]
    desk.press("revert", line=str(line))
    assert desk.told()["share"] == "everything"


def test_fields_are_withheld_and_opened_one_by_one(desk: Desk) -> None:
    desk.press(
        "connect", kind="everything", **{"withhold.student.dob": "on", "sensitive.student.ell_status": "on"}
    )
    last = desk.told()["history"]
    assert isinstance(last, list)
    assert (last[-1]["withheld"], last[-1]["sensitive"]) == (["student.dob"], ["student.ell_status"])
    refused = desk.press("share", kind="text", rules="{")
    assert refused.status_code == 400
    assert "expected everything, nothing, or JSON" in refused.text


def test_an_edit_of_a_share_that_another_person_changed_meanwhile_is_refused(desk: Desk) -> None:
    desk.press("connect", kind="everything")
    page = desk.client.get(desk.page).text
    [seen] = re.findall(r'name="seen" value="([0-9a-f]+)"', page)
    desk.press("share", kind="everything", **{"withhold.student.dob": "on"})
    # A preview keeps what the form was filled in for.
    assert f'name="seen" value="{seen}"' in desk.press("preview", kind="everything", seen=seen).text
    refused = desk.press("share", kind="everything", seen=seen)
    assert refused.status_code == 409
    assert "Another person has changed this share" in refused.text
    found = views.by_application(desk.hub.database, desk.hub.district.number)["Reading Room"]
    assert found.spec.withheld == ("student.dob",)


def test_a_form_that_is_sent_as_it_stands_changes_nothing(desk: Desk) -> None:
    desk.press("connect", kind="everything")
    hub, reader = desk.hub, "Reading Room"
    edit = ShareEdit('{"schools": ["S", "North High"]}', ("student.disability",), ("student.disability",))
    share_edits.share(hub.database, hub.settings, reader, hub.district.id, edit)
    page = desk.client.get(desk.page).text
    ticked = dict.fromkeys(re.findall(r'<input type="checkbox" name="([^"]+)" checked>', page), "on")
    assert desk.press("share", kind="schools", yes="on", **ticked).status_code == 303
    spec = views.by_application(hub.database, hub.district.number)[reader].spec
    assert (spec.withheld, spec.sensitive) == (("student.disability",), ("student.disability",))
    assert spec.share is not None
    assert len(spec.share.schools) == 2


def test_the_form_begins_with_the_share_of_another_application(desk: Desk) -> None:
    desk.press("connect", kind="text", rules=RULE, **{"withhold.student.dob": "on"})
    other, _ = applications.create(desk.hub.database, NewApplication("Second"))
    page = f"{desk.place}/{other.client_id}"
    shown = desk.client.get(page, params={"like": "Reading Room"}).text
    assert "The form holds the share of" in shown
    assert re.search(r'name="kind" value="rules" checked', shown)
    assert re.search(r'name="withhold.student.dob" checked', shown)
    assert "equals any of" in shown
    # Nothing is shared yet, and an application that is not connected gives nothing.
    assert desk.client.get(f"{page}.json").json()["is_connected"] is False
    assert "The form holds" not in desk.client.get(page, params={"like": "Nobody"}).text


def test_a_new_token_ends_the_old_one_and_the_end_asks_for_the_name(desk: Desk) -> None:
    first = re.search(r"Bearer ([0-9a-f]{40})", desk.press("connect", kind="everything").text)
    second = re.search(r"Bearer ([0-9a-f]{40})", desk.press("token").text)
    assert first
    assert second
    assert first[1] != second[1]
    assert desk.press("disconnect", name="wrong").status_code == 400
    assert desk.press("disconnect", name=desk.hub.district.name).status_code == 303
    assert desk.told()["is_connected"] is False
    assert desk.hub.client(second[1]).get("/v3.0/users").status_code == 401


def test_a_preview_counts_what_the_edit_then_does(desk: Desk) -> None:
    desk.press("connect", kind="everything")
    hub = desk.hub
    for shared in (RULE, '{"schools": ["S"]}', "nothing", "everything", '{"schools": ["North High"]}'):
        edit = ShareEdit(shared)
        found = share_previews.preview(hub.database, hub.settings, "Reading Room", hub.district.id, edit)
        done = share_edits.share(hub.database, hub.settings, "Reading Room", hub.district.id, edit).run.kinds
        for count in found.counts:
            if count.source in ("students", "contacts", "sections", "schools", "terms", "courses"):
                kind = done.get(count.source)
                made = (kind.created, kind.deleted, kind.existing) if kind else (0, 0, 0)
                assert (count.enter, count.leave, count.today) == made, (shared, count)
