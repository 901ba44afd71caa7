"""Figures of a district for charts: students by grade, and sign-ins by hour and way."""

from __future__ import annotations

from rollbook.operations import district_figures
from rollbook.store.accounts import audit
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from tests.journeys.hub import Hub

NOW = 1_796_000_000.0


def test_grades_are_those_of_the_last_run_that_counted_them(small_synced_hub: Hub) -> None:
    hub = small_synced_hub
    found = district_figures.students_by_grade(hub.database, hub.district)
    assert list(found.items()) == [("5", 1), ("10", 1), ("11", 1)]
    with hub.database.write() as transaction:
        transaction.run("UPDATE syncs SET report = '{}'")
    assert district_figures.students_by_grade(hub.database, hub.district) == {}


def test_sign_ins_are_counted_by_hour_and_way(database: Database) -> None:
    district, other = (districts.create(database, name) for name in ("Springfield", "Other"))
    with database.write() as transaction:
        for seconds_ago, method, owner in (
            *((60, "password", district), (60, "badge", district), (7200, "demo", district)),
            *((100_000, "password", district), (60, "password", other), (-7200, "password", district)),
        ):
            number = audit.record(transaction, "signed in", district=owner.number, method=method)
            moment = districts.timestamp(NOW - seconds_ago)
            transaction.run("UPDATE audit SET created = ? WHERE number = ?", (moment, number))
        audit.record(transaction, "signed out", district=district.number)
    found = district_figures.sign_ins(database, district, NOW)
    assert {way: (hours[-1], hours[-3], sum(hours)) for way, hours in found.items()} == {
        "password": (1, 0, 1),
        "badge": (1, 0, 1),
        "service": (0, 1, 1),
    }
