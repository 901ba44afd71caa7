"""`rollbook check` checks files as a sync would, and writes only a list, if one was asked for."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from tests import world
from tests.commands.terminal import DISTRICT, Terminal, roll
from tests.journeys import program


def broken() -> dict[str, str]:
    files = roll(20)
    return {
        **files,
        "students.csv": files["students.csv"] + "birch,eli,Eng,Eli\n",
        "enrollments.csv": files["enrollments.csv"] + "ash,algebra,eli\n" * 2,
    }


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose database does not exist: every use of it is refused."""
    opened = Terminal("/proc/nowhere/rollbook.db", tmp_path, capsys, monkeypatch)
    assert opened.run("district", "list").code == 1
    return opened


def test_good_files_have_no_problems(office: Terminal) -> None:
    world.write(office.folder / "files", roll(20))
    assert [" ".join(line.split()) for line in office.done("check", "files").lines] == [
        "file rows left out",
        *(
            "schools.csv 1 0",
            "students.csv 20 0",
            "teachers.csv 1 0",
            "sections.csv 1 0",
            "enrollments.csv 1 0",
        ),
        "no problems",
    ]
    assert sorted(path.name for path in office.folder.iterdir()) == ["files"]


def test_what_a_sync_would_leave_out_is_shown_and_has_an_exit_code(office: Terminal) -> None:
    world.write(office.folder / "files", broken())
    outcome = office.run("check", "files", "--problems", "all.csv")
    assert (outcome.code, outcome.err) == (1, "")
    assert [" ".join(line.split()) for line in outcome.lines] == [
        "file rows left out",
        *(
            "schools.csv 1 0",
            "students.csv 21 1",
            "teachers.csv 1 0",
            "sections.csv 1 0",
            "enrollments.csv 3 2",
        ),
        "3 errors, in the order in which to fix them:",
        "error: 1 x unknown-school in students.csv (School not in schools.csv)",
        "students.csv row 22: School_id 'birch' is not an accepted school of schools.csv",
        "error: 2 x unknown-student in enrollments.csv (Student not in students.csv)",
        "enrollments.csv row 3: Student_id 'eli' is not an accepted student of students.csv",
        "enrollments.csv row 4: Student_id 'eli' is not an accepted student of students.csv",
        "3 problems are listed in all.csv",
    ]
    with (office.folder / "all.csv").open(newline="") as file:
        assert [(row["file"], row["row"]) for row in csv.DictReader(file)] == [
            ("students.csv", "22"),
            ("enrollments.csv", "3"),
            ("enrollments.csv", "4"),
        ]


def test_warnings_alone_are_no_failure(office: Terminal) -> None:
    files = roll(5)
    world.write(
        office.folder / "files", {**files, "schools.csv": files["schools.csv"].replace(",1\n", ",\n")}
    )
    assert (
        "warning: 1 x blank-school-number in schools.csv (School number missing)"
        in office.done("check", "files").lines
    )


def test_files_that_cannot_be_used_name_all_that_stops_them(office: Terminal) -> None:
    world.write(office.folder / "files", {**roll(5), "schools.csv": "", "students.csv": ""})
    outcome = office.run("check", "files")
    assert outcome.code == 1
    assert [line.split()[1] for line in outcome.lines] == ["schools.csv", "students.csv"]
    assert (
        outcome.err == "rollbook: schools.csv is empty; expected a header row and rows of data (and 1 more)\n"
    )
    missing = office.run("check", "nothing-there")
    assert (missing.code, missing.err.count("\n")) == (1, 1)


def test_programs_read_the_same_shape_of_good_bad_and_unusable_files(office: Terminal) -> None:
    shapes = []
    for files in (roll(5), broken(), {**roll(5), "schools.csv": ""}):
        world.write(office.folder / "files", files)
        shapes.append(office.run("check", "files", "--json").json())
    good, bad, unusable = shapes
    assert good.keys() == bad.keys() == unusable.keys()
    assert (good["state"], bad["state"], unusable["state"]) == ("usable", "usable", "failed")
    assert bad["files"]["students.csv"] == {"rows": 21, "left_out": 1}
    assert unusable["files"] == {}
    assert bad["problems"][0].keys() == unusable["problems"][0].keys()


def test_it_finds_what_a_sync_finds(small_terminal: Terminal) -> None:
    synced = small_terminal.send(broken(), "--json").json()
    checked = small_terminal.run("check", "files", "--json").json()
    for same in ("problems_by_severity", "problem_groups", "problems"):
        assert checked[same] == synced[same]
    assert len(small_terminal.done("history", DISTRICT).lines) == 1


def test_it_follows_a_districts_rules(office: Terminal) -> None:
    files = {
        **world.FILES,
        "students.csv": world.FILES["students.csv"].replace(",5,", ",05,").replace("ext.bus", "Colour"),
    }
    world.write(office.folder / "files", files)
    assert office.run("check", "files").code == 1
    assert "unknown-value" in office.done("check", "files", "--lenient").out
    assert "unknown-value" not in office.done("check", "files", "--lenient", "--set", "lenient_grades=on").out


def test_a_zip_file_is_checked_too_and_needs_no_database_of_its_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        for name, text in roll(5).items():
            archive.writestr(name, text)
    assert program.done("check", "files.zip", folder=tmp_path).splitlines()[-1] == "no problems"
    assert [path.name for path in tmp_path.iterdir()] == ["files.zip"]
