"""Columns that contain a text, in any letter case of ASCII.

Both databases lower only these letters: SQLite always, and PostgreSQL in columns that are compared byte by byte. Python
lowers all letters, so with its pattern a search for `Özil` would miss exactly this name.
"""

from __future__ import annotations

import json


def contains(column: str) -> str:
    """SQL for: the column contains a text. Its value is the `pattern` of the text, or `in_json` of it."""
    return f"lower({column}) LIKE ? ESCAPE '!'"


def pattern(text: str) -> str:
    """The value for `contains`."""
    lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    return "%" + lowered.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def in_json(text: str) -> str:
    """The value for `contains`, of a column that holds JSON."""
    return pattern(json.dumps(text, ensure_ascii=False)[1:-1])
