"""`rollbook sync`: bring a district up to date with its files."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from rollbook import sync as syncs
from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.errors import SourceRejected
from rollbook.roster.rules import Rules
from rollbook.store import districts
from rollbook.sync import Sync

SHOWN_PROBLEMS = 20


@click.command()
@click.argument("district")
@click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option("--lenient", is_flag=True, help="Ignore unknown headers with a warning instead of stopping.")
@database_option
@json_option
def sync(district: str, source: Path, lenient: bool, database: str | None, as_json: bool) -> None:
    """Bring a DISTRICT (name or id) up to date with the SIS files in FOLDER, or in a zip file.

    A bad row is left out, named and counted; the rest goes in. Files that cannot be used at all stop the sync, and nothing
    is changed then.
    """
    settings = read_settings(database=database)
    console = Console(stderr=True)
    with opened(settings) as store:
        owner = districts.find(store, district)
        try:
            with console.status("starting") as status:
                done = syncs.run(
                    store,
                    owner,
                    source,
                    settings,
                    rules=Rules(lenient_headers=lenient),
                    progress=status.update,
                )
        except SourceRejected as error:
            if as_json:
                click.echo(orjson.dumps(_rejected(error), option=orjson.OPT_INDENT_2))
            raise
    if as_json:
        click.echo(orjson.dumps(done.as_json(), option=orjson.OPT_INDENT_2))
    else:
        _print(done)


def _rejected(error: SourceRejected) -> dict[str, object]:
    return {"state": "failed", "message": str(error), "problems": [str(problem) for problem in error.problems]}


def _print(done: Sync) -> None:
    console = Console()
    table = Table("kind", box=None)
    for heading in ("existing", "created", "updated", "deleted", "errors"):
        table.add_column(heading, justify="right")
    for kind, counts in done.kinds.items():
        numbers = (counts.existing, counts.created, counts.updated, counts.deleted, counts.errors)
        table.add_row(kind, *(f"{number:,}" for number in numbers))
    console.print(f"{done.district.name}: sync {done.number} {done.state} at {done.created}", highlight=False, markup=False)
    console.print(table)
    total = sum(done.problem_counts.values())
    for problem in done.problems[:SHOWN_PROBLEMS]:
        console.print(f"{problem.severity}: {problem} [{problem.code}]", highlight=False, markup=False, soft_wrap=True)
    if total > SHOWN_PROBLEMS:
        console.print(f"and {total - SHOWN_PROBLEMS:,} more problems:")
        for code, count in done.problem_counts.items():
            console.print(f"  {count:>9,}  {code}", highlight=False, markup=False)
