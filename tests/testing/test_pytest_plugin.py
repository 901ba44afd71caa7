"""The plugin in test suites of their own, as pytest runs them; all share one template."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rollbook.demo import demo_folder
from rollbook.settings import PREFIX
from rollbook.testing import demo_templates, sandboxes
from rollbook.testing.demo_templates import SandboxError
from rollbook.testing.sandboxes import Sandbox

TIMEOUT_SECONDS = 240
STUDENTS = 60
SUITE = """
import json, urllib.request

import pytest

def asked(rollbook, path):
    request = urllib.request.Request(rollbook.base_url + path, headers={"Authorization": f"Bearer {rollbook.token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

def test_the_demo_is_served(rollbook):
    teacher = rollbook.people["teacher"]
    assert asked(rollbook, f"/v3.0/users/{teacher.id}")["data"]["id"] == teacher.id
    assert rollbook.get("/v3.0/me", teacher.token)["data"]["id"] == teacher.id
    assert rollbook.events() == []

@pytest.mark.parametrize("number", range(3))
def test_each_test_begins_with_the_same_demo(fresh_rollbook, number):
    assert fresh_rollbook.events() == []
    fresh_rollbook.fault("server-error", requests=50)
    with pytest.raises(urllib.error.HTTPError, match="500"):
        asked(fresh_rollbook, "/v3.0/users")

def test_a_day_passes(fresh_rollbook):
    fresh_rollbook.advance("student-changes-school")
    assert {event["type"] for event in fresh_rollbook.events()} >= {"users.updated"}

def test_faults_end_with_the_test_and_can_be_cleared(fresh_rollbook):
    assert asked(fresh_rollbook, "/v3.0/users")["data"]
    fresh_rollbook.fault("unavailable", requests=50)
    fresh_rollbook.clear_faults()
    assert asked(fresh_rollbook, "/v3.0/users")["data"]

def test_a_login_returns_to_the_application(rollbook):
    login = rollbook.code_for(rollbook.people["student"], state="abc")
    assert login.url.startswith("http://localhost:3000/callback?")
    assert login.code in login.url and "state=abc" in login.url
    assert login.client_id == rollbook.client_id
"""
FORGETS = """
def test_that_forgets(rollbook):
    rollbook.fault("slow")

def test_that_comes_next(rollbook):
    assert rollbook.get("/demo/faults")["faults"] == []

def test_that_keeps_its_change(rollbook):
    rollbook.fault("slow", path="/v3.0/events")
    rollbook.save()

def test_that_finds_the_change(rollbook):
    assert len(rollbook.get("/demo/faults")["faults"]) == 1
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the template, as a run before has left it."""
    folder = tmp_path_factory.mktemp("cache")
    demo_templates.copied(STUDENTS, 1, folder / "copy", folder)
    return folder


@pytest.fixture(scope="module")
def sandbox(cache: Path) -> Iterator[Sandbox]:
    with sandboxes.start(STUDENTS, cache=cache) as opened:
        yield opened


def begin(folder: Path, cache: Path, suite: str, *options: str) -> subprocess.Popen[str]:
    """Begin to run a suite in a folder of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "test_suite.py").write_text(suite)
    settings = {"rollbook_students": str(STUDENTS), "rollbook_cache": str(cache), "rollbook_keep_ready": "no"}
    back = "rollbook_redirect_uris=http://localhost:3000/callback"
    given = [f"-o{name}={value}" for name, value in settings.items()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given, f"-o{back}", *options, "."],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    printed, _ = run.communicate(timeout=TIMEOUT_SECONDS)
    return run.returncode, printed


def test_two_runs_side_by_side_have_a_demo_each(cache: Path, tmp_path: Path) -> None:
    runs = [begin(tmp_path / name, cache, SUITE) for name in ("first", "second")]
    for code, printed in map(ended, runs):
        assert code == 0, printed
        assert "7 passed" in printed


def test_a_test_that_changes_the_demo_and_forgets_to_put_it_back_is_named(
    cache: Path, tmp_path: Path
) -> None:
    code, printed = ended(begin(tmp_path, cache, FORGETS))
    assert (code, "4 passed, 1 error" in printed) == (1, True), printed
    assert (
        "test_that_forgets changed the demo by fault('slow') and did not put it back: ask for the fixture"
        " fresh_rollbook instead of rollbook"
    ) in " ".join(printed.split())


def test_a_port_that_is_taken_is_told_in_one_sentence(cache: Path, tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, printed = ended(
            begin(tmp_path, cache, "def test_one(rollbook): pass", f"-orollbook_port={port}")
        )
    assert code == 1
    assert (
        f"port {port} is taken: set rollbook_port to another one, or leave it out for a free one" in printed
    )
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("name", "value"), [("rollbook_students", "many"), ("rollbook_keep_ready", "perhaps")]
)
def test_a_setting_that_cannot_be_used_is_named(cache: Path, tmp_path: Path, name: str, value: str) -> None:
    code, printed = ended(begin(tmp_path, cache, "def test_one(rollbook): pass", f"-o{name}={value}"))
    assert code == 1
    assert f"{name}: expected" in printed
    assert repr(value) in printed


def test_a_suite_that_does_not_ask_starts_nothing(tmp_path: Path) -> None:
    suite = "import sys\ndef test_one(): assert 'rollbook.testing.sandboxes' not in sys.modules"
    code, printed = ended(begin(tmp_path / "suite", tmp_path / "cache", suite))
    assert code == 0, printed
    assert not (tmp_path / "cache").exists()


# --- the sandbox by itself


def test_a_template_of_another_version_or_a_broken_one_is_told(cache: Path, tmp_path: Path) -> None:
    template = next(path for path in cache.glob("demo-*") if path.is_dir())
    about = template / demo_templates.ABOUT
    before = about.read_text()
    try:
        for text, said in (
            (json.dumps({**json.loads(before), "version": "0.0.9"}), "is of Rollbook 0.0.9"),
            ("{", "is broken"),
        ):
            about.write_text(text)
            with pytest.raises(SandboxError, match=f"{said}, and this is Rollbook .* remove that folder"):
                sandboxes.start(STUDENTS, cache=cache)
    finally:
        about.write_text(before)


def test_a_demo_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="the demo could not be made: students must be from 50"):
        sandboxes.start(0, cache=tmp_path)


