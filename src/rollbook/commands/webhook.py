"""`rollbook webhook`: programs that are called when something happens."""

from __future__ import annotations

import click

from rollbook.commands.mail import at_option, show, tell, topics_option, zone_option
from rollbook.commands.options import database_option, json_option, read_settings
from rollbook.operations import subscribing
from rollbook.operations.subscribing import Choice
from rollbook.store.engine.opening import opened
from rollbook.store.operators import subscriptions


@click.group()
def webhook() -> None:
    """Call other programs when something happens: a signed POST with JSON."""


@webhook.command()
@click.argument("address")
@click.option("--district", help="Tell only of this district, by name or id.")
@topics_option
@at_option
@zone_option
@database_option
def add(address: str, district: str | None, topics: str, at: str, zone: str, database: str | None) -> None:
    """Call ADDRESS from now on. Prints, only once, the secret with which the receiver verifies signatures."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        choice = Choice(tuple(topics.split()), at, zone)
        number, secret = subscribing.add_webhook(store, settings, address, choice, district)
    click.echo(f"webhook {number} calls {address}; its secret, shown only now:\n  {secret}")


@webhook.command()
@click.argument("number", type=int)
@topics_option
@at_option
@zone_option
@database_option
def change(number: int, topics: str, at: str, zone: str, database: str | None) -> None:
    """Change the topics of webhook NUMBER."""
    with opened(read_settings(database=database)) as store:
        chosen = subscribing.change_webhook(store, number, Choice(tuple(topics.split()), at, zone))
    click.echo(f"webhook {number} gets: {' '.join(chosen.topics)}")


@webhook.command("list")
@database_option
@json_option
def list_all(database: str | None, as_json: bool) -> None:
    """List the webhooks: number, address, topics."""
    show(database, subscriptions.WEBHOOK, as_json=as_json)


@webhook.command()
@click.argument("number", type=int)
@database_option
@click.pass_context
def test(context: click.Context, number: int, database: str | None) -> None:
    """Call webhook NUMBER with a test, and say what it answered."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        sent = subscribing.test_webhook(store, settings, number)
    context.exit(tell(sent))


@webhook.command()
@click.argument("number", type=int)
@database_option
def remove(number: int, database: str | None) -> None:
    """Stop calling webhook NUMBER."""
    with opened(read_settings(database=database)) as store:
        address = subscribing.remove_webhook(store, number)
    click.echo(f"Rollbook no longer calls {address}")
