"""Difficult files for the CSV reader: read as the district means them, or stopped with one clear reason."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.contract.clever.columns import BLANKS
from rollbook.errors import SourceRejected
from rollbook.roster.findings import Problems
from rollbook.roster.intake.csv import files, layout
from rollbook.roster.intake.csv.layout import CELL_BYTES_MAX, CHUNK_BYTES, ROW_BYTES_MAX
from rollbook.roster.problems import Problem
from tests.roster.world import FILES, Found, write

Row = tuple[int, str, str, str]
HEAD = b"School_id,Teacher_id,First_name,Last_name\n"
QUOTED = b'"School_id","Teacher_id","First_name","Last_name"\n'
LUND: Row = (2, "lund", "Lars", "Lund")
OKOYE: Row = (3, "okoye", "Oba", "Okoye")


def read(folder: Path, content: bytes, *, lenient: bool = False) -> tuple[list[Row], Found]:
    """The rows of teachers.csv, and the warnings."""
    write(folder, {"teachers.csv": content})
    with closing(files.open_all(folder, memory_limit="256MB", lenient=lenient)) as tables:
        query = 'SELECT "row", teacher_id, first_name, last_name FROM teachers ORDER BY "row"'
        problems = Problems(tables.connection, 100)
        return tables.connection.execute(query).fetchall(), [
            (problem.file, problem.row, problem.code) for problem in problems
        ]


def stops(folder: Path) -> list[Problem]:
    """The stops of reading a folder."""
    with pytest.raises(SourceRejected) as caught:
        files.open_all(folder, memory_limit="256MB").close()
    return [problem for problem in caught.value.problems if isinstance(problem, Problem)]


def found(problems: list[Problem]) -> Found:
    return [(problem.file, problem.row, problem.code) for problem in problems]


def stopped(folder: Path, content: bytes) -> list[Problem]:
    """The stops of a teachers.csv."""
    return stops(write(folder, {"teachers.csv": content}))


GOOD = {
    "plain": HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n",
    "no final newline": HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye",
    "CRLF": HEAD.replace(b"\n", b"\r\n") + b"ash,lund,Lars,Lund\r\nbirch,okoye,Oba,Okoye\r\n",
    "CRLF without the last": HEAD.replace(b"\n", b"\r\n") + b"ash,lund,Lars,Lund\r\nbirch,okoye,Oba,Okoye",
    "bare CR": HEAD.replace(b"\n", b"\r") + b"ash,lund,Lars,Lund\rbirch,okoye,Oba,Okoye\r",
    "bare CR without the last": HEAD.replace(b"\n", b"\r") + b"ash,lund,Lars,Lund\rbirch,okoye,Oba,Okoye",
    "mixed line ends": HEAD + b"ash,lund,Lars,Lund\r\nbirch,okoye,Oba,Okoye\r",
    "LF header and CRLF rows": HEAD + b"ash,lund,Lars,Lund\r\nbirch,okoye,Oba,Okoye\r\n",
    "trailing blank lines": HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n\n\n\n",
    "trailing blank lines in CRLF": HEAD.replace(b"\n", b"\r\n")
    + b"ash,lund,Lars,Lund\r\nbirch,okoye,Oba,Okoye\r\n\r\n\r\n",
    "trailing rows of commas": HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n,,,\n , ,,\n",
    "byte order mark": b"\xef\xbb\xbf" + HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n",
    "byte order mark and quotes": b'\xef\xbb\xbf"School_id"'
    + HEAD[9:]
    + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n",
    "everything quoted": QUOTED + b'"ash","lund","Lars","Lund"\n"birch","okoye","Oba","Okoye"\n',
    "blanks around values": HEAD + b" ash, lund ,Lars\t,\xc2\xa0Lund\n birch,okoye ,Oba,Okoye \n",
    "one space at the end": HEAD + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye ",
    "one space at the end of a line": HEAD + b"ash,lund,Lars,Lund \nbirch,okoye,Oba,Okoye\n",
    "one space at the end of a line of CRLF": HEAD.replace(b"\n", b"\r\n")
    + b"ash,lund,Lars,Lund \r\nbirch,okoye,Oba,Okoye\r\n",
    "one space before a comma": HEAD + b"ash,lund ,Lars,Lund\nbirch,okoye,Oba,Okoye\n",
    "one space after a comma": HEAD + b"ash,lund, Lars,Lund\nbirch,okoye,Oba,Okoye\n",
    "one space at the beginning of a line": HEAD + b"ash,lund,Lars,Lund\n birch,okoye,Oba,Okoye\n",
    "one space in a quoted cell": HEAD + b'ash,lund,"Lars ",Lund\nbirch,okoye,Oba,Okoye\n',
    "wide blanks alone": HEAD + "ash,\u00a0lund,Lars\u3000,Lund\nbirch,okoye,\u2003Oba,Okoye\n".encode(),
    "blanks around quotes": HEAD + b'ash, "lund" ,Lars,Lund\nbirch,"okoye"\t,Oba,Okoye\n',
    "blanks of every kind around values": HEAD
    + b"".join(
        f"{school},{blanks}{key}{blanks},{first},{blanks}{last}\n".encode()
        for blanks, (_, key, first, last), school in (
            (BLANKS.translate({10: None, 13: None}), LUND, "ash"),
            ("\u2003", OKOYE, "birch"),
        )
    ),
    "line breaks around values": HEAD + b'ash,"\nlund\n","\r\nLars",Lund\nbirch,okoye,Oba,"Okoye\r"\n',
    "spaces of Unicode around values": HEAD
    + b"".join(
        f"{school},{key},{space}{first},{last}{space}\n".encode()
        for space, (_, key, first, last), school in (
            ("\u3000", LUND, "ash"),
            ("\u00a0\u2003 ", OKOYE, "birch"),
        )
    ),
    "columns in another order": b"Last_name,Teacher_id,School_id,First_name\nLund,lund,ash,Lars\nOkoye,okoye,birch,Oba\n",
    "headers in other letters": (
        b"SCHOOL ID,teacher-id, First_Name ,LAST NAME\nash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n"
    ),
    "a quoted header over two lines": HEAD.replace(b"Last_name", b'"Last_name\n"')
    + b"ash,lund,Lars,Lund\nbirch,okoye,Oba,Okoye\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_the_same_two_teachers_are_read_from_every_good_file(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, GOOD[name]) == ([LUND, OKOYE], [])


ODD: dict[str, tuple[bytes, list[Row]]] = {
    "comma in quotes": (b'ash,lund,"Lars, Jr.",Lund\n', [(2, "lund", "Lars, Jr.", "Lund")]),
    "doubled quotes": (b'ash,lund,"Lars ""Ole""",Lund\n', [(2, "lund", 'Lars "Ole"', "Lund")]),
    "only doubled quotes": (b'ash,lund,"""",Lund\n', [(2, "lund", '"', "Lund")]),
    "quotes inside an unquoted cell": (
        b'ash,lund,Lars "Ole" O,Lund\n',
        [(2, "lund", 'Lars "Ole" O', "Lund")],
    ),
    "one quote inside an unquoted cell": (
        b'ash,lund,5" Lars,Lund\nash,b,B,B\n',
        [(2, "lund", '5" Lars', "Lund"), (3, "b", "B", "B")],
    ),
    "blank and quoted blank": (b'ash,lund,,""\n', [(2, "lund", "", "")]),
    "words for nothing stay words": (b"ash,NULL,null,NA\n", [(2, "NULL", "null", "NA")]),
    "leading zeros and signs stay": (b"ash,007,+1e5,-0\n", [(2, "007", "+1e5", "-0")]),
    "backslashes are letters": (b'ash,a\\,"b\\",\\n\n', [(2, "a\\", "b\\", "\\n")]),
    "a hash is no comment": (b"#ash,#a,#b,#c\n", [(2, "#a", "#b", "#c")]),
    "semicolons and bars are letters": (b"ash,a;b,c|d,e\n", [(2, "a;b", "c|d", "e")]),
    "formulas are text": (b"ash,=1+1,@x,Lund\n", [(2, "=1+1", "@x", "Lund")]),
    "many scripts": (
        "ash,1,Øystein,王小明\nash,2,Zoë,अनीता\n".encode(),
        [(2, "1", "Øystein", "王小明"), (3, "2", "Zoë", "अनीता")],
    ),
    "a line break in quotes": (
        b'ash,lund,"Lars\nOle",Lund\nash,b,B,B\n',
        [(2, "lund", "Lars\nOle", "Lund"), (3, "b", "B", "B")],
    ),
    "CRLF in quotes becomes LF": (b'ash,lund,"Lars\r\nOle",Lund\n', [(2, "lund", "Lars\nOle", "Lund")]),
    "a line break, a comma and quotes at once": (
        b'ash,lund,"a ""b"",\n"",c",Lund\nash,b,B,B\n',
        [(2, "lund", 'a "b",\n",c', "Lund"), (3, "b", "B", "B")],
    ),
    "a blank line counts as a row": (b"ash,a,A,A\n\nash,b,B,B\n", [(2, "a", "A", "A"), (4, "b", "B", "B")]),
    "a line of blanks counts as a row": (
        b"ash,a,A,A\n   \nash,b,B,B\n",
        [(2, "a", "A", "A"), (4, "b", "B", "B")],
    ),
    "a row of commas counts as a row": (
        b"ash,a,A,A\n,,,\nash,b,B,B\n",
        [(2, "a", "A", "A"), (4, "b", "B", "B")],
    ),
    "blank lines and line breaks in quotes": (
        b'ash,a,"A\nA",A\n\n\nash,b,B,B\n',
        [(2, "a", "A\nA", "A"), (5, "b", "B", "B")],
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_cells_are_read_as_they_are_meant(name: str, tmp_path: Path) -> None:
    content, expected = ODD[name]
    assert (expected, []) == read(tmp_path, HEAD + content)


def test_blank_lines_before_the_header_count_as_rows(tmp_path: Path) -> None:
    assert read(tmp_path, b"\n\n\n" + HEAD + b"ash,lund,Lars,Lund\n") == ([(5, "lund", "Lars", "Lund")], [])


def test_inner_quotes_that_nobody_doubled_are_read_with_a_warning_for_their_row(tmp_path: Path) -> None:
    content = HEAD + b'ash,a,A,A\nash,b,"John "Jack" B",B\nash,c,"5" pipe",C\n'
    expected = [(2, "a", "A", "A"), (3, "b", 'John "Jack" B', "B"), (4, "c", '5" pipe', "C")]
    assert (expected, [("teachers.csv", 3, "inner-quotes"), ("teachers.csv", 4, "inner-quotes")]) == read(
        tmp_path, content
    )


@pytest.mark.parametrize(
    "row",
    [
        b'ash,b,"He said "hi", ok",B\n',  # a comma after an inner quote: three cells or four
        b'ash,b,"5"" x "y" z",B\n',  # doubled and undoubled quotes in one cell
        b'ash,b,"John "Jack,B\nash,c,C,C\n',  # never closed on its line, with text after its quote
    ],
)
def test_quotes_that_can_be_read_in_two_ways_stop_at_their_row(row: bytes, tmp_path: Path) -> None:
    assert found(stopped(tmp_path, HEAD + b"ash,a,A,A\n" + row)) == [("teachers.csv", 3, "stray-quote")]


def test_windows_1252_is_read_with_a_warning_for_the_first_row_that_needs_it(tmp_path: Path) -> None:
    content = HEAD + "ash,a,Ann,Ash\nash,b,Zoë,Müller\nash,c,“Cy”,O’Neil €\n".encode("cp1252")
    expected = [(2, "a", "Ann", "Ash"), (3, "b", "Zoë", "Müller"), (4, "c", "“Cy”", "O’Neil €")]
    assert (expected, [("teachers.csv", 3, "windows-1252")]) == read(tmp_path, content)


def test_windows_1252_behind_a_byte_order_mark_of_utf_8_is_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + HEAD + "ash,lund,Zoë,Lund\n".encode("cp1252")
    assert read(tmp_path, content) == ([(2, "lund", "Zoë", "Lund")], [("teachers.csv", 2, "windows-1252")])


def test_odd_blanks_across_the_borders_of_blocks_are_trimmed(tmp_path: Path) -> None:
    for place in range(CHUNK_BYTES - 3, CHUNK_BYTES + 1):
        content = HEAD + b"ash,a,A,A\n" * ((place - len(HEAD)) // 10 - 4)
        content += b"ash,b,B,".ljust(place - len(content) - 15, b"b") + b"\nash,lund,Lars,\xe2\x80\x8bLund\n"
        assert place == content.index(b"\xe2")
        assert read(tmp_path, content)[0][-1][3] == "Lund"


def test_a_space_at_the_end_of_a_cell_is_seen_where_two_blocks_meet(tmp_path: Path) -> None:
    for place in (CHUNK_BYTES - 1, CHUNK_BYTES):
        path = tmp_path / f"{place}.csv"
        path.write_bytes(b"x" * (place - 1) + b"x ,x\n")
        assert layout.scan("teachers.csv", path).has_outer_spaces
        path.write_bytes(b"x" * (place - 1) + b"x x\n")
        assert not layout.scan("teachers.csv", path).has_outer_spaces


def test_utf_8_letters_across_the_borders_of_blocks_are_no_windows_1252(tmp_path: Path) -> None:
    rows = b"".join(b"ash,%d,%s,X\n" % (number, "ëé王😀".encode()) for number in range(2 * CHUNK_BYTES // 24))
    teachers, remarks = read(tmp_path, HEAD + rows)
    assert remarks == []
    assert {("ëé王😀", "X")} == {row[2:] for row in teachers}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_across_the_borders_of_blocks_count_once(line_end: bytes, tmp_path: Path) -> None:
    count = 3 * CHUNK_BYTES // 20
    lines = [HEAD.strip(), *(b"ash,%d,A,%s" % (number, b"x" * (number % 17)) for number in range(count))]
    teachers, remarks = read(tmp_path, line_end.join(lines) + line_end)
    assert ([], count, (2, "0", "A", ""), (count + 1, str(count - 1))) == (
        remarks,
        len(teachers),
        teachers[0],
        teachers[-1][:2],
    )


def test_row_numbers_hold_in_a_large_file_with_line_breaks_in_quotes(tmp_path: Path) -> None:
    shapes = random.Random(7)
    lines = []
    for number in range(2, 60_000):
        name = shapes.choice(["A", '"A\nB"', '"""A"""', '"A, B"', '"\n\n"', '""'])
        lines.append(f"ash,{number},{name},L\n")
    teachers, remarks = read(tmp_path, HEAD + "".join(lines).encode())
    assert remarks == []
    assert list(range(2, 60_000)) == [row[0] for row in teachers]
    assert all(str(row[0]) == row[1] for row in teachers)


STOPPED: dict[str, tuple[bytes, Found]] = {
    "empty file": (b"", [("teachers.csv", None, "empty-file")]),
    "only line ends": (b"\n\r\n\n", [("teachers.csv", None, "empty-file")]),
    "only a byte order mark": (b"\xef\xbb\xbf", [("teachers.csv", None, "empty-file")]),
    "only commas": (b",,,\n,,,\n", [("teachers.csv", None, "empty-file")]),
    "header only": (HEAD, [("teachers.csv", None, "header-only")]),
    "header only, unended": (HEAD.strip(), [("teachers.csv", None, "header-only")]),
    "header and blank rows": (HEAD + b"\n,,,\n  \n", [("teachers.csv", None, "header-only")]),
    "cut off inside quotes": (HEAD + b'ash,a,A,A\nash,b,"Be', [("teachers.csv", 3, "open-quote")]),
    "cut off behind an opening quote": (HEAD + b'ash,a,A,A\nash,b,"', [("teachers.csv", 3, "open-quote")]),
    "cut off behind a doubled quote": (HEAD + b'ash,a,A,A\nash,b,"B""', [("teachers.csv", 3, "open-quote")]),
    "cut off in a row": (HEAD + b"ash,a,A,A\nash,b", [("teachers.csv", 3, "field-count")]),
    "cut off in a letter": (HEAD + b"ash,a,A,Zo\xc3", [("teachers.csv", None, "not-text")]),
    "NUL byte": (HEAD + b"ash,a,A,A\nash,b,B\x00,B\n", [("teachers.csv", 3, "nul-byte")]),
    "UTF-16": ((HEAD + b"ash,a,A,A\n").decode().encode("utf-16"), [("teachers.csv", None, "not-text")]),
    "UTF-16 without its mark": (
        (HEAD + b"ash,a,A,A\n").decode().encode("utf-16-le"),
        [("teachers.csv", 1, "nul-byte")],
    ),
    "neither UTF-8 nor Windows-1252": (HEAD + b"ash,a,A\x81,A\n", [("teachers.csv", 2, "not-text")]),
    "a field too few": (HEAD + b"ash,a,A,A\nash,b,B\nash,c,C,C\n", [("teachers.csv", 3, "field-count")]),
    "a field too many": (HEAD + b"ash,a,A,A\nash,b,B,B,B\n", [("teachers.csv", 3, "field-count")]),
    "a trailing comma": (HEAD + b"ash,a,A,A,\n", [("teachers.csv", 2, "field-count")]),
    "a field too few after line breaks in quotes": (
        HEAD + b'ash,a,"A\n\nA",A\n\nash,b,B\n',
        [("teachers.csv", 4, "field-count")],
    ),
    "no header row": (b"ash,a,A,A\nash,b,B,B\n", [("teachers.csv", 1, "no-header")]),
    "tabs for commas": (
        (HEAD + b"ash,a,A,A\n").replace(b",", b"\t"),
        [("teachers.csv", 1, "wrong-separator")],
    ),
    "semicolons for commas": (
        (HEAD + b"ash,a,A,A\n").replace(b",", b";"),
        [("teachers.csv", 1, "wrong-separator")],
    ),
    "a zip file by the name": (b"PK\x03\x04\x14\x00\x00\x00" + bytes(200), [("teachers.csv", 1, "nul-byte")]),
    "a web page by the name": (
        b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
        [("teachers.csv", 1, "no-header")],
    ),
    "a required column missing": (
        b"School_id,Teacher_id,First_name\nash,a,A\n",
        [("teachers.csv", None, "missing-header")],
    ),
    "a column that is not known": (
        HEAD.replace(b"\n", b",Shoe_size\n") + b"ash,a,A,A,9\n",
        [("teachers.csv", 1, "unknown-header")],
    ),
    "a column twice": (
        HEAD.replace(b"\n", b",teacher id\n") + b"ash,a,A,A,a\n",
        [("teachers.csv", 1, "duplicate-header")],
    ),
    "a value in a column without a name": (
        HEAD.replace(b"\n", b",\n") + b"ash,a,A,A,\nash,b,B,B,x\n",
        [("teachers.csv", 3, "unnamed-value")],
    ),
    "an own column with a space": (
        HEAD.replace(b"\n", b",ext.shoe size\n") + b"ash,a,A,A,9\n",
        [("teachers.csv", 1, "bad-header")],
    ),
    "an own column with two dots": (
        HEAD.replace(b"\n", b",ext.a.b\n") + b"ash,a,A,A,9\n",
        [("teachers.csv", 1, "bad-header")],
    ),
    "an own column twice": (
        HEAD.replace(b"\n", b",ext.a,EXT.A\n") + b"ash,a,A,A,9,9\n",
        [("teachers.csv", 1, "duplicate-header")],
    ),
    "three things at once in the header": (
        b"School_id,school-id,Teacher_id,Nonsense\nash,ash,a,x\n",
        [
            ("teachers.csv", None, "missing-header"),
            ("teachers.csv", None, "missing-header"),
            ("teachers.csv", 1, "duplicate-header"),
            ("teachers.csv", 1, "unknown-header"),
        ],
    ),
    "a cell of 10 MB": (
        HEAD + b"ash,a,A,A\nash,b," + b"x" * 10_000_000 + b",B\n",
        [("teachers.csv", 3, "row-too-long")],
    ),
    "a cell of 10 MB in quotes": (
        HEAD + b'ash,a,A,A\nash,b,"' + b"x" * 10_000_000 + b'",B\n',
        [("teachers.csv", 3, "cell-too-long")],
    ),
    "a quote that swallows the rest": (
        HEAD + b'ash,a,A,A\nash,b,"B,B\n' + b"ash,c,C,C\n" * 200_000,
        [("teachers.csv", 3, "cell-too-long")],
    ),
    "a cell a little too long": (
        HEAD + b"ash,a,A,A\nash,b,B," + b"x" * (CELL_BYTES_MAX + 1) + b"\n",
        [("teachers.csv", 3, "cell-too-long")],
    ),
    "a cell of many lines a little too long": (
        HEAD + b'ash,a,A,A\nash,b,B,"' + b"x\n" * (CELL_BYTES_MAX // 2 + 1) + b'"\n',
        [("teachers.csv", 3, "cell-too-long")],
    ),
    "a row of many cells too long": (
        HEAD + b"ash,a,A,A\n" + b",".join([b"x" * 1000] * (ROW_BYTES_MAX // 1000)) + b"\n",
        [("teachers.csv", 3, "row-too-long")],
    ),
    "a million columns": (b"School_id," * 1_000_000 + b"Teacher_id\n", [("teachers.csv", 1, "row-too-long")]),
    "two thousand columns": (
        b",".join(b"c%d" % n for n in range(2000)) + b"\n",
        [("teachers.csv", 1, "too-many-columns")],
    ),
    "no line end in 3 MB": (b"x" * 3_000_000, [("teachers.csv", 1, "row-too-long")]),
    # Reading stops before the line's last byte, which has no meaning in any encoding.
    "a line of 4 MB that is not UTF-8": (
        HEAD + b"\xe9" + b"x" * 4_000_000 + b"\x81",
        [("teachers.csv", 2, "row-too-long")],
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_files_that_cannot_be_used_are_stopped_with_file_row_and_reason(name: str, tmp_path: Path) -> None:
    content, expected = STOPPED[name]
    assert expected == found(stopped(tmp_path, content))


def test_a_stop_tells_expected_and_found_counts(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, HEAD + b"ash,a,A,A\nash,b,B\n")
    assert (stop.expected, stop.value) == ("4", "3")
    assert str(stop) == "teachers.csv row 3: expected 4 fields as in the header, found 3"


def test_the_longest_cell_allowed_is_read(tmp_path: Path) -> None:
    long = b"x" * CELL_BYTES_MAX
    teachers, remarks = read(tmp_path, HEAD + b"ash,a,%b,A\nash,b,B,%b\n" % (long, long))
    assert ([], [CELL_BYTES_MAX, 1], ["A", long.decode()]) == (
        remarks,
        [len(row[2]) for row in teachers],
        [row[3] for row in teachers],
    )


def test_stops_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "schools.csv": b"",
            "students.csv": b"nonsense\n1\n",
            "sections.csv": FILES["sections.csv"].encode() + b"x\n",
        },
    )
    assert found(stops(tmp_path)) == [
        ("schools.csv", None, "empty-file"),
        ("students.csv", 1, "no-header"),
        ("sections.csv", 5, "field-count"),
    ]


def test_lenient_headers_are_ignored_with_a_warning(tmp_path: Path) -> None:
    content = HEAD.replace(b"\n", b",Shoe_size\n") + b"ash,lund,Lars,Lund,46\n"
    assert read(tmp_path, content, lenient=True) == ([LUND], [("teachers.csv", None, "ignored-header")])


def test_own_columns_are_refused_in_enrollments(tmp_path: Path) -> None:
    write(tmp_path, {"enrollments.csv": "School_id,Section_id,Student_id,ext.seat\nash,algebra,amy,4\n"})
    assert found(stops(tmp_path)) == [("enrollments.csv", 1, "unknown-header")]


@pytest.mark.parametrize(("key", "size"), [("", 0), ("00", 64)])
def test_passwords_are_in_no_table(tmp_path: Path, key: str, size: int) -> None:
    write(tmp_path, {"teachers.csv": HEAD.replace(b"\n", b",Password\n") + b"ash,lund,Lars,Lund,secret\n"})
    with closing(files.open_all(tmp_path, memory_limit="256MB", password_key=key)) as tables:
        (row,) = tables.connection.execute("SELECT * FROM teachers").fetchall()
        (digest,) = tables.one("SELECT password FROM teachers")
    assert "secret" not in row
    assert len(digest) == size


def test_own_columns_become_one_json_object(tmp_path: Path) -> None:
    content = HEAD.replace(b"\n", b',"ext.Caf\xc3\xa9""1",ext.b\n') + b'ash,lund,Lars,Lund,"say ""hi""\n",\n'
    write(tmp_path, {"teachers.csv": content})
    with closing(files.open_all(tmp_path, memory_limit="256MB")) as tables:
        assert tables.connection.execute("SELECT ext FROM teachers").fetchall() == [
            ('{"Café\\"1":"say \\"hi\\"","b":""}',)
        ]


@pytest.mark.parametrize(("memory", "threads"), [("100MB", {1}), ("256MB", {1, 2}), ("512MB", {1, 2, 3, 4})])
def test_the_engine_has_no_more_threads_than_there_is_memory_for(
    memory: str, threads: set[int], tmp_path: Path
) -> None:
    with closing(files.open_all(write(tmp_path), memory_limit=memory)) as tables:
        assert tables.one("SELECT current_setting('threads')")[0] in threads


def test_the_engine_draws_no_progress_on_stdout(tmp_path: Path) -> None:
    with closing(files.open_all(write(tmp_path), memory_limit="256MB")) as tables:
        assert tables.one("SELECT current_setting('enable_progress_bar')") == (False,)


@pytest.mark.parametrize("name", ["a[b]*c?d", "it's", 'quo"te', "sp ace", "über"])
def test_folders_of_any_name_are_read(name: str, tmp_path: Path) -> None:
    assert read(tmp_path / name, GOOD["plain"])[0] == [LUND, OKOYE]


def test_a_file_that_changes_while_it_is_read_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    scan: Callable[[str, Path], object] = layout.scan

    def scan_and_touch(name: str, path: Path) -> object:
        found = scan(name, path)
        if name == "teachers.csv":
            os.utime(path, (0, 0))
        return found

    monkeypatch.setattr(layout, "scan", scan_and_touch)
    assert found(stops(tmp_path)) == [("teachers.csv", None, "unreadable-file")]


def test_temporary_files_are_gone_after_a_stop_and_after_close(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    folder = write(tmp_path / "files", {"teachers.csv": GOOD["bare CR"]})
    files.open_all(folder, memory_limit="256MB", temporary=temporary).close()
    write(folder, {"teachers.csv": GOOD["bare CR"] + b"x"})
    with pytest.raises(SourceRejected):
        files.open_all(folder, memory_limit="256MB", temporary=temporary)
    assert list(temporary.iterdir()) == []
