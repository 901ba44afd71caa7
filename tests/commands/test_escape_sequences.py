"""Text in names, labels, files and arguments never controls the operator's terminal, in any command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollbook.cli import COMMANDS
from rollbook.commands import terminal_guard
from tests import world
from tests.commands.terminal import Terminal

# Colours, a title, an eight-bit control character, a bell, and a mark that reverses the reading direction.
STEERING = "\x1b[31m\x1b]0;title\x07\x9b2J\u202e"
TOWN, READER, LIBRARY = f"Town {STEERING}", f"Reader {STEERING}", f"Library {STEERING}"


def files() -> dict[str, str]:
    """The world with control sequences in every name and value, one bad row, and an unknown file."""
    students = (
        world.FILES["students.csv"].replace("Noether", f"Noether{STEERING}").replace("3/23/2009", STEERING)
    )
    return {
        **world.FILES,
        "students.csv": students.replace("ext.bus", f"ext.bus{STEERING}"),
        "schools.csv": world.FILES["schools.csv"].replace("North High", f"North{STEERING}"),
        "teachers.csv": world.FILES["teachers.csv"].replace("Lovelace", f"Lovelace{STEERING}"),
        "sections.csv": world.FILES["sections.csv"].replace("Room 12", STEERING)
        + f"{STEERING},x{STEERING},t-ada,,,,,,,,\n",
        f"more{STEERING}.csv": "x\n",
    }


# The calls of each command, in this order; failing ones print, too.
RUNS: tuple[tuple[str, ...], ...] = (
    ("settings",),
    ("settings", "--json"),
    ("generate", f"out{STEERING}", "--students", "0"),
    ("demo", f"--{STEERING}"),
    ("serve", "--port", STEERING),
    ("district", "create", TOWN),
    ("district", "list"),
    ("check", "files", "--problems", f"listed{STEERING}.csv"),
    ("check", "files", "--json"),
    ("sync", TOWN, "files", "--plan"),
    ("sync", TOWN, "files", "--problems", f"listed{STEERING}.csv"),
    ("sync", TOWN, f"missing{STEERING}"),
    ("district", "show", TOWN),
    ("district", "show", TOWN, "--json"),
    ("district", "contact", TOWN, "grace@south.example"),
    ("district", "show", f"nobody{STEERING}"),
    ("status",),
    ("history", TOWN),
    ("history", TOWN, "--json"),
    ("history", TOWN, "--sync", "1"),
    ("approve", TOWN),
    ("discard", TOWN),
    ("application", "create", READER),
    ("application", "create", LIBRARY, "--tier", "library"),
    ("application", "list"),
    ("application", "show", READER),
    ("application", "owners", READER),
    ("application", "owners", READER, "--add", STEERING),
    ("connect", READER, TOWN),
    ("events", READER, "on"),
    ("events", "of", READER, TOWN),
    ("events", "of", STEERING, TOWN),
    ("share", READER, TOWN, "schools", STEERING),
    ("share", READER, TOWN, "--history"),
    ("shares", TOWN),
    ("shares", TOWN, "--json"),
    ("thaw", READER, TOWN),
    ("token", READER, "emmy"),
    ("token", READER, STEERING),
    ("find", TOWN, "noether"),
    ("find", TOWN, STEERING, "--json"),
    ("explain", TOWN, "emmy", READER),
    ("explain", TOWN, "emmy", READER, "--json"),
    ("explain", TOWN, STEERING, READER),
    ("portal", TOWN, "emmy"),
    ("portal", TOWN, "emmy", "--json"),
    ("portal", TOWN, STEERING),
    ("arrivals", TOWN),
    ("arrivals", TOWN, "--json"),
    ("arrivals", STEERING),
    ("ids", TOWN),
    ("ids", TOWN, "--csv", f"pairs{STEERING}.csv"),
    ("operator", "add", STEERING),
    ("operator", "list"),
    ("operator", "list", "--json"),
    ("operator", "passkeys", STEERING),
    ("operator", "reset", STEERING),
    ("operator", "remove", STEERING),
    ("schools", TOWN),
    ("schools", STEERING),
    ("sections", TOWN, "--json"),
    ("sections", TOWN, "--text", STEERING),
    ("mail", "choose", STEERING, f"{STEERING}@example.org"),
    ("mail", "list"),
    ("mail", "outbox"),
    ("webhook", "add", f"http://127.0.0.1:9/{STEERING}", "--district", TOWN),
    ("webhook", "list"),
    ("webhook", "list", "--json"),
    ("backups", "--folder", f"kept{STEERING}"),
    ("backups", "--zone", STEERING),
    ("backups", "--json"),
    ("badge", TOWN, "emmy"),
    ("badge", "revoke", TOWN, "emmy"),
    ("sign-out", TOWN, "emmy"),
    ("provider", "set", TOWN, "--name", STEERING),
    ("provider", "show", TOWN),
    ("provider", "test", TOWN),
    ("key", "rotate"),
    ("audit",),
    ("audit", "--json"),
    ("log",),
    ("thresholds", TOWN),
    ("rules", TOWN),
    ("sync", TOWN, "files", "--queue"),
    ("jobs",),
    ("jobs", "--json"),
    ("jobs", "--district", STEERING),
    ("work", "--processes", STEERING),
    ("schedule", TOWN, "--folder", f"drop{STEERING}"),
    ("schedule", TOWN, "--zone", STEERING),
    ("schedule", TOWN, "--json"),
    ("sftp", "account", TOWN, "--name", STEERING),
    ("sftp", "account", TOWN, "--name", "town"),
    ("night",),
    ("night", "--json"),
    ("rehearse", READER, "--folder", f"demo{STEERING}"),
    ("backup", f"backup{STEERING}"),
    ("backup", "backup", "--json"),
    ("restore", f"backup{STEERING}"),
    ("restore", f"no{STEERING}", "--replace"),
    ("database", "copy", "rollbook.db", f"copy{STEERING}"),
    ("pause", TOWN),
    ("resume", TOWN),
    ("undo", TOWN),
    ("clone", f"http://127.0.0.1:9/{STEERING}"),
    ("disconnect", READER, TOWN),
    (STEERING,),
)


def test_every_command_is_run() -> None:
    assert {run[0] for run in RUNS} - {STEERING} == set(COMMANDS)


def test_no_command_prints_what_steers_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(str(tmp_path / "rollbook.db"), tmp_path, capsys, monkeypatch)
    monkeypatch.setenv(f"ROLLBOOK_X{STEERING.replace(chr(0), '')}", STEERING)
    world.write(tmp_path / "files", files())
    told = 0
    for run in RUNS:
        outcome = terminal.run(*run)
        for text in (outcome.out, outcome.err):
            assert all(letter.isprintable() or letter == "\n" for letter in text), (run, text)
        told += "title" in outcome.out + outcome.err
        if "--json" in run:
            outcome.json()
    assert told > 20, "the sequences must have been in what was printed"


def test_json_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(str(tmp_path / "rollbook.db"), tmp_path, capsys, monkeypatch)
    terminal.done("district", "create", TOWN)
    assert [each["name"] for each in terminal.done("district", "list", "--json").json()] == [TOWN]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_the_guard_keeps_letters_and_escapes_the_rest(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, errors="backslashreplace"))
    with terminal_guard.guarded():
        print("plain", json.dumps("x"))
        print(f"a{STEERING}\U000e0001b")
        sys.stdout.flush()
        sys.stdout.buffer.write(b"bytes\x1b\n")
    first, second, third = raw.getvalue().decode(encoding).splitlines()
    assert (first, third) == ('plain "x"', "bytes\\u001b")
    assert second.isprintable()
    assert second.startswith("a\\u001b[31m\\u001b]0;title\\u0007")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from rollbook.cli import main; main()", "settings"]
    environment = {**os.environ, "ROLLBOOK_DATABASE": str(tmp_path / "rollbook.db")}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()
