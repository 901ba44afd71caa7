"""The programs of `tests/node`: small programs around npm clients, installed from a lock file and run by
Node."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

FOLDER = Path(__file__).parents[1] / "node"
MAJOR_MIN = 18
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
TIMEOUT_SECONDS = 120


def missing() -> str | None:
    """Why these programs cannot run on this machine; None if they can."""
    if shutil.which("node") and shutil.which("npm"):
        version = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True).stdout
        if int(version.removeprefix("v").partition(".")[0]) >= MAJOR_MIN:
            return None
    return f"no Node {MAJOR_MIN} or later with npm on this machine: apt install nodejs npm"


def install() -> None:
    """Install the packages of the lock file, unless they are there; parallel test processes take turns."""
    mark = FOLDER / "node_modules" / ".installed"
    with (FOLDER / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = lock.read()
        if not mark.exists() or mark.read_bytes() != wanted:
            run(*INSTALL)
            mark.write_bytes(wanted)


def printed(program: str, **settings: str) -> Any:
    """The JSON that a program prints."""
    return json.loads(run("node", program, **settings))


def run(*command: str, **settings: str) -> str:
    """What a command prints that must succeed."""
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Site:
    """An application that runs."""

    client: httpx.Client

    def login(self) -> str:
        """Where it sends a person who wants to sign in."""
        return self.client.get("/login").headers["location"]

    def callback(self, arrived: str) -> Any:
        """The application's result for a person who returns to the address."""
        return self.client.get(f"/callback?{urlsplit(arrived).query}").json()


@contextmanager
def site(program: str, **settings: str) -> Iterator[Site]:
    """A program that serves and prints its address first, until the end of the block."""
    process = subprocess.Popen(
        ["node", program], cwd=FOLDER, env=os.environ | settings, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process, process.stdout:
        try:
            base = process.stdout.readline().strip()
            assert base, f"{program} did not start"
            with httpx.Client(base_url=base) as client:
                yield Site(client)
        finally:
            process.terminate()
