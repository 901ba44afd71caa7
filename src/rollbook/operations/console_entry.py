"""How people enter the console: they set a password with their link, sign in, and sign out."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass

from rollbook.auth import one_time_codes, passwords, throttle
from rollbook.domain.actors import Actor
from rollbook.errors import BadSetting, Conflict, Refused
from rollbook.operations.team import NAME_MAX
from rollbook.settings import Settings
from rollbook.store.accounts import audit
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import Sealer
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import ConsoleSession, Link

PASSWORD_MIN = 12
MISFIT = "The name, the password or the code is wrong. A code works once: wait for the next one."
WAIT = "Too many attempts. Try again in a quarter of an hour."
TAKEN = "There is an operator already, who can invite you. This link was only for the first one."
SPENT = "This link was used already, or has ended. An operator can make a new one: `rollbook operator reset NAME`."


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person types to sign in, and the address that they come from."""

    name: str
    password: str
    code: str
    address: str


def look_up(database: Database, secret: str) -> Link:
    """What a link is for. Errors: Refused if it was used or has ended."""
    with database.read() as transaction:
        found = operator_accounts.link(transaction, secret)
    if found is None:
        raise Refused(SPENT)
    return found


def check_choice(link: Link, name: str, password: str) -> str:
    """Check the name and password that a person chose, and return the name. Errors: BadSetting."""
    name = link.name or " ".join(name.split())
    if not name or len(name) > NAME_MAX:
        raise BadSetting(f"Name: expected 1 to {NAME_MAX} characters.")
    if not PASSWORD_MIN <= len(password) <= passwords.PASSWORD_MAX:
        raise BadSetting(f"Password: expected {PASSWORD_MIN} to {passwords.PASSWORD_MAX} characters.")
    return name


def begin(database: Database, sealer: Sealer, secret: str, typed: Typed, codes: str) -> None:
    """Give the person of a link their password and their one-time codes, whose secret is `codes`.

    The typed code shows that their phone has the secret. Errors: Refused if the link was used, BadSetting for
    a wrong code, Conflict if the name is taken.
    """
    link = look_up(database, secret)
    name = check_choice(link, typed.name, typed.password)
    step = one_time_codes.step_of(codes, typed.code, time.time())
    if step is None:
        raise BadSetting(
            "Code: it is wrong. Check the clock of your phone, and type the code that it shows now."
        )
    strong = strong_password(sealer, typed.password)
    with database.write() as transaction:
        take_link(transaction, link, name)
        operator_accounts.equip(transaction, name, strong, sealer.seal(codes, codes_of(name)), step)
        audit.record(transaction, "console account begun", address=typed.address, by=name, role=link.role)


def take_link(transaction: Transaction, link: Link, name: str) -> None:
    """Spend a link, and make the account of the first operator. Errors: Refused, Conflict."""
    if not operator_accounts.spend_link(transaction, link):
        raise Refused(SPENT)
    if not link.name:
        # The link stands in a log, and an operator may have come by another way meanwhile.
        if operator_accounts.count_ready(transaction, link.role):
            raise Refused(TAKEN)
        if operator_accounts.find(transaction, name):
            raise Conflict(f"A person of the console is named {name} already. Choose another name.")
        operator_accounts.add(transaction, Link("", name, link.role, link.district))


def codes_of(name: str) -> str:
    """The purpose for which the secret of a person's codes is sealed."""
    return f"one-time codes of {name}"


def sign_in(database: Database, settings: Settings, sealer: Sealer, typed: Typed) -> str:
    """Sign a person in; returns the secret of their session. Errors: Refused, with the same words for a wrong
    name, password and code."""
    limit = throttle.of(settings, "console", typed.name, typed.address)
    with database.read() as transaction:
        is_shut, is_slowed = throttle.is_shut(transaction, limit), throttle.is_slowed(transaction, limit)
        is_familiar = throttle.is_familiar(transaction, limit)
        account = operator_accounts.find(transaction, typed.name)
        codes = throttle.of_codes(account.number if account else 0)
        takes_codes = is_familiar or not throttle.is_shut(transaction, codes)
    if is_shut or (is_slowed and not is_familiar and not _takes_turn(database, limit)):
        raise Refused(WAIT)
    # Each attempt costs one Argon2id, with any name: the time reveals no names.
    digest = _digest(sealer, typed.password[: passwords.PASSWORD_MAX])
    knows_password = passwords.fits(account.password if account else "", digest)
    step = None
    # Nor do the words of a refusal reveal that a password is right, so no code is looked at and the words are the same.
    if knows_password and account and takes_codes:
        secret = sealer.open(account.codes_sealed, codes_of(account.name))
        step = one_time_codes.step_of(secret, typed.code, time.time(), after=account.last_code)
    with database.write() as transaction:
        now = operator_accounts.find(transaction, typed.name)
        # The comparison takes time, and a reset may have changed the password meanwhile.
        is_same = account is not None and now is not None and now.password == account.password
        if (
            account
            and is_same
            and step is not None
            and operator_accounts.spend_code(transaction, account, step)
        ):
            throttle.succeed(transaction, limit)
            audit.record(transaction, "signed in to the console", address=typed.address, by=account.name)
            return operator_accounts.open_session(
                transaction, account, absolute_seconds=settings.session_seconds
            )
        throttle.count(transaction, limit)
        if knows_password and account and not is_familiar:
            throttle.count(transaction, codes)
            # A program that guesses codes has the password: an operator should see whose.
            audit.record(transaction, "console code refused", address=typed.address, by=account.name)
        else:
            audit.record(transaction, "console sign-in failed", address=typed.address)
    raise Refused(MISFIT)


def sign_out(database: Database, secret: str, actor: Actor) -> None:
    """End a session of the console."""
    with database.write() as transaction:
        operator_accounts.close_session(transaction, secret)
        audit.record(transaction, "signed out of the console", address=actor.address, by=actor.name)


def touch(transaction: Transaction, found: ConsoleSession) -> None:
    """Note that a session is in use."""
    operator_accounts.touch(transaction, found)


def _takes_turn(database: Database, limit: throttle.Limit) -> bool:
    with database.write(is_durable=False) as transaction:
        return throttle.take_turn(transaction, limit)


def strong_password(sealer: Sealer, password: str) -> str:
    """A typed password as the database keeps it."""
    return passwords.strong(_digest(sealer, password))


def _digest(sealer: Sealer, password: str) -> str:
    """A keyed digest of a typed password: without the server's key, the database reveals no password."""
    key = sealer.derive("console passwords")
    return hmac.digest(key, passwords.normal(password).encode(), "sha256").hex()
