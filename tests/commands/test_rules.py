"""`rollbook rules`: how a district's files are read; stored, and used by each of its syncs."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from rollbook.domain.reading_rules import DEFAULTS, SWITCHES, Rules
from rollbook.errors import Refused
from rollbook.store.district import choices, districts
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import STEPS, migrate
from tests.commands.terminal import DISTRICT, Terminal, roll

# Each rule makes a difference here. Amy of Ash learns mostly at Birch, where Mr Lund of Ash teaches most. Two
# names have one number. The section has its own name and grade, and a grade has a leading zero.
FILES = {
    "schools.csv": "School_id,School_name,School_number\nash,Ash School,1\nbirch,Birch School,2\n",
    "teachers.csv": "School_id,Teacher_id,First_name,Last_name\nash,lund,Lars,Lund\n",
    "students.csv": "School_id,Student_id,Last_name,First_name,Grade\nash,amy,Adams,Amy,5\nbirch,ben,Baker,Ben,05\n",
    "sections.csv": "School_id,Section_id,Teacher_id,Name,Grade,Course_name,Course_number\n"
    "birch,art,lund,Sec A,7,Art,A1\nbirch,more,lund,Sec B,5,Art II,A1\nash,home,lund,Sec C,5,Home,H1\n",
    "enrollments.csv": "School_id,Section_id,Student_id\nbirch,art,amy\nbirch,more,amy\nash,home,amy\nash,home,ben\n",
}
# Which kinds a rule changes if it is switched from its default.
CHANGES = {
    "lenient_grades": {"students"},
    "sis_section_names": {"sections"},
    "majority_grades": {"sections"},
    "derive_student_school": {"students"},
    "derive_teacher_school": {"teachers"},
    "courses_by_number": {"courses", "sections"},
}


def changed(terminal: Terminal) -> set[str]:
    """The kinds that a sync of the same files would change now."""
    told = terminal.send(FILES, "--plan", "--json").json()
    return {
        kind
        for kind, counts in told["kinds"].items()
        if any(counts[verb] for verb in ("created", "updated", "deleted"))
    }


def on(value: bool) -> str:
    return "on" if value else "off"


def test_every_rule_is_in_force_for_the_next_sync_until_it_is_switched_back(terminal: Terminal) -> None:
    terminal.send(FILES)
    assert set(CHANGES) == set(SWITCHES) - {"lenient_headers"}
    for name, kinds in CHANGES.items():
        terminal.done("rules", DISTRICT, "--set", f"{name}={on(not DEFAULTS[name])}")
        assert (name, changed(terminal)) == (name, kinds)
        terminal.done("rules", DISTRICT, "--set", f"{name}={on(DEFAULTS[name])}")
    assert changed(terminal) == set()


def test_rules_are_shown_and_those_of_the_district_marked(terminal: Terminal) -> None:
    assert terminal.done("rules", DISTRICT, "--json").json() == dict(DEFAULTS)
    assert not any(line.startswith("*") for line in terminal.done("rules", DISTRICT).lines)
    told = terminal.done(
        "rules", DISTRICT, "--set", "lenient-grades=on", "--set", "derive_student_school=off"
    )
    assert [line.split()[1:3] for line in told.lines if line.startswith("* ")] == [
        ["lenient_grades", "on"],
        ["derive_student_school", "off"],
        ["differs", "from"],
    ]
    expected = {**DEFAULTS, "lenient_grades": True, "derive_student_school": False}
    assert terminal.done("rules", DISTRICT, "--json").json() == expected
    shown = terminal.done("district", "show", DISTRICT)
    assert [" ".join(line.split()) for line in shown.lines if line.startswith("  rule ")] == [
        "rule lenient_grades is on",
        "rule derive_student_school is off",
    ]
    assert terminal.done("district", "show", DISTRICT, "--json").json()["rules"] == expected


def test_rules_are_those_of_one_district(terminal: Terminal) -> None:
    terminal.done("district", "create", "Birch")
    terminal.done("rules", DISTRICT, "--set", "lenient_grades=on")
    assert terminal.done("rules", "Birch", "--json").json() == dict(DEFAULTS)


def test_lenient_holds_for_one_run_and_the_rule_for_all(terminal: Terminal) -> None:
    files = roll(5)
    files["schools.csv"] = (
        files["schools.csv"].replace("number\n", "number,Colour\n").replace(",1\n", ",1,red\n")
    )

    def warnings(outcome: Any) -> dict[str, int]:
        return dict(outcome.json()["problem_counts"])

    assert terminal.send(files).code == 1
    assert warnings(terminal.send(files, "--lenient", "--json")) == {"ignored-header": 1}
    assert terminal.send(files).code == 1
    terminal.done("rules", DISTRICT, "--set", "lenient_headers=on")
    assert warnings(terminal.send(files, "--json")) == {"ignored-header": 1}


@pytest.mark.parametrize(
    "text", ["lenient=on", "lenient_grades", "lenient_grades=yes", "=on", "problems_max=on"]
)
def test_a_rule_that_is_none_is_told_and_nothing_is_changed(small_terminal: Terminal, text: str) -> None:
    refused = small_terminal.run("rules", DISTRICT, "--set", "majority_grades=on", "--set", text)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(
        "rollbook: set: expected NAME=on or NAME=off, NAME one of lenient_headers, "
    )
    assert refused.err.endswith(f"; got {text!r}\n")
    assert small_terminal.done("rules", DISTRICT, "--json").json() == dict(DEFAULTS)


def test_a_clone_has_no_rules_to_set(database: Database) -> None:
    cloned = districts.create(database, "Copy", given='{"id": "5f0000000000000000000001", "name": "Copy"}')
    with pytest.raises(Refused, match="takes no files"):
        choices.write(database, cloned, {"lenient_grades": True})
    assert choices.read(database, cloned).own() == {}


def test_a_database_of_before_has_the_defaults(bare_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = STEPS[: [step.__name__ for step in STEPS].index("district_rules")]
    with closing(open_database(bare_address)) as old:
        monkeypatch.setattr(migrations, "STEPS", before)
        migrate(old)
        with old.write() as transaction:
            transaction.run(
                "INSERT INTO districts (id, name, created, state, error) VALUES "
                "('5f0000000000000000000001', 'Old', '', '', '')"
            )
        monkeypatch.undo()
        migrate(old)
        found = districts.find(old, "Old")
        assert choices.read(old, found).switches() == Rules().switches()
        assert choices.write(old, found, {"majority_grades": True}).own() == {"majority_grades": True}
