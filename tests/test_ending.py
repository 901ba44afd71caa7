"""Runs that a signal ends leave nothing of a district behind.

The next run, or the server, removes what kill -9 leaves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rollbook import settings as setting_rows
from rollbook.roster import workfolder
from rollbook.store.engine.database import open_database
from rollbook.sync.workplace import workplace
from rollbook.web import upkeep
from tests import world
from tests.journeys import program

# A run in the middle of a query that takes far longer than any test, with a file of student data in its
# folder. No grace period ends it: the engine itself has to stop.
BUSY = """
import sys
from rollbook import settings
from rollbook.sync import ending
ending.GRACE_SECONDS = 3600
from rollbook.sync.workplace import engine_in, workplace
own = settings.read({}, temporary=sys.argv[1])
with workplace(own) as folder, engine_in(own, folder) as engine:
    (folder / "students.csv").write_text("secret")
    print(folder, flush=True)
    engine.execute("SELECT sum(hash(a.range + b.range)) FROM range(10000000) a, range(10000000) b")
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate()


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_busy_run_without_files_or_traceback(
    number: signal.Signals, busy: subprocess.Popen[str], tmp_path: Path
) -> None:
    busy.send_signal(number)
    _, errors = busy.communicate(timeout=program.TIMEOUT_SECONDS)
    assert (busy.returncode, errors, left(tmp_path)) == (128 + number, "", [])


def next_run(folder: Path) -> None:
    with workplace(setting_rows.read({}, temporary=str(folder))):
        pass


def server(folder: Path) -> None:
    place = str(folder.with_name(f"{folder.name}.db"))
    own = setting_rows.read({}, temporary=str(folder), database=place)
    with closing(open_database(place)) as database:
        upkeep.once(database, own, sweeps=True)


@pytest.mark.parametrize("remover", [next_run, server])
def test_what_kill_9_leaves_is_removed_once_its_owner_is_dead(
    remover: Callable[[Path], None], busy: subprocess.Popen[str], tmp_path: Path
) -> None:
    (folder,) = left(tmp_path)
    remover(tmp_path)
    assert left(tmp_path) == [folder]  # its process lives
    busy.kill()
    busy.wait()
    assert left(tmp_path) == [folder]
    remover(tmp_path)
    assert left(tmp_path) == []


def test_links_and_other_folders_are_not_taken_for_work_folders(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / f"{workfolder.PREFIX}link").symlink_to(tmp_path / "precious")
    (tmp_path / f"{workfolder.PREFIX}file").write_text("x")
    assert workfolder.remove_dead(tmp_path) == 0
    assert sorted(left(tmp_path)) == ["precious", f"{workfolder.PREFIX}file", f"{workfolder.PREFIX}link"]


def catches(process: int, number: int) -> bool:
    """Whether a process has its own handler for a signal."""
    status = Path(f"/proc/{process}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_sync_that_is_ended_says_so_by_its_exit_code_and_can_be_run_again(tmp_path: Path) -> None:
    work = tmp_path / "it's work"
    work.mkdir()
    world.write(tmp_path / "files")
    padding = "".join(f"{n},Filler {n},{n}\n" for n in range(1_000_000, 1_050_000))
    schools = tmp_path / "files" / "schools.csv"
    small = schools.read_text()
    columns = small.partition("\n")[0].count(",") + 1
    schools.write_text(small + "".join(line + "," * (columns - 3) + "\n" for line in padding.splitlines()))
    program.done("district", "create", "D", folder=tmp_path)
    process = subprocess.Popen(
        [*program.PROGRAM, "sync", "D", "files"],
        cwd=tmp_path,
        env=program.environment(temporary=work),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (os.listdir(work) and catches(process.pid, signal.SIGTERM)):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=program.TIMEOUT_SECONDS)
    assert (process.returncode, "Traceback" in errors, left(work)) == (128 + signal.SIGTERM, False, [])
    schools.write_text(small)
    program.done("sync", "D", "files", folder=tmp_path, temporary=work)


def test_a_folder_that_another_run_removes_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs begin at once: one removes what looks abandoned while the other one has just made its folder."""
    real, made = tempfile.mkdtemp, list[str]()

    def make(**given: Any) -> str:
        made.append(real(**given))
        if len(made) == 1:
            assert workfolder.remove_dead(tmp_path) == 1
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    with workplace(setting_rows.read({}, temporary=str(tmp_path))) as folder:
        assert str(folder) == made[1]
        assert left(tmp_path) == [folder.name]
