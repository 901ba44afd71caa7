"""Answers kept ready, encoded as their clients accept them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from isal import igzip

from rollbook.contract.clever.query import Cursor
from rollbook.web.http.answers import Header

VARY: Header = (b"vary", b"accept-encoding")
GZIP_LEVEL = 1
GZIP_FROM_BYTES = 1024
KEPT_ANSWER_BYTES_MAX = 512 * 1024
# The memory of a kept answer besides its body; most answers are short.
ENTRY_BYTES = 512

Cursors = tuple[Cursor, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer kept ready, with the cursors of its links.

    It has only the cursors, without `body`, if the answer is large or its client already holds it.
    """

    body: bytes | None
    headers: tuple[Header, ...]
    cursors: Cursors

    @property
    def size(self) -> int:
        return len(self.body or b"") + ENTRY_BYTES


class Kept:
    """Answers kept ready; the least recently used are dropped first. It may be used by several threads."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._answers: OrderedDict[tuple[str, bool], Ready] = OrderedDict()
        self._changing = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        """How many answers are kept, and how many bytes they take."""
        return len(self._answers), self._bytes

    def get(self, key: str, takes_gzip: bool) -> Ready | None:
        with self._changing:
            found = self._answers.get((key, takes_gzip))
            if found is not None:
                self._answers.move_to_end((key, takes_gzip))
            return found

    def put(self, key: str, body: bytes | None, takes_gzip: bool, cursors: Cursors = ()) -> Ready:
        """Encode an answer as the client accepts it, and keep it; of a large answer, keep only the
        cursors."""
        made = Ready(None, (), cursors) if body is None else Ready(*encode(body, takes_gzip), cursors)
        if self._bytes_max >= ENTRY_BYTES:
            is_small = made.size <= min(KEPT_ANSWER_BYTES_MAX, self._bytes_max)
            kept = made if is_small else Ready(None, made.headers, cursors)
            with self._changing:
                replaced = self._answers.pop((key, takes_gzip), None)
                self._answers[key, takes_gzip] = kept
                self._bytes += kept.size - (replaced.size if replaced else 0)
                while self._bytes > self._bytes_max:
                    self._bytes -= self._answers.popitem(last=False)[1].size
        return made


def encode(body: bytes, takes_gzip: bool) -> tuple[bytes, tuple[Header, ...]]:
    """A body as its client accepts it, and the headers that say so."""
    if not takes_gzip or len(body) < GZIP_FROM_BYTES:
        return body, (VARY,)
    compressed = igzip.compress(body, GZIP_LEVEL)
    return compressed, (VARY, (b"content-encoding", b"gzip"))
