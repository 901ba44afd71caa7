"""What the API tells of an upload that was not taken in: words of ours alone, the same for every application.

An application may see nothing of the roster. So a notice holds no cell, no count and no row number, and of
file and column only names that the contract knows. What an operator reads is the problem itself (see
`problems`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rollbook.contract.clever.columns import FILES, columns_of
from rollbook.roster.problems import Problem

NO_FILES: Final = "No files have been synced yet."
HELD: Final = "Held for approval: the last upload would change unusually much."
UNUSABLE: Final = "The last upload could not be used."
# Of a district that was cloned: what its source says is in the source's words, which may be anything.
SOURCE_TROUBLE: Final = "The source of this district reports a problem."
_FILES: Final = frozenset(file.name for file in FILES)


def of_stops(stops: Iterable[object]) -> str:
    """The notice of files that cannot be used, by the first of their problems that the contract has words
    for."""
    for stop in stops:
        if isinstance(stop, Problem) and stop.file in _FILES:
            return f"The last upload could not be used: {stop.file}: {_what(stop)}."
    return UNUSABLE


def of_source(text: object) -> str:
    """What is told of the error that a district's source tells: nothing, or one of these sentences."""
    return str(text) if text in ("", NO_FILES, HELD, UNUSABLE) else SOURCE_TROUBLE


def _what(stop: Problem) -> str:
    title = stop.title[:1].lower() + stop.title[1:]
    is_known = stop.column in {column.header for column in columns_of(stop.file)}
    return f"{title} ({stop.column})" if is_known else title
