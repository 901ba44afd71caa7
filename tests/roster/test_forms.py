"""Emails, states and postal codes of another form: shown unchanged, and counted in one line for each
column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.roster.world import STUDENTS, outcome

# A kind of form: a column, values with this form, and values without it.
FORMS = {
    "School_state": (["OH", "ny"], ["Ohio", "O", "O1", "N.Y."]),
    "School_zip": (
        ["44101", "441011234", "K1A0B", "k1a0b1234"],
        ["44101-12", "44101-1234", "4410", "SW1A 1AA"],
    ),
    "Principal_email": (
        ["a@example.org", "a.b+c@mail.example.org"],
        ["pat", "a@b", "a@example.org; b@example.org", "a b@x.org", "@x.org", "x.org"],
    ),
}


@pytest.mark.parametrize("header", FORMS)
def test_values_of_another_form_are_counted_and_shown_as_they_are(header: str, tmp_path: Path) -> None:
    good, bad = FORMS[header]
    rows = "".join(f'v{number},A,1,"{text}"\n' for number, text in enumerate(["", *good, *bad]))
    world = outcome(
        tmp_path,
        {"schools.csv": f"School_id,School_name,School_number,{header}\nash,Ash,1,\nbirch,Birch,1,\n{rows}"},
    )
    shown = world.column(
        "schools", {"Principal_email": "principal_email"}.get(header, header.removeprefix("School_").lower())
    )
    assert list(shown.values())[3:] == [*good, *bad]
    assert [(problem.row, problem.code, problem.column, problem.value) for problem in world.problems] == [
        (5 + len(good), "other-form", header, str(len(bad)))
    ]


def test_every_column_with_a_form_is_looked_at(tmp_path: Path) -> None:
    students = STUDENTS.replace(
        "Grade", "Grade,Student_email,Student_state,Student_zip,Contact_name,Contact_type,Contact_email"
    )
    people = "School_id,Staff_id,Staff_email,First_name,Last_name\nash,1,pat,A,A\n"
    admins = "Admin_id,Admin_email,First_name,Last_name,Title,Role\n1,pat,A,A,T,CA\n"
    changes = {
        "students.csv": students.replace("\n", ",pat,Ohio,1,Pat,family,pat\n").replace(
            "email,pat,Ohio,1,Pat,family,pat", "email"
        ),
        "teachers.csv": "School_id,Teacher_id,First_name,Last_name,Teacher_email\nash,lund,L,L,pat\nbirch,okoye,O,O,\n",
        "staff.csv": people,
        "administrators.csv": admins,
    }
    world = outcome(tmp_path, changes)
    found = [
        (problem.file, problem.column, problem.value)
        for problem in world.problems
        if problem.code == "other-form"
    ]
    assert sorted(found) == [
        ("administrators.csv", "Admin_email", "1"),
        ("staff.csv", "Staff_email", "1"),
        ("students.csv", "Contact_email", "4"),
        ("students.csv", "Student_email", "4"),
        ("students.csv", "Student_state", "4"),
        ("students.csv", "Student_zip", "4"),
        ("teachers.csv", "Teacher_email", "1"),
    ]


def test_emails_of_the_old_form_of_staff_are_looked_at(tmp_path: Path) -> None:
    admins = "School_id,Staff_id,Admin_email,First_name,Last_name\nash,1,pat,A,A\n"
    found = outcome(tmp_path, {"admins.csv": admins}).problems
    assert ("admins.csv", 2, "other-form") in [(problem.file, problem.row, problem.code) for problem in found]


def test_a_word_for_nothing_is_told_once(tmp_path: Path) -> None:
    teachers = (
        "School_id,Teacher_id,First_name,Last_name,Teacher_email\nash,lund,L,L,none\nbirch,okoye,O,O,\n"
    )
    found = outcome(tmp_path, {"teachers.csv": teachers}).problems
    told = [(problem.code, problem.value) for problem in found if problem.column == "Teacher_email"]
    assert told == [("word-for-nothing", "1")]
