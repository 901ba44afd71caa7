"""Matches a file's header with the contract's columns; reading the header's text is left to `csvtext`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rollbook.contract.columns import EXTENSION_PREFIX, Column, File, columns_of, header_key, trimmed
from rollbook.roster.folder import Unusable
from rollbook.roster.problems import (
    BadHeader,
    DuplicateHeader,
    IgnoredHeader,
    MissingHeader,
    NoHeader,
    Problem,
    StandInHeader,
    UnknownHeader,
)

COLUMNS_MAX: Final = 1_000
# One dot and no spaces (documented for custom fields).
_EXTENSION: Final = re.compile(r"ext\.[^.\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column that is read stands in the file, by position from 0; `extensions` are named without `ext.`."""

    width: int
    columns: dict[str, int]
    extensions: dict[str, int]
    warnings: tuple[Problem, ...]


def match(file: File, cells: list[str], *, lenient: bool) -> Header:
    """Find the file's columns in its header row.

    Errors: Unusable with every header that is missing, given twice, not known or not usable.
    """
    known = {header_key(column.header): column for column in columns_of(file.name)}
    places: dict[str, list[int]] = {}
    for position, cell in enumerate(cells):
        places.setdefault(header_key(cell), []).append(position)
    if not places.keys() & known.keys():
        raise Unusable(NoHeader(file.name, row=1, value=",".join(cells)[:80], expected=_listed(known.values())))
    own = {key for key, at in places.items() if file.own_columns and _EXTENSION.fullmatch(trimmed(cells[at[0]]))}
    unknown = [key for key in places if key not in known and key not in own]
    stops = [
        *_missing(file, known, places),
        *_repeated(file, cells, [at for key, at in places.items() if key not in unknown]),
        *_unknown(file, cells, [at[0] for key, at in places.items() if key in unknown], lenient=lenient),
    ]
    if stops:
        raise Unusable(*stops)
    return Header(
        width=len(cells),
        columns={column.name: places[key][0] for key, column in known.items() if key in places and column.read},
        extensions={trimmed(cells[at[0]])[len(EXTENSION_PREFIX) :]: at[0] for key, at in places.items() if key in own},
        warnings=(
            *(IgnoredHeader(file.name, column=cells[places[key][0]]) for key in unknown),
            *(
                StandInHeader(file.name, column=column.header, value=column.stand_in)
                for key, column in known.items()
                if column.stand_in and key not in places
            ),
        ),
    )


def _missing(file: File, known: dict[str, Column], places: dict[str, list[int]]) -> Iterator[Problem]:
    for key, column in known.items():
        if column.required and key not in places:
            yield MissingHeader(file.name, column=column.header, expected=_listed(c for c in known.values() if c.required))


def _repeated(file: File, cells: list[str], places: Iterable[list[int]]) -> Iterator[Problem]:
    for at in places:
        if len(at) > 1:
            found = " and ".join(repr(cells[position]) for position in at[:5])
            yield DuplicateHeader(file.name, row=1, column=cells[at[0]], value=found)


def _unknown(file: File, cells: list[str], positions: Iterable[int], *, lenient: bool) -> Iterator[Problem]:
    for position in positions:
        cell = trimmed(cells[position])
        if not cell:
            yield BadHeader(file.name, row=1, column=cell, value=str(position + 1), expected="a name")
        elif cell.lower().startswith(EXTENSION_PREFIX) and file.own_columns:
            expected = "ext. and a name without dots and spaces"
            yield BadHeader(file.name, row=1, column=cell, value=str(position + 1), expected=expected)
        elif not lenient:
            expected = _listed(columns_of(file.name)) + (", ext.NAME" if file.own_columns else "")
            yield UnknownHeader(file.name, row=1, column=cell, expected=expected)


def _listed(columns: Iterable[Column]) -> str:
    return ", ".join(column.header for column in columns)
