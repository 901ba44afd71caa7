"""All findings of one sync as a CSV file, for a spreadsheet or a script: one row each, in the order in which
to fix them."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from rollbook.errors import BadSetting

if TYPE_CHECKING:  # a command that lists no problem starts without their classes
    from rollbook.roster.problems import Problem

COLUMNS: Final = ("file", "row", "column", "code", "severity", "message", "value", "expected", "what to do")
# About the maximum of a spreadsheet.
ROWS_MAX: Final = 1_000_000
# A spreadsheet reads a cell with such a beginning as a formula, and formulas from a district's files must not
# run.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Listing:
    """The file, and how many findings it has: at most the first `ROWS_MAX`."""

    def __init__(self, file: IO[str]) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self.written = 0

    def take(self, problems: Iterable[Problem]) -> None:
        """Write one row for each finding."""
        for problem in islice(problems, ROWS_MAX - self.written):
            place = (plain(problem.file), problem.row, plain(problem.column))
            found = (plain(problem.value), plain(problem.expected), problem.mend)
            self._rows.writerow((*place, problem.code, problem.severity, plain(str(problem)), *found))
            self.written += 1


@contextmanager
def opened(path: Path | None) -> Iterator[Listing | None]:
    """Open the file before anything else is done; yields None without a path.

    Errors: BadSetting if it cannot be written.
    """
    if path is None:
        yield None
        return
    with private_file(path) as file:
        yield Listing(file)


def private_file(path: Path) -> IO[str]:
    """A new text file for problems, which only its owner can read. Errors: BadSetting if it cannot be written."""
    try:
        return os.fdopen(_open_private(path), "w", newline="", encoding="utf-8")
    except OSError as error:
        raise BadSetting(f"problems: {path} cannot be written: {error.strerror}") from None


def _open_private(path: Path) -> int:
    """Start a file that only its owner can read, also if others could read an earlier one: it will hold
    student data."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def plain(cell: str | None) -> str:
    """The cell in a form that no spreadsheet reads as a formula."""
    return f"'{cell}" if cell and cell.startswith(_FORMULA) else cell or ""
