"""Each operation is complete in itself: one call updates the trail, the views, the feed and the district's
own record. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollbook import settings as setting_rows
from rollbook.domain.access import SECURE_SYNC
from rollbook.errors import BadSetting, Conflict, Refused, Unknown
from rollbook.operations import (
    connecting,
    district_setup,
    people_access,
    registering,
    run_decisions,
    scheduling,
    share_edits,
    sign_in_setup,
)
from rollbook.operations.share_edits import ShareEdit
from rollbook.operations.sign_in_setup import BadgeChoice, BadgeSheet
from rollbook.store.accounts import audit, connections, credentials
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import roster_overview
from rollbook.sync import How
from tests import world
from tests.journeys.hub import Hub
from tests.web.chromium import served

NORTH = '{"schools": ["N"]}'
STUDENTS = ["Alan", "Emmy", "Katherine"]


@pytest.fixture(scope="module")
def synced(module_database_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The small world, synced once."""
    with closing(open_database(module_database_address)) as database:
        migrate(database)
        with closing(Hub(database, module_database_address, tmp_path_factory.mktemp("operations"))) as hub:
            hub.sync(world.FILES)
            yield hub


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An application that each test has alone."""
    return f"Reader of {request.node.name}"


def connect(hub: Hub, name: str, **more: Any) -> str:
    registering.register(hub.database, NewApplication(name, scopes=SECURE_SYNC))
    return connecting.connect(hub.database, hub.settings, name, "Springfield", **more).token


def share(hub: Hub, name: str, edit: ShareEdit, **more: Any) -> share_edits.Edited:
    return share_edits.share(hub.database, hub.settings, name, "Springfield", edit, **more)


def students(hub: Hub, token: str) -> list[str]:
    found = hub.client(token).records("/v3.0/users?role=student")
    return sorted(person["name"]["first"] for person in found)


def actions(hub: Hub, name: str) -> list[str]:
    with hub.database.read() as transaction:
        return [one.action for one in reversed(audit.latest(transaction)) if one.application == name]


def own_record(hub: Hub, token: str) -> dict[str, Any]:
    (record,) = hub.client(token).records("/v3.0/districts")
    return dict(record)


# Applications and shares --------------------------------------------------------------------------------


def test_connecting_with_a_part_shares_that_part_from_the_first_moment(synced: Hub, name: str) -> None:
    token = connect(synced, name, shared=NORTH)
    assert students(synced, token) == ["Alan", "Emmy"]
    assert actions(synced, name) == ["application created", "connected", "share changed"]
    reader, owner = connecting.disconnect(synced.database, name, "Springfield")
    assert (reader.name, owner.name) == (name, "Springfield")
    assert synced.client(token).get("/v3.0/users").status_code == 401


def test_connecting_again_keeps_the_token_and_the_share_until_a_new_token_is_asked_for(
    synced: Hub, name: str
) -> None:
    token = connect(synced, name, shared=NORTH)
    again = connecting.connect(synced.database, synced.settings, name, "Springfield")
    renewed = connecting.connect(synced.database, synced.settings, name, "Springfield", renews_token=True)
    assert token == again.token != renewed.token
    assert synced.client(token).get("/v3.0/users").status_code == 401
    assert students(synced, renewed.token) == ["Alan", "Emmy"]


def test_a_connection_to_a_school_that_is_not_there_is_not_made(synced: Hub, name: str) -> None:
    with pytest.raises(Unknown, match="no school with the SIS id"):
        connect(synced, name, shared='{"schools": ["X"]}')
    with pytest.raises(BadSetting, match="expected everything, nothing, or JSON"):
        connecting.connect(synced.database, synced.settings, name, "Springfield", shared="some")
    assert actions(synced, name) == ["application created"]


def test_events_begin_with_the_connection_of_an_application_that_has_them(synced: Hub, name: str) -> None:
    registering.register(synced.database, NewApplication(name))
    changed = registering.change(synced.database, synced.settings, name, has_events=True)
    token = connecting.connect(synced.database, synced.settings, name, "Springfield").token
    share(synced, name, ShareEdit(shared="nothing"))
    told = {event["type"] for event in synced.client(token).records("/v3.0/events")}
    assert changed.has_events
    assert {"users.deleted", "schools.deleted"} <= told
    share(synced, name, ShareEdit(shared="everything"))
    told = {event["type"] for event in synced.client(token).records("/v3.0/events")}
    assert {"users.created", "schools.created"} <= told


def test_a_connection_with_a_first_share_has_events_from_then_on(synced: Hub, name: str) -> None:
    registering.register(synced.database, NewApplication(name, scopes=SECURE_SYNC))
    registering.change(synced.database, synced.settings, name, has_events=True)
    args = (synced.database, synced.settings, name, "Springfield")
    token = connecting.connect_new(*args, ShareEdit(shared=NORTH)).token
    assert students(synced, token) == ["Alan", "Emmy"]
    share(synced, name, ShareEdit(shared="everything"))
    told = {event["type"] for event in synced.client(token).records("/v3.0/events")}
    assert "users.created" in told
    with pytest.raises(Conflict):
        connecting.connect_new(*args, ShareEdit(shared="nothing"))
    assert students(synced, token) == STUDENTS


def test_a_change_of_scopes_is_in_force_in_every_district_at_once(synced: Hub, name: str) -> None:
    token = connect(synced, name)
    scopes = tuple(scope for scope in SECURE_SYNC if scope != "read:students")
    registering.change(synced.database, synced.settings, name, scopes=scopes)
    assert students(synced, token) == []
    registering.change(synced.database, synced.settings, name, scopes=SECURE_SYNC)
    assert students(synced, token) == STUDENTS


def test_a_share_is_edited_previewed_and_reverted(synced: Hub, name: str) -> None:
    token = connect(synced, name)
    preview = share(synced, name, ShareEdit(shared="nothing"), is_plan=True)
    assert (preview.run.state, preview.is_empty, preview.is_held) == ("planned", True, False)
    assert students(synced, token) == STUDENTS
    share(synced, name, ShareEdit(shared=NORTH, withheld=("student.dob",), keeps_ids=True))
    done = share(synced, name, ShareEdit(shared="nothing", withheld=()))
    assert (done.run.state, done.is_empty, done.application.name) == ("committed", True, name)
    assert students(synced, token) == []
    args = (synced.database, synced.settings, name, "Springfield")
    assert share_edits.revert(*args, 2, ShareEdit()).is_empty is False
    assert students(synced, token) == ["Alan", "Emmy"]
    assert "dob" not in str(synced.client(token).records("/v3.0/users?role=student"))
    share_edits.revert(*args, 2, ShareEdit(withheld=()))
    assert "dob" in str(synced.client(token).records("/v3.0/users?role=student"))
    past = connections.past_shares(synced.database, done.application, synced.district)
    assert [one.told["withheld"] for one in past] == [[], ["student.dob"], [], ["student.dob"], []]
    for line in (0, 6):
        with pytest.raises(Unknown, match=f"no line {line} in the history; it has 5"):
            share_edits.revert(*args, line, ShareEdit())


@pytest.mark.parametrize(
    ("edit", "error", "told"),
    [
        (ShareEdit(withheld=("student.grade",)), Refused, "requires student.grade"),
        (ShareEdit(withheld=("student.shoes",)), BadSetting, "withhold: 'student.shoes' is not a field"),
        (ShareEdit(sensitive=("student.grade",)), BadSetting, "sensitive: 'student.grade' is not a field"),
        (ShareEdit(shared="{"), BadSetting, "share: expected everything, nothing, or JSON"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_before_anything_changes(
    synced: Hub, name: str, edit: ShareEdit, error: type[Exception], told: str
) -> None:
    registering.register(synced.database, NewApplication(name, fields={"required": ["student.grade"]}))
    connecting.connect(synced.database, synced.settings, name, "Springfield")
    with pytest.raises(error, match=told):
        share(synced, name, edit)
    assert actions(synced, name) == ["application created", "connected"]


def test_a_view_that_freezes_holds_an_edit_until_it_is_thawed(synced: Hub, name: str) -> None:
    token = connect(synced, name, freezes=True)
    assert share(synced, name, ShareEdit(shared="nothing")).is_held
    assert students(synced, token) == STUDENTS
    (night,) = scheduling.nights(synced.database)
    assert night.next_step.startswith("An application's view is frozen: `rollbook shares")
    assert share_edits.thaw(synced.database, synced.settings, name, "Springfield").is_empty
    assert students(synced, token) == []
    with pytest.raises(Refused, match="is not frozen"):
        share_edits.thaw(synced.database, synced.settings, name, "Springfield")


def test_an_application_is_removed_only_when_no_district_is_connected(synced: Hub, name: str) -> None:
    connect(synced, name)
    with pytest.raises(Conflict, match="still in use"):
        registering.remove(synced.database, name)
    connecting.disconnect(synced.database, name, "Springfield")
    assert registering.remove(synced.database, name).name == name
    with pytest.raises(Unknown, match="no application"):
        registering.rotate_secret(synced.database, name, overlap_seconds=0)


# People -------------------------------------------------------------------------------------------------


def test_badges_that_could_not_be_printed_leave_those_before(synced: Hub, name: str) -> None:
    token = connect(synced, name)
    sheets: list[BadgeSheet] = []
    args = (synced.database, synced.settings, "Springfield")
    assert sign_in_setup.print_badges(*args, BadgeChoice(school="N"), sheets.append) == 2
    (sheet,) = sheets
    assert sorted(person.name for person, _ in sheet.badges) == ["Alan Turing", "Emmy Noether"]
    assert "Clever Badges" in own_record(synced, token)["login_methods"]

    def fail(_: BadgeSheet) -> None:
        raise Refused("no paper")

    with pytest.raises(Refused, match="no paper"):
        sign_in_setup.print_badges(*args, BadgeChoice(), fail)
    with synced.database.read() as transaction:
        assert all(credentials.badge_holder(transaction, code) for _, code in sheet.badges)
    for user in ("emmy", "alan"):
        assert sign_in_setup.revoke_badge(synced.database, "Springfield", user)[1]
    assert not sign_in_setup.revoke_badge(synced.database, "Springfield", "emmy")[1]
    assert "Clever Badges" not in own_record(synced, token)["login_methods"]


@pytest.mark.parametrize(
    ("district", "choice", "told"),
    [
        ("Springfield", BadgeChoice(school="X"), "no school has the SIS id"),
        ("Springfield", BadgeChoice(users=("nobody",)), "nobody"),
        ("Capital City", BadgeChoice(), "nobody of that role and school"),
    ],
)
def test_badges_for_nobody_print_nothing(synced: Hub, district: str, choice: BadgeChoice, told: str) -> None:
    if district != "Springfield":
        district_setup.create(synced.database, district)
    sheets: list[BadgeSheet] = []
    with pytest.raises(Unknown, match=told):
        sign_in_setup.print_badges(synced.database, synced.settings, district, choice, sheets.append)
    assert sheets == []


def test_a_sign_in_service_shows_in_the_districts_record_until_it_is_removed(synced: Hub, name: str) -> None:
    token = connect(synced, name)
    wanted = NewProvider("Google", "https://accounts.google.com/", "client", "secret")
    address = sign_in_setup.set_provider(synced.database, synced.settings, "Springfield", wanted)
    assert address.endswith("/oauth/callback")
    assert "Google" in own_record(synced, token)["login_methods"]
    assert sign_in_setup.remove_provider(synced.database, "Springfield")[1]
    assert not sign_in_setup.remove_provider(synced.database, "Springfield")[1]
    assert "Google" not in own_record(synced, token)["login_methods"]


def test_a_user_token_opens_what_the_persons_own_would_until_they_are_signed_out(
    synced: Hub, name: str
) -> None:
    connect(synced, name)
    minted = people_access.mint_token(synced.database, synced.settings, name, "emmy", "Springfield")
    assert (minted.person.name, minted.role) == ("Emmy Noether", "student")
    assert synced.client(minted.token).read("/v3.0/me")["data"]["id"] == minted.person.id
    person, ended = people_access.sign_out(synced.database, "Springfield", "emmy")
    assert (person.id, ended) == (minted.person.id, 1)
    assert synced.client(minted.token).get("/v3.0/me").status_code == 401
    connecting.disconnect(synced.database, name, "Springfield")
    with pytest.raises(Refused, match="it is not connected to 'Springfield'"):
        people_access.mint_token(synced.database, synced.settings, name, "emmy", "Springfield")


def test_a_district_must_be_named_when_there_is_not_exactly_one(database: Database, tmp_path: Path) -> None:
    args = (database, setting_rows.read({}, key_file=str(tmp_path / "key")), "Reader", "emmy")
    registering.register(database, NewApplication("Reader"))
    for told in (
        "there is no district yet",
        "no people have the id",
        "name one with --district; there is 'Ash', 'Birch'",
    ):
        with pytest.raises(Unknown, match=told):
            people_access.mint_token(*args)
        known = len(districts.list_all(database))
        district_setup.create(database, ("Ash", "Birch", "Cedar")[known])


def test_a_district_is_cloned_from_a_running_server(synced: Hub, name: str, tmp_path: Path) -> None:
    token = connect(synced, name)
    address = str(tmp_path / "copy.db")
    settings = setting_rows.read({}, database=address, key_file=str(tmp_path / "key"))
    with served(synced.app()) as source, closing(open_database(address)) as database:
        migrate(database)
        done = district_setup.clone(database, settings, source, token, name="Copy")
        assert (done.state, done.kinds["students"].created) == ("committed", len(STUDENTS))
        assert [owner.name for owner in districts.list_all(database)] == ["Copy"]


def test_an_application_gets_a_new_secret_beside_its_old_one(synced: Hub, name: str) -> None:
    registering.register(synced.database, NewApplication(name, secret="first secret"))
    reader, secret = registering.rotate_secret(synced.database, name, overlap_seconds=60)
    assert (reader.name, secret != "first secret") == (name, True)


def test_a_new_signing_key_is_made(synced: Hub) -> None:
    first = sign_in_setup.rotate_key(synced.database, synced.settings, overlap_seconds=60)
    assert first != sign_in_setup.rotate_key(synced.database, synced.settings, overlap_seconds=0)


# Districts ----------------------------------------------------------------------------------------------


def test_a_contact_stands_in_the_districts_record_until_nobody_is_named(synced: Hub, name: str) -> None:
    token = connect(synced, name)
    _, chosen = district_setup.name_contact(synced.database, "Springfield", "grace@south.example")
    assert chosen is not None
    assert own_record(synced, token)["district_contact"]["id"] == chosen.id
    assert district_setup.name_contact(synced.database, "Springfield", None)[1] is None
    assert "district_contact" not in own_record(synced, token)


def test_limits_and_rules_are_those_of_the_next_sync(hub: Hub) -> None:
    made = district_setup.create(hub.database, "Shelbyville")
    assert (made.state, made.district.name) == ("empty", "Shelbyville")
    with pytest.raises(Conflict, match="exists already"):
        district_setup.create(hub.database, "Shelbyville")
    limits = district_setup.set_limits(hub.database, "Shelbyville", "students", deleted=20)
    assert (limits["students"].deleted, limits["students"].updated) == (20, limits["teachers"].updated)
    with pytest.raises(BadSetting, match="kind: expected one of"):
        district_setup.set_limits(hub.database, "Shelbyville", "shoes", deleted=20)
    assert district_setup.set_rules(hub.database, "Shelbyville", {"lenient_headers": True}).lenient_headers


def test_a_held_sync_is_approved_or_discarded_and_the_last_one_undone(hub: Hub, tmp_path: Path) -> None:
    args = (hub.database, hub.settings, "Springfield")
    whole = world.write(tmp_path / "whole", world.FILES)
    lines = world.FILES["students.csv"].splitlines(keepends=True)
    less = world.write(tmp_path / "less", {**world.FILES, "students.csv": "".join(lines[:3])})

    def students_now() -> int:
        return roster_overview.count_roles(hub.database, hub.district)["student"]

    assert run_decisions.sync_files(*args, whole, How()).state == "committed"
    assert run_decisions.sync_files(*args, less, How(is_plan=True)).reasons
    held = run_decisions.sync_files(*args, less, How())
    assert (held.state, students_now()) == ("held", 3)
    assert run_decisions.discard(hub.database, "Springfield") == held.number
    with pytest.raises(Unknown, match="is held"):
        run_decisions.approve(*args)
    assert run_decisions.sync_files(*args, less, How()).state == "held"
    assert run_decisions.approve(*args, name="Springfield").state == "committed"
    assert students_now() == 2
    # A page that was opened before undoes no newer run.
    last = districts.find(hub.database, "Springfield").snapshot
    with pytest.raises(Conflict, match=f"run {held.number} is not the last one"):
        run_decisions.undo(*args, How(is_approved=True), run=held.number)
    assert run_decisions.undo(*args, How(is_approved=True), run=last).state == "committed"
    assert students_now() == 3


def test_a_district_that_is_paused_takes_no_files_until_it_is_resumed(hub: Hub, tmp_path: Path) -> None:
    args = (hub.database, hub.settings, "Springfield")
    files = world.write(tmp_path / "files", world.FILES)
    # A day of tolerance, because the tests may run over midnight or in another time zone.
    today = date.today()
    with pytest.raises(BadSetting, match="until: expected a day on or after"):
        run_decisions.pause(hub.database, "Springfield", today, today - timedelta(days=1))
    run_decisions.pause(hub.database, "Springfield", today - timedelta(days=1), None)
    with pytest.raises(Refused, match="is paused since"):
        run_decisions.sync_files(*args, files, How())
    run_decisions.resume(hub.database, "Springfield")
    with pytest.raises(Refused, match="is not paused"):
        run_decisions.resume(hub.database, "Springfield")
    assert run_decisions.sync_files(*args, files, How(), is_lenient=True).state == "committed"
