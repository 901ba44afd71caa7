"""Districts at a glance: their number of syncs, the last one, held syncs and frozen views; with few queries
for all districts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Row, Transaction
from rollbook.store.records.commits import RUN, Run, as_run

# Causes of runs that take in a source. Together with undo, they are all runs that change the roster.
_TAKING_IN = "'files', 'clone', 'approval'"
_MAKING = f"{_TAKING_IN}, 'undo'"
_RUN = ", ".join(f"s.{name}" for name in RUN.split(", "))


@dataclass(frozen=True, slots=True)
class Glance:
    """A district: its number of syncs, the last run that was meant to change its roster, and the held run, if
    any.

    `frozen` has the reasons why an application's view is frozen, by the application's name.
    """

    district: District
    committed: int = 0
    last: Run | None = None
    held: Run | None = None
    frozen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def look(database: Database, district: District | None = None) -> list[Glance]:
    """All districts, or one, at one moment."""
    with database.read() as transaction:
        wanted = (
            districts.all_in(transaction) if district is None else [districts.reread(transaction, district)]
        )
        only = None if district is None else district.number
        committed, last, held = (
            _committed(transaction, only),
            _last(transaction, only),
            _held(transaction, only),
        )
        frozen = _frozen(transaction, only)
    return [
        Glance(
            each,
            committed.get(each.number, 0),
            last.get(each.number),
            held.get(each.number),
            frozen.get(each.number, {}),
        )
        for each in wanted
    ]


def _committed(transaction: Transaction, only: int | None) -> dict[int, int]:
    where, values = _of(only)
    query = (
        "SELECT s.district, count(*) FROM syncs s WHERE s.state = 'committed' AND s.cause IN "
        f"({_TAKING_IN}){where}"
    )
    return dict(transaction.rows(f"{query} GROUP BY s.district", values))


def _last(transaction: Transaction, only: int | None) -> dict[int, Run]:
    where, values = _of(only)
    latest = (
        "SELECT s.district, max(s.sync) AS sync FROM syncs s WHERE s.cause IN "
        f"({_MAKING}){where} GROUP BY s.district"
    )
    joined = f"FROM syncs s JOIN ({latest}) l ON l.district = s.district AND l.sync = s.sync"
    return _by_district(transaction.rows(f"SELECT s.district, {_RUN} {joined}", values))


def _held(transaction: Transaction, only: int | None) -> dict[int, Run]:
    where, values = _of(only)
    return _by_district(
        transaction.rows(f"SELECT s.district, {_RUN} FROM syncs s WHERE s.state = 'held'{where}", values)
    )


def _by_district(rows: list[Row]) -> dict[int, Run]:
    return {row[0]: as_run(row[1:]) for row in rows}


def _frozen(transaction: Transaction, only: int | None) -> dict[int, dict[str, tuple[str, ...]]]:
    where, values = _of(only)
    found = transaction.rows(
        "SELECT s.district, a.name, v.frozen FROM connections s JOIN applications a ON a.number = s.application"
        f" JOIN views v ON v.number = s.view WHERE v.frozen <> '[]'{where} ORDER BY a.name",
        values,
    )
    frozen: dict[int, dict[str, tuple[str, ...]]] = {}
    for number, name, reasons in found:
        frozen.setdefault(number, {})[name] = tuple(json.loads(reasons))
    return frozen


def _of(only: int | None) -> tuple[str, tuple[Any, ...]]:
    """The end of a condition, for one district (by number) or for all."""
    return ("", ()) if only is None else (" AND s.district = ?", (only,))


# A number of a run's report, in each database's words.
_NUMBER = {
    "sqlite": "coalesce(json_extract(report, '$.kinds.students.{name}'), 0)",
    "postgresql": "coalesce((report::json #>> '{{kinds,students,{name}}}')::bigint, 0)",
}


def students(transaction: Transaction, district: int, most: int) -> list[int]:
    """How many students a district (by number) had after each of its last committed runs, oldest first."""
    existing, created, deleted = (
        _NUMBER[transaction.engine].format(name=name) for name in ("existing", "created", "deleted")
    )
    found = transaction.rows(
        f"SELECT {existing} + {created} - {deleted} FROM syncs WHERE district = ? AND state = 'committed'"
        f" AND cause IN ({_MAKING}) ORDER BY sync DESC LIMIT ?",
        (district, most),
    )
    return [int(count) for (count,) in reversed(found)]
