"""Districts and the ids of all records, on both databases."""

from __future__ import annotations

import threading

import pytest

from rollbook.errors import Conflict, Unknown
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import Database


class Clock:
    """Stands in for the module `time` where districts read it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


def test_a_district_is_found_by_name_and_by_id(database: Database) -> None:
    made = districts.create(database, "  Springfield ")
    assert made.name == "Springfield"
    assert districts.find(database, "Springfield") == districts.find(database, made.id) == made
    assert districts.list_all(database) == [made]


def test_two_districts_cannot_have_one_name(database: Database) -> None:
    districts.create(database, "Springfield")
    with pytest.raises(Conflict, match="'Springfield' exists already"):
        districts.create(database, "Springfield ")
    with pytest.raises(Conflict, match="needs a name"):
        districts.create(database, "  ")


def test_no_name_is_the_id_of_another_district_or_application(database: Database) -> None:
    made = districts.create(database, "Springfield")
    with pytest.raises(Conflict, match="exists already"):
        districts.create(database, made.id)
    districts.create(database, "0" * 24)
    with pytest.raises(Conflict, match="exists already"):
        districts.create(database, "A copy", given=f'{{"id": "{"0" * 24}"}}')
    trusted, _ = applications.create(database, NewApplication("Reading Room"))
    with pytest.raises(Conflict, match="exists already"):
        applications.create(database, NewApplication(trusted.client_id))
    with pytest.raises(Conflict, match="exists already"):
        applications.create(database, NewApplication("Another", client_id=trusted.name))


def test_an_unknown_district_is_told_with_those_there_are(database: Database) -> None:
    with pytest.raises(Unknown, match="'Shelbyville'; there is none yet"):
        districts.find(database, "Shelbyville")
    districts.create(database, "Springfield")
    with pytest.raises(Unknown, match="'Shelbyville'; there is 'Springfield'"):
        districts.find(database, "Shelbyville")


def test_ids_rise_with_creation_also_when_the_clock_goes_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1_900_000_000.5)
    monkeypatch.setattr(districts, "time", clock)
    batches = []
    for step in (0, 0, -3600, 10, -1):
        clock.now += step
        batches.append(districts.reserve(database))
    ids = [batch.id(counter) for batch in batches for counter in (0, 1, 0xFFFF)]
    assert ids == sorted(set(ids))
    assert ids[0].startswith(f"{1_900_000_000:08x}")


def test_no_two_that_reserve_at_once_get_the_same_second(database: Database) -> None:
    threads, each = 4, 10
    found: list[str] = []
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait(timeout=60)
        found.extend(districts.reserve(database).prefix for _ in range(each))

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len({prefix[:8] for prefix in found}) == threads * each


def test_history_never_goes_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(districts, "time", Clock(1_000.0))
    assert districts.moment_after(database, None) == 1_000.0
    assert districts.moment_after(database, "1970-01-01T00:16:39.000Z") == 1_000.0
    assert districts.moment_after(database, "1970-01-01T00:16:40.000Z") == pytest.approx(1_000.001)
    assert districts.moment_after(database, "1970-01-01T01:00:00.000Z") == pytest.approx(3_600.001)


def test_ids_are_random_unless_a_database_is_told_a_seed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(districts, "time", Clock(1_000.0))
    assert len({districts.reserve(database, 5_000.0 + number).prefix[8:] for number in range(20)}) == 20


def test_fixed_ids_follow_from_the_seed_and_the_order_of_what_is_done(database: Database) -> None:
    districts.fix_ids(database, "7", 1_000.5)
    made = districts.create(database, "Springfield")
    found = [
        made.id[:16],
        *(districts.reserve(database, moment).prefix for moment in (None, 900.0, 5_000.5, None)),
    ]
    assert [int(prefix[:8], 16) for prefix in found] == [1_000, 1_001, 1_002, 5_000, 5_001]
    # Written down, as in someone's fixtures: these never change.
    assert found == [
        "000003e8ba91de4d",
        "000003e9f280dd11",
        "000003eaa15bf581",
        "00001388b1ec51d9",
        "0000138959b832ba",
    ]


def test_the_clock_of_fixed_ids_stands_at_the_last_batch(database: Database) -> None:
    districts.fix_ids(database, "7", 1_000.0)
    assert districts.create(database, "Springfield").created == "1970-01-01T00:16:40.000Z"
    districts.reserve(database, 5_000.0)
    assert districts.moment_after(database, None) == 5_000.0
    assert districts.moment_after(database, "1970-01-01T01:23:20.000Z") == pytest.approx(5_000.001)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_771_000_000.123, "2026-02-13T16:26:40.123Z"),
        (1_771_000_000.9999, "2026-02-13T16:26:40.999Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert districts.timestamp(seconds) == text
