"""`rollbook application` and `rollbook connect`: who may read, and what."""

from __future__ import annotations

import click
import orjson

from rollbook import sync
from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.contract.access import SECURE_SYNC
from rollbook.store import applications, districts
from rollbook.store.keys import Sealer, key_path
from rollbook.store.views import Spec


@click.group("application")
def application() -> None:
    """Register the applications that may read from this server."""


@application.command()
@click.argument("name")
@click.option(
    "--redirect-uri", "redirect_uris", multiple=True, help="Where logins return to; may be repeated, the first is primary."
)
@click.option(
    "--scopes", default=" ".join(SECURE_SYNC), help="Scopes, separated by blanks or commas; default: all but sensitive ones."
)
@database_option
@json_option
def create(name: str, redirect_uris: tuple[str, ...], scopes: str, database: str | None, as_json: bool) -> None:
    """Register an application called NAME; its client secret is printed this once."""
    with opened(read_settings(database=database)) as store:
        made, secret = applications.create(
            store, name, redirect_uris=redirect_uris, scopes=tuple(scopes.replace(",", " ").split())
        )
    if as_json:
        click.echo(orjson.dumps({"name": made.name, "client_id": made.client_id, "client_secret": secret}))
        return
    click.echo(f"client id      {made.client_id}\nclient secret  {secret}\nThe secret is not shown again.")


@click.command()
@click.argument("application")
@click.argument("district")
@database_option
@json_option
def connect(application: str, district: str, database: str | None, as_json: bool) -> None:
    """Let an APPLICATION (name or client id) read a DISTRICT (name or id), and print the district token.

    The application sees everything the district has, sensitive fields only as far as its scopes name them. Connecting again
    prints the same token.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        reader, owner = applications.find(store, application), districts.find(store, district)
        view = sync.view_of(store, owner, Spec.of(reader.scopes), settings)
        token = applications.connect(store, Sealer(key_path(settings)), reader, owner, view)
    if as_json:
        click.echo(orjson.dumps({"client_id": reader.client_id, "district": owner.id, "access_token": token}))
        return
    click.echo(f"district token  {token}")
