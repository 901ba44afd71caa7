"""What spreadsheets and exporters leave in files: read if it has only one reading, otherwise named in a
helpful message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollbook.roster.intake.csv.layout import CHUNK_BYTES
from tests.roster.test_files import HEAD, LUND, OKOYE, Row, found, read, stopped, stops
from tests.roster.world import FILES, outcome, write

LF = b"\n"
LUND_ROW = b"ash,lund,Lars,Lund\n"
OKOYE_ROW = b"birch,okoye,Oba,Okoye\n"


# --- rows that are no data ------------------------------------------------------------------------------------------------

NO_DATA = {
    "the header again": (HEAD, "repeated-header"),
    "the header again in other letters": (
        b"SCHOOL ID,teacher-id, First_Name ,LAST NAME\n",
        "repeated-header",
    ),
    "a part of the header again": (b"School_id,,,Last_name\n", "repeated-header"),
    "dashes": (b"---------,----------,----------,---------\n", "separator-row"),
    "one dash each": (b"-,-,-,-\n", "separator-row"),
    "dashes of some columns": (b"-----,-----,,\n", "separator-row"),
    "other lines": (b"====,+---+,*****,_____\n", "separator-row"),
    "a line of dashes without commas": (b"----------------------\n", "separator-row"),
    "a line of dashes with crosses": (b"-----+-----+----+-----\n", "separator-row"),
    "a total in one cell": (b"Total: 2,,,\n", "total-row"),
    "a total in two cells": (b"TOTAL,2,,\n", "total-row"),
    "a total in other cells": (b',,Grand Total,"1,234"\n', "total-row"),
    "totals of several columns": (b"Totals,2,2,2\n", "total-row"),
    "a total without its commas": (b"Total records: 1,234\n", "total-row"),
    "a total with a comma less": (b"Total,2,\n", "total-row"),
    "what databases write below the rows": (b"(2 rows affected)\n", "total-row"),
    "what other databases write below the rows": (b"2 rows selected.\n", "total-row"),
}


@pytest.mark.parametrize("name", NO_DATA)
def test_rows_that_are_no_data_are_left_out_and_named(name: str, tmp_path: Path) -> None:
    row, code = NO_DATA[name]
    expected = [LUND, (4, *OKOYE[1:])]
    assert read(tmp_path, HEAD + LUND_ROW + row + OKOYE_ROW) == (expected, [("teachers.csv", 3, code)])


def test_a_file_of_headers_and_dashes_has_no_rows(tmp_path: Path) -> None:
    assert found(stopped(tmp_path, HEAD + b"---,---,---,---\n" + HEAD)) == [
        ("teachers.csv", None, "header-only")
    ]


def test_a_password_column_does_not_hide_a_repeated_header(tmp_path: Path) -> None:
    head = HEAD.replace(b"\n", b",Password\n")
    rows, remarks = read(tmp_path, head + b"ash,lund,Lars,Lund,secret\n" + head)
    assert (rows, remarks) == ([LUND], [("teachers.csv", 3, "repeated-header")])


def test_a_header_in_another_order_among_the_rows_stops_since_the_rows_after_it_would_be_misread(
    tmp_path: Path,
) -> None:
    content = HEAD + LUND_ROW + b"Teacher_id,School_id,Last_name,First_name\nokoye,birch,Okoye,Oba\n"
    assert found(stopped(tmp_path, content)) == [("teachers.csv", 3, "second-header")]


DESCRIBING = {
    "names in other words": b"School Code,Teacher Number,Given Name,Surname\n",
    "names in one word each": b"SchoolCode,TeacherNumber,GivenName,Surname\n",
    "descriptions": b"Unique identifier of the school,The teacher's id,First name,Legal last name\n",
    "kinds of values": b"VARCHAR(20),text (required),String[50],string\n",
    "names of some columns": b"school number,staff id,,last\n",
}


@pytest.mark.parametrize("name", DESCRIBING)
def test_rows_below_the_header_that_describe_the_columns_are_left_out_and_named(
    name: str, tmp_path: Path
) -> None:
    expected = [(row + 1, *rest) for row, *rest in (LUND, OKOYE)]
    content = HEAD + DESCRIBING[name] + LUND_ROW + OKOYE_ROW
    assert read(tmp_path, content) == (expected, [("teachers.csv", 2, "describing-row")])


def test_names_and_descriptions_below_the_header_are_both_left_out(tmp_path: Path) -> None:
    content = HEAD + b"School Code,Teacher Number,First,Last\nrequired,required,text,text\n" + LUND_ROW
    assert read(tmp_path, content) == (
        [(4, *LUND[1:])],
        [("teachers.csv", 2, "describing-row"), ("teachers.csv", 3, "describing-row")],
    )


def test_a_file_of_names_and_descriptions_has_no_rows(tmp_path: Path) -> None:
    content = HEAD + b"School Code,Teacher Number,First,Last\n"
    assert found(stopped(tmp_path, content)) == [("teachers.csv", None, "header-only")]


@pytest.mark.parametrize(
    "row",
    [
        b"ash,number,First,Last\n",  # a school
        b"code,id,First,Moss\n",  # a name
        b"code,id 12,First,Last\n",  # a number
        b"code,,First,Last\n",  # a key is missing
        b"title,name,First,Last\n",  # keys that call themselves no id
        b"code,id,,\n",  # little is said
    ],
)
def test_a_row_with_anything_but_words_of_headers_is_data(row: bytes, tmp_path: Path) -> None:
    rows, remarks = read(tmp_path, HEAD + row + OKOYE_ROW)
    assert (len(rows), remarks) == (2, [])


def test_words_of_headers_further_down_are_data(tmp_path: Path) -> None:
    rows, remarks = read(tmp_path, HEAD + LUND_ROW + b"code,number,First,Last\n")
    assert (len(rows), remarks) == (2, [])


def test_a_second_header_in_other_words_in_every_file_makes_nobody(tmp_path: Path) -> None:
    words = {
        "schools.csv": "School Code,Name,Number",
        "students.csv": "School Code,Student Number,Surname,Given Name",
        "teachers.csv": "School Code,Staff Number,Given Name,Surname",
        "sections.csv": "School Code,Class Code,Teacher Number",
        "enrollments.csv": "School Code,Class Code,Student Number",
    }
    below = {}
    for name, text in FILES.items():
        head, _, rest = text.partition("\n")
        blank = head.count(",") - words[name].count(",")
        below[name] = f"{head}\n{words[name]}{',' * blank}\n{rest}"
    again = outcome(tmp_path / "again", below)
    assert [(file, code) for file, _, code in again.found] == [(name, "describing-row") for name in _IN_ORDER]
    once = outcome(tmp_path / "once")
    assert {name: len(rows) for name, rows in again.tables.items()} == {
        name: len(rows) for name, rows in once.tables.items()
    }


def test_dashes_and_words_like_headers_in_a_row_of_data_are_data(tmp_path: Path) -> None:
    expected: list[Row] = [(2, "-", "Grade", "Title"), (3, "teacher_id", "A", "A")]
    assert read(tmp_path, HEAD + b"ash,-,Grade,Title\nash,teacher_id,A,A\n") == (expected, [])


def test_a_row_with_a_word_like_a_total_is_data(tmp_path: Path) -> None:
    expected: list[Row] = [(2, "Total", "A", "Count"), (3, "Total: 2", "2", "B")]
    assert read(tmp_path, HEAD + b"ash,Total,A,Count\nash,Total: 2,2,B\n") == (expected, [])


def test_a_total_of_schools_is_no_school(tmp_path: Path) -> None:
    world = outcome(tmp_path, {"schools.csv": FILES["schools.csv"] + "Total,2,\n"})
    assert (world.tables["schools"], world.found) == (
        outcome(tmp_path / "plain").tables["schools"],
        [("schools.csv", 4, "total-row")],
    )


def test_a_repeated_header_in_every_file_creates_nothing(tmp_path: Path) -> None:
    again = outcome(
        tmp_path / "again", {name: text + text.partition("\n")[0] + "\n" for name, text in FILES.items()}
    )
    assert again.tables == outcome(tmp_path / "once").tables
    assert [(file, code) for file, _, code in again.found] == [
        (name, "repeated-header") for name in _IN_ORDER
    ]


_IN_ORDER = ("schools.csv", "students.csv", "teachers.csv", "sections.csv", "enrollments.csv")


# --- columns without a name, and other separators -------------------------------------------------------------------------


@pytest.mark.parametrize(("head", "row"), [(b",", b","), (b',"", ', b",, \t"), (b",", b',""')])
def test_a_column_without_a_name_whose_cells_are_blank_is_dropped_with_a_warning(
    head: bytes, row: bytes, tmp_path: Path
) -> None:
    content = (
        HEAD.replace(b"\n", head + b"\n")
        + LUND_ROW.replace(b"\n", row + b"\n")
        + OKOYE_ROW.replace(b"\n", row + b"\n")
    )
    assert read(tmp_path, content) == (
        [LUND, OKOYE],
        [("teachers.csv", None, "unnamed-column")] * head.count(b","),
    )


def test_a_value_in_a_column_without_a_name_stops_with_its_row_and_column_and_without_the_value(
    tmp_path: Path,
) -> None:
    content = (
        b"School_id,,Teacher_id,First_name,Last_name\nash,,lund,Lars,Lund\n\nbirch,secret,okoye,Oba,Okoye\n"
    )
    (stop,) = stopped(tmp_path, content)
    assert (stop.row, stop.value, stop.code) == (4, "2", "unnamed-value")
    assert "column 2 has a value here" in str(stop)
    assert "secret" not in str(stop)


SEPARATORS = {
    "tabs": b"\t",
    "semicolons": b";",
    "vertical bars": b"|",
    "colons": b":",
    "carets": b"^",
    "tildes": b"~",
    "spaces": b"  ",
}


@pytest.mark.parametrize("words", SEPARATORS)
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_another_separator_is_named(words: str, quote: bytes, tmp_path: Path) -> None:
    head = (
        (quote + b"," + quote).join(HEAD.strip().split(b",")).join((quote, quote)) if quote else HEAD.strip()
    )
    if quote:
        head = b",".join(quote + cell + quote for cell in HEAD.strip().split(b","))
    (stop,) = stopped(tmp_path, (head + b"\n" + LUND_ROW).replace(b",", SEPARATORS[words]))
    assert str(stop) == f"teachers.csv row 1: {words} separate the columns; expected commas"


# --- what stands above the header -----------------------------------------------------------------------------------------

SEPARATOR_LINES = {
    "comma": b"sep=,\n",
    "comma in CRLF": b"sep=,\r\n",
    "in quotes": b'"sep=,"\n',
    "in capitals, behind a blank line": b"\nSEP=,\n",
    "another separator than the file's": b"sep=;\n",
    "saved again with commas": b'"sep=,",,,\n',
}


@pytest.mark.parametrize("name", SEPARATOR_LINES)
def test_a_line_that_tells_a_spreadsheet_the_separator_is_passed_over_with_a_warning(
    name: str, tmp_path: Path
) -> None:
    line = SEPARATOR_LINES[name]
    row = line.count(b"\n")
    expected: list[Row] = [(row + 2, *LUND[1:]), (row + 3, *OKOYE[1:])]
    assert read(tmp_path, line + HEAD + LUND_ROW + OKOYE_ROW) == (
        expected,
        [("teachers.csv", row, "separator-line")],
    )


def test_the_separator_below_such_a_line_is_named_with_its_row(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, b"sep=;\n" + (HEAD + LUND_ROW).replace(b",", b";"))
    assert str(stop) == "teachers.csv row 2: semicolons separate the columns; expected commas"


def test_only_the_first_line_tells_a_separator(tmp_path: Path) -> None:
    assert found(stopped(tmp_path, HEAD + LUND_ROW + b"sep=;\n")) == [("teachers.csv", 3, "field-count")]


@pytest.mark.parametrize(
    "above", [b"Teachers of Ash,,,\n", b"# exported 8/1/2026\n", b"Staff\n\nas of,8/1/2026\n"]
)
def test_a_header_below_other_rows_is_named_with_its_row(above: bytes, tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, above + HEAD + LUND_ROW)
    expected = f"the header of row {1 + above.count(LF)} as the first row"
    assert (stop.code, stop.row, stop.expected) == ("no-header", 1, expected)


# --- headers in another spelling ------------------------------------------------------------------------------------------


def test_each_header_in_another_spelling_is_told_with_the_nearest_known_one(tmp_path: Path) -> None:
    told = [str(stop) for stop in stopped(tmp_path, b"SchoolID,TeacherId,First_name,Last_nmae\n" + LUND_ROW)]
    assert told == [
        "teachers.csv: column 'SchoolID' is not known; expected School_id, the nearest known column",
        "teachers.csv: column 'TeacherId' is not known; expected Teacher_id, the nearest known column",
        "teachers.csv: column 'Last_nmae' is not known; expected Last_name, the nearest known column",
    ]


def test_a_header_of_which_every_name_has_another_spelling_is_still_a_header(tmp_path: Path) -> None:
    write(tmp_path, {"enrollments.csv": "SchoolID,SectionID,StudentID\nash,algebra,amy\n"})
    assert found(stops(tmp_path)) == [("enrollments.csv", 1, "unknown-header")] * 3


def test_lenient_headers_name_the_nearest_known_column_too(tmp_path: Path) -> None:
    content = HEAD.replace(b"\n", b",TeacherNumber\n") + b"ash,lund,Lars,Lund,46\n"
    assert read(tmp_path, content, lenient=True) == ([LUND], [("teachers.csv", None, "ignored-header")])


# --- cells of spreadsheets ------------------------------------------------------------------------------------------------

FORMULAS: dict[str, tuple[bytes, Row]] = {
    "plain": (b'="ash",="007",="Lars",="Lund"\n', (2, "007", "Lars", "Lund")),
    "in quotes of their own": (b'"=""ash""","=""007""",Lars,"=""Lund"""\n', (2, "007", "Lars", "Lund")),
    "with a comma": (b'ash,="007",="Lars, Jr.",="Lund"\n', (2, "007", "Lars, Jr.", "Lund")),
    "with quotes": (b'ash,="007",="Lars ""Ole""",="Lund"\n', (2, "007", 'Lars "Ole"', "Lund")),
    "blank": (b'ash,="007",="",=" Lund "\n', (2, "007", "", "Lund")),
    "blanks around": (b'ash, ="007" ,="Lars",="Lund"\t\n', (2, "007", "Lars", "Lund")),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_cells_that_a_spreadsheet_guards_are_read_without_the_guard(name: str, tmp_path: Path) -> None:
    content, expected = FORMULAS[name]
    assert read(tmp_path, HEAD + content + OKOYE_ROW) == (
        [expected, OKOYE],
        [("teachers.csv", 2, "formula-cells")],
    )


