"""What each run changed, or would change, record by record: with the name, the school and the grade.

The rows of a run are written in its transaction, and dropped with the versions of that time: they name
people. The first run of a district has none, because everything is new in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rollbook.domain.kinds import ROLES, label
from rollbook.store.engine import text_parts
from rollbook.store.engine.database import Row, Transaction

# At most so many rows of a run are kept; its report counts all.
ROWS_MAX = 200_000
COLUMNS = "district, sync, verb, kind, id, sis_id, name, school, grade"
VERBS = ("deleted", "updated", "created")
_BATCH = 500
_SOURCE = {
    "student": "students",
    "teacher": "teachers",
    "staff": "staff",
    "district_admin": "district_admins",
    "contact": "contacts",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """One record that a run changed. `kind` is students, teachers and so on for people; `school` is an id."""

    verb: str
    kind: str
    id: str
    sis_id: str
    name: str
    school: str
    grade: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to list; a blank value selects all. `text` is part of a name or an id."""

    verb: str = ""
    kind: str = ""
    school: str = ""
    grade: str = ""
    text: str = ""

    def where(self) -> tuple[str, tuple[str, ...]]:
        """The condition, and its values."""
        given = {"verb": self.verb, "kind": self.kind, "school": self.school, "grade": self.grade}
        parts = [f"AND {column} = ?" for column, value in given.items() if value]
        values = [value for value in given.values() if value]
        if self.text:
            parts.append(f"AND ({text_parts.contains('name')} OR id = ? OR sis_id = ?)")
            values += [text_parts.pattern(self.text), self.text, self.text]
        return " ".join(parts), tuple(values)


def write(
    transaction: Transaction,
    district: int,
    sync: int,
    view: int,
    rows: Iterable[tuple[str, str, str, str | None]],
) -> None:
    """Keep a run's changes: rows of (kind, verb, id, record as JSON). A deleted record is read from the view
    (by number), which still has it."""
    transaction.insert("changed_records", COLUMNS, _rows(transaction, district, sync, view, rows))


def _rows(
    transaction: Transaction,
    district: int,
    sync: int,
    view: int,
    rows: Iterable[tuple[str, str, str, str | None]],
) -> list[Row]:
    # A list, read before anything is written: PostgreSQL answers nothing else while rows are copied into it.
    found: list[Row] = []
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        gone = [(kind, id_) for kind, verb, id_, _ in batch if verb == "deleted"]
        bodies = _bodies(transaction, view, gone)
        for kind, verb, id_, body in batch:
            record = json.loads(body or bodies.get((kind, id_)) or "{}")
            found.append((district, sync, verb, *_facts(kind, id_, record)))
    return found


def _bodies(
    transaction: Transaction, view: int, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    found = {}
    for kind in {kind for kind, _ in wanted}:
        ids = [id_ for each, id_ in wanted if each == kind]
        places = ", ".join("?" for _ in ids)
        rows = transaction.rows(
            f"SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = ? AND id IN ({places})",
            (view, kind, *ids),
        )
        found.update({(kind, id_): body for id_, body in rows})
    return found


def _facts(kind: str, id_: str, record: dict[str, Any]) -> tuple[str, ...]:
    """Kind, id, SIS id, name, school and grade of a record."""
    roles = record.get("roles") if kind == "users" else None
    roles = roles or {}
    role = next((each.name for each in ROLES if roles.get(each.name)), "")
    own: dict[str, Any] = roles.get(role) or record
    source = _SOURCE.get(role, kind)
    school = id_ if kind == "schools" else own.get("school") or next(iter(own.get("schools") or ()), "")
    sis_id = own.get("sis_id") or ""
    return source, id_, str(sis_id), label(record), str(school or ""), str(own.get("grade") or "")


def groups(transaction: Transaction, district: int, sync: int) -> list[tuple[str, str, int]]:
    """How many rows a run has of each kind and verb."""
    rows = transaction.rows(
        "SELECT kind, verb, count(*) FROM changed_records WHERE district = ? AND sync = ?"
        " GROUP BY kind, verb ORDER BY kind, verb",
        (district, sync),
    )
    return [(kind, verb, int(count)) for kind, verb, count in rows]


def by(
    transaction: Transaction, district: int, sync: int, column: str, wanted: Filter
) -> list[tuple[str, int]]:
    """How many of the selected rows each value of a column (school or grade) has, the most first."""
    where, values = wanted.where()
    rows = transaction.rows(
        f"SELECT {column}, count(*) AS n FROM changed_records WHERE district = ? AND sync = ? {where}"
        f" GROUP BY {column} ORDER BY n DESC, {column}",
        (district, sync, *values),
    )
    return [(value, int(count)) for value, count in rows]


def page(
    transaction: Transaction, district: int, sync: int, wanted: Filter, *, first: int, most: int
) -> list[Changed]:
    """Some of the selected rows, by kind, verb and name."""
    where, values = wanted.where()
    rows = transaction.rows(
        "SELECT verb, kind, id, sis_id, name, school, grade FROM changed_records"
        f" WHERE district = ? AND sync = ? {where} ORDER BY verb, kind, name, id LIMIT ? OFFSET ?",
        (district, sync, *values, most, first),
    )
    return [Changed(*row) for row in rows]


def each(transaction: Transaction, district: int, sync: int, wanted: Filter) -> Iterator[Changed]:
    """All selected rows."""
    yield from page(transaction, district, sync, wanted, first=0, most=ROWS_MAX)


def returning(transaction: Transaction, district: int, sync: int, kind: str) -> int:
    """How many people of a kind vanish while somebody of the same name appears: their ids may have changed."""
    found = transaction.row(
        "SELECT count(*) FROM changed_records g WHERE g.district = ? AND g.sync = ? AND g.verb = 'deleted'"
        " AND g.kind = ? AND g.name <> '' AND EXISTS (SELECT 1 FROM changed_records c WHERE c.district = g.district"
        " AND c.sync = g.sync AND c.verb = 'created' AND c.kind = g.kind AND c.name = g.name)",
        (district, sync, kind),
    )
    return int(found[0]) if found else 0


def seen_by(transaction: Transaction, district: int, sync: int) -> dict[int, dict[str, int]]:
    """For each view (by number): how many of the people and sections that a run deletes or updates it shows now."""
    rows = transaction.rows(
        "SELECT r.view, c.verb, count(*) FROM changed_records c JOIN views v ON v.district = c.district"
        " JOIN records r ON r.view = v.number AND r.form = 0 AND r.id = c.id AND r.kind = CASE"
        " WHEN c.kind IN ('students', 'teachers', 'staff', 'district_admins', 'contacts') THEN 'users' ELSE c.kind END"
        " WHERE c.district = ? AND c.sync = ? AND c.verb <> 'created' GROUP BY r.view, c.verb",
        (district, sync),
    )
    found: dict[int, dict[str, int]] = {}
    for view, verb, count in rows:
        found.setdefault(view, {})[verb] = int(count)
    return found


def forget(transaction: Transaction, district: int, oldest: int) -> None:
    """Drop the rows of runs up to a number."""
    transaction.run("DELETE FROM changed_records WHERE district = ? AND sync <= ?", (district, oldest))
