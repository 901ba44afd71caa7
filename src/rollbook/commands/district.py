"""`rollbook district`: create, list and show districts."""

from __future__ import annotations

import click
import orjson

from rollbook.commands import report, standing_report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.operations import district_setup
from rollbook.store.district import choices, districts
from rollbook.store.engine.opening import opened
from rollbook.store.records import roster_overview
from rollbook.sync import standing

# The roles of users stand below them.
LABEL_CHARACTERS = 15


@click.group()
def district() -> None:
    """Create, list and show districts."""


@district.command()
@click.argument("name")
@database_option
@json_option
def create(name: str, database: str | None, as_json: bool) -> None:
    """Create an empty district called NAME and print its id."""
    settings = read_settings(database=database)
    with opened(settings, may_begin=True) as store:
        made = district_setup.create(store, name)
    click.echo(
        orjson.dumps(standing_report.as_json(made, settings))
        if as_json
        else f"{made.district.id}  {made.district.name}"
    )


@district.command("list")
@database_option
@json_option
def list_all(database: str | None, as_json: bool) -> None:
    """List all districts: id, committed syncs, name. `rollbook status` says how they stand."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = standing.of_all(store)
    if as_json:
        show_json([standing_report.as_json(each, settings) for each in found])
        return
    for each in found:
        syncs = each.glance.committed
        click.echo(f"{each.district.id}  {syncs:>5} sync{' ' if syncs == 1 else 's'}  {each.district.name}")


@district.command()
@click.argument("district")
@database_option
@json_option
def show(district: str, database: str | None, as_json: bool) -> None:
    """Show how a DISTRICT (name or id) stands, its sign-in page, its own rules, and its records of each kind.

    A user with two roles counts in both.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = districts.find(store, district)
        stands = standing.of(store, found)
        records, roles = (
            roster_overview.count_records(store, found),
            roster_overview.count_roles(store, found),
        )
        rules = choices.read(store, found)
    if as_json:
        counts = {"records": records, "users_by_role": roles}
        show_json({**standing_report.as_json(stands, settings), "rules": rules.switches(), **counts})
        return
    click.echo(found.name)
    report.say(
        f"  {label:{LABEL_CHARACTERS}} {value}" for label, value in standing_report.lines(stands, settings)
    )
    for name, is_on in rules.own().items():
        click.echo(f"  {'rule':{LABEL_CHARACTERS}} {name} is {'on' if is_on else 'off'}")
    for kind, count in records.items():
        click.echo(f"  {kind:{LABEL_CHARACTERS}} {count:>9,}")
        for role, holders in roles.items() if kind == "users" else ():
            click.echo(f"    {role:{LABEL_CHARACTERS - 2}} {holders:>9,}")


@district.command()
@click.argument("district")
@click.argument("user")
@database_option
def contact(district: str, user: str, database: str | None) -> None:
    """Name a person (id, SIS id, username or email) as the contact of a DISTRICT for applications; `nobody`
    removes it.

    Every connected application reads this person's name, email and title in the district's own record, with
    any share.
    """
    with opened(read_settings(database=database)) as store:
        owner, chosen = district_setup.name_contact(store, district, None if user == "nobody" else user)
    click.echo(f"{owner.name}: {chosen.name if chosen else 'nobody'} is named as contact")
