"""The programs of a layout: Debian's PostgreSQL, PgBouncer, HAProxy, etcd and Patroni, and Rollbook's servers.

Each is a child process in a session of its own, in a temporary folder, on a free loopback port. All of them end with
the rehearsal.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg

Environment = Mapping[str, str] | None
PATIENCE_SECONDS = 120
STOP_SECONDS = 20
# The address of the balancer, as clients would know it: the same for all servers of a layout.
PUBLIC = "https://rosters.example.org"
POSTGRESQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nowhere"))
PACKAGES = {
    "postgres": "postgresql",
    "pgbouncer": "pgbouncer",
    "haproxy": "haproxy",
    "etcd": "etcd-server",
    "patroni": "patroni",
}

NAMES = {
    "postgres": "PostgreSQL",
    "pgbouncer": "PgBouncer",
    "haproxy": "HAProxy",
    "etcd": "etcd",
    "patroni": "Patroni",
}


def find(name: str) -> str:
    """The path of a program. Errors: SystemExit names the package that has it."""
    found = shutil.which(name, path=f"{POSTGRESQL}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        sys.exit(f"{name} is not on this machine: apt install {PACKAGES.get(name, 'postgresql')}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so. Errors: TimeoutError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {PATIENCE_SECONDS} seconds")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether an address answers 200."""
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def is_primary(address: str) -> bool:
    """Whether a PostgreSQL server takes writes."""
    try:
        with psycopg.connect(address, connect_timeout=2, autocommit=True) as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    except psycopg.Error:
        return False


class Program:
    """A running program; `owner`: it runs as PostgreSQL's account if this process is root."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        owner: bool = False,
        environment: Environment = None,
    ) -> None:
        self.command, self.folder, self.environment = [*map(str, command)], folder, environment
        self.rights = as_owner() if owner else {}
        self.log = (folder / f"{Path(self.command[0]).name}-{len(list(folder.iterdir()))}.log").open("wb")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**os.environ, **(self.environment or {})},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            **self.rights,
        )

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Let the program end, and wait for it."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the program with all its children at once, as a lost machine does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Machines:
    """The programs of one rehearsal, and the folder that they share."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.folder, self.held = folder, held
        if os.getuid() == 0:
            os.chown(folder, *_owner_ids())

    def run(
        self, name: str, *arguments: str | Path, owner: bool = False, environment: Environment = None
    ) -> Program:
        started = Program([find(name), *arguments], self.folder, owner=owner, environment=environment)
        self.held.callback(started.log.close)
        self.held.callback(started.kill)
        self.held.callback(started.stop, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        return started

    def once(self, name: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL to its end."""
        command = [find(name), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=self.folder, capture_output=True, **as_owner())

    def postgresql(self, name: str, *, of: int = 0) -> tuple[Program, str]:
        """A new PostgreSQL server and its address; `of`: the port of the primary that it follows."""
        port, data = free_port(), self.folder / name
        if of:
            self.once(
                "pg_basebackup",
                "-D",
                data,
                "-h",
                "127.0.0.1",
                "-p",
                str(of),
                "-U",
                "postgres",
                "-R",
                "-c",
                "fast",
            )
        else:
            self.once("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        server = self.run(
            "postgres", "-D", data, "-k", self.folder, "-h", "127.0.0.1", "-p", str(port), owner=True
        )
        address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        until(lambda: _is_up(address), f"PostgreSQL in {name}")
        return server, address

    def pgbouncer(self, port_of_server: int) -> str:
        """PgBouncer in transaction mode before a server; its address."""
        port, file = free_port(), self.folder / "pgbouncer.ini"
        file.write_text(
            f"[databases]\nrollbook = host=127.0.0.1 port={port_of_server} dbname=postgres user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 500\n"
        )
        self.run("pgbouncer", "-q", file, owner=True)
        address = f"postgresql://postgres@127.0.0.1:{port}/rollbook"
        until(lambda: _is_up(address), "PgBouncer")
        return address

    def haproxy(self, name: str, text: str) -> int:
        """HAProxy with a text of its configuration, in which `{port}` is the port where it listens."""
        port, file = free_port(), self.folder / f"{name}.cfg"
        file.write_text(text.replace("{port}", str(port)))
        self.run("haproxy", "-db", "-f", file)
        return port

    def rollbook(self, database: str, **settings: object) -> tuple[Program, int]:
        """A server of Rollbook that is ready, and its port."""
        port = free_port()
        # Each page is read from the database, also one that was read before.
        fixed = {
            "key_file": self.folder / "key",
            "rate_limit": 0,
            "page_cache_bytes": 0,
            "public_url": PUBLIC,
        }
        wanted = {"database": database, **fixed, **settings}
        environment = {f"ROLLBOOK_{name.upper()}": str(value) for name, value in wanted.items()}
        command = Path(sys.executable).with_name("rollbook")
        server = self.run(str(command), "serve", "--port", str(port), environment=environment)
        until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "Rollbook")
        return server, port


def as_owner() -> dict[str, Any]:
    """The rights of PostgreSQL's account, if this process is root: its programs do not run as root."""
    if os.getuid() != 0:
        return {}
    user, group = _owner_ids()
    return {"user": user, "group": group, "extra_groups": ()}


def _owner_ids() -> tuple[int, int]:
    owner = pwd.getpwnam("postgres")
    return owner.pw_uid, owner.pw_gid


def _is_up(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def versions(*names: str) -> str:
    """The programs with their versions, in one line."""
    told = []
    for name in names:
        flag = "-v" if name == "haproxy" else "--version"
        printed = subprocess.run([find(name), flag], capture_output=True, text=True, check=True).stdout
        number = re.search(r"\d+(\.\d+)+", printed)
        told.append(f"{NAMES[name]} {number[0] if number else 'unknown'}")
    return ", ".join(told)
