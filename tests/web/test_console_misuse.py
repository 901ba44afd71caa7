"""Misuse of the console: values that no form sends, and people who look for what their role does not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from tests.journeys.hub import Hub
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
