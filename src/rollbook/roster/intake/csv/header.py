"""Match a file's header with the contract's columns; `csv_text` reads the header's text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from rollbook.contract.clever.columns import Column, File, columns_of, header_key, trimmed
from rollbook.domain.shares import EXTENSION_PREFIX
from rollbook.roster.intake import quotable_cells
from rollbook.roster.intake.csv.folder import Unusable
from rollbook.roster.problems import (
    BadHeader,
    DuplicateHeader,
    IgnoredHeader,
    MissingHeader,
    NoHeader,
    Problem,
    StandInHeader,
    UnknownHeader,
    WrongSeparator,
)

COLUMNS_MAX: Final = 1_000
# One dot and no spaces (documented for custom fields).
_EXTENSION: Final = re.compile(r"ext\.[^.\s]+", re.IGNORECASE)
# Separators that other programs use, with their names in messages. None splits at any run of blanks.
_SEPARATORS: Final[tuple[tuple[str | None, str], ...]] = (
    ("\t", "tabs"),
    (";", "semicolons"),
    ("|", "vertical bars"),
    (":", "colons"),
    ("^", "carets"),
    ("~", "tildes"),
    (None, "spaces"),
)
# From 0 to 1: how similar two headers must be for a message to suggest one for the other.
_LIKENESS_MIN: Final = 0.75


@dataclass(frozen=True, slots=True)
class Header:
    """The position in the file, from 0, of each column that is read.

    `extensions` are named without `ext.`. `unnamed` has the positions of columns without a name. `keys` has
    the key of the header at each position.
    """

    width: int
    columns: dict[str, int]
    extensions: dict[str, int]
    unnamed: tuple[int, ...]
    keys: tuple[str, ...]
    warnings: tuple[Problem, ...]


def match(
    file: File, row: int, cells: list[str], below: Iterable[tuple[int, list[str]]], *, lenient: bool
) -> Header:
    """Find the file's columns in its header row. A row that may be a person's is not quoted.

    `below` has the next rows, in which a header is looked for if this row is none. Errors: Unusable with
    every missing, repeated, unknown or unusable header.
    """
    if file.name not in quotable_cells.PEOPLE or quotable_cells.is_header(file.name, cells):
        return _match(file, row, cells, below, lenient=lenient)
    try:
        found = _match(file, row, cells, below, lenient=lenient)
    except Unusable as error:
        raise Unusable(*(problem.without_cells() for problem in error.problems)) from None
    return replace(found, warnings=tuple(problem.without_cells() for problem in found.warnings))


def _match(
    file: File, row: int, cells: list[str], below: Iterable[tuple[int, list[str]]], *, lenient: bool
) -> Header:
    """Find the file's columns in its header row.

    Errors: Unusable with every missing, repeated, unknown or unusable header.
    """
    known = {header_key(column.header): column for column in columns_of(file.name)}
    places: dict[str, list[int]] = {}
    for position, cell in enumerate(cells):
        places.setdefault(header_key(cell), []).append(position)
    unnamed = places.pop("", [])
    near = {key: nearest for key in places if key not in known and (nearest := _nearest(key, known))}
    # No cell of a data row is similar to a header; most cells of a misspelled header are.
    if not places.keys() & known.keys() and 2 * len(near) <= len(places):
        raise Unusable(
            NoHeader(file.name, row=row, value=",".join(cells)[:80], expected=_a_header(file, known, below))
        )
    own = {
        key for key, at in places.items() if file.own_columns and _EXTENSION.fullmatch(trimmed(cells[at[0]]))
    }
    unknown = [key for key in places if key not in known and key not in own]
    stops = [
        *_missing(file, known, {*places, *(() if lenient else near.values())}),
        *_repeated(file, cells, [at for key, at in places.items() if key not in unknown]),
        *_unknown(
            file,
            [(cells[at[0]], at[0], near.get(key)) for key, at in places.items() if key in unknown],
            lenient=lenient,
        ),
    ]
    if stops:
        raise Unusable(*stops)
    return Header(
        width=len(cells),
        columns={
            column.name: places[key][0] for key, column in known.items() if key in places and column.read
        },
        extensions={
            trimmed(cells[at[0]])[len(EXTENSION_PREFIX) :]: at[0] for key, at in places.items() if key in own
        },
        unnamed=tuple(unnamed),
        keys=tuple(map(header_key, cells)),
        warnings=(
            *(
                IgnoredHeader(file.name, column=cells[places[key][0]], value=_header(known, near.get(key)))
                for key in unknown
            ),
            *(
                StandInHeader(file.name, column=column.header, value=column.stand_in)
                for key, column in known.items()
                if column.stand_in and key not in places
            ),
        ),
    )


def _a_header(file: File, known: dict[str, Column], below: Iterable[tuple[int, list[str]]]) -> str:
    """What was expected in place of a row without known names: a header, or the one that stands below it."""
    for row, cells in below:
        if quotable_cells.is_header(file.name, cells):
            return f"the header of row {row} as the first row"
    return f"a header row with {_listed(known.values())}"


def refuse_other_separators(file: File, row: int, line: str) -> None:
    """Stop if another separator than commas divides the columns of the header's first line.

    Errors: Unusable, if splitting at another separator gives at least two known columns, and splitting at
    commas gives none.
    """
    known = {_squeezed(header_key(column.header)) for column in columns_of(file.name)}

    def hits(separator: str | None) -> int:
        return sum(_squeezed(header_key(cell.strip("'\" "))) in known for cell in line.split(separator))

    if hits(",") == 0:
        for separator, words in _SEPARATORS:
            if hits(separator) > 1:
                raise Unusable(WrongSeparator(file.name, row=row, value=words))


def _nearest(key: str, known: dict[str, Column]) -> str | None:
    """The key of the known column with the most similar spelling; underscores make no difference."""
    squeezed = {_squeezed(other): other for other in known}
    found = difflib.get_close_matches(_squeezed(key)[:100], squeezed, n=1, cutoff=_LIKENESS_MIN)
    return squeezed[found[0]] if found else None


def _squeezed(key: str) -> str:
    return key.replace("_", "")


def _header(known: dict[str, Column], key: str | None) -> str | None:
    return known[key].header if key else None


def _missing(file: File, known: dict[str, Column], there: set[str]) -> Iterator[Problem]:
    """The missing required columns that no other column's message will name."""
    for key, column in known.items():
        if column.required and key not in there:
            yield MissingHeader(
                file.name, column=column.header, expected=_listed(c for c in known.values() if c.required)
            )


def _repeated(file: File, cells: list[str], places: Iterable[list[int]]) -> Iterator[Problem]:
    for at in places:
        if len(at) > 1:
            found = " and ".join(repr(cells[position]) for position in at[:5])
            yield DuplicateHeader(file.name, row=1, column=cells[at[0]], value=found)


def _unknown(file: File, found: Iterable[tuple[str, int, str | None]], *, lenient: bool) -> Iterator[Problem]:
    """Unusable columns: the cell, its position, and the key of the nearest known column."""
    known = {header_key(column.header): column for column in columns_of(file.name)}
    for cell, position, near in found:
        column = trimmed(cell)
        if column.lower().startswith(EXTENSION_PREFIX) and file.own_columns:
            expected = "ext. and a name without dots and spaces"
            yield BadHeader(file.name, row=1, column=column, value=str(position + 1), expected=expected)
        elif not lenient:
            expected = f"{known[near].header}, the nearest known column" if near else _listed(known.values())
            expected += ", ext.NAME" if file.own_columns and not near else ""
            yield UnknownHeader(file.name, row=1, column=column, expected=expected)


def _listed(columns: Iterable[Column]) -> str:
    return ", ".join(column.header for column in columns)
