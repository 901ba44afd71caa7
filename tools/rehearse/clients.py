"""The clients of a rehearsal: applications that read all the time, and a sync that writes all the time."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATHS = ("/v3.0/users?limit=100", "/v3.0/sections?limit=100", "/v3.0/schools", "/v3.0/terms")
PAUSE_SECONDS = 0.05
TIMEOUT_SECONDS = 60
ROLLBOOK = Path(sys.executable).with_name("rollbook")


@dataclass
class Seen:
    """What the readers saw in one phase."""

    name: str
    seconds: list[float] = field(default_factory=list)
    told_to_wait: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        ordered = sorted(self.seconds) or [0.0]
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        figures = (statistics.median(ordered), p99, ordered[-1])
        return (
            self.name,
            str(len(self.seconds) + self.told_to_wait + len(self.failed)),
            str(self.told_to_wait),
            str(len(self.failed)),
            *(f"{1000 * figure:.0f}" for figure in figures),
        )


HEADINGS = ("phase", "requests", "503 with Retry-After", "failed", "p50 ms", "p99 ms", "longest ms")


class Readers:
    """Applications that send one request after another, on connections that stay open."""

    def __init__(self, port: int, token: str, count: int = 4) -> None:
        self.port, self.token = port, token
        self.phases: list[Seen] = []
        self.now = Seen("before")
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(at,)) for at in range(count)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[Seen]:
        seen = self.now = Seen(name)
        self.phases.append(seen)
        yield seen
        self.now = Seen("between")

    def _read(self, at: int) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._ends.is_set():
            seen, begun = self.now, time.monotonic()
            connection = connection or http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=TIMEOUT_SECONDS
            )
            at += 1
            try:
                connection.request(
                    "GET", PATHS[at % len(PATHS)], headers={"Authorization": f"Bearer {self.token}"}
                )
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                seen.failed.append(type(error).__name__)
                connection.close()
                connection = None
                time.sleep(PAUSE_SECONDS)
                continue
            if answer.status == 200 and "data" in json.loads(body):
                seen.seconds.append(time.monotonic() - begun)
            elif answer.status == 503 and answer.headers["Retry-After"]:
                seen.told_to_wait += 1
            else:
                seen.failed.append(str(answer.status))
            time.sleep(PAUSE_SECONDS)


@dataclass
class Writer:
    """A district whose files change all the time; each sync is a command, as at night."""

    database: str
    folder: Path
    environment: dict[str, str]
    # The time and number of each sync that was reported as committed.
    committed: list[tuple[float, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Writer:
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _write(self) -> None:
        at = 1
        while not self._ends.is_set():
            done = self.sync(at)
            if done.returncode == 0:
                self.committed.append((time.monotonic(), int(json.loads(done.stdout)["sync"])))
                at += 1
            else:
                self.refused.append(done.stderr.strip())

    def sync(self, at: int) -> subprocess.CompletedProcess[str]:
        files = self.folder / f"day-{at % 2}"
        return self.tell("sync", "Springfield", str(files), "--approve", "--json")

    def tell(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROLLBOOK, *arguments, "--database", self.database],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def lost(self) -> list[int]:
        """The syncs that were reported as committed, and are not in the history."""
        told = self.tell("history", "Springfield", "--json", "--last", "1000")
        runs = json.loads(told.stdout)
        found = {run["sync"] for run in (runs["runs"] if isinstance(runs, dict) else runs)}
        return [number for _, number in self.committed if number not in found]


def begin(database: str, folder: Path, environment: dict[str, str], students: int) -> tuple[Writer, str]:
    """A district with files of two days, synced once, and the token of an application that reads it."""
    writer = Writer(database, folder, environment)
    for day in (0, 1):
        target = [
            "generate",
            str(folder / f"day-{day}"),
            "--students",
            str(students),
            "--seed",
            "5",
            "--day",
            str(day),
        ]
        subprocess.run([ROLLBOOK, *target], check=True, capture_output=True, env=environment)
    for arguments in (
        ("district", "create", "Springfield"),
        ("application", "create", "Reader"),
    ):
        _done(writer.tell(*arguments))
    _done(writer.sync(0))
    told = json.loads(_done(writer.tell("connect", "Reader", "Springfield", "--json")))
    return writer, str(told["access_token"])


def _done(ended: subprocess.CompletedProcess[str]) -> str:
    if ended.returncode:
        raise SystemExit(f"{ended.args}: {ended.stderr or ended.stdout}")
    return ended.stdout
