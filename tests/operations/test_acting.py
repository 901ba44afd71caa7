"""Acts of the console: each role may do its own, in its own district, and the trail names the person."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from rollbook.domain.actors import PERMISSIONS, ROLES, Actor
from rollbook.errors import BadSetting, Busy, Conflict, Forbidden, Refused, RollbookError, Unknown
from rollbook.operations import (
    acting,
    backing_up,
    connecting,
    district_setup,
    registering,
    run_decisions,
    share_edits,
    team,
)
from rollbook.operations.acting import ACTS, do
from rollbook.operations.noted_database import NotedDatabase
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts, thresholds, views
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
    "widen applications": {"operator"},
    "give applications": {"operator"},
    "change the team": {"operator", "district"},
    "choose mail": {"operator", "district"},
    "change webhooks": {"operator"},
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
    with hub.database.read() as transaction:
        row = audit.latest(transaction, 1)[0]
    assert (row.action, row.district, row.address) == ("limits set", HOME, "192.0.2.7")
    assert row.detail["by"] == "Ana of district"
    before, after = row.detail["before"], row.detail["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["students"]["deleted"], after["students"]["deleted"]) == (10, 7)


def test_an_act_that_failed_leaves_no_row(hub: Hub) -> None:
    def rows() -> int:
        with hub.database.read() as transaction:
            return len(audit.latest(transaction, 1000))

    before = rows()
    with pytest.raises(Unknown):
        do(person(hub, "operator"), run_decisions.discard, hub.database, HOME)
    assert rows() == before


@pytest.mark.parametrize("act", ["limits", "share", "invitation"])
def test_an_act_whose_row_cannot_be_written_changes_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    operator, pair = person(hub, "operator"), (f"Reader for {act}", HOME)
    registering.register(hub.database, NewApplication(pair[0]))
    connecting.connect(hub.database, hub.settings, *pair)

    def state() -> tuple[object, ...]:
        owner = districts.find(hub.database, HOME)
        return (
            thresholds.read(hub.database, owner),
            views.by_application(hub.database, owner.number)[pair[0]].spec,
            [each.name for each in team.members(hub.database)],
        )

    edit = share_edits.ShareEdit(shared="nothing")
    acts: dict[str, Callable[[], object]] = {
        "limits": lambda: do(operator, district_setup.set_limits, hub.database, HOME, "students", deleted=3),
        "share": lambda: do(operator, share_edits.share, hub.database, hub.settings, *pair, edit),
        "invitation": lambda: do(operator, team.invite, hub.database, hub.settings, "Ira", "operator"),
    }
    before = state()
    monkeypatch.setattr(audit, "record", _fail)
    with pytest.raises(ZeroDivisionError):
        acts[act]()
    assert state() == before


def _fail(*_: object, **__: object) -> int:
    raise ZeroDivisionError


def test_an_act_of_several_transactions_that_stops_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, pair = person(hub, "operator"), ("Half changed", HOME)
    registering.register(hub.database, NewApplication(pair[0]))
    connecting.connect(hub.database, hub.settings, *pair)

    def busy(*_: object, **__: object) -> None:
        raise Busy("another program writes")

    monkeypatch.setattr(applications, "change", busy)
    with pytest.raises(Busy):
        do(operator, registering.change, hub.database, hub.settings, pair[0], scopes=("read:students",))
    with hub.database.read() as transaction:
        row = next(one for one in audit.latest(transaction) if one.action == "application changed")
    assert (row.application, row.detail) == (pair[0], {"by": "Ana of operator", "is_complete": False})


def test_an_act_that_is_tried_again_after_a_conflict_has_one_row(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [Busy("conflict")]
    real = audit.record

    def record(*given: Any, **more: Any) -> int:
        number = real(*given, **more)
        if refusals:
            raise refusals.pop()
        return number

    def limits_twice(database: Database, district: str) -> None:
        for _ in range(2):
            with suppress(Busy):
                district_setup.set_limits(database, district, "terms", deleted=4)

    monkeypatch.setattr(audit, "record", record)
    monkeypatch.setattr(acting, "ACTS", {limits_twice: acting.Act("tried again", "change settings")})
    do(person(hub, "operator"), limits_twice, hub.database, HOME)
    with hub.database.read() as transaction:
        assert [one.action for one in audit.latest(transaction, 5)].count("tried again") == 1


def test_a_share_that_changes_while_an_edit_is_made_is_not_overwritten(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ("Edited twice", HOME)
    registering.register(hub.database, NewApplication(pair[0]))
    connecting.connect(hub.database, hub.settings, *pair)
    number = districts.find(hub.database, HOME).number
    mark = views.share_mark(views.by_application(hub.database, number)[pair[0]])
    real, other = share_edits.check_schools, share_edits.ShareEdit(withheld=("student.dob",))

    def late(*given: Any) -> None:
        monkeypatch.setattr(share_edits, "check_schools", real)
        share_edits.share(hub.database, hub.settings, *pair, other)

    monkeypatch.setattr(share_edits, "check_schools", late)
    mine = share_edits.ShareEdit(shared="nothing", seen_as=mark)
    with pytest.raises(Conflict, match="Another person has changed this share"):
        do(person(hub, "operator"), share_edits.share, hub.database, hub.settings, *pair, mine)
    spec = views.by_application(hub.database, number)[pair[0]].spec
    assert (spec.share, spec.withheld) == (None, ("student.dob",))
    with hub.database.read() as transaction:
        assert "share set" not in {
            one.action for one in audit.latest(transaction) if one.application == pair[0]
        }
    again = share_edits.ShareEdit(shared="nothing")
    with pytest.raises(Conflict):
        connecting.connect_new(hub.database, hub.settings, *pair, again)


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
    with hub.database.read() as transaction:
        assert audit.latest(transaction, 1)[0].action == "connected"


def test_the_database_of_an_act_is_the_database_in_all_else(hub: Hub) -> None:
    with closing(open_database(hub.settings.database)) as database:
        noted = NotedDatabase(database)
        assert noted.is_local == database.is_local
        assert noted.figures().keys() == database.figures().keys()
        noted.settle()
        with noted.write() as transaction:
            transaction.run("DELETE FROM failures")
        assert not noted.has_row
        if database.is_local:
            with noted.without_waiting(), noted.read() as transaction:
                assert transaction.row("SELECT 1") == (1,)
            with pytest.raises(BadSetting):
                noted.read_from("postgresql://nowhere.example/none")
            with pytest.raises(TypeError):
                noted.alone("SELECT 1")
        else:
            assert noted.alone("SELECT 1") == [(1,)]
        noted.close()
