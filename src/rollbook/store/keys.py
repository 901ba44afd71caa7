"""The server's key, and what is done with it: secrets that must be shown again are sealed, all others only hashed.

District tokens stand in the answer of `/oauth/tokens`, so they are kept encrypted (Fernet: AES-128-CBC with HMAC-SHA-256)
beside a hash for look-up. The key lives in a file of its own, outside the database and its backups.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from rollbook.errors import BadSetting
from rollbook.settings import Settings


def digest(secret: str) -> str:
    """Hash of a secret with at least 128 random bits; such a secret needs no slow hash (RFC 6819, 5.1.4.1.3)."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Sealer:
    """Seals and opens secrets under the server's key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes: bytes | None = None
        self._fernet: Fernet | None = None

    def seal(self, secret: str) -> str:
        return self._key().encrypt(secret.encode()).decode()

    def open(self, sealed: str, *, seconds: int | None = None) -> str:
        """What was sealed, not longer than `seconds` ago. Errors: BadSetting when the key is not the one it was sealed with."""
        if self._bytes is None and not self._path.exists():
            # A new key would open nothing, and would stand in the way of the old one's return.
            raise BadSetting(f"key_file: {self._path} is not there; the stored tokens were sealed with it")
        try:
            return self._key().decrypt(sealed.encode(), ttl=seconds).decode()
        except InvalidToken:
            raise BadSetting(f"key_file: {self._path} is not the key with which the stored tokens were sealed") from None

    def derive(self, purpose: str) -> bytes:
        """A key of its own for each purpose, which tells nothing about the server's key or about another purpose's."""
        return hmac.digest(self._raw(), f"rollbook {purpose}".encode(), "sha256")

    @property
    def is_there(self) -> bool:
        return self._path.exists()

    def check(self, known: str | None) -> str | None:
        """The key's own mark, which tells nothing of it; None while there is no key yet.

        `known` is the mark of the key that a database was used with. Errors: BadSetting for another key: what is sealed could not
        be opened, and every password would be taken for a new one.
        """
        if known and not self.is_there:
            raise BadSetting(f"key_file: {self._path} is not there; the database was used with one")
        if not self.is_there:
            return None
        mark = self.derive("mark").hex()
        if known and not hmac.compare_digest(known, mark):
            raise BadSetting(f"key_file: {self._path} is not the key that the database was used with")
        return mark

    def _key(self) -> Fernet:
        if self._fernet is None:
            self._fernet = Fernet(self._raw())
        return self._fernet

    def _raw(self) -> bytes:
        if self._bytes is None:
            self._bytes = _read_or_make(self._path)
        return self._bytes


def key_path(settings: Settings) -> Path:
    if settings.key_file:
        return Path(settings.key_file)
    if "://" in settings.database:
        return Path("rollbook.key")
    return Path(settings.database + ".key")


def new() -> bytes:
    return Fernet.generate_key()


def place(path: Path, key: bytes) -> None:
    """Write a new key, which appears whole; a key that is there already stays. Errors: BadSetting."""
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
    """The key in the file; of two programs that begin at once one takes the other's."""
    if not path.exists():
        place(path, new())
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
        Fernet(key)
    except (OSError, ValueError) as error:
        raise BadSetting(f"key_file: {path} holds no key: {error}") from None
    return key
