"""Acts of the console: each role may do its own, in its own district, and the trail names the person."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rollbook.domain.actors import PERMISSIONS, ROLES, Actor
from rollbook.errors import Forbidden, Refused, RollbookError, Unknown
from rollbook.operations import (
    acting,
    backing_up,
    connecting,
    district_setup,
    registering,
    run_decisions,
    share_edits,
)
from rollbook.operations.acting import ACTS, do
from rollbook.store.accounts import audit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.migrations import migrate
from tests.journeys.hub import Hub

HOME, AWAY = "Home", "Away"
# The roles that may do what needs each permission, written out a second time.
MAY = {
    "make districts": {"operator"},
    "change settings": {"operator", "district"},
    "change the roster": {"operator", "district"},
    "help people": {"operator", "district", "help desk"},
    "change sharing": {"operator", "district"},
    "change applications": {"operator", "developer"},
    "change the team": {"operator", "district"},
}


@pytest.fixture(scope="module")
def hub(module_database_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Two districts without a sync."""
    with closing(open_database(module_database_address)) as database:
        migrate(database)
        with closing(Hub(database, module_database_address, tmp_path_factory.mktemp("acting"))) as made:
            for name in (HOME, AWAY):
                districts.create(database, name)
            yield made


def person(hub: Hub, role: str, *, of: str | None = None) -> Actor:
    number = districts.find(hub.database, of).number if of else None
    return Actor(f"Ana of {role}", role, number, address="192.0.2.7")


def attempt(hub: Hub, actor: Actor, act: object, district: str = HOME) -> RollbookError | None:
    """The error of an act with arguments of no meaning, in a district; None if it had no error."""
    assert callable(act)
    given = {}
    for name, parameter in inspect.signature(act).parameters.items():
        known = {
            "database": hub.database,
            "settings": hub.settings,
            "district": district,
            "source": Path("none"),
        }
        if parameter.default is inspect.Parameter.empty or name in known:
            given[name] = known.get(name, f"none {actor.role}")
    try:
        do(actor, act, **given)
    except RollbookError as error:
        return error
    except (AttributeError, TypeError):  # the act began, and found arguments of no meaning
        return None
    return None


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_an_act_is_refused_to_each_role_that_lacks_its_permission(hub: Hub, act: object) -> None:
    needs = ACTS[act].needs  # type: ignore[index]
    for role in ROLES:
        of = HOME if role in ("district", "help desk") else None
        refused = attempt(hub, person(hub, role, of=of), act)
        # A person of one district cannot act on the whole server, whatever the role.
        is_of_server = "district" not in inspect.signature(act).parameters  # type: ignore[arg-type]
        may = role in MAY[needs] and not (of and is_of_server)
        assert isinstance(refused, Forbidden) is not may, (role, refused)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_an_act_finds_nothing_of_another_district(hub: Hub, act: object) -> None:
    if "district" not in inspect.signature(act).parameters:  # type: ignore[arg-type]
        return
    stranger = person(hub, "district", of=AWAY)
    assert str(attempt(hub, stranger, act)) == "no district has the name or id 'Home'"
    assert str(attempt(hub, stranger, act, "Nowhere")) == "no district has the name or id 'Nowhere'"


def test_the_trail_names_the_person_and_shows_before_and_after(hub: Hub) -> None:
    actor = person(hub, "district", of=HOME)
    do(actor, district_setup.set_limits, hub.database, HOME, "students", deleted=7)
    with hub.database.read() as connection:
        row = audit.latest(connection, 1)[0]
    assert (row.action, row.district, row.address) == ("limits set", HOME, "192.0.2.7")
    assert row.detail["by"] == "Ana of district"
    before, after = row.detail["before"], row.detail["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["students"]["deleted"], after["students"]["deleted"]) == (10, 7)


def test_an_act_that_failed_leaves_no_row(hub: Hub) -> None:
    def rows() -> int:
        with hub.database.read() as connection:
            return len(audit.latest(connection, 1000))

    before = rows()
    with pytest.raises(Unknown):
        do(person(hub, "operator"), run_decisions.discard, hub.database, HOME)
    assert rows() == before


def test_a_function_that_is_no_act_is_refused(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="backup is no act of the console"):
        do(person(hub, "operator"), backing_up.backup, hub.database, tmp_path / "backup")
    assert not list(tmp_path.iterdir())


def test_each_role_of_a_permission_exists() -> None:
    assert {role for roles in PERMISSIONS.values() for role in roles} == set(ROLES)
    assert {row.needs for row in ACTS.values()} == set(MAY)
    assert issubclass(Forbidden, Refused)


def test_a_district_person_without_a_district_may_do_nothing(hub: Hub) -> None:
    nobody = Actor("Nobody", "district")
    assert not any(nobody.may(permission, 1) or nobody.may(permission) for permission in PERMISSIONS)
    with pytest.raises(Refused):
        acting.check(nobody, "see runs", hub.database, HOME)


def test_a_database_without_the_district_says_the_same(database: Database) -> None:
    with pytest.raises(Unknown, match="no district has the name or id 'Home'"):
        acting.check(Actor("Op", "operator"), "see runs", database, HOME)


def test_a_preview_leaves_no_row(hub: Hub) -> None:
    registering.register(hub.database, NewApplication("Previewed"))
    connecting.connect(hub.database, hub.settings, "Previewed", HOME)
    edit = share_edits.ShareEdit(shared="nothing")
    operator = person(hub, "operator")
    told = do(operator, share_edits.share, hub.database, hub.settings, "Previewed", HOME, edit, is_plan=True)
    assert told.run.state == "planned"
    with hub.database.read() as connection:
        assert audit.latest(connection, 1)[0].action == "connected"
