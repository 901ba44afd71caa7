"""Which process may change a demo as a whole, and which one serves it: one at a time, by locks on files of
its folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollbook.demo.demo_folder import MOVING, SERVING
from rollbook.errors import Busy, Refused


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which also ends with the process. Errors: Busy."""
    with (folder / MOVING).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("the demo is being moved already; wait until that is done") from None
        yield


def check_not_served(folder: Path) -> None:
    """Errors: Refused while another process serves the folder's demo; the message names its address."""
    if (folder / SERVING).exists():
        with serving(folder, ""):
            pass


@contextmanager
def serving(folder: Path, base: str) -> Iterator[None]:
    """Note that this process serves the folder's demo at an address, until it ends.

    Errors: Refused, as above.
    """
    with (folder / SERVING).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Refused(
                f"the demo in {folder} is served already, at {lock.read() or 'another address'}; use that one,"
                " stop it, or make another demo with --folder"
            ) from None
        lock.truncate(0)
        lock.write(base)
        lock.flush()
        yield
