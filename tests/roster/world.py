"""Small districts as text, and what a sync makes of them.

The district: Ash School and Birch School. Mr Lund teaches algebra at Ash, Ms Okoye art at Birch, and both
share a homeroom there. Amy is in algebra and art, Ben in algebra, Cem in art and homeroom, Dot in no section.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever import checks, normalize
from rollbook.roster.intake.csv import files
from rollbook.roster.problems import Problem

SCHOOLS = """School_id,School_name,School_number
ash,Ash School,1
birch,Birch School,2
"""
TEACHERS = """School_id,Teacher_id,First_name,Last_name,Teacher_email
ash,lund,Lars,Lund,lund@example.org
birch,okoye,Oba,Okoye,okoye@example.org
"""
STUDENTS = """School_id,Student_id,First_name,Last_name,Grade
ash,amy,Amy,Adams,4
ash,ben,Ben,Baker,4
birch,cem,Cem,Celik,5
birch,dot,Dot,Diaz,5
"""
SECTIONS = """School_id,Section_id,Teacher_id,Teacher_2_id,Name,Course_name,Course_number,Period,Term_name,Term_start,Term_end
ash,algebra,lund,,Sec A,Algebra I,M1,2,Fall,8/20/2025,12/19/2025
birch,art,okoye,,Sec B,Art,A1,1,Fall,8/20/2025,12/19/2025
birch,home,okoye,lund,Homeroom B,,,,,,
"""
ENROLLMENTS = """School_id,Section_id,Student_id
ash,algebra,amy
ash,algebra,ben
birch,art,amy
birch,art,cem
birch,home,cem
"""
FILES: Mapping[str, str] = {
    "schools.csv": SCHOOLS,
    "teachers.csv": TEACHERS,
    "students.csv": STUDENTS,
    "sections.csv": SECTIONS,
    "enrollments.csv": ENROLLMENTS,
}

Found = list[tuple[str, int | None, str]]


@dataclass(frozen=True)
class Outcome:
    """The result for a sync's files: the rows of the roster tables as dictionaries in order of `row`, and the
    problems."""

    tables: dict[str, list[dict[str, Any]]]
    problems: list[Problem]
    errors: dict[str, int]

    @property
    def found(self) -> Found:
        return _places(self.problems)

    def column(self, table: str, column: str) -> dict[Any, Any]:
        """A column of a table, by key."""
        return {row["key"]: row[column] for row in self.tables[table]}


def write(folder: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write the district's files, some of them changed, added or (None) left out."""
    folder.mkdir(exist_ok=True)
    for name, content in {**FILES, **(changes or {})}.items():
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(source: Path, rules: Rules | None = None) -> Outcome:
    """Read, check and normalise a folder or zip file."""
    rules = rules or Rules()
    with closing(files.open_all(source, memory_limit="256MB", lenient=rules.lenient_headers)) as tables:
        problems = checks.check(tables, rules)
        normalize.roster(tables, rules)
        return Outcome(_rows(tables.connection), list(problems), problems.errors_by_kind())


def checked(folder: Path, changes: Mapping[str, str | bytes | None], rules: Rules | None = None) -> Found:
    """Write the district's files with changes; returns the problems of reading and checking them."""
    with closing(files.open_all(write(folder, changes), memory_limit="256MB")) as tables:
        return _places(checks.check(tables, rules or Rules()))


def outcome(
    folder: Path, changes: Mapping[str, str | bytes | None] | None = None, rules: Rules | None = None
) -> Outcome:
    """Write the district's files with changes, and read them."""
    return read(write(folder, changes), rules)


def _places(problems: Iterable[Problem]) -> Found:
    return [(problem.file, problem.row, problem.code) for problem in problems]


def _rows(connection: Any) -> dict[str, list[dict[str, Any]]]:
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_name LIKE "
        "'roster\\_%' ESCAPE '\\' ORDER BY ALL"
    ).fetchall()
    found = {}
    for (name,) in names:
        answer = connection.execute(f"SELECT * FROM {name} ORDER BY ALL")
        columns = [column[0] for column in answer.description]
        rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
        found[name.removeprefix("roster_")] = sorted(rows, key=lambda row: row.get("row", 0))
    return found
