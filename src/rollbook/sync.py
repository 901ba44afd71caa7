"""One sync: a district's files in, a snapshot committed, a report out; and what can be done with a snapshot besides.

Seven stages, of which only the last one writes. Leaves files and rules to `roster`, the transaction to `store.history`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from rollbook.errors import BadSetting, MachineTrouble, Refused, SourceRejected
from rollbook.roster import checks, cloned, credentials, diff, files, guard, identity, normalize, snapshot
from rollbook.roster.guard import Counts, Reason
from rollbook.roster.problems import Problem, Problems
from rollbook.roster.rules import Rules
from rollbook.roster.tables import connect
from rollbook.settings import Settings
from rollbook.store import applications, districts, events, history, thresholds, views
from rollbook.store import credentials as logins
from rollbook.store.applications import Application
from rollbook.store.database import Connection, Database
from rollbook.store.districts import District, timestamp
from rollbook.store.history import THIS_RUN, Keep, Outcome, Snapshot
from rollbook.store.keys import Sealer, key_path
from rollbook.store.views import Spec, View

DAY_SECONDS = 86_400
MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)

# The ids of a plan: none of them is ever given, and they are greater than all that are.
PLANNED_IDS = "f" * 16
HELD = "Held for approval: "

# Files of the last snapshot that a sync compares with; the others serve to make a view anew.
COMPARED = ("identity", "digests")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sync:
    """What one run did, or, as a plan, would do.

    `state` is planned, committed or held; `reasons` say why it is held, or would be. `views` has the counts of every view by its
    number, `frozen` why an application's view is left as it is, by the application's name. `problems` holds the first ones, one
    by one; `problem_counts` counts all of them by code.
    """

    district: District
    number: int | None
    state: str
    created: str
    views: dict[int, dict[str, Counts]]
    frozen: dict[str, list[Reason]] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    problem_counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def kinds(self) -> dict[str, Counts]:
        """The counts of the view that everything is in."""
        return self.views[min(self.views)]

    def as_json(self) -> dict[str, object]:
        return {
            "district": self.district.id,
            "sync": self.number,
            "state": self.state,
            "created": self.created,
            "held_because": [str(reason) for reason in self.reasons],
            "frozen": {name: [str(reason) for reason in reasons] for name, reasons in self.frozen.items()},
            "kinds": {kind: asdict(counts) for kind, counts in self.kinds.items()},
            "samples": self.samples,
            "problem_counts": self.problem_counts,
            "problems": [
                {"code": problem.code, "severity": problem.severity, **asdict(problem), "message": str(problem)}
                for problem in self.problems
            ],
        }


@dataclass(frozen=True, slots=True)
class How:
    """How a sync is to be done: only planned, approved beforehand, at another moment than now (Unix seconds).

    One that deletes nearly everything of a kind is only approved beforehand when `name` repeats the district's name. `note` is
    kept with the run, in the same transaction: what its caller wants to find again.
    """

    is_plan: bool = False
    is_approved: bool = False
    name: str | None = None
    moment: float | None = None
    note: Mapping[str, object] | None = None


def run(
    database: Database,
    district: District,
    source: Path,
    settings: Settings,
    *,
    rules: Rules | None = None,
    how: How | None = None,
    progress: Progress | None = None,
) -> Sync:
    """Bring one district's roster up to date with its files.

    A sync that looks wrong is held: it keeps its snapshot for an approval and changes nothing. Errors: SourceRejected when the
    files cannot be synced at all, Refused while the district is paused, Busy when another run was faster, MachineTrouble when
    memory or disk did not suffice; nothing is written then but the district's own state.
    """
    rules, how, tell = rules or Rules(), how or How(), progress or _say_nothing
    district = _reread(database, district)
    if district.given:
        raise Refused(f"{district.name!r} was cloned and takes no files; `rollbook clone` brings it up to date")
    _refuse_while_paused(database, district, how)
    with _workplace(settings) as folder:
        tell("reading the files")
        keys = logins.keys(Sealer(key_path(settings)), district.id)
        try:
            opened = files.open_all(
                source,
                memory_limit=settings.sync_memory,
                temporary=folder,
                lenient=rules.lenient_headers,
                password_key=keys[0],
            )
        except SourceRejected as error:
            if not how.is_plan:
                _note_failure(database, district, error, how)
            raise
        with closing(opened) as tables:
            tell("checking the rows")
            problems = checks.check(tables, rules)
            tell("normalising the values")
            normalize.roster(tables, rules)
            credentials.build(tables.connection, keys[1])
            snapshot.forget_files(tables.connection)
            tell("comparing with the last snapshot")
            before = history.snapshot(database, district, folder, COMPARED)
            moment = _compare(tables.connection, database, district, before, settings, how)
            tell("writing the changes")
            work = _Work(database, district, settings, folder, tables.connection, before, moment)
            return _conclude(work, "files", how, problems)


def take_in(database: Database, district: District, pages: Sequence[Path], settings: Settings) -> Sync:
    """Make what another server gave the district's roster, with the ids and dates it has there; it is never held.

    `pages` are files of JSON rows (see `roster.cloned`). Errors: RemoteTrouble for a record that came twice, and those of `run`.
    """
    how = How(is_approved=True)
    district = _reread(database, district)
    _refuse_while_paused(database, district, how)
    with _workplace(settings) as folder, _engine(settings, folder) as engine:
        cloned.read(engine, pages)
        before = history.snapshot(database, district, folder, COMPARED)
        moment = _compare(engine, database, district, before, settings, how)
        return _conclude(_Work(database, district, settings, folder, engine, before, moment), "clone", how, None)


def approve(
    database: Database, district: District, settings: Settings, *, name: str | None = None, how: How | None = None
) -> Sync:
    """Apply the sync that is held. Errors: Unknown when none is, BadSetting when the district's name must be repeated."""
    held = history.held(database, district)
    if held.report.get("needs_name") and name != district.name:
        raise BadSetting(
            f"this sync deletes nearly everything of a kind; to approve it, repeat the district's name: {district.name!r}"
        )
    return _again(database, district, settings, held.number, "approval", how)


