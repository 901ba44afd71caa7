"""Texts that earlier versions stored and should not have are gone once the schema is up to date, on both
databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rollbook.domain import upload_notices
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine import migrations, scrubbing
from rollbook.store.engine.database import Database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import commits
from tests.sharing.desk import Desk
from tests.store.old_database import begun_before, opened_before

CELL = "hunter2"
LEAKED = (
    f"students.csv row 1: no known column name; found 's-1,Ada,{CELL}', expected a header row (and 2 more)"
)
HELD = "Held for approval: 4,711 of 9,000 students (52 %) would be deleted; the limit is 10 %."


@pytest.fixture
def old(bare_address: str) -> Iterator[Database]:
    """A database as it was before the step."""
    with opened_before(bare_address, migrations.scrubbed_texts) as opened:
        yield opened


def leak(database: Database, district: District, text: str) -> None:
    """Store a text in each place where an earlier version stored a district's error."""
    given = json.dumps({"id": district.id, "name": "Springfield", "error": text})
    event = {
        "id": "1" * 24,
        "type": "districts.updated",
        "data": {"object": {"id": district.id, "error": text}},
    }
    event["data"]["previous_attributes"] = {"error": text}  # type: ignore[index]
    with database.write() as transaction:
        view = transaction.rows("SELECT number FROM views WHERE district = ?", (district.number,))[0][0]
        transaction.run("UPDATE districts SET error = ? WHERE number = ?", (text, district.number))
        transaction.run("UPDATE records SET body = ? WHERE view = ? AND kind = 'districts'", (given, view))
        columns = "view, kind, id, since, until, body"
        transaction.insert("versions", columns, [(view, "districts", district.id, 1, 2, given)])
        transaction.insert(
            "events", "view, id, kind, schools, body", [(view, "1" * 24, "districts", "", json.dumps(event))]
        )


def texts(database: Database, tables: tuple[str, ...]) -> str:
    """All text of the tables, without the columns that later steps add."""
    asked = [f"SELECT {THEN.get(table, '*')} FROM {table}" for table in tables]
    with database.read() as transaction:
        return json.dumps([transaction.rows(each) for each in asked])


THEN = {
    "records": "view, kind, id, since, roles, body",
    "versions": "view, kind, id, since, until, roles, body",
    "events": "view, id, kind, schools, body",
}
ERRORS = ("districts", "records", "versions", "events")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LEAKED, upload_notices.UNUSABLE),
        (HELD, upload_notices.HELD),
        (upload_notices.NO_FILES, upload_notices.NO_FILES),
        ("", ""),
    ],
)
def test_a_districts_error_holds_no_cell_and_no_count_any_more(old: Database, text: str, wanted: str) -> None:
    leak(old, begun_before(old, "Springfield"), text)
    before = texts(old, ERRORS)
    migrate(old)
    after = texts(old, ERRORS)
    assert all(part not in after for part in (CELL, "4,711", "52 %"))
    assert after.count(json.dumps(json.dumps(wanted))[1:-1].strip('"')) >= 1
    assert districts.list_all(old)[0].error == wanted
    assert (before == after) == (text == wanted)
    migrate(old)
    assert texts(old, ERRORS) == after


def test_what_a_clones_source_told_is_scrubbed_too(old: Database) -> None:
    given = json.dumps({"id": "5" * 24, "name": "Copy", "error": LEAKED})
    whole = json.dumps({"id": "6" * 24, "name": "Other", "error": ""}, indent=1)
    begun_before(old, "Copy", given=given)
    begun_before(old, "Other", given=whole)
    leak(old, districts.find(old, "Copy"), LEAKED)
    migrate(old)
    assert CELL not in texts(old, ERRORS)
    assert districts.find(old, "Other").given == whole


def report(**more: Any) -> dict[str, Any]:
    place = {"row": 7, "column": "Dob", "value": CELL, "expected": None, "message": f"... {CELL!r} ..."}
    people = {"code": "bad-date", "severity": "warning", "file": "students.csv", **place}
    header = {**people, "code": "unknown-header", "file": "schools.csv", "column": CELL}
    school = {
        **people,
        "file": "sections.csv",
        "value": "8/1",
        "message": "sections.csv row 7: '8/1' is not a date",
    }
    groups = [
        {"code": each["code"], "file": each["file"], "count": 3, "examples": [each]}
        for each in (people, header, school)
    ]
    return {
        "message": f"students.csv: {CELL}",
        "problems": [people, header, school, CELL],
        "problem_groups": groups,
        **more,
    }


def test_reports_keep_places_and_counts_and_no_text_of_a_file_that_may_hold_passwords(
    old: Database, tmp_path: Path
) -> None:
    district = begun_before(old, "Springfield")
    stored = [
        report(),
        report(problems=[]),
        {"kinds": {"students": {"existing": 4}}, "problems": [], "message": ""},
    ]
    with old.write() as transaction:
        transaction.insert(
            "syncs",
            "district, sync, cause, state, created, report, last_event",
            [
                (district.number, number, "files", "failed", "2026-01-01", json.dumps(each), "0" * 24)
                for number, each in enumerate(stored, start=1)
            ],
        )
    migrate(old)
    assert CELL not in texts(old, ("syncs",))
    first, second, clean = (commits.run(old, district, number).report for number in (1, 2, 3))
    assert clean == stored[2]
    people, header, school = first["problems"]
    assert people["message"] == f"students.csv row 7, Dob: bad-date; {scrubbing.REMOVED}"
    assert (people["row"], people["column"], people["value"]) == (7, "Dob", None)
    assert header["message"] == f"schools.csv row 7: unknown-header; {scrubbing.REMOVED}"
    assert school == stored[0]["problems"][2]
    assert first["message"] == people["message"]
    assert second["message"] == upload_notices.UNUSABLE
    assert [group["count"] for group in first["problem_groups"]] == [3, 3, 3]


def test_what_is_replaced_is_overwritten_in_the_file(old: Database, tmp_path: Path) -> None:
    if not old.is_local:
        return
    leak(old, begun_before(old, "Springfield"), LEAKED)
    migrate(old)
    old.close()
    assert {CELL.encode() in path.read_bytes() for path in tmp_path.glob("rollbook.db*")} == {False}


def test_a_district_of_an_earlier_version_goes_on(old: Database, tmp_path: Path) -> None:
    migrate(old)
    with closing(Desk(old, tmp_path)) as desk:
        leak(old, desk.district, LEAKED)
        scrub_again(old)
        assert desk.sync().state == "committed"
        assert desk.now.error == ""


def scrub_again(database: Database) -> None:
    with database.write() as transaction:
        migrations.scrubbed_texts(transaction)
