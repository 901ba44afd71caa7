"""One pass over a file's bytes: is it text, in which encoding, with which line ends, and how many rows must
come out.

Nothing is parsed here. The pass is cheap, because it only counts and searches in whole blocks. It decides
whether the engine can read the file directly, and how many rows it must find.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rollbook.contract.clever.columns import BLANKS, SPACES
from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.problems import EmptyFile, NotText, NulByte, RowTooLong

CHUNK_BYTES: Final = 1024 * 1024
# The longest allowed cell and row; the longest real cells are addresses and names.
CELL_BYTES_MAX: Final = 64 * 1024
ROW_BYTES_MAX: Final = 1024 * 1024

_UTF16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ODD_BLANKS: Final = tuple(blank.encode() for blank in BLANKS if blank not in SPACES + "\r\n")
_WIDE_SPACES: Final = tuple(blank.encode() for blank in SPACES if blank != " ")
_OUTER_SPACE: Final = re.compile(rb' (?:[,"\n]|(?<=[,"\n] ))')
# The end mark of old programs behind the last row, and how far before the end of the file to look for it.
_END_MARK: Final = b"\x1a"
_END_BYTES: Final = 4096
# How many rows in another encoding are named.
_FOREIGN_NAMED: Final = 20
_ASCII: Final = bytes(range(128))
_NOT_QUOTE_OR_BREAK: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file's bytes say.

    `rows` counts line ends outside quotes up to the last line that is not empty. It includes the header, and
    is only right if the quotes are well-formed and no line is blank. `foreign_rows` has the first rows that
    are not UTF-8, `foreign_count` their number.
    """

    encoding: str  # "utf-8", "windows-1252", or "mixed": UTF-8 with some rows in Windows-1252
    foreign_rows: tuple[int, ...]
    foreign_count: int
    has_end_mark: bool
    line_ends: str  # "\n", "\r\n", or "mixed": anything else
    rows: int
    has_breaks_in_quotes: bool
    has_long_lines: bool
    ends_in_quotes: bool
    has_outer_spaces: bool  # a cell may begin or end with a space
    has_odd_blanks: bool  # any trimmed characters other than spaces
    has_formulas: bool  # cells such as ="0012"

    @property
    def is_clean(self) -> bool:
        """Whether the text is UTF-8 with one kind of line ends, and nothing after its end."""
        return self.encoding == "utf-8" and self.line_ends != "mixed" and not self.has_end_mark

    @property
    def is_tame(self) -> bool:
        """Whether the engine may try to read the rows. After an open quote, the engine may drop rows silently."""
        return self.rows > 1 and not self.has_long_lines and not self.ends_in_quotes


