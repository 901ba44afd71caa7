"""`rollbook operator`: the people of the console."""

from __future__ import annotations

import click

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain.actors import OPERATOR, ROLES
from rollbook.operations import passkey_entry, team
from rollbook.settings import Settings, base_url
from rollbook.store.district.districts import timestamp
from rollbook.store.engine.opening import opened

# Who acts in the audit trail, for an act by command.
COMMAND = "a command"


@click.group()
def operator() -> None:
    """Add, list, reset and remove the people of the console."""


def _where(settings: Settings) -> str:
    """A sentence where the link may have another server's address: a command does not know `serve --port`."""
    if settings.issuer or settings.public_url:
        return ""
    return (
        f"\nIf the server does not listen at {base_url(settings)}, put its own address in front of /console,"
        " or set ROLLBOOK_PUBLIC_URL."
    )


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
    click.echo(f"{name} sets a password at this link. Send it to nobody else:\n  {link}{_where(settings)}")


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
    """End the password, the codes, the passkeys and the sessions of NAME, and print a new link."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        link = team.reset(store, settings, name)
    click.echo(
        f"{name} sets a new password at this link. Send it to nobody else:\n  {link}{_where(settings)}"
    )


@operator.command()
@click.argument("name")
@database_option
def remove(name: str, database: str | None) -> None:
    """Remove NAME from the console; their sessions end at once."""
    with opened(read_settings(database=database)) as store:
        team.remove(store, name)
    click.echo(f"{name} is no longer in the console")


@operator.command("passkeys")
@click.argument("name")
@click.option("--remove", "passkey", help="Remove the passkey of this name.")
@database_option
@json_option
def list_passkeys(name: str, passkey: str | None, database: str | None, as_json: bool) -> None:
    """List the passkeys of NAME, or remove one. People add their own in the console."""
    with opened(read_settings(database=database)) as store:
        if passkey is not None:
            passkey_entry.remove(store, name, passkey, by=COMMAND)
        found = passkey_entry.list_of(store, name)
    if as_json:
        show_json([{"name": each.name, "created": each.created, "used": each.used} for each in found])
        return
    for each in found:
        click.echo(f"{timestamp(each.used)[:10] if each.used else 'not used yet':12}  {each.name}")
    if not found:
        click.echo(f"{name} has no passkey")
