"""Editing a share at once creates the records that enter and deletes those that leave.

Feeds stay complete, and nothing deleted is shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollbook import sync
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC
from rollbook.errors import BadSetting, Busy
from rollbook.store.accounts import applications
from rollbook.store.district import views
from rollbook.store.district.views import Spec
from rollbook.store.records import commits
from rollbook.sync import How, edits
from tests import world
from tests.sharing.desk import Desk, Json, Reader, ids_in, of_files

NORTH: Json = {"schools": ["N"]}
SOUTH: Json = {"schools": ["S"]}
NOTHING: Json = {}


def label(kind: str, record: Json) -> str:
    """A readable name: the SIS id of a role, or the record's own name."""
    for role in record["roles"].values() if kind.startswith("users") else ():
        found = role.get("sis_id") or role.get("staff_id")
        if found:
            return str(found)
    return str(record.get("sis_id") or record.get("resource_id") or record.get("name"))


def told(feed: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], label(event["type"], event["data"]["object"])) for event in feed]


def replayed(start: dict[tuple[str, str], Json], feed: list[Json]) -> dict[tuple[str, str], Json]:
    """The state after a feed; each event must fit the state before it."""
    state = dict(start)
    for event in feed:
        kind, verb = event["type"].split(".")
        key, record = (kind, event["data"]["object"]["id"]), plain(kind, event["data"]["object"])
        assert (key in state) == (verb != "created"), event["type"]
        if verb == "deleted":
            assert state.pop(key) == record
        else:
            state[key] = record
    return state


def plain(kind: str, record: Json) -> Json:
    """A record without the parts that differ between the Data API and the Events API."""
    shown = dict(record)
    if kind == "users":
        extra = ("email", "relationship", "type", "students")
        shown["roles"] = {
            role: {
                name: value
                for name, value in held.items()
                if role not in ("student", "contact") or name not in extra
            }
            for role, held in record["roles"].items()
        }
    return shown


def state(reader: Reader) -> dict[tuple[str, str], Json]:
    return {
        (kind, id_): plain(kind, record)
        for kind, records in reader.everything().items()
        for id_, record in records.items()
    }


def labels(reader: Reader) -> dict[str, set[str]]:
    return {
        kind: {label(kind, record) for record in records.values()}
        for kind, records in reader.everything().items()
    }


def test_a_narrowed_share_deletes_at_once_what_leaves_children_first(reader: Reader) -> None:
    before = state(reader)
    done = reader.share(SOUTH)
    # Byron is no longer Alan's contact, Grace no administrator and Ada no teacher here.
    assert told(reader.feed()) == [
        ("users.updated", "byron"),
        ("users.updated", "t-grace"),
        ("users.updated", "s-ada"),
        ("sections.deleted", "algebra"),
        ("sections.deleted", "homeroom"),
        ("users.deleted", "alan"),
        ("resources.deleted", "plotter"),
        ("courses.deleted", "Algebra"),
    ]
    assert replayed(before, reader.feed()) == state(reader)
    assert (done.state, done.kinds["schools"].existing) == ("committed", 2)


def test_what_is_shared_again_is_created_with_its_own_id_and_dates(reader: Reader) -> None:
    before = reader.everything()
    start = state(reader)
    reader.share(NOTHING)
    assert {kind for kind, records in reader.everything().items() if records} == {"districts"}
    reader.share(None)
    after = reader.everything()
    for kind in ("schools", "terms", "courses", "sections", "resources"):
        assert before[kind] == after[kind]
    assert {id_: user["created"] for id_, user in before["users"].items()} == {
        id_: user["created"] for id_, user in after["users"].items()
    }
    assert replayed(start, reader.feed()) == state(reader)


def test_the_same_share_again_publishes_nothing(reader: Reader) -> None:
    reader.share(NORTH)
    before = reader.feed()
    reader.share(NORTH)
    assert before == reader.feed()


