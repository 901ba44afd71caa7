"""The notice for files that cannot be used. It names only files and columns that the contract knows.

The operator reads the problem itself (see `problems`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rollbook.contract.clever.columns import FILES, columns_of
from rollbook.domain.upload_notices import UNUSABLE
from rollbook.roster.problems import Problem

_FILES: Final = frozenset(file.name for file in FILES)


def of_stops(stops: Iterable[object]) -> str:
    """The notice for the first problem that the contract has words for."""
    for stop in stops:
        if isinstance(stop, Problem) and stop.file in _FILES:
            return f"The last upload could not be used: {stop.file}: {_what(stop)}."
    return UNUSABLE


def _what(stop: Problem) -> str:
    title = stop.title[:1].lower() + stop.title[1:]
    is_known = stop.column in {column.header for column in columns_of(stop.file)}
    return f"{title} ({stop.column})" if is_known else title
