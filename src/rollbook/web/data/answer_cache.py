"""Answers kept ready, encoded as their clients accept them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from isal import igzip

from rollbook.store.records.joined_rows import Pieces
from rollbook.web.http.answers import Header

VARY: Header = (b"vary", b"accept-encoding")
GZIP_LEVEL = 1
GZIP_FROM_BYTES = 1024
KEPT_ANSWER_BYTES_MAX = 512 * 1024
# The memory of a kept answer besides its body and its key; most answers are short.
ENTRY_BYTES = 512


class Ready(NamedTuple):
    """An answer kept ready, its body in pieces. `ends` are the first and last id of a page, or blank."""

    headers: tuple[Header, ...]
    pieces: Pieces
    ends: str


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

    def put(self, key: str, takes_gzip: bool, made: Ready) -> None:
        """Keep an answer, unless it is large."""
        if (size := _size(key, made)) > min(KEPT_ANSWER_BYTES_MAX, self._bytes_max):
            return
        with self._changing:
            replaced = self._answers.pop((key, takes_gzip), None)
            self._answers[key, takes_gzip] = made
            self._bytes += size - (_size(key, replaced) if replaced else 0)
            while self._bytes > self._bytes_max:
                (oldest, _), dropped = self._answers.popitem(last=False)
                self._bytes -= _size(oldest, dropped)


def _size(key: str, ready: Ready) -> int:
    return len(key) + sum(map(len, ready.pieces)) + ENTRY_BYTES


def encode(pieces: Pieces, takes_gzip: bool) -> tuple[Pieces, tuple[Header, ...]]:
    """A body as its client accepts it, and the headers that say so. A body too long to be kept stays in pieces."""
    size = sum(map(len, pieces))
    if takes_gzip and size >= GZIP_FROM_BYTES:
        compressed = igzip.compress(b"".join(pieces), GZIP_LEVEL)
        return (compressed,), (VARY, (b"content-encoding", b"gzip"))
    return pieces if size > KEPT_ANSWER_BYTES_MAX else (b"".join(pieces),), (VARY,)
