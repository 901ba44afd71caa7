"""`rollbook history`: the result of each run and its reason, also on the next morning."""

from __future__ import annotations

import re

import pytest

from tests.commands.terminal import DISTRICT, Terminal, roll

BECAUSE = "50 of 100 students (50 %) would be deleted; the limit is 10 %"
EMPTY = "students.csv is empty; expected a header row and rows of data"


def listed(terminal: Terminal) -> list[tuple[str, str, str]]:
    """Cause, state and summary of each run, the oldest first."""
    lines = terminal.done("history", DISTRICT).lines
    pattern = re.compile(r" *\d+  \S+Z  (\S+) +(\S+) *(.*)")
    found = [match.groups() for match in map(pattern.fullmatch, lines) if match]
    assert len(found) == len(lines)
    return [(cause, state, told) for cause, state, told in reversed(found)]


def test_every_run_says_what_it_did_or_why_it_did_not(terminal: Terminal) -> None:
    files = roll()
    terminal.send({**files, "enrollments.csv": files["enrollments.csv"] + "ash,algebra,nobody\n"})
    terminal.send({**files, "students.csv": ""})
    terminal.send(roll(50))
    terminal.done("discard", DISTRICT)
    terminal.send(roll(50))
    terminal.done("approve", DISTRICT)
    terminal.done("undo", DISTRICT)
    terminal.send(roll())
    terminal.done("application", "create", "Reader")
    terminal.done("connect", "Reader", DISTRICT)
    terminal.done("share", "Reader", DISTRICT, "nothing")
    terminal.done("pause", DISTRICT, "--from", "2020-01-01", "--until", "2020-02-01")
    terminal.done("resume", DISTRICT)
    assert listed(terminal) == [
        ("files", "committed", "103 created; 1 error"),
        ("files", "failed", EMPTY),
        ("files", "discarded", BECAUSE),
        ("discard", "committed", "dropped sync 3"),
        ("files", "approved", BECAUSE),
        ("approval", "committed", "applied sync 5; 50 deleted"),
        ("undo", "committed", "took back sync 6; 50 created"),
        ("files", "committed", "nothing changed"),
        ("share", "committed", "Reader; 103 deleted"),
        ("pause", "committed", "from 2020-01-01 until 2020-02-01"),
        ("resume", "committed", ""),
    ]


def test_programs_read_reasons_counts_and_messages(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    terminal.send({**roll(), "students.csv": ""})
    terminal.send(roll(50))
    held, failed, first = terminal.done("history", DISTRICT, "--json").json()
    assert (held["sync"], held["state"], held["held_because"], held["message"]) == (3, "held", [BECAUSE], "")
    assert held["counts"] == {"created": 0, "updated": 0, "deleted": 50}
    assert (failed["state"], failed["message"]) == ("failed", EMPTY)
    assert failed["problems_by_severity"] == {"stop": 1, "error": 0, "warning": 0}
    assert first["counts"] == {"created": 103, "updated": 0, "deleted": 0}
    assert {run["cause"] for run in (held, failed, first)} == {"files"}
    assert held.keys() == failed.keys() == first.keys()


def test_one_runs_whole_report_is_what_the_run_printed(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    files = roll(50)
    printed = terminal.send({**files, "enrollments.csv": files["enrollments.csv"] + "ash,algebra,nobody\n"})
    told = terminal.done("history", DISTRICT, "2")
    assert told.out == printed.out
    assert f"held: {BECAUSE}" in told.lines
    assert (
        "  enrollments.csv row 3: Student_id 'nobody' is not an accepted student of students.csv"
        in told.lines
    )
    assert any(line.startswith("  deleted  users ") and line.endswith("Ann s0050 Ash") for line in told.lines)
    terminal.done("discard", DISTRICT)
    assert f"was held: {BECAUSE}" in terminal.done("history", DISTRICT, "2").lines


def test_a_failed_run_still_names_all_that_stopped_it(terminal: Terminal) -> None:
    printed = terminal.send({**roll(), "schools.csv": "", "students.csv": ""})
    told = terminal.done("history", DISTRICT, "1")
    assert printed.lines[1:] == [line for line in told.lines if line.startswith("stop: ")]
    assert len(printed.lines) == 3


def test_a_runs_whole_report_has_the_shape_of_a_syncs_in_json(terminal: Terminal) -> None:
    printed = terminal.send(roll(), "--json").json()
    told = terminal.done("history", DISTRICT, "1", "--json").json()
    assert printed == {name: told[name] for name in printed}
    assert {name: told[name] for name in told if name not in printed} == {
        "cause": "files",
        "needs_name": False,
        "grades": {"": 100},
    }


@pytest.mark.parametrize(
    "arguments", [("pause", "--from", "2020-01-01"), ("undo", "--approve", "--confirm", DISTRICT)]
)
def test_every_kind_of_run_has_a_report(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    terminal.send(roll(5))
    command, *options = arguments
    terminal.done(command, DISTRICT, *options)
    first, *_ = terminal.done("history", DISTRICT, "2").lines
    assert re.fullmatch(rf"{DISTRICT}: sync 2 \({command}\) committed at \S+Z", first)


def test_the_problems_of_a_run_are_written_with_their_rows(small_terminal: Terminal) -> None:
    files = roll()
    small_terminal.send({**files, "enrollments.csv": files["enrollments.csv"] + "ash,algebra,=nobody\n"})
    listed = small_terminal.folder / "problems.csv"
    shown = small_terminal.done("history", DISTRICT, "1", "--problems", str(listed))
    assert shown.lines[0] == f"1 problems are listed in {listed}"
    head, told = listed.read_text("utf-8").splitlines()
    assert head == "file,row,column,code,severity,message,value,expected,what to do,title,the row"
    assert told.startswith("enrollments.csv,")
    assert "'=nobody" in told
    assert "School_id: ash; Section_id: algebra; Student_id: =nobody" in told
    refused = small_terminal.run("history", DISTRICT, "--problems", str(listed))
    assert (refused.code, "number: expected the number of a run" in refused.err) == (1, True)
    assert small_terminal.run("history", DISTRICT, "1", "--problems", "/nowhere/x.csv").code == 1


def test_a_run_that_is_not_there_is_told(small_terminal: Terminal) -> None:
    refused = small_terminal.run("history", DISTRICT, "7")
    assert (refused.code, refused.err) == (
        1,
        f"rollbook: '{DISTRICT}' has no run 7; `rollbook history` lists them\n",
    )


def test_the_list_is_as_long_as_asked_for(small_terminal: Terminal) -> None:
    for _ in range(3):
        small_terminal.send(roll(5))
    assert len(small_terminal.done("history", DISTRICT, "--last", "2").lines) == 2
    assert small_terminal.run("history", DISTRICT, "--last", "0").code == 2


def test_only_what_was_paused_is_resumed(terminal: Terminal) -> None:
    refused = terminal.run("resume", DISTRICT)
    assert (refused.code, refused.out, refused.err) == (1, "", f"rollbook: '{DISTRICT}' is not paused\n")
    assert listed(terminal) == []
    terminal.done("pause", DISTRICT)
    assert terminal.done("resume", DISTRICT).out == "no longer paused\n"
    assert [cause for cause, _, _ in listed(terminal)] == ["pause", "resume"]
    assert terminal.run("resume", DISTRICT).code == 1
