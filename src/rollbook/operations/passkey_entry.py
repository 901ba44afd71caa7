"""Passkeys of the console: a person adds, names and removes them, and signs in with one.

A passkey opens the console alone: the person's device has asked for their finger, face or PIN.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

from rollbook.auth import one_time_codes, passkeys, throttle
from rollbook.auth.passkeys import Asker, NewPasskey, Site
from rollbook.domain.actors import Actor
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.operations import console_entry
from rollbook.operations.console_entry import WAIT, Typed, codes_of
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import audit
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import Sealer, digest
from rollbook.store.operators import operator_accounts, operator_passkeys
from rollbook.store.operators.operator_accounts import Operator
from rollbook.store.operators.operator_passkeys import Passkey

NAME_MAX = 60
PASSKEYS_MAX = 20
# The name of a passkey that a person made with their link.
FIRST = "My first passkey"
GONE = "This passkey is not valid here: a person removed it or its account. Sign in with your password and a code."
COPIED = (
    "This passkey was refused: its counter went back, so a copy of it may exist. Sign in with your password and a"
    " code, remove the passkey, and tell an operator."
)
RESET = "Your account was reset meanwhile. Set a new password with your link, then add the passkey."
# Refusals of a browser's answer: the person may try again at once.
TRY_AGAIN = (passkeys.LATE, passkeys.UNREADABLE, passkeys.UNPROVEN)
NOWHERE = (
    "Passkeys need an address with https and a name, or localhost. This server's address is {base}; an operator sets it"
    " with ROLLBOOK_PUBLIC_URL."
)


@dataclass(frozen=True, slots=True)
class Browser:
    """The browser that asks: a secret of it that a challenge is bound to, and the address that it comes from."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A passkey to add: its name, the person's one-time code, and the browser's answer."""

    name: str
    code: str
    answer: str


# What a browser is asked ---------------------------------------------------------------------------


def asked_to_sign_in(settings: Settings, sealer: Sealer, browser: Browser) -> dict[str, Any] | None:
    """What the browser is asked at a sign-in; None if passkeys are not possible at the server's address."""
    place = passkeys.site(base_url(settings))
    if place is None:
        return None
    return passkeys.wanted_to_sign_in(_asker(place, sealer, "sign in", browser), time.time())


def asked_to_add(
    database: Database, settings: Settings, sealer: Sealer, actor: Actor, browser: Browser
) -> dict[str, Any] | None:
    """What the browser is asked to add a passkey; None if passkeys are not possible at the server's address."""
    place = passkeys.site(base_url(settings))
    if place is None:
        return None
    with database.read() as transaction:
        account = operator_accounts.get(transaction, actor.name)
        known = [each.id for each in operator_passkeys.list_of(transaction, account)]
    asker = _asker(place, sealer, _adding(account), browser)
    person = passkeys.Person(_handle(sealer, account), account.name)
    return passkeys.wanted_to_add(asker, person, known, time.time())


def asked_to_begin(
    settings: Settings, sealer: Sealer, link: str, name: str, browser: Browser
) -> dict[str, Any] | None:
    """What the browser of a person with a link is asked; None if passkeys are not possible at the server's address."""
    place = passkeys.site(base_url(settings))
    if place is None:
        return None
    asker = _asker(place, sealer, _beginning(link), browser)
    return passkeys.wanted_to_add(
        asker, passkeys.Person(_handle_by_name(sealer, name), name), [], time.time()
    )


# Acts ----------------------------------------------------------------------------------------------


