"""A nightly sync: bring a district's roster up to date with its source, files or another server's records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from rollbook.domain.reading_rules import Rules
from rollbook.errors import Refused, SourceRejected
from rollbook.roster import problems_csv, stop_notices
from rollbook.roster.clone import clone_roster
from rollbook.roster.findings import Problems
from rollbook.roster.intake import row_texts
from rollbook.roster.intake.clever import checks, normalize, readings, row_problems, sign_in_columns
from rollbook.roster.intake.csv import files
from rollbook.roster.intake.csv.raw_tables import Tables
from rollbook.roster.intake.row_texts import Told
from rollbook.roster.problems_csv import Listing
from rollbook.roster.views import projection
from rollbook.settings import Settings
from rollbook.store.accounts import credentials as logins
from rollbook.store.district import choices, districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.records import commits
from rollbook.store.records.commits import Outcome
from rollbook.sync import repeats
from rollbook.sync.ending import interrupted_by_signals
from rollbook.sync.pauses import refuse_while_paused, reread
from rollbook.sync.result import How, Sync, failed
from rollbook.sync.stages import COMPARED, Work, compare, conclude
from rollbook.sync.workplace import engine_in, workplace

Progress = Callable[[str], None]


def run(
    database: Database,
    district: District,
    source: Path,
    settings: Settings,
    *,
    rules: Rules | None = None,
    how: How | None = None,
    progress: Progress | None = None,
    listed: Listing | None = None,
) -> Sync:
    """Bring one district's roster up to date with its files; `listed` receives every problem in them.

    `rules` are for this run only. A sync that looks wrong is held. An error changes only the district's state:
    SourceRejected, Refused (paused), Busy (another run), MachineTrouble.
    """
    how, tell = how or How(), progress or _say_nothing
    district = reread(database, district)
    rules = rules or choices.read(database, district)
    if district.given:
        raise Refused(
            f"{district.name!r} was cloned and takes no files; `rollbook clone` brings it up to date"
        )
    refuse_while_paused(database, district, how)
    keys = logins.keys(sealer(database, settings), district.id)
    tell("reading the files")
    mark = None if how.is_plan else repeats.mark_of(database, district, source, settings, rules, keys)
    may_repeat = not how.is_again and listed is None
    if mark and may_repeat and (done := repeats.repeat(database, district, settings, rules, how, mark)):
        return done
    with workplace(settings) as folder:
        try:
            opened = files.open_all(
                source,
                memory_limit=settings.sync_memory,
                temporary=folder,
                lenient=rules.lenient_headers,
                password_key=keys[0],
            )
        except SourceRejected as error:
            _note_failure(database, district, error, how, listed)
            raise
        with closing(opened) as tables, interrupted_by_signals(tables.connection.interrupt):
            tell("checking the rows")
            problems = checks.check(tables, rules)
            if listed:
                listed.take(problems.first(problems_csv.ROWS_MAX))
            tell("normalising the values")
            day = rules.today.isoformat() if readings.depend_on_day(tables.connection) else ""
            normalize.roster(tables, rules)
            sign_in_columns.build(tables.connection, keys[1])
            notes, told = _beside(tables, problems, keys[0], folder)
            projection.forget_files(tables.connection)
            tell("comparing with the last snapshot")
            before = commits.snapshot(database, district, folder, COMPARED)
            moment = compare(tables.connection, database, district, before, settings, how)
            tell("writing the changes")
            marks = mark.write(folder, day) if mark else {}
            place = (database, district, settings, folder, tables.connection, before, moment)
            return conclude(Work(*place, marks, notes, told), "files", how, problems)


def _beside(
    tables: Tables, problems: Problems, key: str, folder: Path
) -> tuple[dict[str, Path], Sequence[Told]]:
    """What is kept of the problems beside the run: those of people by digests of their ids, and all by row."""
    return row_problems.write(tables.connection, key, folder), row_texts.read(tables, problems)


def take_in(database: Database, district: District, pages: Sequence[Path], settings: Settings) -> Sync:
    """Make another server's records the district's roster, with the ids and dates that they have there. It is
    never held.

    `pages` are files of JSON rows (see `roster.clone.clone_roster`). Errors: RemoteTrouble for a record that
    came twice, and those of `run`.
    """
    how = How(is_approved=True)
    district = reread(database, district)
    refuse_while_paused(database, district, how)
    with (
        workplace(settings) as folder,
        engine_in(settings, folder, *{page.parent for page in pages}) as engine,
    ):
        clone_roster.read(engine, pages)
        before = commits.snapshot(database, district, folder, COMPARED)
        moment = compare(engine, database, district, before, settings, how)
        return conclude(Work(database, district, settings, folder, engine, before, moment), "clone", how)


def _note_failure(
    database: Database, district: District, error: SourceRejected, how: How, listed: Listing | None
) -> None:
    """List the problems and, unless it is a plan, note them in the district's record; the roster stays."""
    if listed:
        listed.take(failed(district, error).problems)
    if how.is_plan:
        return
    before = commits.present(database, district)
    moment = districts.moment_after(database, before.created, how.moment)
    report = failed(district, error).as_json()
    # The operator reads the report, which quotes cells. Every application reads this notice.
    notice = stop_notices.of_stops(error.problems)
    outcome = Outcome("files", moment, report, {"state": "pending", "error": notice}, "failed", None)
    error.noted = (
        commits.commit(database, district, before, outcome, also=how.noted(district, before)),
        districts.timestamp(moment),
    )


def _say_nothing(_: str) -> None:
    """The progress function if nobody watches."""
