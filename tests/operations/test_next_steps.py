"""The next step that a night tells an operator, in each state in which a district can be."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from rollbook.errors import SourceRejected
from rollbook.operations import drop_folders, scheduling
from rollbook.operations.job_control import sync_job
from rollbook.operations.scheduling import STEPS
from rollbook.store.work import job_queue
from tests import world
from tests.journeys.hub import Hub


def step(hub: Hub) -> str:
    (night,) = scheduling.nights(hub.database)
    return night.next_step


def test_a_district_without_a_roster_is_to_be_synced_once_its_files_are_whole(
    small_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert step(small_hub) == 'Nothing was synced yet: `rollbook sync "Springfield" FOLDER`.'
    world.write(tmp_path / "drop")
    scheduling.change(
        small_hub.database, "Springfield", lambda now: replace(now, folder=str(tmp_path / "drop"))
    )
    monkeypatch.setattr(drop_folders, "_now", lambda: time.time() + 86_400)
    assert step(small_hub).startswith(f"An upload was not finished: {len(world.FILES)} files lie")
    (tmp_path / "drop" / "complete").touch()
    assert step(small_hub) == STEPS["waiting"].command


def test_files_that_cannot_be_used_are_told_to_the_district(small_hub: Hub) -> None:
    with pytest.raises(SourceRejected):
        small_hub.sync({**world.FILES, "schools.csv": ""})
    assert step(small_hub).startswith("Tell the district what is wrong with its files")


def test_a_job_that_failed_is_looked_up_before_anything_else(small_hub: Hub, tmp_path: Path) -> None:
    with small_hub.database.write() as transaction:
        job_queue.add(transaction, sync_job(small_hub.district.number, tmp_path))
    job = job_queue.lease(small_hub.database, "worker")
    assert job
    with small_hub.database.write() as transaction:
        job_queue.finish(transaction, job, "failed")
    assert step(small_hub).startswith('A job failed: `rollbook jobs --district "Springfield" --state failed`')
