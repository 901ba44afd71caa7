"""`rollbook events`: what a connection is told as it happens, and the whole difference since a snapshot."""

from __future__ import annotations

import time

import click
import orjson

from rollbook.commands.options import database_option, json_option, read_settings
from rollbook.domain import snapshot_names
from rollbook.operations import watching
from rollbook.store.accounts import applications
from rollbook.store.district import demo_state, districts
from rollbook.store.engine.opening import opened
from rollbook.store.records import catchup, event_feed
from rollbook.store.records.event_feed import Told

POLL_SECONDS = 0.5
COUNT_MAX = 1_000


@click.group()
def events() -> None:
    """The published changes of a district."""


@events.command()
@click.argument("district")
@click.argument("snapshot")
@database_option
def since(district: str, snapshot: str, database: str | None) -> None:
    """Print the full difference from SNAPSHOT to now, one event per line.

    SNAPSHOT is a sync's number (see `rollbook history`), or the value of an answer's header
    `x-rollbook-snapshot`. There is one event for each record that differs, as in the feed, even for a time
    whose events are no longer kept.
    """
    name = snapshot_names.parse(snapshot)
    if name is None:
        raise click.BadParameter(f"expected a sync's number, or a name such as 41-9f86d081; got {snapshot!r}")
    with opened(read_settings(database=database)) as store:
        for line in catchup.since(store, districts.find(store, district), name):
            click.echo(line)


@events.command("of")
@click.argument("application")
@click.argument("district")
@click.option(
    "--last", type=click.IntRange(1, COUNT_MAX), default=50, show_default=True, help="How many events."
)
@click.option("--follow", is_flag=True, help="Keep running, and print each event as it comes.")
@database_option
@json_option
def of(application: str, district: str, last: int, follow: bool, database: str | None, as_json: bool) -> None:
    """Show the last events of an APPLICATION (name or client id) in a DISTRICT, oldest first.

    It shows types, ids and names of changed fields, and no value of a record. With --json each event is one
    line.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        client_id = applications.find(store, application).client_id
        watched = watching.find(watching.ALL, store, client_id, districts.find(store, district).id)
        if watched.events_after is None:
            click.echo(f"events are off: rollbook application set {watched.application!r} --events", err=True)
        with store.read() as transaction:
            in_demo = demo_state.is_demo(transaction)
        after, count = event_feed.floor_now(settings.event_days, in_demo=in_demo), last
        while True:
            found = watching.events(store, watched, after=after, count=count)
            for one in reversed(found):
                click.echo(_line(one, as_json=as_json))
            if not follow:
                if not found and watched.events_after and not as_json:
                    click.echo("no event yet")
                return
            after, count = found[0].id if found else after, COUNT_MAX
            time.sleep(POLL_SECONDS)


def _line(one: Told, *, as_json: bool) -> str:
    if as_json:
        told = {"id": one.id, "created": f"{one.moment:%Y-%m-%dT%H:%M:%SZ}", "type": one.type}
        return orjson.dumps({**told, "record": one.record, "changed": one.changed}).decode()
    about = f"{one.type:18}  {one.record}  {', '.join(one.changed)}"
    return f"{one.moment:%Y-%m-%d %H:%M:%S}  {one.id}  {about}".rstrip()
