"""Syncs of the small world, on both databases: what changes, what stays, and what is refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.errors import Busy, RollbookError
from rollbook.store.district import districts
from rollbook.store.records import commits
from rollbook.store.records.commits import Snapshot
from rollbook.sync import How, Sync
from tests import world
from tests.journeys.canonical import canonical
from tests.journeys.hub import Client, Hub

# The world without South and the people who belong only to it, the resource, the contact, and the second
# roles of teachers.
SMALLER = {
    **world.FILES,
    "schools.csv": "School_id,School_name,School_number\nN,North High,101\n",
    "students.csv": "School_id,Student_id,Last_name,First_name\nN,emmy,Noether,Emmy\nN,alan,Turing,Alan\n",
    "teachers.csv": "School_id,Teacher_id,First_name,Last_name,Teacher_email\nN,t-ada,Ada,Lovelace,ada@north.example\n",
    "sections.csv": "School_id,Section_id,Teacher_id,Course_name,Course_number\n"
    "N,algebra,t-ada,Algebra,MA1\nN,homeroom,t-ada,,\n",
    "enrollments.csv": "School_id,Section_id,Student_id\nN,algebra,emmy\nN,algebra,alan\nN,homeroom,alan\n",
}
for absent in ("staff.csv", "administrators.csv", "resources.csv"):
    del SMALLER[absent]


def ids(client: Client) -> dict[str, str]:
    """Ids of records and of roles by SIS key."""
    found: dict[str, str] = {}
    for kind, field in (
        ("schools", "sis_id"),
        ("sections", "sis_id"),
        ("terms", "name"),
        ("courses", "name"),
        ("resources", "resource_id"),
    ):
        found |= {f"{kind} {record[field]}": record["id"] for record in client.records(f"/v3.0/{kind}")}
    for user in client.records("/v3.0/users"):
        for name, role in user["roles"].items():
            key = role.get("sis_id") or role.get("staff_id") or role["title"]
            found[f"{name} {key}"] = user["id"]
            if "legacy_id" in role:
                found[f"legacy {name} {key}"] = role["legacy_id"]
    return found


def counted(done: Sync) -> dict[str, tuple[int, int, int]]:
    """Created, updated and deleted records by kind, if any is not 0."""
    found = {kind: (counts.created, counts.updated, counts.deleted) for kind, counts in done.kinds.items()}
    return {kind: numbers for kind, numbers in found.items() if any(numbers)}


# --- what changes, and what stays -----------------------------------------------------------------------------------------


def test_second_sync_of_same_files_changes_nothing(synced_hub: Hub) -> None:
    client = synced_hub.client(synced_hub.connect())
    before = client.everything()
    again = synced_hub.sync(world.FILES, is_again=True)
    assert again.number == 2
    assert counted(again) == {}
    after = client.everything()
    assert {path for path in before if before[path] != after.get(path)} == {"/v3.0/districts"}
    (old,), (new,) = before["/v3.0/districts"], after["/v3.0/districts"]
    assert {**old, "last_sync": again.created} == new


def test_the_first_sync_creates_and_a_later_one_counts_what_it_does(synced_hub: Hub) -> None:
    first = synced_hub.first
    assert counted(first) == {
        "schools": (2, 0, 0),
        "terms": (1, 0, 0),
        "courses": (2, 0, 0),
        "resources": (1, 0, 0),
        "students": (3, 0, 0),
        "contacts": (1, 0, 0),
        "teachers": (2, 0, 0),
        "sections": (3, 0, 0),
    }
    second = synced_hub.sync(
        world.changed(
            ("students.csv", "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n", ""),
            ("schools.csv", "South Elementary", "South Primary"),
            ("teachers.csv", "Hopper", "Murray Hopper"),
            ("resources.csv", "plotter,Curve Plotter,student,Algebra,MA1\n", "atlas,Atlas,,Poetry,\n"),
        )
    )
    assert counted(second) == {
        "schools": (0, 1, 0),
        "resources": (1, 0, 1),
        "students": (0, 0, 1),
        "teachers": (0, 1, 0),
        "sections": (0, 1, 0),  # Poetry has its teacher's name in its own
    }
    assert second.kinds["students"].existing == 3


def test_only_what_changed_is_modified(synced_hub: Hub) -> None:
    first = synced_hub.first
    client = synced_hub.client(synced_hub.connect())
    before = client.everything()
    second = synced_hub.sync(world.changed(("students.csv", "Mathison", "M.")), days_on=1)
    assert counted(second) == {"students": (0, 1, 0)}
    after = client.everything()
    old = {user["id"]: user for user in before["/v3.0/users"]}
    new = {user["id"]: user for user in after["/v3.0/users"]}
    (alan,) = (id_ for id_ in old if old[id_] != new[id_])
    assert new[alan] == {
        **old[alan],
        "name": {"first": "Alan", "last": "Turing", "middle": "M."},
        "last_modified": second.created,
    }
    assert old[alan]["created"] == new[alan]["created"] == first.created
    # Every list with him shows his new record, and nothing else differs.
    for path, records in before.items():
        if path != "/v3.0/districts":
            assert after[path] == [new.get(record["id"], record) for record in records]


def test_rows_of_one_contact_that_change_places_change_nothing(hub: Hub) -> None:
    headers = (
        "School_id,Student_id,Last_name,First_name,Contact_name,Contact_type,Contact_phone,Contact_sis_id\n"
    )
    rows = [
        "N,emmy,Noether,Emmy,Max Noether,Family,2025550101,P1\n",
        "N,emmy,Noether,Emmy,Max Noether,Emergency,2025550102,P1\n",
        "N,alan,Turing,Alan,Max Noether,Other,2025550103,P1\n",
    ]
    files = {**SMALLER, "students.csv": headers + "".join(rows)}
    hub.sync(files)
    assert counted(hub.sync({**files, "students.csv": headers + "".join(reversed(rows))})) == {}


def test_moves_show_in_every_list_that_they_touch(synced_hub: Hub) -> None:
    client = synced_hub.client(synced_hub.connect())
    known = ids(client)
    synced_hub.sync(
        world.changed(
            ("enrollments.csv", "N,homeroom,alan", "S,poetry,alan"),
            ("enrollments.csv", "S,poetry,emmy\n", ""),
            ("sections.csv", "N,homeroom,t-ada,,Room 12,,,,,,\n", ""),
        )
    )
    alan, emmy, south, poetry = (
        known[name] for name in ("student alan", "student emmy", "schools S", "sections poetry")
    )

    def found(path: str) -> set[str]:
        return {record["id"] for record in client.records(f"/v3.0{path}")}

    assert found(f"/schools/{south}/users?role=student") == {alan, known["student katherine"]}
    assert found(f"/users/{emmy}/schools") == {known["schools N"]}
    assert found(f"/users/{alan}/sections") == {known["sections algebra"], poetry}
    assert found(f"/users/{emmy}/sections") == {known["sections algebra"]}
    assert found(f"/users/{known['teacher t-ada']}/sections") == {known["sections algebra"]}
    assert client.get(f"/v3.0/sections/{known['sections homeroom']}").status_code == 404
    assert client.get(f"/v3.0/sections/{known['sections homeroom']}/users").status_code == 404


def test_an_empty_district_has_lists_with_nothing_in_them(hub: Hub) -> None:
    client = hub.client(hub.connect())
    district = client.read("/v3.0/districts")["data"][0]["data"]
    assert (district["state"], district["error"]) == ("pending", "No files have been synced yet.")
    assert "last_sync" not in district
    for kind in ("schools", "terms", "courses", "sections", "users"):
        assert client.read(f"/v3.0/{kind}") == {
            "data": [],
            "links": [{"rel": "self", "uri": f"/v3.0/{kind}"}],
        }
        assert client.read(f"/v3.0/{kind}?count=true")["count"] == 0
    assert client.read("/v3.0/resources")["resources"] == []


def test_rejected_files_leave_the_roster_as_it_is(synced_hub: Hub) -> None:
    client = synced_hub.client(synced_hub.connect())
    before = client.everything()
    with pytest.raises(RollbookError, match=r"enrollments\.csv"):
        synced_hub.sync({name: text for name, text in world.FILES.items() if name != "enrollments.csv"})
    after = client.everything()
    assert {path for path in before if before[path] != after.get(path)} == {"/v3.0/districts"}
    assert "enrollments.csv" in after["/v3.0/districts"][0]["error"]
    synced_hub.sync(world.FILES)
    assert client.everything()["/v3.0/districts"][0]["error"] == ""


# --- ids ------------------------------------------------------------------------------------------------------------------


def test_ids_stay_with_their_keys_whatever_else_changes(small_synced_hub: Hub) -> None:
    client = small_synced_hub.client(small_synced_hub.connect())
    before = ids(client)
    small_synced_hub.sync(
        world.changed(
            ("schools.csv", "North High,101", "Northern High,909"),
            ("students.csv", "Noether,Emmy,,11,3/23/2009", "Nöther,Amalie,E.,12,4/23/2009"),
            ("students.csv", "Byron Guardian", "Lord Byron"),
            ("students.csv", "byron@home.example,3125550199", "lord@home.example,"),
            ("teachers.csv", "Ada,Lovelace", "Augusta,King"),
            ("staff.csv", "Ada,Byrne,Mathematics,Head", "Augusta,King,Engines,Chief"),
            ("sections.csv", "N,homeroom,t-ada,,Room 12", "S,homeroom,t-grace,t-ada,Room 9"),
            ("enrollments.csv", "N,homeroom", "S,homeroom"),
            ("resources.csv", "Curve Plotter,student", "Plotter,teacher"),
        )
    )
    assert ids(client) == before


def test_a_changed_key_is_another_record(small_synced_hub: Hub) -> None:
    client = small_synced_hub.client(small_synced_hub.connect())
    before = ids(client)
    small_synced_hub.sync(
        world.changed(
            ("students.csv", "S,katherine", "S,kathy"),
            ("sections.csv", "MA1,Fall", "MA2,Fall"),
            ("resources.csv", "MA1", "MA2"),
        )
    )
    after = ids(client)
    assert after["student kathy"] not in before.values()
    assert "student katherine" not in after
    assert after["courses Algebra"] not in before.values()
    assert after["terms Fall"] == before["terms Fall"]


@pytest.mark.parametrize(("days", "come_back"), [(299.9, True), (300.1, False)])
def test_what_comes_back_within_300_days_comes_back_as_who_it_was(
    small_synced_hub: Hub, days: float, come_back: bool
) -> None:
    client = small_synced_hub.client(small_synced_hub.connect())
    before = ids(client)
    small_synced_hub.sync(SMALLER, days_on=1)
    gone = before.keys() - ids(client).keys()
    assert {name.rpartition(" ")[0] for name in gone} == {
        *(
            "schools",
            "sections",
            "terms",
            "courses",
            "resources",
            "student",
            "contact",
            "teacher",
            "staff",
            "district_admin",
        ),
        *("legacy contact", "legacy teacher", "legacy staff", "legacy district_admin"),
    }
    small_synced_hub.sync(SMALLER, days_on=100)
    back = small_synced_hub.sync(world.FILES, days_on=1 + days)
    after = ids(client)
    assert after.keys() == before.keys()
    for name in gone:
        # Terms and courses are made from section rows, and are new when they return. Ada was there all the
        # time.
        is_kept = name == "staff s-ada" or (come_back and not name.startswith(("terms", "courses")))
        assert (name, is_kept) == (name, after[name] == before[name])
    assert {after[name] for name in before.keys() - gone} == {before[name] for name in before.keys() - gone}
    # No id is ever given to another record.
    assert not {after[name] for name in gone if after[name] != before[name]} & set(before.values())
    # A returned record appears now; its id tells when it was first seen.
    katherine = next(user for user in client.records("/v3.0/users") if user["name"]["first"] == "Katherine")
    assert katherine["created"] == katherine["last_modified"] == back.created


def test_a_person_splits_and_merges_again_by_email(small_hub: Hub) -> None:
    merged = world.FILES
    split = world.changed(("staff.csv", "ada@north.example", "byrne@north.example"))
    client = small_hub.client(small_hub.connect())
    small_hub.sync(merged)
    together = ids(client)
    assert together["teacher t-ada"] == together["staff s-ada"]
    done = small_hub.sync(split)
    apart = ids(client)
    assert apart["teacher t-ada"] == together["teacher t-ada"]
    assert apart["staff s-ada"] not in together.values()
    assert counted(done) == {"teachers": (0, 1, 0), "staff": (1, 0, 0)}
    staff = client.read(f"/v3.0/users/{apart['staff s-ada']}")["data"]
    assert (list(staff["roles"]), staff["name"], staff["email"]) == (
        ["staff"],
        {"first": "Ada", "last": "Byrne", "middle": ""},
        "byrne@north.example",
    )
    small_hub.sync(merged)
    assert ids(client) == together
    assert client.get(f"/v3.0/users/{apart['staff s-ada']}").status_code == 404
    small_hub.sync(split)
    assert ids(client) == apart


def test_letter_case_of_an_email_keeps_people_apart(small_hub: Hub) -> None:
    small_hub.sync(world.changed(("staff.csv", "ada@north.example", "Ada@north.example")))
    found = ids(small_hub.client(small_hub.connect()))
    assert found["teacher t-ada"] != found["staff s-ada"]


def test_an_email_that_two_teachers_have_makes_neither_of_them_the_staff(small_hub: Hub) -> None:
    files = world.changed(("teachers.csv", "grace@south.example", "ada@north.example"))
    small_hub.sync(files)
    found = ids(small_hub.client(small_hub.connect()))
    people = [
        found[name]
        for name in ("teacher t-ada", "teacher t-grace", "staff s-ada", "district_admin Superintendent")
    ]
    assert len(set(people)) == 4


def test_the_id_of_a_role_stays_through_all_of_this(small_hub: Hub) -> None:
    client = small_hub.client(small_hub.connect())
    seen: dict[str, set[str]] = {}
    for files in (
        world.FILES,
        world.changed(("staff.csv", "ada@north.example", "x@north.example")),
        world.changed(("administrators.csv", "grace@south.example", "ada@north.example")),
        SMALLER,
        world.FILES,
    ):
        small_hub.sync(files)
        for name, id_ in ids(client).items():
            if name.startswith("legacy"):
                seen.setdefault(name, set()).add(id_)
    assert set(seen) == {
        "legacy teacher t-ada",
        "legacy teacher t-grace",
        "legacy staff s-ada",
        "legacy district_admin Superintendent",
        "legacy contact byron",
    }
    assert {len(found) for found in seen.values()} == {1}
    assert len({id_ for found in seen.values() for id_ in found}) == len(seen)


# --- versions -------------------------------------------------------------------------------------------------------------


def superseded(hub: Hub) -> list[tuple[str, str, int, int]]:
    """Kind, name, since and until of each kept version, of records only."""
    with hub.database.read() as transaction:
        found = transaction.rows(
            "SELECT kind, body, since, until FROM versions WHERE kind NOT LIKE '%.%' ORDER "
            "BY kind, until, body"
        )
    return [(kind, _label(body), since, until) for kind, body, since, until in found if kind != "districts"]


def _label(body: str) -> str:
    found = [
        name
        for name in ("Katherine", "Mathison", '"M."', "South Elementary", "South Primary")
        if name in body
    ]
    return found[0] if found else body


def test_superseded_records_are_kept_as_versions_and_dropped_when_they_are_old(hub: Hub) -> None:
    gone = ("students.csv", "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n", "")
    hub.sync(world.FILES)
    hub.sync(world.FILES)
    assert superseded(hub) == []
    hub.sync(
        world.changed(
            ("students.csv", "Mathison", "M."), ("schools.csv", "South Elementary", "South Primary")
        )
    )
    assert superseded(hub) == [("schools", "South Elementary", 1, 3), ("users", "Mathison", 1, 3)]
    hub.sync(world.changed(gone), days_on=1)
    kept = [
        ("schools", "South Elementary", 1, 3),
        ("schools", "South Primary", 3, 4),
        ("users", "Mathison", 1, 3),
        ("users", '"M."', 3, 4),
        ("users", "Katherine", 1, 4),
    ]
    assert superseded(hub) == kept
    hub.sync(world.changed(gone), days_on=99.9)
    assert superseded(hub) == kept
    hub.sync(world.changed(gone), days_on=100.5)
    assert superseded(hub) == [version for version in kept if version[3] > 3]


# --- views ----------------------------------------------------------------------------------------------------------------

SENSITIVE = {
    "read:ell_status": ("Ell_status", "ell_status", {"Y", "N", ""}),
    "read:frl_status": ("Frl_status", "frl_status", {"Free", "Reduced", "Paid"}),
    "read:iep_status": ("IEP_status", "iep_status", {"Y", "N", ""}),
    "read:home_language": ("Home_language", "home_language", {"Spanish", "", "German"}),
}
HIDDEN_UNTIL_LATER = (
    "gifted_status",
    "section_504_status",
    "disability",
    "preferred_name",
    "home_language_code",
)


def sensitive_files() -> dict[str, str]:
    return {
        **SMALLER,
        "students.csv": "School_id,Student_id,Last_name,First_name,Ell_status,Frl_status,IEP_status,Home_language,Gifted_status\n"
        "N,emmy,Noether,Emmy,Y,F,N,German,Y\nN,alan,Turing,Alan,N,Reduced,Y,Spanish,N\nN,katherine,Johnson,Katherine,,P,,Klingon,\n",
    }


@pytest.mark.parametrize("held", [(), *((scope,) for scope in SENSITIVE), tuple(SENSITIVE)], ids=" ".join)
def test_a_view_shows_exactly_the_sensitive_fields_of_its_scopes(
    sensitive: Hub, held: tuple[str, ...]
) -> None:
    students = sensitive.client(sensitive.connect(*held)).records("/v3.0/users?role=student")
    shown = {
        field: {student["roles"]["student"].get(field) for student in students}
        for _, field, _ in SENSITIVE.values()
    }
    assert shown == {
        field: values if scope in held else {None} for scope, (_, field, values) in SENSITIVE.items()
    }
    assert not any(
        field in student["roles"]["student"] for student in students for field in HIDDEN_UNTIL_LATER
    )


@pytest.fixture
def sensitive(hub: Hub) -> Hub:
    hub.sync(sensitive_files())
    return hub


def test_a_view_is_the_same_whether_it_was_made_before_the_first_sync_or_later(hub: Hub) -> None:
    scopes = ("read:ell_status", "read:home_language")
    early, late = hub.beside("Early"), hub.beside("Late")
    tokens = {early: early.connect(*scopes)}
    for one in (early, late):
        one.sync(SMALLER)
        one.sync(sensitive_files(), days_on=1)
    tokens[late] = late.connect(*scopes)
    readers = {one: one.client(one.connect()) for one in (early, late)}
    for files in (None, world.FILES):
        for one in (early, late):
            if files:
                one.sync(files, days_on=2)
        clients = [one.client(token) for one, token in tokens.items()]
        expected, found = (canonical(client.everything()) for client in clients)
        assert any("ell_status" in record for record in expected["/v3.0/users"])
        assert {**found, "/v3.0/districts": []} == {**expected, "/v3.0/districts": []}
        # The dates are the record's, not the view's.
        for client, one in zip(clients, (early, late), strict=True):
            created = {user["id"]: user["created"] for user in readers[one].records("/v3.0/users")}
            assert {user["id"]: user["created"] for user in client.records("/v3.0/users")} == created


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_a_view_that_is_made_while_a_sync_commits_misses_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    if not is_first:
        hub.sync(world.FILES)
    read_snapshot = commits.snapshot

    def overtaken(*args: Any, **more: Any) -> Snapshot:
        found = read_snapshot(*args, **more)
        monkeypatch.setattr(commits, "snapshot", read_snapshot)
        hub.sync(SMALLER)
        return found

    monkeypatch.setattr(commits, "snapshot", overtaken)
    with pytest.raises(Busy, match="run it again"):
        hub.connect("read:ell_status")
    made, plain = hub.client(hub.connect("read:ell_status", name="Again")), hub.client(hub.connect())
    assert ids(made) == ids(plain)
    hub.sync(sensitive_files())
    assert ids(made) == ids(plain)


# --- two at once ----------------------------------------------------------------------------------------------------------


def test_of_two_syncs_at_once_one_wins_and_the_other_says_so(
    synced_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sources = [world.write(tmp_path / "one", SMALLER), world.write(tmp_path / "two", sensitive_files())]
    commit, both_ready = commits.commit, threading.Barrier(2)

    def at_once(*args: Any, **more: Any) -> int:
        both_ready.wait(timeout=60)
        return commit(*args, **more)

    monkeypatch.setattr(commits, "commit", at_once)
    outcomes: dict[Path, Sync | RollbookError] = {}

    def work(source: Path) -> None:
        try:
            district = districts.find(synced_hub.database, synced_hub.district.id)
            outcomes[source] = sync.run(
                synced_hub.database, district, source, synced_hub.settings, how=How(is_approved=True)
            )
        except RollbookError as error:
            outcomes[source] = error

    threads = [threading.Thread(target=work, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(commits, "commit", commit)
    ((winner, _),) = [(source, done) for source, done in outcomes.items() if isinstance(done, Sync)]
    (refused,) = [done for done in outcomes.values() if not isinstance(done, Sync)]
    assert isinstance(refused, Busy)
    assert "again" in str(refused)
    fresh = synced_hub.beside("Fresh")
    fresh.sync(winner)
    found, expected = (canonical(one.client(one.connect()).everything()) for one in (synced_hub, fresh))
    assert {**found, "/v3.0/districts": []} == {**expected, "/v3.0/districts": []}
    for source in sources:
        synced_hub.sync(source)


def test_syncs_of_two_districts_at_once_both_win(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hubs = [hub, hub.beside("Shelbyville")]
    commit, both_ready = commits.commit, threading.Barrier(2)

    def at_once(*args: Any, **more: Any) -> int:
        both_ready.wait(timeout=60)
        return commit(*args, **more)

    monkeypatch.setattr(commits, "commit", at_once)
    source, failures = world.write(tmp_path / "one"), []

    def work(one: Hub) -> None:
        try:
            one.sync(source)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({id_ for one in hubs for id_ in ids(one.client(one.connect())).values()}) == 2 * 20


def test_a_moment_before_the_last_sync_is_moved_after_it(hub: Hub) -> None:
    first = hub.sync(world.FILES, days_on=10)
    second = hub.sync(SMALLER)
    assert second.created > first.created


def test_a_contact_belongs_to_its_students_also_without_a_column_for_the_relationship(hub: Hub) -> None:
    files = world.without_columns(world.FILES, "students.csv", "Contact_relationship")
    assert hub.sync(files).problem_counts == {}
    client = hub.client(hub.connect())
    (byron,) = client.records("/v3.0/users?role=contact")
    emmy, alan = (
        user["id"]
        for user in client.records("/v3.0/users?role=student")
        if user["name"]["first"] != "Katherine"
    )
    assert byron["roles"]["contact"]["student_relationships"] == [
        {"student": emmy, "type": "Primary"},
        {"student": alan, "type": "Emergency"},
    ]
    assert [user["id"] for user in client.records(f"/v3.0/users/{byron['id']}/mystudents")] == [emmy, alan]
    assert client.records(f"/v3.0/users/{emmy}/mycontacts") == [byron]


# --- one person from night to night ---------------------------------------------------------------------------------------

TEACHERS = "School_id,Teacher_id,First_name,Last_name,Teacher_email\n"
STAFF = "School_id,Staff_id,Staff_email,First_name,Last_name\n"
ADA, GRACE = "N,t-ada,Ada,Lovelace,ada@north.example\n", "N,t-grace,Grace,Hopper,grace@south.example\n"
ADA_AS_STAFF = "N,s-ada,ada@north.example,Ada,Lovelace\n"


def employees(teachers: str, staff: str = "") -> dict[str, str]:
    """The smaller world, whose sections Grace teaches, with other teachers and staff."""
    sections = {
        "sections.csv": SMALLER["sections.csv"].replace("t-ada", "t-grace"),
        "teachers.csv": TEACHERS + teachers + GRACE,
    }
    return {**SMALLER, **sections, **({"staff.csv": STAFF + staff} if staff else {})}


def test_a_teacher_who_becomes_staff_and_comes_back_keeps_the_id_and_is_never_deleted(hub: Hub) -> None:
    hub.sync(employees(ADA))
    client = hub.client(hub.connect())
    ada = ids(client)["teacher t-ada"]
    for teachers, staff in ((ADA, ADA_AS_STAFF), ("", ADA_AS_STAFF), (ADA, ADA_AS_STAFF), (ADA, "")):
        done = hub.sync(employees(teachers, staff))
        found = {name: id_ for name, id_ in ids(client).items() if name in ("teacher t-ada", "staff s-ada")}
        assert set(found.values()) == {ada}
        assert len(found) == bool(teachers) + bool(staff)
        assert all(counts.deleted == counts.created == 0 for counts in done.kinds.values())


def test_a_staff_row_in_place_of_a_teachers_row_is_the_same_user_also_after_undoing_it(hub: Hub) -> None:
    hub.sync(employees(ADA))
    client = hub.client(hub.connect())
    ada = ids(client)["teacher t-ada"]
    hub.sync(employees("", ADA_AS_STAFF))
    assert ids(client)["staff s-ada"] == ada
    sync.undo(hub.database, hub.district, hub.settings, How(is_approved=True, name=hub.district.name))
    assert ids(client)["teacher t-ada"] == ada
    sync.undo(hub.database, hub.district, hub.settings, How(is_approved=True, name=hub.district.name))
    assert ids(client)["staff s-ada"] == ada


def test_people_who_merge_part_or_change_roles_do_not_vanish_and_hold_nothing(
    hub: Hub, tmp_path: Path
) -> None:
    def night(teachers: str, staff: str) -> Sync:
        return sync.run(
            hub.database,
            hub.district,
            world.write(tmp_path / "night", employees(teachers, staff)),
            hub.settings,
        )

    names = [f"P{number}" for number in range(6)]
    teachers = "".join(f"N,t{name},{name},L,{name}@x.org\n" for name in names)
    apart = "".join(f"N,s{name},own.{name}@x.org,{name},L\n" for name in names)
    together = "".join(f"N,s{name},{name}@x.org,{name},L\n" for name in names)
    assert night(teachers, apart).state == "committed"
    merged = night(teachers, together)
    # All records of staff are gone, and no person is: only the many updates may hold it.
    assert merged.kinds["staff"].deleted == 0
    assert [reason.verb for reason in merged.reasons if reason.verb == "deleted"] == []
    hub.sync(employees(teachers, together))
    parted = night(teachers, apart)
    assert [reason.verb for reason in parted.reasons if reason.verb == "deleted"] == []
    hub.sync(employees(teachers, together))
    moved = night("", together)
    assert [reason.verb for reason in moved.reasons if reason.verb == "deleted"] == []
    gone = night("", "")
    assert "deleted" in [reason.verb for reason in gone.reasons]
