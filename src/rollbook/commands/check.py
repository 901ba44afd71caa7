"""`rollbook check`: check SIS files without a district."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from rollbook.commands import report, waiting
from rollbook.commands.options import (
    json_option,
    problems_option,
    read_choices,
    read_settings,
    rules_option,
    show_json,
)
from rollbook.domain.reading_rules import Rules
from rollbook.errors import SourceRejected
from rollbook.roster import problems_csv
from rollbook.sync import inspection
from rollbook.sync.inspection import Inspection


@click.command()
@click.argument("source", type=click.Path(path_type=Path, readable=False), metavar="FOLDER")
@click.option("--lenient", is_flag=True, help="Ignore unknown headers with a warning instead of stopping.")
@rules_option
@problems_option
@json_option
@click.pass_context
def check(
    context: click.Context,
    source: Path,
    lenient: bool,
    wanted: tuple[str, ...],
    problems_file: Path | None,
    as_json: bool,
) -> None:
    """Verify and check the SIS files in FOLDER, or in a zip file, as a sync would. It uses no district and no
    database.

    Exit code: 0 if a sync would reject nothing; 1 if it would reject rows, or if the files cannot be used.
    """
    settings = read_settings()
    rules = Rules(lenient_headers=lenient).switched(read_choices(wanted))
    with (
        problems_csv.opened(problems_file) as listed,
        waiting.status("reading and checking the files"),
    ):
        found = inspection.inspect(source, settings, rules, listed)
    if as_json:
        show_json(found.as_json())
    else:
        report.say(_lines(found))
        if listed:
            report.show_listed(listed, problems_file, sum(group.count for group in found.groups))
    if found.message:
        raise SourceRejected(found.message)
    context.exit(0 if found.is_clean else 1)


def _lines(found: Inspection) -> Iterator[str]:
    if found.rows:
        yield f"  {'file':20} {'rows':>11} {'left out':>11}"
    for file, rows in found.rows.items():
        yield f"  {file:20} {rows:>11,} {found.left_out.get(file, 0):>11,}"
    told = found.as_json()
    yield from report.problems(told)
    if not found.groups:
        yield "no problems"
