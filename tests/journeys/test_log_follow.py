"""`rollbook log --follow` in a terminal, beside a server that is asked over its real edge."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from rollbook.demo import published
from tests.journeys import program

BEARER = {"Authorization": f"Bearer {published.DISTRICT_TOKEN}"}
TRIES = 300


@contextmanager
def in_a_terminal(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command whose input and output are a terminal; gives our end of it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*program.PROGRAM, *arguments],
        cwd=folder,
        env=program.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def shown(terminal: int) -> str:
    """What the terminal shows that was not read yet."""
    try:
        return os.read(terminal, 65_536).decode()
    except (BlockingIOError, OSError):
        return ""


def test_requests_are_shown_with_their_hints_as_they_come_until_the_reader_ends_it(tmp_path: Path) -> None:
    with program.serving("demo", "--students", "60", folder=tmp_path) as server:
        httpx.get(f"{server.base}/v3.0/districts", headers=BEARER)
        database = str(tmp_path / "rollbook-demo" / "rollbook.db")
        with in_a_terminal("log", "--follow", "--database", database, folder=tmp_path) as (process, terminal):
            text = ""
            for _ in range(TRIES):
                # Sent again until it is shown: the command may not look yet.
                httpx.get(f"{server.base}/v3.1/user?limit=1", headers=BEARER)
                text += shown(terminal)
                if "Did you mean" in text:
                    break
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(text)
            assert "404  GET /v3.1/user?limit=1  Demo application  …OKEN" in text
            assert "! There is no such path. Did you mean `/v3.1/users`?" in text
            process.send_signal(signal.SIGINT)
            process.wait(program.TIMEOUT_SECONDS)
            assert "Traceback" not in text + shown(terminal)