class _RowCounter:
    """Counts rows over blocks with LF line ends.

    Pairs of quotes without a line end between them are removed first: only quotes around line ends are left
    to check.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.has_breaks_in_quotes = False
        self.is_inside = False

    def feed(self, block: bytes) -> None:
        if b'"' not in block and not self.is_inside:
            self.rows += block.count(b"\n")
            return
        for piece in block.translate(None, _NOT_QUOTE_OR_BREAK).replace(b'""', b"").split(b'"'):
            if self.is_inside:
                self.has_breaks_in_quotes = self.has_breaks_in_quotes or bool(piece)
            else:
                self.rows += len(piece)
            self.is_inside = not self.is_inside
        self.is_inside = not self.is_inside  # the last piece did not end at a quote


class _LineLengths:
    """Whether any line is longer than a cell may be, checking only one line end in every 64 KiB."""

    def __init__(self) -> None:
        self.has_long_lines = False
        self._open = 0  # bytes since the last line end

    def feed(self, block: bytes) -> None:
        start = -self._open
        while start + CELL_BYTES_MAX < len(block):
            end = block.rfind(b"\n", max(start, 0), start + CELL_BYTES_MAX + 1)
            if end < 0:
                self.has_long_lines = True
                end = block.find(b"\n", max(start, 0))
                if end < 0:
                    break
            start = end + 1
        end = block.rfind(b"\n", max(start, 0))
        self._open = len(block) - (end + 1 if end >= 0 else start)


class _Search:
    """Which kinds of short pieces of text (at most 3 bytes each) occur, in one pass for all kinds."""

    def __init__(self, **kinds: tuple[bytes, ...]) -> None:
        self.found: set[str] = set()
        self._plain = {kind: [each for each in pieces if each.isascii()] for kind, pieces in kinds.items()}
        self._foreign = {
            kind: [each for each in pieces if not each.isascii()] for kind, pieces in kinds.items()
        }
        self._before = b""

    def feed(self, block: bytes) -> None:
        joined = self._before + block  # a piece may begin in the block before
        # Most bytes are ASCII: without them, little text is left to search for each of many letters.
        foreign = b"" if joined.isascii() else joined.translate(None, _ASCII)
        for kind, plain in self._plain.items():
            if kind not in self.found and (
                # A single byte is searched for much faster than two.
                any(piece[:1] in joined and piece in joined for piece in plain)
                or (foreign and any(piece in foreign for piece in self._foreign[kind]))
            ):
                self.found.add(kind)
        self._before = block[-2:]


class _OuterSpaces:
    """Whether a space stands beside a comma, a quote, a line end or the end of the file."""

    def __init__(self) -> None:
        self._found = False
        self._last = b""

    @property
    def found(self) -> bool:
        return self._found or self._last == b" "

    def feed(self, block: bytes) -> None:
        joined = self._last + block
        # Spaces are few, so that looking around each costs less than searching for pairs of bytes.
        self._found = self._found or bool(_OUTER_SPACE.search(joined))
        self._last = joined[-1:]


class _LineEnds:
    """Makes all line ends LF, also where CR and LF fall into two blocks, and remembers which kinds there
    were."""

    def __init__(self) -> None:
        self._has_lf = self._has_cr = self._has_crlf = False  # LF and CR without the other
        self._held = b""

    @property
    def kind(self) -> str:
        if self._has_cr or (self._has_crlf and self._has_lf):
            return "mixed"
        return "\r\n" if self._has_crlf else "\n"

    def unify(self, raw: bytes) -> bytes:
        """`raw` with LF line ends.

        A CR at its end is held back until the next block, or `b""` at the end, shows what it is.
        """
        is_last = not raw
        raw, self._held = self._held + raw, b""
        if raw.endswith(b"\r") and not is_last:
            raw, self._held = raw[:-1], b"\r"
        if b"\r" not in raw:
            self._has_lf = self._has_lf or b"\n" in raw
            return raw
        # The lengths say how many pairs there were: to count them would cost as much again.
        unified = raw.replace(b"\r\n", b"\n")
        pairs = len(raw) - len(unified)
        self._has_crlf = self._has_crlf or pairs > 0
        self._has_lf = self._has_lf or unified.count(b"\n") > pairs
        if b"\r" not in unified:
            return unified
        self._has_cr = True
        return unified.replace(b"\r", b"\n")


class _Encoding:
    """Whether all bytes are UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ended in the middle of a character."""
        return bool(self._decoder.getstate()[0])

    def is_foreign(self, raw: bytes) -> bool:
        """Whether `raw` has a byte that cannot be UTF-8."""
        if raw.isascii() and not self.is_cut_off:
            return False
        try:
            self._decoder.decode(raw)
        except UnicodeDecodeError:
            return True
        return False


@dataclass
class _Foreign:
    """The lines that are not UTF-8: the first rows, their number, and whether the file also has UTF-8
    letters."""

    has_utf_8: bool = False
    count: int = 0
    rows: list[int] = field(default_factory=list)


class _Tail:
    """The number of line ends at the very end of the file, and whether there was other text."""

    def __init__(self) -> None:
        self.breaks = 0
        self.has_text = False

    def feed(self, block: bytes) -> None:
        text = block.rstrip(b"\n")
        self.breaks = len(block) - len(text) + (0 if text else self.breaks)
        self.has_text = self.has_text or not (text.isspace() or not text)


def scan(name: str, path: Path) -> Layout:
    """Read the file once and describe its layout.

    Errors: Unusable for an empty file, NUL bytes, UTF-16, and bytes that are text in neither UTF-8 nor
    Windows-1252.
    """
    rows, lengths, line_ends, tail = _RowCounter(), _LineLengths(), _LineEnds(), _Tail()
    encoding, outer_spaces = _Encoding(), _OuterSpaces()
    search = _Search(wide_spaces=_WIDE_SPACES, odd_blanks=_ODD_BLANKS, formulas=(b'="',))
    is_foreign = False
    for raw in _blocks(path):
        if not tail.has_text and raw.startswith(_UTF16_BOMS):
            raise Unusable(NotText(name, value="the file is UTF-16", expected="UTF-8"))
        nul = raw.find(b"\0")
        if nul >= 0:
            raise Unusable(NulByte(name, row=_row_at(rows, line_ends, raw[:nul])))
        is_foreign = is_foreign or encoding.is_foreign(raw)
        block = line_ends.unify(raw)
        for part in (rows, lengths, tail, outer_spaces, search):
            part.feed(block)
    if not tail.has_text:
        raise Unusable(EmptyFile(name))
    if not is_foreign and encoding.is_cut_off:
        raise Unusable(
            NotText(name, value="the file ends in the middle of a letter", expected="UTF-8, whole")
        )
    foreign = _foreign(name, path) if is_foreign else _Foreign()
    return Layout(
        encoding="utf-8" if not is_foreign else "mixed" if foreign.has_utf_8 else "windows-1252",
        foreign_rows=tuple(foreign.rows),
        foreign_count=foreign.count,
        has_end_mark=_size(path) < path.stat().st_size,
        line_ends=line_ends.kind,
        rows=rows.rows - tail.breaks + 1,
        has_breaks_in_quotes=rows.has_breaks_in_quotes,
        has_long_lines=lengths.has_long_lines,
        ends_in_quotes=rows.is_inside,
        has_outer_spaces=outer_spaces.found or "wide_spaces" in search.found,
        has_odd_blanks="odd_blanks" in search.found or rows.has_breaks_in_quotes,
        has_formulas="formulas" in search.found,
    )


def copy_clean(path: Path, to: Path) -> None:
    """Copy the file as UTF-8 with LF line ends: UTF-8 characters stay, all other bytes are Windows-1252."""
    decoder = codecs.getincrementaldecoder("utf-8")(_AS_WINDOWS_1252)
    with to.open("wb") as clean:
        for block in unified_blocks(path):
            clean.write(decoder.decode(block).encode())
        clean.write(decoder.decode(b"", final=True).encode())


def unified_blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces, with LF line ends."""
    return map(_LineEnds().unify, _blocks(path))


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces, without its byte order mark and the text behind an end mark.

    The last piece is empty, for callers that hold something back.
    """
    left = _size(path)
    with path.open("rb") as stream:
        first = stream.read(min(CHUNK_BYTES, left))
        left -= len(first)
        if first := first.removeprefix(codecs.BOM_UTF8):
            yield first
        while left and (block := stream.read(min(CHUNK_BYTES, left))):
            left -= len(block)
            yield block
    yield b""


def _size(path: Path) -> int:
    """The length of the text in bytes.

    It ends at the first end mark that only blanks and end marks follow, else at the file's end.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _END_BYTES))
        last = stream.read(_END_BYTES)
    behind = last[len(last.rstrip(_END_MARK + b" \t\r\n")) :]
    mark = behind.find(_END_MARK)
    return size if mark < 0 else size - len(behind) + mark


