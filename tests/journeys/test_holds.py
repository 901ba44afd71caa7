"""Files that look wrong: planned, held, approved, discarded, replaced; and a paused district."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any

import orjson
import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.domain.access import Access
from rollbook.domain.guard import Threshold
from rollbook.errors import BadSetting, Busy, Refused, RollbookError, SourceRejected, Unknown
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts, thresholds
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import commits, event_feed
from rollbook.sync import How, Sync
from tests.store.stored import texts

Files = dict[str, str]
Json = dict[str, Any]

NOW = time.time()
TOKEN = "token of the reader"
APPROVED = How(is_approved=True, name="Ash District")


def roll(
    students: int = 100, *, first: int = 0, prefix: str = "", changed: Mapping[str, str] | None = None
) -> Files:
    """A district with one school, one teacher, one section and a number of students; one of them is in the
    section.

    `changed` names students whose last name differs.
    """
    changed = changed or {}
    names = [f"{prefix}s{number:04}" for number in range(first, first + students)]
    rows = "".join(f"{prefix}ash,{name},{changed.get(name, 'Ash')},Ann\n" for name in names)
    return {
        "schools.csv": f"School_id,School_name,School_number\n{prefix}ash,Ash School,1\n",
        "teachers.csv": f"School_id,Teacher_id,First_name,Last_name\n{prefix}ash,{prefix}lund,Lars,Lund\n",
        "students.csv": f"School_id,Student_id,Last_name,First_name\n{rows}",
        "sections.csv": f"School_id,Section_id,Teacher_id,Name\n{prefix}ash,{prefix}algebra,{prefix}lund,Algebra\n",
        "enrollments.csv": f"School_id,Section_id,Student_id\n{prefix}ash,{prefix}algebra,{names[0]}\n",
    }


def renamed(number: int) -> dict[str, str]:
    return {f"s{at:04}": "Birch" for at in range(number)}


class Office:
    """A district's office: it sends files, and reads what the API shows of them."""

    def __init__(self, address: str, folder: Path) -> None:
        self.settings = setting_rows.read({}, database=address, key_file=str(folder / "key"))
        self.database: Database = open_database(address)
        self.folder = folder
        self.sent = 0
        migrate(self.database)
        if not districts.list_all(self.database):
            self._connect(districts.create(self.database, "Ash District"))
        self.first: District = districts.list_all(self.database)[0]
        with self.database.read() as transaction:
            access = connections.resolve(transaction, TOKEN, in_demo=False)
        assert access is not None
        self.access: Access = access

    def _connect(self, district: District) -> None:
        view = sync.view_of(self.database, district, Spec(), self.settings)
        application, _ = applications.create(self.database, NewApplication("Reader"))
        connections.connect(
            self.database, Sealer(key_path(self.settings)), application, district, view, token=TOKEN
        )
        event_feed.switch(self.database, application.number, on=True)

    @property
    def district(self) -> District:
        return districts.find(self.database, self.first.id)

    def send(self, files: Mapping[str, str], *, days: float = 0, **how: Any) -> Sync:
        self.sent += 1
        folder = self.folder / f"files{self.sent}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        made = How(moment=NOW + days * 86_400, **how)
        return sync.run(self.database, self.first, folder, self.settings, how=made)

    def state(self) -> dict[tuple[str, str], str]:
        """Every record of the view except the district's own, as bytes."""
        with self.database.read() as transaction:
            rows = texts(transaction, self.access.view)
        return {(kind, id_): body for kind, id_, body, _ in rows if kind != "districts"}

    def shown(self) -> Json:
        """The district's own record, as the API shows it."""
        with self.database.read() as transaction:
            found = transaction.row(
                "SELECT body FROM records WHERE view = ? AND kind = 'districts'", (self.access.view,)
            )
        assert found is not None
        return dict(orjson.loads(found[0]))

    def events(self) -> list[Json]:
        with self.database.read() as transaction:
            rows = transaction.rows("SELECT body FROM events WHERE view = ? ORDER BY id", (self.access.view,))
        return [orjson.loads(body) for (body,) in rows]

    def everything(self) -> str:
        """A hash of the whole database, table by table."""
        found = hashlib.sha256()
        with self.database.read() as transaction:
            tables = [
                name
                for (name,) in transaction.rows(
                    "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
                )
            ]
            for table in tables:
                found.update(
                    f"{table} {sorted(map(repr, transaction.rows(f'SELECT * FROM {table}')))}".encode()
                )
        return found.hexdigest()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Office]:
    """An office that has sent nothing yet."""
    made = Office(str(tmp_path / "rollbook.db"), tmp_path)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with 100 students; each test takes a copy."""
    folder = tmp_path_factory.mktemp("loaded")
    made = Office(str(folder / "rollbook.db"), folder)
    made.send(roll())
    made.database.close()
    return folder


@pytest.fixture
def office(loaded: Path, tmp_path: Path) -> Iterator[Office]:
    """An office that has sent 100 students."""
    for name in ("rollbook.db", "key"):
        copyfile(loaded / name, tmp_path / name)
    made = Office(str(tmp_path / "rollbook.db"), tmp_path)
    yield made
    made.database.close()


def held_because(done: Sync) -> list[tuple[str, str, int]]:
    return [(reason.kind, reason.verb, reason.count) for reason in done.reasons]


def verbs(found: list[Json]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for event in found:
        counted[event["type"]] = counted.get(event["type"], 0) + 1
    return counted


# Limits ----------------------------------------------------------------------------------------------------


def test_exactly_75_percent_updated_or_more_than_10_percent_deleted_are_held(empty: Office) -> None:
    assert empty.send(roll(1000)).state == "committed"
    assert held_because(empty.send(roll(1000, changed=renamed(749)), is_plan=True)) == []
    assert held_because(empty.send(roll(1000, changed=renamed(750)), is_plan=True)) == [
        ("students", "updated", 750)
    ]
    assert held_because(empty.send(roll(900), is_plan=True)) == []
    assert held_because(empty.send(roll(899), is_plan=True)) == [("students", "deleted", 101)]


def test_the_first_sync_and_the_sync_after_its_undo_have_no_limits(empty: Office) -> None:
    assert empty.send(roll(20)).state == "committed"
    sync.undo(empty.database, empty.district, empty.settings, APPROVED)
    assert empty.state() == {}
    assert empty.send(roll(5, first=100)).state == "committed"


def test_a_districts_own_limits_replace_the_documented_ones(office: Office) -> None:
    thresholds.write(office.database, office.district, "students", Threshold(updated=0, deleted=20))
    assert held_because(office.send(roll(80, changed=renamed(80)), is_plan=True)) == []
    assert held_because(office.send(roll(79), is_plan=True)) == [("students", "deleted", 21)]


# A plan ----------------------------------------------------------------------------------------------------


def test_a_plan_writes_nothing_and_has_the_counts_of_the_run(office: Office) -> None:
    before = office.everything()
    bytes_before = (office.folder / "rollbook.db").read_bytes()
    files = roll(100, first=5, changed={f"s{number:04}": "Birch" for number in range(20, 40)})
    planned = office.send(files, days=1, is_plan=True)
    assert before == office.everything()
    assert bytes_before == (office.folder / "rollbook.db").read_bytes()
    assert (planned.state, planned.number) == ("planned", None)
    done = office.send(files, days=1, is_approved=True)
    assert done.state == "committed"
    assert {kind: asdict(counts) for kind, counts in planned.kinds.items()} == {
        kind: asdict(counts) for kind, counts in done.kinds.items()
    }
    students = done.kinds["students"]
    assert (students.existing, students.created, students.updated, students.deleted) == (100, 5, 20, 5)
    assert {sample["verb"] for sample in planned.samples if sample["kind"] == "users"} == {
        "created",
        "updated",
        "deleted",
    }


def test_a_plan_of_a_sync_that_would_be_held_says_why_and_writes_nothing(office: Office) -> None:
    before = office.everything()
    planned = office.send(roll(50), is_plan=True)
    assert held_because(planned) == [("students", "deleted", 50)]
    assert before == office.everything()


def test_a_plan_of_files_that_cannot_be_used_writes_nothing(office: Office) -> None:
    before = office.everything()
    with pytest.raises(SourceRejected):
        office.send({**roll(), "students.csv": ""}, is_plan=True)
    assert before == office.everything()


def test_a_plan_of_a_first_load_shows_what_would_appear(empty: Office) -> None:
    before = empty.everything()
    planned = empty.send(roll(10), is_plan=True)
    assert planned.kinds["students"].created == 10
    assert before == empty.everything()


# Held, and then --------------------------------------------------------------------------------------------


def test_a_held_sync_changes_nothing_but_the_districts_record(office: Office) -> None:
    before, published = office.state(), office.events()
    last_sync = office.shown()["last_sync"]
    done = office.send(roll(50), days=1)
    assert done.state == "held"
    assert before == office.state()
    assert [event["type"] for event in office.events()[len(published) :]] == ["districts.updated"]
    shown = office.shown()
    assert (shown["state"], shown["last_sync"]) == ("pending", last_sync)
    assert shown["error"] == "Held for approval: the last upload would change unusually much."


def test_an_approval_applies_exactly_the_held_files_days_later(office: Office) -> None:
    office.send(roll(50), days=1)
    done = sync.approve(office.database, office.district, office.settings, how=How(moment=NOW + 9 * 86_400))
    assert done.state == "committed"
    approved = office.state()
    assert verbs(office.events())["users.deleted"] == 50
    shown = office.shown()
    assert (shown["state"], shown["error"]) == ("running", "")
    assert shown["last_sync"] == districts.timestamp(NOW + 9 * 86_400)
    assert office.send(roll(50), days=10).kinds["students"].deleted == 0
    assert approved == office.state()
    with pytest.raises(Unknown, match="no sync of 'Ash District' is held"):
        sync.approve(office.database, office.district, office.settings)


def test_a_discarded_sync_leaves_the_district_as_it_was_before_it(office: Office) -> None:
    before, shown = office.state(), office.shown()
    office.send(roll(50), days=1)
    sync.discard(office.database, office.first)
    assert (before, shown) == (office.state(), office.shown())
    with pytest.raises(Unknown):
        sync.approve(office.database, office.district, office.settings)
    with pytest.raises(Unknown):
        sync.discard(office.database, office.district)
    assert office.send(roll(95), days=2).state == "committed"


def test_discarding_leaves_a_later_failure_to_be_mended(office: Office) -> None:
    office.send(roll(50), days=1)
    with pytest.raises(SourceRejected):
        office.send({**roll(100), "students.csv": ""}, days=2)
    shown = office.shown()
    sync.discard(office.database, office.district)
    assert shown == office.shown()
    assert shown["state"] == "pending"


def test_a_better_load_replaces_the_held_one(office: Office) -> None:
    office.send(roll(50), days=1)
    assert office.send(roll(95), days=2).state == "committed"
    assert office.shown()["state"] == "running"
    with pytest.raises(Unknown):
        sync.approve(office.database, office.district, office.settings)


def test_another_load_that_looks_wrong_replaces_the_held_one(office: Office) -> None:
    office.send(roll(50), days=1)
    office.send(roll(60), days=2)
    sync.approve(office.database, office.district, office.settings)
    assert verbs(office.events())["users.deleted"] == 40
    assert [run.state for run in commits.runs(office.database, office.district)] == [
        "committed",
        "approved",
        "replaced",
        "committed",
    ]


def test_deleting_nearly_everything_needs_the_districts_name(office: Office) -> None:
    before = office.state()
    assert office.send(roll(4), days=1, is_approved=True).state == "held"
    for name in (None, "Birch District", "ash district"):
        with pytest.raises(BadSetting, match="repeat the district's name: 'Ash District'"):
            sync.approve(office.database, office.district, office.settings, name=name)
        assert before == office.state()
    sync.approve(office.database, office.district, office.settings, name="Ash District")
    assert verbs(office.events())["users.deleted"] == 96


def test_a_sync_approved_beforehand_is_not_held(office: Office) -> None:
    assert office.send(roll(50), days=1, is_approved=True).state == "committed"
    assert office.send(roll(2), days=2, is_approved=True, name="Ash District").state == "committed"


# The next morning ------------------------------------------------------------------------------------------


def test_reports_forget_people_when_older_versions_are_forgotten_and_keep_their_counts(
    office: Office,
) -> None:
    files = roll(50)
    office.send({**files, "enrollments.csv": files["enrollments.csv"] + "ash,algebra,nobody\n"}, days=1)
    report = commits.run(office.database, office.district, 2).report
    assert [sample["label"] for sample in report["samples"] if sample["verb"] == "deleted"] == ["Ann Ash"] * 3
    assert report["problem_groups"][0]["examples"]
    office.send(roll(), days=100)
    assert report == commits.run(office.database, office.district, 2).report
    office.send(roll(), days=102)
    short = commits.run(office.database, office.district, 2).report
    assert (short["samples"], short["problems"], short["problem_groups"][0]["examples"]) == ([], [], [])
    for kept in ("kinds", "held_because", "problem_counts", "needs_name"):
        assert report[kept] == short[kept]
    office.send(roll(), days=103)
    assert short == commits.run(office.database, office.district, 2).report


# Wrong files -----------------------------------------------------------------------------------------------


def test_half_a_file_is_held(office: Office) -> None:
    files = roll()
    before = office.state()
    lines = files["students.csv"].splitlines(keepends=True)
    done = office.send({**files, "students.csv": "".join(lines[:51])}, days=1)
    assert held_because(done) == [("students", "deleted", 50)]
    assert before == office.state()


def test_an_optional_file_that_lost_its_rows_is_held(empty: Office) -> None:
    header = "School_id,Staff_id,Staff_email,First_name,Last_name\n"
    empty.send({**roll(), "staff.csv": header + "ash,frost,frost@example.org,Fay,Frost\n"})
    before = empty.state()
    for staff in (header, ""):
        assert held_because(empty.send({**roll(), "staff.csv": staff})) == [("staff", "deleted", 1)]
        assert before == empty.state()


def test_a_file_cut_off_within_a_row_is_stopped_with_a_sentence(office: Office) -> None:
    files = roll()
    before = office.state()
    cut = files["students.csv"][: len(files["students.csv"]) // 2].rpartition(",")[0]
    with pytest.raises(SourceRejected):
        office.send({**files, "students.csv": cut}, days=1)
    assert before == office.state()
    assert "students.csv" in office.shown()["error"]


@pytest.mark.parametrize(
    "text", ["", "School_id,Student_id,Last_name,First_name\n"], ids=["empty", "only a header"]
)
def test_an_empty_file_is_stopped_and_shown_and_changes_nothing_else(office: Office, text: str) -> None:
    before, published, shown = office.state(), office.events(), office.shown()
    with pytest.raises(SourceRejected):
        office.send({**roll(), "students.csv": text}, days=1)
    assert before == office.state()
    told = (
        "The last upload could not be used: students.csv: file "
        f"{'has no rows of data' if text else 'is empty'}."
    )
    assert {**shown, "state": "pending", "error": told} == office.shown()
    assert [event["type"] for event in office.events()[len(published) :]] == ["districts.updated"]
    assert [run.state for run in commits.runs(office.database, office.district)] == ["failed", "committed"]
    assert office.send(roll(), days=2).state == "committed"
    assert {**shown, "last_sync": districts.timestamp(NOW + 2 * 86_400)} == office.shown()


def test_a_missing_file_is_stopped_by_name(office: Office) -> None:
    files = roll()
    del files["enrollments.csv"]
    with pytest.raises(SourceRejected):
        office.send(files, days=1)
    assert "enrollments.csv" in office.shown()["error"]


def test_last_years_files_are_held(office: Office) -> None:
    before = office.state()
    done = office.send(roll(100, first=5, changed=renamed(85)), days=1)
    assert ("students", "updated", 80) in held_because(done)
    assert before == office.state()


def test_another_districts_files_are_held_and_ask_for_the_name(office: Office) -> None:
    before = office.state()
    done = office.send(roll(prefix="x"), days=1)
    assert {
        ("schools", "deleted", 1),
        ("students", "deleted", 100),
        ("teachers", "deleted", 1),
        ("sections", "deleted", 1),
    } <= set(held_because(done))
    with pytest.raises(BadSetting):
        sync.approve(office.database, office.district, office.settings)
    assert before == office.state()


# Pauses ----------------------------------------------------------------------------------------------------

TODAY = date.today()


def test_a_paused_district_takes_no_files_and_says_so(office: Office) -> None:
    before = office.state()
    sync.pause(office.database, office.district, TODAY, TODAY + timedelta(days=30))
    shown = office.shown()
    dates = (TODAY.isoformat(), (TODAY + timedelta(days=30)).isoformat())
    assert (shown["state"], shown["pause_start"], shown["pause_end"]) == ("paused", *dates)
    with pytest.raises(Refused, match=f"paused since {dates[0]}, until {dates[1]}"):
        office.send(roll(99))
    assert (before, shown) == (office.state(), office.shown())
    sync.resume(office.database, office.district)
    shown = office.shown()
    assert shown["state"] == "running"
    assert "pause_start" not in shown
    assert "pause_end" not in shown
    assert office.send(roll(99), days=1).state == "committed"


def test_a_pause_without_an_end_lasts(empty: Office) -> None:
    sync.pause(empty.database, empty.district, TODAY, None)
    assert "pause_end" not in empty.shown()
    with pytest.raises(Refused, match="with no end set"):
        empty.send(roll(10), days=400)


def test_a_pause_begins_and_ends_by_its_dates(empty: Office) -> None:
    start, end = TODAY + timedelta(days=10), TODAY + timedelta(days=20)
    sync.pause(empty.database, empty.first, start, end)
    assert empty.shown()["state"] == "pending"
    assert empty.send(roll(20), days=8).state == "committed"
    assert empty.shown()["state"] == "running"
    with pytest.raises(Refused):
        empty.send(roll(20), days=15)
    assert empty.shown()["state"] == "paused"
    assert empty.send(roll(20), days=22).state == "committed"
    assert empty.shown()["state"] == "running"


def test_a_pause_that_ends_before_it_begins_is_refused(office: Office) -> None:
    with pytest.raises(BadSetting, match="until: expected a day on or after"):
        sync.pause(office.database, office.district, TODAY, TODAY - timedelta(days=1))


def test_resuming_keeps_the_error_from_before_the_pause(office: Office) -> None:
    office.send(roll(50), days=1)
    shown = office.shown()
    sync.pause(office.database, office.district, TODAY, None)
    sync.resume(office.database, office.district)
    assert shown == office.shown()
    assert shown["state"] == "pending"


def test_taking_a_sync_back_does_not_end_a_pause(office: Office) -> None:
    sync.pause(office.database, office.district, TODAY, None)
    sync.undo(office.database, office.district, office.settings, APPROVED)
    assert office.shown()["state"] == "paused"


# Killed ----------------------------------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
from rollbook import settings, sync
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
database = open_database(sys.argv[1])
district = districts.list_all(database)[0]
how = sync.How(is_approved=True)
made = settings.read({}, database=sys.argv[1])
sync.run(database, district, Path(sys.argv[2]), made, how=how, progress=lambda stage: print(stage, flush=True))
print("done", flush=True)
"""


