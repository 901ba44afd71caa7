"""Read files by their open descriptors, not by name: a name may point elsewhere a moment later, an open file
cannot.

Where the system shows a process its open files (`/proc/self/fd`), they are read from there. Elsewhere names
are used, and `files` compares before and after what they point to.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Final

OPEN_FILES: Final = Path("/proc/self/fd")
LINKS_MAX: Final = 16
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LeadsOut(Exception):
    """A link points outside its folder."""


def open_within(folder: Path, name: str) -> int:
    """Open a file of a folder. Links are followed only inside the folder, and each is checked as it is
    opened.

    Errors: LeadsOut; OSError if there is no such file or it may not be read.
    """
    with ExitStack() as opened:
        root = _open(opened, folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        above, ahead, links = [root], [name], 0
        while True:
            if not ahead:  # a link to `.`
                return os.dup(above[-1])
            part = ahead.pop(0)
            if part == "..":
                above.pop()
                if not above or not ahead:
                    raise LeadsOut
                continue
            try:
                here = _open(opened, part, _READ | (os.O_DIRECTORY if ahead else 0), above[-1])
            except OSError as error:
                links += 1
                if error.errno not in (errno.ELOOP, errno.ENOTDIR) or links > LINKS_MAX:
                    raise
                target = _target(folder, part, above[-1])
                above = [root] if target.is_absolute() else above
                ahead = [*(part for part in target.parts if part != target.anchor), *ahead]
                continue
            if not ahead:
                return os.dup(here)
            above.append(here)


def _open(opened: ExitStack, path: Path | str, flags: int, folder: int | None = None) -> int:
    descriptor = os.open(path, flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor


def _target(folder: Path, name: str, at: int) -> PurePath:
    """Where a link points; an absolute one is relative to the folder."""
    target = PurePath(os.readlink(name, dir_fd=at))
    if not target.is_absolute():
        return target
    for root in (folder.absolute(), folder.resolve()):
        if root in target.parents:
            return PurePath("/", target.relative_to(root))
    raise LeadsOut


def path_of(descriptor: int, name: Path) -> Path:
    """A path to the open file; its name, if the system has no other path."""
    return OPEN_FILES / str(descriptor) if OPEN_FILES.is_dir() else name


def scratch(folder: Path, name: str, opened: ExitStack) -> Path:
    """A path to a new file, which loses its name at once if possible, so a killed run leaves no copy of a
    district's file.

    The space is free again when `opened` ends.
    """
    path = folder / name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, descriptor)
    shown = path_of(descriptor, path)
    if shown == path:
        opened.callback(path.unlink, missing_ok=True)
    else:
        path.unlink()
    return shown
