"""Who is one person: a shared id, email or word never merges two people, and never ties a child to a
stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.roster.world import ENROLLMENTS, SCHOOLS, SECTIONS, TEACHERS, Found, checked, outcome

STUDENTS = "School_id,Student_id,First_name,Last_name,DOB,Student_email,Contact_name,Contact_type,Contact_email,Contact_phone\n"
OTHERS = "birch,cem,Cem,Celik,,,,,,\nbirch,dot,Dot,Diaz,,,,,,\nash,ben,Ben,Baker,,,,,,\n"
AMY = "ash,amy,Amy,Adams,1/2/2014,amy@x.org,Pa Adams,Primary,pa@x.org,\n"
STAFF = "School_id,Staff_id,Staff_email,First_name,Last_name\n"
ADMINS = "Admin_id,Admin_email,First_name,Last_name,Title,Role\n"


def students(*rows: str) -> dict[str, str]:
    return {"students.csv": STUDENTS + OTHERS + "".join(f"{row}\n" for row in rows)}


AMY_5 = AMY.strip()
# Rows of one Student_id from row 5 on, and the problems.
REPEATS: dict[str, tuple[tuple[str, ...], Found]] = {
    "two children with other names and birthdays": (
        (AMY_5, "ash,amy,Zoe,Quist,3/4/2012,,Ma Quist,Primary,ma@x.org,"),
        [("students.csv", 6, "shared-id")],
    ),
    "twins: one last name, one birthday, two emails": (
        (AMY_5, "ash,amy,Ada,Adams,1/2/2014,ada@x.org,Pa Adams,Primary,pa@x.org,"),
        [("students.csv", 6, "shared-id")],
    ),
    "two children without birthdays and emails": (
        ("ash,amy,Amy,Adams,,,Pa,Primary,,", "ash,amy,Zoe,Quist,,,Ma,Primary,,"),
        [("students.csv", 6, "shared-id")],
    ),
    "three rows, and only the first is hers": (
        (AMY_5, "ash,amy,Zoe,Quist,3/4/2012,,,,,", "ash,amy,Zoe,Quist,3/4/2012,,Ma,Primary,,"),
        [("students.csv", 6, "shared-id"), ("students.csv", 7, "shared-id")],
    ),
    "three rows, and the second is another child's": (
        (
            AMY_5,
            "ash,amy,Zoe,Quist,3/4/2012,,Ma,Primary,,",
            "ash,amy,Amy,Adams,1/2/2014,amy@x.org,Ma,Primary,,",
        ),
        [("students.csv", 6, "shared-id")],
    ),
    "one name, and neither birthday nor email": (
        (AMY_5, "ash,amy,Amy,Adams,3/4/2012,amy2@x.org,Ma,Primary,,"),
        [("students.csv", 6, "shared-id")],
    ),
    "a name in other letters": (
        (AMY_5, "ash,amy,AMY,adams,1/2/2014,amy@x.org,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")] * 2,
    ),
    "a name with accents and a dash, and a birthday in another form": (
        ("ash,amy,Zoé,Díaz-Roe,1/2/2014,,Pa,Primary,,", "ash,amy,Zoe,Diaz Roe,2014-01-02,,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")] * 3,
    ),
    "an initial, and another birthday": (
        (AMY_5, "ash,amy,A.,Adams,2/2/2014,,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")] * 3,
    ),
    "first and last name swapped": (
        (AMY_5, "ash,amy,Adams,Amy,1/2/2014,amy@x.org,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")] * 2,
    ),
    "a name that is spelled otherwise, and nothing else": (
        (AMY_5, "ash,amy,Aimee,Adams,1/2/2014,amy@x.org,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")],
    ),
    "a word for nothing is no other birthday": (
        (AMY_5, "ash,amy,Ammy,Adams,N/A,none,Ma,Primary,,"),
        [*[("students.csv", 6, "conflicting-repeat")] * 3, ("students.csv", 6, "word-for-nothing")],
    ),
    "another school": (
        (AMY_5, "birch,amy,Amy,Adams,1/2/2014,amy@x.org,Ma,Primary,,"),
        [("students.csv", 6, "conflicting-repeat")],
    ),
}


@pytest.mark.parametrize("name", REPEATS)
def test_a_further_row_of_an_id_is_the_same_child_or_an_error(name: str, tmp_path: Path) -> None:
    rows, expected = REPEATS[name]
    assert expected == checked(tmp_path, students(*rows))


def test_a_child_with_the_id_of_another_is_left_out_with_its_contact_and_named(tmp_path: Path) -> None:
    world = outcome(tmp_path, students(AMY_5, "ash,amy,Zoe,Quist,3/4/2012,,Ma Quist,Primary,ma@x.org,"))
    assert str(world.problems[0]) == (
        "students.csv row 6: Student_id 'amy': two children share this id: row 5 has another First_name, Last_name, DOB;"
        " this row was left out, with what it says of a contact"
    )
    assert world.errors["students"] == 1
    assert world.column("students", "first")["amy"] == "Amy"
    assert [contact["name"] for contact in world.tables["contacts"]] == ["Pa Adams"]


def test_a_contact_of_a_further_row_with_another_school_goes_in(tmp_path: Path) -> None:
    world = outcome(tmp_path, students(AMY_5, "birch,amy,Amy,Adams,1/2/2014,amy@x.org,Ma,Primary,,"))
    assert [contact["name"] for contact in world.tables["contacts"]] == ["Pa Adams", "Ma"]
    assert (world.problems[0].row, world.problems[0].column) == (6, "School_id")


# Files with one key for two people, and the problems.
OTHER_KEYS: dict[str, tuple[dict[str, str], Found]] = {
    "teachers": (
        {"teachers.csv": TEACHERS + "birch,lund,Uwe,Park,uwe@example.org\n"},
        [("teachers.csv", 4, "shared-id")],
    ),
    "a teacher's row again": (
        {"teachers.csv": TEACHERS + "birch,lund,Lars,Lund,\n"},
        [("teachers.csv", 4, "duplicate-id")],
    ),
    "staff": (
        {"staff.csv": STAFF + "ash,7,fay@x.org,Fay,Fox\nbirch,7,gil@x.org,Gil,Gay\n"},
        [("staff.csv", 3, "shared-id")],
    ),
    "staff with one last name": (
        {"staff.csv": STAFF + "ash,7,fay@x.org,Fay,Fox\nbirch,7,gil@x.org,Gil,Fox\n"},
        [("staff.csv", 3, "shared-id")],
    ),
    "a staff member with two addresses": (
        {"staff.csv": STAFF + "ash,7,fay@x.org,Fay,Fox\nbirch,7,f.fox@x.org,Fay,Fox\n"},
        [("staff.csv", 3, "conflicting-repeat")],
    ),
    "a staff member who changed both names, with one address": (
        {"staff.csv": STAFF + "ash,7,fay@x.org,Fay,Fox\nbirch,7,fay@x.org,Robin,Wood\n"},
        [("staff.csv", 3, "conflicting-repeat")] * 2,
    ),
    "the old staff file": (
        {
            "admins.csv": "School_id,Staff_id,Admin_email,First_name,Last_name\nash,7,f@x.org,Fay,Fox\nbirch,7,g@x.org,Gil,Gay\n"
        },
        [("admins.csv", 3, "shared-id"), ("admins.csv", None, "deprecated-file")],
    ),
    "administrators": (
        {"administrators.csv": ADMINS + "1,a@x.org,Ann,Ash,Boss,CA\n1,b@x.org,Bob,Bay,Boss,DCL\n"},
        [("administrators.csv", 3, "shared-id")],
    ),
}


@pytest.mark.parametrize("name", OTHER_KEYS)
def test_one_id_of_two_people_in_every_file(name: str, tmp_path: Path) -> None:
    changes, expected = OTHER_KEYS[name]
    assert expected == checked(tmp_path, changes)


# --- contacts -------------------------------------------------------------------------------------------------------------

CONTACTS = (
    "School_id,Student_id,First_name,Last_name,Contact_name,Contact_email,Contact_phone,Contact_type,"
    "Contact_relationship,Contact_phone_type,Contact_sis_id\n"
)


def contacts(*rows: str) -> dict[str, str]:
    """Students with contacts, from rows of student, name, email, phone, type, relationship, phone type and
    id."""
    lines = "".join(f"ash,{row.split(',')[0]},{row.split(',')[0]},B,{row.split(',', 1)[1]}\n" for row in rows)
    enrollments = "School_id,Section_id,Student_id\nash,algebra,amy\n"
    sections = "School_id,Section_id,Teacher_id\nash,algebra,lund\n"
    return {"students.csv": CONTACTS + lines, "enrollments.csv": enrollments, "sections.csv": sections}


# Two rows with one Contact_sis_id: name, email and phone, and the problems of the second.
CONTACT_IDS: dict[str, tuple[str, str, list[str]]] = {
    "another name and email": ("Pat Moss,pat@x.org,", "Gil Reed,gil@x.org,", ["shared-contact-id"]),
    "another first name and phone": (
        "Pat Moss,,202 555 0101",
        "Gil Moss,,202 555 0199",
        ["shared-contact-id"],
    ),
    "another name and nothing else": ("Pat Moss,,", "Gil Reed,,", ["shared-contact-id"]),
    "another name and one email": ("Pat Moss,home@x.org,", "Gil Reed,home@x.org,", ["conflicting-contact"]),
    "a swapped name": ("Pat Moss,,2025550101", '"Moss, Pat",,2025550199', ["conflicting-contact"] * 2),
    "a name with a title, and another phone": (
        "Pat Moss,,2025550101",
        "Mrs. Pat Moss,,2025550199",
        ["conflicting-contact"] * 2,
    ),
    "another spelling of name and phone": (
        "Zoé Roe,,202-555-0101",
        "ZOE ROE,,(202) 555 0101",
        ["conflicting-contact"] * 2,
    ),
    "two emails of one name": ("Pat Moss,pat@x.org,", "Pat Moss,pat@work.org,", ["conflicting-contact"]),
}


@pytest.mark.parametrize("name", CONTACT_IDS)
def test_an_id_of_two_contacts_ties_no_child_to_a_stranger(name: str, tmp_path: Path) -> None:
    one, other, expected = CONTACT_IDS[name]
    world = outcome(tmp_path, contacts(f"amy,{one},Primary,,,9", f"ben,{other},Primary,,,9"))
    assert expected == [code for _, _, code in world.found if "contact" in code]
    tied = {edge["student"] for edge in world.tables["contact_students"]}
    assert tied == ({"amy"} if expected == ["shared-contact-id"] else {"amy", "ben"})
    assert len(world.tables["contacts"]) == 1
    assert set(world.column("students", "key")) == {"amy", "ben"}
    assert world.errors["contacts"] == (expected == ["shared-contact-id"])


@pytest.mark.parametrize(
    "filled",
    ["Primary,,,", "Primary,Mother,Home,", ",Mother,,", "NULL,N/A,-,none"],
    ids=["type", "all three", "words", "nothing"],
)
def test_a_contact_without_anything_of_its_own_is_none_and_no_error(filled: str, tmp_path: Path) -> None:
    world = outcome(tmp_path, contacts(f"amy,,,,{filled}", f"ben,NULL,N/A,none,{filled}"))
    assert (world.tables["contacts"], world.errors["contacts"]) == ([], 0)
    assert {code for _, _, code in world.found} <= {"word-for-nothing"}


def test_phones_and_emails_of_one_contact_in_several_rows_are_one_entry_of_the_relationship(
    tmp_path: Path,
) -> None:
    rows = [
        f"amy,Mia Moss,{email},{phone},{kind},{relationship},Cell,9"
        for email in ("mia@x.org", "mia@work.org")
        for phone in ("2025550101", "2025550102")
        for kind, relationship in (("Family", "Mother"), ("Emergency", "Other"))
    ]
    world = outcome(tmp_path, contacts(*rows))
    assert len(world.tables["contacts"]) == 1
    assert [(e["student"], e["relationship"], e["type"]) for e in world.tables["contact_students"]] == [
        ("amy", "Other", "Emergency"),
        ("amy", "Parent", "Family"),
    ]


def test_the_order_of_a_contacts_rows_changes_nothing(tmp_path: Path) -> None:
    rows = (
        "amy,Mia Moss,mia@x.org,2025550101,Family,Mother,Cell,9",
        "amy,Mia Moss,mia@x.org,2025550102,Emergency,Mother,Home,9",
        "amy,Mia Moss,,2025550103,Family,Other,Home,9",
    )
    seen = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        world = outcome(tmp_path, contacts(*(rows[place] for place in order)))
        (contact,) = world.tables["contacts"]
        entries = sorted(
            (edge["student"], edge["relationship"], edge["type"]) for edge in world.tables["contact_students"]
        )
        seen.append(
            ({**contact, "row": 0}, entries, sorted(str(problem.value) for problem in world.problems))
        )
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0]["phone"] == "(202) 555-0101"


# Name, email and phone of the contacts of two children, and whether they are one contact.
JOINED: dict[str, tuple[str, str, bool]] = {
    "one name and one email": ("Rita Reed,rita@x.org,", "Rita Reed,rita@x.org,", True),
    "one name and one phone": ("Rita Reed,,2025550101", "Rita Reed,,2025550101", True),
    "a word for nothing as email": ("Rita Reed,NULL,", "Rita Reed,NULL,", False),
    "a word for nothing as email, and one phone": (
        "Rita Reed,NULL,2025550101",
        "Rita Reed,n/a,2025550101",
        True,
    ),
    "a word for nothing as phone": ("Rita Reed,,unknown", "Rita Reed,,unknown", False),
    "a filler of an office": ("Rita Reed,noemail@x.org,", "Rita Reed,noemail@x.org,", False),
    "a text that is no email": ("Rita Reed,declined,", "Rita Reed,declined,", False),
    "a phone of zeros": ("Rita Reed,,000-000-0000", "Rita Reed,,000-000-0000", False),
}


@pytest.mark.parametrize("name", JOINED)
def test_contacts_of_two_families_are_joined_by_what_is_theirs_alone(name: str, tmp_path: Path) -> None:
    one, other, is_one = JOINED[name]
    world = outcome(tmp_path, contacts(f"amy,{one},Primary,,,", f"ben,{other},Primary,,,"))
    assert (len(world.tables["contacts"]), len(world.tables["contact_students"])) == (1 if is_one else 2, 2)


def test_a_contacts_id_that_is_a_word_for_nothing_is_none(tmp_path: Path) -> None:
    world = outcome(
        tmp_path, contacts("amy,Pat,pat@x.org,,Primary,,,NULL", "ben,Gil,gil@x.org,,Primary,,,NULL")
    )
    assert [(contact["name"], contact["sis_id"]) for contact in world.tables["contacts"]] == [
        ("Pat", ""),
        ("Gil", ""),
    ]


def test_an_email_of_more_names_than_a_household_has_joins_no_contacts(tmp_path: Path) -> None:
    names = ("Ann Ash", "Bob Bay", "Cid Cox", "Dee Day", "Eva Eng", "Ann Ash")
    rows = [f"s{number},{name},front@desk.org,,Primary,,," for number, name in enumerate(names)]
    assert len(outcome(tmp_path, contacts("amy,,,,,,,", *rows)).tables["contacts"]) == 6
    few = outcome(tmp_path, contacts("amy,,,,,,,", *rows[:3], "s5,Ann Ash,front@desk.org,,Primary,,,"))
    assert len(few.tables["contacts"]) == 3


# --- words for nothing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        *(
            "NULL",
            "null",
            "None",
            "N/A",
            "n/a",
            "#N/A",
            "NA",
            "n.a.",
            "-",
            "--",
            "\u2014",
            ".",
            "?",
            "(null)",
            "<NULL>",
            "nil",
        ),
        *(
            "unknown",
            "UNKNOWN",
            "undefined",
            "NaN",
            "not available",
            "Not Applicable",
            "no email",
            "no-email",
            "NULL NULL",
        ),
        *(
            "none, none",
            "tbd",
            "[none]",
            "not provided",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "#NUM!",
            "#NULL!",
            "########",
        ),
    ],
)
def test_a_word_for_nothing_is_told_once_for_each_column_with_a_count(word: str, tmp_path: Path) -> None:
    changes = {
        "teachers.csv": TEACHERS.replace("lund@example.org", f'"{word}"').replace(
            "okoye@example.org", f'"{word}"'
        )
    }
    world = outcome(tmp_path, changes)
    assert world.found == [("teachers.csv", 2, "word-for-nothing")]
    assert world.problems[0].value == "2"
    assert set(world.column("teachers", "email").values()) == {word}


@pytest.mark.parametrize(
    "text",
    [
        "Null Nadia",
        "nadia",
        "no",
        "n",
        "0",
        "anna@x.org",
        "na@x.org",
        "nullmann",
        "Unknowne",
        "#name",
        "Value!",
    ],
)
def test_what_only_begins_like_a_word_for_nothing_is_none(text: str, tmp_path: Path) -> None:
    headers = "School_id,Teacher_id,First_name,Last_name,Username\n"
    world = outcome(
        tmp_path, {"teachers.csv": headers + f"ash,lund,Lars,Lund,{text}\nbirch,okoye,Oba,Okoye,\n"}
    )
    assert world.found == []


REWRITTEN = "1.20256E+11"


@pytest.mark.parametrize("place", ["Contact_sis_id", "Contact_phone"])
def test_a_number_of_contacts_that_a_spreadsheet_rewrote_joins_no_families(
    place: str, tmp_path: Path
) -> None:
    headers = f"School_id,Student_id,First_name,Last_name,Contact_name,Contact_type,{place}\n"
    rows = (
        f"ash,amy,Amy,Adams,Maria Garcia,guardian,{REWRITTEN}\nash,ben,Ben,Baker,Maria "
        f"Garcia,guardian,{REWRITTEN}\n"
    )
    world = outcome(
        tmp_path, {"students.csv": headers + rows + "birch,cem,Cem,Celik,,,\nbirch,dot,Dot,Diaz,,,\n"}
    )
    assert len(world.tables["contacts"]) == 2
    assert [(found.row, found.code, found.column, found.value) for found in world.problems] == [
        (2, "rewritten-number", place, "2")
    ]


def test_numbers_that_a_spreadsheet_rewrote_are_told_once_for_each_column_and_shown(tmp_path: Path) -> None:
    headers = "School_id,Teacher_id,First_name,Last_name,Teacher_number,Username\n"
    rows = f"ash,lund,Lars,Lund,{REWRITTEN},{REWRITTEN}\nbirch,okoye,Oba,Okoye,{REWRITTEN},{REWRITTEN}\n"
    world = outcome(tmp_path, {"teachers.csv": headers + rows})
    assert [(found.code, found.column, found.value) for found in world.problems] == [
        ("rewritten-number", "Teacher_number", "2"),
        ("rewritten-number", "Username", "2"),
    ]
    assert set(world.column("teachers", "teacher_number").values()) == {REWRITTEN}


def test_a_number_that_a_spreadsheet_rewrote_makes_no_two_children_one(tmp_path: Path) -> None:
    headers = "School_id,Student_id,First_name,Last_name,Student_number,Contact_name,Contact_type\n"
    rows = f"ash,amy,Amy,Adams,{REWRITTEN},Ann,guardian\nash,amy,Zoltan,Quill,{REWRITTEN},Zed,guardian\n"
    world = outcome(tmp_path, {"students.csv": headers + rows})
    assert ("students.csv", 3, "shared-id") in world.found
    assert len(world.tables["contacts"]) == 1


@pytest.mark.parametrize("word", ["NULL", "n/a", "-", "Unknown", "#REF!"])
def test_an_id_that_is_a_word_for_nothing_is_an_error_in_every_file(word: str, tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        {
            "schools.csv": SCHOOLS + f"{word},Cedar,3\n",
            "students.csv": "School_id,Student_id,First_name,Last_name\nash,amy,Amy,Adams\nash,ben,Ben,Baker\n"
            f"birch,cem,Cem,Celik\nash,{word},Eli,Eng\nash,{word},Fay,Fox\n",
            "teachers.csv": TEACHERS + f"ash,{word},Ed,Eng,\n",
            "staff.csv": STAFF + f"ash,{word},f@x.org,Fay,Fox\n",
            "administrators.csv": ADMINS + f"{word},a@x.org,A,A,Boss,CA\n",
            "sections.csv": SECTIONS + f"ash,{word},lund,,New,,,,,,\n",
            "enrollments.csv": ENROLLMENTS + f"ash,{word},amy\n",
        },
    )
    assert found == [
        ("schools.csv", 4, "word-as-id"),
        ("students.csv", 5, "word-as-id"),
        ("students.csv", 6, "word-as-id"),
        ("teachers.csv", 4, "word-as-id"),
        ("staff.csv", 2, "word-as-id"),
        ("administrators.csv", 2, "word-as-id"),
        ("sections.csv", 5, "word-as-id"),
        ("enrollments.csv", 7, "unknown-section"),
    ]


# --- what only one person should have -------------------------------------------------------------------------------------

ACCOUNTS = "School_id,Student_id,First_name,Last_name,Student_number,Student_email,Username\n"
THREE = "ash,amy,Amy,Adams,{}\nash,ben,Ben,Baker,{}\nbirch,cem,Cem,Celik,{}\n"
UNIQUE: dict[str, tuple[dict[str, str], list[tuple[str, int | None, str, str]]]] = {
    "a student number twice": (
        {"students.csv": ACCOUNTS + THREE.format("7,,", "7,,", "8,,")},
        [("students.csv", 2, "shared-number", "2 people, the next in row 3")],
    ),
    "a word for nothing as number": ({"students.csv": ACCOUNTS + THREE.format("N/A,,", "N/A,,", "8,,")}, []),
    "a teacher number twice": (
        {
            "teachers.csv": "School_id,Teacher_id,First_name,Last_name,Teacher_number\nash,lund,L,L,7\nash,okoye,O,O,7\n"
        },
        [("teachers.csv", 2, "shared-number", "2 people, the next in row 3")],
    ),
    "an email of two students, in any letter case": (
        {"students.csv": ACCOUNTS + THREE.format("1,home@x.org,", "2,Home@x.org,", "3,,")},
        [("students.csv", 2, "shared-email", "2 people")],
    ),
    "an email of two staff members": (
        {"staff.csv": STAFF + "ash,7,f@x.org,Fay,Fox\nash,8,f@x.org,Fay,Fox\nash,9,g@x.org,Gil,Gay\n"},
        [("staff.csv", 2, "shared-email", "2 people")],
    ),
    "an email of a student and a teacher": (
        {"students.csv": ACCOUNTS + THREE.format("1,lund@example.org,", "2,,", "3,,")},
        [("students.csv", 2, "shared-email", "2 people")],
    ),
    "an email of one person in two roles and two schools": (
        {"staff.csv": STAFF + "ash,7,lund@example.org,Lars,Lund\nbirch,7,lund@example.org,Lars,Lund\n"},
        [],
    ),
    "a username of three": (
        {
            "students.csv": ACCOUNTS + THREE.format("1,,moss", "2,,Moss", "3,,cem"),
            "teachers.csv": "School_id,Teacher_id,First_name,Last_name,Username\nash,lund,L,L,moss\nash,okoye,O,O,\n",
        },
        [("students.csv", 2, "shared-username", "3 people")],
    ),
    "one email, and neither name agrees": (
        {"staff.csv": STAFF + "ash,7,lund@example.org,Fay,Fox\n"},
        [("staff.csv", 2, "merged-names", "row 2 of teachers.csv")],
    ),
    "one email, and a new last name": ({"staff.csv": STAFF + "ash,7,lund@example.org,Lars,Fox\n"}, []),
}


@pytest.mark.parametrize("name", UNIQUE)
def test_what_only_one_person_should_have_is_warned_of_and_all_go_in(name: str, tmp_path: Path) -> None:
    changes, expected = UNIQUE[name]
    world = outcome(tmp_path, changes)
    found = [(p.file, p.row, p.code, str(p.expected)) for p in world.problems if p.code != "unknown-student"]
    assert expected == found
    assert len(world.tables["teachers"]) == 2
    assert sum(world.errors[kind] for kind in ("students", "teachers", "staff")) == 0
