"""How an operator cuts people and applications off, and what shares, badges and the trail say on the command
line."""

from __future__ import annotations

import json
import shutil
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rollbook import settings as setting_rows
from rollbook.cli import rollbook
from rollbook.settings import base_url
from rollbook.store.district import views
from rollbook.store.engine.database import open_database
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Client


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synced district D and two applications that read it."""
    folder = tmp_path_factory.mktemp("prepared")
    world.write(folder / "files")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for line in ("district create D", "sync D files", "application create A", "application create B"):
            said(*line.split())
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, in which a test works."""
    monkeypatch.chdir(shutil.copytree(prepared, tmp_path, dirs_exist_ok=True))
    return tmp_path


def run(*words: str) -> Any:
    done = CliRunner().invoke(rollbook, words)
    assert done.exception is None or isinstance(done.exception, SystemExit) or done.exit_code == 1, (
        done.exception
    )
    return done


def said(*words: str) -> str:
    done = run(*words)
    assert (words, 0) == (words, done.exit_code), (done.output, done.exception)
    return str(done.stdout)


def refused(*words: str) -> str:
    done = run(*words)
    assert done.exit_code == 1
    return str(done.exception)


def token(*words: str) -> str:
    return said("connect", *words).split()[-1]


def test_connecting_says_how_to_try_the_token_and_what_to_send(place: Path) -> None:
    told = said("connect", "A", "D")
    given = json.loads(said("connect", "A", "D", "--json"))["access_token"]
    address = f"{base_url(setting_rows.read({}))}/v3.0"
    assert f'curl -H "Authorization: Bearer {given}" "{address}/users?limit=1"' in told
    assert f"API address     {address}\n" in told.partition("Send to the people of A")[2]


def students(place: Path, token: str) -> list[dict[str, Any]]:
    """The student roles that a token reads; empty if it is unknown."""
    database = open_database(str(place / "rollbook.db"))
    app = App(database, setting_rows.read({}, database=str(place / "rollbook.db")), limits=place / "limits")
    with closing(database), closing(app), Client(app, token) as client:
        answer = client.get("/v3.0/users?role=student")
        return (
            [one["data"]["roles"]["student"] for one in answer.json()["data"]]
            if answer.status_code == 200
            else []
        )


def test_an_edit_keeps_what_it_does_not_name(place: Path) -> None:
    reads = token("A", "D")
    said("share", "A", "D", "everything", "--withhold", "student.dob", "--keep-ids")
    said("share", "A", "D", '{"schools": ["N"]}')
    said("connect", "A", "D", "--share", "everything")
    said("application", "set", "A", "--scopes", "read:students read:schools")
    assert {"dob" in role for role in students(place, reads)} == {False}
    shown = json.loads(said("shares", "D", "--json"))["A"]
    assert (shown["withheld"], shown["keeps_ids"]) == (["student.dob"], True)
    said("share", "A", "D", "everything", "--withhold", "none", "--drop-ids")
    assert {"dob" in role for role in students(place, reads)} == {True}


def test_what_an_application_requires_cannot_be_withheld_from_it(place: Path) -> None:
    token("A", "D")
    said("application", "set", "A", "--field", "required:student.dob", "--field", "optional:student.grade")
    assert "requires student.dob" in refused("share", "A", "D", "everything", "--withhold", "student.dob")
    said("share", "A", "D", "everything", "--withhold", "student.grade")
    assert "'student.shoe_size'" in refused(
        "application", "set", "A", "--field", "required:student.shoe_size"
    )


def test_a_share_names_schools_that_are_there(place: Path) -> None:
    token("A", "D")
    assert "no school with the SIS id, name or id 'Nope'" in refused(
        "share", "A", "D", '{"schools": ["N", "Nope"]}'
    )
    some_staff = '{"rules": [{"kind": "staff", "with": ["N", "Nope"]}]}'
    assert "no school with the SIS id, name or id 'Nope'" in refused("share", "A", "D", some_staff)
    assert "no school with" in refused("connect", "B", "D", "--share", '{"schools": ["Nope"]}')
    nobody = '{"rules": [{"kind": "student", "where": [["grade", "equals any of", "Grade 1"]]}]}'
    assert "A then sees nothing of it but the district's own record" in said(
        "share", "A", "D", nobody, "--preview"
    )