def test_headers_that_a_spreadsheet_guards_are_read_without_the_guard(tmp_path: Path) -> None:
    head = b",".join(b'="' + cell + b'"' for cell in HEAD.strip().split(b",")) + b"\n"
    assert read(tmp_path, head + LUND_ROW + OKOYE_ROW) == ([LUND, OKOYE], [])


def test_a_formula_beside_a_cell_of_two_lines_is_read(tmp_path: Path) -> None:
    schools = 'School_id,School_name,School_number\n"=""00123""","Ash\nSchool",1\n'
    world = outcome(tmp_path, {"schools.csv": schools})
    assert "formula-cells" in {problem.code for problem in world.problems}
    assert [(school["key"], school["name"]) for school in world.tables["schools"]] == [
        ("00123", "Ash\nSchool")
    ]


def test_a_formula_that_computes_something_stays_a_text(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + b'ash,a,=A1&"b",=1+1\n') == ([(2, "a", '=A1&"b"', "=1+1")], [])


# --- optional files without rows ------------------------------------------------------------------------------------------

STAFF = b"School_id,Staff_id,Staff_email,First_name,Last_name\n"


@pytest.mark.parametrize(
    "content", [STAFF, STAFF.strip(), STAFF + b"\n,,,,\n", b"", b"\n\n", b"\xef\xbb\xbf", b",,,\n"]
)
def test_an_optional_file_without_rows_is_read_as_nobody_with_a_warning(
    content: bytes, tmp_path: Path
) -> None:
    world = outcome(tmp_path, {"staff.csv": content})
    assert (world.found, world.tables["staff"]) == ([("staff.csv", None, "no-rows")], [])


