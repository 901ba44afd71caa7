"""Text in the engine's SQL. It is apart from `raw_tables`, so that a server without syncs loads no engine."""

from __future__ import annotations


def text(value: str) -> str:
    """The text between single quotes, with quotes inside doubled."""
    return "'" + value.replace("'", "''") + "'"
