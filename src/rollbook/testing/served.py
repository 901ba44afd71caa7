"""The demo's server as a child of a test process: it ends when the line to that process does.

`python -m rollbook.testing.served FD` loads all that a server needs, and serves as soon as the line says what. `starter
PATH` loads the same, waits, and forks a server for each line: that takes a few hundredths of a second. The starter ends
by itself when no test process has called for ten minutes, or when its socket's file is removed.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

IDLE_SECONDS = 600
# How often the starter checks whether its folder still exists.
LOOK_SECONDS = 2
REQUEST_BYTES_MAX = 65_536
# All modules of a demo's server.
LOADED = (
    "rollbook.cli",
    "rollbook.commands.demo",
    "rollbook.demo.serving",
    "rollbook.demo.access_sheet",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)


def load() -> None:
    """Load the modules. They all stay, so nothing is gained by looking for garbage among them."""
    gc.disable()
    for module in LOADED:
        import_module(module)
    gc.freeze()
    gc.enable()


def _end_with(line: socket.socket) -> None:
    with suppress(OSError):
        while line.recv(1024):
            pass
    os.kill(os.getpid(), signal.SIGINT)


def starter(path: str) -> None:
    """Wait for connections, and fork a server for each.

    The first line of a request is JSON: arguments and environment.
    """
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets servers that have ended
    listening = socket.socket(socket.AF_UNIX)
    beside = f"{path}.{os.getpid()}"
    listening.bind(beside)
    os.chmod(beside, 0o600)
    listening.listen()
    os.replace(beside, path)
    listening.settimeout(LOOK_SECONDS)
    inode, called = os.stat(path).st_ino, time.monotonic()
    while _is_there(path, inode) and time.monotonic() - called < IDLE_SECONDS:
        with suppress(TimeoutError):
            line, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                serve(line)
            line.close()
            called = time.monotonic()
    if _is_there(path, inode):
        Path(path).unlink(missing_ok=True)


def _is_there(path: str, inode: int) -> bool:
    """Whether the socket's file is still the starter's own: another process may have replaced or removed
    it."""
    with suppress(OSError):
        return os.stat(path).st_ino == inode
    return False


def serve(line: socket.socket) -> None:
    """Serve as the request says, then end the process. The output goes over the line."""
    line.settimeout(None)
    request = b""
    while not request.endswith(b"\n") and len(request) < REQUEST_BYTES_MAX:
        piece = line.recv(REQUEST_BYTES_MAX)
        if not piece:
            os._exit(0)
        request += piece
    asked = json.loads(request)
    os.environ.clear()
    os.environ.update(asked["environment"])
    code = 1
    try:
        errors = os.open(asked["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(errors, sys.stderr.fileno())
        os.dup2(line.fileno(), sys.stdout.fileno())
        threading.Thread(target=_end_with, args=(line,), daemon=True).start()
        sys.argv = ["rollbook", *asked["arguments"]]
        import_module("rollbook.cli").main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "starter":
        starter(sys.argv[2])
    else:
        load()
        serve(socket.socket(fileno=int(sys.argv[1])))
