"""Folders in which runs work: each is locked while its owner lives, so that dead ones can be told apart and
removed.

A run may end by kill -9 or a power cut, and its folder holds pupils' records. A lock ends with its process in
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
    """A new folder of this process in `parent`, and gone at the end. Errors: OSError when none can be
    made."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(folder, _FOLDER)
        with suppress(OSError):  # a file system without locks: nobody can lock the folder to remove it either
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # another run may have taken it for a dead one before it was locked
            break
        os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_dead(parent: Path) -> int:
    """Remove the folders in `parent` whose owners are gone, and say how many; others' folders, and links, are
    left alone."""
    count = 0
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.startswith(PREFIX) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    count += _remove_if_dead(Path(entry.path))
    return count


def _remove_if_dead(folder: Path) -> bool:
    """Errors: OSError when the owner lives, or it is no folder."""
    lock = os.open(folder, _FOLDER)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
    return not folder.exists()


def parent_of(temporary: str) -> Path:
    """Where folders are made: in the setting `temporary`, or where the system keeps such files."""
    return Path(temporary or tempfile.gettempdir()).absolute()
