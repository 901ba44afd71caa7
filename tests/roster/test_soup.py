"""Properties of the reader: any bytes give tables or one clear stop, and the engine reads what our own
grammar reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.contract.clever.columns import BLANKS, FILES
from rollbook.errors import SourceRejected
from rollbook.roster.intake.csv import csv_text, files
from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.problems import Problem
from tests.roster.world import write

HEAD = b"School_id,Teacher_id,First_name,Last_name\n"
SLOW = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

pieces = st.sampled_from(
    [
        b"a",
        b"b",
        b",",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b'"',
        b'""',
        b" ",
        b"\t",
        b"\\",
        "é".encode(),
        b"'",
    ]
)
soup = st.lists(pieces, max_size=40).map(b"".join)
cells = st.text(st.sampled_from('ab ,"\n\té'), max_size=6)
rows = st.lists(st.tuples(*[cells] * 4), min_size=1, max_size=6)
styles = st.lists(st.booleans(), min_size=24, max_size=24)


Read = list[tuple[object, ...]] | None


def engine_rows(source: Path) -> Read:
    """The rows of teachers.csv from `files`; None for a stop."""
    try:
        tables = files.open_all(source, memory_limit="256MB")
    except SourceRejected as rejected:
        stops = rejected.problems
    else:
        with closing(tables):
            query = 'SELECT "row", school_id, teacher_id, first_name, last_name FROM teachers ORDER BY "row"'
            return tables.connection.execute(query).fetchall()
    assert all(
        isinstance(problem, Problem) and problem.severity == "stop" and str(problem) for problem in stops
    )
    return None


def grammar_rows(path: Path) -> Read:
    """The same from our own grammar."""
    try:
        _, *found = csv_text.rows("teachers.csv", path)
    except Unusable:
        return None
    if any(len(row.cells) != 4 for row in found):
        return None
    read = [(row.number, *(cell.decode().strip(BLANKS) for cell in row.cells)) for row in found]
    return [row for row in read if any(row[1:])] or None


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("soup"))


@SLOW
@given(
    content=st.one_of(
        soup, soup.map(lambda rest: HEAD + rest), soup.map(lambda rest: HEAD + b"a,b,c,d\n" + rest)
    )
)
def test_what_the_engine_reads_is_what_the_grammar_reads(content: bytes, source: Path) -> None:
    (source / "teachers.csv").write_bytes(content)
    if content.startswith(HEAD):
        assert engine_rows(source) == grammar_rows(source / "teachers.csv")
    else:
        engine_rows(source)


@SLOW
@given(rows=rows, quoted=styles, line_end=st.sampled_from(["\n", "\r\n", "\r"]), is_ended=st.booleans())
def test_any_written_csv_is_read_back(
    rows: list[tuple[str, str, str, str]], quoted: list[bool], line_end: str, is_ended: bool, source: Path
) -> None:
    def cell(text: str, wish: bool) -> str:
        return '"' + text.replace('"', '""') + '"' if wish or any(mark in text for mark in ',"\n') else text

    wishes = iter(quoted)
    lines = [",".join(cell(text, next(wishes)) for text in row) for row in rows]
    text = line_end.join([HEAD.decode().strip(), *lines]) + (line_end if is_ended else "")
    (source / "teachers.csv").write_bytes(text.encode())
    trimmed = [(number, *(text.strip(BLANKS) for text in row)) for number, row in enumerate(rows, 2)]
    expected = [row for row in trimmed if any(row[1:])]
    assert engine_rows(source) == (expected or None)


@SLOW
@given(contents=st.fixed_dictionaries({file.name: st.binary(max_size=200) | soup for file in FILES}))
def test_any_bytes_give_tables_or_stops_and_nothing_else(
    contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine_rows(write(tmp_path_factory.mktemp("bytes"), dict(contents)))
