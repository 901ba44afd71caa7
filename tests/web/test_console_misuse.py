"""Misuse of the console: values that no form sends, and people who look for what their role does not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.web.console import console_frame, people_pages
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import STRANGER, at, signed_in
from tests.world import FILES


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    """Two synced districts on one database; the second one is ours."""
    folder = tmp_path_factory.mktemp("misuse")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder, district="Other Unified")) as other:
            other.sync({name: text.replace("Turing", STRANGER) for name, text in FILES.items()})
            hub = other.beside("Springfield")
            hub.sync(FILES)
            yield hub, other


@pytest.fixture
def client(town: tuple[Hub, Hub]) -> Iterator[httpx.Client]:
    hub, _ = town
    with signed_in(hub, "district", hub.district.number) as made:
        yield made


def test_a_number_of_thousands_of_digits_counts_as_the_greatest(client: httpx.Client) -> None:
    assert client.get(f"/console.json?from={'9' * 5000}").json()["first"] == 0


def test_an_unknown_role_is_said(client: httpx.Client, town: tuple[Hub, Hub]) -> None:
    refused = client.get(at(town[0], "people.json?role=pilot"))
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("role: expected one of student, teacher")


def test_a_district_behind_all_others_is_searched_and_offered(
    client: httpx.Client, town: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_pages, "DISTRICTS_MAX", 1)
    monkeypatch.setattr(console_frame, "OFFERED", 1)
    assert [hit["name"] for hit in client.get("/console/search.json?q=turing").json()["hits"]] == [
        "Alan Turing"
    ]
    assert at(town[0], "").rstrip("/") in client.get("/console/account").text


def test_a_help_desk_finds_people_and_no_runs(town: tuple[Hub, Hub], client: httpx.Client) -> None:
    def hits(one: httpx.Client, text: str) -> set[str]:
        return {hit["kind"] for hit in one.get(f"/console/search.json?q={text}").json()["hits"]}

    with signed_in(town[0], "help desk", town[0].district.number) as desk:
        assert hits(desk, "run+1") == set()
        assert "person" in hits(desk, "turing")
    assert hits(client, "run+1") == {"run"}


def test_a_developer_is_told_no_district(town: tuple[Hub, Hub]) -> None:
    with signed_in(town[0], "developer") as developer:
        for path in ("/console/account", "/console", at(town[1], "people")):
            page = developer.get(path).text
            assert not [hub.district.name for hub in town if hub.district.name in page]


def test_a_folder_is_shown_to_operators_only_and_a_wrong_one_is_said(
    client: httpx.Client, town: tuple[Hub, Hub]
) -> None:
    hub, _ = town
    page = at(hub, "schedule")
    given = {"act": "schedule", "zone": "UTC", "quiet_minutes": "5", "keep_days": "5", "rule": "quiet"}
    with signed_in(hub, "operator") as operator:
        given["form"] = form_of(operator.get(page).text)
        refused = operator.post(page, data={**given, "folder": "9" * 5000})
        assert refused.status_code == 400
        assert "is not there" in refused.text
        folder = str(hub.folder)
        assert operator.post(page, data={**given, "folder": folder}).status_code == 303
        assert operator.get(f"{page}.json").json()["schedule"]["folder"] == folder
    for path in (page, f"{page}.json", at(hub, "audit.json"), at(hub, "audit.csv")):
        assert folder not in client.get(path).text
