"""The rate limit: a fixed window for each token, opened by its first request, counted over all workers of a server.

The counters are a table in a file that the workers map into memory; a slot is locked while it is counted up.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SLOTS = 1 << 14
PROBES = 8
_SLOT = struct.Struct("<8sdQ")  # key, end of the window in Unix seconds, requests in it


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a token: requests in this window (-1: the limit is exceeded), and the Unix second of its end."""

    limit: int
    remaining: int
    reset: int

    @property
    def is_exceeded(self) -> bool:
        return self.remaining < 0


class RateLimit:
    """Counts requests; `limit` 0 counts nothing and allows everything."""

    def __init__(self, path: Path, limit: int, window_seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._clock = clock
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, SLOTS * _SLOT.size)
        self._table = mmap.mmap(self._file, SLOTS * _SLOT.size)

    def take(self, bucket: str) -> Allowance | None:
        """Count one request; None when there is no limit."""
        if not self._limit:
            return None
        key = hashlib.blake2b(bucket.encode(), digest_size=8).digest()
        first = int.from_bytes(key, "little") % SLOTS
        # One lock covers all slots that this key can be in, so that two workers never count past each other.
        span = (PROBES * _SLOT.size, first * _SLOT.size)
        fcntl.lockf(self._file, fcntl.LOCK_EX, *span)
        try:
            return self._count(key, first)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, *span)

    def _count(self, key: bytes, first: int) -> Allowance:
        now = self._clock()
        at, end, used = self._find(key, first)
        if end <= now:
            end, used = now + self._window_seconds, 0
        used += 1
        _SLOT.pack_into(self._table, at, key, end, used)
        return Allowance(self._limit, max(self._limit - used, -1), int(end))

    def _find(self, key: bytes, first: int) -> tuple[int, float, int]:
        """The key's slot, or the one whose window ends first: (position, end of window, requests)."""
        oldest, oldest_end = 0, float("inf")
        for probe in range(PROBES):
            at = min(first + probe, SLOTS - 1) * _SLOT.size
            found, end, used = _SLOT.unpack_from(self._table, at)
            if found == key:
                return at, end, used
            if end < oldest_end:
                oldest, oldest_end = at, end
        return oldest, 0.0, 0

    def close(self) -> None:
        self._table.close()
        os.close(self._file)


def new_table() -> Path:
    """A file for the counters of one server, to be shared by its workers and removed by the one that made it."""
    handle, name = tempfile.mkstemp(prefix="rollbook-limits-")
    os.close(handle)
    return Path(name)
