"""Any wrong input gives one clear line and exit code 1, or the usage and exit code 2, and never a
traceback."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner

from rollbook.cli import COMMANDS, rollbook
from tests import world
from tests.commands.terminal import Terminal
from tests.journeys import program


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synced district D, an application A that reads it, and things that are not as they
    should be."""
    folder = tmp_path_factory.mktemp("place")
    world.write(folder / "files")
    program.done("district", "create", "D", folder=folder)
    program.done("application", "create", "A", folder=folder)
    program.done("sync", "D", "files", folder=folder)
    program.done("connect", "A", "D", folder=folder)
    (folder / "empty").mkdir()
    (folder / "text").write_text("not what you think\n" * 100)
    whole = (folder / "rollbook.db").read_bytes()
    (folder / "broken.db").write_bytes(whole[:20_000] + b"\xff" * 100_000 + whole[120_000:])
    (folder / "half.db").write_bytes(whole[: len(whole) // 2])
    with sqlite3.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE facts (name TEXT)")
    other.close()
    return folder


def told_by_a_process(place: Path, *arguments: str, **settings: object) -> str:
    """The one line that a refused command prints, in a process of its own."""
    outcome = program.run(*arguments, folder=place, **settings)
    return _line(outcome.returncode, outcome.stdout, outcome.stderr)


@pytest.fixture
def told(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The one line that a refused command prints. It runs within the test: to start a program takes 30 times
    as long."""

    def line(*arguments: str, **settings: object) -> str:
        terminal = Terminal(str(settings.pop("database", "rollbook.db")), place, capsys, monkeypatch)
        monkeypatch.setenv("ROLLBOOK_KEY_FILE", "")
        for name, value in settings.items():
            monkeypatch.setenv(f"ROLLBOOK_{name.upper()}", str(value))
        outcome = terminal.run(*arguments)
        return _line(outcome.code, outcome.out, outcome.err)

    return line


def _line(code: int, out: str, err: str) -> str:
    lines = err.splitlines()
    assert (code, len(lines), out) == (1, 1, ""), (code, out, err)
    assert lines[0].startswith("rollbook: ")
    return lines[0].removeprefix("rollbook: ")


def test_help_says_of_each_command_what_its_own_help_begins_with_and_loads_none() -> None:
    code = "import sys; from rollbook.cli import rollbook; rollbook(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    printed, loaded = done.stdout.rstrip().rsplit("\n", 1)
    assert not {"duckdb", "starlette", "rollbook.commands.sync"} & set(loaded.split())
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in printed
        assert summary in " ".join(printed.split())
        command = rollbook.get_command(Context(rollbook), name)
        assert command
        words = re.sub(r"\([^)]*\) ?", "", " ".join((command.help or "").split()))
        assert words.startswith(re.sub(r"\([^)]*\) ?", "", summary).rstrip(". ")), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_shows_its_usage_when_it_cannot_be_read(command: str) -> None:
    helped = CliRunner().invoke(rollbook, [command, "--help"], prog_name="rollbook")
    assert (helped.exit_code, helped.stderr) == (0, "")
    assert helped.stdout.startswith(f"Usage: rollbook {command}")
    refused = CliRunner().invoke(rollbook, [command, "--no-such-option"], prog_name="rollbook")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Usage: rollbook {command}")
    assert refused.stderr.splitlines()[-1].startswith("Error: No such option")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("sync", "Missing argument 'DISTRICT'"),
        ("sync D", "Missing argument 'FOLDER'"),
        ("sync D files more", "unexpected extra argument"),
        ("generate g --students x", "'x' is not a valid integer"),
        ("serve --port x", "'x' is not a valid integer"),
        ("generate g --format xml", "'xml' is not"),
    ],
)
def test_a_missing_or_impossible_argument_is_named(place: Path, arguments: str, expected: str) -> None:
    outcome = program.run(*arguments.split(), folder=place)
    assert outcome.returncode == 2
    assert expected in outcome.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["district", "create", ""], "needs a name"),
        (["district", "create", "D"], "'D' exists already"),
        (["district", "show", "E"], "no district has the name or id 'E'; there is 'D'"),
        (["sync", "E", "files"], "no district has the name or id 'E'"),
        (["sync", "D", "nowhere"], "nowhere: expected a folder or a .zip file"),
        (["sync", "D", "text"], "text: expected a folder or a .zip file"),
        (["sync", "D", "/dev/null"], "expected a folder or a .zip file"),
        (["connect", "B", "D"], "no application has the name or client id 'B'"),
        (["connect", "A", "E"], "no district has the name or id 'E'"),
        (["application", "create", ""], "needs a name"),
        (["application", "create", "A"], "'A' exists already"),
        (
            ["application", "create", "B", "--scopes", "read:minds"],
            "'read:minds' is not a scope; expected some of read:",
        ),
        (["undo", "E"], "no district has the name or id 'E'"),
        (["approve", "D"], "no sync of 'D' is held"),
        (["generate", "text"], "cannot write to text"),
        (["generate", "text/below"], "cannot write to text/below"),
        (["generate", "/proc/nowhere"], "cannot write to /proc/nowhere"),
        (["generate", "g", "--students", "10"], "students must be from 50 to 1000000, not 10"),
        (["generate", "g", "--day", "-1"], "day must be from 0"),
        (["generate", "g", "--problems", "nan"], "problems must be a share from 0 to 1, not nan"),
        (["generate", "g", "--scenario", "flood"], "no scenario 'flood'; known are"),
        (["serve", "--port", "0"], "port: expected at least 1, got 0"),
        (["serve", "--port", "70000"], "port: expected at most 65535, got 70000"),
        (["serve", "--workers", "0"], "workers: expected at least 1, got 0"),
        (
            ["serve", "--host", "nowhere.invalid"],
            "host: expected an address of this machine such as 127.0.0.1, ::1, 0.0.0.0 or ::, got",
        ),
        (
            ["serve", "--host", "[::1]"],
            "host: expected an address of this machine such as 127.0.0.1, ::1, 0.0.0.0 or ::, got '[::1]'",
        ),
        (
            ["serve", "--host", ""],
            "host: expected an address of this machine such as 127.0.0.1, ::1, 0.0.0.0 or ::, got ''",
        ),
        (
            ["serve", "--host", "2001:db8::1"],
            "on 2001:db8::1 cannot be used: Cannot assign requested address",
        ),
        (
            ["demo", "--host", "a..b"],
            "host: expected an address of this machine such as 127.0.0.1, ::1, 0.0.0.0 or ::, got 'a..b'",
        ),
        (["demo", "--port", "70000"], "port: expected at most 65535, got 70000"),
        (
            ["demo", "--folder", "text"],
            "folder: text cannot be used: File exists; choose another one with --folder",
        ),
        (["demo", "--folder", "text/below"], "folder: text/below cannot be used"),
        (["demo", "--folder", "/proc/nowhere"], "folder: /proc/nowhere cannot be used"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_impossible_command_gives_one_line(
    told: Callable[..., str], arguments: list[str], expected: str
) -> None:
    more = (
        ["--port", str(program.free_port())]
        if arguments[0] in ("serve", "demo") and "--port" not in arguments
        else []
    )
    assert expected in told(*arguments, *more)


def test_a_folder_without_files_is_told_in_one_line_and_all_that_is_missing_in_the_report(
    place: Path,
) -> None:
    outcome = program.run("sync", "D", "empty", folder=place)
    assert (outcome.returncode, outcome.stderr.count("\n")) == (1, 1)
    assert outcome.stderr.startswith("rollbook: schools.csv is missing; expected the five files")
    assert [line.split()[1] for line in outcome.stdout.splitlines() if line.startswith("stop: ")] == [
        *("schools.csv", "students.csv", "teachers.csv", "sections.csv", "enrollments.csv")
    ]


def test_a_demo_of_an_impossible_size_is_told(place: Path) -> None:
    outcome = program.run(
        "demo", "--students", "3", "--folder", "tiny", "--port", str(program.free_port()), folder=place
    )
    assert (outcome.returncode, outcome.stderr) == (
        1,
        "rollbook: students must be from 50 to 1000000, not 3\n",
    )


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("empty", "empty cannot be opened as a SQLite database"),
        ("text", "text cannot be opened as a SQLite database"),
        ("text/below.db", "text/below.db cannot be opened as a SQLite database"),
        ("/proc/nowhere/x.db", "/proc/nowhere/x.db cannot be opened as a SQLite database"),
        ("/dev/null", "/dev/null cannot be opened as a SQLite database"),
        ("half.db", "half.db cannot be"),
        ("broken.db", "broken.db cannot be"),
        ("other.db", "other.db cannot be used: table facts already exists"),
        ("mysql://user:hunter2@host/x", "expected a file path or a postgresql:// URL, got mysql://..."),
        (
            "postgresql://user:hunter2@127.0.0.1:1/x",
            "the PostgreSQL server cannot be reached: connection failed",
        ),
        ("postgresql://user:hunter2@[bad", "the PostgreSQL server cannot be reached"),
        ("postgresql://user:hunter2@/x?host=/nowhere", "the PostgreSQL server cannot be reached"),
    ],
)
def test_a_database_that_is_none_is_told_in_one_line(
    told: Callable[..., str], database: str, expected: str
) -> None:
    line = told("district", "create", "E", "--database", database)
    assert line.startswith("database: ")
    assert expected in line
    assert "hunter2" not in line


@pytest.mark.parametrize("arguments", ["sync D files", "connect A D", "serve"])
@pytest.mark.parametrize("database", ["empty", "broken.db", "postgresql://127.0.0.1:1/x"])
def test_every_command_tells_it_in_the_same_words(
    told: Callable[..., str], arguments: str, database: str
) -> None:
    port = ["--port", str(program.free_port())] if arguments == "serve" else []
    assert told(*arguments.split(), *port, database=database).startswith("database: ")


@pytest.mark.parametrize(
    ("arguments", "settings", "expected"),
    [
        ("settings", {"port": "x"}, "port: expected a whole number, got 'x'"),
        ("settings", {"port": 70_000}, "port: expected at most 65535, got 70000"),
        ("settings", {"workers": -1}, "workers: expected at least 1, got -1"),
        ("settings", {"wrong_token": "xml"}, "wrong_token: expected one of html, json, got 'xml'"),
        (
            "sync D files",
            {"sync_memory": "lots"},
            "sync_memory: expected a size such as 512MB or 2GB, got 'lots'",
        ),
        ("sync D files", {"sync_memory": "1GB'; DROP"}, "sync_memory: expected a size"),
        ("sync D files", {"sync_memory": "1KB"}, "memory or disk was not sufficient (see sync_memory"),
        (
            "sync D files",
            {"temporary": "nowhere"},
            "temporary: no file can be made in 'nowhere': No such file or directory",
        ),
        ("connect A D", {"temporary": "text"}, "temporary: no file can be made in 'text': Not a directory"),
        ("connect A D", {"key_file": "text"}, "key_file: text holds no key"),
        ("connect A D", {"key_file": "empty"}, "key_file: empty holds no key"),
        ("connect A D", {"key_file": "nowhere"}, "key_file: nowhere is not there"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    told: Callable[..., str], arguments: str, settings: dict[str, object], expected: str
) -> None:
    assert expected in told(*arguments.split(), **settings)


def test_a_key_that_is_another_one_is_told(place: Path, told: Callable[..., str]) -> None:
    (place / "other.key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    expected = "key_file: other.key is not the key that the database was used with"
    assert expected == told("connect", "A", "D", key_file="other.key")


@pytest.mark.parametrize("arguments", ["district create", "district show", "sync D", "connect A"])
def test_an_argument_that_is_no_text_is_told(place: Path, arguments: str) -> None:
    # A byte outside UTF-8 reaches the program as an unpaired surrogate.
    told_by_a_process(place, *arguments.split(), "\udcff")


def test_a_port_that_is_taken_is_told_with_how_to_choose_another(place: Path) -> None:
    with program.serving("serve", folder=place) as server:
        port = server.base.rpartition(":")[2]
        for command in ("serve", "demo"):
            line = told_by_a_process(place, command, "--port", port)
            assert line == (
                f"port {port} on 127.0.0.1 cannot be used: Address already in use; choose "
                "another one with --port"
            )


def test_nothing_of_all_this_changed_the_district(place: Path) -> None:
    shown = program.done("district", "show", "D", "--json", folder=place)
    assert '"users": 6' in shown
    assert '"committed_syncs": 1' in shown


@pytest.mark.parametrize("command", [["check", "files"], ["sync", "D", "files"]], ids=" ".join)
def test_an_unreadable_folder_is_reported_as_a_bad_source(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """What the system does for a person other than root."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ROLLBOOK_DATABASE", str(place / "rollbook.db"))

    def refuse(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("os.listdir", refuse)
    refused = CliRunner().invoke(rollbook, command, prog_name="rollbook")
    assert refused.exit_code == 1, refused.output
    assert "Permission denied" in refused.output + str(refused.exception)