def test_an_optional_file_with_a_wrong_header_and_no_rows_stops(tmp_path: Path) -> None:
    write(tmp_path, {"staff.csv": "Nonsense,School_id\n"})
    assert {stop.code for stop in stops(tmp_path)} == {"missing-header", "unknown-header"}


# --- the end of a file, and letters in two encodings ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [b"\x1a", b"\n\x1a", b"\r\n\x1a", b"\n\x1a\r\n", b"\n" + b"\x1a" * 200, b"\n\x1a\n\x1a\n"]
)
def test_an_end_mark_of_old_programs_is_dropped_with_a_warning(end: bytes, tmp_path: Path) -> None:
    content = (HEAD + LUND_ROW + OKOYE_ROW).strip() + end
    assert read(tmp_path, content) == ([LUND, OKOYE], [("teachers.csv", None, "end-mark")])


def test_an_end_mark_inside_a_file_ends_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + b"ash,lund,La\x1ars,Lund\n" + OKOYE_ROW) == (
        [(2, "lund", "La\x1ars", "Lund"), OKOYE],
        [],
    )


def test_an_empty_file_with_an_end_mark_is_empty(tmp_path: Path) -> None:
    assert found(stopped(tmp_path, b"\x1a")) == [("teachers.csv", None, "empty-file")]


