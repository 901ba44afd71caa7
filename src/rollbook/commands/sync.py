"""`rollbook sync`: bring a district up to date with its files."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console

from rollbook import sync as syncs
from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.errors import SourceRejected, SyncHeld
from rollbook.roster.rules import Rules
from rollbook.store import applications, districts
from rollbook.sync import How, Sync


@click.command()
@click.argument("district")
@click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option("--plan", is_flag=True, help="Only show what would change, for the district and each application.")
@click.option("--approve", is_flag=True, help="Apply also what would be held for looking wrong.")
@click.option("--lenient", is_flag=True, help="Ignore unknown headers with a warning instead of stopping.")
@database_option
@json_option
def sync(district: str, source: Path, plan: bool, approve: bool, lenient: bool, database: str | None, as_json: bool) -> None:
    """Bring a DISTRICT (name or id) up to date with the SIS files in FOLDER, or in a zip file.

    A bad row is left out, named and counted; the rest goes in. Files that cannot be used at all stop the sync, and nothing
    is changed then. A sync that would change or delete suspiciously much is held: nothing is changed until `rollbook approve`.
    """
    settings = read_settings(database=database)
    with opened(settings) as store, Console(stderr=True).status("starting") as status:
        owner = districts.find(store, district)
        how = How(is_plan=plan, is_approved=approve)
        try:
            rules = Rules(lenient_headers=lenient)
            done = syncs.run(store, owner, source, settings, rules=rules, how=how, progress=status.update)
        except SourceRejected as error:
            if as_json:
                click.echo(orjson.dumps(_rejected(error), option=orjson.OPT_INDENT_2))
            raise
        seen = applications.views_of(store, owner) if plan else {}
    report.show(done, as_json=as_json, applications=seen)
    if done.state == "held":
        raise _held(done)


def _rejected(error: SourceRejected) -> dict[str, object]:
    return {"state": "failed", "message": str(error), "problems": [str(problem) for problem in error.problems]}


def _held(done: Sync) -> SyncHeld:
    because = "; ".join(str(reason) for reason in done.reasons)
    return SyncHeld(
        f"nothing was changed: {because}. Are these the right and whole files? If so, run `rollbook approve`;"
        " if not, run `rollbook discard`, or sync better files"
    )
