"""A further row of an id never merges two people, and neither a nickname nor a typing error splits one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.roster.test_one_person import CONTACTS
from tests.roster.world import TEACHERS, Outcome, outcome

MARKS = "Student_number,DOB,Gender,Student_email"
ONE, TWO = "one person", "two people"
# Names of two rows of one id, with other values: none, an equal birthday or number, another birthday, or
# both.
BLANK, EQUAL, EQUAL_NUMBER = (",,,", ",,,"), (",1/2/2014,,", ",2014-01-02,,"), ("77,,,", "77,,,")
DIFFER, BOTH = (",1/2/2014,,", ",3/4/2012,,"), (",1/2/2014,F,", ",1/2/2014,M,")
MARKED = {
    "blank": BLANK,
    "equal birthday": EQUAL,
    "equal number": EQUAL_NUMBER,
    "differ": DIFFER,
    "equal and differ": BOTH,
}
TABLE: dict[tuple[str, str], tuple[str, str, str, str, str]] = {
    # The names                              blank  day  number differ both
    ("Amy,Adams", "AMY,adams"): (ONE, ONE, ONE, ONE, ONE),
    ("Amy,Adams", "Adams,Amy"): (ONE, ONE, ONE, ONE, ONE),  # swapped
    ("Anna,Ant", "Ana,Ant"): (ONE, ONE, ONE, TWO, TWO),  # similar: a typing error
    ("Rob,Ant", "Robert,Ant"): (ONE, ONE, ONE, TWO, TWO),  # similar: a short form
    ("Mia,Garcia Lopez", "Mia,Lopez"): (ONE, ONE, ONE, TWO, TWO),  # similar: one name more
    ("Anna,Ant", "Ant,Ana"): (ONE, ONE, ONE, TWO, TWO),  # swapped, with a typing error
    # very different: a nickname, or another child of one family
    ("Bob,Ant", "Robert,Ant"): (TWO, ONE, ONE, TWO, TWO),
    ("Amy,Ant", "Robert,Ant"): (TWO, ONE, ONE, TWO, TWO),
    ("Jamal,Ant", "Jamie,Ant"): (TWO, ONE, ONE, TWO, TWO),  # very different, with one beginning
    ("Juan Carlos,Ant", "Juan Pablo,Ant"): (TWO, ONE, ONE, TWO, TWO),  # very different, with one equal word
    ("Amy,Ant", "Amy,Quist"): (TWO, ONE, ONE, TWO, TWO),  # very different: another last name
    ("Amy,Ant", "Zoe,Quist"): (TWO, TWO, ONE, TWO, TWO),  # both names are very different
}


NAMES = [*TABLE]


def child(number: int, names: tuple[str, str], marks: tuple[str, str]) -> str:
    """Two rows of one id, each with a contact; nothing else in them is another child's."""
    marks = (marks[0].replace("77", f"7{number:03}"), marks[1].replace("77", f"7{number:03}"))
    people = zip(
        names,
        marks,
        (f"Mum Ant,Primary,31255501{number:02}", f"Ida Bee,Primary,31255502{number:02}"),
        strict=True,
    )
    return "".join(f"ash,s{number},{name},{mark},{contact}\n" for name, mark, contact in people)


def children(names: tuple[str, str], marks: tuple[str, str], headers: str = MARKS) -> dict[str, str]:
    """Two rows of `s1`, each with a contact."""
    people = zip(names, marks, ("Mum Ant,Primary,2025550101", "Ida Bee,Primary,2025550102"), strict=True)
    rows = "".join(f"ash,s1,{name},{mark},{contact}\n" for name, mark, contact in people)
    return {
        "students.csv": f"School_id,Student_id,First_name,Last_name,{headers},Contact_name,Contact_type,Contact_phone\n{rows}"
    }


def told(folder: Path, changes: dict[str, str]) -> str:
    """What happens to the two rows; a rejected row is counted, and its contact is rejected with it."""
    world = outcome(folder, changes)
    is_two = ("students.csv", 3, "shared-id") in world.found
    assert len(world.tables["students"]) == 1
    assert [contact["name"] for contact in world.tables["contacts"]] == ["Mum Ant", "Ida Bee"][
        : 1 if is_two else 2
    ]
    assert world.errors["students"] == is_two
    return TWO if is_two else ONE


@pytest.fixture(scope="module")
def of_all_names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """By kind of marks: one district, in which each pair of names has an id of its own."""
    header = f"School_id,Student_id,First_name,Last_name,{MARKS},Contact_name,Contact_type,Contact_phone\n"
    return {
        marked: outcome(
            tmp_path_factory.mktemp("names") / "files",
            {
                "students.csv": header
                + "".join(child(number, names, marks) for number, names in enumerate(NAMES))
            },
        )
        for marked, marks in MARKED.items()
    }


