"""Columns hold where a demo stands, and whether a report is short; an upgrade fills both.

On both databases.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rollbook.errors import Refused
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import Person, State
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import commits
from tests.store.old_database import opened_before

STATE = State(1000, 1, 1787551200.0, 3, "2026-08-20", ("section-ids-reused",), "term", "term", 2)
PERSON = Person("s-1", "Ada \u201cA\u201d Byrne", "")


def noted(state: State, person: Person | None) -> dict[str, Any]:
    """A demo's note in the text of a report, as earlier versions wrote it."""
    names = ("students", "seed", "first", "day", "date", "story", "unfinished", "nights")
    told = {name: getattr(state, name) for name in names}
    who = {"sis_id": person.sis_id, "name": person.name, "id": person.id} if person else None
    return {"demo": True, **told, "in_force": [*state.in_force], "person": who}


@pytest.mark.parametrize("person", [PERSON, None])
def test_an_upgrade_takes_notes_and_marks_out_of_the_texts(bare_address: str, person: Person | None) -> None:
    reports: list[dict[str, Any]] = [
        {"kinds": {}, "note": noted(STATE, None), "is_short": True},
        {"kinds": {}, "note": noted(STATE, person)},
        {"kinds": {}, "note": None, "samples": [{"label": '"is_short": true'}]},
        {"discards": 3},
    ]
    with opened_before(bare_address, migrations.run_columns) as old:
        with old.write() as transaction:
            transaction.run(
                "INSERT INTO districts (number, id, name, created, state, error) VALUES (1, 'd', 'Ash', '', '', '')"
            )
            transaction.insert(
                "syncs",
                "district, sync, cause, state, created, report, last_event",
                [
                    (1, number, "files", "committed", "", json.dumps(report), "")
                    for number, report in enumerate(reports, start=1)
                ],
            )
        for _ in range(2):
            migrate(old)
            runs = commits.runs(old, districts.find(old, "Ash"))
            assert [run.is_short for run in runs] == [False, False, False, True]
            assert runs[0].report == reports[3]
            assert all({"note", "is_short"}.isdisjoint(run.report) for run in runs)
            assert runs[1].report["samples"] == reports[2]["samples"]
            with old.read() as transaction:
                state = demo_state.state(transaction, 1)
            assert state.person == person
            assert state == replace(STATE, person=person)


def test_a_demo_stands_where_its_last_night_left_it(database: Database) -> None:
    district = districts.create(database, "Ash")
    with pytest.raises(Refused, match="made by an earlier version"), database.read() as transaction:
        demo_state.state(transaction, district.number)
    with database.write() as transaction:
        demo_state.keep(STATE, transaction, district.number, 1)
        later = State(5, 2, 60.0, 4, "2026-08-21", person=PERSON)
        demo_state.keep(later, transaction, district.number, 2)
    with database.read() as transaction:
        state = demo_state.state(transaction, district.number)
    assert state == later