def discard(database: Database, district: District) -> int:
    """Drop the sync that is held; returns its number. Errors: Unknown when none is."""
    number = history.held(database, district).number
    district = _reread(database, district)
    # What failed since then is still to be mended.
    columns: dict[str, object] = {"state": _healthy(district), "error": ""} if district.error.startswith(HELD) else {}
    _change_record(database, district, "discard", columns, held_becomes="discarded")
    return number


def undo(database: Database, district: District, settings: Settings) -> Sync:
    """Take back the last committed sync, as a new snapshot. Errors: Refused when there is none to take back."""
    with database.read() as connection:
        kept = history.kept_snapshots(connection, district)
    if not kept:
        raise Refused(f"{district.name!r} has no committed sync to take back")
    return _again(database, district, settings, kept[1] if len(kept) > 1 else 0, "undo")


def pause(database: Database, district: District, start: date, end: date | None) -> None:
    """Pause a district's syncs over a span of days, an open one when `end` is None.

    Errors: BadSetting when it ends before it begins.
    """
    if end and end < start:
        raise BadSetting(f"until: expected a day on or after {start.isoformat()}, got {end.isoformat()}")
    begun = start <= date.today()
    columns: dict[str, object] = {"pause_start": start.isoformat(), "pause_end": end.isoformat() if end else None}
    _change_record(database, district, "pause", {**columns, "state": "paused"} if begun else columns)


def resume(database: Database, district: District) -> None:
    """End a pause; what was to be mended before it still is."""
    state = "pending" if _reread(database, district).error else "running"
    _change_record(database, district, "pause", {"pause_start": None, "pause_end": None, "state": state})


