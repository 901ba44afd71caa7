"""`rollbook schedule` and `rollbook night`: files that come are synced by a worker, and the night is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollbook.store.work import job_queue
from tests import world
from tests.commands.terminal import DISTRICT, Terminal, roll

DAY = 86_400_000


def test_a_night_tells_what_came_and_what_to_do_next(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    terminal.done(
        "schedule",
        DISTRICT,
        "--folder",
        drop,
        "--late-after",
        "00:00",
        "--days",
        "mon tue wed thu fri sat sun",
    )
    empty = terminal.run("night", "--json")
    assert (empty.code, empty.json()["districts"][0]["next_step"]) == (
        1,
        "Ask the district why no files came.",
    )
    assert "no files came since yesterday evening; ask" in terminal.run("status").out
    world.write(drop, roll())
    (drop / "complete").touch()
    terminal.done("work", "--once")
    lines = terminal.done("night").lines
    assert [lines[0], lines[1][9:21], lines[2][9:], lines[-1]] == [
        f"{DISTRICT}: running (UTC)",
        "5 files came",
        "sync 1 committed: 103 created, 0 updated, 0 deleted",
        "all is well",
    ]
    # 14 hours on.
    there = terminal.done("night", "--zone", "Pacific/Kiritimati").lines
    assert there[0] == f"{DISTRICT}: running (Pacific/Kiritimati)"
    for here, shown in zip(lines[1:3], there[1:3], strict=True):
        assert shown[2:9] == f"{(int(here[2:4]) + 14) % 24:02}{here[4:9]}"
    assert "zone: expected a time zone" in terminal.run("night", "--zone", "Mars").err
    terminal.done("status")
    world.write(drop, roll(50))
    (drop / "complete").touch()
    terminal.done("work", "--once")
    held = terminal.run("night", "--json").json()
    (told,) = held["districts"]
    assert (held["is_well"], told["state"], [run["state"] for run in told["runs"]]) == (
        False,
        "held",
        ["held", "committed"],
    )
    assert told["next_step"].startswith(f'Are the files right? `rollbook history "{DISTRICT}"`')
    terminal.done("discard", DISTRICT)
    # Two nights later nothing came.
    for dialect, plain in dict(job_queue.NOW).items():
        monkeypatch.setitem(job_queue.NOW, dialect, f"{plain} + {2 * DAY}")
    late = terminal.run("night")
    assert (late.code, late.lines) == (
        1,
        [
            f"{DISTRICT}: running, late (UTC)",
            "  nothing came",
            "  > Ask the district why no files came.",
            "1 of 1 districts need attention",
        ],
    )


def test_a_schedule_is_set_shown_and_dropped(small_terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    assert small_terminal.done("schedule", DISTRICT).lines == ["no schedule; set one with --folder"]
    shown = small_terminal.done(
        *(
            "schedule",
            DISTRICT,
            "--folder",
            "drop",
            "--rule",
            "at",
            "--at",
            "02:30",
            "--zone",
            "America/Chicago",
        ),
        *("--off", "2026-12-24..2027-01-03", "--off", "2026-11-26", "--late-after", "05:00"),
    )
    assert shown.lines == [
        f"drop folder    {tmp_path / 'drop'}",
        f"taken to       {tmp_path / '.drop.taken'}",
        "complete       at a time of a school day, once no file changed for some minutes (02:30, 30)",
        "late after     05:00",
        "time zone      America/Chicago",
        "school days    mon tue wed thu fri",
        "no school      2026-11-26 to 2026-11-26",
        "no school      2026-12-24 to 2027-01-03",
        "files kept     14 days",
    ]
    told = small_terminal.done("schedule", DISTRICT, "--rule", "marker", "--json").json()
    assert (told["rule"], told["zone"], told["off"][0]) == (
        "marker",
        "America/Chicago",
        ["2026-11-26", "2026-11-26"],
    )
    refused = small_terminal.run("schedule", DISTRICT, "--zone", "Chicago")
    assert (refused.code, refused.err) == (
        1,
        "rollbook: zone: expected a time zone such as America/Chicago, got 'Chicago'\n",
    )
    assert small_terminal.done("schedule", DISTRICT, "--remove").lines == ["the schedule is dropped"]
    assert small_terminal.run("schedule", DISTRICT, "--remove").code == 1
