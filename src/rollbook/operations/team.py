"""The people of the console: invite, reset and remove them, and the link of the first operator."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.domain.actors import DEVELOPER, DISTRICT, HELP_DESK, OPERATOR, ROLES
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.settings import Settings, base_url
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import Link, Operator

WELCOME = "/console/welcome"
NAME_MAX = 100
LINK_SECONDS = 7 * 86_400
FIRST_LINK_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the console as a list shows them; `district` is blank for all districts."""

    name: str
    role: str
    district: str
    created: int
    is_ready: bool


def invite(database: Database, settings: Settings, name: str, role: str, district: str | None = None) -> str:
    """Make an account, and return the link with which its person sets a password; it works once, for a week.

    The role `district` needs a district (name or id). A help desk may have one. Other roles have none.
    Errors: BadSetting, Conflict if the name is taken, Unknown.
    """
    wanted = Link("", _name(name), _role(role, district), _number(database, district))
    with database.write() as transaction:
        if operator_accounts.find(transaction, wanted.name):
            raise Conflict(
                f"name: a person of the console is named {wanted.name!r} already; choose another name"
            )
        operator_accounts.add(transaction, wanted)
        secret = operator_accounts.open_link(transaction, wanted, seconds=LINK_SECONDS)
    return _address(settings, secret)


def reset(database: Database, settings: Settings, name: str, district: str | None = None) -> str:
    """Take a person's password and codes away, end their sessions, and return a new link.

    With a district, only its own people are found. Errors: Unknown.
    """
    number = _number(database, district)
    with database.write() as transaction:
        account = _member(transaction, name, number)
        operator_accounts.disarm(transaction, account)
        wanted = Link("", account.name, account.role, account.district)
        secret = operator_accounts.open_link(transaction, wanted, seconds=LINK_SECONDS)
    return _address(settings, secret)


def remove(database: Database, name: str, district: str | None = None) -> None:
    """Remove a person; their sessions end at once.

    With a district, only its own people are found. Errors: Unknown; Refused for the last operator.
    """
    number = _number(database, district)
    with database.write() as transaction:
        account = _member(transaction, name, number)
        is_last = account.is_ready and operator_accounts.count_ready(transaction, OPERATOR) == 1
        if account.role == OPERATOR and is_last:
            raise Refused(f"{name!r} is the last operator; invite another operator first")
        operator_accounts.remove(transaction, account)


def members(database: Database, district: str | None = None) -> list[Member]:
    """The people of the console by name, or those of one district (name or id). Errors: Unknown."""
    number = _number(database, district)
    with database.read() as transaction:
        names = {each.number: each.name for each in districts.all_in(transaction)}
        found = operator_accounts.list_all(transaction, number)
    return [
        Member(
            each.name,
            each.role,
            "" if each.district is None else names.get(each.district, ""),
            each.created,
            each.is_ready,
        )
        for each in found
    ]


def first_link(database: Database, settings: Settings) -> str | None:
    """A link for the first operator, who chooses their own name; None if an operator can sign in already.

    Each call ends the link of the call before.
    """
    with database.write() as transaction:
        if operator_accounts.count_ready(transaction, OPERATOR):
            return None
        wanted = Link("", "", OPERATOR, None)
        secret = operator_accounts.open_link(transaction, wanted, seconds=FIRST_LINK_SECONDS)
    return _address(settings, secret)


def _address(settings: Settings, secret: str) -> str:
    # A fragment is never sent to a server, so no log of a proxy holds it.
    return f"{base_url(settings)}{WELCOME}#{secret}"


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX:
        raise BadSetting(f"name: expected 1 to {NAME_MAX} characters, got {len(name)}")
    return name


def _role(role: str, district: str | None) -> str:
    if role not in ROLES:
        raise BadSetting(f"role: expected one of {', '.join(ROLES)}; got {role!r}")
    if role == DISTRICT and not district:
        raise BadSetting("district: a person with the role district needs the district that they run")
    if role in (OPERATOR, DEVELOPER) and district:
        raise BadSetting(
            f"district: the role {role} is for the whole server; give a district only to {DISTRICT} or {HELP_DESK}"
        )
    return role


def _number(database: Database, district: str | None) -> int | None:
    return districts.find(database, district).number if district else None


def _member(transaction: Transaction, name: str, district: int | None) -> Operator:
    account = operator_accounts.get(transaction, name)
    if district is not None and account.district != district:
        raise Unknown(f"no person of this district has the name {name!r}")
    return account
