"""Writes an invented district as Clever's SIS files, school by school, so that memory does not grow with the district."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rollbook.errors import BadSetting, Refused
from rollbook.synthetic.district import District
from rollbook.synthetic.flaws import Row, Spoiler
from rollbook.synthetic.lines import COLUMNS, line, student_rows
from rollbook.synthetic.resources import resources
from rollbook.synthetic.rows import SchoolRoster

DEFAULT_NAME = "Example Unified"


@dataclass(frozen=True)
class Summary:
    """What was written: rows by file name, the header not counted, and bad rows by kind of problem and by file name."""

    rows: Mapping[str, int]
    problems: Mapping[str, int]
    bad_rows: Mapping[str, int]


def write(
    folder: Path,
    *,
    students: int,
    seed: int = 1,
    day: int = 0,
    problems: float = 0.0,
    scenarios: tuple[str, ...] = (),
    name: str = DEFAULT_NAME,
) -> Summary:
    """Write the district of (students, seed) on a day into a folder; the same arguments write the same bytes.

    Args:
        folder: made if it is not there; files of other names in it are left alone.
        students: from 50 to 1,000,000.
        seed: which district of that size.
        day: how many days after the first school day, up to 30 years.
        problems: how many bad rows there are for each good row of a file, 0..1.
        scenarios: names in `rollbook.synthetic.scenarios.SCENARIOS`, done one after the other.
        name: of the district; schools.csv has it as `ext.network`.

    Raises:
        BadSetting: a number is out of its range.
        Refused: a scenario is not known, or the folder cannot be written to.
    """
    if not 0 <= problems <= 1:
        raise BadSetting(f"problems must be a share from 0 to 1, not {problems}")
    district = District(students, seed, day, scenarios, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Files(folder, problems, seed) as files:
            _write_rosters(files, district)
            files.finish(half_students=district.edits.cuts_students)
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror or error}") from error
    return files.summary()


class Files:
    """The eight files while they are written; they get their names all at the end, and none if anything fails."""

    def __init__(self, folder: Path, problems: float, seed: int) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._rows = Counter(dict.fromkeys(COLUMNS, 0))
        self._spoilers = {file: Spoiler(file, problems, seed) for file in COLUMNS}

    def __enter__(self) -> Files:
        self._open = {
            file: self._stack.enter_context(self._partial(file).open("w", encoding="utf-8", newline="", buffering=1 << 18))
            for file in COLUMNS
        }
        for file, columns in COLUMNS.items():
            self._open[file].write(line(columns) + "\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
        for file in COLUMNS:
            self._partial(file).unlink(missing_ok=True)

    def add(self, file: str, rows: Iterable[Row]) -> None:
        """Write rows to a file, the bad ones among them."""
        written: Sequence[Row] = list(self._spoilers[file].spoiled(list(rows)))
        self._rows[file] += len(written)
        self._open[file].write("".join([f"{line(row)}\n" for row in written]))

    def finish(self, *, half_students: bool) -> None:
        """Give all files their names."""
        self._stack.close()
        if half_students:
            self._cut_in_half("students.csv")
        for file in COLUMNS:
            os.replace(self._partial(file), self._folder / file)

    def summary(self) -> Summary:
        """What was written so far."""
        problems: Counter[str] = sum((spoiler.found for spoiler in self._spoilers.values()), Counter())
        bad_rows = {file: spoiler.found.total() for file, spoiler in self._spoilers.items()}
        return Summary(dict(self._rows), dict(sorted(problems.items())), bad_rows)

    def _partial(self, file: str) -> Path:
        return self._folder / f".{file}.partial"

    def _cut_in_half(self, file: str) -> None:
        """Keep the first half of the rows; no cell has a line end in it."""
        self._rows[file] //= 2
        with self._partial(file).open("rb+") as opened:
            for _ in range(self._rows[file] + 1):
                opened.readline()
            opened.truncate(opened.tell())


def _write_rosters(files: Files, district: District) -> None:
    courses: dict[tuple[str, str], None] = {}
    for roster in district.rosters():
        _add_school(files, roster)
        courses.update(((row.course_name, row.course_number), None) for row in roster.sections if row.course_name)
    files.add("staff.csv", district.office_staff())
    files.add("administrators.csv", district.administrators())
    files.add("resources.csv", resources(courses))


def _add_school(files: Files, roster: SchoolRoster) -> None:
    files.add("schools.csv", [roster.school])
    files.add("students.csv", student_rows(roster.students))
    files.add("teachers.csv", roster.teachers)
    files.add("sections.csv", roster.sections)
    files.add("enrollments.csv", roster.enrollments)
    files.add("staff.csv", roster.staff)
