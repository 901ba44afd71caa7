"""The same files again: a sync without work when nothing else changed, and all the work when anything did."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from rollbook import sync
from rollbook.domain.guard import Threshold
from rollbook.domain.reading_rules import Rules
from rollbook.errors import SourceRejected
from rollbook.store.district import choices, thresholds
from rollbook.store.records import commits
from rollbook.sync import How, Sync, repeats
from tests import world
from tests.journeys.hub import Hub


def is_without_work(done: Sync) -> bool:
    return "unchanged_since" in done.about


def test_the_same_files_again_end_without_work_and_say_since_when(synced_hub: Hub) -> None:
    first = synced_hub.first
    client = synced_hub.client(synced_hub.connect())
    synced_hub.sync(world.FILES)  # there is one view more
    before = client.everything()
    again = synced_hub.sync(world.FILES)
    assert again.about["unchanged_since"] == {
        "sync": 2,
        "created": commits.run(synced_hub.database, synced_hub.district, 2).created,
    }
    assert {kind: counts.existing for kind, counts in again.kinds.items()} == {
        kind: counts.created for kind, counts in first.kinds.items()
    }
    assert again.as_json()["problem_groups"] == first.as_json()["problem_groups"]
    after = client.everything()
    assert {path for path in before if before[path] != after.get(path)} == {"/v3.0/districts"}
    (old,), (new,) = before["/v3.0/districts"], after["/v3.0/districts"]
    assert {**old, "last_sync": again.created} == new
    assert commits.run(synced_hub.database, synced_hub.district, 3).state == "committed"


def test_an_undo_takes_back_the_sync_before_one_without_work(synced_hub: Hub) -> None:
    taken = synced_hub.sync({**world.FILES, "staff.csv": ""}).number
    assert is_without_work(synced_hub.sync({**world.FILES, "staff.csv": ""}))
    how = How(is_approved=True, name=synced_hub.district.name)
    undone = sync.undo(synced_hub.database, synced_hub.district, synced_hub.settings, how)
    assert isinstance(told := undone.about["takes_back"], dict)
    assert told["sync"] == taken


def test_a_sync_that_is_asked_for_does_all_the_work(synced_hub: Hub) -> None:
    assert not is_without_work(synced_hub.sync(world.FILES, is_again=True))
    assert is_without_work(synced_hub.sync(world.FILES))


def with_another_rule(hub: Hub) -> None:
    choices.write(hub.database, hub.district, {"sis_section_names": True})


def with_another_limit(hub: Hub) -> None:
    thresholds.write(hub.database, hub.district, "students", Threshold(0, 20))


def with_another_view(hub: Hub) -> None:
    hub.connect()


def with_another_setting(hub: Hub) -> None:
    hub.settings = replace(hub.settings, identity_days=1)


def after_an_undo(hub: Hub) -> None:
    sync.undo(hub.database, hub.district, hub.settings, How(is_approved=True, name=hub.district.name))


def with_one_byte_more(hub: Hub) -> None:
    path = hub.folder / "small world" / "schools.csv"
    path.write_bytes(path.read_bytes() + b"\n")


def with_a_file_that_is_ignored(hub: Hub) -> None:
    (hub.folder / "small world" / "notes.csv").write_text("a\n")


@pytest.mark.parametrize(
    "change",
    [
        with_another_rule,
        with_another_limit,
        with_another_view,
        with_another_setting,
        after_an_undo,
        with_one_byte_more,
        with_a_file_that_is_ignored,
    ],
)
def test_whatever_else_changed_brings_all_the_work(synced_hub: Hub, change: Callable[[Hub], None]) -> None:
    folder = synced_hub.folder / "small world"
    change(synced_hub)
    assert not is_without_work(synced_hub.sync(folder))
    assert is_without_work(synced_hub.sync(folder))


def test_another_program_does_all_the_work(synced_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollbook.__version__", "99.0")
    assert not is_without_work(synced_hub.sync(world.FILES))


def test_years_of_two_digits_are_read_anew_each_day(hub: Hub) -> None:
    files = {
        **world.FILES,
        "students.csv": "School_id,Student_id,Last_name,First_name,DOB\n"
        "N,emmy,Noether,Emmy,3/23/12\nN,alan,Turing,Alan,2012-06-23\n",
    }
    folder = world.write(hub.folder / "small world", files)
    how = How(is_approved=True, name=hub.district.name)

    def synced(today: date) -> Sync:
        return sync.run(hub.database, hub.district, folder, hub.settings, rules=Rules(today=today), how=how)

    synced(date(2026, 11, 29))
    assert is_without_work(synced(date(2026, 11, 29)))
    assert not is_without_work(synced(date(2026, 11, 30)))


def test_full_years_need_no_day(hub: Hub) -> None:
    how = How(is_approved=True, name=hub.district.name)
    folder = world.write(hub.folder / "small world", world.FILES)
    found = [
        sync.run(
            hub.database, hub.district, folder, hub.settings, rules=Rules(today=date(2026, 11, day)), how=how
        )
        for day in (29, 30)
    ]
    assert [is_without_work(done) for done in found] == [False, True]


def test_good_files_after_bad_ones_clear_the_districts_notice(hub: Hub) -> None:
    hub.sync(world.FILES)
    with pytest.raises(SourceRejected):
        hub.sync({**world.FILES, "schools.csv": ""})
    done = hub.sync(world.FILES)
    assert is_without_work(done)
    (district,) = hub.client(hub.connect()).records("/v3.0/districts")
    assert (district["state"], district["error"]) == ("running", "")


def test_files_that_change_while_they_are_read_leave_no_mark(hub: Hub) -> None:
    folder = world.write(hub.folder / "small world", world.FILES)
    keys = ("", "")
    mark = repeats.mark_of(hub.database, hub.district, folder, hub.settings, Rules(), keys)
    assert mark is not None
    assert mark.write(hub.folder, "") != {}
    os.utime(folder / "schools.csv", (1, 1))
    assert mark.write(hub.folder, "") == {}


def test_a_plan_reads_everything(synced_hub: Hub) -> None:
    folder = synced_hub.folder / "small world"
    done = sync.run(
        synced_hub.database, synced_hub.district, folder, synced_hub.settings, how=How(is_plan=True)
    )
    assert (done.state, is_without_work(done)) == ("planned", False)
