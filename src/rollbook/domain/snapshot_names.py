"""The name of a snapshot: the number of its run, and a mark that no other history gives to that number.

A database that was restored from a backup gives the numbers of lost runs again. The mark is drawn at random
for each run, so an answer or a client that names a lost run is told apart from one that names the run of
today.
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

MARK_BYTES = 4
_NAME = re.compile(r"([0-9]{1,9})(?:-([0-9a-f]{8}))?")


class SnapshotName(NamedTuple):
    """The state after run `run`; `mark` is blank for a run of a version without marks."""

    run: int
    mark: str

    def __str__(self) -> str:
        return f"{self.run}-{self.mark}" if self.mark else str(self.run)


# Of a district that no sync has committed to.
NO_SNAPSHOT = SnapshotName(0, "")


def new_mark() -> str:
    """A mark for a run or a view, at random; never all zeros, which stand for no mark where marks are packed
    into numbers."""
    return f"{1 + secrets.randbelow((1 << 8 * MARK_BYTES) - 1):0{2 * MARK_BYTES}x}"


def parse(text: str) -> SnapshotName | None:
    """The name that a text spells, None for another text. A number alone names the run of today, whatever its
    mark."""
    found = _NAME.fullmatch(text)
    return SnapshotName(int(found[1]), found[2] or "") if found else None
