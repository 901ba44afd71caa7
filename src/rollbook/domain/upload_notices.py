"""The notices that the API shows when an upload was not taken in, the same for every application.

An application may have no right to see the roster, so a notice holds no cell, no count and no row number.
"""

from __future__ import annotations

from typing import Final

NO_FILES: Final = "No files have been synced yet."
HELD: Final = "Held for approval: the last upload would change unusually much."
UNUSABLE: Final = "The last upload could not be used."
# For a cloned district: the source's own words are unknown text and are not shown.
SOURCE_TROUBLE: Final = "The source of this district reports a problem."


def of_source(text: object) -> str:
    """The notice for the error that a district's source reports: blank, or one of the notices above."""
    return str(text) if text in ("", NO_FILES, HELD, UNUSABLE) else SOURCE_TROUBLE
