"""A district's folder or zip file: which files are found, and what is refused before anything is read."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rollbook.errors import SourceRejected
from rollbook.roster.intake.csv import files, folder, layout
from rollbook.roster.problems import Problem
from rollbook.roster.views import diff
from tests.roster.world import FILES, TEACHERS, Found, outcome, read, write


def stops(source: Path) -> list[Problem]:
    with pytest.raises(SourceRejected) as caught:
        files.open_all(source, memory_limit="256MB").close()
    return [problem for problem in caught.value.problems if isinstance(problem, Problem)]


def found(problems: list[Problem]) -> Found:
    return [(problem.file, problem.row, problem.code) for problem in problems]


def archive(path: Path, entries: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    (stop,) = stops(tmp_path / "nowhere")
    assert (stop.file, stop.code) == ("nowhere", "missing-source")
    assert str(tmp_path) not in str(stop)


def test_a_plain_file_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "students.csv").write_text("x")
    assert found(stops(tmp_path / "students.csv")) == [("students.csv", None, "missing-source")]


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"schools.csv": None, "enrollments.csv": None})
    assert found(stops(tmp_path)) == [
        ("schools.csv", None, "missing-file"),
        ("enrollments.csv", None, "missing-file"),
    ]


def test_a_file_name_in_other_letters_is_read_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {"schools.csv": None, "Schools.CSV": FILES["schools.csv"]})
    world = read(tmp_path)
    assert (world.found, len(world.tables["schools"])) == ([("schools.csv", None, "other-spelling")], 2)
    assert str(world.problems[0]) == "schools.csv is not there; Schools.CSV was read as schools.csv"


def test_a_file_name_in_other_letters_is_read_in_a_zip_file_too(tmp_path: Path) -> None:
    entries = {
        name.capitalize() if name == "students.csv" else name: content for name, content in FILES.items()
    }
    world = read(archive(tmp_path / "d.zip", entries))
    assert (world.found, len(world.tables["students"])) == ([("students.csv", None, "other-spelling")], 4)


@pytest.mark.parametrize("name", ["students.csv", "staff.csv"])
def test_two_inexact_spellings_of_a_file_name_stop_the_sync(name: str, tmp_path: Path) -> None:
    two = {name.capitalize(): FILES["students.csv"], name.upper(): FILES["students.csv"]}
    write(tmp_path / "files", {name: None, **two})
    packed = archive(
        tmp_path / "d.zip", {key: content for key, content in FILES.items() if key != name} | two
    )
    for source in (tmp_path / "files", packed):
        (stop,) = stops(source)
        assert (stop.file, stop.code) == (name, "two-spellings")
        assert f"found {name.upper()!r} and {name.capitalize()!r}" in str(stop)


def test_other_csv_files_are_ignored_with_a_warning_and_anything_else_in_silence(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"contacts.csv": "x", "Schools.csv": "x", "readme.txt": "x", "notes": "x"})
    assert world.found == [("Schools.csv", None, "ignored-file"), ("contacts.csv", None, "ignored-file")]


def test_a_folder_with_a_files_name_stops(tmp_path: Path) -> None:
    write(tmp_path, {"students.csv": None})
    (tmp_path / "students.csv").mkdir()
    assert found(stops(tmp_path)) == [("students.csv", None, "unreadable-file")]


def test_a_pipe_with_a_files_name_stops_without_waiting(tmp_path: Path) -> None:
    write(tmp_path, {"students.csv": None})
    os.mkfifo(tmp_path / "students.csv")
    assert found(stops(tmp_path)) == [("students.csv", None, "unreadable-file")]


def test_a_loop_of_links_stops(tmp_path: Path) -> None:
    write(tmp_path, {"students.csv": None})
    (tmp_path / "students.csv").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "students.csv")
    assert found(stops(tmp_path)) == [("students.csv", None, "unreadable-file")]


def test_a_broken_link_stops(tmp_path: Path) -> None:
    write(tmp_path, {"students.csv": None})
    (tmp_path / "students.csv").symlink_to(tmp_path / "nowhere")
    assert found(stops(tmp_path)) == [("students.csv", None, "unreadable-file")]


def test_a_link_out_of_the_folder_stops_since_it_could_show_others_files(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", {"students.csv": None})
    (tmp_path / "secret.csv").write_text(FILES["students.csv"])
    (mine / "students.csv").symlink_to(tmp_path / "secret.csv")
    assert found(stops(mine)) == [("students.csv", None, "unreadable-file")]


def test_a_link_to_the_folder_itself_and_links_inside_it_are_read(tmp_path: Path) -> None:
    real = write(tmp_path / "2026-03-01", {"students.csv": None})
    (real / "students-final.txt").write_text(FILES["students.csv"])
    (real / "students.csv").symlink_to("students-final.txt")
    (tmp_path / "current").symlink_to(real)
    assert len(read(tmp_path / "current").tables["students"]) == 4


@pytest.mark.parametrize(
    "target",
    [
        "old/students.txt",
        "./old/../old/students.txt",
        "{folder}/old/students.txt",
        "again",
        "new/students.txt",
    ],
)
def test_links_that_stay_in_the_folder_are_followed(target: str, tmp_path: Path) -> None:
    write(tmp_path, {"students.csv": None})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "students.txt").write_text(FILES["students.csv"])
    (tmp_path / "new").symlink_to("old")
    (tmp_path / "again").symlink_to("old/students.txt")
    (tmp_path / "students.csv").symlink_to(target.format(folder=tmp_path))
    assert len(read(tmp_path).tables["students"]) == 4


@pytest.mark.parametrize(
    "target", ["../secret.csv", "old/../../secret.csv", "{folder}/../secret.csv", "out/secret.csv", "/", ".."]
)
def test_links_that_leave_the_folder_stop(target: str, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", {"students.csv": None})
    (mine / "old").mkdir()
    (mine / "out").symlink_to(tmp_path)
    (tmp_path / "secret.csv").write_text(FILES["students.csv"])
    (mine / "students.csv").symlink_to(target.format(folder=mine))
    (stop,) = stops(mine)
    assert (stop.file, stop.code, stop.value) == (
        "students.csv",
        "unreadable-file",
        "a link that leads out of it",
    )


def test_a_link_swapped_in_after_a_file_was_opened_shows_nothing_of_another_district(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write(tmp_path / "mine")
    (tmp_path / "secret.csv").write_text(FILES["students.csv"].replace("Amy", "Eve"))
    find: Any = folder.find

    def find_and_swap(*arguments: Any) -> Any:
        found = find(*arguments)
        (mine / "students.csv").unlink()
        (mine / "students.csv").symlink_to(tmp_path / "secret.csv")
        return found

    monkeypatch.setattr(folder, "find", find_and_swap)
    assert read(mine).column("students", "first")["amy"] == "Amy"


def test_a_file_that_is_moved_away_after_it_was_opened_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write(tmp_path / "mine")
    find: Any = folder.find

    def find_and_move(*arguments: Any) -> Any:
        found = find(*arguments)
        (mine / "students.csv").rename(tmp_path / "done.csv")
        return found

    monkeypatch.setattr(folder, "find", find_and_move)
    assert len(read(mine).tables["students"]) == 4


def test_a_zip_file_that_an_operator_names_by_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "real").mkdir()
    archive(tmp_path / "real" / "x.zip", FILES)
    (tmp_path / "in" / "latest.zip").symlink_to("../real/x.zip")
    assert len(read(tmp_path / "in" / "latest.zip").tables["students"]) == 4


@pytest.mark.parametrize("target", [".", "./", "{folder}", "old", "old/."])
def test_a_file_that_is_a_link_to_a_folder_stops(target: str, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine")
    (mine / "old").mkdir()
    (mine / "resources.csv").symlink_to(target.format(folder=mine))
    (stop,) = stops(mine)
    assert (stop.file, stop.code) == ("resources.csv", "unreadable-file")
    assert stop.value in ("a folder or a device", "a link that leads out of it")


def test_no_copy_of_a_districts_files_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    names: list[str] = []
    scan: Any = layout.scan

    def look(name: str, path: Path) -> Any:
        names.extend(path.name for path in work.rglob("*.csv"))
        return scan(name, path)

    monkeypatch.setattr(layout, "scan", look)
    path = archive(tmp_path / "d.zip", {**FILES, "teachers.csv": TEACHERS.replace("\n", "\r")})
    files.open_all(path, memory_limit="256MB", temporary=work).close()
    assert names == []


def test_a_file_without_permission_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    is_open = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:  # root may read everything
        if Path(path).name == "students.csv":
            raise PermissionError(errno.EACCES, "Permission denied")
        return is_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert found(stops(tmp_path)) == [("students.csv", None, "unreadable-file")]


def test_a_file_that_fails_while_it_is_read_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)

    def fail(name: str, path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(layout, "scan", fail)
    reasons = {(stop.code, stop.value) for stop in stops(tmp_path)}
    assert {("unreadable-file", "Permission denied")} == reasons


def test_a_full_disk_is_no_fault_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(layout, "copy_clean", fail)
    monkeypatch.setattr(folder, "_copy", fail)
    for source in (
        write(tmp_path / "files", {"teachers.csv": TEACHERS.replace("\n", "\r")}),
        archive(tmp_path / "d.zip", FILES),
    ):
        with pytest.raises(OSError, match="No space left"):
            files.open_all(source, memory_limit="256MB")


@pytest.mark.parametrize("prefix", ["", "export/", "./", "export 2026-03-01/"])
def test_a_zip_file_of_loose_files_or_of_one_folder_is_read(prefix: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "district.ZIP", {prefix + name: content for name, content in FILES.items()})
    assert len(read(path).tables["students"]) == 4


def test_files_that_operating_systems_add_to_a_zip_are_ignored(tmp_path: Path) -> None:
    extra: dict[str, str | bytes] = {
        "__MACOSX/export/._students.csv": b"\0\0",
        "export/.DS_Store": b"\0",
        "export/._schools.csv": b"\0",
        "export/notes.txt": "x",
    }
    path = archive(
        tmp_path / "d.zip", {**{f"export/{name}": content for name, content in FILES.items()}, **extra}
    )
    assert read(path).found == []


@pytest.mark.parametrize(
    "name",
    [
        "../students.csv",
        "/students.csv",
        "a/../../students.csv",
        "..\\students.csv",
        "a/b/students.csv",
        "other/students.csv",
    ],
)
def test_a_zip_file_with_names_elsewhere_stops(name: str, tmp_path: Path) -> None:
    entries = {**FILES, name: "x"}
    del entries["students.csv"]
    assert found(stops(archive(tmp_path / "d.zip", entries))) == [("d.zip", None, "bad-archive")]
    assert [path.name for path in tmp_path.iterdir()] == ["d.zip"]


def test_a_zip_file_with_one_name_twice_stops(tmp_path: Path) -> None:
    path = archive(tmp_path / "d.zip", {**FILES, "./students.csv": "x"})
    assert found(stops(path)) == [("d.zip", None, "bad-archive")]


def test_a_zip_file_without_the_required_files_names_them(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "d.zip", {name: content for name, content in FILES.items() if name != "teachers.csv"}
    )
    assert found(stops(path)) == [("teachers.csv", None, "missing-file")]


def test_a_zip_bomb_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "ZIP_RATIO_FROM_BYTES", 100_000)
    path = archive(tmp_path / "d.zip", {**FILES, "students.csv": b"0" * 30_000_000})
    (stop,) = stops(path)
    assert (stop.file, stop.code) == ("d.zip", "bad-archive")
    assert "students.csv grows beyond" in str(stop)


def test_a_zip_file_that_is_too_large_in_all_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "UNZIPPED_BYTES_MAX", 300)
    assert found(stops(archive(tmp_path / "d.zip", FILES))) == [("d.zip", None, "bad-archive")]


def test_a_zip_file_that_lies_about_its_sizes_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "ZIP_RATIO_FROM_BYTES", 1000)
    path = archive(tmp_path / "d.zip", {**FILES, "students.csv": b"0" * 3_000_000})
    content = path.read_bytes().replace(struct.pack("<I", 3_000_000), struct.pack("<I", 10))
    path.write_bytes(content)
    assert found(stops(path)) == [("d.zip", None, "bad-archive")]


def test_a_zip_file_of_very_many_files_stops(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "d.zip", {**FILES, **{f"{number}.txt": "" for number in range(folder.ENTRIES_MAX)}}
    )
    assert found(stops(path)) == [("d.zip", None, "bad-archive")]


def test_an_encrypted_zip_file_stops(tmp_path: Path) -> None:
    path = archive(tmp_path / "d.zip", FILES, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 4)
    path.write_bytes(content)
    (stop,) = stops(path)
    assert "encrypted" in str(stop)


def test_a_link_in_a_zip_file_stops(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = ((stat.S_IFLNK if name == "students.csv" else stat.S_IFREG) | 0o644) << 16
            packed.writestr(entry, "/etc/passwd" if name == "students.csv" else content)
    assert found(stops(path)) == [("d.zip", None, "bad-archive")]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_stops(method: int, tmp_path: Path) -> None:
    (stop,) = stops(archive(tmp_path / "d.zip", FILES, method))
    assert "expected the usual compression" in str(stop)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_or_cut_zip_file_stops_wherever_the_damage_is(method: int, tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole.zip", FILES, method).read_bytes()
    path = tmp_path / "d.zip"
    for cut in range(0, len(whole), 197):
        path.write_bytes(whole[:cut])
        assert found(stops(path)) == [("d.zip", None, "bad-archive")]
    for at in range(30, len(whole), 131):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(SourceRejected):  # and no other error
            files.open_all(path, memory_limit="256MB").close()


def test_a_zip_file_inside_a_zip_file_is_no_folder(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("students.csv", "x")
    assert len(stops(archive(tmp_path / "d.zip", {"inner.zip": inner.getvalue()}))) == 5


def test_admins_csv_is_read_as_staff_csv_with_a_warning(tmp_path: Path) -> None:
    admins = "School_id,Staff_id,Admin_email,First_name,Last_name,Admin_title\nash,9,fay@example.org,Fay,Fox,Dean\n"
    world = outcome(tmp_path, {"admins.csv": admins})
    assert world.found == [("admins.csv", None, "deprecated-file")]
    (fay,) = world.tables["staff"]
    assert (fay["key"], fay["email"], fay["title"], fay["role"]) == (
        "9",
        "fay@example.org",
        "Dean",
        "PortalOnly",
    )


def test_admins_csv_is_ignored_beside_staff_csv(tmp_path: Path) -> None:
    staff = "School_id,Staff_id,Staff_email,First_name,Last_name\nash,9,fay@example.org,Fay,Fox\n"
    world = outcome(tmp_path, {"staff.csv": staff, "admins.csv": "nonsense"})
    assert world.found == [("admins.csv", None, "ignored-file")]
    assert [row["key"] for row in world.tables["staff"]] == ["9"]


def test_the_engine_reaches_nothing_but_its_folder_once_the_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("secret\n")
    with closing(files.open_all(write(tmp_path / "files"), memory_limit="256MB")) as tables:
        for statement in (
            f"SELECT * FROM read_text('{tmp_path / 'secret.csv'}')",
            f"SELECT * FROM read_text('{tables.folder}/../../../../../../../../etc/hostname')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.parquet'}'",
            "SET enable_external_access = true",
            "SET memory_limit = '1TB'",
            f"ATTACH '{tmp_path / 'other.db'}'",
        ):
            with pytest.raises(duckdb.Error):
                tables.connection.execute(statement)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "secret.csv"]


@pytest.mark.parametrize("name", ["it's", 'quo"te', "a[b]*c?d", "sp ace; DROP"])
def test_a_temporary_folder_of_any_name_serves(name: str, tmp_path: Path) -> None:
    work = tmp_path / name
    work.mkdir()
    source = write(tmp_path / "files", {"teachers.csv": TEACHERS.replace("\n", "\r")})
    with closing(files.open_all(source, memory_limit="256MB", temporary=work)) as tables:
        assert diff.write(tables.connection, "problems", work).exists()
        assert tables.counts(["teachers.csv"]) == {"teachers.csv": 2}
