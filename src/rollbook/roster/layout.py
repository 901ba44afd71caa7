"""One pass over a file's bytes: is it text, in what encoding, with what line ends, and how many rows should come out of it.

Nothing is parsed here. The pass costs little beside parsing, because it only counts and searches in whole blocks; it tells
whether the engine can read the file as it is, and how many rows it must find.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollbook.contract.columns import BLANKS, SPACES
from rollbook.roster.folder import Unusable
from rollbook.roster.problems import EmptyFile, NotText, NulByte

CHUNK_BYTES: Final = 1024 * 1024
# The longest cell and row that a roster may hold; the longest real ones are addresses and names.
CELL_BYTES_MAX: Final = 64 * 1024
ROW_BYTES_MAX: Final = 1024 * 1024

_UTF16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ODD_BLANKS: Final = tuple(blank.encode() for blank in BLANKS if blank not in SPACES + "\r\n")
# Bytes that mean nothing in Windows-1252.
_NOT_IN_WINDOWS_1252: Final = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
_NOT_QUOTE_OR_BREAK: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file's bytes say.

    `rows` counts line ends outside quotes up to the last line that is not empty; it includes the header, and is right only
    for a file with well-formed quotes and no blank lines between. `foreign_row` is the row of the first byte that is not UTF-8.
    """

    encoding: str
    foreign_row: int | None
    line_ends: str  # "\n", "\r\n", or "mixed": anything else
    rows: int
    has_breaks_in_quotes: bool
    has_long_lines: bool
    ends_in_quotes: bool
    has_odd_blanks: bool  # anything but spaces that is trimmed

    @property
    def is_clean(self) -> bool:
        """Whether the text is UTF-8 with line ends of one kind."""
        return self.encoding == "utf-8" and self.line_ends != "mixed"

    @property
    def is_tame(self) -> bool:
        """Whether the engine may try to read the rows; it has been seen to drop, without a word, rows after an open quote."""
        return self.rows > 1 and not self.has_long_lines and not self.ends_in_quotes