def test_a_token_of_another_demo_is_told(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="does not know the token 'ilc_other': take one of this session"):
        sandbox.get("/v3.0/me", "ilc_other")
    with pytest.raises(SandboxError, match=r"GET /v3.0/users/none: 404 Resource not found"):
        sandbox.get("/v3.0/users/none")
    with pytest.raises(SandboxError, match="person: nobody has the id"):
        sandbox.code_for("nobody")


def test_saves_have_names_and_a_restore_undoes_all(sandbox: Sandbox) -> None:
    sandbox.save("before")
    sandbox.advance(days=1)
    days = {name: sandbox.get("/demo")["day"] for name in ("moved",)}
    sandbox.restore("before")
    assert (days["moved"], sandbox.get("/demo")["day"]) == (1, 0)
    assert sandbox.changes == ["restore('before')"]
    sandbox.restore()
    assert sandbox.changes == []


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder with a short path, as the address of a socket wants it."""
    with tempfile.TemporaryDirectory(prefix="rollbook-") as folder:
        yield Path(folder)


def test_a_demo_by_the_starter_is_as_good_and_the_starter_ends_with_its_socket(
    cache: Path, near: Path
) -> None:
    template = next(path for path in cache.glob("demo-*") if path.is_dir())
    (near / template.name).symlink_to(template)
    with sandboxes.start(STUDENTS, cache=near, keeps_ready=True) as first:
        people = first.people
    end = time.monotonic() + TIMEOUT_SECONDS
    while not (found := [*near.glob("starter-*.socket")]):
        assert time.monotonic() < end
        time.sleep(0.02)
    with sandboxes.start(STUDENTS, cache=near, keeps_ready=True) as second:
        assert second._process._child is None
        assert second.people == people
        folder = second._folder
    assert not folder.exists()
    found[0].unlink()
    with closing(socket.socket(socket.AF_UNIX)) as line, pytest.raises(OSError, match="No such file"):
        line.connect(str(found[0]))


def test_a_server_ends_with_a_test_run_that_is_killed(cache: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from rollbook.testing import sandboxes\n"
        f"demo = sandboxes.start({STUDENTS}, cache=Path({str(cache)!r})); print(demo.base_url, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        address = urlsplit(run.stdout.readline().strip())
        run.kill()
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        with closing(socket.socket()) as line:
            if line.connect_ex((str(address.hostname), int(address.port or 0))):
                return
        time.sleep(0.05)
    pytest.fail("the server is still there")


def test_a_template_that_nobody_uses_is_removed(tmp_path: Path) -> None:
    for name, age in (("demo-old", demo_templates.UNUSED_SECONDS + 60), ("demo-new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    demo_templates._remove_unused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo-new"]


def test_names_that_are_written_twice_are_the_same() -> None:
    twice = (demo_templates.SAVES, demo_templates.SERVING, demo_templates.PREFIX)
    assert twice == (demo_folder.SAVES, demo_folder.SERVING, PREFIX)


def test_the_starter_of_another_user_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would get the whole environment, with the secrets of a CI job."""
    with tempfile.TemporaryDirectory() as short, closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(f"{short}/starter-{demo_templates.source_mark()}.socket")
        listening.listen()
        own = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: own + 1)
        alone = sandboxes._Process(Path(short), Path(short), keeps_ready=True)
        assert alone._child is not None
        alone.stop()
        monkeypatch.setattr(os, "getuid", lambda: own)
        asked = sandboxes._Process(Path(short), Path(short), keeps_ready=True)
        assert asked._child is None
        listening.accept()[0].close()
        asked.stop()
