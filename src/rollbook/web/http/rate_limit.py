"""The rate limit: each token has a fixed window, which its first request opens.

All workers of a server share the counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import NamedTuple

from rollbook.errors import TooManyRequests
from rollbook.store.engine.shared_counters import SharedTable

SLOTS = 1 << 14


class Allowance(NamedTuple):
    """A token's remaining requests in this window (-1: the limit is exceeded), and the Unix second at which
    it ends."""

    limit: int
    remaining: int
    reset: int

    @property
    def is_exceeded(self) -> bool:
        return self.remaining < 0

    def admitted(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers. Errors: TooManyRequests, with the same headers."""
        if self.is_exceeded:
            raise TooManyRequests(self.headers)
        return self.headers

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return (
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(self.remaining, 0)),
            (b"x-ratelimit-reset", b"%d" % self.reset),
            (b"x-ratelimit-bucket", b"bearer"),
        )


class RateLimit:
    """Counts requests. With `limit` 0 it counts nothing and allows everything."""

    def __init__(
        self, path: Path, limit: int, window_seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = SharedTable(path, SLOTS)
        self._limit = limit
        self._window_seconds = window_seconds
        self._clock = clock

    def admit(self, bucket: str) -> tuple[tuple[bytes, bytes], ...]:
        """Count one request; the headers tell what is left. Errors: TooManyRequests, with the same headers."""
        allowance = self.take(bucket)
        return allowance.admitted() if allowance else ()

    def take(self, bucket: str) -> Allowance | None:
        """Count one request. None if there is no limit."""
        if not self._limit:
            return None
        end, used = self._table.change(bucket, self._count)
        return Allowance(self._limit, max(self._limit - used, -1), int(end))

    def _count(self, end: float, used: int) -> tuple[float, int]:
        now = self._clock()
        # A window that would end later than a new one is older than a change of the clock.
        is_open = now < end <= now + self._window_seconds
        return (end, used + 1) if is_open else (now + self._window_seconds, 1)

    def uncounted(self) -> RateLimit:
        """A limit that counts nothing, over the same table: for reads by the server's own pages."""
        other = copy(self)
        other._limit = 0
        return other

    def close(self) -> None:
        self._table.close()