def _foreign(name: str, path: Path) -> _Foreign:
    """Check every line with characters beyond ASCII.

    Errors: Unusable for a byte that no encoding explains, and for a line that is too long for a row.
    """
    found, rows, rest = _Foreign(), _RowCounter(), b""
    neither: int | None = None
    for block in unified_blocks(path):
        text = rest + block
        end = text.rfind(b"\n") + 1 if block else len(text)
        text, rest = text[:end], text[end:]
        at = 0
        for line in () if text.isascii() else text.splitlines(keepends=True):
            if not line.isascii() and not _is_utf_8(line):
                found.count += 1
                if len(found.rows) < _FOREIGN_NAMED:
                    found.rows.append(_row_at(rows, _LineEnds(), text[:at]))
                if neither is None and not _is_readable(line):
                    neither = _row_at(rows, _LineEnds(), text[:at])
                found.has_utf_8 = found.has_utf_8 or not line.decode("utf-8", "ignore").isascii()
            elif not line.isascii():
                found.has_utf_8 = True
            at += len(line)
        rows.feed(text)
        if len(rest) > ROW_BYTES_MAX:
            raise Unusable(RowTooLong(name, row=rows.rows + 1, expected=f"{ROW_BYTES_MAX:,} bytes"))
    if neither is not None:
        raise Unusable(NotText(name, row=neither, value="neither UTF-8 nor Windows-1252", expected="UTF-8"))
    return found


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_readable(line: bytes) -> bool:
    """Whether every byte outside UTF-8 has a meaning in Windows-1252."""
    try:
        line.decode("utf-8", _AS_WINDOWS_1252)
    except UnicodeDecodeError:
        return False
    return True


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """The meaning of bytes that cannot be UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252"), error.end


_AS_WINDOWS_1252: Final = "as-windows-1252"
codecs.register_error(_AS_WINDOWS_1252, _as_windows_1252)


def _row_at(rows: _RowCounter, line_ends: _LineEnds, before: bytes) -> int:
    """The row of a byte, from the text before it in its block; the counters themselves do not change."""
    rows, line_ends = copy(rows), copy(line_ends)
    rows.feed(line_ends.unify(before + b" ")[:-1])
    return rows.rows + 1
