"""Subscriptions: which person gets mail about which topics, and which webhooks are called."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollbook.domain.actors import Actor
from rollbook.errors import Unknown
from rollbook.store.engine.database import Row, Transaction
from rollbook.store.operators.operator_accounts import Operator
from rollbook.store.work import job_queue

MAIL, WEBHOOK = "mail", "webhook"
_SELECT = (
    "SELECT s.number, s.operator, s.address, s.topics, s.at, s.zone, s.district, s.secret_sealed, s.since, s.told,"
    " o.name, o.role, o.district, o.password FROM subscriptions s LEFT JOIN operators o ON o.number = s.operator"
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told about which topics.

    `name` is the person's, blank for a webhook. `district` is the store's number of the only district that it tells
    of; a person's account decides theirs. `since` and `told` are Unix milliseconds: nothing older is told, and the
    last summary was due then. `may`: the account can sign in, and its role sees runs.
    """

    number: int
    operator: int | None
    address: str
    topics: tuple[str, ...]
    at: str
    zone: str
    district: int | None = None
    secret_sealed: str = ""
    since: int = 0
    told: int = 0
    name: str = ""
    may: bool = True

    @property
    def channel(self) -> str:
        return WEBHOOK if self.operator is None else MAIL

    def tells_of(self, district: int | None) -> bool:
        """Whether it may tell of a district (by the store's number); None: of all districts."""
        return self.may and self.district in (None, district)


def every(transaction: Transaction) -> list[Subscription]:
    """All subscriptions, the webhooks last."""
    rows = transaction.rows(f"{_SELECT} ORDER BY s.operator IS NULL, o.name, s.number")
    return [_subscription(row) for row in rows]


def are_there(transaction: Transaction) -> bool:
    return transaction.row("SELECT 1 FROM subscriptions LIMIT 1") is not None


def get(transaction: Transaction, number: int) -> Subscription:
    """One subscription. Errors: Unknown."""
    found = transaction.row(f"{_SELECT} WHERE s.number = ?", (number,))
    if found is None:
        raise Unknown(f"there is no webhook {number}; `rollbook webhook list` shows them")
    return _subscription(found)


def of(transaction: Transaction, account: Operator) -> Subscription | None:
    """What a person has chosen; None if they chose nothing yet."""
    found = transaction.row(f"{_SELECT} WHERE s.operator = ?", (account.number,))
    return _subscription(found) if found else None


def webhook(transaction: Transaction, number: int) -> Subscription:
    """A webhook by its number. Errors: Unknown."""
    found = get(transaction, number)
    if found.operator is not None:
        raise Unknown(f"there is no webhook {number}; `rollbook webhook list` shows them")
    return found


def write(transaction: Transaction, wanted: Subscription) -> Subscription:
    """Keep a subscription. With the number 0 it is new. It tells nothing that happened before now."""
    wanted = replace(wanted, since=job_queue.now(transaction))
    values = (
        *(wanted.operator, wanted.address, " ".join(wanted.topics), wanted.at, wanted.zone),
        *((None, wanted.district)[wanted.operator is None], wanted.secret_sealed, wanted.since),
    )
    if wanted.number:
        transaction.run(
            "UPDATE subscriptions SET operator = ?, address = ?, topics = ?, at = ?, zone = ?, district = ?,"
            " secret_sealed = ?, since = ? WHERE number = ?",
            (*values, wanted.number),
        )
        return wanted
    made = transaction.row(
        "INSERT INTO subscriptions (operator, address, topics, at, zone, district, secret_sealed, since)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
        values,
    )
    return replace(wanted, number=int(made[0]) if made else 0)


def note_told(transaction: Transaction, wanted: Subscription, due: int) -> None:
    """Note for which moment (Unix milliseconds) the summary of the night is in the outbox."""
    transaction.run("UPDATE subscriptions SET told = ? WHERE number = ?", (due, wanted.number))


def remove(transaction: Transaction, wanted: Subscription) -> None:
    """Drop a subscription, and what it has not been told yet."""
    transaction.run("DELETE FROM deliveries WHERE subscription = ?", (wanted.number,))
    transaction.run("DELETE FROM subscriptions WHERE number = ?", (wanted.number,))


def _subscription(row: Row) -> Subscription:
    number, operator, address, topics, at, zone, district, sealed, since, told, *account = row
    name, role, of_account, password = account
    may = operator is None or (bool(password) and _sees_runs(role, of_account))
    return Subscription(
        *(number, operator, address, tuple(topics.split()), at, zone),
        *(district if operator is None else of_account, sealed, since, told, name or "", may),
    )


def _sees_runs(role: str, district: int | None) -> bool:
    return Actor("", role, district).may("see runs", district)
