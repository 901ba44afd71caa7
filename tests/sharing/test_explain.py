"""`explain` says "sees" exactly when the leak sweep's oracle does, and names the link that breaks the chain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rollbook import sync
from rollbook.contract.clever import view_spec
from rollbook.domain.access import SECURE_SYNC, SENSITIVE
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import connecting, explaining, explanation_links, registering
from rollbook.operations.explaining import Explanation
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.records import request_log
from rollbook.store.records.request_log import RequestLog
from rollbook.sync import How
from tests import world
from tests.sharing import test_leak_sweep as leaks
from tests.sharing.desk import CopyDesk, Desk, Reader, of_files
from tests.sharing.test_leak_sweep import Town

FIELDS = ("sis_id", "grade", "email", "dob", "ell_status", "gender", "title", "student_relationships", "race")


@pytest.fixture(scope="module", params=["sqlite 7", "postgresql 9", "sqlite 15 clone"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    kind, seed, *copied = request.param.split()
    folder = tmp_path_factory.mktemp("explain")
    with ExitStack() as stack:
        database = stack.enter_context(leaks._database(request, kind, folder))
        if not copied:
            desk = stack.enter_context(closing(Desk(database, folder)))
            whole = desk.connect("Whole", (*SECURE_SYNC, *SENSITIVE), view_spec.SENSITIVE_FIELDS)
            yield leaks._town(desk, whole, int(seed))
            return
        (folder / "origin").mkdir()
        origin = stack.enter_context(leaks._database(request, "sqlite", folder / "origin"))
        source = stack.enter_context(closing(Desk(origin, folder / "origin")))
        copy = stack.enter_context(closing(CopyDesk(database, folder, source)))
        yield leaks._town(copy, copy.source, int(seed))


def asked(desk: Desk, person: str, application: str = "Reader", field: str | None = None) -> Explanation:
    return explaining.explain(desk.database, desk.settings, desk.district.id, person, application, field)


def test_it_says_sees_exactly_when_the_oracle_does(town: Town) -> None:
    chance = Random(town.seed)
    for _ in range(5):
        spec = leaks.drawn(town, chance)
        town.reader.edit(spec)
        ids = leaks.allowed(town, spec)
        shown = leaks.expected(town, spec, ids)["users"]
        for id_ in chance.sample(sorted(town.records["users"]), 7):
            user = town.records["users"][id_]
            field = chance.choice(
                [name for name in FIELDS if any(name in held for held in user["roles"].values())]
            )
            found = asked(town.desk, id_, field=field)
            roles = {role for role in user["roles"] if id_ in ids.roles[role]}
            assert (set(found.roles), found.sees) == (roles, bool(roles)), (spec, found)
            assert (found.stop is None) == (found.sees and found.sees_field is not False), (spec, found)
            if found.sees:
                has = any(shown[id_]["roles"][role].get(field, "") != "" for role in roles)
                is_blank = any(shown[id_]["roles"][role].get(field) == "" for role in roles)
                assert found.sees_field == (has or is_blank) or field == "email", (spec, field, found)


def reason(found: Explanation) -> tuple[str, str, str]:
    """The link that breaks the chain, who must act, and the beginning of its text."""
    assert found.stop
    return found.stop.name, found.stop.who, found.stop.text


@of_files
def test_each_link_names_what_is_wrong_and_who_must_act(desk: Desk, reader: Reader) -> None:
    assert asked(desk, "emmy").sentence == "Reader sees Emmy Noether"
    assert [link.name for link in asked(desk, "emmy").links] == [
        *("files", "row", "roster", "connection", "frozen", "scopes", "share", "role", "read")
    ]
    assert re.fullmatch(
        r"in students.csv row 2 of run 1, 20[-0-9]{8} [:0-9]{5} UTC", asked(desk, "emmy").links[0].text
    )
    assert asked(desk, "emmy").links[2].text == (
        "student at North High (N), South Elementary (S), in 2 sections"
    )
    reader.share({"rules": [{"kind": "student", "where": [["grade", "equals any of", "10", "9"]]}]})
    assert reason(asked(desk, "emmy")) == ("share", "the district", "no rule of the share picks them")
    stop = asked(desk, "emmy").stop
    assert stop
    assert stop.details == ('rule "student where grade equals any of 10 or 9": their grade is 11',)
    reader.share({"schools": ["S"]})
    assert reason(asked(desk, "alan"))[2] == "the share has the schools S, and none of them is theirs"
    reader.share(scopes=("read:teachers",))
    assert reason(asked(desk, "alan"))[:2] == ("scopes", "the vendor of the application")
    reader.share(withheld=("student.dob",))
    assert asked(desk, "emmy", field="dob").sentence == "Reader sees Emmy Noether, but without dob"
    assert reason(asked(desk, "emmy", field="dob"))[1:] == (
        "the district",
        "the district withholds student.dob",
    )
    assert reason(asked(desk, "emmy", field="ell_status"))[1] == "the vendor of the application"


@of_files
def test_a_person_without_a_row_is_explained_too(desk: Desk, reader: Reader) -> None:
    assert reason(asked(desk, "nobody"))[:2] == ("files", "the district")
    desk.sync(
        world.changed(("students.csv", "N,alan", "Z,alan"), ("enrollments.csv", "N,algebra,alan\n", ""))
    )
    gone = asked(desk, "alan")
    assert (gone.sees, gone.person) == (False, "Alan Turing")
    assert reason(gone)[:2] == ("files", "the district")
    rejected = next(link for link in gone.links if link.name == "row")
    assert (rejected.state, rejected.who) == ("no", "the district")
    assert rejected.text.startswith("rejected: students.csv row 3: School_id ")


@of_files
def test_a_rejected_row_is_kept_without_its_id(desk: Desk) -> None:
    """The cell may hold a password, if a row is shifted."""
    desk.sync(world.changed(("students.csv", "N,alan", "Z,alan-of-z")))
    with desk.database.read() as transaction:
        found = transaction.row("SELECT data FROM snapshots WHERE name = 'row_problems'")
    assert found
    assert b"alan-of-z" not in bytes(found[0])


@of_files
def test_a_frozen_view_is_the_reason_when_nothing_else_is(desk: Desk, reader: Reader) -> None:
    reader.share(freezes=True)
    desk.sync(world.changed(("students.csv", "N,alan", "N,kurt"), ("enrollments.csv", "alan", "kurt")))
    assert reason(asked(desk, "kurt"))[:2] == ("frozen", "an operator")
    assert (asked(desk, "alan").sees, asked(desk, "alan").stop) == (True, None)


@of_files
def test_what_cannot_be_asked_is_refused_in_words(desk: Desk, reader: Reader) -> None:
    with pytest.raises(BadSetting, match="field: expected a field of student, such as grade"):
        asked(desk, "emmy", field="salary")
    with pytest.raises(Unknown, match="application"):
        asked(desk, "emmy", "Nobody")
    stranger = desk.connect("Stranger")
    assert asked(desk, "emmy", "Stranger").sees
    assert stranger.application.name == "Stranger"


def registered(desk: Desk, **more: Any) -> None:
    registering.register(desk.database, NewApplication("Stranger", scopes=SECURE_SYNC, **more))


def shelved(desk: Desk) -> None:
    registered(desk, tier="library")
    connecting.connect(desk.database, desk.settings, "Stranger", "Springfield")


def held(desk: Desk) -> None:
    """Kurt comes in place of Alan, in files that wait."""
    files = world.changed(("students.csv", "N,alan", "N,kurt"), ("enrollments.csv", "alan", "kurt"))
    source = world.write(desk.folder / "held", files)
    assert sync.run(desk.database, desk.now, source, desk.settings, how=How()).state == "held"


REASONS: dict[str, tuple[Callable[[Desk], object], str, str, tuple[str, str, str]]] = {
    "not connected": (
        registered,
        "emmy",
        "Stranger",
        ("connection", "an operator", "Stranger is not connected to Springfield"),
    ),
    "of another tier": (
        shelved,
        "emmy",
        "Stranger",
        (
            "tier",
            "the vendor of the application",
            "a Library application reads a person only when they sign in to it",
        ),
    ),
    "in the held run": (held, "kurt", "Reader", ("files", "an operator", "The held run 2 has them")),
    "not in the held run": (held, "nobody", "Reader", ("files", "the district", "has 'nobody'")),
}


@of_files
@pytest.mark.parametrize("case", REASONS)
def test_the_reason_may_lie_before_the_share(desk: Desk, reader: Reader, case: str) -> None:
    prepare, person, application, (name, who, text) = REASONS[case]
    prepare(desk)
    found = asked(desk, person, application)
    assert reason(found)[:2] == (name, who)
    assert reason(found)[2].endswith(text)
    assert not found.sees


@of_files
def test_a_district_without_files_is_the_reason(empty_desk: Desk) -> None:
    empty_desk.connect("Reader")
    assert reason(asked(empty_desk, "emmy")) == (
        *("files", "the district"),
        "no files of Springfield were synced yet",
    )


@of_files
def test_an_id_of_two_people_is_refused_with_the_ids_to_choose_from(desk: Desk, reader: Reader) -> None:
    """Ada's number as a teacher is 11."""
    desk.sync(world.changed(("students.csv", "N,alan", "N,11"), ("enrollments.csv", "alan", "11")))
    with pytest.raises(Unknown, match="2 people of 'Springfield' have the id, SIS id") as caught:
        asked(desk, "11")
    ids = str(caught.value).rpartition(": ")[2].split(", ")
    assert {asked(desk, id_).person for id_ in ids} == {"Alan Turing", "Ada Lovelace"}