def test_one_row_in_windows_1252_does_not_spoil_the_others(tmp_path: Path) -> None:
    rows = ["ash,a,Zoë,Łuk\n".encode(), "ash,b,José,“Müller”\n".encode("cp1252"), "ash,c,王,Δ\n".encode()]
    expected = [(2, "a", "Zoë", "Łuk"), (3, "b", "José", "“Müller”"), (4, "c", "王", "Δ")]
    assert read(tmp_path, HEAD + b"".join(rows)) == (expected, [("teachers.csv", 3, "foreign-rows")])


def test_a_row_in_two_encodings_keeps_the_letters_of_both(tmp_path: Path) -> None:
    content = HEAD + b"ash,a," + "José".encode() + b"," + "Peña".encode("cp1252") + b"\n"
    assert read(tmp_path, content) == ([(2, "a", "José", "Peña")], [("teachers.csv", 2, "foreign-rows")])


def test_rows_in_another_encoding_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    foreign = "ash,b{},José,B\n"
    content = (
        HEAD + "ash,a,Zoë,A\n".encode() + b"".join(foreign.format(n).encode("cp1252") for n in range(30))
    )
    told = [
        str(problem)
        for problem in outcome(tmp_path, {"teachers.csv": content}).problems
        if problem.code == "foreign-rows"
    ]
    rows = ", ".join(str(row) for row in range(3, 23))
    assert told == [
        (
            "teachers.csv row 3: not UTF-8 like the rest of the file; rows read as "
            f"Windows-1252: {rows} and 10 more"
        )
    ]


