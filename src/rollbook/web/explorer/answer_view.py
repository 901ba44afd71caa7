"""An answer for people: JSON with links on its ids and addresses, a table, and the headers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from rollbook.web.explorer.asking import Answered
from rollbook.web.explorer.catalog import Catalog, Operation
from rollbook.web.explorer.record_names import KIND_OF_KEY, Names

LINES_MAX = 1200
ROWS_MAX = 200
CELL_MAX = 120
_ID = re.compile(r"[0-9a-f]{24}")
_STEPS = {"next": "next page", "prev": "previous page"}

# Adds to an Explorer address the parameter that keeps the chosen token.
Kept = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the table: its text and its link (blank: none)."""

    text: str
    leads_to: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The records of an answer as rows; for a single record its fields."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """All parts of an answer that a page shows."""

    lines: tuple[str, ...]
    left_out: int
    table: Table | None
    steps: tuple[tuple[str, str], ...]


def view(answered: Answered, operation: Operation, catalog: Catalog, names: Names, kept: Kept) -> View:
    """The view of an operation's answer. An answer that is not JSON is shown unchanged."""
    try:
        body = orjson.loads(answered.body)
    except orjson.JSONDecodeError:
        text = answered.body.decode("utf-8", "replace").splitlines()
        return View(
            tuple(html.escape(line) for line in text[:LINES_MAX]), max(0, len(text) - LINES_MAX), None, ()
        )
    records = _records(body)
    names.learn(operation.kind, records)
    printer = _Printer(catalog, names, kept)
    printer.value(body, "", operation.kind, 0)
    lines = printer.lines[:LINES_MAX]
    return View(
        tuple(lines),
        len(printer.lines) - len(lines),
        _table(records, operation, catalog, kept) if answered.status == 200 else None,
        tuple(_steps(body, catalog, kept)),
    )


def _records(body: Any) -> list[Any]:
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, list):
        return [entry["data"] if isinstance(entry, dict) and "uri" in entry else entry for entry in data]
    if isinstance(data, dict):
        return [data]
    return [body] if isinstance(body, dict) else []


def _steps(body: Any, catalog: Catalog, kept: Kept) -> list[tuple[str, str]]:
    links = body.get("links", []) if isinstance(body, dict) else []
    return [
        (_STEPS[link["rel"]], kept(place))
        for link in links
        if link["rel"] in _STEPS and (place := catalog.place(link["uri"]))
    ]


@dataclass(slots=True)
class _Printer:
    """Prints a value as JSON. `kind` is the kind of the record around the value."""

    catalog: Catalog
    names: Names
    kept: Kept
    lines: list[str] = field(default_factory=lambda: [""])

    def value(self, value: Any, key: str, kind: str, depth: int) -> str:
        """Print a value, and return the name of the record that its id means."""
        if isinstance(value, dict) and value:
            self._inside(value, list(value.items()), "{}", kind, depth)
            return ""
        if isinstance(value, list) and value:
            self._inside(value, [("", each) for each in value], "[]", kind, depth, key)
            return ""
        return self._plain(value, key, kind)

    def _inside(
        self, value: Any, items: Sequence[tuple[str, Any]], marks: str, kind: str, depth: int, key: str = ""
    ) -> None:
        self._put(marks[0])
        for at, (name, each) in enumerate(items):
            self._next(depth + 1)
            if name:
                self._put(f'<span class="k">{_quoted(name)}</span>: ')
            below = _kind_below(value, name, kind)
            hint = self.value(each, name or key, below, depth + 1)
            self._put("," if at + 1 < len(items) else "")
            if hint:
                self._put(f'<span class="h">{_spoken(hint)}</span>')
        self._next(depth)
        self._put(marks[1])

    def _plain(self, value: Any, key: str, kind: str) -> str:
        if not isinstance(value, str):
            self._put(html.escape(json.dumps(value)))
            return ""
        address, hint = self._meaning(value, key, kind)
        if address:
            self._put(f'<a href="{html.escape(self.kept(address))}">{_quoted(value)}</a>')
        else:
            self._put(f'<span class="s">{_quoted(value)}</span>')
        return hint

    def _meaning(self, value: str, key: str, kind: str) -> tuple[str, str]:
        """The address to which a text leads, and the name of that record; each may be blank."""
        if key in ("uri", "canonical"):
            return self.catalog.place(value), ""
        if not _ID.fullmatch(value):
            return "", ""
        of = kind if key == "id" else KIND_OF_KEY.get(key, "")
        # Names stand only beside lines that are shown.
        name = self.names.of(of, value) if of and len(self.lines) < LINES_MAX else ""
        return self.catalog.shows(of, value) if of else "", name

    def _put(self, text: str) -> None:
        self.lines[-1] += text

    def _next(self, depth: int) -> None:
        self.lines.append("  " * depth)


def _kind_below(value: Any, name: str, kind: str) -> str:
    """The kind of the record under a key."""
    if name == "data" and isinstance(value, dict) and "." in str(value.get("type", "")):
        return str(value["type"]).partition(".")[0]
    if name == "district_contact":
        return "users"
    if name == "owner":
        return "districts"
    return kind


def _quoted(text: str) -> str:
    """A text as JSON, isolated from the text around it if it is written from right to left."""
    quoted = html.escape(json.dumps(text, ensure_ascii=False))
    return quoted if text.isascii() else f'"<bdi>{quoted[6:-6]}</bdi>"'


def _spoken(text: str) -> str:
    return html.escape(text) if text.isascii() else f"<bdi>{html.escape(text)}</bdi>"


def _table(records: list[Any], operation: Operation, catalog: Catalog, kept: Kept) -> Table | None:
    rows = [record for record in records if isinstance(record, dict)]
    if not rows:
        return None
    if len(rows) == 1:
        pairs = tuple(_flat(rows[0]))
        cells = tuple((Cell(name), _cell(name, value, operation, catalog, kept)) for name, value in pairs)
        return Table(("Field", "Value"), cells)
    heads = tuple(dict.fromkeys(name for row in rows[:ROWS_MAX] for name in row))
    return Table(
        heads,
        tuple(
            tuple(_cell(name, row.get(name, ""), operation, catalog, kept) for name in heads)
            for row in rows[:ROWS_MAX]
        ),
        max(0, len(rows) - ROWS_MAX),
    )


def _flat(record: Any, before: str = "") -> list[tuple[str, Any]]:
    """The fields of a record, also those inside other fields, with dots in their names."""
    found: list[tuple[str, Any]] = []
    for name, value in record.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((before + name, value))
    return found


def _cell(name: str, value: Any, operation: Operation, catalog: Catalog, kept: Kept) -> Cell:
    key = name.rpartition(".")[2]
    if isinstance(value, str) and _ID.fullmatch(value):
        kind = operation.kind if name == "id" else KIND_OF_KEY.get(key, "")
        address = catalog.shows(kind, value) if kind else ""
        return Cell(value, kept(address) if address else "")
    return Cell(_short(key, value))


def _short(key: str, value: Any) -> str:
    if isinstance(value, dict):
        if key == "name":
            return " ".join(str(part) for part in value.values() if part)
        return (
            ", ".join(value)
            if key == "roles"
            else ", ".join(f"{name}: {each}" for name, each in value.items())[:CELL_MAX]
        )
    if isinstance(value, list):
        is_ids = value and all(isinstance(each, str) and _ID.fullmatch(each) for each in value)
        return f"{len(value)} ids" if is_ids else ", ".join(map(str, value))[:CELL_MAX]
    return str(value) if not isinstance(value, bool) else str(value).lower()