def view_of(database: Database, district: District, spec: Spec, settings: Settings) -> View:
    """The district's view of that spec; a new one is made from the last snapshot, in one transaction.

    Errors: Busy when a sync committed meanwhile.
    """
    with _workplace(settings) as folder, _engine(settings, folder) as engine:
        last = history.snapshot(database, district, folder)
        with database.write() as connection:
            view, is_new = views.ensure(connection, district.number, spec)
            if is_new and last.sync:
                _restore(engine, last.files)
                if not cloned.is_in(engine):
                    identity.restore(engine, last.files["identity"])
                diff.load(engine, last.files["digests"])
                _build(engine, district, [view])
                diff.between(engine, [view.number], last.created or "")
                digests = diff.write(engine, "digests", folder)
                history.fill_view(connection, district, view, last, diff.rows(engine, is_whole=cloned.is_in(engine)), digests)
            elif is_new:
                history.hold_on(connection, district, last)
                districts.insert_record(connection, districts.reread(connection, district), view, 0)
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
) -> Sync:
    """Change what an application sees of a district, at once: what enters its view is created, what leaves it deleted.

    With `how.is_plan` nothing is written. The counts are those of the application's view. `freezes` says whether the view is to
    stay as it is from now on when a run would change too much of it, until `thaw`; None leaves that as it was. An edit itself
    freezes a view that does so already, unless `how.is_approved`. Errors: Unknown when it is not connected, Refused for a
    cloned district.
    """
    how = how or How()
    number, seen = applications.connection_of(database, application, district)
    view = _own_view(database, district, number, how)
    edited = replace(view, spec=spec, freezes=view.freezes if freezes is None else freezes)
    with _workplace(settings) as folder, _engine(settings, folder) as engine:
        last = history.snapshot(database, district, folder)
        if _reread(database, district).given or cloned.TABLE in last.files:
            raise Refused(f"{district.name!r} is a clone: its source decides what is in it, so it is shared as a whole")
        if not last.sync:
            return _share_nothing_yet(database, district, application, number, edited, last, how)
        _restore(engine, last.files)
        identity.restore(engine, last.files["identity"])
        diff.load(engine, last.files["digests"])
        if seen != view.number:
            diff.take_over(engine, seen, view.number)
        _build(engine, district, [edited])
        moment = districts.moment_after(last.created, how.moment)
        diff.between(engine, [view.number], timestamp(moment))
        counts, samples = _count(engine, view, None), diff.samples(engine, view.number, is_whole=False)
        reasons = guard.reasons(counts, {}) if view.freezes and not how.is_approved else []
        frozen = {application.name: reasons} if reasons else {}
        done = Sync(district, None, "planned", timestamp(moment), {view.number: counts}, frozen, samples)
        if how.is_plan:
            return done
        if reasons:
            diff.leave(engine, [view.number])
        digests = diff.write(engine, "digests", folder)

        def move(connection: Connection) -> None:
            if seen != view.number:
                views.copy(connection, seen, view.number)
                applications.see(connection, number, view)
            views.edit(connection, edited, last.head + 1)
            views.freeze(connection, view, reasons, last.head + 1)
            history.replace_digests(connection, district, last.sync, digests)
            applications.note_share(connection, application, district, spec)

        report = {**done.as_json(), "application": application.name}
        outcome = Outcome("share", moment, report, {}, held_becomes=None)
        run = history.commit(database, district, last, outcome, changes=diff.rows(engine), also=move)
        return replace(done, number=run, state="committed")


def thaw(database: Database, district: District, application: Application, settings: Settings, how: How | None = None) -> Sync:
    """Apply the present state to an application's view that is frozen. Errors: Refused when it is not."""
    view = _view_seen(database, district, application)
    if not view.frozen:
        raise Refused(f"what {application.name!r} sees of {district.name!r} is not frozen")
    return share(database, district, application, view.spec, settings, replace(how or How(), is_approved=True))


