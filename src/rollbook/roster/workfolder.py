"""Folders for runs: each is locked while its process lives, so that abandoned folders can be found and
removed.

A run may end by kill -9 or a power cut, and its folder holds student data. A lock ends with its process in
any case.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "rollbook-work-"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def made(parent: Path) -> Iterator[Path]:
    """A new folder of this process in `parent`, removed at the end. Errors: OSError if it cannot be made."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            lock = os.open(folder, _FOLDER)
        except FileNotFoundError:  # another run has removed it as abandoned before it was opened
            continue
        # a file system without locks: no process can lock the folder to remove it, either
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # the same, before it was locked
            break
        os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_dead(parent: Path) -> int:
    """Remove abandoned folders in `parent`, and return how many.

    Folders of living processes, and links, stay.
    """
    count = 0
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.startswith(PREFIX) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    count += _remove_if_dead(Path(entry.path))
    return count


def _remove_if_dead(folder: Path) -> bool:
    """Remove a folder if its process is gone.

    Errors: OSError if the process lives, or if it is not a folder.
    """
    lock = os.open(folder, _FOLDER)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
    return not folder.exists()


def parent_of(temporary: str) -> Path:
    """Where folders are made: in the setting `temporary`, else in the system's folder for temporary files."""
    return Path(temporary or tempfile.gettempdir()).absolute()
