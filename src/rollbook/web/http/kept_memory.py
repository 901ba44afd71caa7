"""Keep the memory of long answers in the process, for the next long answer."""

from __future__ import annotations

import ctypes

# Of glibc's `malloc.h`.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# How much free memory a process keeps, and from which size a text gets memory of its own, which goes back at once.
# A page of 10,000 records is a text of 7 MB, and SQLite makes it in 8 MB.
KEPT_BYTES = 64 * 1024 * 1024
ALONE_FROM_BYTES = 32 * 1024 * 1024


def keep_memory() -> None:
    """Keep freed memory, which by default goes back to the system after each long answer.

    The next answer would get it again page by page, and the system clears each page. Other C libraries than glibc
    have no such setting.
    """
    if setting := getattr(ctypes.CDLL(None), "mallopt", None):
        setting(_TRIM_THRESHOLD, KEPT_BYTES)
        setting(_MMAP_THRESHOLD, ALONE_FROM_BYTES)