def test_a_preview_counts_and_writes_nothing(desk: Desk, reader: Reader) -> None:
    def rows() -> list[Any]:
        with desk.database.read() as transaction:
            tables = ("views", "records", "versions", "events", "syncs")
            return [transaction.row(f"SELECT count(*) FROM {table}") for table in tables]

    before = rows(), reader.everything()
    planned = reader.share(NOTHING, is_plan=True)
    assert (planned.state, planned.number) == ("planned", None)
    assert {kind: counts.deleted for kind, counts in planned.kinds.items()} == {
        kind: counts.existing for kind, counts in planned.kinds.items()
    }
    assert before == (rows(), reader.everything())


def test_the_feed_goes_on_when_a_connection_gets_a_view_of_its_own(desk: Desk, reader: Reader) -> None:
    other = desk.connect("Other")
    other.listen()
    start = state(reader)
    desk.sync(world.changed(("students.csv", "Noether", "Noether-Artin")))
    early, of_other = reader.feed(), other.feed()
    assert [event["type"] for event in early] == ["users.updated", "districts.updated"][::-1]
    reader.share(NORTH)
    desk.sync(world.changed(("students.csv", "Noether", "Noether-Bourbaki")))
    feed = reader.feed()
    assert feed[: len(early)] == early
    assert len({event["id"] for event in feed}) == len(feed)
    assert replayed(start, feed) == state(reader)
    # From any point on: the records read before are the state from which to continue.
    for cut in range(len(feed)):
        assert replayed(replayed(start, feed[:cut]), feed[cut:]) == state(reader)
    assert reader.read(f"/v3.0/events/{early[0]['id']}")["data"] == early[0]
    assert other.feed()[: len(of_other)] == of_other
    assert [event["type"] for event in other.feed()[len(of_other) :]] == [
        "districts.updated",
        "users.updated",
    ]


def test_an_edit_touches_no_other_connection(desk: Desk, reader: Reader) -> None:
    other = desk.connect("Other")
    other.listen()
    before = other.everything()
    reader.share(NORTH)
    assert (before, []) == (other.everything(), other.feed())


def test_syncs_after_an_edit_keep_to_the_share(desk: Desk, reader: Reader) -> None:
    reader.share(SOUTH)
    start, shared = state(reader), labels(reader)
    heard = len(reader.feed())
    desk.sync(
        world.changed(
            ("students.csv", "N,alan,Turing", "N,alan,Turing-Church"),
            ("enrollments.csv", "N,homeroom,alan\n", "N,homeroom,alan\nS,poetry,alan\n"),
        )
    )
    assert labels(reader)["users"] == shared["users"] | {"alan"}
    assert replayed(start, reader.feed()[heard:]) == state(reader)


def test_a_pull_begun_before_an_edit_shows_nothing_that_is_unshared(desk: Desk, reader: Reader) -> None:
    whole = reader.everything()
    uris = (
        "/v3.0/users",
        "/v3.0/sections",
        "/v3.0/schools",
        f"/v3.0/sections/{next(iter(whole['sections']))}/users",
    )
    begun = {uri: reader.read(f"{uri}?limit=1")["links"][-1]["uri"] for uri in uris}
    for uri in begun.values():
        reader.ask(uri)
    reader.share({"rules": [{"kind": "admin"}]})
    kept = ids_in(str(reader.everything()))
    # The next page of each pull, at every place in it, and after one more run.
    for _ in range(2):
        for kind, records in whole.items():
            for id_ in ("0" * 24, *records):
                found = ids_in(reader.ask(f"/v3.0/{kind}?limit=1&starting_after={id_}").body)
                assert found - {id_} <= kept
        for uri in begun.values():
            assert reader.ask(uri).status in (200, 404)
            assert ids_in(reader.ask(uri).body) - ids_in(uri) <= kept
        desk.sync(world.changed(("students.csv", "Turing", "Turing-Church")))