@pytest.mark.parametrize("names", TABLE, ids=" - ".join)
def test_names_and_marks_tell_whether_two_rows_of_an_id_are_one_child(
    names: tuple[str, str], of_all_names: dict[str, Outcome]
) -> None:
    number = NAMES.index(names)
    found = {}
    for marked, world in of_all_names.items():
        is_two = ("students.csv", 3 + 2 * number, "shared-id") in world.found
        # A rejected row takes its contact with it.
        phones = {contact["phone"][-4:] for contact in world.tables["contacts"]}
        assert {f"01{number:02}", f"02{number:02}"} - phones == ({f"02{number:02}"} if is_two else set())
        found[marked] = TWO if is_two else ONE
    assert dict(zip(MARKED, TABLE[names], strict=True)) == found
    assert all(len(world.tables["students"]) == len(NAMES) for world in of_all_names.values())


# Values that two rows share and that identify nobody.
SAYS_NOTHING = {
    "a birthday in one row": (",1/2/2014,,", ",,,"),
    "a filler as birthday": (",1/1/1900,,", ",01/01/1900,,"),
    "a word as birthday": (",withheld,,", ",withheld,,"),
    "the gender": (",,F,", ",,f,"),
    "an email for all who have none": (",,,noemail@x.org", ",,,noemail@x.org"),
    "the id again": ("s1,,,", "S1,,,"),
    "a word for nothing": ("N/A,none,,-", "N/A,none,,-"),
}


@pytest.mark.parametrize("marks", SAYS_NOTHING.values(), ids=SAYS_NOTHING.keys())
def test_what_is_equal_for_many_makes_no_one_child_of_two(marks: tuple[str, str], tmp_path: Path) -> None:
    assert told(tmp_path, children(("Amy,Ant", "Robert,Ant"), marks)) == TWO


def test_two_children_of_a_file_that_says_nothing_else_are_two(tmp_path: Path) -> None:
    assert told(tmp_path, children(("Amy,Ant", "Robert,Ant"), ("x", "x"), "Ext.Room")) == TWO


# File, its header and two rows of one id, and whether they are of one person.
COLLEAGUES = {
    "teachers": ("teachers.csv", TEACHERS + "ash,7,Amy,Ant,\nash,7,Robert,Ant,\n", (5, "shared-id")),
    "a teacher with a nickname": (
        "teachers.csv",
        TEACHERS + "ash,7,Bob,Ant,b@x.org\nash,7,Robert,Ant,b@x.org\n",
        None,
    ),
    "staff": (
        "staff.csv",
        "School_id,Staff_id,First_name,Last_name,Staff_email\nash,7,Amy,Ant,na\nash,7,Robert,Ant,na\n",
        (3, "shared-id"),
    ),
    "a married colleague": (
        "staff.csv",
        "School_id,Staff_id,First_name,Last_name,Staff_email\nash,7,Amy,Ant,a@x.org\nbirch,7,Amy,Quist,a@x.org\n",
        None,
    ),
    "administrators": (
        "administrators.csv",
        "Admin_id,Admin_email,First_name,Last_name,Title,Role\n7,na@x,Amy,Ant,Boss,CA\n7,na@x,Robert,Ant,Boss,CA\n",
        (3, "shared-id"),
    ),
}


@pytest.mark.parametrize("name", COLLEAGUES)
def test_colleagues_of_one_last_name_are_two_unless_an_address_agrees(name: str, tmp_path: Path) -> None:
    file, text, expected = COLLEAGUES[name]
    found = [(row, code) for where, row, code in outcome(tmp_path, {file: text}).found if where == file]
    assert (expected in found) if expected else all(code != "shared-id" for _, code in found), found


# Two contacts with one id, by name and phone, and whether they are one.
PARENTS = {
    "a couple of one last name": ("Pat Moss,,", "Gil Moss,,", TWO),
    "a couple, and a filler as phone": ("Pat Moss,,0000000000", "Gil Moss,,0000000000", TWO),
    "a couple, and the id is their phone": ("Pat Moss,,2025550101", "Gil Moss,,202-555-0101", TWO),
    "a typing error": ("Anna Moss,,", "Ana Moss,,", ONE),
    "a middle name": ("Pat Moss,,", "Pat Lee Moss,,", ONE),
    "a nickname and one phone": ("Bob Moss,,2025550199", "Robert Moss,,2025550199", ONE),
}


@pytest.mark.parametrize("name", PARENTS)
def test_parents_of_one_last_name_are_two_contacts_unless_a_phone_agrees(name: str, tmp_path: Path) -> None:
    one, other, expected = PARENTS[name]
    rows = "".join(
        f"ash,{key},{key},B,{who},Primary,,,2025550101\n" for key, who in (("amy", one), ("ben", other))
    )
    world = outcome(tmp_path, {"students.csv": CONTACTS + rows})
    assert (TWO if "shared-contact-id" in [code for _, _, code in world.found] else ONE) == expected
    tied = {edge["student"] for edge in world.tables["contact_students"]}
    assert tied == ({"amy"} if expected == TWO else {"amy", "ben"})
