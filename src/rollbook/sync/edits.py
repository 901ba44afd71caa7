"""Edits of what an application sees: its share, its scopes, its view frozen or thawed. They apply at once."""

from __future__ import annotations

from dataclasses import replace

from duckdb import DuckDBPyConnection

from rollbook.contract.clever.tiers import SCOPE_OF_ROLE
from rollbook.domain import guard
from rollbook.errors import Refused
from rollbook.roster.clone import clone_roster
from rollbook.roster.views import diff, identities
from rollbook.settings import Settings
from rollbook.store.accounts import connections, share_history
from rollbook.store.accounts.applications import Application
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import Spec, View
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import commits, event_feed
from rollbook.store.records.commits import Outcome, Snapshot
from rollbook.sync.result import How, Sync
from rollbook.sync.stages import build, count, name_samples, restore
from rollbook.sync.workplace import engine_in, workplace


def view_of(database: Database, district: District, spec: Spec, settings: Settings) -> View:
    """The district's view for a spec. A new view is made from the last snapshot, in one transaction.

    Errors: Busy if a sync committed meanwhile.
    """
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        last = commits.snapshot(database, district, folder)
        # The connection that will use the view makes it durable.
        with database.write(is_durable=False) as transaction:
            view, is_new = views.ensure(transaction, district.number, spec)
            if is_new and last.sync:
                _lay_out(engine, last)
                build(engine, district, [view])
                diff.between(engine, [view.number], last.created or "")
                digests = diff.write(engine, "digests", folder)
                commits.fill_view(
                    transaction,
                    district,
                    view,
                    last,
                    diff.rows(engine, is_whole=clone_roster.is_in(engine)),
                    digests,
                )
            elif is_new:
                commits.hold_on(transaction, district, last)
                districts.insert_record(transaction, districts.reread(transaction, district), view, 0)
    return view


def share(
    database: Database,
    district: District,
    application: Application,
    spec: Spec,
    settings: Settings,
    how: How | None = None,
    *,
    freezes: bool | None = None,
    seen_as: str = "",
) -> Sync:
    """Change at once what an application sees: records that enter its view are created, those that leave it
    are deleted.

    With `how.is_plan` nothing is written. The counts are those of the application's view.

    `freezes`: from now on, freeze the view if a run would change too much of it, until `thaw`. None keeps the
    choice in force. An edit that deletes too much of such a view freezes it, too. The edit is then held,
    unless `how.is_approved`. An edit that only changes records never freezes: withholding a field changes all
    of them.

    `seen_as`: the mark of the share that the edit was made for (`views.share_mark`); blank: any share.

    Errors: Unknown if the application is not connected, Conflict if its share has another mark by now.
    """
    how = how or How()
    number, shown = connections.connection_of(database, application, district)
    view = _own_view(database, district, number, how)
    edited = replace(view, spec=spec, freezes=view.freezes if freezes is None else freezes)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        last = commits.snapshot(database, district, folder)
        if not last.sync:
            pair = (application, district)
            return _share_nothing_yet(database, pair, number, edited, last, how, seen_as)
        _lay_out(engine, last)
        if shown != view.number:
            diff.take_over(engine, shown, view.number)
        build(engine, district, [edited])
        moment = districts.moment_after(database, last.created, how.moment)
        diff.between(engine, [view.number], timestamp(moment))
        counts = count(engine, [view], None)[view.number]
        samples = name_samples(database, engine, view.number, shown)
        may_freeze = edited.freezes and not how.is_approved
        reasons = (
            [reason for reason in guard.reasons(counts, {}) if reason.verb == "deleted"] if may_freeze else []
        )
        frozen = {application.name: reasons} if reasons else {}
        done = Sync(
            district, None, "planned", timestamp(moment), view.number, {view.number: counts}, frozen, samples
        )
        if how.is_plan:
            return done
        if reasons:
            diff.leave(engine, [view.number])
        digests = diff.write(engine, "digests", folder)
        leaving, losing = diff.leaving(engine, view.number), diff.losing(engine, view.number)

        def move(transaction: Transaction) -> None:
            views.check_mark(transaction, number, seen_as)
            if shown != view.number:
                views.copy(transaction, shown, view.number)
                connections.see(transaction, number, view)
            was = views.by_number(transaction, shown).spec
            views.edit(transaction, edited, last.head + 1)
            if spec != was:
                event_feed.withdraw(
                    transaction, edited, (*spec.hidden, *_hidden_roles(spec)), leaving, losing
                )
            views.freeze(transaction, view, reasons, last.head + 1)
            commits.replace_digests(transaction, district, last.sync, digests)
            action = share_history.HELD if reasons else share_history.EDITED
            share_history.note(transaction, number, application, district, spec, action=action)

        report = {**done.as_json(), "application": application.name}
        outcome = Outcome("share", moment, report, {}, held_becomes=None)
        changes = diff.rows(engine, is_whole=clone_roster.is_in(engine))
        run = commits.commit(database, district, last, outcome, changes=changes, also=move)
        return replace(done, number=run, state="held" if reasons else "committed")


