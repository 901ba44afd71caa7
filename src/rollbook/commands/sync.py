"""`rollbook sync`: bring a district up to date with its files."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from rollbook.commands import report
from rollbook.commands.options import (
    database_option,
    json_option,
    problems_option,
    read_settings,
    warn_of_readers,
)
from rollbook.errors import SourceRejected
from rollbook.operations import run_decisions
from rollbook.roster import problems_csv
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
@click.option("--approve", is_flag=True, help="Apply also what would be held for looking wrong.")
@click.option(
    "--lenient",
    is_flag=True,
    help="Ignore unknown headers with a warning this time; `rollbook rules` does so always.",
)
@problems_option
@database_option
@json_option
def sync(
    district: str,
    source: Path,
    plan: bool,
    approve: bool,
    lenient: bool,
    problems_file: Path | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Bring a DISTRICT (name or id) up to date with the SIS files in FOLDER, or in a zip file.

    A bad row is left out, named and counted; the rest goes in. Files that cannot be used at all stop the
    sync, and nothing is changed then. A sync that would change or delete suspiciously much is held: nothing
    is changed until `rollbook approve`.

    Exit code: 0 committed, 1 stopped or refused, 3 held, with --plan what a sync would come to.
    """
    settings = read_settings(database=database)
    with (
        opened(settings) as store,
        problems_csv.opened(problems_file) as listed,
        Console(stderr=True).status("starting") as status,
    ):
        warn_of_readers(settings)
        owner = districts.find(store, district)
        how = How(is_plan=plan, is_approved=approve)
        try:
            done = run_decisions.sync_files(
                store,
                settings,
                district,
                source,
                how,
                is_lenient=lenient,
                progress=status.update,
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
