"""The files as files: their bytes, their names, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollbook.errors import BadSetting, Refused
from rollbook.synthetic import writer
from rollbook.synthetic.lines import COLUMNS, line
from rollbook.synthetic.writer import MARKER, write
from tests.synthetic.written import digest, read, written

# What these arguments wrote at the last intended change. Other machines, Python versions and hash seeds must
# write the same. A change of the generator may change them; then the changelog says so.
FINGERPRINTS = (
    ({"students": 50}, "b4f5eca827b090fd2853d3da1b8f96b58004a200fc242929d2cd9709d6e0673c"),
    (
        {"students": 120, "seed": 7, "day": 400, "problems": 0.1, "name": 'Say "Unified", please'},
        "123fa25d4d2c97430d4aadd22ebc1d91585cca040331e1292d750b4d74e01548",
    ),
)


@pytest.mark.parametrize(("arguments", "fingerprint"), FINGERPRINTS)
def test_arguments_write_the_bytes_they_have_always_written(
    tmp_path: Path, arguments: dict[str, int], fingerprint: str
) -> None:
    write(tmp_path, **arguments)  # type: ignore[arg-type]
    assert fingerprint == digest(tmp_path)


def test_another_process_with_other_hashes_writes_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from rollbook.synthetic.writer import write; "
        "write(pathlib.Path(sys.argv[1]), students=80, day=99)"
    )
    for name in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / name], env={"PYTHONHASHSEED": name}, check=True
        )
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.mark.parametrize(
    "other", [{"seed": 2}, {"day": 30}, {"students": 151}, {"name": "Another"}, {"problems": 0.5}]
)
def test_any_other_argument_writes_other_bytes(tmp_path: Path, other: dict[str, int]) -> None:
    arguments = {"students": 150}
    write(tmp_path / "a", **arguments)  # type: ignore[arg-type]
    write(tmp_path / "b", **arguments | other)  # type: ignore[arg-type]
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def test_files_are_utf_8_with_one_line_feed_after_each_row(tmp_path: Path) -> None:
    summary = write(tmp_path, students=200)
    for file in COLUMNS:
        text = (tmp_path / file).read_bytes().decode("utf-8")
        assert "\r" not in text
        assert text.endswith("\n")
        assert text.count("\n") == summary.rows[file] + 1


def test_headers_are_spelled_as_clever_spells_them(tmp_path: Path) -> None:
    write(tmp_path, students=50)
    headers = {
        file: (tmp_path / file).read_text(encoding="utf-8").splitlines()[0].split(",") for file in COLUMNS
    }
    assert headers["enrollments.csv"] == ["School_id", "Section_id", "Student_id"]
    assert headers["administrators.csv"] == [
        "Admin_id",
        "Admin_email",
        "First_name",
        "Last_name",
        "Title",
        "Role",
    ]
    assert {"DOB", "Hispanic_Latino", "IEP_status", "Frl_status", "Contact_sis_id"} <= {
        *headers["students.csv"]
    }
    assert {"Teacher_2_id", "Teacher_4_id", "Term_start", "ext.room"} <= {*headers["sections.csv"]}


def test_cells_with_commas_and_quotes_are_quoted() -> None:
    assert line(["a", 'b "c"', "d, e", ""]) == 'a,"b ""c""","d, e",'


def test_summary_counts_the_rows_of_each_file(tmp_path: Path) -> None:
    summary = write(tmp_path, students=300, problems=0.2)
    assert summary.rows == {file: len(rows) for file, rows in read(tmp_path).items()}


def test_folder_is_made_and_other_files_in_it_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write(folder, students=50)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    write(folder, students=60)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*COLUMNS, MARKER, "notes.txt"])
    assert len(read(folder)["schools.csv"]) == 2


def test_a_failure_leaves_the_old_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, students=50)
    before = digest(tmp_path)

    def full(_files: object, _district: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write_rosters", full)
    with pytest.raises(Refused, match="No space left on device"):
        write(tmp_path, students=60)
    assert before == digest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((*COLUMNS, MARKER))


@pytest.mark.parametrize("put", ["another file", "a changed file", "a link", "a folder"])
def test_a_file_that_was_not_written_here_is_never_replaced(tmp_path: Path, put: str) -> None:
    folder, students, real = tmp_path / "sis", tmp_path / "sis" / "students.csv", tmp_path / "real.csv"
    real.write_text("mine")
    folder.mkdir()
    if put == "another file":
        students.write_text("mine")
    if put == "a changed file":
        write(folder, students=50)
        with students.open("a") as file:
            file.write("mine")
    if put == "a link":
        students.symlink_to(real)
    if put == "a folder":
        students.mkdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(
        Refused,
        match=r"sis/students\.csv was not written by Rollbook, or was changed since; nothing was written\.",
    ):
        write(folder, students=60)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert real.read_text() == "mine"


def test_files_are_replaced_after_a_break_between_two_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, students=50)
    replace = os.replace

    def breaks(old: Path, new: Path) -> None:
        if new.name == "students.csv":
            raise OSError("the power went")
        replace(old, new)

    monkeypatch.setattr(os, "replace", breaks)
    with pytest.raises(Refused, match="the power went"):
        write(tmp_path, students=60)
    monkeypatch.undo()
    write(tmp_path, students=60)
    write(tmp_path / "fresh", students=60)
    assert digest(tmp_path) == digest(tmp_path / "fresh")


def test_files_are_for_their_owner_alone_as_passwords_stand_in_them(tmp_path: Path) -> None:
    write(tmp_path, students=50)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(Refused, match="taken"):
        write(tmp_path / "taken", students=50)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"students": 49}, "students"),
        ({"students": 1_000_001}, "students"),
        ({"students": 50, "day": -1}, "day"),
        ({"students": 50, "day": 10_951}, "day"),
        ({"students": 50, "problems": 1.01}, "problems"),
        ({"students": 50, "problems": -0.1}, "problems"),
        ({"students": 50, "problems": float("nan")}, "problems"),
    ],
)
def test_impossible_numbers_are_refused_by_name_and_nothing_is_written(
    tmp_path: Path, arguments: dict[str, int], named: str
) -> None:
    with pytest.raises(BadSetting, match=named):
        write(tmp_path / "none", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_name_of_the_district_is_in_its_schools(tmp_path: Path) -> None:
    district = written(tmp_path, students=50, name='Say "Unified", please')
    assert {row["ext.network"] for row in district["schools.csv"]} == {'Say "Unified", please'}
