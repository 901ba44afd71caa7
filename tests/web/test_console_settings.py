"""Settings in the console: limits, rules, schedule, pauses, sign-in, the trail and the server; and who sees what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from rollbook.domain.actors import Actor
from rollbook.operations import scheduling
from rollbook.store.district import choices, districts, thresholds
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import Link
from rollbook.web.app import App
from rollbook.web.console.console_routes import PAGES
from tests.journeys.hub import Hub
from tests.sso import Direct
from tests.web.test_console import HOME, form_of
from tests.world import FILES

# A name of the other district that no page of this one may hold.
STRANGER = "Zebedee"
COOKIE = "rollbook-console-session"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    """Two synced districts on one database."""
    folder = tmp_path_factory.mktemp("settings")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as hub:
            hub.sync(FILES)
            other = hub.beside("Other Unified")
            other.sync({name: text.replace("Turing", STRANGER) for name, text in FILES.items()})
            yield hub, other


@contextmanager
def signed_in(hub: Hub, role: str, district: int | None = None) -> Iterator[httpx.Client]:
    """The browser of a person with a role."""
    name = f"{role} of {district}"
    with hub.database.write() as transaction:
        if operator_accounts.find(transaction, name) is None:
            operator_accounts.add(transaction, Link("", name, role, district))
        account = operator_accounts.get(transaction, name)
        secret = operator_accounts.open_session(transaction, account, absolute_seconds=3600)
    app = App(hub.database, hub.settings, limits=hub.folder / f"{role}.limits")
    with closing(app), httpx.Client(transport=Direct(app, "192.0.2.1"), base_url=HOME) as client:
        client.cookies.set(COOKIE, secret)
        yield client


def at(hub: Hub, page: str) -> str:
    return f"/console/d/{districts.slug(hub.district)}/{page}"


def test_limits_and_rules_are_set_and_bad_ones_are_said(town: tuple[Hub, Hub]) -> None:
    hub, _ = town
    with signed_in(hub, "district", hub.district.number) as client:
        path = at(hub, "limits")
        page = client.get(path).text
        now = thresholds.read(hub.database, hub.district)
        given = {
            f"{kind} {verb}": str(getattr(each, verb))
            for kind, each in now.items()
            for verb in ("updated", "deleted")
        }
        form = form_of(page)
        sent = client.post(path, data={"form": form, "act": "limits", **given, "students deleted": "25"})
        assert sent.status_code == 303
        assert thresholds.read(hub.database, hub.district)["students"].deleted == 25
        for wrong, said in (("much", "expected a whole number of percent"), ("500", "500")):
            refused = client.post(
                path, data={"form": form, "act": "limits", **given, "students deleted": wrong}
            )
            assert refused.status_code == 400
            assert said in refused.text
        assert (
            client.post(path, data={"form": form, "act": "rules", "lenient_grades": "on"}).status_code == 303
        )
        rules = choices.read(hub.database, hub.district).switches()
        assert rules["lenient_grades"] is True
        assert rules["derive_student_school"] is False


def test_a_schedule_and_a_pause_are_set_and_ended(town: tuple[Hub, Hub], tmp_path: Path) -> None:
    hub, _ = town
    with signed_in(hub, "district", hub.district.number) as client:
        path = at(hub, "schedule")
        form = form_of(client.get(path).text)
        plan = {
            "rule": "marker",
            "marker": "done",
            "quiet_minutes": "30",
            "keep_days": "7",
            "zone": "America/Chicago",
        }
        sent = client.post(
            path,
            data={
                "form": form,
                "act": "schedule",
                **plan,
                "day mon": "on",
                "off": "2026-12-24..2026-12-26",
                "folder": str(tmp_path),
            },
        )
        assert sent.status_code == 303
        found = scheduling.read(hub.database, hub.district.id)
        assert found
        assert (found.zone, found.days, len(found.off)) == ("America/Chicago", ("mon",), 1)
        # A folder is a path of the server's machine: only an operator may name one.
        assert found.folder == ""
        wrong = client.post(path, data={"form": form, "act": "schedule", **plan, "zone": "Moon/Base"})
        assert "expected a time zone such as America/Chicago" in wrong.text
        assert client.post(path, data={"form": form, "act": "pause", "from": "2026-13-40"}).status_code == 400
        assert client.post(path, data={"form": form, "act": "pause", "from": "2026-01-01"}).status_code == 303
        assert "Paused from 2026-01-01" in client.get(path).text
        assert client.post(path, data={"form": form, "act": "resume"}).status_code == 303
        assert client.post(path, data={"form": form, "act": "resume"}).status_code == 400
        assert client.post(path, data={"form": form, "act": "drop"}).status_code == 303
    assert scheduling.read(hub.database, hub.district.id) is None


def test_a_sign_in_service_is_set_and_its_secret_is_never_shown(town: tuple[Hub, Hub]) -> None:
    hub, _ = town
    with signed_in(hub, "district", hub.district.number) as client:
        path = at(hub, "sign-in")
        form = form_of(client.get(path).text)
        given = {"name": "Ours", "issuer": "https://id.example", "client_id": "c1", "secret": "s3cret-value"}
        refused = client.post(path, data={"form": form, "act": "set", **given, "issuer": "http://id.example"})
        assert refused.status_code == 400
        assert client.post(path, data={"form": form, "act": "set", **given}).status_code == 303
        page = client.get(path).text
        assert "https://id.example" in page
        assert "s3cret-value" not in page
        assert "s3cret-value" not in client.get(at(hub, "audit.json")).text
        assert client.post(path, data={"form": form, "act": "remove"}).status_code == 303


def test_the_trail_is_filtered_and_names_the_person(town: tuple[Hub, Hub]) -> None:
    hub, other = town
    with signed_in(hub, "district", other.district.number) as client:
        path = at(other, "limits")
        now = thresholds.read(hub.database, other.district)
        given = {
            f"{kind} {verb}": str(getattr(each, verb))
            for kind, each in now.items()
            for verb in ("updated", "deleted")
        }
        client.post(
            path,
            data={"form": form_of(client.get(path).text), "act": "limits", **given, "students deleted": "31"},
        )
        told = client.get(at(other, "audit.json?what=LIMITS&who=district")).json()["entries"]
        assert [(each["action"], each["by"]) for each in told] == [
            ("limits set", f"district of {other.district.number}")
        ]
        assert client.get(at(other, "audit.json?what=nothing")).json()["entries"] == []
        rows = list(csv.DictReader(io.StringIO(client.get(at(other, "audit.csv?what=limits")).text)))
        assert '"deleted":31' in rows[0]["details"]


def test_the_server_page_masks_secrets_and_is_for_operators(town: tuple[Hub, Hub]) -> None:
    hub, _ = town
    with signed_in(hub, "operator") as client:
        page = client.get("/console/server")
        assert page.status_code == 200
        assert "ROLLBOOK_DATABASE" in page.text
    for role, district in (("district", hub.district.number), ("help desk", None), ("developer", None)):
        with signed_in(hub, role, district) as client:
            assert client.get("/console/server").status_code == 403


def addresses(hub: Hub) -> Iterator[tuple[str, str, str]]:
    """Every page of the console as (permission, path for a district, path without one)."""
    slug = districts.slug(hub.district)
    for page in PAGES:
        if page.show and not page.is_open:
            path = re.sub(r"\{(?!slug)\w+(:\w+)?\}", "1", page.path)
            yield page.needs, path.replace("{slug}", slug), path


def test_a_person_of_one_district_finds_nothing_of_another(town: tuple[Hub, Hub]) -> None:
    """A sweep over all pages, in all three forms, with the other district's address and with their own."""
    hub, other = town
    own = Actor("", "district", hub.district.number)
    with signed_in(hub, "district", hub.district.number) as client:
        for _, path, row in addresses(other):
            for form in ("", ".json", ".csv"):
                answered = client.get(path + form)
                if "{slug}" in row:
                    assert answered.status_code == 404, path + form
                assert STRANGER not in answered.text, path + form
                assert "Other Unified" not in answered.text, path + form
        for needs, path, row in addresses(hub):
            answered = client.get(path)
            may = own.may(needs, hub.district.number) if "{slug}" in row else own.may_somewhere(needs)
            assert (answered.status_code != 403) is may, (path, answered.status_code)
            assert STRANGER not in answered.text, path
            assert "Other Unified" not in answered.text, path


@pytest.mark.parametrize("role", ["help desk", "developer"])
def test_a_role_sees_only_the_pages_that_it_needs(town: tuple[Hub, Hub], role: str) -> None:
    hub, _ = town
    actor = Actor("", role)
    with signed_in(hub, role) as client:
        for needs, path, _row in addresses(hub):
            may = actor.may(needs, hub.district.number)
            assert (client.get(path).status_code != 403) is may, path
