"""Which process may make a demo, change it as a whole, and serve it: one at a time, by locks on its folder and on
files in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rollbook.demo import demo_folder
from rollbook.demo.demo_folder import MOVING, SERVING
from rollbook.errors import Busy, Refused, RollbookError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which also ends with the process. Errors: Busy."""
    with (folder / MOVING).open("a") as lock:
        _lock(lock, Busy("the demo is being moved already; wait until that is done"))
        yield


@contextmanager
def making(folder: Path) -> Iterator[None]:
    """Hold the folder itself while a demo is made in it; a missing folder is made.

    The process that makes the demo inherits the lock. Errors: Busy; Refused if there can be no such folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise demo_folder.unusable(folder, error) from None
    try:
        taken = f"another process makes a demo in {folder}; wait until that is done, or choose another folder with"
        _lock(held, Busy(f"{taken} --folder"))
        yield
    finally:
        os.close(held)


def _lock(file: int | IO[str], taken: RollbookError) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise taken from None


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
        at = served_at(folder)[0] or "another address"
        taken = f"the demo in {folder} is served already, at {at}; use that one, stop it, or make another demo with"
        _lock(lock, Refused(f"{taken} --folder"))
        lock.truncate(0)
        lock.write(f"{base}\n{listening}")
        lock.flush()
        yield
