"""Temporary files of a test run are in memory, if the machine has plenty of it.

There a copy of a PostgreSQL database costs a tenth, because no disk notes its hundreds of files, and SQLite
waits for no disk.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
# A run of all tests fills two of them at most; the rest is for its programs and browsers.
ROOM_BYTES = 6 * 1024**3
# Everybody may make files in it, as in the usual folder: PostgreSQL and nginx run as users of their own.
_MODE = 0o1777


def use(memory: Path = SHARED_MEMORY) -> None:
    """Let this process, and all that it starts, make temporary files in memory.

    A folder that the environment names stays in use, and so does the usual one if memory is short.
    """
    if "TMPDIR" in os.environ or not _has_room(memory):
        return
    folder = memory / f"rollbook-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return  # another user made it
    folder.chmod(_MODE)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def _has_room(memory: Path) -> bool:
    """Whether so much memory is free, for files that are also programs: some tests build and run some."""
    try:
        disk = os.statvfs(memory)
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return False  # another system
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return not disk.f_flag & os.ST_NOEXEC and min(disk.f_bavail * disk.f_frsize, available) > ROOM_BYTES
