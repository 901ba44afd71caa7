"""Reads CSV text row by row, with our own grammar: always the header, and all rows of files that the engine
refuses.

The grammar is RFC 4180 plus what real exports need. That is blanks around a quoted cell, quotes inside an
unquoted cell (5" pipe), and undoubled quotes inside a quoted cell, if they can be read in only one way. Line
ends are LF by now, and the text is UTF-8. Blank lines count as rows, as in a spreadsheet, and yield nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.intake.csv.header import COLUMNS_MAX
from rollbook.roster.intake.csv.layout import CELL_BYTES_MAX, ROW_BYTES_MAX, unified_blocks
from rollbook.roster.problems import (
    CellTooLong,
    EmptyFile,
    FieldCount,
    InnerQuotes,
    MoreFieldCounts,
    OpenQuote,
    Problem,
    RowTooLong,
    SeparatorRow,
    StrayQuote,
    TooManyColumns,
    TotalRow,
)

# A cell that a spreadsheet must keep as text, ="0012, B", may contain commas, and is passed on unchanged.
_PLAIN: Final = re.compile(rb'[ \t]*="(?:[^"\n]|"")*"[ \t]*(?=,|\n|\Z)|[^,\n]*')
_FORMULA: Final = re.compile(r'="(.*)"', re.DOTALL)
_OPENING: Final = re.compile(rb'[ \t]*"')
# The first line of a file may tell a spreadsheet the separator of its columns: sep=;
_SEPARATOR_LINE: Final = re.compile(r'[ \t]*"?sep=.?"?[, \t]*', re.IGNORECASE)
_ENDING: Final = re.compile(rb"[ \t]*(,|\n|\Z)")
# A quote that ends a cell with undoubled quotes: on the same line, before a comma or the end of the line.
_LAST_QUOTE: Final = re.compile(rb'"[ \t]*(?=,|\n|\Z)')

# How many unreadable rows, and undoubled quotes, are named; more would not help.
NAMED_MAX: Final = 100
# How many rows may stand above a header that a message can still name.
_ROWS_ABOVE_MAX: Final = 20
# The characters of lines between rows.
RULES: Final = b"-=_+*~#|:. \t"
# What exporters write below the last row: a word for all rows and their number, in one or two cells; or "(4
# rows affected)".
_KINDS: Final = "count|number|of|records|rows|students|teachers|staff|sections|enrollments|schools"
_NUMBER: Final = r"[0-9]+(?:[,. ][0-9]{3})*"
TOTAL: Final = (
    rf"(?:(?:grand|sub)[ -]?)?(?:totals?|(?:record|row) count|count)(?: (?:{_KINDS}))*[ :=]*(?:{_NUMBER})?"
)
TOTAL_OR_NUMBER: Final = rf"(?:{TOTAL}|{_NUMBER})?"
_COUNTED: Final = re.compile(
    (
        rf"{TOTAL}[,]*(?:{_NUMBER})?|[(]?{_NUMBER} (?:rows?|records?)(?: "
        r"(?:affected|selected|returned|exported))?[.)]*"
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row; `inner` is a cell with undoubled inner quotes, if there is one."""

    number: int
    cells: list[bytes]
    inner: bytes | None = None


def head(name: str, path: Path) -> tuple[int, list[str], tuple[tuple[int, list[str]], ...]]:
    """The number and the cells of the first row that is neither blank nor a separator line, and the rows below
    it, as far as a header is looked for and rows can be read.

    Errors: Unusable if there is none, or if it is too long or has too many columns for a header.
    """
    every = rows(name, path)
    first = next(every, None)
    if first is None:
        raise Unusable(EmptyFile(name))
    if len(first.cells) > COLUMNS_MAX:
        raise Unusable(
            TooManyColumns(name, row=first.number, value=str(len(first.cells)), expected=str(COLUMNS_MAX))
        )
    return first.number, _texts(first), tuple(_below(every))


def _below(rows: Iterator[Row]) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in islice(rows, _ROWS_ABOVE_MAX):
            yield row.number, _texts(row)
    except Unusable:
        return


