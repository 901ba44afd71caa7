"""A small table that all workers of a server share: for each key, a number that expires.

It is a file that each worker maps into memory. Slots are found by hash. If all slots for a key are taken, the
entry that expires first gives way. So the table never fills up, and loses entries only under pressure. A
change locks the slots that its key can use, unless only one process uses the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from rollbook.settings import Settings, key_path

PROBES = 8
# The file of pulls is named like the key's file, with this ending.
SHARED = ".shared"
_SLOT = struct.Struct("<8sdQ")  # key, the Unix second at which it expires, the number
_PROBED = struct.Struct("<" + "8sdQ" * PROBES)
# How many places are cached: a busy server uses the same keys again and again. Dropping one of many costs more than it
# saves, because its memory is cold.
PLACES_MAX = 512

Entry = tuple[float, int]


class SharedTable:
    """Keys and their entries: (expires, number). A missing key has (0.0, 0).

    `is_shared`: other processes may use the file, too.
    """

    def __init__(self, path: Path, slots: int, *, is_shared: bool = True) -> None:
        size = slots * _SLOT.size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size < size:
            # Never shrink the file: another worker may have mapped it. Unwritten parts take no room on the
            # disk.
            os.ftruncate(self._file, size)
        self._table = mmap.mmap(self._file, size)
        self._slots = slots
        self._lock: Callable[..., object] = fcntl.lockf if is_shared else _lock_nothing
        # File locks belong to the process: they do not keep its own threads apart.
        self._changing = threading.Lock()

    def change(self, key: str, change: Callable[[float, int], Entry]) -> Entry:
        """Replace a key's entry by the result of `change`, so that no other worker sees it half-way; returns
        the new entry."""
        digest, first = _place(key, self._slots)
        span = (PROBES * _SLOT.size, first * _SLOT.size)
        with self._changing:
            self._lock(self._file, fcntl.LOCK_EX, *span)
            try:
                at, until, number = self._find(digest, first)
                until, number = change(until, number)
                _SLOT.pack_into(self._table, at, digest, until, number)
                return until, number
            finally:
                self._lock(self._file, fcntl.LOCK_UN, *span)

    def put(self, keys: Iterable[str], entry: Entry) -> None:
        """Give keys an entry, whatever they had. One lock of the whole table costs less than one for each key."""
        with self._changing:
            self._lock(self._file, fcntl.LOCK_EX)
            try:
                for key in keys:
                    digest, first = _place(key, self._slots)
                    at, _, _ = self._find(digest, first)
                    _SLOT.pack_into(self._table, at, digest, *entry)
            finally:
                self._lock(self._file, fcntl.LOCK_UN)

    def read(self, key: str) -> Entry:
        digest, first = _place(key, self._slots)
        _, until, number = self._find(digest, first)
        return until, number

    def _find(self, digest: bytes, first: int) -> tuple[int, float, int]:
        """The key's slot, or the slot that expires first, treated as empty: (position, expires, number)."""
        begin = first * _SLOT.size
        probed = self._table[
            begin : begin + _PROBED.size
        ]  # at once, so that no other worker changes it meanwhile
        at = probed.find(digest)
        while at >= 0:
            if at % _SLOT.size == 0:  # elsewhere the bytes stand by chance
                _, until, number = _SLOT.unpack_from(probed, at)
                return begin + at, until, number
            at = probed.find(digest, at + 1)
        untils = _PROBED.unpack(probed)[1::3]
        return begin + untils.index(min(untils)) * _SLOT.size, 0.0, 0

    def close(self) -> None:
        self._table.close()
        os.close(self._file)


def _lock_nothing(*_: int) -> None:
    """Instead of a lock of the file, which costs two calls of the system."""


@lru_cache(PLACES_MAX)
def _place(key: str, slots: int) -> tuple[bytes, int]:
    """A key's digest, and the first of the slots that it can use."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return digest, int.from_bytes(digest, "little") % (slots - PROBES)


def new_file() -> Path:
    """A new file for one server's table. Its workers share it, and the process that made it removes it."""
    handle, name = tempfile.mkstemp(prefix="rollbook-shared-")
    os.close(handle)
    return Path(name)


def lasting_file(settings: Settings) -> Path | None:
    """A file beside the server's key that outlives the server; None if it cannot be made."""
    key = key_path(settings)
    path = key.with_name(f"{key.name}{SHARED}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return None
    return path
