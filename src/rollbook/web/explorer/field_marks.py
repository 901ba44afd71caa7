"""Facts about each field, for the tables beside answers and on record pages.

They are its type, its promises, its values, its normalisation, its scope and its CSV columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from rollbook.contract.clever import openapi_schemas
from rollbook.contract.clever.column_values import VALUE
from rollbook.contract.clever.event_rows import TYPES
from rollbook.contract.clever.field_sources import columns_of_field
from rollbook.contract.clever.fields import SHAPES, Field, G, N
from rollbook.contract.clever.sign_in_rows import SIGN_IN_SHAPES

EXAMPLES_MAX = 12
# Events are made when they are published, so their fields are not rows of a record.
EVENT: dict[str, tuple[Field, ...]] = {
    "Event": (
        Field("id", promise=G, help="Id of the event, not of the record; events rise by it."),
        Field("type", promise=G, enum=TYPES, help="Kind of record, and what became of it."),
        Field("created", promise=G, format="date-time", help="The second in which it was published, UTC."),
        Field("data", "object", G, of="EventData", help="The record that the event is about."),
    ),
    "EventData": (
        Field("object", "object", G, help="The record at that moment; of a deleted one, the last known."),
        Field(
            "previous_attributes",
            "object",
            N,
            help="On updated only: old values of what changed, nested as there.",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a shape."""

    name: str
    type: str
    of: str
    marks: tuple[str, ...]
    values: tuple[str, ...]
    rule: str
    examples: tuple[tuple[str, str], ...]
    scope: str
    columns: tuple[tuple[str, str], ...]
    help: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape with its fields."""

    name: str
    rows: tuple[Row, ...]

    @property
    def anchor(self) -> str:
        return f"shape-{self.name.lower()}"


def shapes(name: str, version: str) -> list[Shape]:
    """A shape and the shapes inside it, in the order in which a reader meets them."""
    found: dict[str, Shape] = {}
    _collect(name, version, found)
    return list(found.values())


def _collect(name: str, version: str, found: dict[str, Shape]) -> None:
    fields = _fields(name, version)
    if name in found or not fields:
        return
    found[name] = Shape(name, tuple(_row(name, field) for field in fields))
    for field in fields:
        if field.of:
            _collect(field.of, version, found)


def _fields(name: str, version: str) -> tuple[Field, ...]:
    return (
        openapi_schemas.fields_of(name, version)
        if name in SHAPES
        else {**SIGN_IN_SHAPES, **EVENT}.get(name, ())
    )


def _row(shape: str, field: Field) -> Row:
    columns = columns_of_field(shape, field)
    kinds = dict.fromkeys(column.values for column in columns if column.values)
    rules = [VALUE[kind] for kind in kinds]
    words = {
        word: shown for rule in rules for word, shown in _telling(rule.words, rule.glosses, rule.examples)
    }
    return Row(
        name=field.name,
        type=_type(field),
        of=field.of or "",
        marks=(*openapi_schemas.marks(field), *(("normalised",) if rules else ())),
        values=tuple(value or '""' for value in field.enum),
        rule="; ".join(dict.fromkeys(rule.expected for rule in rules)),
        examples=tuple(words.items())[:EXAMPLES_MAX],
        scope=field.scope or "",
        columns=tuple(
            (file, ", ".join(column.header for column in each))
            for file, each in groupby(columns, lambda column: column.file)
        ),
        help=field.help,
    )


def _telling(*words: object) -> Iterator[tuple[str, str]]:
    """The words that a sync replaces by others."""
    for each in words:
        if isinstance(each, dict):
            yield from ((word, shown) for word, shown in each.items() if word != shown)


def _type(field: Field) -> str:
    if field.type == "array":
        return f"list of {field.of or 'strings'}"
    if field.type == "object":
        return field.of or "map of strings"
    return {"datetime": "date and time", "date-time": "date and time"}.get(
        field.format or "", field.format or field.type
    )
