"""A demo removes only what a demo made: the command refuses a folder with anything else, and touches nothing
in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rollbook.demo import demo_folder, turns
from rollbook.demo.demo_folder import DATABASE, FILES, KEY, MARKER, READY
from rollbook.errors import Refused
from rollbook.settings import Settings
from rollbook.store.engine.shared_counters import lasting_file
from rollbook.store.engine.sqlite import inspected
from rollbook.synthetic import writer
from tests import demos
from tests.demos import Demo
from tests.journeys import program

Entry = tuple[int, int, bytes]


def entries(folder: Path) -> dict[str, Entry]:
    """Everything in a folder: its kind and mode, its time, and its bytes or link target."""
    return {str(path.relative_to(folder)): _entry(path) for path in folder.rglob("*")}


def _entry(path: Path) -> Entry:
    facts = path.lstat()
    content = (
        str(path.readlink()).encode() if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
    )
    return facts.st_mode, facts.st_mtime_ns, content


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real server: its database and key, and the SIS files of its district."""
    folder = tmp_path_factory.mktemp("real")
    writer.write(folder / FILES, students=60)
    (folder / FILES / writer.MARKER).unlink()
    program.done("district", "create", "Willow Unified", folder=folder)
    program.done("sync", "Willow Unified", FILES, folder=folder)
    assert (folder / KEY).exists()
    return folder


@pytest.fixture
def hub(real: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(real, tmp_path / "hub"))


@pytest.mark.parametrize("options", [(), ("--fresh",), ("--advance", "1")])
def test_a_demo_in_a_real_servers_folder_is_refused(hub: Path, options: tuple[str, ...]) -> None:
    before = entries(hub)
    outcome = program.run("demo", "--folder", ".", *options, "--port", str(program.free_port()), folder=hub)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        f"rollbook: folder: . holds {FILES}, and no demo has marked the folder as its own ({MARKER}); nothing was touched."
        f" Choose another folder with --folder, or remove {FILES} yourself\n"
    )
    assert entries(hub) == before


@pytest.mark.parametrize("options", [(), ("--fresh",), ("--advance", "1")])
def test_two_processes_do_not_make_one_demo(tmp_path: Path, options: tuple[str, ...]) -> None:
    asked = ("demo", "--folder", "mine", *options, "--port", str(program.free_port()))
    with turns.making(tmp_path / "mine"):
        outcome = program.run(*asked, folder=tmp_path)
        assert (outcome.returncode, outcome.stdout) == (1, "")
        assert outcome.stderr == (
            "rollbook: another process makes a demo in mine; wait until that is done, or choose another folder with"
            " --folder\n"
        )
    assert entries(tmp_path / "mine") == {}


def test_a_demo_that_is_there_waits_for_no_other_process(made_demo: Path, tmp_path: Path) -> None:
    shutil.copytree(made_demo, tmp_path / "mine")
    with turns.making(tmp_path / "mine"):
        saved = program.run("demo", "--folder", "mine", "--save", "one", folder=tmp_path)
    assert (saved.returncode, saved.stderr) == (0, "")


def test_of_two_processes_at_once_one_makes_the_demo_and_the_other_makes_no_second(tmp_path: Path) -> None:
    asked = ("demo", "--students", "60", "--save")
    first = subprocess.Popen(
        [*program.PROGRAM, *asked, "one"],
        cwd=tmp_path,
        env=program.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    second = program.run(*asked, "two", folder=tmp_path).stderr
    told = sorted((first.communicate(timeout=program.TIMEOUT_SECONDS)[1], second))
    # The later one is refused, or finds the demo when the first has made it.
    assert told[0] == ""
    assert told[1] == "" or "another process makes a demo" in told[1]
    assert demo_folder.is_ready(tmp_path / "rollbook-demo")


@pytest.mark.parametrize("marks", [(READY,), (MARKER,), (READY, MARKER)])
def test_a_marker_in_a_real_servers_folder_opens_nothing(
    hub: Path, made_demo: Path, marks: tuple[str, ...]
) -> None:
    for name in marks:
        shutil.copy(made_demo / name, hub / name)
    before = entries(hub)
    for options in ((), ("--fresh",), ("--advance", "1")):
        outcome = program.run(
            "demo", "--folder", hub, *options, "--port", str(program.free_port()), folder=hub
        )
        assert (outcome.returncode, outcome.stdout, "nothing was touched" in outcome.stderr) == (1, "", True)
        assert entries(hub) == before


def test_a_folder_is_marked_before_anything_else_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match=r"notes\.txt"):
        demos.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_a_demo_made_is_removed_whole(demo: Demo) -> None:
    # A file that its server leaves, too.
    lasting_file(Settings(database=str(demo.folder / DATABASE)))
    demo.move("1")
    demo_folder.clear(demo.folder)
    assert entries(demo.folder) == {}
    demo_folder.clear(demo.folder)
    demo_folder.clear(demo.folder / "not there")


