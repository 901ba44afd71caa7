"""Recipes of the guide to running a server, run as printed: a drop folder, and a proxy under built-in
addresses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rollbook.synthetic import writer
from tests.journeys import program

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "running.md").read_text("utf-8")
DISTRICT = "Springfield Unified"


def printed(beginning: str) -> str:
    """The one block of the guide with this beginning."""
    (block,) = re.findall(rf"^```\w*\n({re.escape(beginning)}.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return str(block)


def environment() -> dict[str, str]:
    return {**program.environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


# A drop folder -------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an empty district, the script, and an empty drop folder."""
    program.done("district", "create", DISTRICT, folder=tmp_path)
    (tmp_path / "nightly.sh").write_text(printed("#!/bin/sh"))
    (tmp_path / "drop").mkdir()
    return tmp_path


def upload(place: Path, *scenarios: str, marker: bool) -> None:
    writer.write(place / "sis", students=60, scenarios=scenarios)
    for path in (place / "sis").glob("*.csv"):
        shutil.copy(path, place / "drop")
    if marker:
        (place / "drop" / "complete").touch()


def nightly(place: Path) -> subprocess.CompletedProcess[str]:
    """What cron would run, and the output that it would mail."""
    command = ["sh", "nightly.sh", "drop", "taken", DISTRICT]
    return subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True, check=False)


def reports(place: Path) -> list[str]:
    return [
        json.loads(path.read_text("utf-8"))["state"]
        for path in sorted((place / "taken").glob("*/report.json"))
    ]


def test_an_upload_is_synced_in_silence_once_it_is_complete(place: Path) -> None:
    upload(place, marker=False)
    waiting = nightly(place)
    assert (waiting.returncode, waiting.stdout, waiting.stderr, reports(place)) == (0, "", "", [])
    upload(place, marker=True)
    done = nightly(place)
    assert (done.returncode, done.stdout, done.stderr, reports(place)) == (0, "", "", ["committed"])
    assert [*(place / "drop").iterdir()] == []
    again = nightly(place)
    assert (again.returncode, again.stdout, again.stderr, reports(place)) == (0, "", "", ["committed"])


def test_a_held_or_unusable_upload_is_reported_once(place: Path) -> None:
    upload(place, marker=True)
    nightly(place)
    time.sleep(1)  # the folder's name has seconds
    upload(place, "half-a-file", marker=True)
    held = nightly(place)
    assert held.returncode not in (0, 2)
    assert held.stderr.startswith("rollbook: nothing was changed")
    assert nightly(place).returncode == 0
    time.sleep(1)
    upload(place, marker=True)
    (place / "drop" / "schools.csv").unlink()
    failed = nightly(place)
    assert failed.returncode == 1
    assert "schools.csv" in failed.stderr
    assert reports(place) == ["committed", "held", "failed"]


def test_files_of_old_uploads_are_deleted(place: Path) -> None:
    old = place / "taken" / "2026-01-01-010000"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 16 * 86_400,) * 2)
    upload(place, marker=True)
    nightly(place)
    assert not old.exists()
    assert reports(place) == ["committed"]


def test_without_a_marker_an_upload_is_waited_for_until_nothing_changes(place: Path) -> None:
    script = (place / "nightly.sh").read_text()
    test = '[ -e "$drop/complete" ] || exit 0\n'
    assert test in script
    (place / "nightly.sh").write_text(script.replace(test, printed('[ -n "$(find')))
    assert nightly(place).returncode == 0
    upload(place, marker=False)
    for age in (0, 31 * 60):
        assert reports(place) == []
        for path in (place / "drop").iterdir():
            os.utime(path, (time.time() - age,) * 2)
        done = nightly(place)
        assert (done.returncode, done.stderr) == (0, "")
    assert reports(place) == ["committed"]


# Built-in addresses --------------------------------------------------------------------------------


@contextmanager
def proxied(folder: Path, port: int, behind: int) -> Iterator[None]:
    """The proxy of the guide on another port, before a server on another port."""
    conf = (
        printed("daemon off;")
        .replace("127.0.0.1:443", f"127.0.0.1:{port}")
        .replace("127.0.0.1:8400", f"127.0.0.1:{behind}")
    )
    (folder / "clever.conf").write_text(conf)
    nginx = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "clever.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        nginx.terminate()
        nginx.wait()


def curl(folder: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """curl, with both built-in names leading to the proxy, as in the guide's hosts file."""
    led = [
        part
        for name in ("clever.com", "api.clever.com")
        for part in ("--connect-to", f"{name}:443:127.0.0.1:{port}")
    ]
    command = ["curl", "-sS", *led, "--retry", "20", "--retry-connrefused", "--retry-delay", "1", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=program.TIMEOUT_SECONDS, check=False
    )


@pytest.mark.needs("nginx", "openssl", "curl", package="nginx-light openssl curl")
def test_a_client_with_built_in_addresses_is_led_to_a_demo(tmp_path: Path) -> None:
    subprocess.run(["sh", "-ec", printed("openssl req")], cwd=tmp_path, check=True, capture_output=True)
    named: Any = {
        "issuer": "https://clever.com",
        "api_base": "https://api.clever.com",
        "trusted_proxies": "127.0.0.1",
    }
    with program.serving(*("demo", "--students", "60"), folder=tmp_path, **named) as demo:
        behind, port = int(demo.base.rpartition(":")[2]), program.free_port()
        with proxied(tmp_path, port, behind):
            line = printed("curl --cacert ca.pem").split("curl ", 1)[1]
            told = subprocess.run(
                ["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True
            )
            districts = json.loads(curl(tmp_path, port, *told.stdout.splitlines()).stdout)
            assert districts["data"][0]["data"]["name"].startswith("#DEMO")

            trusted = ("--cacert", "ca.pem", "-c", "jar", "-b", "jar")
            known = json.loads(
                curl(tmp_path, port, *trusted, "https://clever.com/.well-known/openid-configuration").stdout
            )
            assert (known["issuer"], known["userinfo_endpoint"]) == (
                "https://clever.com",
                "https://api.clever.com/userinfo",
            )
            asked = f"{known['authorization_endpoint']}?response_type=code&client_id=095b82cbbd8c68714d1c"
            page = curl(
                tmp_path, port, *trusted, "-L", f"{asked}&district_id={districts['data'][0]['data']['id']}"
            ).stdout
            assert "Who do you want to be?" in page
            # Cookies of this address are for TLS only, and have the name prefix that browsers check.
            assert "#HttpOnly_clever.com\tFALSE\t/\tTRUE" in (tmp_path / "jar").read_text()
            front = curl(tmp_path, port, *trusted, "https://clever.com/").stdout
            assert 'curl -H "Authorization: Bearer TEST_TOKEN" "https://clever.com/v3.0' in front.replace(
                "&#34;", '"'
            )

            refused = curl(tmp_path, port, "https://clever.com/")
            assert refused.returncode == 60, "the certificate is nobody's unless it is told to be trusted"
