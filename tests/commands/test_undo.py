"""`rollbook undo` says what it undoes, can be planned, and does not delete most of a district without an
approval."""

from __future__ import annotations

import re

from tests.commands.terminal import DISTRICT, Terminal, roll

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+Z")


def students(terminal: Terminal) -> int:
    records = terminal.done("district", "show", DISTRICT, "--json").json()["records"]
    return int(records.get("users", 0)) - 1 if records.get("users") else 0


def second_line(text: str) -> str:
    return MOMENT.sub("...", text.splitlines()[1])


def test_it_says_which_sync_is_taken_back_and_what_another_undo_does(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.send(roll(95))
    planned = terminal.done("undo", DISTRICT, "--plan")
    assert second_line(planned.out) == (
        "sync 2 (files, ...) would be taken back: the roster would be that of sync 1 (files, ...) again;"
        " another undo restores that of sync 2"
    )
    assert (students(terminal), len(terminal.done("history", DISTRICT).lines)) == (95, 2)
    done = terminal.done("undo", DISTRICT)
    assert second_line(done.out) == (
        "sync 2 (files, ...) was taken back: the roster is that of sync 1 (files, ...) again;"
        " another undo restores that of sync 2"
    )
    assert students(terminal) == 100
    again = terminal.done("undo", DISTRICT, "--json").json()
    assert (again["takes_back"]["sync"], again["takes_back"]["cause"], again["restores"]["sync"]) == (
        3,
        "undo",
        2,
    )
    assert students(terminal) == 95


def test_an_undo_that_would_delete_too_much_needs_an_approval_and_leaves_nothing_behind(
    terminal: Terminal,
) -> None:
    terminal.send(roll(20))
    terminal.send(roll(100))
    history = terminal.done("history", DISTRICT).out
    shown = terminal.done("district", "show", DISTRICT).out
    because = "80 of 100 students (80 %) would be deleted; the limit is 10 %"
    planned = terminal.run("undo", DISTRICT, "--plan")
    assert (planned.code, planned.err) == (3, f"rollbook: this undo would be held: {because}\n")
    held = terminal.run("undo", DISTRICT)
    assert (held.code, held.err) == (
        3,
        (
            f"rollbook: nothing was changed: {because}. If that is right, run `rollbook undo "
            f"'{DISTRICT}' --approve`\n"
        ),
    )
    assert f"held: {because}" in held.lines
    assert (students(terminal), terminal.done("history", DISTRICT).out) == (100, history)
    assert terminal.done("district", "show", DISTRICT).out == shown
    assert terminal.done("undo", DISTRICT, "--approve").code == 0
    assert students(terminal) == 20
    assert terminal.done("undo", DISTRICT).code == 0  # it only creates records
    assert students(terminal) == 100


def test_an_undo_of_the_first_sync_empties_the_district_only_by_its_name(terminal: Terminal) -> None:
    terminal.send(roll(10))
    for options in ((), ("--approve",), ("--approve", "--confirm", "Another")):
        held = terminal.run("undo", DISTRICT, *options)
        assert held.code == 3
        assert held.err.endswith(f"run `rollbook undo '{DISTRICT}' --approve --confirm '{DISTRICT}'`\n")
        assert students(terminal) == 10
    done = terminal.done("undo", DISTRICT, "--approve", "--confirm", DISTRICT)
    assert second_line(done.out) == (
        "sync 1 (files, ...) was taken back: the roster is empty again; another undo restores that of sync 1"
    )
    assert students(terminal) == 0
    assert terminal.done("undo", DISTRICT).code == 0
    assert students(terminal) == 10


def test_a_districts_own_limits_hold_for_an_undo(terminal: Terminal) -> None:
    terminal.send(roll(80))
    terminal.send(roll(100))
    terminal.done("thresholds", DISTRICT, "--kind", "students", "--deleted", "20")
    assert terminal.done("undo", DISTRICT).code == 0
    assert students(terminal) == 80


def test_there_is_nothing_to_take_back_in_an_empty_district(terminal: Terminal) -> None:
    refused = terminal.run("undo", DISTRICT)
    assert (refused.code, refused.err) == (1, f"rollbook: '{DISTRICT}' has no committed sync to take back\n")
