"""What the API tells of an upload that was not taken in: words of ours alone, the same for every application.

An application may see nothing of the roster, so a notice holds no cell, no count and no row number.
"""

from __future__ import annotations

from typing import Final

NO_FILES: Final = "No files have been synced yet."
HELD: Final = "Held for approval: the last upload would change unusually much."
UNUSABLE: Final = "The last upload could not be used."
# Of a district that was cloned: what its source says is in the source's words, which may be anything.
SOURCE_TROUBLE: Final = "The source of this district reports a problem."


def of_source(text: object) -> str:
    """What is told of the error that a district's source tells: nothing, or one of these sentences."""
    return str(text) if text in ("", NO_FILES, HELD, UNUSABLE) else SOURCE_TROUBLE