def rescope(database: Database, application: Application, settings: Settings) -> list[Sync]:
    """Let an application see at once what its scopes open now, in all its districts; where nothing differs, nothing is done.

    A cloned district shows what its source gave.
    """
    done = []
    for number in applications.districts_of(database, application):
        with database.read() as connection:
            district = districts.by_number(connection, number)
        view = _view_seen(database, district, application)
        spec = replace(view.spec, scopes=Spec.of(application.scopes).scopes)
        if spec != view.spec and not district.given:
            # Its operator decided so: an edit that a frozen view held back would be a scope that is not in force.
            done.append(share(database, district, application, spec, settings, How(is_approved=True)))
    return done


def _view_seen(database: Database, district: District, application: Application) -> View:
    _, seen = applications.connection_of(database, application, district)
    with database.read() as connection:
        return views.by_number(connection, seen)


def _own_view(database: Database, district: District, number: int, how: How) -> View:
    """The view that a connection (by its number) has alone; a plan writes none, and is made for one that is not there."""
    if how.is_plan:
        with database.read() as connection:
            return views.find_own(connection, district.number, number) or View(0, views.NOTHING)
    with database.write() as connection:
        return views.own(connection, district.number, number)


def _share_nothing_yet(
    database: Database, district: District, application: Application, number: int, edited: View, last: Snapshot, how: How
) -> Sync:
    """Set what an application will see of a district that has not been synced yet."""
    done = Sync(district, None, "planned", timestamp(), {edited.number: {}})
    if how.is_plan:
        return done
    with database.write() as connection:
        history.hold_on(connection, district, last)
        views.copy(connection, views.list_all(connection, district.number)[0].number, edited.number)
        views.edit(connection, edited, last.head)
        applications.see(connection, number, edited)
        applications.note_share(connection, application, district, edited.spec)
    return replace(done, state="committed")


# The stages ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """What the last stages need of the first ones."""

    database: Database
    district: District
    settings: Settings
    folder: Path
    engine: DuckDBPyConnection
    before: Snapshot
    moment: float


def _compare(
    engine: DuckDBPyConnection,
    database: Database,
    district: District,
    before: Snapshot,
    settings: Settings,
    how: How,
    home: Mapping[str, Path] | None = None,
) -> float:
    """Give ids, make records, and compare: leaves `identity`, `digests` and `changes` in the engine; returns the moment.

    `home` are the files of an older snapshot, whose ids and dates come back with its records.
    """
    home = home or {}
    moment = districts.moment_after(before.created, how.moment)
    if not cloned.is_in(engine):
        prefix = PLANNED_IDS if how.is_plan else districts.reserve(database, moment).prefix
        identity.load(engine, before.files.get("identity"), home.get("identity"))
        forget_before = timestamp(moment - settings.identity_days * DAY_SECONDS)
        identity.assign(engine, prefix=prefix, now=timestamp(moment), forget_before=forget_before)
    diff.load(engine, before.files.get("digests"), home.get("digests"))
    _build(engine, district, before.views)
    diff.between(engine, [view.number for view in before.views], timestamp(moment))
    return moment


def _build(engine: DuckDBPyConnection, district: District, seen: Iterable[View]) -> None:
    """Make the records of every view: from the roster's columns or, in a cloned district, as they were given."""
    is_cloned = cloned.is_in(engine)
    (cloned if is_cloned else snapshot).begin(engine)
    for view in seen:
        if is_cloned:
            cloned.build(engine, view.number)
        else:
            snapshot.build(engine, view.number, district.id, view.spec)


