"""Whom an application lets in: a user token for a person is refused with the reason and what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from rollbook.auth.entry import enter
from rollbook.errors import Refused
from rollbook.operations import connecting, people_access, registering, teacher_permission
from rollbook.store.accounts import applications, audit, logins
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.accounts.logins import Session
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import people_lookup
from tests import world
from tests.journeys.hub import Hub


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The small world, synced once."""
    folder = tmp_path_factory.mktemp("entering")
    with closing(open_database(str(folder / "rollbook.db"))) as database:
        migrate(database)
        with closing(Hub(database, str(folder / "rollbook.db"), folder)) as hub:
            hub.sync(world.FILES)
            yield hub


def refusal(hub: Hub, application: str, person: str) -> str:
    with pytest.raises(Refused) as caught:
        people_access.mint_token(hub.database, hub.settings, application, person)
    return str(caught.value)


def test_a_person_of_another_role_is_told_how_the_application_would_let_them_in(small: Hub) -> None:
    registering.register(small.database, NewApplication("For teachers", user_types=("teacher",)))
    told = refusal(small, "For teachers", "emmy")
    assert told.startswith(
        "Emmy Noether (student) may not enter 'For teachers': the application is for teachers only"
    )
    assert "`rollbook application set 'For teachers' --user-types 'teacher student'`" in told


def test_a_person_who_is_not_shared_is_told_where_to_look(small: Hub) -> None:
    registering.register(small.database, NewApplication("Reader of South"))
    connecting.connect(
        small.database, small.settings, "Reader of South", "Springfield", shared='{"schools": ["S"]}'
    )
    told = refusal(small, "Reader of South", "alan")
    assert "'Springfield' does not share them with it; look at `rollbook shares Springfield`" in told


def test_a_teacher_who_has_not_allowed_a_library_application_does_so_when_they_sign_in(small: Hub) -> None:
    registering.register(small.database, NewApplication("Shelf", tier="library"))
    assert "yet: they allow it themselves when they sign in" in refusal(small, "Shelf", "t-ada")


def test_a_teacher_whose_session_has_ended_allows_nothing(small: Hub) -> None:
    registering.register(small.database, NewApplication("Late shelf", tier="library"))
    shelf = applications.find(small.database, "Late shelf")
    ended = session_of(small, "t-ada")
    teacher_permission.allow(small.database, shelf.number, ended, address="192.0.2.1")
    with small.database.read() as transaction:
        assert enter(transaction, shelf, ended).outcome == "ask"
        assert "application allowed by teacher" not in {one.action for one in audit.latest(transaction)}


def test_a_person_who_has_left_the_roster_enters_nothing(small: Hub) -> None:
    registering.register(small.database, NewApplication("Any"))
    gone = replace(session_of(small, "emmy"), user_id="f" * 24)
    reader = applications.find(small.database, "Any")
    with small.database.read() as transaction:
        assert enter(transaction, reader, gone).outcome == "unshared"


def session_of(hub: Hub, person: str) -> Session:
    """A session that no browser holds."""
    with hub.database.read() as transaction:
        found = people_lookup.find(transaction, people_lookup.whole(transaction, hub.district.number), person)
    return Session(
        "0" * 64, hub.district.number, found.id, found.roles[0], "password", logins.now(), logins.now()
    )