@pytest.mark.parametrize("last", range(len(demo_folder.MADE) + 1))
def test_a_demo_that_was_removed_in_part_is_removed_to_its_end(demo: Demo, last: int) -> None:
    for name in demo_folder.MADE[:last]:
        (demo.folder / name).unlink(missing_ok=True)
    demo_folder.clear(demo.folder)
    assert entries(demo.folder) == {}


def test_a_demo_that_was_just_begun_is_removed(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    demo_folder.clear(tmp_path)
    demo_folder.begin(tmp_path)
    (tmp_path / DATABASE).touch()
    (tmp_path / FILES).mkdir()
    (tmp_path / FILES / ".students.csv.partial").write_text("School_id")
    demo_folder.clear(tmp_path)
    assert entries(tmp_path) == {}


def a_file(folder: Path, real: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def sis_files(folder: Path, real: Path) -> None:
    shutil.copy(real / FILES / "students.csv", folder / FILES / "students.csv")


def a_file_among_the_sis_files(folder: Path, real: Path) -> None:
    (folder / FILES / "passwords.csv").write_text("mine")


def a_folder_among_the_sis_files(folder: Path, real: Path) -> None:
    (folder / FILES / "last year").mkdir()


def a_database(folder: Path, real: Path) -> None:
    shutil.copy(real / DATABASE, folder / DATABASE)


def a_file_that_is_no_database(folder: Path, real: Path) -> None:
    (folder / DATABASE).write_text("mine" * 1000)


def a_key(folder: Path, real: Path) -> None:
    shutil.copy(real / KEY, folder / KEY)


def a_log_alone(folder: Path, real: Path) -> None:
    (folder / DATABASE).unlink()
    (folder / f"{DATABASE}-wal").write_text("mine")


def a_link_to_a_database(folder: Path, real: Path) -> None:
    (folder / DATABASE).unlink()
    (folder / DATABASE).symlink_to(real / DATABASE)


def a_link_to_sis_files(folder: Path, real: Path) -> None:
    shutil.rmtree(folder / FILES)
    (folder / FILES).symlink_to(real / FILES)


def a_link_to_a_sis_file(folder: Path, real: Path) -> None:
    (folder / FILES / "students.csv").unlink()
    (folder / FILES / "students.csv").symlink_to(real / FILES / "students.csv")


def a_district(folder: Path, real: Path) -> None:
    program.done("district", "create", "Willow Unified", "--database", folder / DATABASE, folder=folder)


def an_application(folder: Path, real: Path) -> None:
    program.done("application", "create", "Reader", "--database", folder / DATABASE, folder=folder)


def real_files_in_the_demos_district(folder: Path, real: Path) -> None:
    outcome = program.run("sync", demos.NAME, real / FILES, "--database", folder / DATABASE, folder=folder)
    assert outcome.returncode == 3, outcome  # held, and kept for an approval


@pytest.mark.parametrize(
    ("put", "named"),
    [
        (a_file, "notes.txt"),
        (sis_files, "files/students.csv"),
        (a_file_among_the_sis_files, "files/passwords.csv"),
        (a_folder_among_the_sis_files, "files/last year"),
        (a_database, "the district 'Willow Unified' in rollbook.db"),
        (a_file_that_is_no_database, "rollbook.db"),
        (a_key, "rollbook.db.key"),
        (a_log_alone, "rollbook.db-wal"),
        (a_link_to_a_database, "rollbook.db"),
        (a_link_to_sis_files, "files"),
        (a_link_to_a_sis_file, "files/students.csv"),
        (a_district, "the district 'Willow Unified' in rollbook.db"),
        (an_application, "the application 'Reader' in rollbook.db"),
        (real_files_in_the_demos_district, f"sync 3 of {demos.NAME!r} in rollbook.db"),
    ],
)
def test_a_demo_that_holds_something_else_is_not_removed(
    demo: Demo, real: Path, put: Callable[[Path, Path], None], named: str
) -> None:
    put(demo.folder, real)
    before, others = entries(demo.folder), entries(real)
    with pytest.raises(
        Refused, match=f"^folder: .* holds {named}, which no demo made; nothing was touched\\."
    ):
        demo_folder.clear(demo.folder)
    assert (entries(demo.folder), entries(real)) == (before, others)


def test_the_next_days_files_replace_only_files_that_were_written_before(demo: Demo, real: Path) -> None:
    a_link_to_sis_files(demo.folder, real)
    before = entries(real)
    with pytest.raises(
        Refused,
        match=r"administrators\.csv was not written by Rollbook, or was changed since; nothing was written",
    ):
        demo.move("1")
    assert entries(real) == before


def test_looking_into_a_database_leaves_it_as_it_is(hub: Path) -> None:
    before = entries(hub)
    with inspected(hub / DATABASE) as connection:
        assert connection.rows("SELECT name FROM districts") == [("Willow Unified",)]
    assert entries(hub) == before
