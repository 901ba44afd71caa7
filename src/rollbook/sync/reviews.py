"""Decisions about a sync: approve or discard the held one, undo the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollbook.domain import upload_notices
from rollbook.errors import BadSetting, Busy, Conflict, Refused
from rollbook.roster.intake.clever import row_problems
from rollbook.settings import Settings
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import commits, retention
from rollbook.store.records.commits import Run
from rollbook.store.records.own_record import change_record, healthy
from rollbook.sync.pauses import reread
from rollbook.sync.result import How, Sync
from rollbook.sync.stages import COMPARED, Work, compare, conclude, restore
from rollbook.sync.workplace import engine_in, workplace


def approve(
    database: Database,
    district: District,
    settings: Settings,
    *,
    name: str | None = None,
    how: How | None = None,
    number: int | None = None,
) -> Sync:
    """Apply the held sync; with a number, only that one.

    Errors: Unknown if no sync is held, BadSetting if `name` must repeat the district's name, Conflict if
    another sync is held by now.
    """
    held = _held(database, district, number)
    if held.report.get("needs_name") and name != district.name:
        raise BadSetting(
            "this sync deletes nearly everything of a kind; to approve it, repeat the "
            f"district's name: {district.name!r}"
        )
    how, about = replace(how or How(), is_approved=True), {"approves": held.number}
    return _again(database, district, settings, held.number, "approval", how, about=about)


def discard(database: Database, district: District, number: int | None = None) -> int:
    """Discard the held sync; returns its number. With a number, only that one.

    Errors: Unknown if no sync is held, Conflict if another sync is held by now.
    """
    number = _held(database, district, number).number
    district = reread(database, district)
    # Files that failed since then still need fixing.
    columns: dict[str, object] = (
        {"state": healthy(district), "error": ""} if district.error == upload_notices.HELD else {}
    )
    change_record(database, district, "discard", columns, {"discards": number}, held_becomes="discarded")
    return number


def _held(database: Database, district: District, number: int | None) -> Run:
    """The held sync, which must have the number, if there is one."""
    found = commits.runs(database, district, ("held",), 1)
    if found and number in (None, found[0].number):
        return found[0]
    if number is None:
        return commits.held(database, district)
    past = commits.run(database, district, number)
    other = f"; run {found[0].number} is held now" if found else ""
    raise Conflict(f"run {number} does not wait any more: it was {past.state}{other}")


def undo(
    database: Database,
    district: District,
    settings: Settings,
    how: How | None = None,
    number: int | None = None,
) -> Sync:
    """Undo the last committed sync, as a new snapshot; with a number, only the sync of that number. An undo
    after an undo restores what the first one took back.

    An undo that looks wrong is held, by the rules for syncs, and nothing is kept of it; `how` must approve
    it. Errors: Refused if there is no sync to undo, Busy if another run was faster, Conflict if the sync of
    the number is not the last one.
    """
    with database.read() as transaction:
        kept = retention.kept_snapshots(transaction, district)
    if not kept:
        raise Refused(f"{district.name!r} has no committed sync to take back")
    if number not in (None, kept[0]):
        raise Conflict(f"run {number} is not the last one any more; only the last run can be undone")
    taken, wanted = kept[0], kept[1] if len(kept) > 1 else 0
    about = {
        "takes_back": _named(commits.run(database, district, taken)),
        "restores": _named(commits.run(database, district, wanted)) if wanted else None,
    }
    return _again(database, district, settings, wanted, "undo", how or How(), taken, about)


def _named(run: Run) -> dict[str, object]:
    return {"sync": run.number, "cause": run.cause, "created": run.created}


def _again(
    database: Database,
    district: District,
    settings: Settings,
    number: int,
    cause: str,
    how: How,
    taken: int | None = None,
    about: Mapping[str, object] | None = None,
) -> Sync:
    """Make a kept snapshot the current one: compare it with today's, and commit it like any other.

    `taken` is the number that today's snapshot must have.
    """
    district = reread(database, district)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        before = commits.snapshot(database, district, folder, COMPARED)
        if taken not in (None, before.sync):
            raise Busy(
                f"{district.name!r} was changed by another run meanwhile; nothing was written, run it again"
            )
        wanted = commits.snapshot(database, district, folder, sync=number)
        if number and not wanted.files:
            raise Busy(f"run {number} of {district.name!r} was replaced meanwhile; nothing was written")
        if wanted.files:
            restore(engine, wanted.files)
        else:
            restore(engine, commits.snapshot(database, district, folder).files, rows=0)
        # Records that come back get their former ids and dates.
        home = wanted.files if cause == "undo" else {}
        moment = compare(engine, database, district, before, settings, how, home)
        notes = {name: file for name, file in wanted.files.items() if name == row_problems.TABLE}
        if how.pairs:
            about = {**(about or {}), "keeps_ids": len(how.pairs)}
        work = Work(database, district, settings, folder, engine, before, moment, notes=notes)
        return conclude(work, cause, how, about=about)
