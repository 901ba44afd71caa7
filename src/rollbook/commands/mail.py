"""`rollbook mail`: who gets mail about what, tests, and the outbox of mail and webhooks."""

from __future__ import annotations

import click

from rollbook.commands.jobs import moment
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.domain.topics import TOPICS
from rollbook.operations import mail_server, subscribing
from rollbook.operations.subscribing import AT, Choice, Subscriber
from rollbook.store.engine.opening import opened
from rollbook.store.operators import subscriptions
from rollbook.store.operators.deliveries import Delivery

topics_option = click.option(
    "--topics",
    default=" ".join(TOPICS),
    show_default=True,
    help=f"The topics, separated by blanks: {'; '.join(f'{name}: {text}' for name, text in TOPICS.items())}.",
)
at_option = click.option("--at", default=AT, show_default=True, help="When the summary of the night is sent.")
zone_option = click.option("--zone", default="UTC", show_default=True, help="The time zone of that time.")


@click.group()
def mail() -> None:
    """Choose who gets mail about which topics, and see what was sent."""


@mail.command()
@click.argument("name")
@click.argument("address")
@topics_option
@at_option
@zone_option
@database_option
def choose(name: str, address: str, topics: str, at: str, zone: str, database: str | None) -> None:
    """Send mail to NAME, a person of the console, at ADDRESS.

    Mail tells only what happens from now on.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        chosen = subscribing.choose(store, name, address, Choice(tuple(topics.split()), at, zone))
    click.echo(f"{name} gets mail at {address}: {' '.join(chosen.topics) or 'nothing'}")
    if wrong := mail_server.unready(settings):
        click.echo(f"But {wrong}.")


@mail.command()
@click.argument("name")
@database_option
def stop(name: str, database: str | None) -> None:
    """Stop mail to NAME."""
    with opened(read_settings(database=database)) as store:
        subscribing.choose(store, name, "", Choice(()))
    click.echo(f"{name} gets no mail")


@mail.command("list")
@database_option
@json_option
def list_all(database: str | None, as_json: bool) -> None:
    """List the people who get mail: address, topics, name."""
    show(database, subscriptions.MAIL, as_json=as_json)


def show(database: str | None, channel: str, *, as_json: bool) -> None:
    """List all people with mail, or all webhooks."""
    with opened(read_settings(database=database)) as store:
        found = subscribing.everyone(store, channel)
    if as_json:
        show_json([each.as_json() for each in found])
        return
    for each in found:
        click.echo(_line(each))


def _line(each: Subscriber) -> str:
    who = each.name or f"webhook {each.number}"
    night = f"  ({each.choice.at} {each.choice.zone})" if "night" in each.choice.topics else ""
    of = each.district or "all districts"
    return f"{who:20}  {each.address:40}  {of:30}  {' '.join(each.choice.topics)}{night}"


@mail.command()
@click.argument("name")
@database_option
@click.pass_context
def test(context: click.Context, name: str, database: str | None) -> None:
    """Send NAME a test, and say what the mail server answered."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        sent = subscribing.send_test(store, settings, name)
    context.exit(tell(sent))


def tell(sent: Delivery) -> int:
    """Say how a test ended; returns the exit code."""
    if sent.state == "sent":
        click.echo("the test was sent")
        return 0
    click.echo(f"the test was not sent: {sent.message}", err=True)
    return 1


@mail.command()
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many to list.")
@database_option
@json_option
def outbox(last: int, database: str | None, as_json: bool) -> None:
    """List mail and webhook calls that were sent or wait, newest first."""
    with opened(read_settings(database=database)) as store:
        found = subscribing.outbox(store, last)
    if as_json:
        show_json([_as_dict(sent, to) for sent, to in found])
        return
    for sent, to in found:
        told = f": {sent.message}" if sent.message else ""
        click.echo(
            f"{sent.number:6}  {moment(sent.created)}  {sent.topic:6}  {to.address}  {sent.state}{told}"
        )


def _as_dict(sent: Delivery, to: Subscriber) -> dict[str, object]:
    return {
        "number": sent.number,
        "created": moment(sent.created),
        "topic": sent.topic,
        "to": to.address,
        "name": to.name,
        "state": sent.state,
        "attempts": sent.attempts,
        "ended": moment(sent.ended),
        "message": sent.message,
    }


@mail.command()
@click.argument("number", type=int)
@database_option
def again(number: int, database: str | None) -> None:
    """Let a worker send delivery NUMBER of the outbox again."""
    with opened(read_settings(database=database)) as store:
        subscribing.send_again(store, number)
    click.echo(f"a worker sends delivery {number} again")