def _conclude(work: _Work, cause: str, how: How, problems: Problems | None) -> Sync:
    """Commit, hold, or only tell."""
    counts = {view.number: _count(work.engine, view, problems) for view in work.before.views}
    kinds = counts[min(counts)]
    frozen = _freeze(work, counts)
    reasons = guard.reasons(kinds, thresholds.read(work.database, work.district)) if work.before.sync and cause == "files" else []
    done = Sync(
        work.district,
        None,
        "planned",
        timestamp(work.moment),
        counts,
        {name: frozen[view] for name, view in applications.views_of(work.database, work.district).items() if frozen.get(view)},
        diff.samples(work.engine, min(counts), is_whole=cloned.is_in(work.engine)),
        reasons,
        problems.by_code() if problems else {},
        tuple(problems) if problems else (),
    )
    if how.is_plan:
        return done
    needs_name = any(reason.needs_name for reason in reasons) and how.name != work.district.name
    state = "held" if reasons and (needs_name or not how.is_approved) else "committed"
    return replace(done, state=state, number=_write(work, cause, state, done, how, frozen))


def _freeze(work: _Work, counts: Mapping[int, Mapping[str, Counts]]) -> dict[int, list[Reason]]:
    """Leave views as they are that too much of would change; returns the reasons for each view that freezes, if any."""
    if not work.before.sync:
        return {}
    found = {view.number: guard.reasons(counts[view.number], {}) for view in work.before.views if view.freezes}
    diff.leave(work.engine, [number for number, reasons in found.items() if reasons])
    return found


def _write(work: _Work, cause: str, state: str, done: Sync, how: How, frozen: Mapping[int, list[Reason]]) -> int:
    is_cloned = cloned.is_in(work.engine)
    names = ("digests", cloned.TABLE) if is_cloned else (*COMPARED, *snapshot.tables())
    kept = {name: diff.write(work.engine, name, work.folder) for name in names}
    report = {**done.as_json(), "problems": [], "needs_name": any(reason.needs_name for reason in done.reasons), "note": how.note}
    if state == "held":
        error = f"{HELD}{'; '.join(str(reason) for reason in done.reasons)}."
        outcome = Outcome(cause, work.moment, report, {"state": "pending", "error": error}, state)
        return history.commit(work.database, work.district, work.before, outcome, files=kept)
    columns = {
        "snapshot": THIS_RUN,
        "state": _healthy(work.district, work.moment),
        "error": "",
        "last_sync": timestamp(work.moment),
    }
    if is_cloned and (given := cloned.district(work.engine)):
        columns["given"] = given
    outcome = Outcome(cause, work.moment, report, columns, state, "approved" if cause == "approval" else "replaced")
    keep = Keep(
        timestamp(work.moment - work.settings.history_days * DAY_SECONDS),
        events.floor_at(work.moment - work.settings.event_days * DAY_SECONDS),
    )

    def mark(connection: Connection) -> None:
        for view in work.before.views:
            if view.number in frozen:
                views.freeze(connection, view, frozen[view.number], work.before.head + 1)
        if not is_cloned:
            logins.replace(connection, work.district.number, credentials.rows(work.engine))

    changes = diff.rows(work.engine, is_whole=is_cloned)
    return history.commit(work.database, work.district, work.before, outcome, changes=changes, files=kept, keep=keep, also=mark)


def _again(database: Database, district: District, settings: Settings, number: int, cause: str, how: How | None = None) -> Sync:
    """Make a kept snapshot the present one: compared with today's, and committed like any other."""
    district = _reread(database, district)
    with _workplace(settings) as folder, _engine(settings, folder) as engine:
        before = history.snapshot(database, district, folder, COMPARED)
        wanted = history.snapshot(database, district, folder, sync=number)
        if wanted.files:
            _restore(engine, wanted.files)
        else:
            _restore(engine, history.snapshot(database, district, folder).files, rows=0)
        # What is taken back comes home with the ids and dates it had.
        home = wanted.files if cause == "undo" else {}
        how = replace(how or How(), is_approved=True)
        moment = _compare(engine, database, district, before, settings, how, home)
        return _conclude(_Work(database, district, settings, folder, engine, before, moment), cause, how, None)


