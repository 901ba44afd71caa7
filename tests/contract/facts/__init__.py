"""The facts of the published contract, read from their tables; see README.md beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, order=True)
class Operation:
    api: str
    path: str
    operation: str
    tag: str
    response: str
    statuses: str


@dataclass(frozen=True, order=True)
class Parameter:
    api: str
    path: str
    name: str
    place: str
    type: str
    required: str
    enum: tuple[str, ...]


@dataclass(frozen=True, order=True)
class FieldFact:
    api: str
    shape: str
    name: str
    type: str
    of: str
    format: str
    pattern: str
    promises: str
    enum: tuple[str, ...]


@dataclass(frozen=True, order=True)
class ColumnFact:
    file: str
    header: str
    needed: str
    unique: str
    link: str
    values: str


@dataclass(frozen=True, order=True)
class Word:
    values: str
    word: str
    kind: str
    shown: str


def operations() -> list[Operation]:
    return [Operation(*row) for row in _rows("operations.tsv")]


def parameters() -> list[Parameter]:
    return [
        Parameter(api, path, name, place, type_, required, _list(enum))
        for api, path, name, place, type_, required, enum in _rows("parameters.tsv")
    ]


def fields_of_v3_1() -> list[FieldFact]:
    """The fields that v3.1 adds or changes; words in alphabetical order."""
    return [
        FieldFact(api, shape, name, type_, of, format_, pattern, promises, _list(enum))
        for api, shape, name, type_, of, format_, pattern, promises, enum in _rows("fields-3.1.tsv")
    ]


def fields() -> list[FieldFact]:
    return [
        FieldFact(api, shape, name, type_, of, format_, pattern, promises, _list(enum))
        for api, shape, name, type_, of, format_, pattern, promises, enum in _rows("fields.tsv")
    ]


def columns() -> list[ColumnFact]:
    """The columns of the file specification; the row `*` of each file says whether the file is required."""
    return [ColumnFact(*row) for row in _rows("columns.tsv")]


def words() -> list[Word]:
    return [Word(*row) for row in _rows("values.tsv")]


def differences(published: Sequence[object], ours: Sequence[object]) -> list[str]:
    """The differences for a person to check: one line for each fact that only one side has."""
    missing = [f"missing from the rows: {fact}" for fact in published if fact not in ours]
    return missing + [f"not in the published files: {fact}" for fact in ours if fact not in published]


def _rows(name: str) -> list[list[str]]:
    lines = (_HERE / name).read_text("utf-8").splitlines()[1:]
    return [["" if cell == "-" else cell for cell in line.split("\t")] for line in lines]


def _list(cell: str) -> tuple[str, ...]:
    return tuple(json.loads(cell)) if cell else ()
