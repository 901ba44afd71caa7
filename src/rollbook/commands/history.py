"""Commands on a district's snapshots: approve, discard, undo, pause, limits, history."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from rollbook.commands import report, runs_report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain.guard import NAMED_PERCENT
from rollbook.errors import BadSetting
from rollbook.operations import district_setup, keeping_ids, problem_reviews, run_decisions
from rollbook.store.district import districts, thresholds
from rollbook.store.engine.opening import opened
from rollbook.store.records import commits
from rollbook.sync import How

DAY = click.DateTime(formats=["%Y-%m-%d"])
NEVER = "never"

confirm_option = click.option(
    "--confirm",
    metavar="NAME",
    help=f"The district's name, when more than {NAMED_PERCENT} % of a kind would be deleted.",
)


@click.command()
@click.argument("district")
@confirm_option
@click.option(
    "--keep-ids",
    "pairs_file",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Records with these old and new SIS ids keep their ids; `rollbook ids` writes the file.",
)
@database_option
@json_option
def approve(
    district: str, confirm: str | None, pairs_file: Path | None, database: str | None, as_json: bool
) -> None:
    """Apply the held sync of a DISTRICT (name or id)."""
    settings = read_settings(database=database)
    pairs = keeping_ids.read(pairs_file) if pairs_file else []
    with opened(settings) as store:
        done = keeping_ids.keep(store, settings, district, pairs, name=confirm)
    report.show(done, as_json=as_json)


@click.command()
@click.argument("district")
@database_option
def discard(district: str, database: str | None) -> None:
    """Discard the held sync of a DISTRICT (name or id); the roster stays unchanged."""
    with opened(read_settings(database=database)) as store:
        number = run_decisions.discard(store, district)
    click.echo(f"sync {number} was discarded")


@click.command()
@click.argument("district")
@click.option(
    "--plan", is_flag=True, help="Only show which sync the undo would take back, and what it would change."
)
@click.option(
    "--approve",
    "is_approved",
    is_flag=True,
    help="Undo it even if the undo would be held because it looks wrong.",
)
@confirm_option
@database_option
@json_option
def undo(
    district: str, plan: bool, is_approved: bool, confirm: str | None, database: str | None, as_json: bool
) -> None:
    """Undo the last committed sync of a DISTRICT (name or id), as a new snapshot; ids stay.

    A second undo restores what the first one took back. The limits for syncs hold for an undo, too (see
    `rollbook thresholds`). An undo above them changes nothing and ends with exit code 3, unless --approve is
    given.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        how = How(is_plan=plan, is_approved=is_approved, name=confirm)
        done = run_decisions.undo(store, settings, district, how)
    report.show(done, as_json=as_json)
    report.raise_if_held(done, "undo", "If that is right, run `rollbook undo {name} --approve{confirm}`")


@click.command("history")
@click.argument("district")
@click.argument("number", type=int, required=False)
@click.option(
    "--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs to list."
)
@click.option(
    "--problems",
    "problems_file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE.csv",
    help="Write the problems of run NUMBER into a CSV file, each with its row and what to do.",
)
@database_option
@json_option
def show_history(
    district: str,
    number: int | None,
    last: int,
    problems_file: Path | None,
    database: str | None,
    as_json: bool,
) -> None:
    """List the last runs on a DISTRICT (name or id), with their result and its reason; with NUMBER, show one
    run's whole report.

    Reports keep their examples as long as older versions of records are kept (ROLLBOOK_HISTORY_DAYS), and
    their counts for ever.
    """
    if problems_file and number is None:
        raise BadSetting("number: expected the number of a run, whose problems --problems writes")
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district)
        if problems_file and number is not None:
            count = problem_reviews.write_csv(store, owner.id, number, problems_file)
            click.echo(f"{count:,} problems are listed in {problems_file}", err=as_json)
        found = (
            commits.runs(store, owner, most=last) if number is None else [commits.run(store, owner, number)]
        )
    if number is None:
        runs_report.show_list(found, as_json=as_json)
    else:
        runs_report.show_one(owner.name, found[0], as_json=as_json)


@click.command()
@click.argument("district")
@click.option("--from", "start", type=DAY, help="First day, YYYY-MM-DD; default today.")
@click.option("--until", "end", type=DAY, help="Last day, YYYY-MM-DD; default: no end.")
@database_option
def pause(district: str, start: datetime | None, end: datetime | None, database: str | None) -> None:
    """Pause a DISTRICT (name or id): it takes in no files, and applications go on reading it."""
    first = start.date() if start else date.today()
    with opened(read_settings(database=database)) as store:
        run_decisions.pause(store, district, first, end.date() if end else None)
    click.echo(f"paused from {first.isoformat()} until {end.date().isoformat() if end else 'it is resumed'}")


@click.command()
@click.argument("district")
@database_option
def resume(district: str, database: str | None) -> None:
    """End the pause of a DISTRICT (name or id)."""
    with opened(read_settings(database=database)) as store:
        run_decisions.resume(store, district)
    click.echo("no longer paused")


@click.command("thresholds")
@click.argument("district")
@click.option("--kind", help="The kind whose limits to set; default: print all limits.")
@click.option(
    "--updated", type=int, help="Hold a sync that updates at least this many percent; 0 switches it off."
)
@click.option("--deleted", type=int, help="Hold a sync that deletes more than this many percent.")
@database_option
@json_option
def show_thresholds(
    district: str,
    kind: str | None,
    updated: int | None,
    deleted: int | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Show or set the limits above which a sync of a DISTRICT (name or id) is held."""
    with opened(read_settings(database=database)) as store:
        if kind:
            limits = district_setup.set_limits(store, district, kind, updated=updated, deleted=deleted)
        else:
            limits = thresholds.read(store, districts.find(store, district))
        if not kind and (updated is not None or deleted is not None):
            raise BadSetting(f"kind: expected one of {', '.join(limits)}, to say whose limits to set")
    if as_json:
        shown = {name: {"updated": limit.updated, "deleted": limit.deleted} for name, limit in limits.items()}
        show_json(shown)
        return
    for name, limit in limits.items():
        from_ = f"from {limit.updated:>3} %" if limit.updated else NEVER
        # Deletions cannot exceed 100 %.
        above = f"above {limit.deleted:>3} %" if limit.deleted < 100 else NEVER
        click.echo(f"{name:16} held when updated: {from_:11} when deleted: {above}")
