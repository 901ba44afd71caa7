"""A small table that all workers of a server share: for a key, a number that holds until a moment.

It is a file that each worker maps into memory. Slots are found by hash; when all that a key can use are
taken, the one that ends first gives way, so the table never fills up and forgets only under pressure. A
change locks the slots that its key can be in.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from rollbook.settings import Settings
from rollbook.store.engine.keys import key_path

PROBES = 8
# What the name of the file of pulls has behind the name of the key.
SHARED = ".shared"
_SLOT = struct.Struct("<8sdQ")  # key, the Unix second until which it holds, the number
_PROBED = struct.Struct("<" + "8sdQ" * PROBES)
# How many places are remembered: the keys of a busy server come again and again.
PLACES_MAX = 4_096

Entry = tuple[float, int]


class SharedTable:
    """Keys and their entries: (until, number); a key that is not there has (0.0, 0)."""

    def __init__(self, path: Path, slots: int) -> None:
        size = slots * _SLOT.size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size < size:
            # Never cut: another worker may have mapped it. What is not written takes no room on the disk.
            os.ftruncate(self._file, size)
        self._table = mmap.mmap(self._file, size)
        self._slots = slots
        # A file's locks are its process's: between threads they keep nobody out.
        self._changing = threading.Lock()

    def change(self, key: str, change: Callable[[float, int], Entry]) -> Entry:
        """Replace a key's entry by what `change` makes of it, seen by no other worker half-way; returns the
        new entry."""
        digest, first = _place(key, self._slots)
        span = (PROBES * _SLOT.size, first * _SLOT.size)
        with self._changing:
            fcntl.lockf(self._file, fcntl.LOCK_EX, *span)
            try:
                at, until, number = self._find(digest, first)
                until, number = change(until, number)
                _SLOT.pack_into(self._table, at, digest, until, number)
                return until, number
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, *span)

    def read(self, key: str) -> Entry:
        digest, first = _place(key, self._slots)
        _, until, number = self._find(digest, first)
        return until, number

    def _find(self, digest: bytes, first: int) -> tuple[int, float, int]:
        """The key's slot, or the one that ends first, as if it were empty: (position, until, number)."""
        begin = first * _SLOT.size
        probed = _PROBED.unpack_from(self._table, begin)
        if digest in (keys := probed[::3]):
            probe = keys.index(digest)
            return begin + probe * _SLOT.size, probed[3 * probe + 1], probed[3 * probe + 2]
        untils = probed[1::3]
        return begin + untils.index(min(untils)) * _SLOT.size, 0.0, 0

    def close(self) -> None:
        self._table.close()
        os.close(self._file)


@lru_cache(PLACES_MAX)
def _place(key: str, slots: int) -> tuple[bytes, int]:
    """A key's digest, and the first of the slots that it can be in."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return digest, int.from_bytes(digest, "little") % (slots - PROBES)


def new_file() -> Path:
    """A file for a table of one server, to be shared by its workers and removed by the one that made it."""
    handle, name = tempfile.mkstemp(prefix="rollbook-shared-")
    os.close(handle)
    return Path(name)


def lasting_file(settings: Settings) -> Path | None:
    """A file that outlives the server, beside its key; None where none can be made."""
    key = key_path(settings)
    path = key.with_name(f"{key.name}{SHARED}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return None
    return path
