"""The outbox: one row for each happening and each subscription that is told of it.

The key (subscription, happening) keeps a happening from being told twice. A row is claimed before it is sent, in a
transaction of its own, so that two workers never send the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from rollbook.errors import Unknown
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.operators.subscriptions import Subscription
from rollbook.store.work import job_queue

STATES: Final = ("waiting", "sending", "sent", "failed", "unsure", "dropped")
# After so many attempts, within about a day, a delivery has failed.
ATTEMPTS_MAX: Final = 30
RETRY_SECONDS, RETRY_SECONDS_MAX = 30, 3600
# After so many seconds, the process that was sending has died.
SENDING_SECONDS: Final = 300
_COLUMNS = (
    "d.number, d.id, d.subscription, d.happening, d.topic, d.district, d.content, d.state, d.attempts, d.due, d.created,"
    " d.ended, d.message"
)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to tell: `key` is the same each time that it is found. `district` is the store's number."""

    key: str
    topic: str
    content: dict[str, Any]
    district: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One happening for one subscription. Moments are Unix milliseconds."""

    number: int
    id: str
    subscription: int
    happening: str
    topic: str
    district: int | None
    content: dict[str, Any]
    state: str
    attempts: int
    due: int
    created: int
    ended: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: sent, waiting (try again), failed or unsure. `is_server`: all deliveries to that server
    would end the same way."""

    state: str
    message: str = ""
    is_server: bool = False


def add(transaction: Transaction, to: Subscription, happening: Happening) -> int | None:
    """Put a happening into the outbox; None if it was there before."""
    moment = job_queue.now(transaction)
    made = transaction.row(
        "INSERT INTO deliveries (id, subscription, happening, topic, district, content, state, due, created)"
        " VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?) ON CONFLICT (subscription, happening) DO NOTHING RETURNING number",
        (
            *(uuid4().hex, to.number, happening.key, happening.topic, happening.district),
            *(json.dumps(happening.content), moment, moment),
        ),
    )
    return int(made[0]) if made else None


def get(transaction: Transaction, number: int) -> Delivery:
    """One delivery. Errors: Unknown."""
    found = transaction.row(f"SELECT {_COLUMNS} FROM deliveries d WHERE d.number = ?", (number,))
    if found is None:
        raise Unknown(f"there is no delivery {number}; `rollbook mail outbox` lists them")
    return _delivery(found)


def due(transaction: Transaction, most: int) -> list[Delivery]:
    """The deliveries whose time has come, oldest first."""
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM deliveries d WHERE d.state = 'waiting' AND d.due <= ? ORDER BY d.due, d.number LIMIT ?",
        (job_queue.now(transaction), most),
    )
    return [_delivery(row) for row in rows]


def is_due(transaction: Transaction) -> bool:
    """Whether something can be sent, or was being sent by a process that has died."""
    now = job_queue.now(transaction)
    found = transaction.row(
        "SELECT 1 FROM deliveries WHERE (state = 'waiting' AND due <= ?) OR (state = 'sending' AND due <= ?) LIMIT 1",
        (now, now - SENDING_SECONDS * 1000),
    )
    return found is not None


def claim(transaction: Transaction, wanted: Delivery) -> bool:
    """Begin an attempt; False if it is not due any more, such as when another worker was faster."""
    now = job_queue.now(transaction)
    found = transaction.row(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, due = ?"
        " WHERE number = ? AND state = 'waiting' AND due <= ? RETURNING number",
        (now, wanted.number, now),
    )
    return found is not None


