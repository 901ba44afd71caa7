"""The output of `rollbook sync`: every kind of problem, in the order in which to fix them, whole lines, and
an exit code."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from rollbook.roster import problems_csv
from tests.commands.terminal import DISTRICT, Terminal, roll
from tests.journeys import program

COUNTS = "existing", "created", "updated", "deleted", "errors"


def broken(enrollments: int = 500) -> dict[str, str]:
    """Files with an error in a school, one in a student, a warning, and very many errors in enrollments."""
    files = roll(20)
    return {
        **files,
        "schools.csv": files["schools.csv"] + "birch,,2\n",
        "students.csv": files["students.csv"] + "birch,eli,Eng,Eli\n",
        "sections.csv": files["sections.csv"]
        .replace("Name\n", "Name,Teacher_2_id\n")
        .replace(",Algebra\n", ",Algebra,nobody\n"),
        "enrollments.csv": files["enrollments.csv"]
        + "".join(f"ash,algebra,nobody{each}\n" for each in range(enrollments)),
    }


# Problems --------------------------------------------------------------------------------------------------


def test_a_report_shows_a_few_of_each_problem_and_first_what_others_depend_on(
    small_terminal: Terminal,
) -> None:
    outcome = small_terminal.send(broken())
    assert outcome.code == 0
    begin = outcome.lines.index("502 errors and 1 warning, in the order in which to fix them:")
    assert outcome.lines[begin + 1 :] == [
        "error: 1 x missing-value in schools.csv (Required value missing)",
        "  schools.csv row 3: School_name is blank; expected a value",
        "error: 1 x unknown-school in students.csv (School not in schools.csv)",
        "  students.csv row 22: School_id 'birch' is not an accepted school of schools.csv",
        "error: 500 x unknown-student in enrollments.csv (Student not in students.csv)",
        "  enrollments.csv row 3: Student_id 'nobody0' is not an accepted student of students.csv",
        "  enrollments.csv row 4: Student_id 'nobody1' is not an accepted student of students.csv",
        "  enrollments.csv row 5: Student_id 'nobody2' is not an accepted student of students.csv",
        "  and 497 more",
        "warning: 1 x unknown-co-teacher in sections.csv (Co-teacher not in teachers.csv)",
        (
            "  sections.csv row 2: Teacher_2_id 'nobody' is not an accepted teacher of teachers.csv; "
            "the co-teacher was dropped"
        ),
    ]


def test_json_has_the_same_groups_and_the_first_problems_one_by_one(small_terminal: Terminal) -> None:
    told = small_terminal.send(broken(2_000), "--json").json()
    assert told["problems_by_severity"] == {"stop": 0, "error": 2_002, "warning": 1}
    assert told["problem_counts"] == {
        "missing-value": 1,
        "unknown-co-teacher": 1,
        "unknown-school": 1,
        "unknown-student": 2_000,
    }
    shown = [
        (group["severity"], group["file"], group["code"], group["count"]) for group in told["problem_groups"]
    ]
    assert shown == [
        ("error", "schools.csv", "missing-value", 1),
        ("error", "students.csv", "unknown-school", 1),
        ("error", "enrollments.csv", "unknown-student", 2_000),
        ("warning", "sections.csv", "unknown-co-teacher", 1),
    ]
    assert len(told["problems"]) == 1_000
    assert told["problems"][0] == {
        "code": "missing-value",
        "severity": "error",
        "file": "schools.csv",
        "row": 3,
        "column": "School_name",
        "value": "",
        "expected": None,
        "message": "schools.csv row 3: School_name is blank; expected a value",
    }
    assert told["problem_groups"][2]["examples"] == told["problems"][2:5]


@pytest.mark.parametrize("options", [(), ("--plan",)])
def test_all_problems_are_listed_in_a_file(small_terminal: Terminal, options: tuple[str, ...]) -> None:
    outcome = small_terminal.send(broken(2_000), "--problems", "all.csv", *options)
    assert outcome.lines[-1] == "2,003 problems are listed in all.csv"
    with (small_terminal.folder / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2_003
    assert rows[1] == {
        "file": "students.csv",
        "row": "22",
        "column": "School_id",
        "code": "unknown-school",
        "severity": "error",
        "message": "students.csv row 22: School_id 'birch' is not an accepted school of schools.csv",
        "value": "birch",
        "expected": "",
        "what to do": "Add the school to schools.csv, or leave out what belongs to it.",
    }
    assert [row["severity"] for row in rows] == ["error"] * 2_002 + ["warning"]


def test_the_list_of_problems_has_a_documented_end(
    small_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"the first {problems_csv.ROWS_MAX:,}" in " ".join(
        small_terminal.done("sync", "--help").out.split()
    )
    monkeypatch.setattr(problems_csv, "ROWS_MAX", 10)
    outcome = small_terminal.send(broken(), "--problems", "all.csv")
    assert outcome.lines[-1] == "the first 10 of 503 problems are listed in all.csv"
    assert len((small_terminal.folder / "all.csv").read_text().splitlines()) == 11


def test_files_without_a_problem_leave_a_list_with_nothing_in_it(small_terminal: Terminal) -> None:
    assert (
        small_terminal.send(roll(), "--problems", "all.csv").lines[-1] == "0 problems are listed in all.csv"
    )
    assert (
        small_terminal.folder / "all.csv"
    ).read_text() == "file,row,column,code,severity,message,value,expected,what to do\n"


def test_a_spreadsheet_finds_no_formula_in_the_list_of_problems(small_terminal: Terminal) -> None:
    files = roll()
    header, rest = files["students.csv"].split("\n", 1)
    files["students.csv"] = "\n".join([f"{header},=1+1", *(f"{line}," for line in rest.splitlines())]) + "\n"
    small_terminal.send({**files, "=2+2.csv": "x\n"}, "--lenient", "--problems", "all.csv")
    with (small_terminal.folder / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [(row[0], row[2], row[3]) for row in rows[1:]] == [
        ("students.csv", "'=1+1", "ignored-header"),
        ("'=2+2.csv", "", "ignored-file"),
    ]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_a_list_that_cannot_be_written_is_told_before_anything_is_done(small_terminal: Terminal) -> None:
    outcome = small_terminal.send(roll(), "--problems", "nowhere/all.csv")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "rollbook: problems: nowhere/all.csv cannot be written: No such file or directory\n"
    assert small_terminal.done("history", DISTRICT).out == ""


# Files that cannot be used ---------------------------------------------------------------------------------


def test_all_that_stops_a_sync_is_printed(terminal: Terminal) -> None:
    outcome = terminal.send(
        {**roll(), "schools.csv": "", "sections.csv": "Name,Section_id,Teacher_id\nA,a,lund\n"}
    )
    assert outcome.code == 1
    assert outcome.lines[1:] == [
        "stop: schools.csv is empty; expected a header row and rows of data [empty-file]",
        (
            "stop: sections.csv: column School_id is missing; expected School_id, Section_id, "
            "Teacher_id [missing-header]"
        ),
    ]
    assert (
        outcome.err == "rollbook: schools.csv is empty; expected a header row and rows of data (and 1 more)\n"
    )


def test_a_failure_has_the_shape_of_a_success_in_json_and_in_the_list(terminal: Terminal) -> None:
    success = terminal.send(broken(1), "--json").json()
    outcome = terminal.send({**roll(), "schools.csv": ""}, "--json", "--problems", "all.csv")
    failure = outcome.json()
    assert outcome.code == 1
    assert failure.keys() == success.keys()
    assert failure["problems"][0].keys() == success["problems"][0].keys()
    assert failure["problem_groups"][0].keys() == success["problem_groups"][0].keys()
    assert (failure["state"], failure["sync"], failure["kinds"]) == ("failed", 2, {})
    assert failure["message"] == failure["problems"][0]["message"]
    assert [(problem["file"], problem["code"], problem["severity"]) for problem in failure["problems"]] == [
        ("schools.csv", "empty-file", "stop")
    ]
    listed = list(csv.DictReader(io.StringIO((terminal.folder / "all.csv").read_text())))
    assert [(row["file"], row["row"], row["code"], row["severity"]) for row in listed] == [
        ("schools.csv", "", "empty-file", "stop")
    ]


def test_a_plan_of_files_that_cannot_be_used_has_no_number(small_terminal: Terminal) -> None:
    told = small_terminal.send({**roll(), "schools.csv": ""}, "--plan", "--json").json()
    assert (told["state"], told["sync"]) == ("failed", None)


# Whole lines -----------------------------------------------------------------------------------------------


def test_lines_are_whole_in_a_pipe(tmp_path: Path) -> None:
    name = "The Very Long Name of a District " * 8 + "!"
    files = roll(20)
    long = "x" * 150
    files["students.csv"] += f"{long},eli,Eng,Eli\n"
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    program.done("district", "create", name, folder=tmp_path)
    lines = program.done("sync", name, ".", folder=tmp_path).splitlines()
    assert lines[0].startswith(f"{name}: sync 1 committed at ")
    assert f"  students.csv row 22: School_id '{long}' is not an accepted school of schools.csv" in lines


def test_what_stands_in_files_cannot_break_a_line_or_steer_a_terminal(small_terminal: Terminal) -> None:
    files = roll(2)
    files["students.csv"] += 'ash,eli,"Eng\n\x1b[2J",Eli\n'
    lines = small_terminal.send(files, "--plan").lines
    assert [line.partition("Eli")[2] for line in lines if "Eli" in line] == [" Eng??[2J"]
    assert not any("\x1b" in line for line in lines)


# Held, and exit codes --------------------------------------------------------------------------------------


def test_what_is_held_has_an_exit_code_of_its_own_and_so_has_its_plan(terminal: Terminal) -> None:
    assert terminal.send(roll()).code == 0
    planned = terminal.send(roll(50), "--plan")
    because = "50 of 100 students (50 %) would be deleted; the limit is 10 %"
    assert (planned.code, planned.err) == (3, f"rollbook: this sync would be held: {because}\n")
    assert f"would be held: {because}" in planned.lines
    held = terminal.send(roll(50))
    assert held.code == 3
    assert f"held: {because}" in held.lines
    assert held.err == (
        f"rollbook: nothing was changed: {because}. Are these the right and whole files? If so, run"
        f" `rollbook approve '{DISTRICT}'`; if not, run `rollbook discard '{DISTRICT}'`, or sync better files\n"
    )
    assert terminal.send(roll(50), "--json").code == 3
    assert terminal.send(roll(50), "--approve").code == 0


def test_what_deletes_nearly_everything_asks_for_the_name_and_says_how(rolled_terminal: Terminal) -> None:
    terminal = rolled_terminal
    assert "--confirm" not in terminal.send(roll(5)).err  # exactly 95 %
    held = terminal.send(roll(4), "--approve")
    assert held.code == 3
    assert f"run `rollbook approve '{DISTRICT}' --confirm '{DISTRICT}'`" in held.err
    assert terminal.run("approve", DISTRICT).code == 1
    assert terminal.done("approve", DISTRICT, "--confirm", DISTRICT).lines[0].startswith(f"{DISTRICT}: sync ")


# Examples --------------------------------------------------------------------------------------------------


def test_a_plan_shows_examples_of_the_district_before_what_applications_would_see(
    rolled_terminal: Terminal,
) -> None:
    terminal = rolled_terminal
    terminal.done("application", "create", "Reader")
    terminal.done("connect", "Reader", DISTRICT)
    outcome = terminal.send(roll(98, first=4), "--plan")
    heads = [line for line in outcome.lines if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["for example:", "Reader would see:"]
    begin, end = outcome.lines.index("for example:"), outcome.lines.index("Reader would see:")
    users = [line.split() for line in outcome.lines[begin + 1 : end] if " users " in line]
    assert [(verb, " ".join(name)) for verb, _, _, *name in users if verb == "deleted"] == [
        ("deleted", f"Ann s{each:04} Ash") for each in range(3)
    ]
    assert [" ".join(name) for verb, _, _, *name in users if verb == "created"] == [
        "Ann s0100 Ash",
        "Ann s0101 Ash",
    ]


def test_what_a_narrower_share_would_take_away_has_names(terminal: Terminal) -> None:
    terminal.send(roll(5))
    terminal.done("application", "create", "Reader")
    terminal.done("connect", "Reader", DISTRICT)
    lines = terminal.done("share", "Reader", DISTRICT, "nothing", "--preview").lines
    assert [line.split()[3:] for line in lines if line.startswith("  deleted  users")] == [
        *(["Ann", f"s{each:04}", "Ash"] for each in range(3)),
    ]
