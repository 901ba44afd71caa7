"""`rollbook operator`: the people of the console."""

from __future__ import annotations

import click

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain.actors import OPERATOR, ROLES
from rollbook.operations import team
from rollbook.store.engine.opening import opened


@click.group()
def operator() -> None:
    """Add, list, reset and remove the people of the console."""


@operator.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=OPERATOR,
    show_default=True,
    help="The person's role, which decides what they may do.",
)
@click.option(
    "--district",
    help="The only district that they see, by name or id. Only for the roles district and help desk.",
)
@database_option
def add(name: str, role: str, district: str | None, database: str | None) -> None:
    """Add a person called NAME, and print a link for their password. It works once, within a week."""
    settings = read_settings(database=database)
    with opened(settings, may_begin=True) as store:
        link = team.invite(store, settings, name, role, district)
    click.echo(f"{name} sets a password at this link. Send it to nobody else:\n  {link}")


@operator.command("list")
@database_option
@json_option
def list_all(database: str | None, as_json: bool) -> None:
    """List the people of the console: role, district, name."""
    with opened(read_settings(database=database)) as store:
        found = team.members(store)
    if as_json:
        show_json(found)
        return
    for each in found:
        waits = "" if each.is_ready else "  (has not used their link yet)"
        click.echo(f"{each.role:10}  {each.district or 'all districts':30}  {each.name}{waits}")


@operator.command()
@click.argument("name")
@database_option
def reset(name: str, database: str | None) -> None:
    """End the password, the codes and the sessions of NAME, and print a new link."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        link = team.reset(store, settings, name)
    click.echo(f"{name} sets a new password at this link. Send it to nobody else:\n  {link}")


@operator.command()
@click.argument("name")
@database_option
def remove(name: str, database: str | None) -> None:
    """Remove NAME from the console; their sessions end at once."""
    with opened(read_settings(database=database)) as store:
        team.remove(store, name)
    click.echo(f"{name} is no longer in the console")
