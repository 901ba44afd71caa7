"""Rows right below the header that name or describe the columns in other words: `Student Number,School Code`,
or `Unique identifier of the student,text`.

A row is one of them only if every cell speaks of columns and nothing else, so that no person or school is
lost: a cell with a name, a grade or a number that is no length says that the row is data. The cells of the
file's keys must not be blank, and must each call themselves an id or a kind of value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from rollbook.contract.clever.columns import COLUMNS, columns_of, header_key
from rollbook.domain.shares import EXTENSION_PREFIX

# A row with fewer words could be a row of data that is nearly empty.
_CELLS_MIN: Final = 3
# Words of a cell: SchoolCode has two.
_WORD: Final = re.compile(r"[^\W\d_]+|[0-9]+")
# What a key is called in other programs, and what a column of any kind may be.
_KEY_WORDS: Final = frozenset(_WORD.findall("code id identifier ids key num number sourcedid"))
_KIND_WORDS: Final = frozenset(_WORD.findall("char integer mandatory optional required string text varchar"))
_OTHER_WORDS: Final = frozenset(
    _WORD.findall(
        "a address also an and as assigned at be birth birthday by can characters city class classes column date day dd "
        "description district e each email field first for format from full g given home if in is it its last legal letters "
        "list local located may middle mm month must of on one only or person phone primary program section should sis "
        "sourced standard state surname system teaches that the this to unique used value values where which with year yyyy "
        "yes yy zip"
    )
)
_SPEAKING: Final = (
    frozenset(
        word for column in COLUMNS for word in column.header.lower().removeprefix(EXTENSION_PREFIX).split("_")
    )
    | _KEY_WORDS
    | _KIND_WORDS
    | _OTHER_WORDS
)
# A length in brackets, as in VARCHAR(20).
_LENGTH: Final = re.compile(r"[(\[][0-9]{1,4}[)\]]")
_JOINT: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def find(file: str, places: Mapping[str, int], below: Iterable[tuple[int, list[str]]]) -> tuple[int, ...]:
    """The numbers of the rows that describe columns, of the first rows `below` the header; `places` has the
    position of each known column."""
    known = {header_key(column.header) for column in columns_of(file)} | {""}
    keys = [
        places[c.name] for c in columns_of(file) if c.required and c.name.endswith("_id") and c.name in places
    ]
    found = []
    for row, cells in below:
        if all(header_key(cell) in known for cell in cells):
            continue  # the header again, which `no_data_rows` knows
        if not _describes(cells, keys):
            break
        found.append(row)
    return tuple(found)


def _describes(cells: list[str], keys: Iterable[int]) -> bool:
    said = [words for cell in cells if (words := _words(cell))]
    return (
        len(said) >= min(_CELLS_MIN, len(cells))
        and all(words <= _SPEAKING for words in said)
        and all(at < len(cells) and _words(cells[at]) & (_KEY_WORDS | _KIND_WORDS) for at in keys)
    )


def _words(cell: str) -> set[str]:
    """The words of a cell in lower case, without a final s of the genitive."""
    plain = _JOINT.sub(" ", _LENGTH.sub("", cell)).replace("'s", "").replace("’s", "")
    return {word.lower() for word in _WORD.findall(plain)}