@of_files
def test_a_row_that_was_accepted_with_a_problem_is_a_note(desk: Desk, reader: Reader) -> None:
    desk.sync(world.changed(("students.csv", "3/23/2009", "33/33/2009")))
    found = asked(desk, "emmy")
    (row,) = (link for link in found.links if link.name == "row")
    assert (row.state, row.who, found.sees) == ("note", "the district", True)
    assert "33/33/2009" in row.details[0]


@of_files
def test_a_share_of_nobody_and_a_role_that_is_hidden_are_said(desk: Desk, reader: Reader) -> None:
    reader.share({"rules": []})
    assert reason(asked(desk, "emmy"))[1:] == ("the district", "the district shares nobody with it")
    reader.share(scopes=tuple(scope for scope in SECURE_SYNC if scope != "read:school_admins"))
    (role,) = (link for link in asked(desk, "t-ada").links if link.name == "role")
    assert (role.state, role.text) == (
        "note",
        "it sees them as teacher, but not as staff (its scopes do not open it)",
    )


@of_files
def test_a_field_may_be_blank_in_the_files_or_sensitive(desk: Desk) -> None:
    reader = desk.connect("Reader", (*SECURE_SYNC, *SENSITIVE))
    for person, field, sees, text in (
        ("katherine", "student.dob", True, "it sees student.dob, which is blank in their row"),
        ("alan", "email", False, "email is blank or not in their row"),
    ):
        found = asked(desk, person, field=field)
        (link,) = (link for link in found.links if link.name == "field")
        assert (found.sees_field, link.text) == (sees, text)
    closed = reason(asked(desk, "emmy", field="ell_status"))
    assert closed[1:] == (
        "the district",
        "student.ell_status is sensitive, and the district has not opened it",
    )
    reader.share(sensitive=("student.ell_status",))
    assert asked(desk, "emmy", field="ell_status").sees_field


