"""Protects the terminal: names, labels, file names and cells may hold control sequences.

All output of the program passes through here, from every command, with its errors and log lines.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextmanager
def guarded() -> Iterator[None]:
    """Write unprintable characters as `\\u001b`, on both outputs; in JSON this means the same text."""
    before = sys.stdout, sys.stderr
    ours = sys.stdout, sys.stderr = tuple(map(_over, before))
    try:
        yield
    finally:
        # If the reader of a pipe has gone, click has set its own silent output here.
        if sys.stdout is ours[0]:
            sys.stdout.flush()
            sys.stdout = before[0]
        if sys.stderr is ours[1]:
            sys.stderr.flush()
            sys.stderr = before[1]


def _over(stream: object) -> io.TextIOWrapper:
    """A stream that writes to another one. Characters that its encoding lacks are escaped."""
    if not isinstance(stream, io.TextIOWrapper):
        raise TypeError(f"expected an output of text, got {stream!r}")
    stream.flush()
    out = _Guard(stream.buffer, stream.encoding)
    return io.TextIOWrapper(out, stream.encoding, stream.errors, line_buffering=stream.line_buffering)


class _Guard(io.BufferedIOBase):
    """Bytes of text on their way to the terminal."""

    def __init__(self, out: BinaryIO, encoding: str) -> None:
        self._out, self._encoding = out, encoding
        self.name = out.name if hasattr(out, "name") else ""
        self._text = codecs.getincrementaldecoder(encoding)("backslashreplace")

    def write(self, data: ReadableBuffer, /) -> int:
        given = bytes(data)
        text = self._text.decode(given)
        if not text.replace("\n", "").isprintable():
            text = "".join(
                letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text
            )
        self._out.write(text.encode(self._encoding, "backslashreplace"))
        return len(given)

    def flush(self) -> None:
        self._out.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()


def _escaped(letter: str) -> str:
    """A character in JSON's notation."""
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
