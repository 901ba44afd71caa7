"""Write an invented district as Clever's SIS files, school by school, so memory does not grow with the
district."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from rollbook.errors import BadSetting, Refused
from rollbook.synthetic import hand_edits
from rollbook.synthetic.district import District
from rollbook.synthetic.flaws import Row, Spoiler
from rollbook.synthetic.hand_edits import Edits
from rollbook.synthetic.lines import COLUMNS, line, student_rows
from rollbook.synthetic.resources import resources
from rollbook.synthetic.rows import SchoolRoster

DEFAULT_NAME = "Example Unified"
BUFFER_BYTES = 1 << 18
# The file beside the SIS files that holds their digests. By these, a later run recognises its own files
# before it replaces or removes them.
MARKER = ".rollbook-generated"


@dataclass(frozen=True)
class Summary:
    """What was written."""

    rows: Mapping[str, int]
    """Rows by name of the file, bad ones counted, the header not."""
    problems: Mapping[str, int]
    """Bad rows by the code that a sync reports them by."""
    bad_rows: Mapping[str, int]
    """Bad rows by name of the file."""
    named_people: Mapping[str, str]
    """The Student_id or Teacher_id of the person whom a scenario is about, by the scenario as it was named."""


def write(
    folder: Path,
    *,
    students: int,
    seed: int = 1,
    day: int = 0,
    problems: float = 0.0,
    scenarios: tuple[str, ...] = (),
    name: str = DEFAULT_NAME,
    edits: Edits = MappingProxyType({}),
) -> Summary:
    """Write the district of (students, seed) on a day into a folder; the same arguments write the same bytes.

    Args:
        folder: made if missing. Files with other names are left alone; files that were not written here are
            never replaced.
        students: from 50 to 1,000,000. seed: which district of that size. day: days after the first school
            day, up to 30 years. problems: bad rows for each good row of a file, 0..1.
        scenarios: names in `rollbook.synthetic.scenarios.SCENARIOS`, applied in turn; `name@31` began on
            day 31. name: of the district; schools.csv has it as `ext.network`.
        edits: cells that were changed by hand.

    Raises:
        BadSetting: a number is out of its range.
        Refused: a scenario is unknown, the folder cannot be written to, or it holds a file with such a name
            that was not written here.
    """
    if not 0 <= problems <= 1:
        raise BadSetting(f"problems must be a share from 0 to 1, not {problems}")
    district = District(students, seed, day, scenarios, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in foreign(folder):
            raise Refused(
                f"{folder / file} was not written by Rollbook, or was changed since; nothing was written."
                " Choose another folder, or remove that file yourself"
            )
        with _replaced_together(folder) as opened:
            files = Files(opened, problems, seed, edits)
            _write_rosters(files, district)
            if district.edits.cuts_students:
                files.cut_in_half("students.csv")
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror or error}") from error
    return files.summary(district.named_people())


class Files:
    """The eight files while they are being written, with a share of bad rows among the good ones."""

    def __init__(self, opened: Mapping[str, TextIO], problems: float, seed: int, edits: Edits) -> None:
        self._opened = opened
        self._edits = edits
        self._rows = dict.fromkeys(COLUMNS, 0)
        self._spoilers = {file: Spoiler(file, problems, seed) for file in COLUMNS}
        for file, columns in COLUMNS.items():
            opened[file].write(line(columns) + "\n")

    def add(self, file: str, rows: Iterable[Row]) -> None:
        """Write rows to a file, with the bad ones among them."""
        written = list(self._spoilers[file].spoiled(hand_edits.applied(file, list(rows), self._edits)))
        self._rows[file] += len(written)
        self._opened[file].write("".join([f"{line(row)}\n" for row in written]))

    def cut_in_half(self, file: str) -> None:
        """Keep the header and the first half of a file's rows; no cell has a line end in it."""
        self._rows[file] //= 2
        self._opened[file].flush()
        with open(self._opened[file].name, "rb+") as again:
            for _ in range(self._rows[file] + 1):
                again.readline()
            again.truncate(again.tell())

    def summary(self, named_people: Mapping[str, str]) -> Summary:
        """What was written so far."""
        problems: Counter[str] = sum((spoiler.found for spoiler in self._spoilers.values()), Counter())
        bad_rows = {file: spoiler.found.total() for file, spoiler in self._spoilers.items()}
        return Summary(dict(self._rows), dict(sorted(problems.items())), bad_rows, named_people)


def foreign(folder: Path, *, is_whole: bool = False) -> Iterator[str]:
    """The names of files that were not written here, or were changed since.

    `is_whole`: include files with other names.
    """
    known = _digests(folder)
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if name in COLUMNS:
            if path.is_symlink() or not path.is_file() or _digest(path) not in known.get(name, ()):
                yield name
        elif is_whole and (
            path.is_symlink()
            or not path.is_file()
            or name not in (MARKER, *map(_partial, (MARKER, *COLUMNS)))
        ):
            yield name


@contextmanager
def _replaced_together(folder: Path) -> Iterator[dict[str, TextIO]]:
    """New files that get their names at the end: all of them, or none after a failure."""
    partial = {file: folder / _partial(file) for file in COLUMNS}
    try:
        with ExitStack() as stack:
            yield {file: stack.enter_context(_opened_new(path)) for file, path in partial.items()}
        before, new = _digests(folder), {file: [_digest(path)] for file, path in partial.items()}
        # Keep the old and the new digests during the replacement: after a break at any moment, all files are
        # recognised.
        _keep_digests(folder, {file: [*before.get(file, ()), *digests] for file, digests in new.items()})
        for file, path in partial.items():
            os.replace(path, folder / file)
        _keep_digests(folder, new)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def _opened_new(path: Path) -> TextIO:
    """A new file that only its owner can read, because SIS files hold passwords.

    A file or link of the same name is removed; the link's target stays.
    """
    path.unlink(missing_ok=True)
    return open(path, "x", encoding="utf-8", newline="", buffering=BUFFER_BYTES, opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _partial(file: str) -> str:
    return f".{file}.partial"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(folder: Path) -> dict[str, list[str]]:
    """The digests of the files that were written into a folder."""
    try:
        return dict(json.loads((folder / MARKER).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _keep_digests(folder: Path, digests: Mapping[str, list[str]]) -> None:
    """Replace the marker file as a whole."""
    new = folder / _partial(MARKER)
    with _opened_new(new) as file:
        file.write(json.dumps(digests))
    os.replace(new, folder / MARKER)


def _write_rosters(files: Files, district: District) -> None:
    courses: dict[tuple[str, str], None] = {}
    for roster in district.rosters():
        _add_school(files, roster)
        courses.update(
            ((row.course_name, row.course_number), None) for row in roster.sections if row.course_name
        )
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