def _texts(row: Row) -> list[str]:
    return [_without_formula(cell.decode("utf-8", "replace").strip()) for cell in row.cells]


def _without_formula(cell: str) -> str:
    formula = _FORMULA.fullmatch(cell)
    return formula[1].replace('""', '"') if formula else cell


def first_line(path: Path) -> tuple[int, str, int | None]:
    """The first line that is not blank, cut at the length of a header, and its number.

    A line that names the separator is skipped; its number is the last value.
    """
    number, told = 0, None
    for block in unified_blocks(path):
        for line in block[:ROW_BYTES_MAX].split(b"\n"):
            number += 1
            text = line.decode("utf-8", "replace")
            if told is None and _SEPARATOR_LINE.fullmatch(text):
                told = number
            elif text.strip():
                return number, text, told
    return number, "", told


def rewrite(name: str, path: Path, to: Path, width: int) -> tuple[int, tuple[Problem, ...]]:
    """Write every row of data as strict CSV, with its row number in front; returns how many, and warnings.

    Rows with only blank cells, and lines of dashes, are left out. Errors: Unusable with each row that does
    not fit the header: the first ones are named, all are counted. Reading stops at a row without a findable
    end.
    """
    count = misfits = 0
    stops: list[Problem] = []
    warnings: list[Problem] = []
    with to.open("wb") as clean:
        try:
            for row in _data(name, path):
                if len(row.cells) == width:
                    clean.write(b"%d,%b\n" % (row.number, b",".join(map(_quoted, row.cells))))
                    count += 1
                elif remark := _no_data(name, row):
                    warnings.append(remark)
                else:
                    misfits += 1
                    stops += [_misfit(name, row, width)] if misfits <= NAMED_MAX else []
                if row.inner is not None and len(warnings) < NAMED_MAX:
                    warnings.append(InnerQuotes(name, row=row.number, value=row.inner.decode("utf-8")))
        except Unusable as error:
            raise Unusable(*stops, *error.problems) from None
    if misfits > NAMED_MAX:
        stops.append(MoreFieldCounts(name, value=f"{misfits - NAMED_MAX:,}", expected=str(width)))
    if stops:
        raise Unusable(*stops)
    return count, tuple(warnings)


def _data(name: str, path: Path) -> Iterator[Row]:
    """Every row that is not blank, without the header."""
    data = rows(name, path)
    next(data)
    return data


def rows(name: str, path: Path) -> Iterator[Row]:
    """Every row that is not blank, in order, without a separator line at the top."""
    reader = _Reader(name, path)
    is_first = True
    while (row := reader.next_row()) is not None:
        if any(map(bytes.strip, row.cells)):
            if not (is_first and _SEPARATOR_LINE.fullmatch(b",".join(row.cells).decode("utf-8", "replace"))):
                yield row
            is_first = False


def _no_data(name: str, row: Row) -> Problem | None:
    """Why a row that does not fit the header holds no data: it is a line of dashes, or a count of rows."""
    if not b"".join(row.cells).translate(None, RULES):
        return SeparatorRow(name, row=row.number)
    line = b",".join(cell.strip() for cell in row.cells).strip(b",")
    return TotalRow(name, row=row.number) if _COUNTED.fullmatch(line.decode("utf-8", "replace")) else None


def _misfit(name: str, row: Row, width: int) -> Problem:
    if row.inner is not None:
        return StrayQuote(name, row=row.number, value=row.inner.decode("utf-8"))
    further = len(row.cells) - width
    found = str(len(row.cells))
    if further > 0 and not any(map(bytes.strip, row.cells[width:])):
        found += f", of which the last {'one is' if further == 1 else f'{further} are'} blank"
    return FieldCount(name, row=row.number, value=found, expected=str(width))


def _quoted(cell: bytes) -> bytes:
    return b'"%b"' % cell.replace(b'"', b'""')


