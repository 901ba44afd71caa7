"""`rollbook rehearse` as a developer runs it: an application that does all right passes, and each fault fails exactly
the point that it is about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.demo import published
from rollbook.demo.rehearsal_points import POINTS
from tests.journeys import program
from tests.journeys.program import Server

PROGRAM = Path(__file__).with_name("rehearsed.py")
NAMES = [point.name for point in POINTS]
PORT = program.free_port()
CALLBACK = f"http://127.0.0.1:{PORT}/callback"
# Two applications that together do everything wrong. In each, no fault hides another one.
FIRST = {"next", "server-error", "deleted", "user-token", "scopes", "state"}
SECOND = {"rate-limit", "dropped", "school", "code-once", "no-access"}
THIRD = {"instant-login"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearsed")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Server]:
    with program.serving("demo", "--students", "200", "--redirect-uri", CALLBACK, folder=folder) as server:
        yield server


@contextmanager
def application(demo: Server, faults: set[str]) -> Iterator[None]:
    """The web application, with faults."""
    client = published.APPLICATION
    given = {"ROLLBOOK_URL": demo.base, "CLIENT_ID": client.client_id, "CLIENT_SECRET": client.secret}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), "serve", str(PORT)],
        env={**os.environ, **given, "FAULTS": ",".join(faults)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            running.terminate()


def rehearse(
    folder: Path, demo: Server, faults: set[str], state: Path, *more: str
) -> tuple[int, dict[str, Any]]:
    command = f"FAULTS={','.join(sorted(faults))} {sys.executable} {PROGRAM} sync {state} 2>/dev/null"
    with application(demo, faults):
        done = program.run("rehearse", "Demo application", "--sync", command, *more, "--json", folder=folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(told: dict[str, Any]) -> dict[str, str]:
    return {point["name"]: point["state"] for point in told["points"]}


def test_an_application_that_does_all_right_passes(demo: Server, folder: Path, tmp_path: Path) -> None:
    code, told = rehearse(folder, demo, set(), tmp_path / "state.json")
    assert states(told) == dict.fromkeys(NAMES, "passed"), told
    assert (code, told["counts"], told["application"]) == (0, {"passed": len(NAMES)}, "Demo application")
    assert all(point["rule"] and point["why"] for point in told["points"])
    faults = httpx.get(f"{demo.base}/demo/faults", headers={"Authorization": "Bearer TEST_TOKEN"}).json()
    assert faults == {"faults": []}


@pytest.mark.parametrize("faults", [FIRST, SECOND, THIRD], ids=["first", "second", "third"])
def test_each_fault_fails_its_point_and_no_other(
    demo: Server, folder: Path, tmp_path: Path, faults: set[str]
) -> None:
    code, told = rehearse(folder, demo, faults, tmp_path / "state.json")
    failed = {name for name, state in states(told).items() if state == "failed"}
    assert (code, failed) == (1, faults), told
    for point in told["points"]:
        if point["state"] == "failed" and point["name"] not in (
            "school",
            "deleted",
            "instant-login",
            "no-access",
        ):
            assert point["requests"] != [], point


def test_every_point_has_a_fault() -> None:
    assert {*NAMES} == FIRST | SECOND | THIRD


def test_what_was_not_played_is_not_seen(demo: Server, folder: Path) -> None:
    done = program.run(
        "rehearse",
        "Demo application",
        "--callback",
        "-",
        "--point",
        "state",
        "--point",
        "next",
        folder=folder,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (3, "0 passed, 0 failed, 2 not seen")
    assert "○ Checked state: not seen" in done.stdout


def day(demo: Server) -> int:
    told = httpx.get(
        f"{demo.base}/demo", headers={"Authorization": "Bearer TEST_TOKEN", "Accept": "application/json"}
    )
    return int(told.json()["day"])


def test_the_demo_is_put_back_unless_it_is_to_be_left(demo: Server, folder: Path) -> None:
    before, command = day(demo), ("rehearse", "Demo application", "--sync", "true", "--callback", "-")
    for more, days in (((), 0), (("--leave",), 2)):
        assert program.run(*command, *more, folder=folder).returncode == 1
        assert day(demo) == before + days
    saves = httpx.get(f"{demo.base}/demo/saves", headers={"Authorization": "Bearer TEST_TOKEN"}).json()
    assert saves["saves"] == []


@pytest.mark.parametrize("callback", ["nope", "/callback", "app://open"])
def test_a_callback_that_is_no_address_is_refused(tmp_path: Path, callback: str) -> None:
    done = program.run("rehearse", "Demo application", "--callback", callback, folder=tmp_path)
    told = f"rollbook: callback: expected an http or https address, or - for no login; got {callback!r}\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_without_a_running_demo_the_command_says_so(tmp_path: Path) -> None:
    done = program.run("rehearse", "Demo application", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "rollbook: no demo of rollbook-demo is served; start it first, with `rollbook demo --folder rollbook-demo`\n",
    )