def test_an_earlier_share_can_be_listed_and_applied_again(place: Path) -> None:
    reads = token("A", "D")
    said("share", "A", "D", "everything", "--withhold", "student.dob")
    said(
        "share", "A", "D", '{"rules": [{"kind": "teacher", "where": []}]}', "--withhold", "none", "--keep-ids"
    )
    assert students(place, reads) == []
    lines = [line[28:] for line in said("share", "A", "D", "--history").splitlines()]
    rules = '{"rules":[{"kind":"teacher","where":[],"with":[]}]}'
    assert lines == ["everything", "everything, without student.dob", f"{rules}, with ids of unshared people"]
    assert "created" in said("share", "A", "D", "--revert", "2", "--preview")
    assert students(place, reads) == []
    said("share", "A", "D", "--revert", "2")
    assert {"dob" in role for role in students(place, reads)} == {False}
    assert students(place, reads)
    told = json.loads(said("share", "A", "D", "--history", "--json"))
    assert [(one["number"], one["withheld"], one["keeps_ids"]) for one in told][-1] == (
        4,
        ["student.dob"],
        False,
    )
    said("share", "A", "D", "--revert", "2", "--withhold", "none")
    assert {"dob" in role for role in students(place, reads)} == {True}


def test_a_history_begins_with_the_connection_and_refuses_what_does_not_fit(place: Path) -> None:
    token("A", "D")
    said("share", "A", "D", "nothing")
    said("disconnect", "A", "D")
    assert "not connected" in refused("share", "A", "D", "--history")
    token("A", "D", "--freeze")
    run("share", "A", "D", "nothing")
    assert said("share", "A", "D", "--history").splitlines()[-1].endswith('{"rules":[]}, not applied: frozen')
    assert "it has 3" in refused("share", "A", "D", "--revert", "4")
    assert "expected one of SHARE" in refused("share", "A", "D")
    assert "expected one of SHARE" in refused("share", "A", "D", "nothing", "--history")
    said("share", "A", "D", "everything", "--withhold", "student.dob")
    said("application", "set", "A", "--field", "required:student.dob")
    said("share", "A", "D", "everything", "--withhold", "none")
    assert "requires student.dob" in refused("share", "A", "D", "--revert", "4")


def test_an_edit_that_deletes_too_much_says_that_it_was_not_applied(place: Path) -> None:
    reads = token("A", "D", "--freeze")
    # Withholding changes every student and deletes none, so it does not freeze.
    said("share", "A", "D", "everything", "--withhold", "student.dob")
    assert {"dob" in role for role in students(place, reads)} == {False}
    done = run("share", "A", "D", "nothing")
    assert (done.exit_code, "NOT applied" in done.stderr, "held" in done.stdout) == (3, True, True)
    assert students(place, reads)
    # Without the freeze the same edit applies, even if one command does both.
    said("share", "A", "D", "nothing", "--no-freeze")
    assert not students(place, reads)


def test_a_new_token_ends_the_old_one(place: Path) -> None:
    first = token("A", "D")
    assert token("A", "D") == first
    second = token("A", "D", "--new-token")
    assert (students(place, first), len(students(place, second))) == ([], 3)


def test_whoever_is_disconnected_reads_nothing_and_leaves_nothing_behind(place: Path) -> None:
    reads, other = token("A", "D"), token("B", "D")
    said("share", "A", "D", '{"schools": ["N"]}')
    minted = json.loads(said("token", "A", "alan", "--json"))["access_token"]
    assert students(place, reads)
    assert "is still in use" in refused("application", "remove", "A")
    said("disconnect", "A", "D")
    assert (students(place, reads), students(place, minted)) == ([], [])
    assert "is not connected" in refused("disconnect", "A", "D")
    assert len(students(place, other)) == 3
    database = open_database(str(place / "rollbook.db"))
    with database.read() as transaction:
        kept = [view.number for view in views.list_all(transaction, 1)]
        held = {number for (number,) in transaction.rows("SELECT DISTINCT view FROM records")}
    database.close()
    assert set(kept) == held
    # Syncs continue, and the next connection gets its own view again.
    world.write(place / "files", world.changed(("students.csv", "Turing", "Church")))
    said("sync", "D", "files")
    again = token("A", "D", "--share", '{"schools": ["N"]}')
    assert {role["sis_id"] for role in students(place, again)} == {"emmy", "alan"}
    said("disconnect", "A", "D")
    said("application", "remove", "A")
    listed = json.loads(said("application", "list", "--json"))
    assert [(one["name"], one["districts"]) for one in listed] == [("B", ["D"])]


def test_an_operator_signs_a_person_out_everywhere(place: Path) -> None:
    token("A", "D")
    minted = json.loads(said("token", "A", "emmy", "--json"))["access_token"]
    assert "1 sessions and tokens of Emmy Noether have ended" in said("sign-out", "D", "emmy")
    assert students(place, minted) == []


def test_a_token_needs_a_district_when_there_is_not_just_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token("A", "D")
    said("token", "A", "emmy")
    said("district", "create", "E")
    assert "name one with --district; there is 'D', 'E'" in refused("token", "A", "emmy")
    monkeypatch.setenv("ROLLBOOK_DATABASE", "empty.db")
    said("application", "create", "A")
    assert "there is no district yet" in refused("token", "A", "emmy")


