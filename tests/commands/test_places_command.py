"""`rollbook schools` and `rollbook sections`: what a district has, and what its sections lack."""

from __future__ import annotations

from tests import world
from tests.commands.terminal import DISTRICT, Terminal


def test_schools_and_sections_are_listed_with_their_counts(terminal: Terminal) -> None:
    terminal.done("district", "create", "Empty Unified")
    assert terminal.done("schools", "Empty Unified").lines == ["The district has no school."]
    assert terminal.done("sections", "Empty Unified").lines == ["The district has no section."]
    terminal.done("sync", DISTRICT, world.write(terminal.folder / "sis"))
    assert [" ".join(line.split()) for line in terminal.done("schools", DISTRICT).lines] == [
        "N North High 2 students, 2 teachers, 2 sections",
        "S South Elementary 2 students, 1 teachers, 1 sections",
    ]
    assert terminal.done("sections", DISTRICT, "--only", "no students").lines == ["No section fits."]
    (line,) = terminal.done("sections", DISTRICT, "--only", "no term").lines
    assert " ".join(line.split()) == "homeroom Room 12 North High 1 teachers, 1 students (no term)"
    told = terminal.done("sections", DISTRICT, "--text", "alg", "--json").json()
    assert [(each["sis_id"], each["term"], each["students"]) for each in told["sections"]] == [
        ("algebra", "Fall", 2)
    ]
    assert terminal.run("sections", DISTRICT, "--only", "no pupils").code == 2
    assert "no district has the name or id 'Nowhere'" in terminal.run("schools", "Nowhere").err
