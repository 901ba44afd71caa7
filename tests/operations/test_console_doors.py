"""How a person of the console begins, signs in and keeps passkeys: what is refused, also between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyotp
import pytest

from rollbook.auth import one_time_codes, passkeys, passwords, throttle
from rollbook.domain.actors import OPERATOR, Actor
from rollbook.errors import BadSetting, Conflict, Refused, RollbookError, Unknown
from rollbook.operations import console_entry, passkey_entry, team
from rollbook.operations.console_entry import Typed
from rollbook.operations.passkey_entry import Browser, Wanted
from rollbook.store.accounts import audit
from rollbook.store.engine.keys import Sealer, sealer
from rollbook.store.operators import operator_accounts, operator_passkeys
from rollbook.store.operators.operator_passkeys import Passkey
from tests.journeys.hub import Hub
from tests.web.authenticator import Authenticator

CODES, PASSWORD = one_time_codes.new_secret(), "correct horse battery"
HERE, HOME = "192.0.2.9", "http://localhost:8400"
BROWSER = Browser("a secret of the browser", HERE)


def code(later: int = 0) -> str:
    return pyotp.TOTP(CODES).generate_otp(int(time.time() // one_time_codes.SECONDS) + later)


def typed(name: str = "Ana", password: str = PASSWORD, *, later: int = 0, address: str = HERE) -> Typed:
    return Typed(name, password, code(later), address)


@dataclass(frozen=True)
class Door:
    """The console of a server, and what Ana types at it."""

    hub: Hub
    sealer: Sealer

    def first_link(self) -> str:
        link = team.first_link(self.hub.database, self.hub.settings)
        assert link
        return link.partition("#")[2]

    def begin(self, secret: str, given: Typed) -> None:
        console_entry.begin(self.hub.database, self.sealer, secret, given, CODES)

    def sign_in(self, given: Typed) -> str:
        return console_entry.sign_in(self.hub.database, self.hub.settings, self.sealer, given)

    def asked_to_add(self) -> dict[str, Any]:
        asked = passkey_entry.asked_to_add(
            self.hub.database, self.hub.settings, self.sealer, Actor("Ana", OPERATOR), BROWSER
        )
        assert asked
        return asked

    def add(self, device: Authenticator, name: str = "Laptop", typed_code: str = "") -> None:
        wanted = Wanted(name, typed_code or code(), device.make(self.asked_to_add()))
        actor = Actor("Ana", OPERATOR, address=HERE)
        passkey_entry.add(self.hub.database, self.hub.settings, self.sealer, actor, BROWSER, wanted)
        self.forget_codes()

    def enter(self, device: Authenticator) -> str:
        asked = passkey_entry.asked_to_sign_in(self.hub.settings, self.sealer, BROWSER)
        assert asked
        answer = device.prove(asked)
        return passkey_entry.sign_in(self.hub.database, self.hub.settings, self.sealer, BROWSER, answer)

    def forget_codes(self) -> None:
        """A code works once, and a test does not wait for the next one."""
        with self.hub.database.write() as transaction:
            transaction.run("UPDATE operators SET last_code = 0")

    def password(self, name: str = "Ana") -> str:
        with self.hub.database.read() as transaction:
            return operator_accounts.get(transaction, name).password

    def last_action(self) -> str:
        with self.hub.database.read() as transaction:
            return audit.latest(transaction, 1)[0].action

    def passkeys(self) -> list[str]:
        return [each.name for each in passkey_entry.list_of(self.hub.database, "Ana")]


@pytest.fixture
def door(small_hub: Hub) -> Door:
    small_hub.settings = replace(small_hub.settings, public_url=HOME, login_failures_address=2)
    return Door(small_hub, sealer(small_hub.database, small_hub.settings))


@pytest.fixture
def ana(door: Door) -> Door:
    """Ana, the first operator, has a password and codes."""
    door.begin(door.first_link(), typed())
    door.forget_codes()
    return door


# Links ---------------------------------------------------------------------------------------------


def test_a_wrong_code_leaves_the_link_good(door: Door) -> None:
    secret = door.first_link()
    with pytest.raises(BadSetting, match=r"Code: it is wrong\. Check the clock"):
        door.begin(secret, typed(later=9))
    door.begin(secret, typed())
    assert door.password()


def test_a_link_gives_no_account_under_the_name_of_a_person_who_was_invited(door: Door) -> None:
    secret = door.first_link()
    team.invite(door.hub.database, door.hub.settings, "Ana", "help desk")
    with pytest.raises(Conflict, match=r"is named Ana already\. Choose another name"):
        door.begin(secret, typed())
    assert door.password() == ""
    door.begin(secret, typed("Bea"))


def test_of_two_who_use_a_link_at_once_the_second_changes_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, plain = door.first_link(), passwords.strong

    def strong(digest: str) -> str:
        monkeypatch.setattr(passwords, "strong", plain)
        door.begin(secret, typed(password="another long password"))
        return plain(digest)

    monkeypatch.setattr(passwords, "strong", strong)
    with pytest.raises(Refused, match="This link was used already"):
        door.begin(secret, typed())
    door.forget_codes()
    with pytest.raises(Refused, match="is wrong"):
        door.sign_in(typed())
    assert door.sign_in(typed(password="another long password"))


@pytest.mark.parametrize("name", ["", " ", "x" * (team.NAME_MAX + 1)])
def test_a_person_is_invited_by_a_name(door: Door, name: str) -> None:
    with pytest.raises(BadSetting, match=f"name: expected 1 to {team.NAME_MAX} characters, got"):
        team.invite(door.hub.database, door.hub.settings, name, "operator")
    assert team.members(door.hub.database) == []


def test_at_an_address_with_many_failures_people_take_turns_and_a_familiar_one_needs_none(ana: Door) -> None:
    assert ana.sign_in(typed())
    refused = []
    for name in ("Bea", "Cid", "Dan", "Eva"):
        with pytest.raises(Refused) as caught:
            ana.sign_in(typed(name))
        refused.append(str(caught.value))
    assert refused == [console_entry.MISFIT] * 3 + [console_entry.WAIT]
    ana.forget_codes()
    assert ana.sign_in(typed())


# Passkeys ------------------------------------------------------------------------------------------


def fill(door: Door) -> None:
    with door.hub.database.write() as transaction:
        account = operator_accounts.get(transaction, "Ana")
        for number in range(passkey_entry.PASSKEYS_MAX):
            operator_passkeys.add(
                transaction, Passkey(f"id {number}", account.number, f"Key {number}", "", 0, 0, 0)
            )


ADDED: dict[str, tuple[Callable[[Door, Authenticator], object], str, type[RollbookError], str]] = {
    "too many": (lambda door, _: fill(door), "One more", Refused, "has at most 20 passkeys"),
    "a name in use": (
        lambda door, _: door.add(Authenticator(HOME)),
        "Laptop",
        Conflict,
        "named 'Laptop' already",
    ),
    "added already": (lambda door, device: door.add(device), "Again", Conflict, "was added already"),
}


@pytest.mark.parametrize("case", ADDED)
def test_a_passkey_that_cannot_be_kept_is_refused_and_the_others_stay(ana: Door, case: str) -> None:
    prepare, name, error, told = ADDED[case]
    device = Authenticator(HOME)
    prepare(ana, device)
    before = ana.passkeys()
    with pytest.raises(error, match=told):
        ana.add(device, name)
    assert ana.passkeys() == before


def test_after_many_wrong_codes_even_the_right_one_adds_no_passkey(
    ana: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "CODES_MAX", 2)
    for _ in range(2):
        with pytest.raises(BadSetting, match="Code: it is wrong"):
            ana.add(Authenticator(HOME), typed_code=code(9))
    with pytest.raises(Refused, match="Too many wrong codes today"):
        ana.add(Authenticator(HOME))
    assert ana.passkeys() == []


def test_an_address_with_many_failures_waits_even_with_a_true_passkey(ana: Door) -> None:
    device = Authenticator(HOME)
    ana.add(device)
    for _ in range(2):
        with pytest.raises(Refused, match="not valid here"):
            ana.enter(replace(device, id=b"another"))
    with pytest.raises(Refused, match="Too many attempts"):
        ana.enter(device)


def test_a_passkey_that_is_removed_while_it_is_checked_opens_nothing(
    ana: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, plain = Authenticator(HOME), passkeys.uses_of
    ana.add(device)

    def uses_of(*given: Any) -> int:
        passkey_entry.remove(ana.hub.database, "Ana", "Laptop")
        return plain(*given)

    monkeypatch.setattr(passkeys, "uses_of", uses_of)
    with pytest.raises(Refused, match="not valid here"):
        ana.enter(device)
    assert ana.last_action() == "passkey removed"


def test_a_passkey_that_is_not_there_is_not_removed(ana: Door) -> None:
    ana.add(Authenticator(HOME))
    with pytest.raises(Unknown, match="'Ana' has no passkey named 'Phone'"):
        passkey_entry.remove(ana.hub.database, "Ana", "Phone")
    assert ana.passkeys() == ["Laptop"]