def test_badges_are_written_before_older_ones_end(place: Path) -> None:
    said("badge", "print", "D", "badges.html", "--school", "N")
    page = place / "badges.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert ("Emmy Noether" in page.read_text(), "Katherine" in page.read_text()) == (True, False)

    def stored() -> list[Any]:
        database = open_database(str(place / "rollbook.db"))
        with database.read() as transaction:
            found = transaction.rows("SELECT user_id, hash FROM badges ORDER BY hash")
        database.close()
        return found

    before = stored()
    assert "cannot be written" in refused("badge", "print", "D", "no/such/folder/x.html")
    assert before == stored()
    said("district", "create", "E")
    assert "nobody of that role" in refused("badge", "print", "E", "x.html")
    assert run("badge", "print", "D", "x.html", "--role", "pupil").exit_code == 2
    done = run("badge", "print", "D", "badges.html", "--user", "emmy")
    assert "set ROLLBOOK_PUBLIC_URL" in done.stderr
    assert len(stored()) == len(before)


def test_the_trail_names_who_and_what(place: Path) -> None:
    token("A", "D")
    token("B", "D")
    said("share", "A", "D", "everything", "--withhold", "student.dob")
    said("badge", "print", "D", "badges.html")
    said(
        "provider",
        "set",
        "D",
        "--name",
        "G",
        "--issuer",
        "https://id.example",
        "--client-id",
        "x",
        "--client-secret",
        "y",
    )
    said("provider", "remove", "D")
    text = said("audit", "--application", "A")
    assert "share changed" in text
    assert "application A, district D" in text
    assert "application B" not in text
    actions = [row["action"] for row in json.loads(said("audit", "--district", "D", "--json"))]
    assert actions == [
        "provider removed",
        "provider set",
        "badges given",
        "share changed",
        "connected",
        "connected",
    ]


def test_another_key_than_the_one_that_was_used_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = token("A", "D")
    key = place / "rollbook.db.key"
    kept = key.read_bytes()
    key.unlink()
    assert "is not there; the database was used with one" in refused("sync", "D", "files")
    assert not key.exists()
    monkeypatch.setenv("ROLLBOOK_KEY_LOST", "yes")
    said("district", "list")
    said("connect", "B", "D")
    monkeypatch.delenv("ROLLBOOK_KEY_LOST")
    key.write_bytes(kept)
    assert "is not the key that the database was used with" in refused("sync", "D", "files")
    # A token is known by its hash, whatever happens to the key.
    assert students(place, reads)


def test_a_new_token_needs_no_old_one_to_be_opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = token("A", "D")
    (place / "rollbook.db.key").unlink()
    monkeypatch.setenv("ROLLBOOK_KEY_LOST", "yes")
    said("district", "list")
    monkeypatch.delenv("ROLLBOOK_KEY_LOST")
    assert "is not the key with which the stored tokens were sealed" in refused("connect", "A", "D")
    new = json.loads(said("connect", "A", "D", "--new-token", "--json"))["access_token"]
    assert new != old
    assert students(place, new)


def test_scopes_that_cannot_be_put_in_force_are_not_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = token("A", "D")
    monkeypatch.setenv("ROLLBOOK_TEMPORARY", "/nonexistent")
    assert "temporary" in refused("application", "set", "A", "--scopes", "read:schools")
    assert "read:students" in json.loads(said("application", "show", "A", "--json"))["scopes"]
    assert len(students(place, reads)) == 3
    monkeypatch.delenv("ROLLBOOK_TEMPORARY")
    said(
        "application",
        "set",
        "A",
        "--scopes",
        "read:schools read:students",
        "--field",
        "required:student.grade",
    )
    assert {"dob" in role for role in students(place, reads)} == {False}


def test_the_trail_of_a_removed_application_is_nobody_elses(place: Path) -> None:
    token("A", "D")
    said("disconnect", "A", "D")
    said("application", "remove", "A")
    said("application", "create", "A")
    assert [row["action"] for row in json.loads(said("audit", "--application", "A", "--json"))] == [
        "application created"
    ]


def test_the_database_is_its_owners_alone(place: Path) -> None:
    for name in ("rollbook.db", "rollbook.db.key"):
        assert stat.S_IMODE((place / name).stat().st_mode) == 0o600, name


def test_a_token_for_somebody_who_may_not_enter_is_refused_with_what_to_do(place: Path) -> None:
    del place
    said("application", "create", "Only teachers", "--user-types", "teacher")
    said("application", "create", "Library", "--tier", "library")
    unconnected = "Alan Turing may not enter 'A': it is not connected to 'D'; run `rollbook connect A D`"
    assert unconnected == refused("token", "A", "alan")
    assert refused("token", "Only teachers", "alan") == (
        "Alan Turing (student) may not enter 'Only teachers': the application is for teachers only;"
        " `rollbook application set 'Only teachers' --user-types 'teacher student'` lets them in"
    )
    asks = refused("token", "Library", "grace@south.example")
    assert "may not enter 'Library' yet: they allow it themselves when they sign in" in asks
    assert asks.endswith("; `rollbook connect Library D` lets all of 'D' in")
