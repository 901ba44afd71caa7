"""A demo moves on: days, terms, years and scenarios, each with a roster and a feed that fit together."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.demo import build, demo_folder, published
from rollbook.demo.advance import Moved
from rollbook.demo.demo_folder import MOVING
from rollbook.errors import BadSetting, Busy, Unknown
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import State
from rollbook.store.engine.database import open_database
from rollbook.store.records import people_lookup
from tests import demos
from tests.demos import Demo
from tests.journeys import program, starter

DAY_SECONDS = 86_400
WAIT_SECONDS = 60


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def state_of(demo: Demo) -> State:
    database = open_database(str(demo.folder / "rollbook.db"))
    with database.read() as transaction:
        found = demo_state.state(transaction, 1)
    database.close()
    return found


def events_about(demo: Demo, id_: str) -> list[dict[str, Any]]:
    return [event for event in demo.feed if event["data"]["object"]["id"] == id_]


def types(events: list[dict[str, Any]]) -> set[str]:
    return {event["type"] for event in events}


def person(moved: list[Moved]) -> tuple[str, str, str]:
    """SIS id, id before and id after of the person in the last run; blank if they have gone."""
    after, now = moved[-1].run.after, moved[-1].person
    assert after
    assert after.person
    assert now
    return now.sis_id, after.person.id, now.id


def test_user_tokens_are_of_people_of_one_role_though_some_people_have_two(demo: Demo) -> None:
    users = {user["id"]: [*user["roles"]] for user in demo.list("users?limit=10000")}
    assert any(len(roles) > 1 for roles in users.values())
    for token, role in published.USER_TOKENS:
        assert users[demo.get("/v3.0/me", token)["data"]["id"]] == [role]


def test_a_user_token_goes_to_somebody_of_more_roles_rather_than_to_nobody(demo: Demo) -> None:
    database = open_database(str(demo.folder / "rollbook.db"))
    with database.read() as transaction:
        access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        staff = people_lookup.everybody(
            transaction, people_lookup.whole(transaction, 1), role="staff", school=""
        )
    several = [person.id for person in staff if len(person.roles) > 1]
    assert access
    assert several
    with database.write() as transaction:
        for person in staff:
            if person.id not in several:
                transaction.run("DELETE FROM records WHERE id = ?", (person.id,))
    build.renew_user_tokens(database, access, districts.list_all(database)[0])
    database.close()
    assert demo.get("/v3.0/me", "ilc_DEMO_SCHOOL_ADMIN_TOKEN")["data"]["id"] in several


# Days and the clock --------------------------------------------------------------------------------


def test_a_new_demo_stands_on_day_0_with_an_empty_feed(demo: Demo) -> None:
    state = state_of(demo)
    assert (state.day, state.date, state.students, state.seed, state.in_force) == (
        0,
        "2026-08-17",
        200,
        1,
        (),
    )
    assert demo.pull() == []


def test_a_day_is_a_day_later_for_runs_records_and_events(demo: Demo) -> None:
    first = state_of(demo).first
    demo.move("30")
    moments = [seconds(event["created"]) for event in demo.feed]
    assert moments == [pytest.approx(first + 30 * DAY_SECONDS, abs=3)] * len(moments)
    for event in demo.feed:
        record = event["data"]["object"]
        if event["type"] == "users.created":
            assert seconds(record["created"]) == pytest.approx(first + 30 * DAY_SECONDS, abs=1)
        if event["type"].endswith(".updated") and "last_modified" in record:
            assert seconds(record["created"]) < seconds(record["last_modified"])
    assert seconds(demo.list("districts")[0]["last_sync"]) == pytest.approx(
        first + 30 * DAY_SECONDS, abs=0.01
    )
    assert {"users.created", "users.updated", "users.deleted", "sections.updated"} <= types(demo.feed)


def test_days_add_up_and_nothing_runs_backwards(demo: Demo) -> None:
    runs = [demo.move(target)[0].run for target in ("1", "mass-deletion", "discard", "2")]
    assert [run.after.day if run.after else None for run in runs] == [1, 2, None, 4]
    created = [run.created for run in runs if run.cause == "files"]
    assert created == sorted(created)
    assert [event["created"] for event in demo.feed] == sorted(event["created"] for event in demo.feed)


def test_events_older_than_their_keeping_are_dropped_by_the_demos_clock(demo: Demo) -> None:
    demo.move("student-changes-school")
    old = {event["id"] for event in demo.feed}
    demo.move("40")
    assert old & {event["id"] for event in demo.list("events?limit=10000")} == set()


def test_a_term_and_a_year_replace_sections(demo: Demo) -> None:
    sections = {section["id"] for section in demo.list("sections?limit=10000")}
    term = demo.move("term")[0].run
    assert term.state == "committed"
    rollover = demo.move("rollover")[0].run
    assert (rollover.after.day if rollover.after else 0, rollover.after.date if rollover.after else "") == (
        365,
        "2027-08-17",
    )
    assert sections & {section["id"] for section in demo.list("sections?limit=10000")} == set()


def test_the_last_day_is_refused_before_anything_is_done(demo: Demo) -> None:
    before = demo.roster()
    for target in ("10951", "0", "-1", "tomorrow", "student-changes-school@4"):
        with pytest.raises(BadSetting):
            demo.move(target)
    assert before == demo.roster()
    assert state_of(demo).day == 0


# Scenarios -----------------------------------------------------------------------------------------


def test_a_student_changes_school_and_stays_there(demo: Demo) -> None:
    before = demo.people("student")
    sis_id, id_, _ = person(demo.move("student-changes-school"))
    old, new = before[sis_id]["roles"]["student"], demo.people("student")[sis_id]["roles"]["student"]
    assert old["school"] != new["school"]
    updated = events_about(demo, id_)
    assert types(updated) == {"users.updated"}
    previous = updated[0]["data"]["previous_attributes"]["roles"]["student"]
    assert {"school": old["school"], "schools": old["schools"]} == {
        name: previous[name] for name in ("school", "schools")
    }
    left = [
        event
        for event in demo.feed
        if id_ in event["data"].get("previous_attributes", {}).get("students", ())
    ]
    joined = [
        event
        for event in demo.feed
        if event["type"] == "sections.updated" and id_ in event["data"]["object"]["students"]
    ]
    assert {event["data"]["object"]["school"] for event in left} == {old["school"]}
    assert {event["data"]["object"]["school"] for event in joined} == {new["school"]}
    demo.move("30")
    assert demo.people("student")[sis_id]["roles"]["student"]["school"] == new["school"]


def test_a_second_student_changes_school(demo: Demo) -> None:
    moved = [person(demo.move("student-changes-school"))[0] for _ in range(2)]
    assert len({*moved}) == 2


def test_a_teacher_becomes_staff_too(demo: Demo) -> None:
    sis_id, before, now = person(demo.move("teacher-becomes-staff"))
    teacher = demo.people("teacher")[sis_id]
    assert (before, {"teacher", "staff"}) == (now, {*teacher["roles"]})
    updated = events_about(demo, now)
    assert types(updated) == {"users.updated"}
    assert updated[0]["data"]["previous_attributes"]["roles"] == {"staff": {}}


def test_section_ids_that_are_reused_update_sections_instead_of_replacing_them(demo: Demo) -> None:
    before = {section["id"]: section for section in demo.list("sections?limit=10000")}
    run = demo.move("section-ids-reused")[0].run
    after = {section["id"]: section for section in demo.list("sections?limit=10000")}
    assert (run.state, run.after.day if run.after else 0) == ("committed", 365)
    assert len(before.keys() & after.keys()) > 0.9 * len(before)
    assert sum(
        before[same]["name"] != after[same]["name"] for same in before.keys() & after.keys()
    ) > 0.8 * len(before)
    assert run.events["sections.updated"] > 0.9 * len(before)


def test_half_a_file_is_held_and_the_next_night_goes_on(demo: Demo) -> None:
    before = {key: record for key, record in demo.roster().items() if key[0] != "districts"}
    run = demo.move("half-a-file")[0].run
    assert run.state == "held"
    assert any("students" in reason and "would be deleted" in reason for reason in run.held_because)
    after = demo.roster()
    district = next(record for key, record in after.items() if key[0] == "districts")
    assert before == {key: record for key, record in after.items() if key[0] != "districts"}
    assert (district["state"], types(demo.feed)) == ("pending", {"districts.updated"})
    assert demo.move("1")[0].run.state == "committed"
    assert demo.list("districts")[0]["state"] == "running"
    assert len(demo.people("student")) >= 0.95 * demos.STUDENTS


def test_a_mass_deletion_is_held_approved_and_followed_by_whole_files(demo: Demo) -> None:
    before = demo.people("student")
    token = next(token for token, role in published.USER_TOKENS if role == "student")
    held = demo.move("mass-deletion")[0].run
    assert (held.state, before) == ("held", demo.people("student"))
    approved = demo.move("approve")[0].run
    few = demo.people("student")
    assert approved.after
    assert (approved.cause, approved.after.day) == ("approval", 1)
    assert 0.05 * len(before) < len(few) < 0.15 * len(before)
    # The holder of the published user token may have gone; then another person has it.
    assert demo.get("/v3.0/me", token)["data"]["id"] in {user["id"] for user in few.values()}
    with pytest.raises(Unknown, match="held"):
        demo.move("approve")
    demo.move("1")
    back = demo.people("student")
    assert {sis_id: user["id"] for sis_id, user in back.items() if sis_id in before} == {
        sis_id: user["id"] for sis_id, user in before.items() if sis_id in back
    }
    assert len(back.keys() & before.keys()) >= 0.95 * len(before)


def test_a_mass_deletion_is_discarded(demo: Demo) -> None:
    before = demo.people("student")
    demo.move("mass-deletion")
    discarded = demo.move("discard")[0].run
    assert (discarded.cause, before) == ("discard", demo.people("student"))
    assert demo.list("districts")[0]["state"] == "running"


def test_a_person_who_leaves_stays_away(demo: Demo) -> None:
    sis_id, id_, now = person(demo.move("person-leaves"))
    assert (types(events_about(demo, id_)), now) == ({"users.deleted"}, "")
    demo.move("30")
    assert sis_id not in demo.people("student")


@pytest.mark.parametrize(("days", "keeps_id", "start"), [(299, True, "200"), (301, False, "")])
def test_a_person_comes_back_with_the_same_id_within_300_days(
    demo: Demo, days: int, keeps_id: bool, start: str
) -> None:
    if start:
        demo.move(start)
        demo.feed.clear()
    before = demo.people("student")
    gone, back = demo.move(f"back-after-{days}-days")
    sis_id, old, new = person([back])
    assert person([gone]) == (sis_id, old, "")
    assert (before[sis_id]["id"], demo.people("student")[sis_id]["id"]) == (old, new)
    assert (old == new) is keeps_id
    assert seconds(back.run.created) - seconds(gone.run.created) == pytest.approx(
        days * DAY_SECONDS, abs=0.01
    )
    assert types(events_about(demo, new)) == (
        {"users.deleted", "users.created"} if keeps_id else {"users.created"}
    )


# Laws ----------------------------------------------------------------------------------------------

LONG_STORY = (
    ("student-changes-school", "half-a-file", "1", "mass-deletion", "approve", "1", "teacher-becomes-staff"),
    ("section-ids-reused", "back-after-301-days", "term"),
)


@pytest.mark.parametrize("targets", LONG_STORY, ids=["days", "years"])
def test_the_events_make_the_first_roster_the_last_one(demo: Demo, targets: tuple[str, ...]) -> None:
    first = demo.roster()
    for target in targets:
        demo.move(target)
    assert demos.replayed(first, demo.feed) == demo.roster()


def test_the_same_seed_and_moves_give_the_same_ids_dates_and_events(demo: Demo, tmp_path: Path) -> None:
    told = []
    for each in (demo, Demo(demos.make(tmp_path / "other"))):
        for target in ("back-after-299-days", "half-a-file", "discard", "student-changes-school"):
            each.move(target)
        told.append((each.roster(), each.feed))
    assert told[0] == told[1]


def test_another_seed_gives_other_ids(demo: Demo, tmp_path: Path) -> None:
    other = Demo(demos.make(tmp_path / "other", seed=2))
    assert {id_ for _, id_ in demo.roster()} & {id_ for _, id_ in other.roster()} == set()


def test_what_somebody_does_between_moves_does_not_leave_the_demos_clock(demo: Demo) -> None:
    database = open_database(str(demo.folder / "rollbook.db"))
    district = districts.list_all(database)[0]
    sync.pause(database, district, date(2026, 1, 1), None)
    sync.resume(database, district)
    database.close()
    first = state_of(demo).first
    run = demo.move("1")[0].run
    assert seconds(run.created) == pytest.approx(first + DAY_SECONDS, abs=0.01)
    assert seconds(demo.feed[-1]["created"]) == pytest.approx(first + DAY_SECONDS, abs=3)


# Breaks --------------------------------------------------------------------------------------------


class Cut(BaseException):
    """The process was killed."""


def cut_before(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Kill the process after the files are written, before the sync of the `call`th night."""
    calls = 0
    run = sync.run

    def cut(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Cut
        return run(*arguments, **options)

    monkeypatch.setattr(sync, "run", cut)


def test_a_break_between_files_and_commit_leaves_the_day_before(
    demo: Demo, made_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Demo.copied(made_demo, tmp_path / "undisturbed")
    first = demo.roster()
    with monkeypatch.context() as broken:
        cut_before(broken, 1)
        with pytest.raises(Cut):
            demo.move("30")
    assert (state_of(demo).day, first) == (0, demo.roster())
    for each in (demo, undisturbed):
        each.move("2")
    assert state_of(demo).day == 2
    assert demos.without_ids_and_dates(undisturbed) == demos.without_ids_and_dates(demo)


def test_a_story_that_broke_off_is_told_to_its_end(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        cut_before(broken, 2)
        with pytest.raises(Cut):
            demo.move("back-after-299-days")
    state = state_of(demo)
    assert (state.day, state.unfinished, state.nights) == (1, "back-after-299-days", 1)
    (back,) = demo.move("back-after-299-days")
    _, old, new = person([back])
    assert (old, 300) == (new, back.run.after.day if back.run.after else 0)
    assert state_of(demo).unfinished == ""


@pytest.mark.parametrize("pause", [0.0, 0.25])
def test_a_kill_leaves_a_day_from_which_it_goes_on(demo: Demo, tmp_path: Path, pause: float) -> None:
    first = demo.roster()
    students = demo.folder / "files" / "students.csv"
    written = students.stat().st_mtime_ns
    with open(os.devnull, "w") as nowhere:
        process = starter.Process(
            ["demo", "--folder", str(demo.folder), "--advance", "30"],
            tmp_path,
            program.environment(),
            out=nowhere.fileno(),
            errors=nowhere.fileno(),
        )
    until(lambda: students.stat().st_mtime_ns != written)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.wait()
    demo.pull()
    day = state_of(demo).day
    assert day in (0, 30)
    assert bool(demo.feed) is (day == 30)
    moved = demo.move("1")[0].run
    assert (moved.sync, state_of(demo).day) == ((4 if day else 3), day + 1)
    assert demos.replayed(first, demo.feed) == demo.roster()


def test_two_moves_at_once_are_one_and_a_refusal(demo: Demo) -> None:
    with (demo.folder / MOVING).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="already"):
            demo.move("1")
    assert demo.move("1")[0].run.state == "committed"


def until(condition: Callable[[], bool]) -> None:
    for _ in range(WAIT_SECONDS * 200):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("it did not happen")


# The command ---------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return program.run("demo", "--folder", folder, "--advance", *arguments, folder=folder.parent)


def test_the_command_makes_a_demo_that_is_not_there_and_moves_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    demo_folder.begin(folder)
    (folder / "rollbook.db").write_bytes(b"")  # the command was killed while making it
    done = run(folder, "1", "--students", "60", "--json")
    assert done.returncode == 0, done.stderr
    assert [(run["day"], run["date"], run["state"]) for run in json.loads(done.stdout)["runs"]] == [
        (1, "2026-08-18", "committed")
    ]


def test_the_command_says_what_happened_and_what_to_do(demo: Demo) -> None:
    done = run(demo.folder, "mass-deletion")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Day 1, Tuesday 18 August 2026: sync 3 is held: nothing was changed"
    assert "  1 event: 1 districts.updated" in lines
    assert f"    rollbook demo --folder {demo.folder} --advance approve" in lines
    refused = run(demo.folder, "nothing", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["kind"]) == (1, "BadSetting")
    assert refused.stderr.startswith("rollbook: expected a number of days, or one of term, rollover")


def test_day_0_is_the_first_school_day_whenever_the_demo_was_made(demo: Demo) -> None:
    district = demo.list("districts")[0]
    assert (district["launch_date"], district["last_sync"]) == ("2026-08-17", "2026-08-17T06:00:00.000Z")
    assert {record.get("created", district["last_sync"]) for record in demo.roster().values()} == {
        district["last_sync"]
    }
