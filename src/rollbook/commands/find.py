"""`rollbook find`: people, schools, sections, applications and runs of a district."""

from __future__ import annotations

import click

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import searching
from rollbook.store.engine.opening import opened

LIMIT_MAX = 200


@click.command()
@click.argument("district")
@click.argument("text")
@click.option(
    "--limit",
    type=click.IntRange(1, LIMIT_MAX),
    default=searching.LIMIT,
    show_default=True,
    help="Number of hits of each kind.",
)
@database_option
@json_option
def find(district: str, text: str, limit: int, database: str | None, as_json: bool) -> None:
    """Find people, schools, sections, applications and runs of a DISTRICT (name or id) by TEXT.

    TEXT is an id, or the beginnings of names, SIS ids, numbers, usernames or emails. Letter case and accents do
    not count.
    """
    with opened(read_settings(database=database)) as store:
        found = searching.find(store, district, text, limit)
    if as_json:
        show_json([hit.as_json() for hit in found])
        return
    report.say(f"{hit.kind:11}  {hit.id:24}  {hit.name}  {hit.detail}".rstrip() for hit in found)
    if not found:
        click.echo("nothing was found")
