"""Syncs: read a district's files, commit a snapshot, write a report. Also: the other operations on snapshots.

`nightly` is the run itself: seven stages, of which only the last one writes. `reviews` approves, discards and
undoes. `edits` changes what an application sees. `pauses` keeps a district unchanged. All of them end in the
stages of `stages`. `standing` tells how districts stand. Files and rules are in `roster`, the transaction in
`store.records.commits`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollbook.sync.edits import rescope, seen, share, thaw, view_of
    from rollbook.sync.nightly import Progress, run, take_in
    from rollbook.sync.pauses import pause, resume
    from rollbook.sync.result import How, Sync, failed
    from rollbook.sync.reviews import approve, discard, undo
    from rollbook.sync.stages import DAY_SECONDS

__all__ = [
    "DAY_SECONDS",
    "How",
    "Progress",
    "Sync",
    "approve",
    "discard",
    "failed",
    "pause",
    "rescope",
    "resume",
    "run",
    "seen",
    "share",
    "take_in",
    "thaw",
    "undo",
    "view_of",
]

# Where the names are. A module is loaded when a name in it is first used: a check of files needs no store.
_HOMES = {
    **dict.fromkeys(("rescope", "seen", "share", "thaw", "view_of"), "edits"),
    **dict.fromkeys(("Progress", "run", "take_in"), "nightly"),
    **dict.fromkeys(("pause", "resume"), "pauses"),
    **dict.fromkeys(("How", "Sync", "failed"), "result"),
    **dict.fromkeys(("approve", "discard", "undo"), "reviews"),
    "DAY_SECONDS": "stages",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
