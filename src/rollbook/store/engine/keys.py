"""The server's key. It seals the secrets that must be shown again; all others are only hashed.

`/oauth/tokens` shows district tokens, so they are stored encrypted (Fernet: AES-128-CBC with HMAC-SHA-256),
beside a hash for look-up. The key has its own file, outside the database and its backups.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rollbook.errors import BadSetting
from rollbook.settings import Settings, key_path
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database

if TYPE_CHECKING:  # loaded with the first secret: a start need not wait for it
    from cryptography.fernet import Fernet

# The beginning of a value that is sealed for one purpose.
BOUND = "p1."
# The length of a key, in bytes.
KEY_BYTES = 32
# The fact that holds the mark of the database's key, and the tables whose rows need the key.
MARK = "key_mark"
NEED_KEY = ("connections", "providers", "signing_keys", "credentials", "operators", "subscriptions")


def digest(secret: str) -> str:
    """The hash of a secret with at least 128 random bits. It needs no slow hash (RFC 6819, 5.1.4.1.3)."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Sealer:
    """Seals and opens secrets with the server's key.

    `known` is the mark of the key that the database was used with. If there is one, no other key is accepted
    and no new key is made: the new key could not open the sealed tokens, and every password would look
    changed. A key is kept in memory once it was read.
    """

    def __init__(self, path: Path, known: str | None = None) -> None:
        self._path = path
        self._known = known
        self._bytes: bytes | None = None

    def seal(self, secret: str, purpose: str) -> str:
        """Seal a secret for one place, which `purpose` names: sealed for another place, it cannot be opened there."""
        return BOUND + self._key(purpose).encrypt(secret.encode()).decode()

    def open(self, sealed: str, purpose: str, *, seconds: int | None = None) -> str:
        """Open a secret that was sealed for this purpose; at most `seconds` ago, if given.

        Stored values of earlier versions have no purpose, and are still read. Errors: BadSetting if it was sealed with
        another key or for another purpose.
        """
        is_bound = sealed.startswith(BOUND)
        if self._bytes is None and not self.is_there:
            # A new key would open nothing, and would be in the way when the old key is put back.
            raise _missing(self._path)
        # A value that lives for minutes comes from this version, or the person begins again.
        key = self._key(purpose if is_bound or seconds is not None else None)
        try:
            return key.decrypt(sealed.removeprefix(BOUND).encode(), ttl=seconds).decode()
        except import_module("cryptography.fernet").InvalidToken:
            raise BadSetting(
                f"key_file: {self._path} is not the key with which the stored tokens were sealed"
            ) from None

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose; it reveals nothing about the server's key or about other purposes' keys."""
        return _derived(self._raw(), purpose)

    @property
    def is_there(self) -> bool:
        return self._path.exists()

    def mark(self) -> str:
        """The key's mark, which reveals nothing about the key."""
        return self.derive("mark").hex()

    def hold(self) -> Sealer:
        """Read the key now, if there is one: the server then works on if the file vanishes.

        A wrong key is reported when it is needed.
        """
        if self.is_there:
            with suppress(BadSetting):
                self._raw()
        return self

    def _key(self, purpose: str | None) -> Fernet:
        """The key of a purpose; of None: that of earlier versions."""
        raw = self._raw()
        key = raw if purpose is None else urlsafe_b64encode(_derived(raw, f"sealed {purpose}"))
        made: Fernet = import_module("cryptography.fernet").Fernet(key)
        return made

    def _raw(self) -> bytes:
        if self._bytes is None:
            self._bytes = self._read_known(self._known) if self._known else _read_or_make(self._path)
        return self._bytes

    def _read_known(self, known: str) -> bytes:
        if not self.is_there:
            raise _missing(self._path)
        key = _read(self._path)
        if not hmac.compare_digest(known, _derived(key, "mark").hex()):
            raise BadSetting(f"key_file: {self._path} is not the key that the database was used with")
        return key


def sealer(database: Database, settings: Settings) -> Sealer:
    """The sealer of a database; it accepts only the key that the database was used with."""
    with database.read() as transaction:
        return Sealer(key_path(settings), server_values.read(transaction, MARK))


def settle(database: Database, settings: Settings) -> None:
    """Bind a database to its key at first use. A key is made only for a database in which nothing needs one.

    Errors: BadSetting for another key, or for a missing key if the database was used with one.
    """
    with database.read() as transaction:
        known = server_values.read(transaction, MARK)
        needs_key = any(transaction.row(f"SELECT 1 FROM {table} LIMIT 1") for table in NEED_KEY)
    if known and not settings.key_lost:
        Sealer(key_path(settings), known).mark()
        return
    own = Sealer(key_path(settings))
    if needs_key and not own.is_there and not settings.key_lost:
        raise _missing(key_path(settings))
    if (mark := own.mark()) != known:
        with database.write() as transaction:
            server_values.write(transaction, MARK, mark)


def _missing(path: Path) -> BadSetting:
    return BadSetting(
        f"key_file: {path} is not there; the database was used with one. Put the key back from its copy; if it is lost for good,"
        " set ROLLBOOK_KEY_LOST=yes once"
    )


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"rollbook {purpose}".encode(), "sha256")


def new() -> bytes:
    return urlsafe_b64encode(os.urandom(KEY_BYTES))


def place(path: Path, key: bytes) -> None:
    """Write a new key file at once as a whole; an existing key stays. Errors: BadSetting."""
    try:
        handle, name = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)  # readable by its owner only
        with os.fdopen(handle, "wb") as file:
            file.write(key)
        try:
            os.link(name, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(name)
    except OSError as error:
        raise BadSetting(f"key_file: {path} cannot be written: {error.strerror}") from None


def _read_or_make(path: Path) -> bytes:
    """The key in the file. If two programs start at once, both use the key of the first."""
    if not path.exists():
        place(path, new())
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
        if len(urlsafe_b64decode(key)) != KEY_BYTES:
            raise ValueError(f"a key is {KEY_BYTES} bytes in url-safe base64")
    except (OSError, ValueError) as error:
        raise BadSetting(f"key_file: {path} holds no key: {error}") from None
    return key
