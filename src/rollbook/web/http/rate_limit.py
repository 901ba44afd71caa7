"""The rate limit: each token has a fixed window, which its first request opens.

All workers of a server share the counts; over PostgreSQL all machines do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rollbook.errors import TooManyRequests
from rollbook.store.engine.shared_counters import SharedTable
from rollbook.store.engine.shared_counts import Block, SharedCounts

SLOTS = 1 << 14
# The most requests of a block, and the most that a machine holds of one window.
BLOCK_MAX, LEFT_MAX = 0xFFF, 0xFFFF
# By how much the clock of the database may be ahead of this machine's.
CLOCK_SECONDS = 5


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
    """Counts requests. With `limit` 0 it counts nothing and allows everything.

    With `counts`, other machines share the limit. This machine then takes requests of a token's window in blocks,
    which its workers share. The first block is one request. Each next one is twice the last, but at most a part of
    the rest (`shared_counts.PART`). So all machines together never admit more than the limit. They may refuse
    requests that another machine has taken and not used: at most as many as that machine has admitted.
    """

    def __init__(
        self,
        path: Path,
        limit: int,
        window_seconds: int,
        clock: Callable[[], float] = time.time,
        counts: SharedCounts | None = None,
        *,
        is_shared: bool = True,
    ) -> None:
        """`is_shared`: several workers count in the file."""
        self._table = SharedTable(path, SLOTS, is_shared=is_shared)
        self._limit = limit
        self._window_seconds = window_seconds
        self._clock = clock
        self._counts = counts

    def admit(self, bucket: str) -> tuple[tuple[bytes, bytes], ...]:
        """Count one request; the headers say how many are left. Errors: TooManyRequests, with the same headers."""
        allowance = self.take(bucket)
        return allowance.admitted() if allowance else ()

    def take(self, bucket: str) -> Allowance | None:
        """Count one request. None if there is no limit."""
        if not self._limit:
            return None
        if self._counts:
            return self._take_of_block(bucket, self._counts)
        end, used = self._table.change(bucket, self._count)
        return Allowance(self._limit, max(self._limit - used, -1), int(end))

    def _count(self, end: float, used: int) -> tuple[float, int]:
        return (end, used + 1) if self._is_open(end) else (self._clock() + self._window_seconds, 1)

    def _is_open(self, end: float) -> bool:
        now = self._clock()
        # A window that would end later than a new one is older than a change of the clock.
        return now < end <= now + self._window_seconds + CLOCK_SECONDS * bool(self._counts)

    def _take_of_block(self, bucket: str, counts: SharedCounts) -> Allowance:
        """Count one request of this machine's block; take the next block if none is left."""
        end, packed = self._table.read(bucket)
        while True:
            known = _Held.of(packed) if self._is_open(end) else _Held()
            if not known.left:
                if known.given >= self._limit:
                    return Allowance(self._limit, -1, int(end))
                block = counts.take(
                    bucket, min(2 * known.size or 1, BLOCK_MAX), self._limit, self._window_seconds
                )
                end, packed = self._table.change(bucket, partial(_with_block, block))
                if not block.size:
                    return Allowance(self._limit, -1, block.end)
            spent: list[_Held] = []
            end, packed = self._table.change(bucket, partial(self._spend, spent))
            if spent:
                remaining = self._limit - spent[0].given + spent[0].left
                return Allowance(self._limit, max(remaining, 0), int(end))

    def _spend(self, spent: list[_Held], end: float, packed: int) -> tuple[float, int]:
        """Take one request of the block, and note what is left; nothing if the block is empty."""
        held = _Held.of(packed)
        if self._is_open(end) and held.left:
            held = held._replace(left=held.left - 1)
            spent.append(held)
        return end, held.packed

    def uncounted(self) -> RateLimit:
        """A limit that counts nothing, over the same table: for reads by the server's own pages."""
        other = copy(self)
        other._limit = 0
        return other

    def close(self) -> None:
        self._table.close()


class _Held(NamedTuple):
    """What this machine holds of a window: requests left to admit, the size of its last block, and how many requests
    all machines had taken by then. It is one number of the shared table."""

    left: int = 0
    size: int = 0
    given: int = 0

    @staticmethod
    def of(packed: int) -> _Held:
        return _Held(packed & LEFT_MAX, packed >> 16 & 0xFFF, packed >> 28)

    @property
    def packed(self) -> int:
        return self.left | self.size << 16 | self.given << 28


def _with_block(block: Block, end: float, packed: int) -> tuple[float, int]:
    """This machine's entry with one more block; the entry of an earlier window is replaced."""
    held = _Held.of(packed) if int(end) == block.end else _Held()
    left, given = min(held.left + block.size, LEFT_MAX), max(held.given, block.given)
    return float(block.end), _Held(left, block.size, given).packed
