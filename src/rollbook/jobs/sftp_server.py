"""The SFTP server: one account for each district, which sees only the files of its drop folder.

An account writes, reads, renames and deletes files in one flat folder. It cannot make links or folders, or
set times: with a false time, the rule `quiet` would take half an upload as complete. There is no shell and no
forwarding.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rollbook.domain.school_days import Schedule
from rollbook.errors import BadSetting, RollbookError
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer, digest
from rollbook.store.work import schedules, sftp_accounts
from rollbook.store.work.sftp_accounts import Account

# Failed logins from one address before it is refused, and for how long they count.
FAILURES_MAX, FAILURE_SECONDS = 20, 600.0
LOGIN_SECONDS = 30
# How many connections may be open before their login, in all and of one address.
LOGINS_MAX, LOGINS_ADDRESS_MAX = 200, 20
# How many sessions one account may have at once.
SESSIONS_MAX = 8
_ADDRESSES_MAX = 10_000
# The largest file, as for all files of a zip file; and how much of the disk uploads leave free, as the database may
# need it.
FILE_BYTES_MAX, FREE_BYTES_MIN = 16 * 1024**3, 512 * 1024**2

_log = logging.getLogger(__name__)


class Door:
    """Who may enter: the accounts of the database, without addresses that failed too often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures: dict[str, tuple[int, float]] = {}
        self.sessions: dict[str, int] = {}
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
            with self._database.read() as connection:
                account = sftp_accounts.by_name(connection, name)
                found = schedules.find(connection, account.district) if account else None
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
        self._door, self._address = door, ""
        self._is_arriving = False
        self.folder: tuple[Account, Schedule] | None = None
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        peer = conn.get_extra_info("peername")
        self._connection, self._address = conn, peer[0] if peer else ""
        self._is_arriving = self._door.arrive(self._address)
        if not self._is_arriving:
            conn.abort()

    def _arrived(self) -> None:
        if self._is_arriving:
            self._is_arriving = False
            self._door.leave(self._address)

    def connection_lost(self, _: Exception | None) -> None:
        self._arrived()
        if self.folder:
            self._door.sessions[self.folder[0].name] -= 1

    def begin_auth(self, _: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        found = self._door.account(username)
        known = found[0].password_hash if found else ""
        is_right = hmac.compare_digest(known or digest(""), digest(password)) and bool(known)
        if not is_right:
            self._fail()
        return is_right

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether an account has this key. A client asks this before it proves that it holds the key.

        It offers several keys until one fits, so only a flood of them counts as failures.
        """
        found = self._door.account(username)
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
        found = self._door.account(self._connection.get_extra_info("username"))
        count = self._door.sessions.get(found[0].name, 0) if found else 0
        if found is None or count >= SESSIONS_MAX:
            self._connection.abort()
            return
        self.folder = found
        self._door.sessions[found[0].name] = count + 1
        self._door.entered(self._address)

    def _fail(self) -> None:
        self._door.failed(self._address)
        if self._door.is_shut(self._address) and self._connection:
            _log.warning("an address was turned away after %d failed logins", FAILURES_MAX)
            self._connection.abort()


class DropFolder(asyncssh.SFTPServer):
    """The files of one drop folder, as an account sees them."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        login = chan.get_connection().get_owner()
        if not isinstance(login, Login) or login.folder is None:
            raise asyncssh.SFTPPermissionDenied("no account")
        _, self._schedule = login.folder
        self._folder = os.fsencode(self._schedule.folder)
        # Files that were written, and those that the client itself has closed.
        self._written: set[bytes] = set()
        self._closed: set[bytes] = set()
        # The names of files that lack a part, because a write failed.
        self._broken: set[bytes] = set()
        super().__init__(chan, chroot=self._folder)

    def map_path(self, path: bytes) -> bytes:
        """A file of the folder; there are no subfolders, and hidden names are refused."""
        name = os.path.normpath(b"/" + path).lstrip(b"/")
        if b"/" in name or name.startswith(b".") or b"\0" in name:
            raise asyncssh.SFTPNoSuchFile("expected the name of a file in the folder /")
        return os.path.join(self._folder, name) if name else self._folder

    def open(self, path: bytes, pflags: int, _: asyncssh.SFTPAttrs) -> object:
        local = self.map_path(path)
        writes = bool(pflags & asyncssh.FXF_WRITE)
        flags = os.O_NOFOLLOW | (os.O_RDWR if writes else os.O_RDONLY)
        for wanted, flag in (
            (asyncssh.FXF_CREAT, os.O_CREAT),
            (asyncssh.FXF_TRUNC, os.O_TRUNC),
            (asyncssh.FXF_EXCL, os.O_EXCL),
        ):
            flags |= flag if pflags & wanted else 0
        if writes:
            self._written.add(local)
            self._closed.discard(local)
            if pflags & asyncssh.FXF_TRUNC:
                self._broken.discard(os.path.basename(local))
        return os.fdopen(os.open(local, flags, 0o600), "r+b" if writes else "rb", buffering=0)

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        """Write all of the data, or fail: a part of it would leave a gap, of which nobody is told."""
        try:
            _check_size(offset + len(data))
            disk = os.fstatvfs(file_obj.fileno())
            if disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN:
                raise asyncssh.SFTPFailure("the disk of the server is nearly full")
            left = memoryview(data)
            while left:
                done = os.pwrite(file_obj.fileno(), left, offset)
                left, offset = left[done:], offset + done
        except (OSError, asyncssh.SFTPError):
            self._broken.add(os.path.basename(_path(file_obj)))
            raise
        return len(data)

    def close(self, file_obj: Any) -> None:
        name = _path(file_obj)
        file_obj.close()
        # A session that ends closes its open files, and calls `exit` before the loop continues. The client
        # did not close these files, so they are half an upload.
        asyncio.get_running_loop().call_soon(self._closed.add, name)

    def exit(self) -> None:
        folder = os.path.realpath(self._folder)
        left = {os.path.join(folder, os.path.basename(name)) for name in self._written}
        closed = {os.path.join(folder, os.path.basename(name)) for name in self._closed}
        if self._schedule.rule == "closed" and left and left <= closed and not self._broken:
            Path(self._schedule.folder, self._schedule.marker).touch()

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for entry in sorted(os.scandir(self.map_path(path)), key=lambda each: each.name):
            name = os.fsencode(entry.name)
            if entry.is_file(follow_symlinks=False) and not name.startswith(b"."):
                yield asyncssh.SFTPName(
                    name, attrs=asyncssh.SFTPAttrs.from_local(entry.stat(follow_symlinks=False))
                )

    def stat(self, path: bytes) -> os.stat_result:
        return os.lstat(self.map_path(path))

    def lstat(self, path: bytes) -> os.stat_result:
        return self.stat(path)

    def fsetstat(self, file_obj: Any, attrs: asyncssh.SFTPAttrs) -> None:
        if attrs.size is not None:
            _check_size(attrs.size)
            os.ftruncate(file_obj.fileno(), attrs.size)

    def setstat(self, path: bytes, _: asyncssh.SFTPAttrs) -> None:
        self.map_path(path)

    def lsetstat(self, path: bytes, _: asyncssh.SFTPAttrs) -> None:
        self.map_path(path)

    def _never(self, *_: object) -> None:
        raise asyncssh.SFTPPermissionDenied(
            "an account writes files into one folder, and no links or folders"
        )

    symlink = link = mkdir = rmdir = readlink = _never  # type: ignore[assignment]


def _path(file_obj: Any) -> bytes:
    return os.fsencode(os.readlink(f"/proc/self/fd/{file_obj.fileno()}"))


def _check_size(size: int) -> None:
    """Errors: SFTPFailure. A size costs nothing to name, and a sync would read all of it."""
    if size > FILE_BYTES_MAX:
        raise asyncssh.SFTPFailure(f"a file has at most {FILE_BYTES_MAX:,} bytes")


async def listen(database: Database, sealer: Sealer, host: str, port: int) -> asyncssh.SSHAcceptor:
    """Begin to serve. Errors: BadSetting if the server cannot listen on the address."""
    door = Door(database)
    asyncssh.set_log_level(logging.ERROR)
    try:
        return await asyncssh.create_server(
            lambda: Login(door),
            host,
            port,
            server_host_keys=[host_key(sealer)],
            sftp_factory=DropFolder,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=60,
            keepalive_count_max=3,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            compression_algs=None,
            server_version="Rollbook",
        )
    except OSError as error:
        raise BadSetting(
            f"port {port} on {host} cannot be used: {error.strerror}; choose another one with --port"
        ) from None


def host_key(sealer: Sealer) -> asyncssh.SSHKey:
    """The key by which clients know the server.

    It follows from the server's key, so all machines have the same one.
    """
    drawn = Ed25519PrivateKey.from_private_bytes(sealer.derive("sftp host key"))
    return asyncssh.import_private_key(
        drawn.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    )