def test_a_run_that_is_killed_leaves_the_old_snapshot_or_the_new_one(office: Office) -> None:
    folder = office.folder / "more"
    folder.mkdir()
    for name, text in roll(4000, changed=renamed(50)).items():
        (folder / name).write_text(text)
    before, published = office.state(), len(office.events())
    for stage, seconds in (
        ("comparing", 0.1),
        ("writing", 0.0),
        ("writing", 0.1),
        ("writing", 0.15),
        ("writing", 0.2),
    ):
        command = [sys.executable, "-c", RUN, str(office.folder / "rollbook.db"), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            while not run.stdout.readline().startswith(stage):
                assert run.poll() is None
            time.sleep(seconds)
            run.send_signal(signal.SIGKILL)
        if office.state() == before:
            assert len(office.events()) == published
        else:
            break
    done = sync.run(office.database, office.first, folder, office.settings, how=How(is_approved=True))
    assert done.state == "committed"
    assert sum(1 for kind, _ in office.state() if kind == "users") == 4001
    users = [event["type"] for event in office.events()[published:] if event["type"].startswith("users.")]
    assert Counter(users) == {"users.created": 3900, "users.updated": 50}


# Two at once -----------------------------------------------------------------------------------------------


def at_once(*calls: Any) -> list[RollbookError | None]:
    """Start all calls together; returns their errors, if any, in order."""
    gate = threading.Barrier(len(calls))
    found: list[RollbookError | None] = [None] * len(calls)

    def run(place: int) -> None:
        gate.wait()
        try:
            calls[place]()
        except RollbookError as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_two_syncs_at_once_one_is_applied_and_the_other_refused_with_a_reason(
    database_address: str, tmp_path: Path
) -> None:
    office = Office(database_address, tmp_path)
    office.send(roll(30))
    before = office.state()
    second = open_database(database_address)
    folders = []
    for number, files in enumerate((roll(29), roll(28))):
        folder = tmp_path / f"at-once-{number}"
        folder.mkdir()
        folders.append(folder)
        for name, text in files.items():
            (folder / name).write_text(text)
    errors = at_once(
        lambda: sync.run(office.database, office.first, folders[0], office.settings),
        lambda: sync.run(second, office.first, folders[1], office.settings),
    )
    for error in errors:
        assert error is None or isinstance(error, Busy), error
    applied = [error for error in errors if error is None]
    gone = len(before) - len(office.state())
    if len(applied) == 2:  # they ran one after another after all
        assert gone in (1, 2)
    else:
        assert len(applied) == 1
        assert gone == (1 if errors[0] is None else 2)
    # In any case no event is lost or doubled, and the next sync works.
    assert verbs(office.events())["users.deleted"] >= gone
    assert office.send(roll(28), days=1).state == "committed"
    assert len(before) - len(office.state()) == 2
    second.close()
    office.database.close()
