"""Who may enter the SFTP server, and how often a stranger may try."""

from __future__ import annotations

import hmac
import logging
import time
from collections import Counter
from typing import Any

import asyncssh

from rollbook.auth.throttle import network_of
from rollbook.domain.school_days import Schedule
from rollbook.errors import RollbookError
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import digest
from rollbook.store.work import schedules, sftp_accounts
from rollbook.store.work.sftp_accounts import Account

# Failed logins from one address (of IPv6: from one network) before it is refused, and for how long they count.
FAILURES_MAX, FAILURE_SECONDS = 20, 600.0
LOGIN_SECONDS = 30
# How many connections may be open before their login, in all and of one address.
LOGINS_MAX, LOGINS_ADDRESS_MAX = 200, 20
# How many connections one account may have at once.
SESSIONS_MAX = 8
_ADDRESSES_MAX = 10_000

_log = logging.getLogger(__name__)


class Door:
    """Who may enter: the accounts of the database, without addresses that failed too often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures: dict[str, tuple[int, float]] = {}
        self.sessions: dict[str, int] = {}
        # The newest open handle of each file that is being written, by device and inode.
        self.newest: dict[tuple[int, int], Any] = {}
        # Connections without a login yet, by address.
        self._logins: Counter[str] = Counter()

    def arrive(self, address: str) -> bool:
        """Let a connection begin its login. False if its address failed too often, or if too many have not ended theirs."""
        is_full = self._logins.total() >= LOGINS_MAX or self._logins[address] >= LOGINS_ADDRESS_MAX
        if is_full or self.is_shut(address):
            return False
        self._logins[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Note that a connection has logged in, or has ended before."""
        self._logins[address] -= 1
        if not self._logins[address]:
            del self._logins[address]

    def account(self, name: str) -> tuple[Account, Schedule] | None:
        """An account with the schedule of its district. None if it is unknown, or if the database is away."""
        try:
            with self._database.read() as transaction:
                account = sftp_accounts.by_name(transaction, name)
                found = schedules.find(transaction, account.district) if account else None
        except RollbookError as error:
            _log.warning("no login: %s", error)
            return None
        return (account, found.schedule) if account and found and found.schedule.folder else None

    def is_shut(self, address: str) -> bool:
        count, until = self._failures.get(address, (0, 0.0))
        return count >= FAILURES_MAX and time.monotonic() < until

    def failed(self, address: str) -> None:
        if len(self._failures) > _ADDRESSES_MAX:
            self._failures.clear()
        count, until = self._failures.get(address, (0, 0.0))
        now = time.monotonic()
        self._failures[address] = (count + 1 if now < until else 1, now + FAILURE_SECONDS)

    def entered(self, address: str) -> None:
        """Forget failures, such as the keys of other servers that a client offers at each login."""
        self._failures.pop(address, None)


class Login(asyncssh.SSHServer):
    """One connection until its login succeeds."""

    def __init__(self, door: Door) -> None:
        self.door, self._address = door, ""
        self._is_arriving = False
        self.folder: tuple[Account, Schedule] | None = None
        self.channels = 0
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        peer = conn.get_extra_info("peername")
        self._connection, self._address = conn, network_of(peer[0] if peer else "")
        self._is_arriving = self.door.arrive(self._address)
        if not self._is_arriving:
            conn.abort()

    def _arrived(self) -> None:
        if self._is_arriving:
            self._is_arriving = False
            self.door.leave(self._address)

    def connection_lost(self, _: Exception | None) -> None:
        self._arrived()
        if self.folder:
            self.door.sessions[self.folder[0].name] -= 1

    def begin_auth(self, _: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        found = self.door.account(username)
        known = found[0].password_hash if found else ""
        is_right = hmac.compare_digest(known or digest(""), digest(password)) and bool(known)
        if not is_right:
            self._fail()
        return is_right

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether an account has this key. A client asks this before it proves that it holds the key.

        It offers several keys until one fits, so only a flood of them counts as failures.
        """
        found = self.door.account(username)
        for text in found[0].keys if found else ():
            if asyncssh.import_public_key(text).public_data == key.public_data:
                return True
        self._fail()
        return False

    def auth_completed(self) -> None:
        """Enter the account whose password or key was proved, unless too many sessions of it are open."""
        self._arrived()
        if self._connection is None:
            return
        found = self.door.account(self._connection.get_extra_info("username"))
        count = self.door.sessions.get(found[0].name, 0) if found else 0
        if found is None or count >= SESSIONS_MAX:
            self._connection.abort()
            return
        self.folder = found
        self.door.sessions[found[0].name] = count + 1
        self.door.entered(self._address)

    def _fail(self) -> None:
        self.door.failed(self._address)
        if self.door.is_shut(self._address) and self._connection:
            _log.warning("an address was turned away after %d failed logins", FAILURES_MAX)
            self._connection.abort()
