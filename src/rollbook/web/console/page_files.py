"""A page of the console as a file: its content as JSON, its table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import orjson

from rollbook.roster.problems_csv import plain


def as_json(told: object) -> bytes:
    return orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """A table whose cells no spreadsheet reads as formulas."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in rows:
        writer.writerow([plain(cell) if isinstance(cell, str) else cell for cell in row])
    return file.getvalue()
