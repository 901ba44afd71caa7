"""A clock that jumps under a running server: nothing lives longer because of it, and nobody is locked out."""

from __future__ import annotations

import time

import pytest

from rollbook.store.accounts import logins
from tests.sso import Browser, World

DAY = 86_400


@pytest.fixture
def browser(sso_world: World) -> Browser:
    return sso_world.browser()


class Clock:
    """The time for sessions, codes and tokens."""

    def __init__(self) -> None:
        self.moved = 0

    def __call__(self) -> int:
        return int(time.time()) + self.moved


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(logins, "now", clock)
    return clock


def _is_signed_in(browser: Browser) -> bool:
    return "Sign out" in browser.follow(browser.get("/login")).text


@pytest.mark.parametrize(
    ("moved", "is_good"), [(0, True), (-60, True), (60, True), (-DAY, False), (2 * DAY, False)]
)
def test_a_session_is_good_while_the_clock_says_so(
    browser: Browser, clock: Clock, moved: int, is_good: bool
) -> None:
    browser.sign_in("amy")
    clock.moved = moved
    assert _is_signed_in(browser) is is_good
    later = browser.world.browser()
    later.sign_in("amy")
    assert _is_signed_in(later)


@pytest.mark.parametrize(("moved", "status"), [(0, 200), (-60, 200), (-DAY, 400), (DAY, 400)])
def test_a_code_is_good_while_the_clock_says_so(
    sso_world: World, browser: Browser, clock: Clock, moved: int, status: int
) -> None:
    code = browser.arrive(sso_world.reader, "amy")["code"]
    clock.moved = moved
    assert browser.exchange(sso_world.reader, code).status_code == status


@pytest.mark.parametrize(("moved", "status"), [(0, 200), (-60, 200), (-DAY, 401), (2 * DAY, 401)])
def test_a_token_is_good_while_the_clock_says_so(
    sso_world: World, browser: Browser, clock: Clock, moved: int, status: int
) -> None:
    token = browser.token(sso_world.reader, "amy")
    clock.moved = moved
    assert browser.api("/v3.0/me", token).status_code == status
