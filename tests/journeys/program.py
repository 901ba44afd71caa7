"""The program itself, as a process: commands that end, and servers that run until they are stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests import log_sweep
from tests.journeys import starter

PROGRAM = (sys.executable, "-m", "rollbook")
TIMEOUT_SECONDS = 120


def environment(**settings: object) -> dict[str, str]:
    """The environment of this test run with its own settings, without any from outside.

    `tmpdir` is not a setting: it is the system's folder for temporary files.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("ROLLBOOK_")}
    place = {"TMPDIR": str(settings.pop("tmpdir"))} if "tmpdir" in settings else {}
    own = {f"ROLLBOOK_{name.upper()}": str(value) for name, value in settings.items()}
    return {**outside, "PYTHONUNBUFFERED": "1", **place, **own}


def run(*arguments: str | Path, folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder."""
    given = environment(**settings)
    if starter.is_alike(given):
        return _forked([*map(str, arguments)], folder, given)
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=given,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _forked(arguments: list[str], folder: Path, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = starter.Process(arguments, folder, given, out=out.fileno(), errors=errors.fileno())
        try:
            code = process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        printed = []
        for file in (out, errors):
            file.seek(0)
            printed.append(file.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess([*PROGRAM, *arguments], code, *printed)


def done(*arguments: str | Path, folder: Path, **settings: object) -> str:
    """The output of a command that must succeed."""
    outcome = run(*arguments, folder=folder, **settings)
    assert (outcome.returncode, outcome.stderr) == (0, ""), outcome
    return outcome.stdout


def free_port() -> int:
    """A free port."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str] | starter.Process, base: str) -> None:
        self.process, self.base = process, base
        self._lines: list[str] = []
        self._has_printed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line)
            self._has_printed.set()
        self._has_printed.set()

    def printed_at_once(self) -> str:
        """Its first line, or its output if it has ended."""
        self._has_printed.wait(TIMEOUT_SECONDS)
        return self.printed

    def printed_line(self, beginning: str) -> str:
        """The first line with this beginning; if none comes, the test fails with the output."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in [*self._lines]:
                if line.startswith(beginning) and line.endswith("\n"):
                    return line
            self._reader.join(0.05)
        raise AssertionError(f"no line {beginning!r}; the server printed: {self.printed}")

    @property
    def printed(self) -> str:
        return "".join(self._lines)

    def wait_until_it_answers(
        self, path: str = "/openapi.json", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The first answer with status 200; if none comes, the test fails with the output."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                answer = httpx.get(self.base + path, headers=headers or {})
            except httpx.TransportError:
                self._reader.join(0.05)  # until it listens
                continue
            if answer.status_code == 200:
                return answer
        raise AssertionError(f"no answer; the server printed: {self.printed}")

    def stop(self) -> None:
        """Interrupt it, as a person at the keyboard would, and wait until it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()
        log_sweep.look_at(self.printed)


@contextmanager
def serving(
    *arguments: str | int | Path, folder: Path, port: int | None = None, wait: bool = True, **settings: object
) -> Iterator[Server]:
    """A command that serves, such as `serve` or `demo`, on a free port until the end of the block.

    With `wait`, it is ready.
    """
    server = _start(arguments, folder, port or free_port(), settings)
    try:
        if port is None and "cannot be used" in server.printed_at_once():
            server.stop()
            server = _start(arguments, folder, free_port(), settings)  # another process took the port
        if wait:
            server.wait_until_it_answers()
        yield server
    finally:
        server.stop()


def _start(
    arguments: tuple[str | int | Path, ...], folder: Path, port: int, settings: Mapping[str, object]
) -> Server:
    line, given = [*map(str, arguments), "--port", str(port)], environment(**settings)
    base = f"http://127.0.0.1:{port}"
    # A server of several processes starts them as interpreters of their own, by the line that it was started with.
    if "--workers" not in line and starter.is_alike(given):
        read, write = os.pipe()
        forked = starter.Process(line, folder, given, out=write, errors=write, has_session=True)
        os.close(write)
        forked.stdout = os.fdopen(read, encoding="utf-8", errors="replace")
        return Server(forked, base)
    process = subprocess.Popen(
        [*PROGRAM, *line],
        cwd=folder,
        env=given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    return Server(process, base)
