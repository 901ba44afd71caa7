"""`rollbook sync`: bring a district up to date with its files."""

from __future__ import annotations

from pathlib import Path

import click

from rollbook.commands import report, waiting
from rollbook.commands.options import (
    database_option,
    json_option,
    problems_option,
    read_settings,
    show_json,
    warn_of_readers,
)
from rollbook.errors import BadSetting, SourceRejected
from rollbook.operations import job_control, run_decisions
from rollbook.roster import problems_csv
from rollbook.settings import Settings
from rollbook.store.accounts import connections
from rollbook.store.district import districts
from rollbook.store.engine.opening import opened
from rollbook.sync import How, failed


@click.command()
@click.argument("district")
@click.argument("source", type=click.Path(path_type=Path, readable=False), metavar="FOLDER")
@click.option(
    "--plan", is_flag=True, help="Only show what would change, for the district and each application."
)
@click.option(
    "--approve", is_flag=True, help="Apply the sync even if it would be held because it looks wrong."
)
@click.option(
    "--again",
    is_flag=True,
    help="Do all the work even if nothing changed since the last sync: neither files nor rules nor settings.",
)
@click.option(
    "--lenient",
    is_flag=True,
    help="Ignore unknown headers with a warning, this time only; `rollbook rules` can always do so.",
)
@click.option(
    "--queue", is_flag=True, help="Let a worker do it: put a job into the queue, and return at once."
)
@problems_option
@database_option
@json_option
def sync(
    district: str,
    source: Path,
    plan: bool,
    approve: bool,
    again: bool,
    lenient: bool,
    queue: bool,
    problems_file: Path | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Bring a DISTRICT (name or id) up to date with the SIS files in FOLDER, or in a zip file.

    The sync rejects bad rows, names and counts them, and takes in the rest. Files that cannot be used at all
    stop it, and nothing changes. A sync that changes or deletes too much is held until `rollbook approve`.

    Exit code: 0 committed, 1 stopped or refused, 3 held; with --plan, the code that the sync would have.
    """
    settings = read_settings(database=database)
    if queue:
        others = plan or approve or again or lenient or bool(problems_file)
        _queue(settings, district, source, as_json=as_json, others=others)
        return
    with (
        opened(settings) as store,
        problems_csv.opened(problems_file) as listed,
        waiting.status("starting") as tell,
    ):
        warn_of_readers(settings)
        owner = districts.find(store, district)
        how = How(is_plan=plan, is_approved=approve, is_again=again)
        try:
            done = run_decisions.sync_files(
                store,
                settings,
                district,
                source,
                how,
                is_lenient=lenient,
                progress=tell,
                listed=listed,
            )
        except SourceRejected as error:
            stopped = failed(owner, error)
            if as_json or len(stopped.problems) > 1:
                report.show(stopped, as_json=as_json)
            raise
        seen = connections.views_of(store, owner) if plan else {}
    report.show(done, as_json=as_json, applications=seen)
    if listed and not as_json:
        report.show_listed(listed, problems_file, sum(done.problem_counts.values()))
    report.raise_if_held(
        done,
        "sync",
        "Are these the right and whole files? If so, run `rollbook approve {name}{confirm}`;"
        " if not, run `rollbook discard {name}`, or sync better files",
    )


def _queue(settings: Settings, district: str, source: Path, *, as_json: bool, others: bool) -> None:
    if others:
        raise BadSetting(
            "queue: expected no --plan, --approve, --again, --lenient or --problems; a worker syncs as every night"
        )
    with opened(settings) as store:
        number = job_control.queue_sync(store, district, source)
    if as_json:
        show_json({"job": number})
    else:
        click.echo(f"job {number} waits; `rollbook jobs` shows what comes of it")
