"""`rollbook status`, `district list` and `district show`: how districts stand, for people, programs and
monitoring."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from tests import world
from tests.commands.terminal import DISTRICT, Outcome, Terminal, roll

BECAUSE = "50 of 100 students (50 %) would be deleted; the limit is 10 %"
EMPTY = "students.csv is empty; expected a header row and rows of data"


def rows(outcome: Outcome) -> list[str]:
    """The lines, without times and with single blanks."""
    return [" ".join(re.sub(r"\S+T\S+Z", "...", line).split()) for line in outcome.lines]


def state(terminal: Terminal) -> str:
    (only,) = terminal.run("status", "--json").json()["districts"]
    return str(only["state"])


# Status ----------------------------------------------------------------------------------------------------


def test_all_is_well_when_the_last_sync_was_committed(terminal: Terminal) -> None:
    files = roll()
    terminal.send({**files, "enrollments.csv": files["enrollments.csv"] + "ash,algebra,nobody\n"})
    assert rows(terminal.done("status")) == [
        "district state last sync errors warnings",
        f"{DISTRICT} running 1 committed ... 1 0",
        "all is well",
    ]


def test_what_is_to_be_looked_at_has_a_line_and_an_exit_code(terminal: Terminal) -> None:
    outcome = terminal.run("status")
    assert (outcome.code, outcome.err) == (1, "")
    assert rows(outcome)[1:] == [
        f"{DISTRICT} empty",
        "nothing was synced yet",
        "1 of 1 districts need attention",
    ]
    terminal.send(roll())
    terminal.send({**roll(), "students.csv": ""})
    outcome = terminal.run("status")
    assert outcome.code == 1
    assert rows(outcome)[1:3] == [f"{DISTRICT} failed 2 failed ... 0 0", f"sync 2 failed: {EMPTY}"]
    terminal.send(roll(50))
    assert rows(terminal.run("status"))[1:3] == [
        f"{DISTRICT} held 3 held ... 0 0",
        f"sync 3 is held: {BECAUSE}",
    ]
    terminal.send({**roll(), "students.csv": ""})
    assert rows(terminal.run("status"))[1:4] == [
        f"{DISTRICT} held 4 failed ... 0 0",
        f"sync 3 is held: {BECAUSE}",
        f"sync 4 failed: {EMPTY}",
    ]
    terminal.send(roll())
    assert terminal.done("status").lines[-1] == "all is well"


def test_a_first_sync_that_fails_is_no_empty_district(terminal: Terminal) -> None:
    terminal.send({**roll(), "students.csv": ""})
    assert state(terminal) == "failed"


def test_a_pause_is_well_and_begins_and_ends_by_its_dates(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    today = date.today()
    terminal.done("pause", DISTRICT, "--from", (today + timedelta(days=5)).isoformat())
    assert state(terminal) == "running"
    until = (today + timedelta(days=9)).isoformat()
    terminal.done("pause", DISTRICT, "--from", (today - timedelta(days=5)).isoformat(), "--until", until)
    assert rows(terminal.done("status"))[1:] == [
        f"{DISTRICT} paused 1 committed ... 0 0",
        f"paused until {until}",
        "all is well",
    ]
    # It is over, and no run has noticed that yet.
    terminal.done("pause", DISTRICT, "--from", "2020-01-01", "--until", "2020-02-01")
    assert state(terminal) == "running"
    assert terminal.done("status", "--json").json()["districts"][0]["pause"] is None


def test_a_frozen_application_is_to_be_looked_at(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.done("application", "create", "Reader")
    terminal.done("connect", "Reader", DISTRICT, "--freeze")
    assert terminal.done("status").lines[-1] == "all is well"
    terminal.send(roll(50), "--approve")
    outcome = terminal.run("status")
    assert outcome.code == 1
    assert f"what Reader sees is frozen: {BECAUSE}" in rows(outcome)
    (only,) = terminal.run("status", "--json").json()["districts"]
    assert only["frozen"] == {"Reader": [BECAUSE]}
    terminal.done("thaw", "Reader", DISTRICT)
    assert terminal.done("status").lines[-1] == "all is well"


def test_a_sync_that_stays_away_is_noticed_when_asked_for(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    assert terminal.done("status", "--max-age", "1").code == 0
    late = terminal.run("status", "--max-age", "0")
    assert late.code == 1
    assert "the last committed sync was 0 hours ago" in rows(late)
    terminal.done("pause", DISTRICT)
    assert terminal.done("status", "--max-age", "0").code == 0


def test_programs_read_one_shape_for_every_district(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.send(roll(50))
    terminal.done("district", "create", "Birch")
    outcome = terminal.run("status", "--json")
    told = outcome.json()
    assert (outcome.code, told["is_well"]) == (1, False)
    ash, birch = told["districts"]
    assert ash.keys() == birch.keys()
    assert (ash["name"], ash["state"], ash["troubles"]) == (DISTRICT, "held", [f"sync 2 is held: {BECAUSE}"])
    assert (ash["held"]["sync"], ash["held"]["because"]) == (2, [BECAUSE])
    assert (birch["name"], birch["state"], birch["last_sync"], birch["held"]) == (
        "Birch",
        "empty",
        None,
        None,
    )
    assert terminal.done("district", "list", "--json").json() == [
        {name: value for name, value in each.items() if name != "troubles"} for each in (ash, birch)
    ]


def test_a_hub_without_districts_is_well(small_terminal: Terminal) -> None:
    small_terminal.done("application", "create", "A", "--database", "other.db")
    outcome = small_terminal.done("status", "--database", "other.db")
    assert outcome.lines[-1] == "all is well"


# Districts -------------------------------------------------------------------------------------------------


def test_only_syncs_that_were_committed_count(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.send({**roll(), "students.csv": ""})
    terminal.send(roll(50))
    terminal.done("discard", DISTRICT)
    terminal.done("pause", DISTRICT, "--from", "2020-01-01")
    terminal.done("resume", DISTRICT)
    assert rows(terminal.done("district", "list"))[0].endswith(f" 1 sync {DISTRICT}")
    terminal.send(roll(50))
    terminal.done("approve", DISTRICT)
    assert rows(terminal.done("district", "list"))[0].endswith(f" 2 syncs {DISTRICT}")
    assert terminal.done("district", "show", DISTRICT, "--json").json()["committed_syncs"] == 2


def test_a_district_shows_how_it_stands_who_is_in_it_and_where_they_sign_in(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBOOK_PUBLIC_URL", "https://roster.example/")
    terminal.send(world.FILES)
    shown = terminal.done("district", "show", DISTRICT)
    told = terminal.done("district", "show", DISTRICT, "--json").json()
    assert re.fullmatch(r"https://roster\.example/in/ash-district-[0-9a-f]{6}", told["sign_in_page"])
    assert told["records"] == {
        "courses": 2,
        "resources": 1,
        "schools": 2,
        "sections": 3,
        "terms": 1,
        "users": 6,
    }
    assert told["users_by_role"] == {
        "student": 3,
        "teacher": 2,
        "staff": 1,
        "district_admin": 1,
        "contact": 1,
    }
    assert set(told) == {
        *(
            "id",
            "name",
            "created",
            "is_clone",
            "sign_in_page",
            "state",
            "error",
            "committed_syncs",
            "last_committed",
        ),
        *("last_sync", "held", "pause", "frozen", "rules", "records", "users_by_role"),
    }
    assert rows(shown) == [
        DISTRICT,
        f"id {told['id']}",
        "created ...",
        f"sign-in page {told['sign_in_page']}",
        "state running",
        "syncs 1 committed, the last at ...",
        "last run sync 1 (files) committed at ...: 0 errors, 0 warnings",
        *("courses 2", "resources 1", "schools 2", "sections 3", "terms 1", "users 6"),
        *("student 3", "teacher 2", "staff 1", "district_admin 1", "contact 1"),
    ]


def test_a_district_shows_what_is_to_be_looked_at(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.send(roll(50))
    terminal.done("pause", DISTRICT, "--from", "2020-01-01")
    lines = rows(terminal.done("district", "show", DISTRICT))
    assert lines[4:9] == [
        "state held",
        "syncs 1 committed, the last at ...",
        "last run sync 2 (files) held at ...: 0 errors, 0 warnings",
        f"look at sync 2 is held: {BECAUSE}",
        "pause from 2020-01-01 until it is resumed",
    ]


def test_a_new_district_has_the_same_shape(terminal: Terminal) -> None:
    made = terminal.done("district", "create", "Birch", "--json").json()
    (_, listed) = terminal.done("district", "list", "--json").json()
    assert made == listed
    assert re.fullmatch(r"http://127\.0\.0\.1:8400/in/birch-[0-9a-f]{6}", made["sign_in_page"])