def settle(transaction: Transaction, wanted: Delivery, outcome: Outcome) -> None:
    """Note how an attempt ended."""
    now, attempts = job_queue.now(transaction), wanted.attempts + 1
    if outcome.state == "waiting" and attempts < ATTEMPTS_MAX:
        wait = min(RETRY_SECONDS * 2 ** min(attempts - 1, 10), RETRY_SECONDS_MAX)
        transaction.run(
            "UPDATE deliveries SET state = 'waiting', due = ?, message = ? WHERE number = ?",
            (now + wait * 1000, outcome.message, wanted.number),
        )
        return
    state = "failed" if outcome.state == "waiting" else outcome.state
    transaction.run(
        "UPDATE deliveries SET state = ?, ended = ?, message = ? WHERE number = ?",
        (state, now, outcome.message, wanted.number),
    )


def postpone(transaction: Transaction, subscriptions: Iterable[int], outcome: Outcome) -> None:
    """Let everything that waits for subscriptions wait longer: their server has just failed."""
    until = job_queue.now(transaction) + RETRY_SECONDS * 1000
    for number in subscriptions:
        transaction.run(
            "UPDATE deliveries SET due = ?, message = ? WHERE subscription = ? AND state = 'waiting' AND due < ?",
            (until, outcome.message, number, until),
        )


def recover(transaction: Transaction) -> None:
    """End the attempts of processes that died. A webhook is called again, with the same id. Whether a mail arrived is
    not known, so it is not sent twice."""
    oldest = job_queue.now(transaction) - SENDING_SECONDS * 1000
    text = "the process ended while it sent the mail, so it may have arrived or not"
    rows = transaction.rows(
        "SELECT d.number, s.operator FROM deliveries d JOIN subscriptions s ON s.number = d.subscription"
        " WHERE d.state = 'sending' AND d.due <= ?",
        (oldest,),
    )
    for number, operator in rows:
        state = "waiting" if operator is None else "unsure"
        transaction.run(
            "UPDATE deliveries SET state = ?, message = ? WHERE number = ?", (state, text, number)
        )


def send_again(transaction: Transaction, wanted: Delivery) -> None:
    """Let a delivery that failed, or may have, be sent once more."""
    transaction.run(
        "UPDATE deliveries SET state = 'waiting', attempts = 0, due = ?, ended = NULL, message = '' WHERE number = ?",
        (job_queue.now(transaction), wanted.number),
    )


def latest(transaction: Transaction, most: int, *, subscription: int | None = None) -> list[Delivery]:
    """The newest deliveries, newest first; only those of a subscription."""
    where, values = ("", ()) if subscription is None else (" WHERE d.subscription = ?", (subscription,))
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM deliveries d{where} ORDER BY d.number DESC LIMIT ?", (*values, most)
    )
    return [_delivery(row) for row in rows]


def trouble(transaction: Transaction) -> str:
    """What is wrong with mail or webhooks, as a sentence; blank if nothing is.

    A failure counts until a later delivery of the same subscription arrives.
    """
    found = transaction.rows(
        "SELECT d.state, d.message, s.operator FROM deliveries d JOIN subscriptions s ON s.number = d.subscription"
        " WHERE d.topic <> 'test' AND (d.state IN ('failed', 'unsure') OR (d.state = 'waiting' AND d.attempts > 0))"
        " AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE n.subscription = d.subscription AND n.state = 'sent'"
        " AND n.number > d.number) ORDER BY d.number DESC LIMIT 1000"
    )
    if not found:
        return ""
    state, message, operator = found[0]
    what = "webhook call" if operator is None else "mail"
    verb = {
        "waiting": "waits for another attempt",
        "failed": "was not sent",
        "unsure": "may not have arrived",
    }[state]
    more = f" ({len(found)} in all)" if len(found) > 1 else ""
    return f"a {what} {verb}{more}: {message}; `rollbook mail outbox` lists them"


def forget(transaction: Transaction, days: int) -> None:
    """Drop what ended, or was put in, more than `days` days ago."""
    oldest = job_queue.now(transaction) - days * 86_400_000
    transaction.run("DELETE FROM deliveries WHERE created < ? AND state <> 'sending'", (oldest,))


def _delivery(row: Row) -> Delivery:
    return Delivery(*[*row[:6], json.loads(row[6]), *row[7:]])
