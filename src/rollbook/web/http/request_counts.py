"""The server's answers, counted by path, status and time, for `/metrics` and for the request log in JSON
lines.

A request costs a look-up and a few additions in its worker. Once a second, a thread writes each worker's
counts into its own file, and `/metrics` adds the files of all workers. A dead worker leaves its file, so no
count ever goes back.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS
from rollbook.contract.clever.versions import SPOKEN
from rollbook.web.http.first_ones import FirstOnes
from rollbook.web.http.kept_parts import HIDDEN, METHODS

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Note = Callable[[Message, Message, float], None]

# The limits of the classes of times, in seconds.
BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FLUSH_SECONDS: Final = 1.0
# How many requests a second the log lists, the first ones; the others are only counted.
LINES_MAX: Final = 500
OTHER: Final = "other"
# Pages whose paths are counted together.
FAMILIES: Final = ("docs", "static", "explorer", "log", "demo", "in")
_CLASSES = len(BOUNDS) + 1


def _rows() -> dict[tuple[str, str, int, str], str]:
    """The name of each path of the contract, by the parts that identify it: version, kind, length, last
    part."""
    found = {}
    for version in SPOKEN:
        for row in (*ENDPOINTS, *EVENTS):
            parts = f"/{version}{row.path}".split("/")
            found[version, parts[2], len(parts), parts[4] if len(parts) > 4 else ""] = "/".join(parts)
    return found


_ROWS = _rows()
_PLAIN = {
    "/": "/",
    "/me": "/me",
    "/openapi.json": "/openapi.json",
    "/v3.0/me": "/v3.0/me",
    "/v3.1/me": "/v3.1/me",
} | {row.path: row.path for row in SIGN_IN_OPERATIONS if "{" not in row.path}


def name_of(path: str) -> str:
    """The path's name in figures and logs: without ids, and `other` for a path that is unknown."""
    known = _PLAIN.get(path)
    if known is not None:
        return known
    parts = path.split("/", 5)
    length = len(parts)
    if length > 2:
        known = _ROWS.get((parts[1], parts[2], length, parts[4] if length > 4 else ""))
        if known is not None:
            return known
    return f"/{parts[1]}" if parts[1] in FAMILIES else OTHER


class RequestCounts:
    """The counts of one worker. `folder` holds those of all workers of this server."""

    def __init__(
        self, folder: Path | None, gauges: Callable[[], dict[str, float]], *, logs: bool = False
    ) -> None:
        self.folder, self._gauges, self._logs = folder, gauges, logs
        # (path, status) -> [requests of each class of time..., requests, seconds, bytes]
        self._counts: dict[tuple[str, int], list[float]] = {}
        self._lines: FirstOnes[str] = FirstOnes(LINES_MAX)
        self._is_roused = False
        self._wake, self._writing = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, scope: Message, send: Send, note: Note | None = None) -> Send:
        """A `send` that counts the request when its answer begins, and passes it to `note`."""
        begun = perf_counter()

        def counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                seconds = perf_counter() - begun
                self._count(scope, message, seconds)
                if note:
                    note(scope, message, seconds)
            return send(message)

        return counted

    def _count(self, scope: Message, start: Message, seconds: float) -> None:
        name, headers = name_of(scope["path"]), start["headers"]
        row = self._counts.get((name, start["status"]))
        if row is None:
            row = self._counts[name, start["status"]] = [0] * (_CLASSES + 3)
        row[bisect_left(BOUNDS, seconds)] += 1
        row[-3] += 1
        row[-2] += seconds
        size = _length(headers)
        row[-1] += size
        if not self._logs:
            pass
        elif self._lines.has_room:
            # Made at once: a second later, its parts would have left the processor's cache.
            self._lines.add(_line(scope["method"], name, start["status"], size, headers, seconds))
        else:
            self._lines.skip()
        if not self._is_roused:
            self._rouse()

    def _rouse(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="request counts", daemon=True)
            self._thread.start()
        self._is_roused = True
        self._wake.set()

    def _go_on(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(FLUSH_SECONDS)
            self._wake.clear()
            self._is_roused = False
            self.flush()

    def flush(self) -> None:
        """Write the counts for the other workers, and the lines of the log."""
        with self._writing:
            self._write_lines()
            if self.folder is None:
                return
            told = {
                "counts": [[*key, row] for key, row in list(self._counts.items())],
                "gauges": self._gauges(),
            }
            part = self.folder / f"{os.getpid()}.part"
            try:
                part.write_bytes(orjson.dumps(told))
                part.replace(self.folder / f"{os.getpid()}.json")
            except OSError:  # if the disk is full, the counts are lost, and requests go on
                part.unlink(missing_ok=True)

    def _write_lines(self) -> None:
        told, dropped = self._lines.take()
        if dropped > 0:
            told.append(f'{{"level":"info","logger":"rollbook.requests","dropped":{dropped}}}\n')
        if told:
            sys.stderr.write("".join(told))
            sys.stderr.flush()

    def totals(self) -> tuple[dict[tuple[str, int], list[float]], dict[str, float]]:
        """The counts and gauges of all workers, with this worker's current ones."""
        self.flush()
        if self.folder is None:
            return {key: [*row] for key, row in self._counts.items()}, self._gauges()
        return added(path for path in sorted(self.folder.glob("*.json")))


def added(files: Iterable[Path]) -> tuple[dict[tuple[str, int], list[float]], dict[str, float]]:
    """The sum of the workers' counts, and the gauges of running workers."""
    counts: dict[tuple[str, int], list[float]] = {}
    gauges: dict[str, float] = {}
    for path in files:
        try:
            told = orjson.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        for name, status, row in told["counts"]:
            before = counts.get((name, status), [0] * len(row))
            counts[name, status] = [old + new for old, new in zip(before, row, strict=True)]
        if _runs(path.stem):
            for name, value in told["gauges"].items():
                gauges[name] = gauges.get(name, 0) + value
            gauges["workers"] = gauges.get("workers", 0) + 1
    return counts, gauges


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _length(headers: Sequence[tuple[bytes, bytes]]) -> int:
    if headers and headers[-1][0] == b"content-length":
        return int(headers[-1][1])
    # The Data API announces the length last.
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def _line(
    method: str, path: str, status: int, size: int, headers: Sequence[tuple[bytes, bytes]], seconds: float
) -> str:
    """A request as JSON.

    It is built by hand, at a third of a library's cost: each value is a number, a word of ours, or an id that
    the server made.
    """
    request_id = next((value for name, value in headers if name == b"x-request-id"), b"")
    millisecond = int(time.time() * 1000)
    return (
        f'{{"at":"{_second(millisecond // 1000)}.{millisecond % 1000:03}Z","level":"info","logger":"rollbook.requests",'
        f'"request_id":"{request_id.decode("latin-1")}","method":"{method if method in METHODS else HIDDEN}",'
        f'"path":"{path}","status":{status},"bytes":{size},"ms":{seconds * 1000:.3f}}}\n'
    )


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
