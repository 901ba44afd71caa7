"""Nan and Na are names of people.

They are words for nothing only if the row has other such words, or no other values.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.clever import checks, sign_in_columns
from rollbook.roster.intake.csv import files
from tests.roster.test_one_person import CONTACTS
from tests.roster.world import outcome, write

# Name, email and phone of a contact, and whether the row names a contact.
GRANDMOTHERS = {
    "a phone": ("Nan,,2025550101", True),
    "an email": ("Na,nan@x.org,", True),
    "capital letters": ("NA,nan@x.org,2025550101", True),
    "an email that is a word for nothing": ("NaN,NaN,2025550101", False),
    "a phone that is a word for nothing": ("NA,nan@x.org,NA", False),
    "nothing else": ("NaN,,", False),
    "a slash": ("N/A,nan@x.org,2025550101", False),
}


@pytest.mark.parametrize("name", GRANDMOTHERS)
def test_nan_is_a_contact_if_an_email_or_phone_says_so(name: str, tmp_path: Path) -> None:
    said, is_name = GRANDMOTHERS[name]
    world = outcome(tmp_path, {"students.csv": f"{CONTACTS}ash,amy,Amy,Adams,{said},Primary,,,\n"})
    assert [contact["name"] for contact in world.tables["contacts"]] == (
        [said.split(",")[0]] if is_name else []
    )
    told = [problem.column for problem in world.problems if problem.code == "word-for-nothing"]
    assert ("Contact_name" in told) != is_name


@pytest.mark.parametrize(
    ("said", "expected"),
    [("Nan,nan@x.org", "nan"), ("na,na@x.org", "na"), ("NaN,NaN", None), ("NA,", None), ("n/a,n@x.org", "")],
)
def test_nan_is_a_username_if_the_email_is_no_word_for_nothing(
    said: str, expected: str | None, tmp_path: Path
) -> None:
    header = "School_id,Teacher_id,First_name,Last_name,Username,Teacher_email\n"
    folder = write(
        tmp_path, {"teachers.csv": f"{header}ash,lund,Nan,Lund,{said}\nbirch,okoye,Oba,Okoye,oba,oba@x.org\n"}
    )
    with closing(files.open_all(folder, memory_limit="256MB")) as tables:
        told = [
            problem.column for problem in checks.check(tables, Rules()) if problem.code == "word-for-nothing"
        ]
        sign_in_columns.build(tables.connection, "key")
        found = tables.connection.execute(
            f"SELECT username FROM {sign_in_columns.TABLE} WHERE key = 'lund'"
        ).fetchall()
    assert found == ([] if expected is None else [(expected,)])
    assert ("Username" in told) == (not expected)
