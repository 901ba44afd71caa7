"""Accounts of the SFTP server: one for each district, with a password that was drawn for it, or public keys."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.store.engine.database import Transaction
from rollbook.store.work import job_queue


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its district (by the store's own number), the hash of its password (blank for none), its keys."""

    name: str
    district: int
    password_hash: str
    keys: tuple[str, ...]


def write(transaction: Transaction, account: Account) -> None:
    """Keep an account in place of the one that the district had."""
    transaction.run("DELETE FROM sftp_accounts WHERE district = ?", (account.district,))
    transaction.run(
        "INSERT INTO sftp_accounts (name, district, password, keys, created) VALUES (?, ?, ?, ?, ?)",
        (
            account.name,
            account.district,
            account.password_hash,
            "\n".join(account.keys),
            job_queue.now(transaction),
        ),
    )


def remove(transaction: Transaction, district: int) -> None:
    """Drop the account of a district."""
    transaction.run("DELETE FROM sftp_accounts WHERE district = ?", (district,))


def by_name(transaction: Transaction, name: str) -> Account | None:
    return _account(transaction.row(f"{_SELECT} WHERE name = ?", (name,)))


def of_district(transaction: Transaction, district: int) -> Account | None:
    return _account(transaction.row(f"{_SELECT} WHERE district = ?", (district,)))


_SELECT = "SELECT name, district, password, keys FROM sftp_accounts"


def _account(row: tuple[str, int, str, str] | tuple[object, ...] | None) -> Account | None:
    if row is None:
        return None
    name, district, password_hash, keys = row
    return Account(
        str(name), int(str(district)), str(password_hash), tuple(str(keys).split("\n")) if keys else ()
    )
