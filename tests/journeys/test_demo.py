"""`rollbook demo` as a new user meets it: what it prints works as printed, its state survives, and it can start over."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.commands.demo import DISTRICT
from tests.journeys import program
from tests.journeys.program import Server

SMALL = ("demo", "--students", "60")
BEARER = {"authorization": "Bearer TEST_TOKEN"}
BASIC = {"authorization": "Basic MDk1YjgyY2JiZDhjNjg3MTRkMWM6NGIzMzg0ODljZWI0YmVjMzYyNDYxYTdjOTZlM2FhNjA5ZWZmZjA0OQ=="}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Server]:
    with program.serving(*SMALL, folder=folder) as server:
        yield server


def read(server: Server, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = httpx.get(server.base + path, headers=headers or BEARER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(server: Server) -> list[str]:
    """The ids of everybody and everything there is."""
    kinds = ("districts", "schools", "terms", "courses", "resources", "sections", "users")
    return [element["uri"] for kind in kinds for element in read(server, f"/v3.0/{kind}?limit=10000")["data"]]


def fetched(line: str) -> Any:
    """What a printed line fetches, with curl where there is one, else by the same header and address."""
    if shutil.which("curl"):
        return json.loads(subprocess.run(["sh", "-c", f"{line} --silent --show-error"], capture_output=True, check=True).stdout)
    _, flag, header, address = shlex.split(line)
    assert flag == "-H"
    request = urllib.request.Request(address, headers=dict([header.split(": ", 1)]))
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_it_says_where_it_is_and_which_tokens_open_it(demo: Server, folder: Path) -> None:
    assert f"Rollbook demo: {DISTRICT}, served at {demo.base}" in demo.printed
    assert "TEST_TOKEN" in demo.printed
    assert BASIC["authorization"].removeprefix("Basic ") in demo.printed
    assert "Stop with Ctrl+C" in demo.printed
    links = [line.split()[0] for line in demo.printed.splitlines() if line.strip().startswith(demo.base)]
    assert len(links) >= 3
    for link in links:
        assert (link, 200) == (link, httpx.get(link, headers={"accept": "text/html"}, follow_redirects=True).status_code)
    (district,) = read(demo, "/v3.0/districts")["data"]
    assert district["data"]["name"] == DISTRICT
    assert "#DEMO" in DISTRICT


def test_its_three_lines_work_as_printed(demo: Server) -> None:
    lines = [line.strip() for line in demo.printed.splitlines() if line.strip().startswith("curl ")]
    teachers, section, tokens = map(fetched, lines)
    assert len(teachers["data"]) == 3
    assert all("teacher" in element["data"]["roles"] for element in teachers["data"])
    assert len(section["data"]) == 1
    assert [token["access_token"] for token in tokens["data"]] == ["TEST_TOKEN", "TEST_TOKEN_2"]


def test_its_people_are_about_as_many_as_asked_for(demo: Server) -> None:
    assert 45 <= read(demo, "/v3.0/users?role=student&count=true")["count"] <= 75


def test_published_user_tokens_are_somebody(demo: Server) -> None:
    for token in ("ilc_DEMO_STUDENT_TOKEN", "ilc_DEMO_TEACHER_TOKEN"):
        assert read(demo, "/v3.0/me", {"authorization": f"Bearer {token}"})["data"]["type"] == "user"


def test_published_credentials_open_nothing_when_the_demos_database_is_served_for_real(demo: Server, folder: Path) -> None:
    database = folder / "rollbook-demo" / "rollbook.db"
    with program.serving("serve", "--database", database, folder=folder) as server:
        for path in ("/v3.0/users", "/v3.0/districts", "/v3.0/me", "/oauth/tokeninfo"):
            for token in ("TEST_TOKEN", "ilc_DEMO_STUDENT_TOKEN", "ilc_DEMO_TEACHER_TOKEN"):
                assert httpx.get(server.base + path, headers={"authorization": f"Bearer {token}"}).status_code == 401
        assert httpx.get(f"{server.base}/oauth/tokens", headers=BASIC).status_code == 401
    assert ids(demo)


def test_its_port_is_taken_while_it_runs(demo: Server, folder: Path) -> None:
    port = demo.base.rpartition(":")[2]
    outcome = program.run(*SMALL, "--port", port, folder=folder)
    expected = f"rollbook: port {port} on 127.0.0.1 cannot be used: Address already in use; choose another one with --port\n"
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", expected)


def test_its_state_survives_and_fresh_starts_over_without_touching_what_is_not_its_own(tmp_path: Path) -> None:
    kept = tmp_path / "rollbook-demo" / "my notes.txt"
    with program.serving(*SMALL, folder=tmp_path) as first:
        assert "Making a district of about 60 students" in first.printed
        before = ids(first)
    kept.write_text("mine")
    with program.serving(*SMALL, folder=tmp_path) as second:
        assert "Making a district" not in second.printed
        assert ids(second) == before
    with program.serving(*SMALL, "--fresh", folder=tmp_path) as third:
        assert "Making a district" in third.printed
        after = ids(third)
    assert after == before
    assert kept.read_text() == "mine"


def test_a_demo_that_was_never_finished_is_made_again(tmp_path: Path) -> None:
    with program.serving(*SMALL, folder=tmp_path, wait=False) as unfinished:
        assert "Making" in unfinished.printed_at_once()
        os.killpg(unfinished.process.pid, signal.SIGKILL)
    assert not (tmp_path / "rollbook-demo" / "ready").exists()
    with program.serving(*SMALL, folder=tmp_path) as again:
        assert "Making a district" in again.printed
        assert len(ids(again)) > 100


def test_the_same_seed_makes_the_same_district_to_the_byte(demo: Server, tmp_path: Path) -> None:
    kinds = ("districts", "schools", "terms", "courses", "resources", "sections", "users")
    with program.serving("demo", "--students", "60", "--seed", "1", folder=tmp_path) as same:
        for kind in kinds:
            left, right = (httpx.get(f"{one.base}/v3.0/{kind}?limit=10000", headers=BEARER) for one in (demo, same))
            assert (left.status_code, left.content) == (200, right.content)
            # What an application kept of one demo is not taken for what another one shows.
            assert left.headers["etag"] != right.headers["etag"]


def test_another_size_has_other_ids(demo: Server, tmp_path: Path) -> None:
    with program.serving("demo", "--students", "61", folder=tmp_path) as other:
        assert not set(ids(demo)) & set(ids(other))
