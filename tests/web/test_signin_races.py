"""Revoking a badge or password while it is in use leaves no session, code or token behind; on both databases.

Another program revokes, with its own connection: between the deciding read and the write. In PostgreSQL,
where two may write at once, it also revokes after the write has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from httpx import Response

from rollbook.auth import entry, passwords, throttle
from rollbook.store.accounts import attempts, credentials, logins
from rollbook.store.district import districts
from rollbook.store.district.districts import timestamp
from rollbook.store.engine import keys
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.records import people_lookup
from tests.sso import Browser, World, answer

Change = Callable[[Transaction], object]
ADDRESS = "192.0.2.9"


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def elsewhere(world: World) -> Iterator[Database]:
    """The same database, opened by another program."""
    with closing(open_database(world.settings.database)) as opened:
        yield opened


# SQLite has one writer.
two_writers = pytest.mark.parametrize("sso_world", ["postgresql"], indirect=True)
# The deciding read and, where two may write at once, the write that has begun.
at_each_moment = pytest.mark.parametrize(
    ("sso_world", "moment"),
    [("sqlite", "decided"), ("postgresql", "decided"), ("postgresql", "writing")],
    indirect=["sso_world"],
)


class Once:
    """A function with an action beside one of its calls: before it, or after."""

    def __init__(
        self, real: Callable[..., Any], act: Callable[[], object], *, call: int = 1, is_before: bool = False
    ) -> None:
        self._real, self._act, self._left, self._is_before = real, act, call, is_before

    def __call__(self, *given: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left or self._is_before:
            if self._left == 0:
                self._act()
            return self._real(*given, **named)
        found = self._real(*given, **named)
        self._act()
        return found


def doing(elsewhere: Database, *changes: Change) -> Callable[[], None]:
    def act() -> None:
        for change in changes:
            with elsewhere.write() as transaction:
                change(transaction)

    return act


def is_signed_in(browser: Browser) -> bool:
    return "Sign out" in browser.follow(browser.get("/login")).text


# Passwords -------------------------------------------------------------------------------------------


def new_passwords(world: World) -> Change:
    """A sync with other passwords for everyone; afterwards the old password counts as new."""
    found = "SELECT user_id, role, username, email, verifier FROM credentials WHERE district = ?"

    def change(transaction: Transaction) -> None:
        rows = transaction.rows(found, (world.district.number,))
        changed = [(*row, verifier and f"{verifier}'") for *row, verifier in rows]
        credentials.replace(transaction, world.district.number, changed)

    return change


@pytest.fixture
def keeping_passwords(world: World) -> Iterator[None]:
    with world.database.read() as transaction:
        rows = transaction.rows("SELECT user_id, role, username, email, verifier FROM credentials")
    yield
    with world.database.write() as transaction:
        credentials.replace(transaction, world.district.number, rows)
        transaction.run("DELETE FROM failures")


def by_password(browser: Browser) -> Response:
    return browser.press(browser.follow(browser.get("/login")), username="amya", password="apple 1")


@pytest.mark.usefixtures("keeping_passwords")
def test_a_password_that_a_sync_changes_while_it_is_compared_is_wrong(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = world.browser(world.app(is_demo=False))
    monkeypatch.setattr(passwords, "fitting", Once(passwords.fitting, doing(elsewhere, new_passwords(world))))
    got = by_password(browser)
    assert (got.status_code, "The username or password is wrong." in got.text) == (401, True)
    assert not is_signed_in(browser)


@two_writers
@pytest.mark.usefixtures("keeping_passwords")
def test_a_password_that_a_sync_changes_while_its_session_is_written_opens_nothing(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = world.browser(world.app(is_demo=False))
    by_password(world.browser())  # so that nothing of the credential itself is written
    monkeypatch.setattr(
        credentials, "is_good", Once(credentials.is_good, doing(elsewhere, new_passwords(world)))
    )
    by_password(browser)
    assert not is_signed_in(browser)


def of_amy(world: World) -> throttle.Limit:
    return throttle.of(world.settings, world.district.id, "amya", ADDRESS)


@two_writers
@pytest.mark.usefixtures("keeping_passwords")
def test_a_person_who_signs_in_twice_at_once_gets_in_twice(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = doing(
        elsewhere, lambda transaction: attempts.remember(transaction, of_amy(world).account, seconds=60)
    )
    monkeypatch.setattr(throttle, "succeed", Once(throttle.succeed, other, is_before=True))
    browser = world.browser(world.app(is_demo=False), address=ADDRESS)
    assert by_password(browser).status_code == 303
    assert is_signed_in(browser)


@two_writers
@pytest.mark.usefixtures("keeping_passwords")
@pytest.mark.parametrize("way", ["password", "badge"])
def test_failures_of_one_address_at_the_same_moment_all_count(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    bucket = (
        of_amy(world).address if way == "password" else throttle.of_address(world.settings, ADDRESS).address
    )
    other = doing(elsewhere, lambda transaction: add(transaction, bucket, window_seconds=900))
    add = attempts.add_failure

    def counted(transaction: Transaction, counting: str, *, window_seconds: int) -> None:
        if counting == bucket and not transaction.row(
            "SELECT 1 FROM failures WHERE bucket = ?", (keys.digest(bucket),)
        ):
            other()
        add(transaction, counting, window_seconds=window_seconds)

    monkeypatch.setattr(attempts, "add_failure", counted)
    browser = world.browser(world.app(is_demo=False), address=ADDRESS)
    if way == "password":
        got = browser.press(browser.follow(browser.get("/login")), username="amya", password="a guess")
    else:
        got = browser.press(browser.get("/badge"), code="no badge")
    assert got.status_code == 401
    with world.database.read() as transaction:
        assert attempts.failures(transaction, bucket, window_seconds=900) == 2


def test_expired_rows_do_not_block_a_sign_in(world: World, elsewhere: Database) -> None:
    """Expired rows of others stay until the upkeep drops them, so two parallel requests never write each
    other's rows."""
    with world.database.write() as transaction:
        attempts.remember(transaction, "ended", seconds=-1)
        attempts.add_failure(transaction, "ended", window_seconds=-1)
    with world.database.write() as transaction:
        assert not attempts.is_remembered(transaction, "ended")
        if transaction.engine == "postgresql":  # another process writes at the same moment
            with elsewhere.write() as beside:
                attempts.remember(beside, "one", seconds=60)
                attempts.add_failure(beside, "one", window_seconds=60)
        attempts.remember(transaction, "other", seconds=60)
        attempts.add_failure(transaction, "other", window_seconds=60)
        attempts.add_failure(transaction, "ended", window_seconds=60)
        assert attempts.failures(transaction, "ended", window_seconds=60) == 1
    with world.database.write() as transaction:
        logins.sweep(transaction)
        assert transaction.row("SELECT count(*) FROM familiar WHERE bucket = ?", (keys.digest("ended"),)) == (
            0,
        )
        transaction.run("DELETE FROM failures")
        transaction.run("DELETE FROM familiar")


