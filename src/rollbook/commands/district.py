"""`rollbook district`: create, list and show districts."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson

from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.store import districts
from rollbook.store.districts import District


@click.group()
def district() -> None:
    """Create, list and show districts."""


@district.command()
@click.argument("name")
@database_option
@json_option
def create(name: str, database: str | None, as_json: bool) -> None:
    """Create an empty district called NAME and print its id."""
    with opened(read_settings(database=database)) as store:
        made = districts.create(store, name)
    click.echo(orjson.dumps(_shown(made)) if as_json else f"{made.id}  {made.name}")


@district.command("list")
@database_option
@json_option
def list_all(database: str | None, as_json: bool) -> None:
    """List all districts: id, committed syncs, name."""
    with opened(read_settings(database=database)) as store:
        found = districts.list_all(store)
    if as_json:
        click.echo(orjson.dumps([_shown(one) for one in found], option=orjson.OPT_INDENT_2))
        return
    for one in found:
        click.echo(f"{one.id}  {one.head:>5} syncs  {one.name}")


@district.command()
@click.argument("district")
@database_option
@json_option
def show(district: str, database: str | None, as_json: bool) -> None:
    """Show a DISTRICT (name or id) and how many records of each kind it has."""
    with opened(read_settings(database=database)) as store:
        found = districts.find(store, district)
        counts = districts.count_records(store, found)
    if as_json:
        click.echo(orjson.dumps({**_shown(found), "records": counts}, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"{found.name}\n  id       {found.id}\n  created  {found.created}\n  syncs    {found.head}")
    for kind, count in counts.items():
        click.echo(f"  {kind:10} {count:>9,}")


def _shown(found: District) -> dict[str, object]:
    """A district as JSON shows it; the store's own number is nobody's business."""
    return {name: value for name, value in asdict(found).items() if name != "number"}
