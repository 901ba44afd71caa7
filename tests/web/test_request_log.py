"""The request log: what it keeps of a request, from each worker, and what it never keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.demo.serving import Demo
from rollbook.domain.shares import Share
from rollbook.errors import MachineTrouble
from rollbook.store.accounts import applications, connections, logins
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.database import Database
from rollbook.store.records import request_log
from rollbook.store.records.request_log import Entry, RequestLog
from rollbook.web.app import App
from rollbook.web.http import kept_parts
from rollbook.web.log.log_hints import HINTS, Reading, hints
from rollbook.web.log.log_reading import Wanted, newest_first
from tests import sso

NOBODY = "0123456789abcdef01234567"
# No row may contain these: names, passwords and tokens of the world, and secrets in unusual places.
SECRET = ("Amy", "Adams", "apple", "opensesame", "hunter22", "amy@example.org")


@dataclass
class Desk:
    """Two workers on one database, and their logged requests."""

    world: sso.World
    workers: tuple[App, App]
    token: str

    def ask(
        self, path: str, *, worker: int = 0, method: str = "GET", token: str = "", **more: Any
    ) -> httpx.Response:
        headers = {"accept-encoding": "identity"}
        headers |= {"authorization": f"Bearer {token or self.token}"} if token != "none" else {}
        transport = sso.Direct(self.workers[worker], "127.0.0.1")
        with httpx.Client(transport=transport, base_url=sso.HOME) as client:
            return client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def entries(self, path: str = "") -> list[Entry]:
        for worker in self.workers:
            worker.tap.flush() if worker.tap else None
        with closing(RequestLog(self.world.database, self.world.settings)) as log:
            return newest_first(log.read(), Wanted(path=path))

    def hints(self, path: str, *, is_operator: bool = False) -> list[str]:
        """The codes of the hints on the newest request to a path."""
        reading = Reading(self.world.database, is_operator=is_operator)
        return [hint.code for hint in hints(self.entries(path)[0], reading)]


@pytest.fixture(scope="module")
def desk(sso_world: sso.World) -> Iterator[Desk]:
    workers = tuple(
        App(
            sso_world.database,
            sso_world.settings,
            limits=sso_world.folder / f"limits of {number}",
            extend=Demo("TEST_TOKEN", "", sso_world.district.name).extend,
            logs_requests=True,
        )
        for number in range(2)
    )
    with sso_world.database.read() as transaction:
        [token] = connections.list_tokens(
            transaction, sso_world.sealer, sso_world.reader.application.number, None, in_demo=True
        )
    yield Desk(sso_world, (workers[0], workers[1]), token.access_token)
    for worker in workers:
        if worker.tap:
            worker.tap.close()
        worker.close()


def test_requests_of_two_workers_stand_in_one_log(desk: Desk) -> None:
    desk.ask("/v3.0/schools?limit=1", worker=0)
    desk.ask("/v3.0/schools?limit=2", worker=1)
    newest, before = desk.entries("/v3.0/schools")[:2]
    assert (newest.query, before.query) == ("limit=2", "limit=1")
    assert (newest.method, newest.status, newest.holder) == ("GET", 200, "district")
    assert newest.client_id == desk.world.reader.client_id
    assert newest.token == f"…{desk.token[-4:]}"
    assert newest.size > 100
    assert newest.micros > 0
    assert newest.headers["x-rollbook-snapshot"]


@pytest.mark.parametrize("path", ["/", "/static/favicon.svg", "/log", "/explorer", "/openapi.json", "/demo"])
def test_the_servers_own_pages_are_not_logged(desk: Desk, path: str) -> None:
    before = len(desk.entries())
    desk.ask(path, token="none")
    assert len(desk.entries()) == before


def test_no_name_password_token_code_or_secret_gets_into_the_log(desk: Desk) -> None:
    browser = desk.world.browser(desk.workers[0])
    sent = browser.arrive(desk.world.reader, "amy", state="opensesame")
    given = browser.exchange(desk.world.reader, sent["code"]).json()["access_token"]
    browser.exchange(desk.world.reader, sent["code"])
    for path in (
        "/v3.0/users/Amy%20Adams",
        "/Adams",
        "/v3.0/users?name=Amy&limit=Adams&Adams",
        "/v3.0/users?access_token=opensesame&hunter22",
        "/login?q=Adams",
        f"/v3.0/users/{desk.token}",
        f"/v3.0/users?{given}&starting_after={given}",
        "/userinfo?email=amy@example.org",
        "/oauth/tokens?client_secret=hunter22&code=hunter22",
    ):
        desk.ask(path, headers={"user-agent": "Amy Adams", "x-name": "Adams", "cookie": "session=hunter22"})
    desk.ask("/v3.0/users", token="hunter22 Amy Adams")
    desk.ask("/v3.0/users", token=given)
    desk.entries()
    secrets = (
        *SECRET,
        desk.token,
        given,
        sent["code"],
        desk.world.reader.secret,
        *desk.world.reader.basic.values(),
    )
    kept = _everything_kept(desk.world.database, desk.world.settings.database)
    assert [secret for secret in secrets if secret.encode() in kept] == []


def _everything_kept(database: Database, address: str) -> bytes:
    """The whole log, from the disk or from the server."""
    if database.is_local:
        beside = Path(address).parent.glob(f"{Path(address).name}{request_log.ENDING}*")
        return b"".join(path.read_bytes() for path in beside)
    with database.read() as transaction:
        return b"".join(bytes(body) for (body,) in transaction.rows("SELECT body FROM request_batches"))


CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "no-token": ("/v3.0/users", {"token": "none"}, False),
    "basic-for-bearer": ("/v3.0/users", {"headers": {"authorization": "Basic YTpi"}}, False),
    "no-bearer": ("/v3.0/users", {"headers": {"authorization": "Bearer two words"}}, False),
    "unknown-token": ("/v3.0/users", {"token": "0" * 40}, False),
    "method": ("/v3.0/users", {"method": "POST"}, False),
    "old-kind": ("/v3.0/teachers", {}, False),
    "near-path": ("/v3.0/user", {}, False),
    "no-record": (f"/v3.0/users/{NOBODY}", {}, False),
    "not-an-id": ("/v3.0/users/Amy", {}, False),
    "unknown-parameter": ("/v3.0/users?rol=teacher", {}, False),
    "value": ("/v3.0/users?limit=many", {}, False),
    "limit-too-large": ("/v3.0/users?limit=10001", {}, False),
    "secret-in-address": ("/v3.0/users?access_token=opensesame", {}, False),
    "client": ("/oauth/tokens", {"method": "POST", "json": {"code": "x"}}, False),
    "no-code": ("/oauth/tokens", {"method": "POST", "headers": "reader", "json": {"code": "x"}}, False),
    "wrong-token": ("/userinfo", {}, False),
}


@pytest.mark.parametrize("code", CASES)
def test_each_hint_stands_beside_the_request_that_it_is_about(desk: Desk, code: str) -> None:
    path, how, is_operator = CASES[code]
    if how.get("headers") == "reader":
        how = how | {"headers": desk.world.reader.basic}
    desk.ask(path, **how)
    assert code in desk.hints("", is_operator=is_operator)


def test_every_hint_is_tried_here() -> None:
    apart = {"token-ended", "unshared-id", "redirect", "code-used-twice", "too-many"}
    assert {hint.code for hint in HINTS} == {*CASES, *apart}


def test_a_good_request_needs_no_hint(desk: Desk) -> None:
    desk.ask("/v3.0/users?role=teacher&limit=5")
    assert desk.hints("/v3.0/users") == []


def test_hints_of_a_sign_in_name_the_redirect_address_and_the_second_use_of_a_code(desk: Desk) -> None:
    browser = desk.world.browser(desk.workers[1])
    browser.ask(desk.world.reader, redirect_uri="https://elsewhere.example/back")
    assert desk.hints("/oauth/authorize") == ["redirect"]
    sent = browser.arrive(desk.world.reader, "ben")
    token = browser.exchange(desk.world.reader, sent["code"]).json()["access_token"]
    assert browser.exchange(desk.world.reader, sent["code"]).status_code == 400
    assert desk.hints("/oauth/tokens") == ["code-used-twice"]
    desk.ask("/v3.0/me", token=token)
    reading = Reading(desk.world.database, is_operator=False)
    [hint] = hints(desk.entries("/v3.0/me")[0], reading)
    assert hint.code == "token-ended"
    assert "authorization code came a second time" in hint.text


def test_a_token_that_ended_says_when_and_why(desk: Desk) -> None:
    club = desk.world.club("Renewed", sso.BACK)
    with desk.world.database.read() as transaction:
        [old] = connections.list_tokens(
            transaction, desk.world.sealer, club.application.number, None, in_demo=True
        )
    connections.renew_token(desk.world.database, desk.world.sealer, club.application, desk.world.district)
    assert desk.ask("/v3.0/terms", token=old.access_token).status_code == 401
    reading = Reading(desk.world.database, is_operator=False)
    [hint] = hints(desk.entries("/v3.0/terms")[0], reading)
    assert "when an operator gave the connection a new token" in hint.text
    assert desk.entries("/v3.0/terms")[0].client_id == club.client_id


def test_a_user_token_is_known_for_a_day_after_its_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.world.browser(desk.workers[0]).token(desk.world.reader, "cem")
    later = logins.now() + desk.world.settings.user_token_seconds + 60
    monkeypatch.setattr(logins, "now", lambda: later)
    with desk.world.database.write() as transaction:
        logins.sweep(transaction)
    assert desk.ask("/me", token=token).status_code == 401
    assert desk.hints("/me") == ["token-ended"]


def test_only_an_operator_is_told_that_an_id_is_not_shared(desk: Desk) -> None:
    world = desk.world
    application, _ = applications.create(world.database, NewApplication("Birch Reader"))
    spec = replace(application.asks, share=Share(schools=("birch",)))
    view = sync.view_of(world.database, world.district, spec, world.settings)
    token = connections.connect(world.database, world.sealer, application, world.district, view)
    everybody = (f"/v3.0/users/{id_}" for id_ in world.ids.values())
    path = next(path for path in everybody if desk.ask(path, token=token).status_code == 404)
    assert desk.hints(path) == ["no-record"]
    assert desk.hints(path, is_operator=True) == ["unshared-id"]


def test_a_request_beyond_the_rate_limit_says_what_was_left(desk: Desk) -> None:
    given = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"}
    entry = Entry(1_000_000, 10, "GET", "/v3.0/users", "", 429, 0, "…abcd", headers=given)
    [hint] = hints(entry, Reading(desk.world.database, is_operator=False))
    assert hint.text.startswith("0 of 10 requests were left in this window. It ended 30 s later")


# Bounds ----------------------------------------------------------------------------------------------


def _kept(at: int, path: str = "/v3.0/users") -> list[Any]:
    return [at, 1, "GET", path, "", 200, 10, "", "", "", "", "", "", {}, {}]


def test_the_log_is_bounded_in_rows_bytes_and_hours(database: Database, database_address: str) -> None:
    settings = replace(
        setting_rows.read({}, database=database_address),
        request_log_rows_max=5,
        request_log_bytes_max=1 << 20,
    )
    now = request_log.now_ms()
    with closing(RequestLog(database, settings)) as log:
        log.write([_kept(now - 25 * 3_600_000)], 0)
        for number in range(4):
            log.write([_kept(now - 10 + number), _kept(now - 10 + number)], number)
        assert [len(batch.entries) for batch in log.read()] == [2, 2, 1]
        log.prune()
        assert _count(log) == 3
    with closing(RequestLog(database, replace(settings, request_log_bytes_max=100))) as log:
        log.prune()
        assert _count(log) == 1
    request_log.prune(database, replace(settings, request_log_rows_max=0))
    with closing(RequestLog(database, settings)) as log:
        assert _count(log) == 0


def _count(log: RequestLog) -> int:
    with log._database.read() as transaction:
        found = transaction.row("SELECT count(*) FROM request_batches")
        return int(found[0]) if found else 0


def test_requests_beyond_the_buffer_are_counted_and_the_first_stay(desk: Desk) -> None:
    tap = desk.workers[0].tap
    assert tap
    desk.entries()
    scope = {"path": "/v3.0/users", "query_string": b"", "method": "GET", "headers": []}
    start = {"type": "http.response.start", "status": 200, "headers": []}

    tap._is_idle = False  # the thread stays asleep: this test counts what it would remove
    for number in range(tap.room + 7):
        asked = {**scope, "query_string": b"limit=%d" % number}
        tap.noting("/v3.0/users")(asked, start, 0.001)  # type: ignore[misc]
    tap._is_idle = True
    tap.flush()
    tap.flush()
    with closing(RequestLog(desk.world.database, desk.world.settings)) as log:
        batch = log.read()[0]
    assert batch.dropped == 7
    assert [entry.query for entry in batch.entries] == [f"limit={number}" for number in range(tap.room)]


def test_a_database_that_fails_costs_only_entries(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tap = desk.workers[0].tap
    assert tap

    def fail(*_: Any) -> None:
        raise MachineTrouble("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(tap.log, "write", fail)
        assert desk.ask("/v3.0/districts").status_code == 200
        tap.flush()
    desk.ask("/v3.0/districts?count=true")
    assert desk.entries("/v3.0/districts")[0].query == "count=true"
    with closing(RequestLog(desk.world.database, desk.world.settings)) as log:
        assert sum(batch.dropped for batch in log.read()) > 0


# What is kept of an address --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            "limit=100&starting_after=6a82a36089b727ad00000b40",
            "limit=100&starting_after=6a82a36089b727ad00000b40",
        ),
        ("ending_before=last&role=student", "ending_before=last&role=student"),
        ("role[]=student&record_type=users,sections", "role[]=student&record_type=users,sections"),
        ("role=principal", "role=…"),
        ("Role=student", "Role=…"),
        ("code=abc&state=def&client_secret=ghi", "code=…&state=…&client_secret=…"),
        ("redirect_uri=https://a.example/b", "redirect_uri=…"),
        ("scope=read:students+openid", "scope=read:students+openid"),
        ("amy", "…"),
        ("amy=adams", "…=…"),
        ("limit[amy]=1", "limit…=1"),
        ("&&", ""),
        ("&".join(["limit=1"] * 40 + ["x"]), "&".join(["limit=1"] * 16) + "&…"),
    ],
)
def test_a_query_keeps_harmless_values_of_known_parameters(given: str, kept: str) -> None:
    assert kept_parts.query(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/v3.0/users/6a82a36089b727ad00000b40/sections", "/v3.0/users/6a82a36089b727ad00000b40/sections"),
        ("/v3.0/user", "/v3.0/user"),
        ("/v3.0/Setcions", "/v3.0/Setcions"),
        ("/v3.0/amy", "/v3.0/…"),
        ("/in/springfield-unified", "/in/…"),
        ("/a/b/c/d/e/f/g/h/i/j", "/…/…/…/…/…/…/…/…/…"),
    ],
)
def test_a_path_keeps_known_words_and_ids(given: str, kept: str) -> None:
    assert kept_parts.path(given) == kept


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Bearer 0123456789abcdef", "…cdef"),
        ("bearer  TEST_TOKEN", "…OKEN"),
        ("Bearer short", "…"),
        ("Bearer Amy Adams of Ash", "…"),
        ("Basic YW15OmFwcGxlIDE=", "Basic"),
        ("Digest username=amy", "…"),
        ("", ""),
    ],
)
def test_a_credential_shows_its_last_four_letters_at_most(given: str, shown: str) -> None:
    assert kept_parts.tail(given) == shown
