"""Send what waits in the outbox: mail and webhook calls, each claimed first, so that none is sent twice."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from rollbook.domain.topics import TEST
from rollbook.errors import BadSetting
from rollbook.operations import delivery_words, mail_server, webhook_calls
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.operators import deliveries, subscriptions
from rollbook.store.operators.deliveries import Delivery, Outcome
from rollbook.store.operators.subscriptions import MAIL, Subscription

# How many deliveries one look finds, and after how many seconds a job ends: the rest is due for the next one.
AT_ONCE: Final = 50
JOB_SECONDS: Final = 120.0
_DROPPED: Final = Outcome("dropped", "the person has no password, their role ended, or they chose other mail")


def deliver(database: Database, settings: Settings) -> Counter[str]:
    """Send all that is due, for some minutes at most; returns how many deliveries ended in each state."""
    until, count = time.monotonic() + JOB_SECONDS, Counter[str]()
    with database.write() as transaction:
        deliveries.recover(transaction)
    while time.monotonic() < until:
        with database.read() as transaction:
            due = deliveries.due(transaction, AT_ONCE)
        if not due:
            break
        for delivery in due:
            count.update(filter(None, [_attempt(database, settings, delivery)]))
    return count


def attempt(database: Database, settings: Settings, number: int) -> Delivery:
    """Send one delivery now; returns it with its outcome. Errors: Unknown."""
    with database.read() as transaction:
        found = deliveries.get(transaction, number)
    _attempt(database, settings, found)
    with database.read() as transaction:
        return deliveries.get(transaction, number)


def _attempt(database: Database, settings: Settings, delivery: Delivery) -> str:
    """Send one delivery; returns its state, or blank if it was not due any more."""
    with database.write() as transaction:
        # Since the list was read, an earlier one may have found the server away, or the person may be gone.
        if not deliveries.claim(transaction, delivery):
            return ""
        to = subscriptions.get(transaction, delivery.subscription)
    outcome = _outcome(database, settings, to, delivery)
    if delivery.topic == TEST and outcome.state == "waiting":  # the person who asked reads the answer now
        outcome = Outcome("failed", outcome.message)
    with database.write() as transaction:
        deliveries.settle(transaction, delivery, outcome)
        if outcome.is_server and outcome.state == "waiting":
            same = (each for each in subscriptions.every(transaction) if _shares_server(each, to))
            deliveries.postpone(transaction, [each.number for each in same], outcome)
    return outcome.state


def _outcome(database: Database, settings: Settings, to: Subscription, delivery: Delivery) -> Outcome:
    is_wanted = delivery.topic == TEST or delivery.topic in to.topics
    if not (is_wanted and to.tells_of(delivery.district) and to.may):
        return _DROPPED
    if to.channel == MAIL:
        return mail_server.send(settings, to.address, delivery_words.letter(delivery, settings), delivery.id)
    try:
        secret = sealer(database, settings).open(to.secret_sealed, webhook_calls.secret_of(to.address))
    except BadSetting as error:  # the key is lost or another one: other deliveries must go on
        return Outcome("waiting", str(error), is_server=True)
    return webhook_calls.call(settings, to.address, secret, delivery)


def _shares_server(one: Subscription, other: Subscription) -> bool:
    return one.channel == other.channel and (one.channel == MAIL or one.number == other.number)