@of_files
def test_the_last_read_of_people_comes_from_the_request_log(
    desk: Desk, reader: Reader, tmp_path: Path
) -> None:
    address = str(tmp_path / "logged.db") if desk.database.is_local else "postgresql://nowhere.example/none"
    settings = replace(desk.settings, database=address)

    def last_read() -> str:
        found = explaining.explain(desk.database, settings, desk.district.id, "emmy", "Reader")
        assert found.links[-1].name == "read"
        return found.links[-1].text

    def kept(at: int, path: str, client: str, holder: str = "district", status: int = 200) -> list[Any]:
        whose = (client, holder, "secure_sync", "", desk.district.id)
        return [at, 1, "GET", path, "", status, 10, "", *whose, {}, {}]

    now, client = request_log.now_ms() // 1000 * 1000, reader.application.client_id
    with closing(RequestLog(desk.database, settings)) as log:
        log.write([kept(now, "/v3.0/schools", client), kept(now, "/v3.0/users", "another")], 0)
        log.write([kept(now, "/v3.0/users", client, "user"), kept(now, "/v3.0/users", client, status=401)], 0)
        assert last_read() == "the request log has no read of people by it"
        log.write([kept(now - 90_000, "/v3.0/users", client), kept(now - 60_000, "/v3.0/users", client)], 0)
    at = explanation_links.last_read(now - 60_000).text
    assert last_read() == at
    assert at.startswith("it last read people at 20")
