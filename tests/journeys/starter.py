"""Processes of the program that start at once.

A fresh interpreter needs half a second of processor time to load the program, and the tests start it hundreds
of times. Each test process has one starter, which has loaded all of it and forks itself for each start. It
ends with the test process.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO, cast

from rollbook.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
# What a command or server loads once it has begun.
LOADED = (
    *(f"rollbook.commands.{module.partition(':')[0]}" for module, _ in COMMANDS.values()),
    "rollbook.demo.build",
    "rollbook.demo.serving",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
_LENGTH_BYTES = 4
_NUMBER_BYTES: Final = 4
_SENDING: Final = threading.Lock()
_ENVIRONMENT: Final = {**os.environ, "PYTHONUNBUFFERED": "1"}


class Process:
    """A forked process, with the methods of `subprocess.Popen` that the tests use.

    `stdout` is the file from which the caller reads its output, if there is one.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        out: int,
        errors: int,
        has_session: bool = False,
    ) -> None:
        """`out` and `errors` are open files; the process has a session of its own, or the caller's."""
        self.args, self.stdout = arguments, cast("TextIO | None", None)
        self.returncode: int | None = None
        self._line, theirs = socket.socketpair()
        request = {
            "arguments": [*arguments],
            "folder": str(folder),
            "environment": dict(environment),
            "has_session": has_session,
        }
        with theirs:
            text = json.dumps(request).encode()
            with _SENDING:  # threads of a test share the line
                line = _line()
                socket.send_fds(
                    line, [len(text).to_bytes(_NUMBER_BYTES, "big")], [theirs.fileno(), out, errors]
                )
                line.sendall(text)
        self.pid = int.from_bytes(_exactly(self._line, _NUMBER_BYTES), "big")

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                told = _exactly(self._line, _NUMBER_BYTES)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired([*self.args], timeout or 0) from None
            self.returncode = int.from_bytes(told, "big", signed=True)
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def is_alike(environment: Mapping[str, str]) -> bool:
    """Whether a fresh interpreter would begin in the same way under this environment as the starter did."""
    return sys.platform == "linux" and _of_python(environment) == _of_python(_ENVIRONMENT)


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


@cache
def _line() -> socket.socket:
    """The connection to this test process's starter."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.starter", str(theirs.fileno())],
            cwd=ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # which ends it; the last that is registered runs first
    return ours


def _exactly(line: socket.socket, count: int) -> bytes:
    """So many bytes, or none if the line has ended."""
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            return b""
        found += piece
    return found


def _begin(line: socket.socket) -> None:
    """Fork a process for each request until the line ends; returns in each of these processes."""
    running: dict[int, socket.socket] = {}

    def tell(*_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with running.pop(ended[0]) as told, suppress(OSError):
                    code = os.waitstatus_to_exitcode(ended[1])
                    told.sendall(code.to_bytes(_NUMBER_BYTES, "big", signed=True))

    signal.signal(signal.SIGCHLD, tell)
    while True:
        length, files, _, _ = socket.recv_fds(line, _NUMBER_BYTES, 3)
        if not length:
            sys.exit()
        request = json.loads(_exactly(line, int.from_bytes(length, "big")))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # until its line is noted
        number = os.fork()
        if number == 0:
            line.close()
            for other in running.values():
                other.close()
            _become(request, files)
            return
        told = socket.socket(fileno=files[0])
        told.sendall(number.to_bytes(_NUMBER_BYTES, "big"))
        running[number] = told
        for file in files[1:]:
            os.close(file)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def _become(request: Mapping[str, Any], files: list[int]) -> None:
    """Take over all that a fresh process would have been given."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    if request["has_session"]:
        os.setsid()
    os.dup2(files[1], 1)
    os.dup2(files[2], 2)
    for file in files:
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["rollbook", *request["arguments"]]


def _run() -> None:
    """Run the program, then end without freeing what was loaded, which takes as long as a short command."""
    try:
        main()
        code = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    threading._shutdown()  # type: ignore[attr-defined] # other threads go on to their end
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in LOADED:
        import_module(name)
    _begin(socket.socket(fileno=int(sys.argv[1])))
    _run()