def test_letters_of_both_encodings_across_the_borders_of_blocks_are_read(tmp_path: Path) -> None:
    for shift in range(4):
        filler = b"ash,f,F," + b"f" * (CHUNK_BYTES - len(HEAD) - 17 - shift) + b"\n"
        lines = [b"ash,f%d,F,%b\n" % (n, b"f" * 1000) for n in range((CHUNK_BYTES - len(HEAD)) // 1020)]
        pad = CHUNK_BYTES - len(HEAD) - sum(map(len, lines)) - 10 - shift
        assert len(filler) > pad > 0
        content = (
            HEAD
            + b"".join(lines)
            + b"ash,x,"
            + b"x" * (pad - 6)
            + b","
            + "王é".encode()
            + b"\nash,y,Y,"
            + b"\xe9\n"
        )
        rows, remarks = read(tmp_path, content)
        assert [row[3] for row in rows[-2:]] == ["王é", "é"]
        assert remarks == [("teachers.csv", len(lines) + 3, "foreign-rows")]


def test_a_byte_that_no_encoding_explains_stops_at_its_row(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, HEAD + "ash,a,Zoë,A\n".encode() + b"ash,b,\x81,B\n")
    assert (stop.code, stop.row) == ("not-text", 3)
    assert "the first such place is in row 3" in str(stop)


# --- many rows that do not fit --------------------------------------------------------------------------------------------


def test_every_row_that_does_not_fit_the_header_is_named(tmp_path: Path) -> None:
    content = HEAD + LUND_ROW + b"ash,a,A,A,\n" + OKOYE_ROW + b"ash,b,B\n" + b"ash,c,Jr., C,C\n"
    told = [str(stop) for stop in stopped(tmp_path, content)]
    assert told == [
        "teachers.csv row 3: expected 4 fields as in the header, found 5, of which the last one is blank",
        "teachers.csv row 5: expected 4 fields as in the header, found 3",
        "teachers.csv row 6: expected 4 fields as in the header, found 5",
    ]


def test_of_very_many_rows_that_do_not_fit_the_first_are_named_and_all_counted(tmp_path: Path) -> None:
    stops = stopped(tmp_path, HEAD + b"ash,a,A,A,A\n" * 1234)
    assert [stop.row for stop in stops] == [*range(2, 102), None]
    assert str(stops[-1]) == (
        "teachers.csv: 1,134 more rows have too few or too many commas; expected 4 fields as in the header"
    )


def test_rows_that_do_not_fit_are_told_beside_a_quote_that_never_ends(tmp_path: Path) -> None:
    content = HEAD + b"ash,a,A\n" + b'ash,b,"B'
    assert found(stopped(tmp_path, content)) == [
        ("teachers.csv", 2, "field-count"),
        ("teachers.csv", 3, "open-quote"),
    ]


def test_a_folder_is_left_with_no_file_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    outcome(tmp_path, {"teachers.csv": HEAD.replace(b"\n", b"\r") + LUND_ROW})
    assert len(os.listdir("/proc/self/fd")) == before


# --- ids that a spreadsheet or a number format has changed ------------------------------------------------------------------


@pytest.mark.parametrize("id_", ["1.23457E+11", "1E+05", "2,5e+12", "9.99E+101"])
def test_ids_that_a_spreadsheet_has_rewritten_are_left_out_everywhere_and_said_so(
    id_: str, tmp_path: Path
) -> None:
    cell = f'"{id_}"'
    world = outcome(
        tmp_path,
        {
            "students.csv": FILES["students.csv"] + f"ash,{cell},Eve,Evans,4\nash,{cell},Fay,Fox,4\n",
            "enrollments.csv": FILES["enrollments.csv"] + f"ash,algebra,{cell}\n",
        },
    )
    code = "rewritten-id"
    assert world.found == [("students.csv", 6, code), ("students.csv", 7, code), ("enrollments.csv", 7, code)]
    assert {row["key"] for row in world.tables["students"]} == {"amy", "ben", "cem", "dot"}
    assert "a spreadsheet has rewritten the Student_id" in str(world.problems[0])


def test_ids_that_only_look_a_little_like_numbers_stay_ids(tmp_path: Path) -> None:
    students = "".join(
        f"ash,{id_},Eve,E{id_},4\n" for id_ in ("1E5", "12E+10", "E+11", "1.5", "A1E+11", "1E+5")
    )
    assert outcome(tmp_path, {"students.csv": FILES["students.csv"] + students}).found == []


@pytest.mark.parametrize(
    ("known", "sent"),
    [
        *(("9001", "9001.0"), ("000451", "451"), ("451", "000451"), ("S7", "s7"), ("0", "0.00")),
        *(("1001", "1,001"), ("1001", "1001."), ("S 1", "S\u00a01"), ("S1", "S \u200b1")),
    ],
)
def test_an_id_that_is_not_known_is_told_with_the_one_that_differs_only_in_how_it_is_written(
    known: str, sent: str, tmp_path: Path
) -> None:
    world = outcome(
        tmp_path,
        {
            "students.csv": FILES["students.csv"] + f"ash,{known},Eve,Evans,4\n",
            "teachers.csv": FILES["teachers.csv"] + f"ash,{known},Tom,Tate,tate@example.org\n",
            "schools.csv": FILES["schools.csv"] + f"{known},Elm School,3\n",
            "sections.csv": FILES["sections.csv"]
            + f'ash,{known},"{sent}",,S,,,,,,\nash,co,lund,"{sent}",S,,,,,,\n',
            "enrollments.csv": FILES["enrollments.csv"]
            + f'"{sent}",algebra,ben\nash,"{sent}",ben\nash,co,"{sent}"\nash,co,ben\n',
        },
    )
    assert [(problem.code, problem.expected) for problem in world.problems if problem.value == sent] == [
        ("unknown-teacher", known),
        ("unknown-school", known),
        ("unknown-section", None),  # that section was rejected itself
        ("unknown-student", known),
        ("unknown-co-teacher", known),
    ]
    assert f"students.csv has {known!r}" in str(
        next(one for one in world.problems if one.code == "unknown-student")
    )
