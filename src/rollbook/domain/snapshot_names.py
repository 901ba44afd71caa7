"""The name of a snapshot: the number of its run, and a random mark.

A database that was restored from a backup gives the numbers of lost runs again. Each run has its own random
mark, so the name of a lost run never equals the name of a later run.
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

MARK_BYTES = 4
_NAME = re.compile(r"([0-9]{1,9})(?:-([0-9a-f]{8}))?")


class SnapshotName(NamedTuple):
    """The state after run `run`; `mark` is blank if an older version, without marks, made the run."""

    run: int
    mark: str

    def __str__(self) -> str:
        return f"{self.run}-{self.mark}" if self.mark else str(self.run)


# The snapshot of a district before its first committed sync.
NO_SNAPSHOT = SnapshotName(0, "")


def new_mark() -> str:
    """A random mark for a run or a view.

    It is never all zeros: zeros stand for "no mark" where marks are packed into numbers.
    """
    return f"{1 + secrets.randbelow((1 << 8 * MARK_BYTES) - 1):0{2 * MARK_BYTES}x}"


def parse(text: str) -> SnapshotName | None:
    """The name that a text spells, or None.

    A number alone names the current run of that number, with any mark.
    """
    found = _NAME.fullmatch(text)
    return SnapshotName(int(found[1]), found[2] or "") if found else None
