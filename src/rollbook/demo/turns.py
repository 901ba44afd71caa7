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
        with serving(folder, "", ""):
            pass


def served_at(folder: Path) -> tuple[str, str]:
    """The address of the folder's demo, and `host:port` where it listens; two blanks if it was never served."""
    try:
        base, _, listening = (folder / SERVING).read_text("utf-8").partition("\n")
    except OSError:
        return "", ""
    return base, listening


@contextmanager
def serving(folder: Path, base: str, listening: str) -> Iterator[None]:
    """Note that this process serves the folder's demo at an address, until it ends.

    `listening` is `host:port`, which may have another host than the address. Errors: Refused, as above.
    """
    with (folder / SERVING).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"the demo in {folder} is served already, at {served_at(folder)[0] or 'another address'}; use that one,"
                " stop it, or make another demo with --folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{base}\n{listening}")
        lock.flush()
        yield
