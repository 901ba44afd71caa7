"""`rollbook district`: create, list and show districts."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson

from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.store import districts, people
from rollbook.store.districts import District
from rollbook.store.standing import change_record


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


@district.command()
@click.argument("district")
@click.argument("user")
@database_option
def contact(district: str, user: str, database: str | None) -> None:
    """Name the person (id, SIS id, username or email) of a DISTRICT whom applications may turn to; `nobody` takes it back.

    Every application that reads the district sees this person's name, email and title in the district's own record.
    """
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district)
        with store.read() as connection:
            chosen = None if user == "nobody" else people.find(connection, people.whole(connection, owner.number), user)
        change_record(store, owner, "contact", {"contact": chosen.id if chosen else None})
    click.echo(f"{owner.name}: {chosen.name if chosen else 'nobody'} is named as contact")


def _shown(found: District) -> dict[str, object]:
    """A district as JSON shows it; the store's own number is nobody's business."""
    return {name: value for name, value in asdict(found).items() if name != "number"}