# Badges ----------------------------------------------------------------------------------------------


def give_badge(world: World) -> str:
    code = credentials.new_badge()
    with world.database.write() as transaction:
        credentials.give_badges(transaction, world.district.number, {world.ids["cem"]: code})
    return code


def take_badge(world: World) -> Change:
    return lambda transaction: credentials.take_badge(transaction, world.district.number, world.ids["cem"])


def test_a_badge_that_is_revoked_while_it_is_looked_up_does_not_work(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, browser = give_badge(world), world.browser(world.app(is_demo=False))
    page = browser.get("/badge")
    monkeypatch.setattr(
        districts, "by_number", Once(districts.by_number, doing(elsewhere, take_badge(world)))
    )
    got = browser.press(page, code=code)
    assert (got.status_code, "This code does not work." in got.text) == (401, True)
    assert not is_signed_in(browser)


@two_writers
def test_a_badge_that_is_revoked_while_its_session_is_written_opens_nothing(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, browser = give_badge(world), world.browser(world.app(is_demo=False))
    page = browser.get("/badge")
    holder = Once(credentials.badge_holder, doing(elsewhere, take_badge(world)), call=2)
    monkeypatch.setattr(credentials, "badge_holder", holder)
    browser.press(page, code=code)
    assert not is_signed_in(browser)


def test_a_session_by_badge_goes_on_while_the_badge_is_good(world: World) -> None:
    code, browser = give_badge(world), world.browser(world.app(is_demo=False))
    browser.press(browser.get("/badge"), code=code)
    assert is_signed_in(browser)
    with world.database.write() as transaction:
        transaction.run("DELETE FROM badges")
    assert not is_signed_in(browser)


# People who leave ------------------------------------------------------------------------------------


def test_a_person_who_left_the_roster_during_a_demo_sign_in_learns_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = world.browser()
    page, real, amy = browser.follow(browser.get("/login")), people_lookup.get, iter((True,))
    monkeypatch.setattr(people_lookup, "get", lambda *given: real(*given) if next(amy, False) else None)
    got = browser.press(page, person=world.ids["amy"])
    assert (got.status_code, "Your account is no longer in the roster." in got.text) == (403, True)


# Codes -----------------------------------------------------------------------------------------------


def sign_outs(world: World, person: str) -> tuple[Change, Change]:
    """What `rollbook sign-out` does, in two transactions."""
    whom = (world.district.number, world.ids[person])
    return (lambda transaction: logins.end_all(transaction, *whom)), (
        lambda transaction: logins.end_issued(transaction, *whom)
    )


def withdrawals(world: World) -> tuple[Change, Change]:
    """What a teacher's withdrawal does, in two transactions."""
    grant = (world.shelf.application.number, world.district.number, world.ids["lund"])
    return (lambda transaction: logins.disallow(transaction, *grant)), (
        lambda transaction: logins.disallow(transaction, *grant)
    )


def let_shelf_in(world: World) -> None:
    with world.database.write() as transaction:
        logins.allow(
            transaction, world.shelf.application.number, world.district.number, world.ids["lund"], timestamp()
        )


def revoke_at(moment: str, world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    if moment == "decided":
        monkeypatch.setattr(entry, "enter", Once(entry.enter, act))
        return
    real = logins.is_open

    def is_open(transaction: Transaction, session: logins.Session) -> bool:
        transaction.row("SELECT 1")  # from here on this transaction does not see others' writes
        act()
        return real(transaction, session)

    monkeypatch.setattr(
        logins, "is_open", Once(is_open, lambda: monkeypatch.setattr(logins, "is_open", real))
    )


@at_each_moment
def test_a_person_signed_out_while_asking_for_a_code_must_sign_in_again(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    browser = world.browser()
    browser.sign_in("lund")
    revoke_at(moment, world, monkeypatch, doing(elsewhere, *sign_outs(world, "lund")))
    got = browser.ask(world.reader)
    assert (got.status_code, got.headers["location"].partition("?")[0]) == (
        302,
        f"/in/{districts.slug(world.district)}",
    )


@at_each_moment
def test_a_teacher_who_withdraws_while_asking_for_a_code_is_asked_again(
    world: World, elsewhere: Database, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    let_shelf_in(world)
    browser = world.browser()
    browser.sign_in("lund")
    revoke_at(moment, world, monkeypatch, doing(elsewhere, *withdrawals(world)))
    got = browser.ask(world.shelf)
    assert (got.status_code, "/oauth/allow" in got.text) == (200, True)


@two_writers
@pytest.mark.parametrize("revoked", ["session", "permission"])
def test_a_code_that_was_issued_while_it_was_revoked_is_good_for_nothing(
    world: World, elsewhere: Database, revoked: str
) -> None:
    let_shelf_in(world)
    browser = world.browser()
    browser.sign_in("lund")
    club = world.reader if revoked == "session" else world.shelf
    first, second = sign_outs(world, "lund") if revoked == "session" else withdrawals(world)
    with elsewhere.write() as transaction:
        transaction.row("SELECT 1")  # from here on this transaction does not see others' writes
        code = answer(browser.ask(club))["code"]
        first(transaction)
    with elsewhere.write() as transaction:
        second(transaction)
    assert browser.exchange(club, code).json()["error_description"] == "invalid code"
