"""A district's sign-in settings in the console: the test of its own service, over real sockets, and badges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from rollbook.cli import rollbook
from rollbook.errors import Unknown
from rollbook.operations import service_tests, sign_in_setup
from rollbook.store.accounts import audit, credentials
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from tests.auth.hostile import Hostile, hostile, ok
from tests.journeys.hub import Hub
from tests.web.test_console import form_of
from tests.web.test_console_settings import at, signed_in
from tests.world import FILES

DESCRIPTION, KEYS = "/.well-known/openid-configuration", "/jwks_uri"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("signing in")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as made:
            made.sync(FILES)
            yield made


class Authorizing(dict[str, Any]):
    """The answers of a service, whose sign-in page has a new address each time."""

    def __missing__(self, path: str) -> Any:
        return self["/authorization_endpoint"] if path.startswith("/authorization_endpoint?") else b""


@pytest.fixture
def service(hub: Hub) -> Iterator[Hostile]:
    """A service that answers as it should, and is set for the district."""
    with hostile() as made:
        made.answers = Authorizing()
        describe(made)
        made.answers[KEYS] = ok(b'{"keys": [{"kty": "RSA"}, {"kty": "EC"}, {"kty": "oct"}, 1]}')
        made.answers["/authorization_endpoint"] = ok(b"sign in here")
        wanted = NewProvider("Ours", made.address, "client-1", "s3cret")
        sign_in_setup.set_provider(hub.database, hub.settings, hub.district.id, wanted)
        yield made


def describe(service: Hostile, *headers: str, **more: Any) -> None:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    told = {"issuer": service.address, **{name: f"{service.address}/{name}" for name in names}, **more}
    service.answers[DESCRIPTION] = ok(json.dumps(told).encode(), *headers)


def wrong(hub: Hub) -> dict[str, str]:
    steps = service_tests.try_provider(hub.database, hub.settings, hub.district.id)
    return {step.name: step.says for step in steps if not step.is_good}


def test_a_service_that_answers_as_it_should_has_nothing_wrong(hub: Hub, service: Hostile) -> None:
    assert wrong(hub) == {}
    asked = parse_qs(urlsplit(service.asked[-1]).query)
    assert (asked["client_id"], asked["redirect_uri"]) == (
        ["client-1"],
        ["http://127.0.0.1:8400/oauth/callback"],
    )


def test_each_wrong_part_is_named(hub: Hub, service: Hostile) -> None:
    describe(service, "date: Mon, 30 Nov 2020 10:00:00 GMT")
    assert "seconds ahead of its clock" in wrong(hub)["clock"]
    describe(service, "date: Fri, 30 Nov 2096 10:00:00 GMT")
    assert "seconds behind its clock" in wrong(hub)["clock"]
    describe(service, scopes_supported=["openid"])
    assert wrong(hub) == {"offers": "scopes_supported lacks email: switch it on at the service."}
    describe(service, issuer="https://other.example")
    assert "names the issuer 'https://other.example'" in wrong(hub)["description"]
    describe(service, token_endpoint="")
    assert "names no safe token_endpoint" in wrong(hub)["addresses"]
    describe(service)
    service.answers[KEYS] = ok(b'{"keys": []}')
    service.answers["/authorization_endpoint"] = b"HTTP/1.1 400 no\r\ncontent-length: 0\r\n\r\n"
    found = wrong(hub)
    assert "lists no key" in found["keys"]
    assert "It refuses to begin (400)" in found["sign-in"]
    service.answers[KEYS] = service.answers["/authorization_endpoint"] = b"not http\r\n\r\n"
    assert all("cannot be reached" in says for says in wrong(hub).values())
    assert len(wrong(hub)) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 404 no\r\ncontent-length: 0\r\n\r\n", "It answers 404 without a description"),
        (ok(b"[1]"), "It answers 200 without a description"),
        (ok(b"{"), "It answers 200 without a description"),
        (b"", "cannot be reached"),
        (ok(b" " * (513 * 1024)), "answers with more than 524,288 bytes"),
    ],
)
def test_a_service_without_a_description_is_said(
    hub: Hub, service: Hostile, answer: bytes, says: str
) -> None:
    service.answers[DESCRIPTION] = answer
    assert says in wrong(hub)["description"]


def test_an_unsafe_address_of_this_server_is_said() -> None:
    step = service_tests._own_address("http://rollbook.example")
    assert (step.is_good, step.says) == (
        False,
        "http://rollbook.example has no https: set ROLLBOOK_PUBLIC_URL",
    )


def test_the_page_and_the_command_test_the_service(hub: Hub, service: Hostile) -> None:
    with signed_in(hub, "district", hub.district.number) as client:
        page = at(hub, "sign-in")
        form = form_of(client.get(page).text)
        assert "answers as it should" in client.post(page, data={"form": form, "act": "test"}).text
        service.answers[KEYS] = ok(b"{}")
        shown = client.post(page, data={"form": form, "act": "test"}).text
        assert "The test found something wrong" in shown
        assert "lists no key" in shown
    words = ("provider", "test", hub.district.name, "--database", hub.settings.database)
    done = CliRunner(env={"ROLLBOOK_KEY_FILE": hub.settings.key_file}).invoke(rollbook, words)
    assert done.exit_code == 1
    assert "WRONG  keys:" in done.output
    with hub.database.read() as transaction:
        assert audit.latest(transaction, 1)[0].action == "sign-in service tested"


def test_a_district_without_a_service_is_told(hub: Hub) -> None:
    sign_in_setup.remove_provider(hub.database, hub.district.id)
    with pytest.raises(Unknown, match="has no sign-in service of its own"):
        service_tests.try_provider(hub.database, hub.settings, hub.district.id)


def test_a_help_desk_prints_badges_that_work(hub: Hub) -> None:
    with signed_in(hub, "help desk", hub.district.number) as client:
        page = at(hub, "badges")
        form = form_of(client.get(page).text)
        made = client.post(page, data={"form": form, "role": "student", "users": "emmy"})
        assert made.headers["content-disposition"] == 'attachment; filename="badges.html"'
        assert "Emmy Noether" in made.text
        assert "script" not in made.text
        assert client.post(page, data={"form": form, "users": "nobody"}).status_code == 404
        assert client.post(page, data={"form": form, "users": "x " * 501}).status_code == 400
        assert client.get(at(hub, "sign-in")).status_code == 403
    with hub.database.read() as transaction:
        row = next(one for one in audit.latest(transaction) if one.action == "badges printed")
        stored = transaction.rows("SELECT count(*) FROM badges")
    assert row.detail["by"] == f"help desk of {hub.district.number}"
    assert stored
    assert credentials.new_badge() not in made.text
