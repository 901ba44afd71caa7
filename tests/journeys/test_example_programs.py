"""The programs of `examples/`, run as a reader runs them: against a demo whose time moves, and with a
browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from rollbook.demo import published
from tests import machine, sso
from tests.house.sources import ROOT
from tests.journeys import program
from tests.journeys.node import MAJOR_MIN
from tests.journeys.program import Server

EXAMPLES = ROOT / "examples"
BEARER = {"authorization": f"Bearer {published.DISTRICT_TOKEN}"}


@dataclass(frozen=True)
class Language:
    """How the programs of a language are run."""

    name: str
    command: str
    suffix: str

    def line(self, name: str, *arguments: str) -> list[str]:
        return [self.command, str(EXAMPLES / self.name / f"{name}{self.suffix}"), *arguments]

    def need(self) -> None:
        """If the language is not installed, the test is skipped, but not in CI."""
        if shutil.which(self.command) is None:
            machine.lacks(f"no Node {MAJOR_MIN} or later on this machine: apt install nodejs")


LANGUAGES = (Language("python", sys.executable, ".py"), Language("javascript", "node", ".mjs"))
each_language = pytest.mark.parametrize(
    "language",
    [pytest.param(row, id=row.name, marks=[pytest.mark.node] * (row.command == "node")) for row in LANGUAGES],
)


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {language.name: program.free_port() for language in LANGUAGES}


@pytest.fixture(scope="module")
def demo(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo that knows the addresses of the web applications."""
    back = [f"--redirect-uri=http://localhost:{port}/callback" for port in ports.values()]
    with program.serving("demo", "--students", "60", *back, folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


# --- a copy that events keep true


def updated(language: Language, server: Server, file: Path) -> str:
    """The program's output when it makes or updates a copy."""
    done = subprocess.run(
        language.line("local_copy", str(file)),
        env={**os.environ, "ROLLBOOK_URL": server.base},
        capture_output=True,
        text=True,
        timeout=program.TIMEOUT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.strip()


def records(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))["records"]


def post(server: Server, path: str, body: dict[str, Any]) -> None:
    answer = httpx.post(server.base + path, json=body, headers=BEARER, timeout=program.TIMEOUT_SECONDS)
    assert answer.status_code == 200, answer.text


@each_language
def test_a_copy_is_what_a_full_pull_reads_after_nights_with_changes(
    language: Language, demo: Server, tmp_path: Path
) -> None:
    language.need()
    copy, fresh = tmp_path / "copy.json", tmp_path / "fresh.json"
    assert updated(language, demo, copy).startswith("read ")
    before = records(copy)
    assert updated(language, demo, copy) == "applied 0 events"
    post(demo, "/demo/advance", {"scenario": "student-changes-school"})
    post(demo, "/demo/advance", {"to": "rollover"})
    post(demo, "/demo/faults", {"status": 503, "requests": 1, "path": "/v3.0/events"})
    said = updated(language, demo, copy)
    assert said.startswith("applied ")
    assert said != "applied 0 events"
    assert updated(language, demo, fresh).startswith("read ")
    assert records(copy) == records(fresh) != before
    assert not records(copy)["sections"].keys() & before["sections"].keys()


@each_language
def test_a_copy_that_has_not_asked_for_weeks_is_read_anew(
    language: Language, demo: Server, tmp_path: Path
) -> None:
    language.need()
    copy = tmp_path / "copy.json"
    updated(language, demo, copy)
    assert copy.stat().st_mode & 0o077 == 0
    copy.write_text(json.dumps({**json.loads(copy.read_text("utf-8")), "asked": 0}))
    assert updated(language, demo, copy).startswith("read ")


@each_language
def test_a_wrong_token_is_reported_in_one_line(language: Language, demo: Server, tmp_path: Path) -> None:
    language.need()
    done = subprocess.run(
        language.line("local_copy", str(tmp_path / "copy.json")),
        env={**os.environ, "ROLLBOOK_URL": demo.base, "ROLLBOOK_TOKEN": "nope"},
        capture_output=True,
        text=True,
        timeout=program.TIMEOUT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "401" in done.stderr
    assert list(tmp_path.iterdir()) == []


# --- a web application that people sign in to


@contextmanager
def site(language: Language, demo: Server, port: int) -> Iterator[httpx.Client]:
    """The web application, and a browser that visits it; it prints its address once it accepts requests."""
    base = f"http://localhost:{port}"
    process = subprocess.Popen(
        language.line("web_login"),
        env={**os.environ, "ROLLBOOK_URL": demo.base, "BASE": base},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    with process, process.stdout:
        try:
            assert process.stdout.readline().strip() == base
            with httpx.Client(base_url=base, timeout=program.TIMEOUT_SECONDS) as client:
                yield client
        finally:
            process.terminate()


def signed_in_at(demo: Server, address: str, who: dict[str, Any]) -> str:
    """Where a person ends after signing in at the server, in their own district."""
    with httpx.Client(base_url=demo.base, timeout=program.TIMEOUT_SECONDS) as client:
        window = sso.Window(client)
        page = window.follow(client.get(f"{address}&district_id={who['district']}"))
        return str(window.follow(window.press(page, person=who["id"])).headers["location"])


def teacher(demo: Server) -> dict[str, Any]:
    answer = httpx.get(f"{demo.base}/v3.0/users?role=teacher&limit=1", headers=BEARER)
    return dict(answer.json()["data"][0]["data"])


@each_language
def test_a_person_signs_in_and_out(language: Language, demo: Server, ports: dict[str, int]) -> None:
    language.need()
    who = teacher(demo)
    with site(language, demo, ports[language.name]) as client:
        assert "Sign in" in client.get("/").text
        sent = client.get("/login").headers["location"]
        assert sent.startswith(f"{demo.base}/oauth/authorize?")
        back = signed_in_at(demo, sent, who)
        arrived = client.get(back)
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/")
        assert "HttpOnly; SameSite=Lax" in arrived.headers["set-cookie"]
        home = client.get("/").text
        assert f"{who['name']['first']} {who['name']['last']}" in home
        assert "You are a teacher" in home
        assert client.get(back).status_code == 400, "an address that was used is good no more"
        assert client.post("/logout").status_code == 303
        assert "Sign in" in client.get("/").text


@each_language
def test_a_login_of_another_browser_is_refused(
    language: Language, demo: Server, ports: dict[str, int]
) -> None:
    language.need()
    with site(language, demo, ports[language.name]) as client, httpx.Client() as stranger:
        sent = stranger.get(f"{client.base_url}/login").headers["location"]
        back = signed_in_at(demo, sent, teacher(demo))
        assert client.get(back).status_code == 400
        client.get("/login")
        changed = client.get(f"/callback?{urlencode({'state': 'of-somebody-else', 'code': 'x'})}")
        refused = client.get(f"/callback?{urlencode({'state': 'x', 'error': 'access_denied'})}")
        assert (changed.status_code, refused.status_code) == (400, 400)
        assert "access_denied" in refused.text
        assert "Sign in" in client.get("/").text


@each_language
def test_a_login_that_began_at_the_server_begins_anew(
    language: Language, demo: Server, ports: dict[str, int]
) -> None:
    language.need()
    with site(language, demo, ports[language.name]) as client:
        again = client.get("/callback?code=from-the-portal").headers["location"]
        assert urlsplit(again).path == "/oauth/authorize"
        assert "state=" in again
        refused = client.get("/callback?error=unauthorized-user")
        assert (refused.status_code, "answered unauthorized-user" in refused.text) == (400, True)
        assert client.get("/nowhere").status_code == 404
