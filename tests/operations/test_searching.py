"""The search finds by the beginnings of words, in any script, on both databases; each commit keeps it true."""

from __future__ import annotations

import json
from random import Random

import pytest

from rollbook.domain import search_words
from rollbook.operations import searching
from rollbook.store.district import views
from rollbook.store.engine import search_tables
from rollbook.store.records import record_search
from tests import world
from tests.journeys.hub import Hub

NAMES = (
    ("emmy", "Noether", "Emmy", "José Núñez"),
    ("alan", "Turing", "Alan", "Zoë O’Brien-Łukasz"),
    ("katherine", "Johnson", "Katherine", "שרה כהן"),
)
OTHERS = ("الحداد محمد", "李小龙", "Ødegård Æsa", "Ngô Thị Ánh", "नीरज शर्मा")


def files(*edits: tuple[str, str, str]) -> dict[str, str]:
    return world.changed(*edits)


def found(hub: Hub, text: str, kind: str = "person") -> set[str]:
    return {hit.name for hit in searching.find(hub.database, hub.district.id, text) if hit.kind == kind}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("jose", "José"),
        ("JOSÉ", "Jose"),
        ("obrien", "O’Brien"),
        ("o'brien", "O’BRIEN"),
        ("lukasz", "Łukasz"),
        ("odegard aesa", "Ødegård Æsa"),
        ("strasse", "Straße"),
        ("כהן", "שרה כהן"),
        ("الحداد", "الحَدّاد محمد"),
        ("ngo anh", "Ngô Thị Ánh"),
        ("李", "李小龙"),
        ("Ｔａｒｏ", "Taro"),
    ],
)
def test_letter_case_accents_and_marks_do_not_count(typed: str, stored: str) -> None:
    words = search_words.words([stored])
    assert all(any(word.startswith(one) for word in words) for one in search_words.words([typed]))


def test_a_word_is_safe_in_both_query_languages() -> None:
    hostile = search_words.words(
        ["a\"b* OR c:d & (e | !f) \\ ' -- <-> \x00\ud800 12\"3 x@y'z".replace("\ud800", "")]
    )
    assert not {letter for word in hostile for letter in word} & set("\"*:&|!()\\'<> \x00")


@pytest.fixture
def synced(hub: Hub) -> Hub:
    edits = [("students.csv", f"{last},{first}", name.replace(" ", ",", 1)) for _, last, first, name in NAMES]
    hub.sync(world.write(hub.folder / "files", world.changed(*edits)))
    return hub


def test_people_are_found_by_name_id_and_email(synced: Hub) -> None:
    assert found(synced, "nunez") == {"Núñez José"}
    assert found(synced, "jos nun") == {"Núñez José"}
    assert found(synced, "lukasz obrien") == {"O’Brien-Łukasz Zoë"}
    assert found(synced, "כהן") == {"כהן שרה"}
    assert found(synced, "emmy@north") == {"Núñez José"}
    assert found(synced, "t-ada") == {"Ada Lovelace"}
    assert found(synced, "lovelace x") == set()
    assert found(synced, "") == set()
    (hit,) = (
        hit for hit in searching.find(synced.database, synced.district.id, "nunez") if hit.kind == "person"
    )
    assert hit.detail == "student 11 emmy"
    assert {one.id for one in searching.find(synced.database, synced.district.id, hit.id.upper())} == {hit.id}


def test_a_name_that_begins_so_stands_before_an_email_that_does(hub: Hub) -> None:
    row = "Turing,Alan,Mathison,10,06/23/2010,M,,N,"
    edit = ("students.csv", row, row + "emma@north.example")
    hub.sync(world.write(hub.folder / "files", files(edit)))
    hits = searching.find(hub.database, hub.district.id, "emm")
    assert [hit.name.split()[0] for hit in hits if hit.kind == "person"] == ["Emmy", "Alan"]


def test_schools_sections_applications_and_runs_are_found(synced: Hub) -> None:
    synced.connect(name="Reading Room")
    assert found(synced, "north hi", "school") == {"North High"}
    assert "algebra" in {
        hit.detail
        for hit in searching.find(synced.database, synced.district.id, "algebra")
        if hit.kind == "section"
    }
    assert found(synced, "read", "application") == {"Reading Room"}
    assert found(synced, "run 1", "run") == {"Run 1"}
    assert found(synced, "run 99", "run") == set()


@pytest.mark.parametrize("at_once", [0, 5_000])
def test_each_commit_keeps_the_index_as_a_plain_scan_sees_the_roster(
    hub: Hub, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_search, "AT_ONCE_MAX", at_once)
    monkeypatch.setattr(record_search, "BATCH_ROWS", 2)
    chance = Random(5)
    for edits in (
        (),
        (("students.csv", "Noether,Emmy", "Ødegård,Æsa"), ("students.csv", "Turing,Alan", "محمد,الحداد")),
        (("students.csv", "S,katherine", "S,mary"), ("schools.csv", "North High", "Nørth High")),
    ):
        hub.sync(world.write(hub.folder / "files", files(*edits)))
        record_search.catch_up(hub.database)
        with hub.database.read() as transaction:
            view = views.whole(transaction, hub.district.number).number
            for kind in search_tables.KINDS:
                rows = transaction.rows(
                    "SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = ?", (view, kind)
                )
                known = {id_: search_words.words(search_tables.named(json.loads(body))) for id_, body in rows}
                every = sorted({word for words in known.values() for word in words})
                for _ in range(12):
                    drawn = [word[: chance.randint(1, len(word))] for word in chance.choices(every, k=2)]
                    # A word in another script stands there in hex digits, which nobody types.
                    typed = [word for word in drawn if not word.startswith("=")] or ["nobody"]
                    wanted = {
                        id_
                        for id_, words in known.items()
                        if all(any(word.startswith(one) for word in words) for one in typed)
                    }
                    got = record_search.search(transaction, hub.district.number, kind, " ".join(typed), 500)
                    assert set(got) == wanted, typed