def _restore(engine: DuckDBPyConnection, files: Mapping[str, Path], rows: int | None = None) -> None:
    """Lay a snapshot's roster tables out in the engine, as if they had just been normalised; at most `rows` of each."""
    if cloned.TABLE in files:
        cloned.restore(engine, files[cloned.TABLE], rows)
    else:
        snapshot.restore(engine, files, rows)


def _count(engine: DuckDBPyConnection, view: View, problems: Problems | None) -> dict[str, Counts]:
    """Counts of each kind in a view, users by their first role, in the order in which ids are given."""
    errors = problems.errors_by_kind() if problems else {}
    found = {source: Counts(*counts, errors=errors.get(source, 0)) for source, counts in diff.counts(engine, view.number).items()}
    missing = {source: Counts(errors=errors[source]) for source in errors if errors[source] and source not in found}
    return {source: (found | missing)[source] for source in identity.SOURCES if source in found or source in missing}


def _refuse_while_paused(database: Database, district: District, how: How) -> None:
    if not _is_paused(district, how.moment):
        return
    if district.state != "paused" and not how.is_plan:
        _change_record(database, district, "pause", {"state": "paused"})
    start, end = district.pause_start, district.pause_end
    until = f"until {end}" if end else "with no end set"
    raise Refused(f"{district.name!r} is paused since {start}, {until}: no files are taken in; end it with `rollbook resume`")


def _is_paused(district: District, moment: float | None) -> bool:
    today = timestamp(moment)[:10]
    start, end = district.pause_start, district.pause_end
    return bool(start) and str(start) <= today <= (end or today)


def _healthy(district: District, moment: float | None = None) -> str:
    """The state of a district that has nothing to mend."""
    return "paused" if _is_paused(district, moment) else "running"


def _reread(database: Database, district: District) -> District:
    with database.read() as connection:
        return districts.reread(connection, district)


def _note_failure(database: Database, district: District, error: SourceRejected, how: How) -> None:
    """Let the API say that the district has something to mend; the roster stays as it is."""
    before = history.present(database, district)
    moment = districts.moment_after(before.created, how.moment)
    problems = [str(problem) for problem in error.problems]
    report = {"state": "failed", "message": str(error), "problems": problems, "note": how.note}
    outcome = Outcome("files", moment, report, {"state": "pending", "error": str(error)}, "failed", None)
    history.commit(database, district, before, outcome)


def _change_record(
    database: Database, district: District, cause: str, columns: dict[str, object], held_becomes: str | None = None
) -> None:
    before = history.present(database, district)
    outcome = Outcome(cause, districts.moment_after(before.created), {}, columns, held_becomes=held_becomes)
    history.commit(database, district, before, outcome)


@contextmanager
def _workplace(settings: Settings) -> Iterator[Path]:
    """A folder for a run's files; what goes wrong in it with memory or disk is told in one line."""
    if not MEMORY.fullmatch(settings.sync_memory):
        raise BadSetting(f"sync_memory: expected a size such as 512MB or 2GB, got {settings.sync_memory!r}")
    try:
        place = tempfile.TemporaryDirectory(prefix="rollbook-", dir=settings.temporary or None)
    except OSError as error:
        raise BadSetting(f"temporary: no file can be made in {settings.temporary or 'the system'!r}: {error.strerror}") from None
    with place as name:
        try:
            yield Path(name)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            reason = str(error).partition("\n")[0]
            raise MachineTrouble(
                f"memory or disk did not suffice (see sync_memory and temporary in the settings): {reason}"
            ) from None
        except OSError as error:
            raise MachineTrouble(f"the disk refused: {error.strerror}: {error.filename or name}") from None


@contextmanager
def _engine(settings: Settings, folder: Path) -> Iterator[DuckDBPyConnection]:
    with connect(folder, settings.sync_memory) as engine:
        yield engine


def _say_nothing(_: str) -> None:
    """Progress when nobody watches."""
