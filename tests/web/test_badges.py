"""The page of badges to print: what each cut-out badge says, and their order."""

from __future__ import annotations

import re
from html import unescape

import segno

from rollbook.store.records.people_lookup import Person
from rollbook.web.http import badge_sheet

SCHOOLS = {"1": "Ash School", "2": "<Birch> School"}
BASE = "https://roll.example.org"
CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ2345"


def _person(name: str, role: str = "student", **held: object) -> Person:
    return Person(name, name, "", (role,), {"roles": {role: held}})


def _pupil(name: str, grade: str, school: str) -> Person:
    return _person(name, grade=grade, school=school, schools=["2", school])


CLASS = [
    _pupil("Zoe", "10", "1"),
    _pupil("Amy", "10", "1"),
    _pupil("Ben", "2", "1"),
    _pupil("Cem", "Kindergarten", "1"),
    _pupil("Dot", "2", "2"),
    _person("Eve", "teacher", schools=["1"]),
    _person("Gil", "district_admin"),
    _person("Joe", "district_admin"),
    _person("Ivy", grade="unknown to us", school="3"),
]


def _page() -> str:
    return badge_sheet.page("Two <Schools>", BASE, SCHOOLS, [(person, CODE) for person in CLASS])


def _cut(page: str) -> dict[str, str]:
    """The text of each badge, by its first word."""
    found = re.findall(r"<li>(.*?)</li>", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL), re.DOTALL)
    texts = [" ".join(unescape(re.sub(r"<[^>]+>", " ", badge)).split()) for badge in found]
    return {text.partition(" ")[0]: text for text in texts}


def test_a_badge_that_is_cut_out_says_whose_it_is_and_where_its_letters_are_typed() -> None:
    cut = _cut(_page())
    letters = "ABCD-EFGH-JKLM-NPQR-STUV-WXYZ-2345"
    assert cut["Amy"] == f"Amy Grade 10 · Ash School Two <Schools> {letters} type at roll.example.org/badge"
    assert (
        cut["Dot"] == f"Dot Grade 2 · <Birch> School Two <Schools> {letters} type at roll.example.org/badge"
    )
    assert cut["Eve"].startswith("Eve Teacher · Ash School Two <Schools>")
    assert cut["Gil"].startswith("Gil District administrator Two <Schools>")
    assert cut["Ivy"].startswith("Ivy Student Two <Schools>")


def test_the_square_leads_to_the_badge_page_with_its_letters_where_no_server_sees_them() -> None:
    squares = set(re.findall(r"<svg.*?</svg>", _page(), re.DOTALL))
    assert squares == {
        segno.make(f"{BASE}/badge#{CODE}", error="m", micro=False).svg_inline(
            scale=3, border=4, omitsize=True
        )
    }


def test_each_school_and_grade_is_a_sheet_in_the_order_of_grades() -> None:
    page = unescape(_page())
    sheets = re.findall(
        r"<section aria-labelledby=\"(sheet-\d)\">\s*<h2 id=\"(sheet-\d)\"><bdi>(.*?)</bdi> · (.*?)</h2>",
        page,
    )
    assert all(labelled == id_ for labelled, id_, _, _ in sheets)
    assert [(school, what) for _, _, school, what in sheets] == [
        ("Two <Schools>", "District administrator"),
        ("Two <Schools>", "Student"),
        ("<Birch> School", "Grade 2"),
        ("Ash School", "Grade Kindergarten"),
        ("Ash School", "Grade 2"),
        ("Ash School", "Grade 10"),
        ("Ash School", "Teacher"),
    ]
    assert page.index("Amy") < page.index("Zoe")


def test_the_page_needs_no_other_file_and_names_are_text() -> None:
    page = _page()
    assert re.search(r"<(script|link|img)|@import|url\(", page) is None
    assert "<Birch>" not in page
    assert '<html lang="en">' in page
    assert "<title>Badges – Two &lt;Schools&gt;</title>" in page
