"""Which cells a report may quote: none of a file that may hold passwords.

A misplaced quote or a shifted row can put a password into any cell. So no cell of such a file is safe to
quote: reports, lists and logs name the row, the column and the rule. Headers are quoted if they are surely
names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rollbook.contract.clever.columns import FILES, PASSWORD, columns_of, header_key
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.problems import (
    NOT_SHOWN,
    PROBLEMS,
    IgnoredHeader,
    InnerQuotes,
    Problem,
    RowError,
    RowWarning,
)

# The files that have a column for passwords in the contract.
PEOPLE: Final = tuple(
    file.name for file in FILES if any(column.name == PASSWORD for column in columns_of(file.name))
)
_OF_ROWS: Final = tuple(
    problem for problem in PROBLEMS if issubclass(problem, RowError | RowWarning | InnerQuotes)
)


def discreet(stops: Iterable[Problem]) -> Iterator[Problem]:
    """Stops as they may be reported. From raw text, whose columns are unknown, nothing is quoted."""
    for stop in stops:
        is_raw = stop.cells() == ("value",)
        yield stop.without_cells() if is_raw and stop.file in PEOPLE else stop


def is_header(file: str, cells: list[str]) -> bool:
    """Whether the cells of a file's first row are surely a header, so that unknown headers may be quoted.

    Most of them are known names, and none has a line break. A person's row can hold a known name by chance,
    such as the password `Title`.
    """
    known = {_squeezed(column.header) for column in columns_of(file)}
    return 2 * sum(_squeezed(cell) in known for cell in cells) > len(cells) and all(
        cell.isprintable() for cell in cells
    )


def _squeezed(header: str) -> str:
    """A header without the characters between its words: `SchoolID` is a name, too."""
    return header_key(header).replace("_", "")


def may_hold_passwords(tables: Tables, file: str) -> bool:
    """Whether any cell of a file's rows may be a password: it has a column for them, or an ignored column."""
    ignored = tables.connection.execute(
        "SELECT count(*) FROM problems WHERE code = ? AND file = ?", [IgnoredHeader.code, file]
    ).fetchall()
    return tables.has(file, PASSWORD) or (file in PEOPLE and ignored[0][0] > 0)


def hide(tables: Tables) -> None:
    """Remove the cells of files with passwords from the findings.

    An ignored column may hold passwords under another name.
    """
    ignored = f"SELECT file FROM problems WHERE code = '{IgnoredHeader.code}'"
    with_passwords = [file for file in PEOPLE if tables.has(file, PASSWORD)]
    for name in ("value", "expected"):
        codes = [problem.code for problem in _OF_ROWS if name in problem.cells()]
        tables.connection.execute(
            f"""
            UPDATE problems SET {name} = '{NOT_SHOWN}' WHERE {name} <> '' AND list_contains(?, code)
            AND (list_contains(?, file) OR (list_contains(?, file) AND (code = '{InnerQuotes.code}' OR file IN ({ignored}))))
            """,
            [codes, with_passwords, list(PEOPLE)],
        )
