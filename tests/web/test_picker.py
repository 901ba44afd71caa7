"""A demo's list of people: a few of each role under a heading, and always a note if there are more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from rollbook.domain.access import Access
from rollbook.store.district import districts
from rollbook.store.engine.database import Transaction, open_database
from rollbook.store.records import people_lookup
from rollbook.web.signin import people_list
from rollbook.web.signin.people_list import FIRST_OF_EACH, HEADINGS, SHOWN_MAX, Group
from tests import demos

Shown = dict[str, object]


@pytest.fixture(scope="module")
def folder(made_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(made_demo, tmp_path_factory.mktemp("picked") / "demo"))


@pytest.fixture(scope="module")
def district(folder: Path) -> Iterator[tuple[Transaction, Access]]:
    database = open_database(demos.settings_of(folder).database)
    number = districts.find(database, demos.NAME).number
    with database.read() as transaction:
        yield transaction, people_lookup.whole(transaction, number)
    database.close()


def choose(
    district: tuple[Transaction, Access], text: str = "", role: str = "", school: str = ""
) -> tuple[list[Group], str]:
    shown = people_list.choice(*district, text, role, school)
    groups, tally = shown["groups"], shown["tally"]
    assert isinstance(groups, list)
    return groups, str(tally)


def counts(groups: list[Group]) -> list[int]:
    return [len(group.people) for group in groups]


def test_to_begin_with_there_are_a_few_of_each_role(district: tuple[Transaction, Access]) -> None:
    groups, tally = choose(district)
    assert [group.title for group in groups] == [*HEADINGS.values()]
    assert max(counts(groups)) == FIRST_OF_EACH == 4
    everybody = sum(
        len(people_lookup.everybody(*district, role=role, school="")) for role in ("student", "teacher")
    )
    shown, total = re.findall(r"[\d,]+", tally)
    assert int(shown) == sum(counts(groups))
    assert int(total.replace(",", "")) >= everybody
    assert tally.endswith("people; search for the others.")


def test_the_first_students_are_of_every_level_of_school(district: tuple[Transaction, Access]) -> None:
    students = choose(district)[0][0].people
    grades = [re.findall(r"grade (\w+)", titles)[0] for _, _, titles, _ in students]
    levels = [
        0 if not grade.isdecimal() or int(grade) < 6 else 1 if int(grade) < 9 else 2 for grade in grades
    ]
    assert levels[:3] == [0, 1, 2]


def test_nobody_stands_twice(district: tuple[Transaction, Access]) -> None:
    for text in ("", "a"):
        ids = [id_ for group in choose(district, text)[0] for id_, *_ in group.people]
        assert len(ids) == len(set(ids))


def test_a_search_with_many_matches_says_how_many_there_are(district: tuple[Transaction, Access]) -> None:
    found = people_lookup.search(*district, text="", role="student", school="", limit=5000)
    groups, tally = choose(district, role="student")
    assert counts(groups) == [SHOWN_MAX]
    assert tally == f"{SHOWN_MAX} of {len(found)} match; narrow the search."
    groups, tally = choose(district, text="a")
    assert sum(counts(groups)) == SHOWN_MAX
    assert len(groups) == len(HEADINGS), "of no role is nobody shown"
    assert tally.startswith(f"{SHOWN_MAX} of ")


def test_a_school_alone_shows_some_of_each_role_and_says_that_there_are_more(
    district: tuple[Transaction, Access],
) -> None:
    for id_, _ in people_lookup.schools(*district):
        pupils = people_lookup.search(*district, text="", role="student", school=id_, limit=5000)
        groups, tally = choose(district, school=id_)
        if len(pupils) > FIRST_OF_EACH:
            assert counts(groups)[0] == FIRST_OF_EACH
            assert tally.endswith("match; narrow the search.")


def test_a_search_with_few_matches_shows_all_and_counts_nothing(district: tuple[Transaction, Access]) -> None:
    one = people_lookup.search(*district, text="", role="teacher", school="", limit=1)[0]
    groups, tally = choose(district, text=one.email)
    assert ([group.title for group in groups], counts(groups), tally) == (["Teachers"], [1], "")
    assert choose(district, text="nobody is called so") == ([], "")


def test_somebody_of_two_roles_is_found_by_both(
    district: tuple[Transaction, Access], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = next(
        (one for one in people_lookup.everybody(*district, role="staff", school="") if len(one.roles) > 1),
        None,
    )
    assert both, "the demo has people of two roles"
    for role in both.roles:
        monkeypatch.setattr(people_list, "SHOWN_MAX", 5000)
        assert both.id in [id_ for group in choose(district, role=role)[0] for id_, *_ in group.people]
    assert [group.title for group in choose(district, text=both.email)[0]] == [HEADINGS[both.roles[0]]]


def test_more_than_can_be_counted_is_said_to_be_more(
    district: tuple[Transaction, Access], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_list, "MATCHED_MAX", 50)
    assert choose(district, role="student")[1] == f"{SHOWN_MAX} of more than 50 match; narrow the search."


def test_the_page_has_the_headings_and_the_words(folder: Path) -> None:
    demo = demos.Demo(folder)
    home = demo.list("districts")[0]["portal_url"]
    page = demo.page(home[home.index("/in/") :])
    headings = re.findall(
        r'<h3 id="(group-\d)">([^<]+)</h3>\s*<ul class="choices tiles" aria-labelledby="(group-\d)">', page
    )
    assert [(title, id_ == labels) for id_, title, labels in headings] == [
        (title, True) for title in HEADINGS.values()
    ]
    assert re.search(r'<p class="quiet" role="status">\d+ of [\d,]+ people; search for the others.</p>', page)
    assert "No one matches." in unescape(demo.page(f"{home[home.index('/in/') :]}?q=zzzz"))