class _RowCounter:
    """Counts rows over blocks whose line ends are all LF.

    Pairs of quotes without a line end between them are struck out first: only quotes around line ends are left to look at.
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
        self.is_inside = not self.is_inside  # the last piece was not ended by a quote


class _LineLengths:
    """Whether any line is longer than a cell may be, looking only at one line end in every 64 KiB."""

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


class _OddBlanks:
    """Whether there are blanks other than spaces and line ends."""

    def __init__(self) -> None:
        self.found = False
        self._before = b""

    def feed(self, block: bytes) -> None:
        if not self.found:
            joined = self._before + block  # a letter of several bytes may begin in the block before
            self.found = any(blank in joined for blank in _ODD_BLANKS)
            self._before = block[-2:]


class _LineEnds:
    """Makes all line ends LF, also where CR and LF fall into two blocks, and remembers which kinds there were."""

    def __init__(self) -> None:
        self._lf = self._cr = self._crlf = 0
        self._held = b""

    @property
    def kind(self) -> str:
        if not self._cr:
            return "\n"
        return "\r\n" if self._lf == self._cr == self._crlf else "mixed"

    def unify(self, raw: bytes) -> bytes:
        """`raw` with LF line ends; a CR at its end is held back until the next block (or `b""`, at the end) shows what it is."""
        is_last = not raw
        raw, self._held = self._held + raw, b""
        self._lf += raw.count(b"\n")
        if b"\r" not in raw:
            return raw
        if raw.endswith(b"\r") and not is_last:
            raw, self._held = raw[:-1], b"\r"
        self._cr += raw.count(b"\r")
        self._crlf += raw.count(b"\r\n")
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class _Encoding:
    """Where the first byte is that is not UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ended in the middle of a letter."""
        return bool(self._decoder.getstate()[0])

    def first_foreign(self, raw: bytes) -> int | None:
        """The place in `raw`, or None when all of it may be UTF-8."""
        if raw.isascii() and not self.is_cut_off:
            return None
        try:
            self._decoder.decode(raw)
        except UnicodeDecodeError as error:
            return max(0, error.start - (len(error.object) - len(raw)))
        return None


class _Tail:
    """How many line ends stand at the very end of the file, and whether there was anything else."""

    def __init__(self) -> None:
        self.breaks = 0
        self.has_text = False

    def feed(self, block: bytes) -> None:
        text = block.rstrip(b"\n")
        self.breaks = len(block) - len(text) + (0 if text else self.breaks)
        self.has_text = self.has_text or not (text.isspace() or not text)


def scan(name: str, path: Path) -> Layout:
    """Read the file once and say how it is laid out.

    Errors: Unusable for an empty file, NUL bytes, UTF-16, and bytes that are text in neither UTF-8 nor Windows-1252.
    """
    rows, lengths, line_ends, tail, encoding = _RowCounter(), _LineLengths(), _LineEnds(), _Tail(), _Encoding()
    odd_blanks = _OddBlanks()
    foreign_row: int | None = None
    for raw in _blocks(path):
        if not tail.has_text and raw.startswith(_UTF16_BOMS):
            raise Unusable(NotText(name, value="the file is UTF-16", expected="UTF-8"))
        nul = raw.find(b"\0")
        if nul >= 0:
            raise Unusable(NulByte(name, row=_row_at(rows, line_ends, raw[:nul])))
        foreign = encoding.first_foreign(raw) if foreign_row is None else None
        if foreign is not None:
            foreign_row = _row_at(rows, line_ends, raw[:foreign])
        block = line_ends.unify(raw)
        for part in (rows, lengths, tail, odd_blanks):
            part.feed(block)
    if not tail.has_text:
        raise Unusable(EmptyFile(name))
    if foreign_row is not None:
        _require_windows_1252(name, path)
    elif encoding.is_cut_off:
        raise Unusable(NotText(name, value="the file ends in the middle of a letter", expected="UTF-8, whole"))
    return Layout(
        encoding="utf-8" if foreign_row is None else "windows-1252",
        foreign_row=foreign_row,
        line_ends=line_ends.kind,
        rows=rows.rows - tail.breaks + 1,
        has_breaks_in_quotes=rows.has_breaks_in_quotes,
        has_long_lines=lengths.has_long_lines,
        ends_in_quotes=rows.is_inside,
        has_odd_blanks=odd_blanks.found or rows.has_breaks_in_quotes,
    )


def copy_clean(path: Path, layout: Layout, to: Path) -> None:
    """Write the file again as UTF-8 with LF line ends."""
    with to.open("wb") as clean:
        for block in unified_blocks(path):
            # Both encodings agree on quotes, commas and line ends, so that blocks can be cut anywhere.
            clean.write(block if layout.encoding == "utf-8" else block.decode("cp1252").encode("utf-8"))


def unified_blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces, all line ends LF."""
    return map(_LineEnds().unify, _blocks(path))


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces, without its byte order mark, and an empty piece at the end, for those who hold something back."""
    with path.open("rb") as stream:
        if first := stream.read(CHUNK_BYTES).removeprefix(codecs.BOM_UTF8):
            yield first
        while block := stream.read(CHUNK_BYTES):
            yield block
    yield b""


def _row_at(rows: _RowCounter, line_ends: _LineEnds, before: bytes) -> int:
    """The row a byte is in, from what stands before it in its block; the counters themselves stay as they are."""
    rows, line_ends = copy(rows), copy(line_ends)
    rows.feed(line_ends.unify(before + b" ")[:-1])
    return rows.rows + 1


def _require_windows_1252(name: str, path: Path) -> None:
    for raw in _blocks(path):
        if len(raw.translate(None, _NOT_IN_WINDOWS_1252)) < len(raw):
            raise Unusable(NotText(name, value="neither UTF-8 nor Windows-1252", expected="UTF-8"))