class _Reader:
    """Walks through a file with at least one whole row in memory, and never more than a few MiB."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._blocks = unified_blocks(path)
        self._buffer = next(self._blocks, b"")
        self._at = 0
        self._number = 0

    def next_row(self) -> Row | None:
        self._fill()
        if self._at == len(self._buffer):
            return None
        self._number += 1
        end = self._buffer.find(b"\n", self._at, self._at + ROW_BYTES_MAX)
        line = self._buffer[self._at : end if end >= 0 else self._at + ROW_BYTES_MAX]
        if b'"' in line:
            return self._row_with_quotes()
        self._leave(self._at + len(line))
        cells = line.split(b",")
        if len(line) > CELL_BYTES_MAX:
            for cell in cells:
                self._limit(cell)
        return Row(self._number, cells)

    def _fill(self) -> None:
        while (
            len(self._buffer) - self._at <= ROW_BYTES_MAX + 2 * CELL_BYTES_MAX
            and (block := next(self._blocks, None)) is not None
        ):
            self._buffer = self._buffer[self._at :] + block
            self._at = 0

    def _leave(self, end: int) -> None:
        """Go behind the line end at `end`, or to the end of the file."""
        if end - self._at >= ROW_BYTES_MAX:
            raise Unusable(RowTooLong(self._name, row=self._number, expected=f"{ROW_BYTES_MAX:,} bytes"))
        self._at = min(end + 1, len(self._buffer))

    def _row_with_quotes(self) -> Row:
        cells: list[bytes] = []
        inner: bytes | None = None
        place = self._at
        while True:
            opening = _OPENING.match(self._buffer, place)
            if opening is None:
                plain = _PLAIN.match(self._buffer, place)
                cell, place = (plain.group(), plain.end()) if plain else (b"", place)
            else:
                cell, place, is_inner = self._quoted_cell(opening.end())
                inner = cell if is_inner and inner is None else inner
            self._limit(cell)
            cells.append(cell)
            if self._buffer[place : place + 1] != b"," or place - self._at > ROW_BYTES_MAX:
                break
            place += 1
        self._leave(place)
        return Row(self._number, cells, inner)

    def _quoted_cell(self, start: int) -> tuple[bytes, int, bool]:
        """The cell whose opening quote ends at `start`, the position after it, and whether it has undoubled
        quotes."""
        place = start
        while (place := self._buffer.find(b'"', place, start + CELL_BYTES_MAX)) >= 0:
            if self._buffer[place + 1 : place + 2] == b'"':
                place += 2
            elif ending := _ENDING.match(self._buffer, place + 1):
                return self._buffer[start:place].replace(b'""', b'"'), ending.start(1), False
            else:
                return self._cell_with_inner_quotes(start)
        rest = self._buffer[start : start + CELL_BYTES_MAX]
        begins = rest[:40].decode("utf-8", "replace")
        if len(rest) < CELL_BYTES_MAX:
            raise Unusable(OpenQuote(self._name, row=self._number, value=begins))
        raise Unusable(
            CellTooLong(self._name, row=self._number, value=begins, expected=f"{CELL_BYTES_MAX:,} bytes")
        )

    def _cell_with_inner_quotes(self, start: int) -> tuple[bytes, int, bool]:
        """A cell with undoubled quotes. It ends on its line, at the first quote before a comma or the end of
        the line.

        If it also has doubled quotes, it could be read in two ways, and is refused.
        """
        line_end = self._buffer.find(b"\n", start, start + CELL_BYTES_MAX)
        last = _LAST_QUOTE.search(self._buffer, start, line_end if line_end >= 0 else start + CELL_BYTES_MAX)
        cell = self._buffer[start : last.start()] if last else b""
        if last is None or b'""' in cell:
            begins = self._buffer[start : start + 40].decode("utf-8", "replace")
            raise Unusable(StrayQuote(self._name, row=self._number, value=begins))
        return cell, last.end(), True

    def _limit(self, cell: bytes) -> None:
        if len(cell) > CELL_BYTES_MAX:
            begins = cell[:40].decode("utf-8", "replace")
            raise Unusable(
                CellTooLong(self._name, row=self._number, value=begins, expected=f"{CELL_BYTES_MAX:,} bytes")
            )
