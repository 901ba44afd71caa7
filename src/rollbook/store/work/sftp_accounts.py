"""Accounts of the SFTP server: one for each district, with a password that was drawn for it, or public keys."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.store.engine.database import Connection
from rollbook.store.work import job_queue


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its district (by the store's own number), the hash of its password (blank for none), its keys."""

    name: str
    district: int
    password_hash: str
    keys: tuple[str, ...]


def write(connection: Connection, account: Account) -> None:
    """Keep an account in place of the one that the district had."""
    connection.run("DELETE FROM sftp_accounts WHERE district = ?", (account.district,))
    connection.run(
        "INSERT INTO sftp_accounts (name, district, password, keys, created) VALUES (?, ?, ?, ?, ?)",
        (
            account.name,
            account.district,
            account.password_hash,
            "\n".join(account.keys),
            job_queue.now(connection),
        ),
    )


def remove(connection: Connection, district: int) -> None:
    """Drop the account of a district."""
    connection.run("DELETE FROM sftp_accounts WHERE district = ?", (district,))


def by_name(connection: Connection, name: str) -> Account | None:
    return _account(connection.row(f"{_SELECT} WHERE name = ?", (name,)))


def of_district(connection: Connection, district: int) -> Account | None:
    return _account(connection.row(f"{_SELECT} WHERE district = ?", (district,)))


_SELECT = "SELECT name, district, password, keys FROM sftp_accounts"


def _account(row: tuple[str, int, str, str] | tuple[object, ...] | None) -> Account | None:
    if row is None:
        return None
    name, district, password_hash, keys = row
    return Account(
        str(name), int(str(district)), str(password_hash), tuple(str(keys).split("\n")) if keys else ()
    )