def thaw(
    database: Database,
    district: District,
    application: Application,
    settings: Settings,
    how: How | None = None,
) -> Sync:
    """Apply the present state to an application's frozen view. Errors: Refused if it is not frozen."""
    view = seen(database, district, application)
    if not view.frozen:
        raise Refused(f"what {application.name!r} sees of {district.name!r} is not frozen")
    return share(
        database, district, application, view.spec, settings, replace(how or How(), is_approved=True)
    )


def rescope(
    database: Database, application: Application, settings: Settings, asks: Spec | None = None
) -> list[Sync]:
    """Give an application what it asks for now, at once, in all its districts.

    Districts without a difference are skipped.
    """
    done, asks = [], asks or application.asks
    for number in connections.districts_of(database, application):
        with database.read() as transaction:
            district = districts.by_number(transaction, number)
        view = seen(database, district, application)
        spec = replace(view.spec, scopes=asks.scopes, unasked=asks.unasked)
        if spec != view.spec:
            # Its operator decided this. If a frozen view held the edit back, the new scopes would not be in
            # force.
            done.append(share(database, district, application, spec, settings, How(is_approved=True)))
    return done


def _lay_out(engine: DuckDBPyConnection, last: Snapshot) -> None:
    """Load a snapshot into the engine as its run left it, to make views from it."""
    restore(engine, last.files)
    if not clone_roster.is_in(engine):
        identities.restore(engine, last.files["identity"])
    diff.load(engine, last.files["digests"])


def seen(database: Database, district: District, application: Application) -> View:
    """What an application sees of a district. Errors: Unknown if it is not connected."""
    _, number = connections.connection_of(database, application, district)
    with database.read() as transaction:
        return views.by_number(transaction, number)


def _hidden_roles(spec: Spec) -> list[str]:
    """The roles that no scope opens. A person with another role stays, without these."""
    return [role for role, scope in SCOPE_OF_ROLE.items() if scope not in spec.scopes]


def _own_view(database: Database, district: District, number: int, how: How) -> View:
    """The view that only one connection (by its number) uses.

    If there is none, it is created; a plan only invents one.
    """
    if how.is_plan:
        with database.read() as transaction:
            return views.find_own(transaction, district.number, number) or View(0, views.NOTHING)
    # It only prepares the edit, whose own transaction makes it durable.
    with database.write(is_durable=False) as transaction:
        return views.own(transaction, district.number, number)


def _share_nothing_yet(
    database: Database,
    pair: tuple[Application, District],
    number: int,
    edited: View,
    last: Snapshot,
    how: How,
    seen_as: str,
) -> Sync:
    """Set what an application will see of a district that has not been synced yet."""
    application, district = pair
    done = Sync(district, None, "planned", timestamp(), edited.number, {edited.number: {}})
    if how.is_plan:
        return done
    with database.write() as transaction:
        views.check_mark(transaction, number, seen_as)
        commits.hold_on(transaction, district, last)
        views.copy(transaction, views.whole(transaction, district.number).number, edited.number)
        views.edit(transaction, edited, last.head)
        connections.see(transaction, number, edited)
        share_history.note(transaction, number, application, district, edited.spec)
    return replace(done, state="committed")
