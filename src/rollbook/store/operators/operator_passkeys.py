"""The passkeys of the console's people, and the challenges that were answered already."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.store.accounts.logins import now
from rollbook.store.engine.database import Transaction
from rollbook.store.operators import operator_accounts
from rollbook.store.operators.operator_accounts import Operator

_COLUMNS = "id, operator, name, public_key, uses, created, used"


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey. `id` and `public_key` are base64url; `uses` is the counter that its last answer had.

    `used` is the moment of its last sign-in, 0 before the first.
    """

    id: str
    operator: int
    name: str
    public_key: str
    uses: int
    created: int
    used: int


def list_of(transaction: Transaction, account: Operator) -> list[Passkey]:
    """The passkeys of an account, oldest first."""
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM operator_passkeys WHERE operator = ? ORDER BY created, id", (account.number,)
    )
    return [Passkey(*row) for row in rows]


def find(transaction: Transaction, id_: str) -> tuple[Passkey, Operator] | None:
    """A passkey and its account."""
    found = transaction.row(f"SELECT {_COLUMNS} FROM operator_passkeys WHERE id = ?", (id_,))
    if found is None:
        return None
    passkey = Passkey(*found)
    account = operator_accounts.by_number(transaction, passkey.operator)
    return (passkey, account) if account else None


def add(transaction: Transaction, passkey: Passkey) -> bool:
    """Add a passkey; False if its id is known already."""
    made = transaction.row(
        f"INSERT INTO operator_passkeys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING"
        " RETURNING id",
        (passkey.id, passkey.operator, passkey.name, passkey.public_key, passkey.uses, now()),
    )
    return made is not None


def use(transaction: Transaction, passkey: Passkey, uses: int) -> bool:
    """Note a sign-in; False if the counter did not grow (WebAuthn, 6.1.1: a copy of the passkey may exist).

    A passkey that counts nothing always answers 0.
    """
    noted = transaction.row(
        "UPDATE operator_passkeys SET uses = ?, used = ? WHERE id = ? AND (uses < ? OR (uses = 0 AND ? = 0))"
        " RETURNING id",
        (uses, now(), passkey.id, uses, uses),
    )
    return noted is not None


def remove(transaction: Transaction, account: Operator, name: str) -> bool:
    """Remove a passkey by its name; False if the account has none of that name."""
    gone = transaction.row(
        "DELETE FROM operator_passkeys WHERE operator = ? AND name = ? RETURNING id", (account.number, name)
    )
    return gone is not None


def spend(transaction: Transaction, hashed: str, *, seconds: int) -> bool:
    """Note that a challenge was answered; False if it was answered before."""
    moment = now()
    transaction.run("DELETE FROM spent_challenges WHERE expires <= ?", (moment,))
    noted = transaction.row(
        "INSERT INTO spent_challenges (hash, expires) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING RETURNING hash",
        (hashed, moment + seconds),
    )
    return noted is not None
