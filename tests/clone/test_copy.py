"""The result of a clone: records byte for byte, related paths, events for changes, and nothing half done."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.contract.clever.endpoints import ENDPOINTS, LISTS
from rollbook.contract.clever.query import Query
from rollbook.domain.access import Access
from rollbook.errors import Conflict, Refused
from rollbook.roster.views import related_ids
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import event_feed, related_lists
from rollbook.store.records.reading import Reading
from rollbook.sync import How
from tests.clone.conftest import Copy
from tests.clone.stub import DISTRICT, TOKEN, Stub, id_of
from tests.store.stored import texts

STRANGE = (
    '{"zebra":[1.50,1e3,{"deep":null}], "id":"ID","name":{"first":"Zo\\u00eb","last":null},"email":null,'
    '"roles":{"student":{"school":null,"schools":null,"dob":"11/1/2010","new_in_v4":"kept"},"teacher":null,"principal":{"a":1}},'
    '"created":"yesterday"}'
).replace("ID", id_of(8_000))

# A clone whose process ends silently when its commit reaches a stage.
KILLED = """
import os, sys
from rollbook import settings
from rollbook.clone import copy
from rollbook.store.records import commits
from rollbook.store.engine.database import open_database
stage, path, address, token, temporary = sys.argv[1:]
setattr(commits, stage, lambda *_: os._exit(9))
copy.run(open_database(path), address, token, settings.read({}, temporary=temporary))
"""


@pytest.fixture
def clone_into(database: Database, clone: Copy) -> Copy:
    return lambda **options: clone(into=database, **options)


def bodies(
    database: Database, spec: Spec | None = None, settings: Settings | None = None
) -> dict[tuple[str, str], str]:
    """Every record and list of a view, the first one by default."""
    district = districts.find(database, DISTRICT)
    view = sync.view_of(database, district, spec or Spec(), settings or Settings())
    with database.read() as transaction:
        rows = texts(transaction, view.number)
    return {(kind, id_): body for kind, id_, body, _ in rows}


def access(database: Database) -> Access:
    district = districts.find(database, DISTRICT)
    view = sync.view_of(database, district, Spec(), Settings())
    return Access(district.number, district.id, view.number, 0, "", ())


def related(database: Database, path: str, id_: str) -> list[str]:
    """The ids in the answer of a related path."""
    (endpoint,) = [endpoint for endpoint in ENDPOINTS if endpoint.path == path]
    caller = access(database)
    with database.read() as transaction:
        page = related_lists.related(Reading(transaction, caller), endpoint, id_, Query())
    return [element["data"]["id"] for element in json.loads(b"[%b]" % page.elements)]


def feed(database: Database) -> list[dict[str, Any]]:
    with database.read() as transaction:
        return [json.loads(body) for (body,) in transaction.rows("SELECT body FROM events ORDER BY id")]


def with_events(database: Database, settings: Settings, tmp_path: Path) -> None:
    """Connect an application to the copy, with events on."""
    district = districts.find(database, DISTRICT)
    application, _ = applications.create(database, NewApplication("Reader"))
    view = sync.view_of(database, district, application.asks, settings)
    connections.connect(database, Sealer(tmp_path / "key"), application, district, view)
    event_feed.switch(database, application.number, on=True)


def versions(database: Database) -> tuple[list[Any], list[Any]]:
    """When each record was written, and which were superseded."""
    with database.read() as transaction:
        current = transaction.rows("SELECT view, kind, id, since FROM records ORDER BY view, kind, id")
        old = transaction.rows(
            "SELECT view, kind, id, since, until FROM versions ORDER BY view, kind, id, until"
        )
    return current, old


def reads(source: Stub) -> list[str]:
    return [path for path in source.requests if not path.startswith("/v3.0/districts")]


def test_every_list_that_a_path_walks_is_derived() -> None:
    assert tuple(sorted(related_ids.selects())) == LISTS


def test_records_are_kept_to_the_byte(clone_into: Copy, database: Database, source: Stub) -> None:
    source.put("users", STRANGE)
    clone_into()
    kept = bodies(database)
    there = {(kind, json.loads(text)["id"]): text for kind, texts in source.records.items() for text in texts}
    assert {key: body for key, body in kept.items() if "." not in key[0]} == there


def test_a_record_of_unknown_form_can_be_walked_and_published(
    clone_into: Copy, database: Database, source: Stub, settings: Settings, tmp_path: Path
) -> None:
    clone_into()
    with_events(database, settings, tmp_path)
    source.put(
        "users", STRANGE, {"id": id_of(8_001), "roles": None}, {"id": id_of(8_002), "roles": {"x": {}}}
    )
    source.put("sections", {"id": id_of(9_001), "school": None, "students": None, "teachers": [None]})
    clone_into()
    for path in (
        "/users/{id}/schools",
        "/users/{id}/sections",
        "/users/{id}/mycontacts",
        "/users/{id}/resources",
    ):
        assert related(database, path, id_of(8_000)) == []
    assert related(database, "/sections/{id}/users", id_of(9_001)) == []
    assert [(event["type"], event["data"]["object"]["id"]) for event in feed(database)] == [
        ("users.created", id_of(8_000)),
        ("sections.created", id_of(9_001)),
        ("users.created", id_of(8_001)),
        ("users.created", id_of(8_002)),
    ]
    source.put(
        "users", STRANGE.replace("kept", "changed").replace('"teacher":null', '"teacher":{"ext":null}')
    )
    clone_into()
    assert feed(database)[-1]["data"]["previous_attributes"] == {
        "roles": {"student": {"new_in_v4": "kept"}, "teacher": {}}
    }


def test_related_paths_lead_where_the_records_say(clone_into: Copy, database: Database) -> None:
    clone_into()
    school, term, course, other, resource, teacher, section = (
        id_of(number) for number in (1, 2, 3, 4, 5, 10, 9_000)
    )
    first, contact = id_of(1_000), id_of(5_000)
    pupils = [id_of(1_000 + number) for number in range(6)]
    assert related(database, "/schools/{id}/users", school) == [teacher, *pupils]
    assert related(database, "/schools/{id}/terms", school) == [term]
    assert related(database, "/users/{id}/sections", first) == [section]
    assert related(database, "/users/{id}/mycontacts", first) == [contact]
    assert related(database, "/users/{id}/mystudents", contact) == [first]
    assert related(database, "/resources/{id}/courses", resource) == [course, other]
    assert related(database, "/courses/{id}/resources", other) == [resource]
    assert related(database, "/users/{id}/resources", first) == [resource]
    assert related(database, "/users/{id}/resources", teacher) == []


def test_an_unchanged_source_changes_nothing(
    clone_into: Copy, database: Database, settings: Settings, tmp_path: Path
) -> None:
    clone_into()
    with_events(database, settings, tmp_path)
    before = versions(database)
    done = clone_into()
    assert all(
        (counts.created, counts.updated, counts.deleted) == (0, 0, 0) for counts in done.kinds.values()
    )
    assert versions(database) == before
    assert feed(database) == []


def test_a_second_clone_takes_over_what_changed_and_publishes_it(
    clone_into: Copy, database: Database, source: Stub, settings: Settings, tmp_path: Path
) -> None:
    clone_into()
    with_events(database, settings, tmp_path)
    source.put("districts", {"id": DISTRICT, "name": "Springfield", "last_sync": "2026-11-02T06:00:00.000Z"})
    source.put(
        "schools", {"id": id_of(1), "name": "Springfield Upper", "last_modified": "2026-11-02T06:00:00.000Z"}
    )
    source.put("users", {"id": id_of(7_000), "roles": {"student": {}}})
    source.records["users"] = [
        text for text in source.records["users"] if id_of(1_005) not in text or id_of(5_000) in text
    ]
    clone_into()
    assert [(event["type"], event["data"]["object"]["id"]) for event in feed(database)] == [
        ("users.created", id_of(7_000)),
        ("districts.updated", DISTRICT),
        ("schools.updated", id_of(1)),
        ("users.deleted", id_of(1_005)),
    ]
    assert feed(database)[1]["data"]["previous_attributes"] == {"last_sync": "2026-11-01T06:00:00.000Z"}
    assert json.loads(bodies(database)["districts", DISTRICT])["last_sync"] == "2026-11-02T06:00:00.000Z"


def test_a_change_of_dates_alone_is_taken_over_and_not_published(
    clone_into: Copy, database: Database, source: Stub, settings: Settings, tmp_path: Path
) -> None:
    clone_into()
    with_events(database, settings, tmp_path)
    changed = source.records["schools"][0].replace(
        '"last_modified": "2026-08-01', '"last_modified": "2026-09-09'
    )
    source.put("schools", changed)
    clone_into()
    assert bodies(database)["schools", id_of(1)] == changed
    assert feed(database) == []


def test_undo_brings_the_copy_before_back(
    clone_into: Copy, database: Database, source: Stub, settings: Settings
) -> None:
    clone_into()
    before = bodies(database)
    source.put("districts", {"id": DISTRICT, "name": "Shelbyville"})
    source.put("users", {"id": id_of(7_000), "roles": {"student": {"schools": [id_of(1)]}}})
    clone_into()
    assert bodies(database) != before
    copied = districts.find(database, DISTRICT)
    sync.undo(database, copied, settings, How(is_approved=True, name=copied.name))
    assert bodies(database) == before


def test_undo_of_the_first_clone_leaves_the_district_empty(
    clone_into: Copy, database: Database, settings: Settings
) -> None:
    clone_into()
    copied = districts.find(database, DISTRICT)
    sync.undo(database, copied, settings, How(is_approved=True, name=copied.name))
    assert [kind for kind, _ in bodies(database)] == ["districts"]


def test_a_copy_takes_no_files(clone: Copy, sqlite: Database, settings: Settings, tmp_path: Path) -> None:
    clone()
    with pytest.raises(Refused, match="was cloned and takes no files; `rollbook clone` brings it up to date"):
        sync.run(sqlite, districts.find(sqlite, DISTRICT), tmp_path, settings)


def test_a_district_of_files_is_not_cloned_over(clone: Copy, sqlite: Database, source: Stub) -> None:
    own = districts.create(sqlite, "Own")
    source.records["districts"] = [json.dumps({"id": own.id, "name": "Theirs"})]
    with pytest.raises(Refused, match="is not a copy, and keeps what its files say"):
        clone()
    assert reads(source) == []


def test_a_name_that_is_taken_asks_for_another_before_anything_is_read(
    clone: Copy, sqlite: Database, source: Stub
) -> None:
    districts.create(sqlite, "Springfield")
    with pytest.raises(Conflict, match="call the copy otherwise with --name"):
        clone()
    assert reads(source) == []
    assert clone(name="The other Springfield").district.name == "The other Springfield"
    assert clone().district.name == "The other Springfield"
    with pytest.raises(Conflict, match="has been copied already, and is called 'The other Springfield' here"):
        clone(name="A third")


def test_a_paused_copy_is_left_alone(clone: Copy, sqlite: Database) -> None:
    clone()
    sync.pause(sqlite, districts.find(sqlite, DISTRICT), date(2026, 1, 1), None)
    with pytest.raises(Refused, match="is paused"):
        clone()


@pytest.mark.parametrize("stage", ["_keep_files", "_take_in", "_move_in", "drop_snapshots"])
def test_a_clone_that_is_killed_while_it_commits_leaves_the_copy_as_it_was(
    stage: str, clone: Copy, sqlite: Database, source: Stub, settings: Settings, tmp_path: Path
) -> None:
    clone()
    before, seen = versions(sqlite), bodies(sqlite)
    source.put("users", {"id": id_of(7_000), "roles": {"student": {}}})
    arguments = (stage, str(tmp_path / "copy.db"), source.address, TOKEN, str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == 9
    assert (versions(sqlite), bodies(sqlite)) == (before, seen)
    source.requests.clear()
    assert clone().kinds["students"].created == 1
    assert not any(path.startswith("/v3.0/users?limit") for path in source.requests)
    assert ("users", id_of(7_000)) in bodies(sqlite)