def add(
    database: Database, settings: Settings, sealer: Sealer, actor: Actor, browser: Browser, wanted: Wanted
) -> None:
    """Add a passkey to the person's own account. The code proves that they hold their phone, too.

    Errors: BadSetting for a wrong name or code, Conflict for a name in use, Refused.
    """
    name = " ".join(wanted.name.split())
    if not name or len(name) > NAME_MAX:
        raise BadSetting(f"Name: expected 1 to {NAME_MAX} characters, such as “My laptop”.")
    with database.read() as transaction:
        account = operator_accounts.get(transaction, actor.name)
    asker = _asker(_site(settings), sealer, _adding(account), browser)
    made = passkeys.added(asker, wanted.answer, time.time())
    _spend_code(database, sealer, account, wanted.code)
    with database.write() as transaction:
        _keep(transaction, account, name, made)
        audit.record(transaction, "passkey added", address=actor.address, by=account.name, passkey=name)


def begin(
    database: Database,
    settings: Settings,
    sealer: Sealer,
    browser: Browser,
    link: str,
    typed: Typed,
    wanted: Wanted,
) -> None:
    """Give the person of a link their password and their first passkey. `wanted.code` is the secret of their
    one-time codes, which the page showed: they may add it to a phone, too.

    Errors: those of `console_entry.look_up`, `check_choice` and `take_link`; Refused for the browser's answer.
    """
    found = console_entry.look_up(database, link)
    name = console_entry.check_choice(found, typed.name, typed.password)
    made = passkeys.added(
        _asker(_site(settings), sealer, _beginning(link), browser), wanted.answer, time.time()
    )
    strong = console_entry.strong_password(sealer, typed.password)
    sealed = sealer.seal(wanted.code, codes_of(name))
    with database.write() as transaction:
        console_entry.take_link(transaction, found, name)
        operator_accounts.equip(transaction, name, strong, sealed, 0)
        _keep(transaction, operator_accounts.get(transaction, name), wanted.name, made)
        audit.record(
            transaction,
            "console account begun",
            address=typed.address,
            by=name,
            role=found.role,
            passkey=wanted.name,
        )


def _keep(transaction: Transaction, account: Operator, name: str, made: NewPasskey) -> None:
    # A reset takes passkeys away; one that is added at the same time must not stay.
    now = operator_accounts.by_number(transaction, account.number)
    if now is None or not now.is_ready or now.password != account.password:
        raise Refused(RESET)
    known = operator_passkeys.list_of(transaction, account)
    if len(known) >= PASSKEYS_MAX:
        raise Refused(f"An account has at most {PASSKEYS_MAX} passkeys. Remove one first.")
    if name in (each.name for each in known):
        raise Conflict(f"You have a passkey named {name!r} already. Choose another name.")
    _spend(transaction, made.challenge)
    if not operator_passkeys.add(
        transaction, Passkey(made.id, account.number, name, made.public_key, made.uses, 0, 0)
    ):
        raise Conflict("This passkey was added already.")


def _spend_code(database: Database, sealer: Sealer, account: Operator, code: str) -> None:
    """Spend a one-time code. A wrong one counts as at a sign-in, and stays counted. Errors: BadSetting, Refused."""
    limit = throttle.of_codes(account.number)
    secret = sealer.open(account.codes_sealed, codes_of(account.name))
    step = one_time_codes.step_of(secret, code, time.time(), after=account.last_code)
    with database.write() as transaction:
        is_shut = throttle.is_shut(transaction, limit)
        if not is_shut and step is not None and operator_accounts.spend_code(transaction, account, step):
            return
        throttle.count(transaction, limit)
    if is_shut:
        raise Refused(
            "Too many wrong codes today. Add the passkey tomorrow, or ask an operator for a new link."
        )
    raise BadSetting("Code: it is wrong, or was used before. Wait for the next code, and type that one.")


