"""Guesses are slowed without locking a school out: by account and address first, then by turns of the
address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx import Response

from rollbook.auth import throttle
from rollbook.store.accounts import attempts
from rollbook.store.engine.database import Transaction
from rollbook.web.app import App
from tests.sso import Browser, World

SCHOOL, ELSEWHERE = "192.0.2.7", "192.0.2.8"
START = 1_800_000_000


class Clock:
    """The time for the counters."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(attempts, "now", clock)
    return clock


@pytest.fixture
def world(sso_world: World) -> Iterator[World]:
    yield sso_world
    with sso_world.database.write() as transaction:
        transaction.run("DELETE FROM failures")
        transaction.run("DELETE FROM familiar")


@pytest.fixture
def app(world: World) -> App:
    """Six failures from one address, then turns of ten seconds."""
    return world.app(is_demo=False, login_failures=3, login_failures_address=6, login_wait_seconds=60)


def _sign_in(world: World, app: App, username: str, password: str, address: str = SCHOOL) -> Response:
    browser: Browser = world.browser(app, address=address)
    page = browser.follow(browser.get("/login"))
    return browser.press(page, "/in/", username=username, password=password)


def _flood(world: World, app: App, address: str = SCHOOL, count: int = 6) -> list[int]:
    return [_sign_in(world, app, f"nobody{number}", "guess", address).status_code for number in range(count)]


def test_a_flooded_address_is_slowed_and_not_shut(world: World, app: App, clock: Clock) -> None:
    assert _flood(world, app, count=9) == [401] * 7 + [429] * 2  # the seventh takes the first turn
    assert _sign_in(world, app, "amya", "apple 1").status_code == 429
    assert _sign_in(world, app, "amya", "apple 1", ELSEWHERE).status_code == 303
    clock.now += 9
    assert _sign_in(world, app, "benb", "banana 2").status_code == 429
    clock.now += 1
    assert _sign_in(world, app, "benb", "banana 2").status_code == 303
    clock.now += 10
    assert _sign_in(world, app, "lundl", "lemon 3").status_code == 303


def test_an_account_known_from_the_address_signs_in_at_once(world: World, app: App, clock: Clock) -> None:
    assert _sign_in(world, app, "amya", "apple 1").status_code == 303
    _flood(world, app, count=7)
    clock.now += 1
    for name, password, status in (
        ("amya", "apple 1", 303),
        ("AMYA ", "apple 1", 303),
        ("benb", "banana 2", 429),
    ):
        assert (name, _sign_in(world, app, name, password).status_code) == (name, status)


def test_that_one_has_signed_in_before_is_forgotten_after_a_month(
    world: World, app: App, clock: Clock
) -> None:
    _sign_in(world, app, "amya", "apple 1")
    clock.now += throttle.FAMILIAR_SECONDS
    _flood(world, app, count=7)
    assert _sign_in(world, app, "amya", "apple 1").status_code == 429


@pytest.mark.usefixtures("clock")
def test_a_flooded_address_does_not_tell_who_has_signed_in_from_it(world: World, app: App) -> None:
    _sign_in(world, app, "amya", "apple 1")
    _flood(world, app, count=7)
    known, unknown = (_sign_in(world, app, name, "guess") for name in ("amya", "zoe"))
    assert (known.status_code, unknown.status_code) == (429, 429)
    shown = [page.text.partition('id="message"')[2].partition("</p>")[0] for page in (known, unknown)]
    assert shown[0] == shown[1] != ""


def test_an_account_that_is_guessed_waits_also_where_it_is_known(
    world: World, app: App, clock: Clock
) -> None:
    _sign_in(world, app, "amya", "apple 1")
    assert [_sign_in(world, app, "amya", "guess").status_code for _ in range(3)] == [401] * 3
    assert _sign_in(world, app, "amya", "apple 1").status_code == 429
    clock.now += 60
    assert _sign_in(world, app, "amya", "apple 1").status_code == 303


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
    ],
)
def test_addresses_of_one_ipv6_network_count_as_one(
    world: World, app: App, first: str, second: str, is_one: bool
) -> None:
    assert _flood(world, app, first) == [401] * 6
    found = [_sign_in(world, app, f"zoe{number}", "guess", second).status_code for number in range(2)]
    assert found == ([401, 429] if is_one else [401, 401])


def test_setting_the_clock_back_locks_nobody_out(world: World, app: App, clock: Clock) -> None:
    for _ in range(3):
        _sign_in(world, app, "amya", "guess")
    _flood(world, app)
    assert _sign_in(world, app, "amya", "apple 1").status_code == 429
    clock.now -= 86_400
    assert _sign_in(world, app, "amya", "apple 1").status_code == 303
    assert [_sign_in(world, app, "amya", "guess").status_code for _ in range(4)] == [401] * 3 + [429]


@pytest.mark.usefixtures("clock")
def test_the_counters_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FAILURES_MAX", 100)
    monkeypatch.setattr(attempts, "FAMILIAR_MAX", 100)
    with world.database.write() as transaction:
        for number in range(1500):
            attempts.add_failure(transaction, f"account {number}", window_seconds=60)
            attempts.remember(transaction, f"account {number}", seconds=60)
        assert [_size(transaction, table) < 250 for table in ("failures", "familiar")] == [True, True]
        assert attempts.failures(transaction, "account 1499", window_seconds=60) == 1


def _size(transaction: Transaction, table: str) -> int:
    found = transaction.row(f"SELECT count(*) FROM {table}")
    return int(found[0]) if found else 0
