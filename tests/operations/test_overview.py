"""The line of a district in the overview: its state, and why."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest

from rollbook.domain.actors import OPERATOR, Actor
from rollbook.domain.school_days import DAYS, Schedule
from rollbook.errors import SourceRejected
from rollbook.operations import (
    connecting,
    districts_overview,
    registering,
    run_decisions,
    scheduling,
    share_edits,
)
from rollbook.operations.districts_overview import Line
from rollbook.operations.share_edits import ShareEdit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.work import job_queue
from tests import world
from tests.journeys.hub import Hub


def line(hub: Hub) -> Line:
    (found,) = districts_overview.lines(hub.database, Actor("Ana", OPERATOR))
    one = districts_overview.line(hub.database, districts.find(hub.database, hub.district.id))
    assert (found.state, found.why) == (one.state, one.why)
    return found


def every_day(now: Schedule) -> Schedule:
    return replace(now, late_after="00:00", days=DAYS)


def test_a_district_is_empty_late_or_paused(small_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (line(small_hub).state, line(small_hub).why) == ("empty", "Nothing was uploaded yet.")
    with pytest.raises(SourceRejected):
        small_hub.sync({**world.FILES, "schools.csv": ""})
    failed = line(small_hub)
    assert (failed.state, bool(failed.why), failed.changes) == ("failed", True, None)
    small_hub.sync(world.FILES)
    assert (line(small_hub).state, line(small_hub).why, line(small_hub).students) == ("running", "", 3)
    scheduling.change(small_hub.database, "Springfield", every_day)
    assert line(small_hub).state == "running"
    monkeypatch.setitem(job_queue.NOW, "sqlite", f"{job_queue.NOW['sqlite']} + {3 * 86_400_000}")
    assert (line(small_hub).state, line(small_hub).why) == ("late", "No files came last night.")
    run_decisions.pause(small_hub.database, "Springfield", date(2026, 1, 1), None)
    assert (line(small_hub).state, line(small_hub).why) == ("paused", "Paused until it is resumed.")


def test_a_district_with_a_frozen_view_says_whose(small_synced_hub: Hub) -> None:
    hub = small_synced_hub
    registering.register(hub.database, NewApplication("Reader"))
    connecting.connect(hub.database, hub.settings, "Reader", "Springfield", freezes=True)
    assert share_edits.share(
        hub.database, hub.settings, "Reader", "Springfield", ShareEdit(shared="nothing")
    ).is_held
    assert (line(hub).state, line(hub).why.partition(" is frozen")[0]) == ("frozen", "The view of Reader")


def test_now_is_the_last_night_in_a_demo(small_database: Database) -> None:
    with small_database.write() as transaction:
        transaction.insert("facts", "name, value", [("id_seed", "1"), ("id_second", "1790000000")])
    clock = time.time()
    assert districts_overview.now(small_database, in_demo=True) == 1_790_000_000
    assert districts_overview.now(small_database, in_demo=False) >= clock
