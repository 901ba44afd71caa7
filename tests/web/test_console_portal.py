"""The portal as a person sees it, for the help desk: the same applications, no sign-in, and a row in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import at, signed_in
from tests.world import FILES

BACK = "https://reader.example/back"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A district whose applications are for all, for teachers, and without an address to return to."""
    folder = tmp_path_factory.mktemp("portal")
    database = open_database(str(folder / "rollbook.db"))
    migrate(database)
    made = Hub(database, str(folder / "rollbook.db"), folder)
    made.sync(FILES)
    for name, given in {
        "Reading Room": {"redirect_uris": (BACK,)},
        "Grade Book": {"redirect_uris": (BACK,), "user_types": ("teacher",)},
        "Pupil Page": {"redirect_uris": (BACK,), "user_types": ("student",)},
        "Silent Reader": {},
    }.items():
        application, _ = applications.create(database, NewApplication(name, **given))  # type: ignore[arg-type]
        made.reconnect(application)
    yield made
    made.close()
    database.close()


def seen(client: httpx.Client, hub: Hub, person: str) -> httpx.Response:
    form = form_of(client.get("/console/account").text)
    return client.post(f"{at(hub, 'people')}/{person}/portal", data={"form": form})


def id_of(client: httpx.Client, hub: Hub, name: str) -> str:
    [found] = client.get(f"{at(hub, 'people')}.json", params={"text": name}).json()["people"]
    return str(found["id"])


def test_the_help_desk_sees_what_the_person_sees_and_the_trail_says_so(hub: Hub) -> None:
    with signed_in(hub, "help desk", hub.district.number) as client:
        emmy, grace = (id_of(client, hub, name) for name in ("Noether", "Hopper"))
        assert (
            f'formaction="{at(hub, "people")}/{emmy}/portal"'
            in client.get(f"{at(hub, 'people')}/{emmy}").text
        )
        pupil, administrator = seen(client, hub, emmy), seen(client, hub, grace)
        assert "You look at the portal as <bdi>Emmy Noether</bdi>" in pupil.text
        for name, is_seen in {"Reading Room": True, "Grade Book": False, "Silent Reader": False}.items():
            assert (f"<bdi>{name}</bdi>" in pupil.text) == is_seen
        assert "<bdi>Grade Book</bdi>" in administrator.text
        assert "<bdi>Pupil Page</bdi> is made for students" in administrator.text
        assert "instant-login" not in pupil.text + administrator.text
        # Nobody was signed in.
        assert hub.settings.session_seconds
        assert "rollbook-session" not in str(pupil.headers.get_list("set-cookie"))
        assert seen(client, hub, "f" * 24).status_code == 404
        assert client.get(f"{at(hub, 'people')}/{emmy}/portal").status_code == 404
    with hub.database.read() as transaction:
        rows = audit.latest(transaction, 5, action="portal seen as a person")
        [sessions] = transaction.row("SELECT count(*) FROM sessions") or [None]
    assert [(row.detail["user"], row.detail["by"]) for row in reversed(rows)] == [
        (emmy, f"help desk of {hub.district.number}"),
        (grace, f"help desk of {hub.district.number}"),
    ]
    assert sessions == 0


def test_others_do_not(hub: Hub) -> None:
    other = hub.beside("Other Unified")
    with signed_in(hub, "operator") as client:
        emmy = id_of(client, hub, "Noether")
    for role, district in (("developer", None), ("help desk", other.district.number)):
        with signed_in(hub, role, district) as client:
            form = form_of(client.get("/console/account").text)
            refused = client.post(f"{at(hub, 'people')}/{emmy}/portal", data={"form": form})
            assert refused.status_code in (403, 404)
            assert "Emmy" not in refused.text
    assert districts.find(hub.database, other.district.id).snapshot == 0


def test_the_command_says_the_same(hub: Hub, tmp_path: Path) -> None:
    env = {"ROLLBOOK_DATABASE": hub.settings.database, "ROLLBOOK_KEY_FILE": hub.settings.key_file}
    run = CliRunner(env=env).invoke
    told = run(rollbook, ["portal", hub.district.name, "emmy"])
    assert told.output.splitlines() == [
        "Emmy Noether sees 2 applications in the portal",
        "  Pupil Page",
        "  Reading Room",
    ]
    assert '"for": "students"' in run(rollbook, ["portal", hub.district.name, "t-grace", "--json"]).output
    assert run(rollbook, ["portal", hub.district.name, "nobody"]).exit_code == 1
