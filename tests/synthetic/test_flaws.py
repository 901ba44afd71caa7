"""Bad rows on purpose: as many as requested, of every kind, without the loss of a good row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.synthetic.flaws import FLAWS, LATER_ROW, SINGLE_ROW, Spoiler
from rollbook.synthetic.lines import COLUMNS
from rollbook.synthetic.writer import write
from tests.synthetic.written import read, written

IDS = {
    "schools.csv": "School_id",
    "students.csv": "Student_id",
    "teachers.csv": "Teacher_id",
    "sections.csv": "Section_id",
}


def good_rows(file: str, count: int) -> list[tuple[str, ...]]:
    """Rows with every cell filled, pairs of which belong to one student."""
    return [tuple(f"{column} {place // 2 * 2}" for column in COLUMNS[file]) for place in range(count)]


@pytest.mark.parametrize("file", COLUMNS)
def test_every_flaw_of_a_file_has_its_turn(file: str) -> None:
    spoiler = Spoiler(file, 1, 1)
    own = [flaw for flaw in FLAWS if flaw.file == file]
    rows = good_rows(file, 4 * len(own))
    if file == "students.csv":
        rows = [row for place, row in enumerate(rows) if place % 4 < 3]
    list(spoiler.spoiled(rows))
    assert {*spoiler.found} == {flaw.code for flaw in own}


def test_a_district_has_every_flaw_there_is(tmp_path: Path) -> None:
    assert {*write(tmp_path, students=1000, problems=1.0).problems} == {flaw.code for flaw in FLAWS}


def test_without_problems_no_row_is_bad(tmp_path: Path) -> None:
    summary = write(tmp_path, students=200)
    assert summary.problems == {}
    assert not any(summary.bad_rows.values())


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 1.0])
def test_share_of_bad_rows_is_the_share_asked_for(tmp_path: Path, share: float) -> None:
    clean = write(tmp_path, students=500)
    summary = write(tmp_path, students=500, problems=share)
    assert sum(summary.problems.values()) == sum(summary.bad_rows.values())
    for file, rows in clean.rows.items():
        assert abs(summary.bad_rows[file] - share * rows) <= 1


def test_no_good_row_is_changed_by_the_bad_ones(tmp_path: Path) -> None:
    clean, bad = written(tmp_path, students=500), written(tmp_path, students=500, problems=0.1)
    for file in COLUMNS:
        old, new = (Counter(tuple(row.values()) for row in district[file]) for district in (clean, bad))
        assert (old - new).total() <= 0.1 * old.total() + 1


@pytest.mark.parametrize(("file", "column"), IDS.items())
def test_no_record_is_lost_by_a_bad_row(tmp_path: Path, file: str, column: str) -> None:
    clean, bad = written(tmp_path, students=300), written(tmp_path, students=300, problems=1.0)
    assert {row[column] for row in clean[file]} <= {row[column] for row in bad[file]}


def test_a_flaw_in_place_never_touches_an_id() -> None:
    for flaw in FLAWS:
        good = dict.fromkeys(COLUMNS[flaw.file], "good")
        ids = {
            column
            for column in flaw.change(good, 1)
            if column.endswith("_id") and not column.startswith("Teacher_")
        }
        assert flaw.in_copy or ids <= {"School_id"}
        assert {*flaw.change(good, 1)} <= {*COLUMNS[flaw.file]}
        assert flaw.needs in ("", SINGLE_ROW, LATER_ROW, *COLUMNS[flaw.file])


def test_bad_files_are_still_files(tmp_path: Path) -> None:
    write(tmp_path, students=100, problems=1.0)
    for file, rows in read(tmp_path).items():
        assert rows
        assert all(None not in row and None not in row.values() for row in rows), file


@given(share=st.floats(0, 1), sizes=st.lists(st.integers(0, 9)))
def test_bad_rows_lie_evenly_however_the_rows_come(share: float, sizes: list[int]) -> None:
    spoiler = Spoiler("enrollments.csv", share, 3)
    for size in sizes:
        list(spoiler.spoiled(good_rows("enrollments.csv", size)))
        assert abs(spoiler.found.total() - share * sum(sizes[: sizes.index(size) + 1])) < sum(sizes) + 1
    assert abs(spoiler.found.total() - share * sum(sizes)) <= 1
