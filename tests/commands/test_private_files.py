"""Only the owner can read files with student data, whatever the shell's umask is.

Files that others can read cause a warning.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world
from tests.commands.terminal import DISTRICT, Terminal
from tests.journeys import program

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "running.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def free_shell() -> Iterator[None]:
    """A shell whose new files everyone may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """The mode of everything in a folder that the test did not put there."""
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if not str(path.relative_to(folder)).startswith("files")
    }


def test_the_database_its_key_lists_and_invented_files_are_their_owners_alone(
    small_terminal: Terminal,
) -> None:
    students = world.FILES["students.csv"].replace("\n", "\n,,,\n", 1)
    small_terminal.send({**world.FILES, "students.csv": students}, "--problems", "problems.csv")
    small_terminal.done("generate", "invented/district", "--students", "50")
    found = modes(small_terminal.folder)
    assert {"rollbook.db", "key", "problems.csv", "invented/district/students.csv"} <= {*found}
    assert {mode for name, mode in found.items() if (small_terminal.folder / name).is_file()} == {"0o600"}
    assert {mode for name, mode in found.items() if (small_terminal.folder / name).is_dir()} == {"0o700"}


def test_a_list_of_problems_that_others_could_read_is_its_owners_alone_from_now_on(
    small_terminal: Terminal,
) -> None:
    old = small_terminal.folder / "problems.csv"
    old.write_text("old")
    old.chmod(0o666)
    small_terminal.send(world.FILES, "--problems", old)
    assert (stat.S_IMODE(old.stat().st_mode), old.read_text().startswith("file,row")) == (0o600, True)


@pytest.mark.parametrize(("name", "mode"), [("rollbook.db", 0o644), ("key", 0o640), ("rollbook.db", 0o604)])
def test_a_sync_warns_of_what_others_may_read(small_terminal: Terminal, name: str, mode: int) -> None:
    file = small_terminal.folder / name
    file.chmod(mode)
    outcome = small_terminal.send(world.FILES)
    assert outcome.code == 0
    assert outcome.err == (
        f"rollbook: warning: other accounts of this machine may read {file} (mode {mode:o});"
        f" let only the owner read it: chmod 600 {file}\n"
    )
    file.chmod(0o600)
    assert small_terminal.send(world.FILES).err == ""


def test_a_server_warns_of_what_others_may_read(tmp_path: Path) -> None:
    program.done("district", "create", "D", folder=tmp_path)
    (tmp_path / "rollbook.db.key").chmod(0o644)
    port = str(program.free_port())
    server = subprocess.Popen(
        [*program.PROGRAM, "serve", "--port", port],
        cwd=tmp_path,
        env=program.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout
    try:
        assert server.stdout.readline().startswith(
            "rollbook: warning: other accounts of this machine may read rollbook.db.key"
        )
    finally:
        server.terminate()
        server.communicate()


def test_the_guides_backup_and_restore_keep_everything_their_owners_alone(small_terminal: Terminal) -> None:
    folder = small_terminal.folder
    small_terminal.send(world.FILES)
    (folder / "key").rename(folder / "rollbook.db.key")
    (folder / "files").rename(folder.with_name(f"{folder.name} files"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**program.environment(), "PATH": path}
    for block in ("umask 077     #", "umask 077\ncp"):
        (lines,) = re.findall(rf"^```\n({re.escape(block)}.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
        lines = lines.replace('"Springfield Unified"', f'"{DISTRICT}"')
        subprocess.run(
            ["sh", "-ec", lines], cwd=folder, env=environment, check=True, capture_output=True, umask=0o022
        )
        assert {"backup.db", "the-other-place.key", "rollbook.db", "rollbook.db.key"} <= {*modes(folder)}
        assert {*modes(folder).values()} == {"0o600"}
