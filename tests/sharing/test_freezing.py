"""Freezing: a view that would change too much stays unchanged until it is thawed, or until the change is
small again."""

from __future__ import annotations

import pytest

from rollbook import sync
from rollbook.contract.clever.event_rows import DATES
from rollbook.errors import Refused
from rollbook.store.district import views
from tests import world
from tests.sharing.desk import Desk, Json, Reader, of_files
from tests.sharing.test_edits import labels, replayed, state

KATHERINE_GONE = ("students.csv", "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n", "")
FEWER = world.changed(KATHERINE_GONE)
REASON = "1 of 3 students (33 %) would be deleted; the limit is 10 %"


@pytest.fixture
def careful(desk: Desk) -> Reader:
    """A connection that freezes."""
    reader = desk.connect("Careful")
    reader.listen()
    reader.share(None, freezes=True)
    return reader


def frozen(desk: Desk) -> dict[str, tuple[str, ...]]:
    return {name: view.frozen for name, view in views.by_application(desk.database, desk.now.number).items()}


def undated(records: dict[tuple[str, str], Json]) -> dict[tuple[str, str], Json]:
    return {
        key: {name: value for name, value in record.items() if name not in DATES}
        for key, record in records.items()
    }


def test_a_sync_that_would_delete_too_much_leaves_the_view_and_no_other(desk: Desk, careful: Reader) -> None:
    other = desk.connect("Other")
    before = careful.everything()["users"]
    done = desk.sync(FEWER)
    assert (done.state, {name: [str(reason) for reason in found] for name, found in done.frozen.items()}) == (
        "committed",
        {"Careful": [REASON]},
    )
    assert before == careful.everything()["users"]
    assert "katherine" not in labels(other)["users"]
    assert frozen(desk) == {"Careful": (REASON,), "Other": ()}
    assert [event["type"] for event in careful.feed()] == ["districts.updated"]


def test_thawing_applies_the_present_state_with_its_events(desk: Desk, careful: Reader) -> None:
    start = state(careful)
    desk.sync(FEWER)
    desk.sync(world.changed(KATHERINE_GONE, ("students.csv", "Turing", "Turing-Church")))
    sync.thaw(desk.database, desk.now, careful.application, desk.settings)
    assert "katherine" not in labels(careful)["users"]
    assert replayed(start, careful.feed()) == state(careful)
    assert frozen(desk) == {"Careful": ()}
    with pytest.raises(Refused, match="not frozen"):
        sync.thaw(desk.database, desk.now, careful.application, desk.settings)


def test_a_sync_that_takes_the_change_back_goes_on_by_itself(desk: Desk, careful: Reader) -> None:
    start = state(careful)
    desk.sync(FEWER)
    done = desk.sync()
    assert (done.frozen, frozen(desk)) == ({}, {"Careful": ()})
    # The source of a clone has a new date for the student who came back; a change of dates alone is no event.
    assert undated(replayed(start, careful.feed())) == undated(state(careful))
    assert "katherine" in labels(careful)["users"]


def test_an_edit_freezes_too_and_shows_nothing_unshared_once_it_is_thawed(
    desk: Desk, careful: Reader
) -> None:
    begun = careful.read("/v3.0/users?limit=1")["links"][-1]["uri"]
    planned = careful.share({"schools": ["S"]}, is_plan=True)
    done = careful.share({"schools": ["S"]})
    assert list(planned.frozen) == list(done.frozen) == ["Careful"]
    assert "alan" in labels(careful)["users"]
    sync.thaw(desk.database, desk.now, careful.application, desk.settings)
    assert "alan" not in labels(careful)["users"]
    assert {user["id"] for user in careful.pull(begun.split("&")[0])} <= set(careful.everything()["users"])


def test_a_connection_without_limits_never_freezes(desk: Desk) -> None:
    reader = desk.connect()
    reader.share(None)
    assert desk.sync(FEWER).frozen == {}
    assert "katherine" not in labels(reader)["users"]


@of_files
def test_a_plan_tells_that_it_would_freeze(desk: Desk, careful: Reader) -> None:
    planned = sync.run(
        desk.database,
        desk.now,
        world.write(desk.folder / "plan", FEWER),
        desk.settings,
        how=sync.How(is_plan=True),
    )
    assert (planned.state, list(planned.frozen), frozen(desk)) == ("planned", ["Careful"], {"Careful": ()})