def sign_in(database: Database, settings: Settings, sealer: Sealer, browser: Browser, answer: str) -> str:
    """Sign a person in with a passkey; returns the secret of their session. Errors: Refused."""
    asker, limit = (
        _asker(_site(settings), sealer, "sign in", browser),
        throttle.of_address(settings, browser.address, "passkeys"),
    )
    said = passkeys.claim(answer)
    with database.read() as transaction:
        is_shut, found = throttle.is_shut(transaction, limit), operator_passkeys.find(transaction, said.id)
    if is_shut:
        raise Refused(WAIT)
    refusal = GONE
    if found and _is_handle(sealer, found[1], said.handle):
        try:
            uses = passkeys.uses_of(asker, answer, found[0].public_key, time.time())
        except Refused as error:
            refusal = str(error)
        else:
            entered = _enter(database, settings, browser, found, said.challenge, uses)
            if entered:
                return entered
            refusal = COPIED
    with database.write() as transaction:
        throttle.count(transaction, limit)
        by: dict[str, Any] = (
            {"by": found[1].name, "passkey": found[0].name} if refusal == COPIED and found else {}
        )
        audit.record(transaction, "console sign-in failed", address=browser.address, **by)
    raise Refused(refusal)


def _enter(
    database: Database,
    settings: Settings,
    browser: Browser,
    found: tuple[Passkey, Operator],
    challenge: bytes,
    uses: int,
) -> str:
    """Open a session; blank if the counter of the passkey went back. Errors: Refused for a spent challenge."""
    passkey, account = found
    with database.write() as transaction:
        _spend(transaction, challenge)
        # An operator may have removed the account or its passkeys meanwhile.
        if operator_passkeys.find(transaction, passkey.id) is None:
            raise Refused(GONE)
        if not operator_passkeys.use(transaction, passkey, uses):
            return ""
        audit.record(
            transaction,
            "signed in to the console",
            address=browser.address,
            by=account.name,
            passkey=passkey.name,
        )
        return operator_accounts.open_session(transaction, account, absolute_seconds=settings.session_seconds)


def list_of(database: Database, name: str) -> list[Passkey]:
    """The passkeys of a person of the console. Errors: Unknown."""
    with database.read() as transaction:
        return operator_passkeys.list_of(transaction, operator_accounts.get(transaction, name))


def remove(database: Database, name: str, passkey: str, *, by: str = "", address: str = "") -> None:
    """Remove a passkey, by its name, from the account of a person. Errors: Unknown."""
    with database.write() as transaction:
        account = operator_accounts.get(transaction, name)
        if not operator_passkeys.remove(transaction, account, passkey):
            raise Unknown(f"passkey: {name!r} has no passkey named {passkey!r}")
        audit.record(transaction, "passkey removed", address=address, by=by or name, of=name, passkey=passkey)


# Parts ---------------------------------------------------------------------------------------------


def _site(settings: Settings) -> Site:
    place = passkeys.site(base_url(settings))
    if place is None:
        raise Refused(NOWHERE.format(base=base_url(settings)))
    return place


def _asker(place: Site, sealer: Sealer, purpose: str, browser: Browser) -> Asker:
    return Asker(place, sealer.derive("console challenges"), f"{purpose}\n{browser.secret}")


def _adding(account: Operator) -> str:
    return f"add a passkey to {account.number}"


def _handle(sealer: Sealer, account: Operator) -> bytes:
    """The account as authenticators keep it: it says nothing of the person (WebAuthn, 14.6.1)."""
    told = f"{account.number} {account.created}".encode()
    return hmac.digest(sealer.derive("console passkeys"), told, "sha256")


def _handle_by_name(sealer: Sealer, name: str) -> bytes:
    """The handle of a passkey that is made with a link: the first operator has no account yet."""
    return hmac.digest(sealer.derive("console passkeys"), f"by name {name}".encode(), "sha256")


def _is_handle(sealer: Sealer, account: Operator, handle: bytes) -> bool:
    known = (_handle(sealer, account), _handle_by_name(sealer, account.name))
    return any(hmac.compare_digest(each, handle) for each in known)


def _beginning(link: str) -> str:
    return f"begin with the link {digest(link)}"


def _spend(transaction: Transaction, challenge: bytes) -> None:
    if not operator_passkeys.spend(
        transaction, digest(challenge.hex()), seconds=2 * passkeys.CHALLENGE_SECONDS
    ):
        raise Refused(passkeys.LATE)
