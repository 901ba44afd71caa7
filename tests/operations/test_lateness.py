"""Whether files are late: what lies in the drop folder, waits in the queue or went in has come, on each database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollbook.domain.actors import OPERATOR, Actor
from rollbook.domain.school_days import DAYS
from rollbook.operations import districts_overview, drop_folders, lateness, scheduling
from rollbook.store.work import job_queue
from tests import world
from tests.jobs.test_drop_folders import go_on
from tests.journeys.hub import Hub

DAY = 86_400


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the database's clock, the last sync was the day before yesterday."""
    for dialect, plain in dict(job_queue.NOW).items():
        monkeypatch.setitem(job_queue.NOW, dialect, f"{plain} + {2 * DAY * 1000}")


@pytest.fixture
def hub(synced_hub: Hub, tomorrow: None, tmp_path: Path) -> Hub:
    """A server whose district was synced once, and whose files are due at each midnight."""
    (tmp_path / "drop").mkdir()
    given = {"folder": str(tmp_path / "drop"), "late_after": "00:00", "days": DAYS}
    scheduling.change(synced_hub.database, "Springfield", lambda now: replace(now, **given))  # type: ignore[arg-type]
    return synced_hub


def rule(hub: Hub, name: str) -> None:
    scheduling.change(hub.database, "Springfield", lambda now: replace(now, rule=name, at="03:00"))


def is_late(hub: Hub) -> bool:
    """The answer, which is the same everywhere."""
    (night,) = scheduling.nights(hub.database)
    (line,) = districts_overview.lines(hub.database, Actor("Ana", OPERATOR))
    told = scheduling.without_files(hub.database).get("Springfield", "")
    assert [line.state == "late", told.startswith("no files came")] == [night.is_late] * 2
    return night.is_late


def came(hub: Hub, seconds: float) -> None:
    """Note when the last upload came, so many seconds from now."""
    with hub.database.write() as transaction:
        moment = job_queue.now(transaction) + int(seconds * 1000)
        transaction.run(
            "UPDATE arrivals SET came = ? WHERE number = (SELECT max(number) FROM arrivals)", (moment,)
        )


@pytest.mark.parametrize("name", ["marker", "closed", "quiet", "at"])
def test_an_upload_that_no_worker_has_taken_yet_has_come(hub: Hub, tmp_path: Path, name: str) -> None:
    rule(hub, name)
    assert is_late(hub)
    world.write(tmp_path / "drop")
    assert is_late(hub) is (name in ("marker", "closed"))
    (tmp_path / "drop" / "complete").touch()
    assert not is_late(hub)
    (tmp_path / "drop" / drop_folders.open_mark("students.csv")).touch()
    assert is_late(hub)


def test_an_upload_that_waits_in_the_queue_has_come(hub: Hub, tmp_path: Path) -> None:
    world.write(tmp_path / "drop")
    (tmp_path / "drop" / "complete").touch()
    drop_folders.watch(hub.database)
    assert not is_late(hub)
    came(hub, -2 * DAY)
    assert is_late(hub)


def test_an_upload_noted_by_a_clock_that_was_ahead_hides_no_late_files(hub: Hub, tmp_path: Path) -> None:
    for _ in range(2):
        world.write(tmp_path / "drop")
        (tmp_path / "drop" / "complete").touch()
        drop_folders.watch(hub.database)
        came(hub, 400 * DAY)
    assert is_late(hub)
    came(hub, lateness.AHEAD_SECONDS / 2)
    assert not is_late(hub)
    with hub.database.write() as transaction:
        transaction.run("UPDATE districts SET last_sync = '2039-01-01T00:00:00.000Z'")
        transaction.run("DELETE FROM arrivals")
    assert is_late(hub)


def test_an_upload_that_waits_in_vain_asks_for_a_worker(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(tmp_path / "drop")
    (tmp_path / "drop" / "complete").touch()
    go_on(monkeypatch, drop_folders.WAIT_SECONDS - 60)
    assert scheduling.without_files(hub.database) == {}
    go_on(monkeypatch, drop_folders.WAIT_SECONDS + 60)
    assert scheduling.without_files(hub.database) == {"Springfield": scheduling.STEPS["waiting"].command}
    (night,) = scheduling.nights(hub.database)
    assert (night.is_waiting, night.unfinished) == (True, 0)
    drop_folders.watch(hub.database)
    assert scheduling.without_files(hub.database) == {}
