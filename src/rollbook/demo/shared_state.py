"""State that all workers of a demo, and commands beside them, share: the faults in force, and restores.

It is a small file that each process maps. A request reads two numbers of it, and reads more only if one of
them is set.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import orjson

from rollbook.errors import Refused
from rollbook.store.district.demo_faults import Rows

SIZE = 64 * 1024
# Until when requests wait for a restore, when the last restore ended (Unix seconds), and the length of the
# faults.
_HEAD = struct.Struct("<ddI")
# How long a restore that was killed keeps requests waiting.
RESTORE_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.002
_QUIET = bytes(4)


class SharedState:
    """The file of one demo, made if missing; without a path, a file of this process alone."""

    def __init__(self, path: Path | None) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if path else os.memfd_create("demo")
        if os.fstat(self._file).st_size < SIZE:
            os.ftruncate(self._file, SIZE)
        self._map = mmap.mmap(self._file, SIZE)
        self._changing = threading.Lock()

    # Faults ------------------------------------------------------------------------------------------

    @property
    def has_faults(self) -> bool:
        return self._map[16:20] != _QUIET

    def faults(self) -> Rows:
        with self._locked():
            return self._read()

    def change_faults(self, change: Callable[[Rows], Rows]) -> Rows:
        """Replace the faults by the result of `change`; no other process sees it half-way.

        Errors: Refused if they do not fit into the file.
        """
        with self._locked():
            rows = change(self._read())
            body = orjson.dumps(rows) if rows else b""
            if len(body) > SIZE - _HEAD.size:
                raise Refused("there are too many faults in force; remove some first")
            waits, restored, _ = _HEAD.unpack_from(self._map)
            self._map[_HEAD.size : _HEAD.size + len(body)] = body
            _HEAD.pack_into(self._map, 0, waits, restored, len(body))
            return rows

    def _read(self) -> Rows:
        _, _, length = _HEAD.unpack_from(self._map)
        found: Rows = orjson.loads(self._map[_HEAD.size : _HEAD.size + length]) if length else []
        return found

    # Restores ----------------------------------------------------------------------------------------

    @property
    def restored_at(self) -> float:
        """When the last restore ended, in Unix seconds; 0 before the first one."""
        return float(_HEAD.unpack_from(self._map)[1])

    async def let_in(self) -> None:
        """Return at once, or when the current restore has ended."""
        while (until := _HEAD.unpack_from(self._map)[0]) and until > time.time():
            await anyio.sleep(_POLL_SECONDS)

    @contextmanager
    def keeping_requests_waiting(self) -> Iterator[None]:
        """Let new requests of all workers wait; afterwards they see the restored demo."""
        self._note(time.time() + RESTORE_SECONDS_MAX, None)
        try:
            yield
        finally:
            self._note(0.0, time.time())

    def _note(self, waits_until: float, restored: float | None) -> None:
        with self._locked():
            _, before, length = _HEAD.unpack_from(self._map)
            _HEAD.pack_into(self._map, 0, waits_until, before if restored is None else restored, length)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A lock belongs to an opened file, which the threads of this process share.
        with self._changing:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        self._map.close()
        os.close(self._file)
