"""The record of a cloned district is the source's."""

from __future__ import annotations

from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.records.own_record import keep_true


def test_a_clone_stays_as_its_source_says(database: Database) -> None:
    given = '{"id":"%s","name":"Theirs","state":"paused"}' % ("5" * 24)
    districts.create(database, "Theirs", given=given)
    assert keep_true(database, "https://roster.example") == 0
