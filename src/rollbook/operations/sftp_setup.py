"""Accounts of the SFTP server."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import digest
from rollbook.store.work import schedules, sftp_accounts
from rollbook.store.work.sftp_accounts import Account

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_KEY = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/=]+( .*)?"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """An account, and its password, which is shown once; blank if it has keys."""

    account: Account
    password: str


def open_account(database: Database, district: str, name: str, keys: tuple[str, ...] = ()) -> Opened:
    """Give a district (name or id) an account that replaces its old one, with keys or with a random password.

    Errors: Unknown, BadSetting, Conflict if another district has the name, Refused if it has no drop folder.
    """
    owner = districts.find(database, district)
    if not _NAME.fullmatch(name):
        raise BadSetting(f"account: expected small letters, digits, - and _, at most 32, got {name!r}")
    if wrong := [key for key in keys if not _KEY.fullmatch(key)]:
        raise BadSetting(f"key: expected a public key such as ssh-ed25519 AAAA..., got {wrong[0][:40]!r}")
    # 160 random bits: a secret like this needs no slow hash.
    password = "" if keys else secrets.token_urlsafe(20)
    account = Account(name, owner.number, digest(password) if password else "", keys)
    with database.write() as transaction:
        found = schedules.find(transaction, owner.number)
        if found is None or not found.schedule.folder:
            raise Refused(f"{owner.name!r} has no drop folder; set one with `rollbook schedule`")
        other = sftp_accounts.by_name(transaction, name)
        if other and other.district != owner.number:
            raise Conflict(f"the account {name!r} belongs to another district")
        sftp_accounts.write(transaction, account)
    return Opened(account, password)


def close_account(database: Database, district: str) -> None:
    """Drop the account of a district (name or id). Errors: Unknown if it has none."""
    owner = districts.find(database, district)
    with database.write() as transaction:
        if sftp_accounts.of_district(transaction, owner.number) is None:
            raise Unknown(f"{owner.name!r} has no account")
        sftp_accounts.remove(transaction, owner.number)