def test_a_pull_begun_after_an_edit_is_whole_while_syncs_commit(desk: Desk, reader: Reader) -> None:
    reader.share(NORTH)
    before = reader.pull("/v3.0/users")
    page = reader.read("/v3.0/users?limit=2")
    desk.sync(world.changed(("students.csv", "Turing", "Turing-Church")))
    found = page["data"]
    while following := next((link["uri"] for link in page["links"] if link["rel"] == "next"), None):
        page = reader.read(following)
        found += page["data"]
    assert before == [element["data"] for element in found]


def test_the_difference_since_a_snapshot_before_the_edit_tells_what_left_as_deleted(
    desk: Desk, reader: Reader
) -> None:
    start, first = state(reader), commits.runs(desk.database, desk.now)[0].number
    desk.sync(world.changed(("students.csv", "Turing", "Turing-Church")))
    reader.share(SOUTH)
    since = reader.pull(f"/v3.0/events?since_snapshot={first}")
    left = {
        event["data"]["object"]["id"]: event["data"]["object"]
        for event in since
        if event["type"].endswith(".deleted")
    }
    # A record that left is named by its id: the share shows no more of it.
    assert {name for record in left.values() for name in record} <= {"id", "roles"}
    assert not [held for record in left.values() for held in record.get("roles", {}).values() if held]
    kept = {key: record for key, record in start.items() if key[1] not in left}
    assert replayed(kept, [event for event in since if event["data"]["object"]["id"] not in left]) == state(
        reader
    )
    shown = ids_in(str([event for event in since if not event["type"].endswith(".deleted")]))
    assert shown - {event["id"] for event in since} <= ids_in(str(reader.everything())) | ids_in(
        str(previous(since))
    )


def previous(feed: list[Json]) -> list[Json]:
    return [event["data"].get("previous_attributes", {}) for event in feed]


def test_a_share_set_before_the_first_sync_holds_from_it_on(empty_desk: Desk) -> None:
    reader, whole = empty_desk.connect(), empty_desk.connect("Whole")
    reader.listen()
    reader.share(SOUTH)
    assert {kind for kind, records in reader.everything().items() if records} == {"districts"}
    empty_desk.sync()
    assert labels(reader)["users"] == {"emmy", "katherine", "t-grace", "s-ada", "byron"}
    assert "alan" in labels(whole)["users"]


def test_a_preview_before_the_first_sync_writes_nothing(empty_desk: Desk) -> None:
    reader = empty_desk.connect()
    assert reader.share(SOUTH, is_plan=True).state == "planned"
    empty_desk.sync()
    assert len(labels(reader)["schools"]) == 2


