"""The stages that all runs share: ids, records, comparison, and the last one, which commits, holds or only
plans."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from rollbook.domain import guard, upload_notices
from rollbook.domain.guard import Counts, Reason
from rollbook.roster.clone import clone_roster
from rollbook.roster.findings import Problems
from rollbook.roster.intake.clever import sign_in_columns
from rollbook.roster.intake.row_texts import Told
from rollbook.roster.views import diff, id_pairs, identities, projection, roster_changes, view_candidates
from rollbook.roster.views.view_candidates import IN_ROSTER
from rollbook.settings import Settings
from rollbook.store.accounts import connections
from rollbook.store.accounts import credentials as logins
from rollbook.store.district import districts, thresholds, views
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import commits, problem_rows, retention, run_changes, sis_aliases
from rollbook.store.records.commits import THIS_RUN, Outcome, Snapshot
from rollbook.store.records.own_record import healthy
from rollbook.sync import repeats
from rollbook.sync.result import How, Sync

DAY_SECONDS = 86_400
# The ids in a plan. They are never given to records, and are greater than all real ids.
PLANNED_IDS = "f" * 16
# Runs that are held if they look wrong. For other runs an operator or the source has decided already.
GUARDED = ("files", "undo")
# The files of the last snapshot that a sync compares with. The other files are for making views.
KEPT = ("identity", "digests")
# A small file that names the program that made a snapshot.
PROGRAM = "program"
# From so many people on, it costs less to find the changed columns for signing in than to pass all to the database.
SIGN_INS_MIN = 5_000
COMPARED = (*KEPT, PROGRAM, *projection.tables())


@dataclass(frozen=True, slots=True)
class Work:
    """The values that the last stages need from the first ones."""

    database: Database
    district: District
    settings: Settings
    folder: Path
    engine: DuckDBPyConnection
    before: Snapshot
    moment: float
    # What is kept beside the snapshot if it is committed.
    marks: Mapping[str, Path] = field(default_factory=dict)
    # What is kept beside the snapshot if it is committed or held.
    notes: Mapping[str, Path] = field(default_factory=dict)
    # The problems of the files one by one, which are written beside the run.
    told: Sequence[Told] = ()


def compare(
    engine: DuckDBPyConnection,
    database: Database,
    district: District,
    before: Snapshot,
    settings: Settings,
    how: How,
    home: Mapping[str, Path] | None = None,
) -> float:
    """Give ids, make records, and compare.

    Leaves `identity`, `digests` and `changes` in the engine; returns the moment. `home` has the files of an
    older snapshot, whose ids and dates come back with its records.
    """
    home = home or {}
    moment = districts.moment_after(database, before.created, how.moment)
    if not clone_roster.is_in(engine):
        prefix = PLANNED_IDS if how.is_plan else districts.reserve(database, moment).prefix
        identities.load(engine, before.files, home)
        if how.pairs:
            id_pairs.apply(engine, how.pairs)
        forget_before = timestamp(moment - settings.identity_days * DAY_SECONDS)
        identities.assign(engine, prefix=prefix, now=timestamp(moment), forget_before=forget_before)
    diff.load(engine, before.files.get("digests"), home.get("digests"))
    chosen = {} if home else _chosen(engine, before)
    full = [view for view in before.views if view.number not in chosen]
    is_simple = all(
        view.spec.shows_everybody and chosen.get(view.number) == IN_ROSTER for view in before.views
    )
    build(engine, district, full, only_touched=is_simple)
    diff.compare(engine, [view.number for view in full], timestamp(moment))
    # Views that follow the roster come first: other views follow the difference of one of these.
    for is_derived in (False, True):
        numbers = [number for number, changed in chosen.items() if (changed != IN_ROSTER) == is_derived]
        seen = [view for view in before.views if view.number in numbers]
        alike = {view.number: view.spec for view in seen if is_derived and projection.is_alike(view.spec)}
        if alike:
            whole = next(view for view in before.views if view.is_whole)
            projection.build_alike(engine, alike, district.id, (whole.number, whole.spec))
        for view in seen:
            if view.number not in alike:
                projection.build(engine, view.number, district.id, view.spec, chosen[view.number])
        if numbers:
            diff.compare(engine, numbers, timestamp(moment), are_chosen=True)
    diff.keep(engine, f"view NOT IN ({', '.join(str(view.number) for view in before.views)})")
    return moment


def _chosen(engine: DuckDBPyConnection, before: Snapshot) -> dict[int, str]:
    """The views (by number) of which only some records are made, each with SQL for the ids that they are found from.

    A frozen view still has to show what it held back, and another program may make other records.
    """
    if not _is_by_this_program(before) or clone_roster.is_in(engine):
        return {}
    views = [view for view in before.views if not view.frozen]
    derived = {
        view.number: view_candidates.in_view(view.base)
        for view in views
        if view.base and view_candidates.follows(view.spec)
    }
    if not roster_changes.find(engine, before.files):
        return derived
    followed = (view.number for view in views if view_candidates.is_followed(view.spec))
    return {number: derived.get(number, IN_ROSTER) for number in followed}


def _is_by_this_program(before: Snapshot) -> bool:
    made_by = before.files.get(PROGRAM)
    return made_by is not None and json.loads(made_by.read_bytes()) == repeats.program()


def build(
    engine: DuckDBPyConnection, district: District, seen: Iterable[View], *, only_touched: bool = False
) -> None:
    """Make the records of each view: from the roster's columns or, in a cloned district, from the given
    records. `only_touched` is that of `projection.begin`."""
    is_cloned = clone_roster.is_in(engine)
    if is_cloned:
        clone_roster.begin(engine)
    else:
        projection.begin(engine, only_touched=only_touched)
    for view in seen:
        if is_cloned:
            clone_roster.build(engine, view.number, view.spec)
        else:
            projection.build(engine, view.number, district.id, view.spec)


def conclude(
    work: Work,
    cause: str,
    how: How,
    problems: Problems | None = None,
    about: Mapping[str, object] | None = None,
) -> Sync:
    """Commit, hold, or only plan.

    A held undo leaves nothing behind: the operator can repeat it with an approval.
    """
    counts = count(work.engine, work.before.views, problems)
    whole = next(view.number for view in work.before.views if view.is_whole)
    frozen = _freeze(work, counts)
    is_guarded = work.before.sync and cause in GUARDED
    reasons = (
        guard.reasons(counts[whole], thresholds.read(work.database, work.district)) if is_guarded else []
    )
    done = Sync(
        work.district,
        None,
        "planned",
        timestamp(work.moment),
        whole,
        counts,
        {
            name: frozen[view]
            for name, view in connections.views_of(work.database, work.district).items()
            if frozen.get(view)
        },
        name_samples(work.database, work.engine, whole, whole),
        reasons,
        problems.groups() if problems else (),
        tuple(problems) if problems else (),
        about=about or {},
    )
    if how.is_plan:
        return done
    needs_name = any(reason.needs_name for reason in reasons) and how.name != work.district.name
    state = "held" if reasons and (needs_name or not how.is_approved) else "committed"
    if state == "held" and cause == "undo":
        return replace(done, state=state)
    return replace(done, state=state, number=_write(work, cause, state, done, how, frozen))


def name_samples(
    database: Database, engine: DuckDBPyConnection, view: int, seen: int
) -> list[dict[str, str]]:
    """The first few changes of a view.

    A record that vanishes is named as in the view `seen`, the one read now.
    """
    found = diff.samples(engine, view, is_whole=clone_roster.is_in(engine))
    with database.read() as transaction:
        for sample in found:
            if sample["verb"] == "deleted":
                sample["label"] = commits.label(transaction, seen, sample["kind"], sample["id"])
    return found


def _freeze(work: Work, counts: Mapping[int, Mapping[str, Counts]]) -> dict[int, list[Reason]]:
    """Freeze the views of which the run would change too much; returns the reasons for each frozen view."""
    if not work.before.sync:
        return {}
    found = {
        view.number: guard.reasons(counts[view.number], {}) for view in work.before.views if view.freezes
    }
    diff.leave(work.engine, [number for number, reasons in found.items() if reasons])
    return found


def _write(
    work: Work, cause: str, state: str, done: Sync, how: How, frozen: Mapping[int, list[Reason]]
) -> int:
    is_cloned = clone_roster.is_in(work.engine)
    names = ("digests", clone_roster.TABLE) if is_cloned else (*KEPT, *projection.tables())
    kept = {**{name: diff.write(work.engine, name, work.folder) for name in names}, **work.notes}
    report = {
        **done.as_json(),
        "problems": [],
        "needs_name": any(reason.needs_name for reason in done.reasons),
        "grades": {} if is_cloned else projection.students_by_grade(work.engine),
    }
    kept[PROGRAM] = work.folder / PROGRAM
    kept[PROGRAM].write_text(json.dumps(repeats.program()))
    note = _noted(work, how, done.view, is_cloned=is_cloned)
    if state == "held":
        # Every application reads this notice, and may have no right to see the kinds that the report counts.
        outcome = Outcome(
            cause, work.moment, report, {"state": "pending", "error": upload_notices.HELD}, state
        )
        return commits.commit(work.database, work.district, work.before, outcome, files=kept, also=note)
    columns = {
        "snapshot": THIS_RUN,
        "state": healthy(work.district, work.moment),
        "error": "",
        "last_sync": timestamp(work.moment),
    }
    if is_cloned and (given := clone_roster.district(work.engine)):
        columns["given"] = given
    outcome = Outcome(
        cause, work.moment, report, columns, state, "approved" if cause == "approval" else "replaced"
    )
    keep = retention.keep_since(
        work.moment, history_days=work.settings.history_days, event_days=work.settings.event_days
    )

    take_in = _sign_ins(work)

    def mark(transaction: Transaction) -> None:
        note(transaction)
        if how.pairs:
            sis_aliases.note(transaction, work.district.number, id_pairs.kept(work.engine))
        for view in work.before.views:
            if view.number in frozen:
                views.freeze(transaction, view, frozen[view.number], work.before.head + 1)
        if not is_cloned:
            take_in(transaction)

    kept |= work.marks
    changes = diff.rows(work.engine, is_whole=is_cloned)
    return commits.commit(
        work.database, work.district, work.before, outcome, changes=changes, files=kept, keep=keep, also=mark
    )


def _sign_ins(work: Work) -> Callable[[Transaction], None]:
    """What writes the columns for signing in: those that differ from the last snapshot's, if the same program made
    it and there are many, else all."""
    engine, number, files = work.engine, work.district.number, work.before.files
    known, is_given = None, sign_in_columns.TABLE in files and _is_by_this_program(work.before)
    if is_given and sign_in_columns.count(engine) >= SIGN_INS_MIN:
        known = sign_in_columns.compare(engine, files[sign_in_columns.TABLE], files["identity"])

    def write(transaction: Transaction) -> None:
        if known is not None:
            changed = sign_in_columns.changed(engine)
            rows = sign_in_columns.rows(engine, only_changed=True)
            if logins.change(transaction, number, known, changed, rows):
                return
        logins.replace(transaction, number, sign_in_columns.rows(engine))

    return write


def _noted(work: Work, how: How, whole: int, *, is_cloned: bool) -> Callable[[Transaction], None]:
    """What is written beside a run: its changes by record, if there was a run before, the problems of its files, and
    the caller's note."""
    note = how.noted(work.district, work.before)

    def write(transaction: Transaction) -> None:
        note(transaction)
        problem_rows.write(transaction, work.district.number, work.before.head + 1, work.told)
        if work.before.sync:
            rows = diff.changed(work.engine, whole, run_changes.ROWS_MAX, is_whole=is_cloned)
            run_changes.write(transaction, work.district.number, work.before.head + 1, whole, rows)

    return write


def restore(engine: DuckDBPyConnection, files: Mapping[str, Path], rows: int | None = None) -> None:
    """Load a snapshot's roster tables into the engine, in the form that `normalize` gives them; at most
    `rows` of each."""
    if clone_roster.TABLE in files:
        clone_roster.restore(engine, files[clone_roster.TABLE], rows)
    else:
        projection.restore(engine, files, rows)


def count(
    engine: DuckDBPyConnection, seen: Iterable[View], problems: Problems | None
) -> dict[int, dict[str, Counts]]:
    """By view: the counts of each kind, in the order in which ids are given.

    Users count by their first role.
    """
    errors = problems.errors_by_kind() if problems else {}
    missing = {source: Counts(errors=number) for source, number in errors.items() if number}
    found = diff.counts(engine)
    counted = {
        view.number: missing
        | {
            source: Counts(*counts, errors=errors.get(source, 0))
            for source, counts in found.get(view.number, {}).items()
        }
        for view in seen
    }
    return {
        view: {source: counts[source] for source in identities.SOURCES if source in counts}
        for view, counts in counted.items()
    }
