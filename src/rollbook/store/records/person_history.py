"""One person in the store: their record in a view, and how it changed from run to run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.versions import VERSIONS
from rollbook.store.district import views
from rollbook.store.engine.database import Transaction
from rollbook.store.records.shared_bodies import current

# How many past versions a timeline shows.
VERSIONS_MAX = 100
RUNS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Version:
    """A record as it was from run `since` until before run `until`; None: it still is."""

    since: int
    until: int | None
    record: dict[str, Any]


def present(transaction: Transaction, view: int, id_: str) -> dict[str, Any] | None:
    """A person's record in a view (by number), with the fields that only later versions of the API show."""
    found, of = None, views.by_number(transaction, view)
    for form in range(len(VERSIONS)):
        stored = current(transaction, of, form, "users", id_)
        if stored:
            record: dict[str, Any] = json.loads(stored.body)
            found = _joined(found, record) if found else record
    return found


def versions(transaction: Transaction, district: int, view: int, id_: str) -> list[Version]:
    """The versions of a person's record in a district's whole view (both by number), newest first."""
    now = transaction.rows(
        "SELECT since, body FROM records WHERE view = ? AND form = 0 AND kind = 'users' AND id = ?",
        (view, id_),
    )
    # One probe of the key for each run: versions are not indexed by id alone.
    past = transaction.rows(
        "SELECT v.since, v.until, v.body FROM syncs s CROSS JOIN versions v WHERE s.district = ? AND v.until = s.sync"
        " AND v.view = ? AND v.form = 0 AND v.kind = 'users' AND v.id = ? ORDER BY v.until DESC LIMIT ?",
        (district, view, id_, VERSIONS_MAX),
    )
    return [
        *(Version(since, None, json.loads(body)) for since, body in now),
        *(Version(since, until, json.loads(body)) for since, until, body in past),
    ]


def run_times(transaction: Transaction, district: int) -> dict[int, str]:
    """When the last runs on a district (by number) were, by their numbers."""
    return dict(
        transaction.rows(
            "SELECT sync, created FROM syncs WHERE district = ? ORDER BY sync DESC LIMIT ?",
            (district, RUNS_MAX),
        )
    )


def _joined(first: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    roles = {role: {**later["roles"].get(role, {}), **held} for role, held in first["roles"].items()}
    return {**later, **first, "roles": roles}
