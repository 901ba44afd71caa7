"""Who gets mail about what, and which webhooks are called: choose, test, remove, and send again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from rollbook.domain import topics
from rollbook.domain.actors import Actor
from rollbook.domain.school_days import Schedule
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.operations import delivering, happenings, mail_server, webhook_calls
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import sealer
from rollbook.store.operators import deliveries, operator_accounts, subscriptions
from rollbook.store.operators.deliveries import Delivery
from rollbook.store.operators.operator_accounts import Operator
from rollbook.store.operators.subscriptions import Subscription
from rollbook.store.work import schedules

WEBHOOKS_MAX = 20
AT = "07:00"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is told, and when the summary of a night is sent. No topics: nothing is told."""

    topics: tuple[str, ...] = tuple(topics.TOPICS)
    at: str = AT
    zone: str = "UTC"

    def checked(self) -> Choice:
        """The choice in order. Errors: BadSetting names the parameter."""
        if not self.at:
            raise BadSetting("at: expected a time such as 07:00, got ''")
        Schedule(zone=self.zone, at=self.at).checked()
        return replace(self, topics=topics.checked(self.topics))


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person with mail, or a webhook, as a list shows them; `district` is blank for all districts."""

    number: int
    name: str
    address: str
    district: str
    choice: Choice
    last: Delivery | None = None

    def as_json(self) -> dict[str, object]:
        told = {"number": self.number, "name": self.name, "address": self.address, "district": self.district}
        last = {"state": self.last.state, "message": self.last.message} if self.last else None
        return {**told, **asdict(self.choice), "last": last}


# Mail ----------------------------------------------------------------------------------------------


def choose(
    database: Database, name: str, address: str, choice: Choice, district: str | None = None
) -> Choice:
    """Choose what a person of the console gets by mail, from now on. No topics end their mail.

    With a district, only its own people are found. Errors: Unknown, BadSetting; Refused if the role sees no runs.
    """
    wanted = choice.checked()
    to = mail_server.address(address) if wanted.topics or address.strip() else ""
    number = _number(database, district)
    with database.write() as transaction:
        account = _member(transaction, name, number)
        if not Actor(account.name, account.role, account.district).may("choose mail", account.district):
            raise Refused(f"the role {account.role} sees no runs, so it gets no mail about them")
        old = subscriptions.of(transaction, account)
        if wanted.topics:
            made = Subscription(
                old.number if old else 0, account.number, to, wanted.topics, wanted.at, wanted.zone
            )
            subscriptions.write(transaction, made)
        elif old:
            subscriptions.remove(transaction, old)
    return wanted


def send_test(database: Database, settings: Settings, name: str, district: str | None = None) -> Delivery:
    """Send a person a test, and say what became of it.

    Errors: Unknown; Refused if they chose no mail yet, or within a minute after another test.
    """
    of_district = _number(database, district)
    with database.write() as transaction:
        found = subscriptions.of(transaction, _member(transaction, name, of_district))
        if found is None:
            raise Refused("name: choose mail first, then send the test")
        number = _add_test(transaction, found)
    return delivering.attempt(database, settings, number)


def chosen(database: Database, name: str) -> Subscriber | None:
    """What a person has chosen; None if they get no mail. Errors: Unknown."""
    with database.read() as transaction:
        found = subscriptions.of(transaction, operator_accounts.get(transaction, name))
        return _subscriber(transaction, found) if found else None


def zone_of(transaction: Transaction, district: int) -> str:
    """The time zone of a district (by the store's number): that of its schedule, UTC without one."""
    found = schedules.find(transaction, district)
    return found.schedule.zone if found else "UTC"


def everyone(database: Database, channel: str) -> list[Subscriber]:
    """All people with mail by name, or all webhooks."""
    with database.read() as transaction:
        found = [each for each in subscriptions.every(transaction) if each.channel == channel]
        return [_subscriber(transaction, each) for each in found]


# Webhooks ------------------------------------------------------------------------------------------


def add_webhook(
    database: Database, settings: Settings, url: str, choice: Choice, of: str | None = None
) -> tuple[int, str]:
    """Call a URL with all news from now on, or with those of one district (name or id).

    Returns its number, and the secret of its signatures, which is shown only this once. Errors: BadSetting, Unknown,
    Conflict if it is called already.
    """
    wanted, to = _some(choice), webhook_calls.address(url)
    district = _number(database, of)
    secret = webhook_calls.new_secret()
    sealed = sealer(database, settings).seal(secret, webhook_calls.secret_of(to))
    with database.write() as transaction:
        hooks = [each for each in subscriptions.every(transaction) if each.operator is None]
        if any(each.address == to and each.district == district for each in hooks):
            raise Conflict(f"address: a webhook calls {to} already")
        if len(hooks) >= WEBHOOKS_MAX:
            raise Refused(f"there are {WEBHOOKS_MAX} webhooks; remove one first")
        made = subscriptions.write(
            transaction, Subscription(0, None, to, wanted.topics, wanted.at, wanted.zone, district, sealed)
        )
    return made.number, secret


def change_webhook(database: Database, number: int, choice: Choice) -> Choice:
    """Change the topics of a webhook. Errors: Unknown, BadSetting."""
    wanted = _some(choice)
    with database.write() as transaction:
        found = subscriptions.webhook(transaction, number)
        subscriptions.write(transaction, replace(found, topics=wanted.topics, at=wanted.at, zone=wanted.zone))
    return wanted


def remove_webhook(database: Database, number: int) -> str:
    """Remove a webhook; returns its address. Errors: Unknown."""
    with database.write() as transaction:
        found = subscriptions.webhook(transaction, number)
        subscriptions.remove(transaction, found)
    return found.address


def test_webhook(database: Database, settings: Settings, number: int) -> Delivery:
    """Call a webhook with a test, and say what became of it. Errors: Unknown, Refused within a minute after another."""
    with database.write() as transaction:
        made = _add_test(transaction, subscriptions.webhook(transaction, number))
    return delivering.attempt(database, settings, made)


# The outbox ----------------------------------------------------------------------------------------


def outbox(database: Database, most: int, name: str | None = None) -> list[tuple[Delivery, Subscriber]]:
    """The newest deliveries, newest first, each with its subscriber; only those of a person. Errors: Unknown."""
    with database.read() as transaction:
        only = subscriptions.of(transaction, operator_accounts.get(transaction, name)) if name else None
        if name and only is None:
            return []
        known = {
            each.number: _subscriber(transaction, each, has_last=False)
            for each in subscriptions.every(transaction)
        }
        found = deliveries.latest(transaction, most, subscription=only.number if only else None)
    return [(each, known[each.subscription]) for each in found if each.subscription in known]


def send_again(database: Database, number: int) -> Delivery:
    """Let a worker send a delivery again that failed, or may have. Errors: Unknown, Refused in another state."""
    with database.write() as transaction:
        found = deliveries.get(transaction, number)
        if found.state not in ("failed", "unsure", "waiting"):
            raise Refused(
                f"delivery {number} is {found.state}; only one that failed, waits or is unsure is sent again"
            )
        deliveries.send_again(transaction, found)
    return found


def _some(choice: Choice) -> Choice:
    wanted = choice.checked()
    if not wanted.topics:
        raise BadSetting(f"topics: expected some of {' '.join(topics.TOPICS)}")
    return wanted


def _add_test(transaction: Transaction, to: Subscription) -> int:
    number = deliveries.add(transaction, to, happenings.of_test(transaction, to))
    if number is None:
        raise Refused("a test was sent less than a minute ago; wait a minute")
    return number


def _subscriber(transaction: Transaction, found: Subscription, *, has_last: bool = True) -> Subscriber:
    name = districts.by_number(transaction, found.district).name if found.district else ""
    last = deliveries.latest(transaction, 1, subscription=found.number) if has_last else []
    choice = Choice(found.topics, found.at, found.zone)
    return Subscriber(found.number, found.name, found.address, name, choice, last[0] if last else None)


def _number(database: Database, district: str | None) -> int | None:
    return districts.find(database, district).number if district else None


def _member(transaction: Transaction, name: str, district: int | None) -> Operator:
    account = operator_accounts.get(transaction, name)
    if district is not None and account.district != district:
        raise Unknown(f"no person of this district has the name {name!r}")
    return account