@of_files
def test_a_first_sync_in_the_middle_of_an_edit_is_not_written_over(
    empty_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = empty_desk.connect()
    monkeypatch.setattr(edits, "_share_nothing_yet", meanwhile(empty_desk, edits._share_nothing_yet))
    with pytest.raises(Busy):
        reader.share(NOTHING)
    assert len(labels(reader)["schools"]) == 2


def meanwhile(desk: Desk, then: Any) -> Any:
    def done(*arguments: Any) -> Any:
        desk.sync()
        return then(*arguments)

    return done


def test_an_undo_keeps_to_the_share(desk: Desk, reader: Reader) -> None:
    desk.sync(
        world.changed(("students.csv", "Turing", "Turing-Church"), ("students.csv", "Johnson", "Goble"))
    )
    reader.share(SOUTH)
    before = labels(reader)
    sync.undo(desk.database, desk.now, desk.settings, How(is_approved=True))
    assert before == labels(reader)
    names = {user["name"]["last"] for user in reader.pull("/v3.0/users?role=student")}
    assert names == {"Noether", "Johnson"}


@of_files
def test_an_approved_sync_keeps_to_a_share_that_was_edited_while_it_was_held(
    desk: Desk, reader: Reader
) -> None:
    gone = ("students.csv", "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n", "")
    held = world.write(desk.folder / "held", world.changed(gone))
    done = sync.run(desk.database, desk.now, held, desk.settings)
    assert done.state == "held"
    reader.share(SOUTH)
    sync.approve(desk.database, desk.now, desk.settings, name="Springfield")
    assert labels(reader)["users"] == {"emmy", "t-grace", "s-ada", "byron"}


def test_scopes_are_in_force_at_once(desk: Desk, reader: Reader) -> None:
    start = state(reader)
    scopes = tuple(scope for scope in SECURE_SYNC if scope not in ("read:students", "read:resources"))
    changed = applications.change(desk.database, reader.application, scopes=(*scopes, "read:ell_status"))
    assert [done.state for done in sync.rescope(desk.database, changed, desk.settings)] == ["committed"]
    assert labels(reader)["users"] == {"t-ada", "t-grace"}
    assert labels(reader)["resources"] == set()
    assert replayed(start, reader.feed()) == state(reader)
    assert sync.rescope(desk.database, changed, desk.settings) == []


def test_scopes_leave_the_share_as_it_is(desk: Desk, reader: Reader) -> None:
    reader.share(SOUTH, withheld=("student.dob",), sensitive=("student.ell_status",))
    changed = applications.change(desk.database, reader.application, scopes=(*SECURE_SYNC, "read:ell_status"))
    sync.rescope(desk.database, changed, desk.settings)
    assert labels(reader)["users"] == {"emmy", "katherine", "t-grace", "s-ada", "byron"}
    emmy = next(user for user in reader.pull("/v3.0/users?role=student") if user["name"]["first"] == "Emmy")
    assert ("dob" in emmy["roles"]["student"], emmy["roles"]["student"]["ell_status"]) == (False, "Y")


@pytest.mark.parametrize("scopes", [("read:user_id",), ("read:ell_status",), ()])
def test_scopes_that_open_nothing_open_nothing(desk: Desk, scopes: tuple[str, ...]) -> None:
    reader = desk.connect(scopes=scopes or ("read:districts",))
    assert {kind for kind, records in reader.everything().items() if records} == {"districts"}


def test_a_killed_edit_leaves_the_old_view_whole(
    desk: Desk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = reader.everything()

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    # In the middle of the transaction, after the view was copied and after its records were replaced.
    for module, name in ((views, "edit"), (commits, "_move_in"), (commits, "drop_snapshots")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(Killed):
                reader.share(NOTHING)
        assert (before, []) == (reader.everything(), reader.feed())
    desk.sync(world.changed(("students.csv", "Turing", "Turing-Church")))
    assert labels(reader)["users"] >= {"alan", "emmy"}
    reader.share(NOTHING)
    assert labels(reader)["users"] == set()


def test_a_spec_in_the_store_reads_back_as_it_was(desk: Desk, reader: Reader) -> None:
    rule = {"kind": "student", "where": [["school", "does not equal any of", "N", "x"]], "with": ["sections"]}
    spec = Spec(share=shares.parse({"rules": [rule]}), withheld=("student.dob",), keeps_ids=True)
    spec = replace(spec, sensitive=("student.ell_status",), unasked=("contact.phone",))
    reader.edit(spec)
    number = desk.now.number
    with desk.database.read() as transaction:
        assert spec in [view.spec for view in views.list_all(transaction, number)]


def test_a_resource_whose_roles_are_a_list_is_told_of_when_it_changes(desk: Desk, reader: Reader) -> None:
    desk.sync(world.changed(("resources.csv", "Curve Plotter,student", "Plotter,student;teacher")))
    event = next(event for event in reader.feed() if event["type"].startswith("resources"))
    assert (event["type"], event["data"]["previous_attributes"]) == (
        "resources.updated",
        {"title": "Curve Plotter", "roles": ["student"]},
    )


def test_what_left_a_share_is_in_no_event_but_its_last(desk: Desk, reader: Reader) -> None:
    desk.sync(
        world.changed(
            ("students.csv", "N,alan,Turing", "N,alan,Turing-Church"), ("teachers.csv", "Dr.", "Prof.")
        )
    )
    assert "Turing-Church" in str(reader.feed())
    heard = len(reader.feed())
    reader.share(SOUTH)
    alan = [
        event["type"]
        for event in reader.feed()
        if event["data"]["object"].get("name")
        == {"first": "Alan", "last": "Turing-Church", "middle": "Mathison"}
    ]
    assert (alan, heard > 0) == (["users.deleted"], True)
    # A role that scopes no longer open is removed from the events of a person who stays.
    less = applications.change(
        desk.database, reader.application, scopes=tuple(set(SECURE_SYNC) - {"read:school_admins"})
    )
    sync.rescope(desk.database, less, desk.settings)
    assert not [event for event in reader.feed()[:-2] if "staff" in event["data"]["object"].get("roles", {})]


def test_a_connection_is_told_of_nothing_that_was_gone_before_it_began(desk: Desk) -> None:
    first = commits.runs(desk.database, desk.now)[0].number
    desk.sync(world.changed(("students.csv", "N,alan,", "N,alan-2,"), ("enrollments.csv", "alan", "alan-2")))
    late = desk.connect("Late")
    late.listen()
    assert late.ask(f"/v3.0/events?since_snapshot={first}").status == 404
    last = commits.runs(desk.database, desk.now)[0].number
    assert late.pull(f"/v3.0/events?since_snapshot={last}") == []


def test_ids_of_events_tell_nothing_of_other_connections(desk: Desk, reader: Reader) -> None:
    other = desk.connect("Other")
    other.share({"rules": [{"kind": "student", "where": [["sis_id", "equals any of", "emmy"]]}]})
    other.listen()
    desk.sync(
        world.changed(
            ("students.csv", ",M,,N,", ",M,W,N,"),
            ("students.csv", "Emmy,,11", "Emmy,,12"),
            ("teachers.csv", "Dr.", "Prof."),
        )
    )
    assert len(reader.feed()) > len(other.feed())
    assert [int(event["id"][-8:], 16) for event in other.feed()] == list(range(len(other.feed())))


# Fields ----------------------------------------------------------------------------------------------


def field_of(reader: Reader, name: str) -> set[object]:
    return {user["roles"]["student"].get(name) for user in reader.pull("/v3.0/users?role=student")}


@pytest.mark.parametrize(
    ("scope", "opened", "shown"),
    [
        ((), (), {None}),
        (("read:ell_status",), (), {None}),
        ((), ("student.ell_status",), {None}),
        (("read:ell_status",), ("student.iep_status",), {None}),
        (("read:ell_status",), ("student.ell_status",), {"Y", "N", ""}),
    ],
)
def test_a_sensitive_field_is_seen_when_both_sides_open_it(
    desk: Desk, scope: tuple[str, ...], opened: tuple[str, ...], shown: set[object]
) -> None:
    reader = desk.connect(scopes=(*SECURE_SYNC, *scope))
    reader.share(None, sensitive=opened)
    assert field_of(reader, "ell_status") == shown
    desk.sync()
    assert field_of(reader, "ell_status") == shown


def test_a_field_that_an_application_does_not_ask_for_is_not_shown(desk: Desk, reader: Reader) -> None:
    asked = {"required": ["student.grade"], "optional": ["student.gender"]}
    changed = applications.change(desk.database, reader.application, fields=asked)
    sync.rescope(desk.database, changed, desk.settings)
    student = reader.pull("/v3.0/users?role=student")[0]["roles"]["student"]
    assert {"grade", "gender", "sis_id", "school"} <= set(student)
    assert not {"dob", "race", "location", "state_id"} & set(student)
    # No field of contacts is listed, so all are asked for.
    contacts = reader.pull("/v3.0/users?role=contact")
    assert {"phone" in user["roles"]["contact"] for user in contacts} == {True}
    replace_fields = applications.change(desk.database, changed, fields={})
    sync.rescope(desk.database, replace_fields, desk.settings)
    assert "dob" in reader.pull("/v3.0/users?role=student")[0]["roles"]["student"]


EXT = ("school", "section", "teacher", "staff", "student")
WITH_OWN = world.changed(
    ("schools.csv", "School_id,", "ext.color,School_id,"),
    ("schools.csv", "\nN,", "\nblue,N,"),
    ("schools.csv", "\nS,", "\nred,S,"),
    ("sections.csv", "School_id,", "ext.room,School_id,"),
    *((("sections.csv", f"\n{row},", f"\n12,{row},")) for row in ("N,algebra", "S,poetry", "N,homeroom")),
    ("teachers.csv", "School_id,", "ext.phone,School_id,"),
    *((("teachers.csv", f"\n{row},", f"\n555,{row},")) for row in ("N,t-ada", "S,t-grace")),
    ("staff.csv", "School_id,", "ext.desk,School_id,"),
    *((("staff.csv", f"\n{row},", f"\n7,{row},")) for row in ("N,s-ada", "S,s-ada")),
)


def own_fields(reader: Reader) -> set[str]:
    """The people whose own fields are shown."""
    seen = reader.everything()
    users = seen["users"].values()
    found = {role for user in users for role, held in user["roles"].items() if "ext" in held}
    return found | {
        kind[:-1] for kind in ("schools", "sections") for record in seen[kind].values() if "ext" in record
    }


@pytest.mark.parametrize("name", EXT)
def test_own_fields_of_any_kind_can_be_withheld(empty_desk: Desk, name: str) -> None:
    empty_desk.sync(WITH_OWN)
    reader = empty_desk.connect()
    reader.listen()
    assert own_fields(reader) == set(EXT)
    files = {file: text.replace("blue", "green").replace("\n12,", "\n13,") for file, text in WITH_OWN.items()}
    empty_desk.sync({**files, "teachers.csv": files["teachers.csv"].replace("555", "556")})
    reader.share(None, withheld=(f"{name}.ext",))
    assert own_fields(reader) == set(EXT) - {name}
    kind = {"school": "schools", "section": "sections"}.get(name, "users")
    told = [event["data"] for event in reader.feed() if event["type"] == f"{kind}.updated"]
    for part in (part for data in told for part in (data["object"], data["previous_attributes"])):
        assert not (part if kind != "users" else part.get("roles", {}).get(name, {})).get("ext")
    assert told
    reader.share(None)
    assert own_fields(reader) == set(EXT)


def test_own_fields_that_an_application_refuses_are_not_shown(empty_desk: Desk) -> None:
    empty_desk.sync(WITH_OWN)
    reader = empty_desk.connect()
    refused = {"refused": ["section.ext", "staff.ext"], "required": ["teacher.ext"]}
    changed = applications.change(empty_desk.database, reader.application, fields=refused)
    sync.rescope(empty_desk.database, changed, empty_desk.settings)
    assert own_fields(reader) == {"school", "teacher", "student"}
    with pytest.raises(BadSetting, match=r"teacher\.ext is asked for and refused"):
        applications.change(empty_desk.database, changed, fields={**refused, "refused": ["teacher.ext"]})


def values_in(feed: list[Json], name: str) -> set[object]:
    """What events say about a student's field: in records, and as its old value."""
    found: set[object] = set()
    for event in feed:
        for record in (event["data"]["object"], event["data"].get("previous_attributes", {})):
            held = record.get("roles", {}).get("student", {})
            found |= {held[name]} if name in held else set()
    return found


def test_a_field_that_is_withheld_is_in_no_event_any_more(desk: Desk, reader: Reader) -> None:
    desk.sync(
        world.changed(
            ("students.csv", "Noether", "Noether-Artin"), ("students.csv", "N,alan,Turing", "N,alan,Church")
        )
    )
    first = commits.runs(desk.database, desk.now)[1].number
    desk.sync(world.changed(("students.csv", "N,alan,", "N,alan-2,"), ("enrollments.csv", "alan", "alan-2")))
    shown = field_of(reader, "dob") - {""}
    assert values_in(reader.feed(), "dob") & shown
    heard = len(reader.feed())
    reader.share(None, withheld=("student.dob", "student.email"))
    assert "dob" not in reader.pull("/v3.0/users?role=student")[0]["roles"]["student"]
    # Each student is reported as updated, so that applications drop their copy; no event has the field's old
    # value.
    news = reader.feed()[heard:]
    assert {event["type"] for event in news} == {"users.updated"}
    assert values_in(news, "dob") == {""}
    assert values_in(reader.feed(), "dob") == {""}
    for feed in (reader.feed(), reader.pull(f"/v3.0/events?since_snapshot={first}")):
        text = str(feed)
        assert not [value for value in shown if f"'{value}'" in text]
        assert "alan@" not in text
        assert values_in([event for event in feed if event["type"] == "users.deleted"], "dob") == set()


def test_a_field_that_was_sensitive_to_nobody_and_is_closed_again_is_told_without_its_value(
    desk: Desk,
) -> None:
    reader = desk.connect(scopes=(*SECURE_SYNC, "read:ell_status"))
    reader.listen()
    reader.share(None, sensitive=("student.ell_status",))
    assert values_in(reader.feed(), "ell_status") == {"", "Y", "N"}
    less = applications.change(desk.database, reader.application, scopes=SECURE_SYNC)
    sync.rescope(desk.database, less, desk.settings)
    assert values_in(reader.feed(), "ell_status") == {""}
    # The district's choice stays: a scope that comes back opens what was open before.
    more = applications.change(desk.database, less, scopes=(*SECURE_SYNC, "read:ell_status"))
    sync.rescope(desk.database, more, desk.settings)
    assert field_of(reader, "ell_status") == {"Y", "N", ""}


@pytest.mark.parametrize("way", ["scope", "rule"])
def test_a_role_that_is_hidden_is_named_once_more_and_told_of_nowhere(
    desk: Desk, reader: Reader, way: str
) -> None:
    desk.sync(world.changed(("teachers.csv", "Dr.", "Prof.")))
    first = commits.runs(desk.database, desk.now)[0].number
    (ada,) = (user for user in reader.pull("/v3.0/users") if {"teacher", "staff"} <= set(user["roles"]))
    heard = len(reader.feed())
    if way == "scope":
        less = applications.change(
            desk.database, reader.application, scopes=tuple(set(SECURE_SYNC) - {"read:school_admins"})
        )
        sync.rescope(desk.database, less, desk.settings)
    else:
        reader.share({"rules": [{"kind": "teacher", "where": [["sis_id", "equals any of", "t-ada"]]}]})
    told = [event for event in of(ada, reader.feed()[heard:]) if event["type"] == "users.updated"]
    since = of(ada, reader.pull(f"/v3.0/events?since_snapshot={first}"))
    for event in (*told, *since):
        assert list(event["data"]["object"]["roles"]) == ["teacher"]
        assert event["data"]["previous_attributes"]["roles"]["staff"] == {}
    assert len(told) == len(since) == 1
    assert not [
        event for event in of(ada, reader.feed()[:heard]) if "staff" in event["data"]["object"]["roles"]
    ]
    # The schools of that role do not find the event, either.
    for school in set(ada["roles"]["staff"]["schools"]) - set(ada["roles"]["teacher"]["schools"]):
        assert of(ada, reader.pull(f"/v3.0/events?school={school}")) == []


def of(record: Json, feed: list[Json]) -> list[Json]:
    """The events of one record."""
    return [event for event in feed if event["data"]["object"]["id"] == record["id"]]
