"""Who may change a demo as a whole, and who serves it: one process at a time, by locks on files of its folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollbook.demo.demo_folder import MOVING
from rollbook.errors import Busy


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it is let go of with the process, however that ends. Errors: Busy."""
    with (folder / MOVING).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("the demo is being moved already; wait until that is done") from None
        yield
