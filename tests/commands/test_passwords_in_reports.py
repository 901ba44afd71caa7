"""No output, list or stored report has a cell of a file with a column for passwords.

Row and column say where to look.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping
from contextlib import closing

import pytest

from rollbook.roster.problems import NOT_SHOWN
from rollbook.store.engine.database import open_database
from tests import world
from tests.commands.terminal import DISTRICT, Outcome, Terminal
from tests.sharing.test_failed_uploads import BROKEN, MARK, marked

PEOPLE = ("students.csv", "teachers.csv", "staff.csv")
# The names of records, and the cells that a report's examples of changes show.
KEPT = ("School_id", "Student_id", "Teacher_id", "Staff_id", "First_name", "Last_name")
HEADERS = ("an unknown column", "a bad column")


def told(terminal: Terminal, files: Mapping[str, str]) -> tuple[Outcome, str]:
    """All that commands print, list and store about files; and the result of the sync."""
    folder, listed = world.write(terminal.folder / "files", files), terminal.folder / "listed.csv"
    checked = terminal.run("check", folder, "--problems", listed)
    texts = [checked.out, checked.err, listed.read_text("utf-8"), terminal.run("check", folder, "--json").out]
    synced = terminal.run("sync", DISTRICT, folder, "--approve", "--problems", listed)
    texts += [synced.out, synced.err, listed.read_text("utf-8")]
    asked = (
        ("status",),
        ("status", "--json"),
        ("district", "show", DISTRICT),
        ("history", DISTRICT),
        ("history", DISTRICT, "--json"),
    )
    for command in asked:
        outcome = terminal.run(*command)
        texts += [outcome.out, outcome.err]
    with closing(open_database(os.environ["ROLLBOOK_DATABASE"])) as database, database.read() as transaction:
        texts += [report for (report,) in transaction.rows("SELECT report FROM syncs")]
        texts += [str(row) for row in transaction.rows("SELECT * FROM problem_rows")]
    return synced, "\n".join(texts)


@pytest.mark.parametrize("how", [how for how in BROKEN if how not in HEADERS])
@pytest.mark.parametrize("file", ["students.csv", "teachers.csv"])
def test_a_stop_quotes_no_cell(small_terminal: Terminal, file: str, how: str) -> None:
    files = {**world.FILES, file: BROKEN[how](marked()[file])}
    synced, text = told(small_terminal, files)
    assert synced.code == 1
    assert file in synced.err
    assert MARK not in text


def rewritten(text: str, change: Callable[[dict[str, str]], dict[str, str]]) -> str:
    out = io.StringIO()
    rows = [change(row) for row in csv.DictReader(io.StringIO(text))]
    lines = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return out.getvalue()


def spoiled(text: str, kept: tuple[str, ...] = KEPT) -> str:
    """A file with a mark and a password in every value except the kept ones."""
    return rewritten(
        text,
        lambda row: {**{k: v if k in kept else MARK + v for k, v in row.items()}, "Password": f"{MARK}!"},
    )


def repeated(text: str) -> str:
    """A file with each row repeated, in which everything except the ids differs."""
    header, *rows = text.splitlines()
    _, *again = rewritten(
        text, lambda row: {k: v if k.endswith("_id") else MARK + v for k, v in row.items()}
    ).splitlines()
    return "\n".join([header, *rows, *again]) + "\n"


@pytest.mark.parametrize(
    "spoil", [spoiled, lambda text: spoiled(text, ()), lambda text: repeated(spoiled(text))]
)
def test_a_problem_of_a_row_names_row_and_column_and_no_value(
    terminal: Terminal, spoil: Callable[[str], str]
) -> None:
    files = {name: spoil(text) if name in PEOPLE else text for name, text in world.FILES.items()}
    synced, text = told(terminal, files)
    assert MARK not in text
    assert NOT_SHOWN in synced.out + synced.err
    assert "students.csv row 2: " in text


def test_a_contact_that_is_left_out_is_in_no_report(small_terminal: Terminal) -> None:
    contact = {
        "Contact_name": MARK,
        "Contact_type": "",
        "Contact_email": f"{MARK}@example.org",
        "Password": "x",
    }
    students = rewritten(world.FILES["students.csv"], lambda row: {**row, **contact})
    _, text = told(small_terminal, {**world.FILES, "students.csv": students})
    assert "incomplete-contact" in text
    assert MARK not in text


def test_quotes_that_swallow_a_password_are_told_without_it(small_terminal: Terminal) -> None:
    students = world.FILES["students.csv"].splitlines()
    rows = [f'{row},"{MARK}"x"' for row in students[1:]]
    synced, text = told(
        small_terminal, {**world.FILES, "students.csv": "\n".join([f"{students[0]},Password", *rows]) + "\n"}
    )
    assert MARK not in text
    assert (
        f"students.csv row 2: quotes inside a quoted cell were not doubled; read as {NOT_SHOWN}" in synced.out
    )


def test_a_column_of_passwords_by_another_name_is_not_trusted(small_terminal: Terminal) -> None:
    small_terminal.done("rules", DISTRICT, "--set", "lenient_headers=on")
    students = world.FILES["students.csv"].replace("3/23/2009", f"{MARK}").splitlines()
    rows = [f"{row},geheim" for row in students[1:]]
    synced, _ = told(
        small_terminal, {**world.FILES, "students.csv": "\n".join([f"{students[0]},pwd", *rows]) + "\n"}
    )
    assert MARK not in synced.out + synced.err
    assert "column 'pwd' is not known, and was ignored" in synced.out


def test_a_file_without_passwords_is_quoted_as_before(small_terminal: Terminal) -> None:
    files = world.changed(("students.csv", "3/23/2009", MARK))
    assert f"students.csv row 2: DOB '{MARK}' is not a date" in small_terminal.send(files).out


@pytest.mark.parametrize("how", HEADERS)
def test_a_name_in_a_header_is_quoted(small_terminal: Terminal, how: str) -> None:
    files = marked()
    synced, _ = told(small_terminal, {**world.FILES, "students.csv": BROKEN[how](files["students.csv"])})
    assert MARK in synced.err


def test_a_first_row_that_is_a_person_is_not_quoted_though_a_password_is_a_columns_name(
    small_terminal: Terminal,
) -> None:
    rows = [f"N,e{number},{MARK},{MARK},Password" for number in range(3)]
    synced, text = told(small_terminal, {**world.FILES, "students.csv": "\n".join(rows) + "\n"})
    assert synced.code == 1
    assert MARK not in text
    assert f"students.csv: column {NOT_SHOWN} is not known" in text
