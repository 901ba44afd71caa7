"""The feed of a connection: what a commit publishes to it, in which order, and how it is read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from rollbook.contract.clever.event_rows import ORDER, previous_attributes
from rollbook.domain.access import Access
from rollbook.errors import NotFound
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.district.districts import IdBatch
from rollbook.store.engine.database import Database
from rollbook.store.records import commits, event_feed
from rollbook.store.records.reading import Reading
from rollbook.web.app import App
from tests.store.commits import NOTHING_TOO_OLD, Feed, Json, feed, id_, page, person, school, types, whole

DAY = 86_400


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Feed:
    return feed(database, tmp_path)


def without_district(found: list[Json]) -> list[Json]:
    return [event for event in found if not event["type"].startswith("districts.")]


# What is published -----------------------------------------------------------------------------------------


def test_created_updated_and_deleted_show_the_record_as_it_was_at_that_moment(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "schools", school(1, low_grade="1")))
    store.commit(("updated", "schools", school(1, low_grade="2")))
    store.commit(("deleted", "schools", school(1, low_grade="2")))
    found = without_district(whole(store, access))
    assert [
        ("schools.created", {"object": school(1, low_grade="1")}),
        ("schools.updated", {"object": school(1, low_grade="2"), "previous_attributes": {"low_grade": "1"}}),
        ("schools.deleted", {"object": school(1, low_grade="2")}),
    ] == [(event["type"], event["data"]) for event in found]


def test_a_deleted_record_is_shown_as_it_was_last(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "terms", {"id": id_(1), "name": "Fall"}))
    store.commit(("updated", "terms", {"id": id_(1), "name": "Autumn"}))
    store.commit(("deleted", "terms", {"id": id_(1)}))
    assert whole(store, access)[-1]["data"] == {"object": {"id": id_(1), "name": "Autumn"}}


def test_ids_rise_and_their_time_part_is_created_to_the_second(store: Feed) -> None:
    _, access, _ = store.application()
    for number in range(3):
        store.commit(*(("created", "schools", school(10 * number + at)) for at in range(1, 4)))
    found = whole(store, access)
    ids = [event["id"] for event in found]
    assert ids == sorted(set(ids))
    for event in found:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(int(event["id"][:8], 16)))
        assert moment == event["created"]


def test_ids_rise_though_the_clock_goes_back(store: Feed) -> None:
    _, access, _ = store.application()
    now = time.time()
    store.commit(("created", "schools", school(1)), moment=now)
    store.commit(("created", "schools", school(2)), moment=now - 90 * 60)
    store.commit(("created", "schools", school(3)), moment=now - 2 * DAY)
    found = without_district(whole(store, access))
    assert [id_(1), id_(2), id_(3)] == [event["data"]["object"]["id"] for event in found]
    assert [event["created"] for event in found] == sorted(event["created"] for event in found)


def test_ids_rise_within_a_batch_in_the_documented_order(store: Feed) -> None:
    _, access, _ = store.application()
    people = ("district_admin", "student", "contact", "teacher", "staff")
    made = [
        *(
            (kind, {"id": id_(100 - at), "name": kind})
            for at, kind in enumerate(("sections", "courses", "terms", "schools"))
        ),
        *(("users", person(20 - at, role, title="a")) for at, role in enumerate(reversed(people))),
        ("resources", {"id": id_(7), "title": "r"}),
    ]
    sections = [
        (kind, {**record, "school": id_(97)} if kind == "sections" else record) for kind, record in made
    ]

    def again(kind: str, record: Json) -> Json:
        if kind == "users":
            role = next(iter(record["roles"]))
            return {**record, "roles": {role: {"title": "b"}}}
        return {**record, "name": "b"}

    def order(found: list[Json]) -> list[tuple[str, str | None]]:
        return [
            (event["type"].partition(".")[0], next(iter(event["data"]["object"].get("roles", {})), None))
            for event in without_district(found)
        ]

    store.commit(*(("created", kind, record) for kind, record in sections))
    last = whole(store, access)[-1]["id"]
    expected = [entry for entry in ORDER if entry[0] != "districts"]
    assert expected == order(whole(store, access))
    store.commit(*(("updated", kind, again(kind, record)) for kind, record in sections))
    assert expected == order(whole(store, access, f"starting_after={last}"))
    last = whole(store, access)[-1]["id"]
    store.commit(*(("deleted", kind, record) for kind, record in sections))
    assert expected[::-1] == order(whole(store, access, f"starting_after={last}"))


def test_one_batch_creates_then_updates_then_deletes(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "schools", school(1)), ("created", "schools", school(2)))
    last = whole(store, access)[-1]["id"]
    store.commit(
        ("deleted", "schools", school(1)),
        ("updated", "schools", school(2, "Birch")),
        ("created", "schools", school(3)),
    )
    assert types(whole(store, access, f"starting_after={last}")) == [
        "schools.created",
        "districts.updated",
        "schools.updated",
        "schools.deleted",
    ]


def test_each_sync_gives_one_update_of_the_district_with_the_old_last_sync(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "schools", school(1)))
    store.commit()
    first, second = (event["data"] for event in whole(store, access) if event["type"] == "districts.updated")
    assert first["previous_attributes"] == {
        "state": "pending",
        "error": "No files have been synced yet.",
        "last_sync": "",
    }
    assert second["previous_attributes"] == {"last_sync": first["object"]["last_sync"]}


def test_a_change_of_dates_alone_is_no_event(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(
        ("created", "schools", school(1, last_modified="a")),
        ("created", "resources", {"id": id_(2), "updated": "a"}),
    )
    last = whole(store, access)[-1]["id"]
    store.commit(
        ("updated", "schools", school(1, last_modified="b")),
        ("updated", "resources", {"id": id_(2), "updated": "b"}),
    )
    assert types(whole(store, access, f"starting_after={last}")) == ["districts.updated"]


def test_lists_of_related_ids_are_no_records_and_publish_nothing(store: Feed) -> None:
    _, access, _ = store.application()
    before = len(whole(store, access))
    with store.database.read() as transaction:
        view = access.view
        assert event_feed.is_published(transaction, store.view())
    changes = [(view, 0, -1, "students.sections", id_(1), None, id_(2))]
    present = commits.present(store.database, store.district)
    commits.commit(
        store.database,
        store.district,
        present,
        commits.Outcome("files", time.time(), {}, {}),
        changes=changes,
    )
    assert before == len(whole(store, access))


def test_a_batch_larger_than_a_block_loses_and_doubles_nothing(
    store: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "BATCH_ROWS", 7)
    _, access, _ = store.application()
    store.commit(*(("created", "schools", school(number)) for number in range(1, 30)))
    found = without_district(whole(store, access))
    assert [id_(number) for number in range(1, 30)] == [event["data"]["object"]["id"] for event in found]
    store.commit(*(("updated", "schools", school(number, "Birch")) for number in range(1, 30)))
    assert len(without_district(whole(store, access))) == 58


# Whose events ----------------------------------------------------------------------------------------------


def test_no_events_are_made_while_no_connection_has_them_on(store: Feed) -> None:
    _, access, _ = store.application(on=False)
    store.commit(("created", "schools", school(1)))
    with store.database.read() as transaction:
        assert transaction.row("SELECT count(*) FROM events") == (0,)
    assert page(store, access) == ([], False)


def test_events_begin_when_they_are_switched_on_and_end_when_off(store: Feed) -> None:
    application, _, token = store.application(on=False)
    store.commit(("created", "schools", school(1)))
    event_feed.switch(store.database, application.number, on=True)
    assert whole(store, store.access(token)) == []
    store.commit(("created", "schools", school(2)))
    assert [id_(2)] == [
        event["data"]["object"]["id"] for event in without_district(whole(store, store.access(token)))
    ]
    event_feed.switch(store.database, application.number, on=False)
    assert whole(store, store.access(token)) == []
    store.commit(("created", "schools", school(3)))
    event_feed.switch(store.database, application.number, on=True)
    assert whole(store, store.access(token)) == []
    store.commit(("created", "schools", school(4)))
    assert [id_(4)] == [
        event["data"]["object"]["id"] for event in without_district(whole(store, store.access(token)))
    ]


def test_what_is_committed_after_switching_on_is_seen_though_its_ids_were_reserved_before(
    store: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, _, token = store.application(on=False)
    reserve = districts.reserve

    def reserve_and_then_switch_on(database: Database, moment: float | None = None) -> IdBatch:
        ids = reserve(database, moment)
        event_feed.switch(database, application.number, on=True)
        return ids

    monkeypatch.setattr(districts, "reserve", reserve_and_then_switch_on)
    store.commit(("created", "schools", school(1)))
    assert types(without_district(whole(store, store.access(token)))) == ["schools.created"]


def test_switching_on_twice_keeps_what_came_since_the_first_time(store: Feed) -> None:
    application, access, _ = store.application()
    store.commit(("created", "schools", school(1)))
    event_feed.switch(store.database, application.number, on=True)
    assert len(whole(store, access)) == 2


def test_two_connections_of_one_view_see_what_came_after_each_was_switched_on(store: Feed) -> None:
    _, early, _ = store.application()
    store.commit(("created", "schools", school(1)))
    _, late, _ = store.application()
    assert early.view == late.view
    store.commit(("created", "schools", school(2)))
    assert len(whole(store, early)) == 4
    assert whole(store, early)[2:] == whole(store, late)


def test_a_connection_sees_the_events_of_its_own_view_only(store: Feed) -> None:
    other = store.view(("read:ell_status",))
    _, all_, _ = store.application()
    _, own, _ = store.application(view=other)
    store.commit(("created", "schools", school(1)), view=other)
    assert types(whole(store, all_)) == ["districts.updated"]
    assert types(whole(store, own)) == ["schools.created", "districts.updated"]


def test_a_connection_sees_the_events_of_its_own_district_only(store: Feed, tmp_path: Path) -> None:
    neighbour = feed(store.database, tmp_path, "Birch District")
    _, own, _ = store.application()
    _, foreign, _ = neighbour.application()
    neighbour.commit(("created", "schools", school(1)))
    assert whole(store, own) == []
    assert len(whole(neighbour, foreign)) == 2


def get(store: Feed, access: Access, event_id: str, floor: str = NOTHING_TOO_OLD) -> str:
    with store.database.read() as transaction:
        return event_feed.get(Reading(transaction, access), event_id, floor)


def test_an_event_is_found_by_its_id(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "schools", school(1)))
    for event in whole(store, access):
        assert event == orjson.loads(get(store, access, event["id"]))


def test_foreign_early_expired_and_unknown_events_are_not_found(store: Feed, tmp_path: Path) -> None:
    _, early, _ = store.application()
    store.commit(("created", "schools", school(1)))
    event_id = whole(store, early)[0]["id"]
    application, late, _ = store.application()
    _, other_view, _ = store.application(view=store.view(("read:ell_status",)))
    _, foreign, _ = feed(store.database, tmp_path, "Birch District").application()
    for access in (late, other_view, foreign):
        with pytest.raises(NotFound):
            get(store, access, event_id)
    with pytest.raises(NotFound):
        get(store, early, id_(1))
    with pytest.raises(NotFound):
        get(store, early, event_id, floor=f"{int(event_id[:8], 16) + 1:08x}{'0' * 16}")
    event_feed.switch(store.database, application.number, on=False)
    with pytest.raises(NotFound):
        get(store, late, event_id)


# Reading ---------------------------------------------------------------------------------------------------


@pytest.fixture
def long(store: Feed) -> tuple[Feed, Access, list[Json]]:
    """A feed of 25 events in several batches."""
    _, access, _ = store.application()
    at = 0
    for size in (7, 1, 9, 4):
        store.commit(*(("created", "schools", school(at + number)) for number in range(1, size)))
        at += size
    store.commit(
        ("created", "users", person(900, "teacher", schools=[id_(1), id_(2)])),
        ("created", "users", person(901, "student", school=id_(2), schools=[id_(2)])),
        ("created", "users", person(902, "contact")),
        ("created", "terms", {"id": id_(903)}),
    )
    store.commit(("created", "sections", {"id": id_(904), "school": id_(1)}))
    found = whole(store, access)
    return store, access, found


Long = tuple[Feed, Access, list[Json]]


def test_pages_forward_and_back_equal_the_whole_feed(long: Long) -> None:
    for limit in (1, 2, 3, 7, 24, 100):
        check_pages(*long, limit)


def check_pages(store: Feed, access: Access, all_: list[Json], limit: int) -> None:
    forward: list[Json] = []
    cursor, has_more = "", True
    while has_more:
        found, has_more = page(store, access, f"limit={limit}{cursor}")
        assert len(found) <= limit
        forward += found
        cursor = f"&starting_after={found[-1]['id']}"
    assert all_ == forward
    assert page(store, access, f"limit={limit}{cursor}") == ([], False)
    back: list[Json] = []
    cursor, has_more = "&ending_before=last", True
    while has_more:
        found, has_more = page(store, access, f"limit={limit}{cursor}")
        assert len(found) <= limit
        back = found + back
        cursor = f"&ending_before={found[0]['id']}"
    assert all_ == back
    assert page(store, access, f"limit={limit}{cursor}") == ([], False)


def test_the_newest_event_is_the_one_before_last(long: Long) -> None:
    store, access, all_ = long
    assert [all_[-1]] == page(store, access, "ending_before=last&limit=1")[0]


def test_a_client_that_saved_the_newest_id_gets_only_what_follows(long: Long) -> None:
    store, access, all_ = long
    store.commit(("updated", "schools", school(1, "Birch")))
    found, has_more = page(store, access, f"starting_after={all_[-1]['id']}")
    assert types(found) == ["districts.updated", "schools.updated"]
    assert not has_more


def test_a_cursor_between_events_is_a_position(long: Long) -> None:
    store, access, all_ = long
    between = f"{int(all_[4]['id'], 16) + 0x1_0000_0000_0000:024x}"
    expected = [event for event in all_ if event["id"] > between]
    assert expected == page(store, access, f"starting_after={between}")[0]
    assert all_[: -len(expected)] == page(store, access, f"ending_before={between}")[0]


def test_a_limit_cuts_from_the_side_the_cursor_is_on(long: Long) -> None:
    store, access, all_ = long
    assert (all_[:3], True) == page(store, access, "limit=3")
    assert (all_[5:8], True) == page(store, access, f"limit=3&starting_after={all_[4]['id']}")
    assert (all_[5:8], True) == page(store, access, f"limit=3&ending_before={all_[8]['id']}")
    assert (all_[:2], False) == page(store, access, f"limit=3&ending_before={all_[2]['id']}")
    assert (all_[-2:], False) == page(store, access, f"limit=3&starting_after={all_[-3]['id']}")


RECORD_TYPES = (
    "record_type=users&record_type=sections",
    "record_type[]=users&record_type[]=sections",
    "record_type%5B%5D=users&record_type%5B%5D=sections",
    "record_type=users,sections",
    "record_type=users%2C%20sections",
)


def test_record_types_are_taken_in_every_form_that_clients_write(long: Long) -> None:
    store, access, all_ = long
    expected = [event for event in all_ if event["type"].partition(".")[0] in ("users", "sections")]
    assert len(expected) == 4
    for query in RECORD_TYPES:
        assert expected == whole(store, access, query)


def test_pages_of_a_filtered_feed_equal_the_whole_of_it(long: Long) -> None:
    store, access, all_ = long
    expected = [event for event in all_ if event["type"] == "schools.created"]
    found: list[Json] = []
    cursor, has_more = "", True
    while has_more:
        part, has_more = page(store, access, f"limit=4&record_type=schools{cursor}")
        found += part
        cursor = f"&starting_after={part[-1]['id']}"
    assert expected == found
    assert (expected[-2:], True) == page(store, access, "limit=2&record_type=schools&ending_before=last")


def test_a_school_finds_itself_its_sections_and_its_people_but_no_terms_courses_contacts(long: Long) -> None:
    store, access, _ = long

    def found(number: int) -> list[str]:
        return [event["data"]["object"]["id"] for event in whole(store, access, f"school={id_(number)}")]

    assert [id_(1), id_(900), id_(904)] == found(1)
    assert [id_(2), id_(901), id_(900)] == found(2)
    assert found(5555) == []


def test_school_and_record_type_narrow_together(long: Long) -> None:
    store, access, _ = long
    assert types(whole(store, access, f"school={id_(1)}&record_type=users")) == ["users.created"]


def test_events_older_than_the_retention_are_neither_listed_nor_a_hindrance(long: Long) -> None:
    store, access, all_ = long
    floor = f"{int(all_[10]['id'][:8], 16):08x}{'0' * 16}"
    expected = [event for event in all_ if event["id"] > floor]
    assert 0 < len(expected) < len(all_)
    assert expected == page(store, access, floor=floor)[0]
    assert expected == page(store, access, f"starting_after={all_[0]['id']}", floor)[0]
    assert expected == page(store, access, "ending_before=last", floor)[0]
    assert page(store, access, f"ending_before={all_[1]['id']}", floor) == ([], False)


def test_a_commit_drops_events_older_than_the_retention(store: Feed) -> None:
    _, access, _ = store.application()
    store.commit(("created", "schools", school(1)))
    store.commit(("created", "schools", school(2)), moment=time.time() + 10 * DAY, event_days=30)
    assert len(whole(store, access)) == 4
    store.commit(("created", "schools", school(3)), moment=time.time() + 35 * DAY, event_days=30)
    assert [id_(2), id_(3)] == [
        event["data"]["object"]["id"] for event in without_district(whole(store, access))
    ]


# On the wire -----------------------------------------------------------------------------------------------


def ask(store: Feed, token: str, path: str, **settings: Any) -> httpx.Response:
    made = Settings(key_file=str(store.folder / "key"), **settings)
    app = App(store.database, made, limits=store.folder / "limits")

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://rollbook") as client:
            return await client.get(path, headers={"authorization": f"Bearer {token}"})

    return asyncio.run(call())


def test_the_wire_form_of_the_feed_is_the_recorded_one(store: Feed) -> None:
    _, access, token = store.application()
    store.commit(("created", "schools", school(1, ext={"charter_school": ""})))
    store.commit(("updated", "schools", school(1, ext={"charter_school": "N"})))
    last = whole(store, access)[-1]
    answer = ask(store, token, f"/v3.0/events?starting_after={whole(store, access)[-2]['id']}")
    assert answer.status_code == 200
    assert answer.json() == {
        "data": [
            {
                "data": {
                    "id": last["id"],
                    "type": "schools.updated",
                    "created": last["created"],
                    "data": {
                        "object": {"id": id_(1), "name": "Ash", "ext": {"charter_school": "N"}},
                        "previous_attributes": {"ext": {"charter_school": ""}},
                    },
                },
                "uri": f"/v3.0/events/{last['id']}",
            }
        ],
        "links": [
            {"rel": "self", "uri": f"/v3.0/events?starting_after={whole(store, access)[-2]['id']}"},
            {"rel": "prev", "uri": f"/v3.0/events?ending_before={last['id']}"},
        ],
    }


def test_without_parameters_the_list_links_to_itself_with_a_stray_question_mark(store: Feed) -> None:
    _, _, token = store.application()
    empty = ask(store, token, "/v3.0/events").json()
    assert empty == {"data": [], "links": [{"rel": "self", "uri": "/v3.0/events?"}]}
    store.commit(*(("created", "schools", school(number)) for number in range(1, 150)))
    full = ask(store, token, "/v3.0/events").json()
    assert len(full["data"]) == 100
    assert full["links"] == [
        {"rel": "self", "uri": "/v3.0/events?"},
        {"rel": "next", "uri": f"/v3.0/events?starting_after={full['data'][-1]['data']['id']}"},
    ]


def test_links_lead_through_the_feed_and_keep_the_other_parameters(store: Feed) -> None:
    _, _, token = store.application()
    store.commit(*(("created", "schools", school(number)) for number in range(1, 8)))
    found: list[str] = []
    path = "/v3.0/events?limit=3&record_type[]=schools"
    while path:
        answer = ask(store, token, path).json()
        found += [element["data"]["data"]["object"]["id"] for element in answer["data"]]
        path = next((link["uri"] for link in answer["links"] if link["rel"] == "next"), "")
        assert not path or "record_type[]=schools" in path
    assert [id_(number) for number in range(1, 8)] == found


def test_one_event_has_a_link_to_itself(store: Feed) -> None:
    _, access, token = store.application()
    store.commit(("created", "schools", school(1)))
    event = whole(store, access)[0]
    answer = ask(store, token, f"/v3.0/events/{event['id']}")
    expected = {"data": event, "links": [{"rel": "self", "uri": f"/v3.0/events/{event['id']}"}]}
    assert (200, expected) == (answer.status_code, answer.json())
    assert answer.json() == ask(store, token, f"/v3.0/events/{event['id'].upper()}").json()


BAD = (
    ("limit=0", "limit"),
    ("limit=x", "limit"),
    ("starting_after=x", "starting_after"),
    ("starting_after=last", "starting_after"),
    ("ending_before=nonsense", "ending_before"),
    (f"ending_before={id_(1)}&starting_after={id_(2)}", "starting_after, ending_before"),
    ("record_type=students", "record_type"),
    ("record_type=users,pupils", "record_type"),
    ("school=ash", "school"),
)


def test_a_bad_parameter_is_named_in_the_answer(store: Feed) -> None:
    _, _, token = store.application()
    for query, name in BAD:
        answer = ask(store, token, f"/v3.0/events?{query}")
        assert (query, 400) == (query, answer.status_code)
        assert answer.json()["message"].startswith(f"{name}: expected ")
        assert answer.json()["message"] == answer.json()["error"]


def test_a_limit_above_the_largest_page_is_413(store: Feed) -> None:
    _, _, token = store.application()
    assert ask(store, token, "/v3.0/events?limit=10001").status_code == 413


def test_an_event_that_is_not_there_is_a_404_in_json(store: Feed) -> None:
    _, _, token = store.application()
    for id_or_word in (id_(1), "nonsense"):
        answer = ask(store, token, f"/v3.0/events/{id_or_word}")
        assert (answer.status_code, answer.json()["message"]) == (404, "Resource not found")


def test_the_api_shows_no_event_older_than_event_days(store: Feed) -> None:
    _, access, token = store.application()
    now = time.time()
    with store.database.write() as transaction:
        for days in (50, 29, 1):
            event_id = f"{int(now - days * DAY):08x}{'1' * 16}"
            made = event_feed.event(event_id, "schools", None, '{"id":"1"}', ())
            assert made is not None
            transaction.insert("events", event_feed.COLUMNS, [(access.view, *made, None)])
        transaction.run("UPDATE connections SET events_after = ?", (NOTHING_TOO_OLD,))
    assert len(ask(store, token, "/v3.0/events").json()["data"]) == 2
    assert len(ask(store, token, "/v3.0/events", event_days=60).json()["data"]) == 3
    old = f"{int(now - 50 * DAY):08x}{'1' * 16}"
    assert ask(store, token, f"/v3.0/events/{old}").status_code == 404
    assert len(ask(store, token, f"/v3.0/events?starting_after={old}").json()["data"]) == 2


def test_an_application_without_events_gets_an_empty_feed(store: Feed) -> None:
    _, _, token = store.application(on=False)
    store.commit(("created", "schools", school(1)))
    answer = ask(store, token, "/v3.0/events")
    assert (answer.status_code, answer.json()["data"]) == (200, [])


def test_old_values_are_those_of_the_version_before(store: Feed) -> None:
    _, access, _ = store.application()
    was, now = person(1, "student", grade="1", schools=[id_(5)]), person(1, "student", grade="2", schools=[])
    store.commit(("created", "users", was))
    store.commit(("updated", "users", now))
    assert previous_attributes(was, now) == whole(store, access)[-1]["data"]["previous_attributes"]
