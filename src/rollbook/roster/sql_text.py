"""A text as the engine's SQL writes it; apart from `tables`, so that a server that only serves loads no
engine."""

from __future__ import annotations


def text(value: str) -> str:
    """The text between single quotes, with those inside doubled."""
    return "'" + value.replace("'", "''") + "'"
